"""Interventions: what the object, its shadow and the light cause in the answer, from the interventions table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports import figures, words
from reports.numbers import difference, interval, number
from reports.run_record import Estimate, RunRecord

RESPONSES = ("scene_alarm", "sensor_alarm", "target_logit")
FACTORS = ("relation", "light", "cast_shadow")
ALL = "all"  # the table's level for the mean over a factor's levels
ARMS = (
    ("arm_empty", "empty floor"),
    ("arm_ghost", "shadow alone"),
    ("arm_object", "object alone"),
    ("arm_full", "object + shadow"),
)
EFFECTS = (
    ("light", "the light on the empty floor"),
    ("shadow", "its shadow"),
    ("object", "the object"),
    ("interaction", "both, beyond the sum"),
)
REMOVALS = (("removal_object", "removing the object"), ("removal_shadow", "removing its shadow"))
_FOREST_WIDTH = 68


@dataclass(frozen=True)
class Shown:
    """A mean with its interval as text, and a figure of it where one helps. span: rows it stands for; 0: none."""

    value: str
    interval: str
    kind: str = ""
    figure: str = ""  # Markup
    span: int = 1


@dataclass(frozen=True)
class LightRow:
    """One light, over all colour relations and kinds of shadow: means in the arms, effects of the parts."""

    light: str
    is_control: bool
    arms: tuple[Shown, ...]
    effects: tuple[Shown, ...]
    n: str


@dataclass(frozen=True)
class TreeRow:
    """One condition. heads: (level, rows it spans) for light, cast_shadow, relation; a span of 0 is not written."""

    heads: tuple[tuple[str, int], ...]
    empty: Shown
    ghost: Shown
    shadow: Shown
    object: Shown
    object_effect: Shown
    full: Shown
    interaction: Shown
    removals: tuple[Shown, ...]
    n: str


@dataclass(frozen=True)
class ArmTable:
    """One model and response: per light, and per condition. scale: what the ends of the effect lines stand for."""

    response: words.Metric
    scale: str
    lights: tuple[LightRow, ...]
    tree: tuple[TreeRow, ...]


def headline(record: RunRecord, model: str) -> str:
    """What the shadow alone and the empty floor do at the control light; empty where the arms were not rendered."""
    return next(iter(sentences(record, model, (record.control.get("light", ALL),))), "")


def sentences(record: RunRecord, model: str, lights: Sequence[str] | None = None) -> list[str]:
    """Per light, what the shadow alone and the empty floor do, in a plain sentence with intervals."""
    control = {f: record.control.get(f, ALL) for f in FACTORS}
    out = []
    for light in record.levels.get("light", ()) if lights is None else lights:
        full, alone, ghost, empty = (
            record.intervention(model, "scene_alarm", arm, {**control, "light": light})
            for arm in ("arm_full", "arm_object", "arm_ghost", "arm_empty")
        )
        if ghost is None or empty is None or math.isnan(ghost.mean) or math.isnan(empty.mean):
            continue
        text = f"Under {light} light the shadow alone raises an alarm in {_share(ghost)} of scenes, "
        text += f"the empty floor in {_share(empty)}"
        if full is not None and alone is not None:
            text += f"; the obstacle with its shadow in {_share(full)}, without it in {_share(alone)}"
        out.append(f"{text} ({ghost.usable} scene seeds with a near obstacle).")
    return out


def arm_tables(record: RunRecord, model: str) -> list[ArmTable]:
    """One table per response that was analysed."""
    frame = record.frame("interventions")
    present = set(frame.loc[frame["model"] == model, "response"])
    return [_table(record, model, words.metric(r)) for r in RESPONSES if r in present]


def _table(record: RunRecord, model: str, response: words.Metric) -> ArmTable:
    axis = _axis(record, model, response)
    scale = f"{difference(-axis.high, response.percent)} to {difference(axis.high, response.percent)}"
    lights = [_light(record, model, response, light, axis) for light in (*record.levels.get("light", ()), ALL)]
    kept = tuple(row for row in lights if any(a.kind != "absent" for a in row.arms))
    return ArmTable(response, scale, kept, tuple(_tree(record, model, response, axis)))


def _light(record: RunRecord, model: str, response: words.Metric, light: str, axis: figures.Axis) -> LightRow:
    levels = {"relation": ALL, "light": light, "cast_shadow": ALL}
    arms = [record.intervention(model, response.name, name, levels) for name, _ in ARMS]
    effects = [record.intervention(model, response.name, name, levels) for name, _ in EFFECTS]
    usable = [e.usable for e in arms if e is not None]
    return LightRow(
        light="all lights" if light == ALL else light,
        is_control=light == record.control.get("light"),
        arms=tuple(_arm(e, response) for e in arms),
        effects=tuple(_effect(e, response, axis, n) for e, (n, _) in zip(effects, EFFECTS, strict=True)),
        n=str(min(usable)) if usable else "0",
    )


def _tree(record: RunRecord, model: str, response: words.Metric, axis: figures.Axis) -> list[TreeRow]:
    """Conditions in the order light, shadow, relation; what does not depend on a factor is written once."""
    lights, relations = record.levels.get("light", ()), record.levels.get("relation", ())
    shadows = [s for s in record.levels.get("cast_shadow", ()) if s != "none"]
    rows = []
    for light in lights:
        for i, shadow in enumerate(shadows):
            for j, relation in enumerate(relations):
                levels = {"light": light, "cast_shadow": shadow, "relation": relation}
                light_span = len(shadows) * len(relations) * (i == 0 and j == 0)
                spans = (light_span, len(relations) * (j == 0), 1)
                rows.append(_tree_row(record, model, response, levels, spans, axis))
    return rows


def _tree_row(
    record: RunRecord,
    model: str,
    response: words.Metric,
    levels: Mapping[str, str],
    spans: tuple[int, int, int],
    axis: figures.Axis,
) -> TreeRow:
    names = [name for name, _ in (*ARMS, *EFFECTS, *REMOVALS)]
    found = {name: record.intervention(model, response.name, name, levels) for name in names}
    of_light, of_shadow, _ = spans
    heads = tuple(zip((levels["light"], levels["cast_shadow"], levels["relation"]), spans, strict=True))
    full = found["arm_full"]
    return TreeRow(
        heads=heads,
        empty=_arm(found["arm_empty"], response, of_light),
        ghost=_arm(found["arm_ghost"], response, of_shadow),
        shadow=_effect(found["shadow"], response, axis, "shadow", of_shadow),
        object=_arm(found["arm_object"], response),
        object_effect=_effect(found["object"], response, axis, "object"),
        full=_arm(full, response),
        interaction=_effect(found["interaction"], response, axis, "interaction"),
        removals=tuple(_effect(found[name], response, axis, name) for name, _ in REMOVALS),
        n=str(full.usable) if full is not None else "0",
    )


def _arm(found: Estimate | None, response: words.Metric, span: int = 1) -> Shown:
    if found is None:
        return Shown("–", "", "absent", span=span)
    if math.isnan(found.mean):
        return Shown(number(found.mean), "no usable block", "undefined", span=span)
    tint = f"tint-{min(int(found.mean * 5), 4)}" if response.percent else ""
    shown = interval(found.low, found.high, response.percent)
    return Shown(number(found.mean, response.percent), shown, tint, span=span)


def _effect(found: Estimate | None, response: words.Metric, axis: figures.Axis, name: str, span: int = 1) -> Shown:
    if found is None:
        return Shown("–", "", "absent", span=span)
    if math.isnan(found.mean):
        return Shown(number(found.mean), "no usable block", "undefined", span=span)
    drawn = figures.forest(found.mean, found.low, found.high, axis, f"e-{name}", response.percent)
    shown = interval(found.low, found.high, response.percent)
    return Shown(difference(found.mean, response.percent), shown, "", drawn, span)


def _axis(record: RunRecord, model: str, response: words.Metric) -> figures.Axis:
    frame = record.frame("interventions")
    arm = frame["effect"].str.startswith("arm_")
    effects = frame[(frame["model"] == model) & (frame["response"] == response.name) & ~arm]
    ends = effects[["mean", "ci_low", "ci_high"]].abs().max().max() if len(effects) else 1.0
    largest = 1.0 if math.isnan(ends) or ends == 0 else float(ends)
    return figures.Axis(-largest, largest, _FOREST_WIDTH)


def _share(found: Estimate) -> str:
    return f"{number(found.mean)} {interval(found.low, found.high)}"
