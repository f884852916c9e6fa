"""Findings in plain sentences. The numbers are those of the table: the effect is the difference of the two means."""

from __future__ import annotations

import math
from collections.abc import Mapping

from audit.analysis.contrasts import Contrast
from audit.analysis.effects import Effect
from audit.analysis.layout import PRESENCE, Layout
from audit.analysis.recipe import ModelFacts
from audit.metrics.specs import SPECS

# What the network does, with {value} where the number goes; metrics without an entry are named by their title.
PHRASES: Mapping[str, str] = {
    "sensor_miss": "the network misses {value} of occupied sensors",
    "sensor_miss_at_half": "the network misses {value} of occupied sensors at threshold .5",
    "scene_miss": "the network misses every occupied sensor in {value} of scenes",
    "sensor_false_alarm": "the network raises a false alarm on {value} of clear sensors",
    "sensor_false_alarm_at_half": "the network raises a false alarm on {value} of clear sensors at threshold .5",
    "scene_false_alarm": "the network raises a false alarm in {value} of scenes",
    "relevance_mass_accuracy": "{value} of the positive part of the {method} map lies on the {region}",
}


def sentence(effect: Effect, layout: Layout, facts: ModelFacts, is_fit: bool) -> str:
    """One finding: condition, what happens there and at control, difference, interval, scene seeds, q, recipe."""
    phrase = PHRASES.get(effect.measure.metric, f"{SPECS[effect.measure.metric].title} is {{value}}")
    level, control, change = _numbers(effect)
    what = phrase.format(value=level, method=effect.measure.method, region=effect.measure.region)
    against = f"against {control} under {spoken(effect.control)}{_averaged(effect.contrast, layout)}"
    parts = [
        f"Under {spoken(effect.contrast.name)} {what}, {against}: {change}",
        _more_than_sum(effect),
        f"{effect.usable} scene seeds",
        f"q {_small(effect.q)}",
    ]
    text = ", ".join(part for part in parts if part) + f"; {_alone(effect, layout)}{_expectation(effect, facts)}."
    return text if is_fit else f"{text} The model is unfit at control already."


def spoken(contrast: str) -> str:
    """'light=back & relation=equal' as 'light = back and relation = equal'."""
    return contrast.replace(" & ", " and ").replace("=", " = ")


def _expectation(effect: Effect, facts: ModelFacts) -> str:
    if not facts.recipe:
        return "its checkpoint declares no training recipe"
    return "inside its training recipe" if effect.in_recipe else "outside its training recipe, so to be expected"


def _averaged(contrast: Contrast, layout: Layout) -> str:
    touched = {factor for factor, _ in contrast.levels}
    others = [f for f in layout.factors if f != PRESENCE and f not in touched and len(layout.levels[f]) > 1]
    if not others:
        return ""
    return f" (mean over {' and '.join(others) if len(others) < 3 else ', '.join(others)})"


def _numbers(effect: Effect) -> tuple[str, str, str]:
    """Level, control and change with interval, as shares in per cent and points, else as plain numbers."""
    if not _is_share(effect):
        return f"{effect.level_mean:.3g}", f"{effect.control_mean:.3g}", _change(effect, effect.effect)
    digits = _digits(100 * effect.level_mean, 100 * effect.control_mean)
    level, control = f"{100 * effect.level_mean:.{digits}f} %", f"{100 * effect.control_mean:.{digits}f} %"
    return level, control, _change(effect, effect.effect, digits)


def _change(effect: Effect, change: tuple[float, float, float], digits: int = 0) -> str:
    """A worse-is-positive change with its interval, in the metric's own sign."""
    mean, low, high = change
    if SPECS[effect.measure.metric].direction == "higher_is_better":
        mean, low, high = -mean, -high, -low
    if not _is_share(effect):
        return f"{mean:+.3g} {SPECS[effect.measure.metric].unit} [{low:.3g}, {high:.3g}]"
    return f"{_points(mean, digits, '+')} points [{_points(low, digits)}, {_points(high, digits)}]"


def _alone(effect: Effect, layout: Layout) -> str:
    """The simple effect, where it does not carry the finding: then other levels are needed for it."""
    mean, low, _ = effect.simple
    if not math.isfinite(mean) or low > 0 or not _averaged(effect.contrast, layout):
        return ""
    return f"with all else at control {_change(effect, effect.simple)}; "


def _is_share(effect: Effect) -> bool:
    return SPECS[effect.measure.metric].unit in ("share", "probability")


def _more_than_sum(effect: Effect) -> str:
    if effect.contrast.order < 2 or not effect.excess[1] > 0:
        return ""
    mean, low, high = (_points(x, 0) if _is_share(effect) else f"{x:.3g}" for x in effect.excess)
    return f"{mean} [{low}, {high}] of them beyond what each alone adds up to"


def _digits(level: float, control: float) -> int:
    """No decimals, unless the rounded numbers would not add up."""
    return 0 if float(f"{level:.0f}") - float(f"{control:.0f}") == float(f"{level - control:.0f}") else 1


def _points(share: float, digits: int, sign: str = "") -> str:
    text = f"{100 * share:{sign}.{digits}f}"
    return text.replace("-", "−") if float(text) != 0 else f"{0:.{digits}f}"


def _small(q: float) -> str:
    return "< .001" if q < 0.001 else f"= {q:.3f}".replace("0.", ".", 1)
