"""Findings in plain sentences. The numbers are those of the table: the effect is the difference of the two means.

Objects were chosen, not sampled, so a sentence says which ones it is about.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from audit.analysis.contrasts import Contrast, averaged_over
from audit.analysis.effects import Effect
from audit.analysis.intervals import SAME
from audit.analysis.layout import Layout
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
    "top1": "the network names the object first in {value} of scenes",
    "top5": "the network names the object among its first five in {value} of scenes",
    "target_probability": "the network gives the object a probability of {value}",
    "logit_margin": "the object's logit less that of the best other class is {value}",
    "relevance_mass_accuracy": "{value} of the positive part of the {method} map lies on the {region}",
}


NAMED = 4  # objects up to which a sentence names each


def sentence(effect: Effect, layout: Layout, facts: ModelFacts, is_fit: bool) -> str:
    """One finding: condition, what happens there and at control, difference, interval, blocks, q, recipe."""
    phrase = PHRASES.get(effect.measure.metric, f"{SPECS[effect.measure.metric].title} is {{value}}")
    level, control, change = _numbers(effect)
    what = phrase.format(value=level, method=effect.measure.method, region=effect.measure.region)
    varied = effect.contrast.varied
    against = f"against {control} under {spoken(varied.control(layout))}{_averaged(effect.contrast, layout)}"
    parts = [
        f"Under {spoken(varied.name)}{_shown(effect)} {what}, {against}: {change}",
        _most(effect, layout),
        _more_than_sum(effect),
        f"{effect.usable} {layout.unit}",
        f"q {_small(effect.q)}",
    ]
    text = ", ".join(part for part in parts if part) + f"; {_alone(effect, layout)}{_expectation(effect, facts)}."
    return text if is_fit else f"{text} The model is unfit at control already."


def spoken(contrast: str) -> str:
    """'light=back & relation=equal' as 'light = back and relation = equal'."""
    return contrast.replace(" & ", " and ").replace("=", " = ")


def _shown(effect: Effect) -> str:
    """' on lemon', ' on these 4 objects (...)': what the sentence is about; '' where the design has no such factor."""
    if len(effect.objects) < 2 and not effect.absent:
        return f" on {effect.objects[0]}" if effect.objects else ""
    if effect.absent:
        number = f"{len(effect.objects)} of {len(effect.objects) + len(effect.absent)} objects"
    else:
        number = f"these {len(effect.objects)} objects"
    return f" on {number}" + (f" ({', '.join(effect.objects)})" if len(effect.objects) <= NAMED else "")


def _most(effect: Effect, layout: Layout) -> str:
    """Of a mean over objects, those that it is most about, where they lie more than the margin above it."""
    if len(effect.objects) < 2:
        return ""
    own = {o: effect.by_block[layout.object_of == layout.objects.index(o)] for o in effect.objects}
    change = {o: float(np.nanmean(values)) for o, values in own.items()}
    most = max(change.values())
    if most <= effect.effect[0] + effect.margin:
        return ""
    names = " and ".join(o for o in effect.objects if change[o] >= most - SAME)
    is_turned = SPECS[effect.measure.metric].direction == "higher_is_better"
    return f"most on {names} ({_difference(effect, -most if is_turned else most)})"


def _expectation(effect: Effect, facts: ModelFacts) -> str:
    if not facts.recipe:
        return "its checkpoint declares no training recipe"
    return "inside its training recipe" if effect.in_recipe else "outside its training recipe, so to be expected"


def _averaged(contrast: Contrast, layout: Layout) -> str:
    others = averaged_over(layout, contrast)
    if not others:
        return ""
    if layout.sampled is not None:
        return " (means over what was sampled of the other factors)"
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
        return f"{_difference(effect, mean)} [{low:.3g}, {high:.3g}]"
    return f"{_difference(effect, mean, digits)} [{_points(low, digits)}, {_points(high, digits)}]"


def _difference(effect: Effect, mean: float, digits: int = 0) -> str:
    """A difference in the metric's own sign, with its unit."""
    if not _is_share(effect):
        return f"{mean:+.3g} {SPECS[effect.measure.metric].unit}"
    return f"{_points(mean, digits, '+')} points"


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
    beyond = "what each alone adds up to" if effect.contrast.object is None else "the mean of the other objects"
    return f"{mean} [{low}, {high}] of them beyond {beyond}"


def _digits(level: float, control: float) -> int:
    """No decimals, unless the rounded numbers would not add up."""
    return 0 if float(f"{level:.0f}") - float(f"{control:.0f}") == float(f"{level - control:.0f}") else 1


def _points(share: float, digits: int, sign: str = "") -> str:
    text = f"{100 * share:{sign}.{digits}f}"
    return text.replace("-", "−") if float(text) != 0 else f"{0:.{digits}f}"


def _small(q: float) -> str:
    return "< .001" if q < 0.001 else f"= {q:.3f}".replace("0.", ".", 1)
