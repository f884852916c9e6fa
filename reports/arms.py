"""Interventions: what the object, its shadow and the light cause in the answer, from the interventions table.

Rows of the short table are lights or, where `object` is a factor, objects. The long one, by light, shadow and colour
relation, is of designs that cross those factors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports import figures, words
from reports.levels import ALL
from reports.numbers import difference, interval, number
from reports.run_record import Estimate, RunRecord

RESPONSES = {
    "proximity": ("scene_alarm", "sensor_alarm", "target_logit"),
    words.CLASSIFICATION: ("target_probability", "logit_margin", "target_logit"),
}
FACTORS = ("relation", "light", "cast_shadow")
ARMS = (
    ("arm_empty", "empty floor"),
    ("arm_ghost", "shadow alone"),
    ("arm_object", "object alone"),
    ("arm_full", "object + shadow"),
)
EFFECTS = (
    ("light", "effect of the light on the empty floor"),
    ("shadow", "effect of its shadow"),
    ("object", "effect of the object"),
    ("interaction", "effect of both, beyond the sum"),
)
REMOVALS = (("removal_object", "removing the object"), ("removal_shadow", "removing its shadow"))
WITH_SHADOW = (  # effects where no object stands without its shadow
    ("shadow", "the shadow alone adds"),
    ("removal_object", "the object adds to its shadow"),
    ("removal_both", "both together add"),
)
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
class ArmRow:
    """One light over all colour relations and shadows, or one object: means in the arms, effects of the parts."""

    name: str
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
    """One model and response. arms, effects: heads of the columns; scale: what the ends of the effect lines stand for;
    tree: per condition, empty where the design does not cross them."""

    response: words.Metric
    scale: str
    row_factor: str
    over: str
    arms: tuple[str, ...]
    effects: tuple[str, ...]
    rows: tuple[ArmRow, ...]
    tree: tuple[TreeRow, ...]


def headline(record: RunRecord, model: str) -> str:
    """What the parts of a scene do at control, over all objects; empty where the arms were not rendered."""
    if record.objects:
        return _of_object(record, model, ALL)
    return next(iter(sentences(record, model, (record.control.get("light", ALL),))), "")


def sentences(record: RunRecord, model: str, lights: Sequence[str] | None = None) -> list[str]:
    """Per light, or per object, what the shadow alone and the empty floor do, in a plain sentence with intervals."""
    if record.objects:
        return [text for name in (ALL, *record.objects) if (text := _of_object(record, model, name))]
    control = {f: record.control.get(f, ALL) for f in FACTORS}
    out = []
    for light in record.levels.get("light", (ALL,)) if lights is None else lights:
        full, alone, ghost, empty = (
            record.intervention(model, "scene_alarm", arm, {**control, "light": light})
            for arm in ("arm_full", "arm_object", "arm_ghost", "arm_empty")
        )
        if ghost is None or empty is None or math.isnan(ghost.mean) or math.isnan(empty.mean):
            continue
        text = f"Under {light} light the shadow" if "light" in record.levels else "The shadow"
        text += f" alone raises an alarm in {_share(ghost)} of scenes, "
        text += f"the empty floor in {_share(empty)}"
        if full is not None and alone is not None:
            text += f"; the obstacle with its shadow in {_share(full)}"
            text += "" if math.isnan(alone.mean) else f", without it in {_share(alone)}"
        out.append(f"{text} ({ghost.usable} scene seeds with a near obstacle).")
    return out


def _of_object(record: RunRecord, model: str, name: str) -> str:
    """What is left of a classifier's answer when the object is taken away, for one object or over all of them."""
    at = _place(record, name)
    full, ghost, empty = (
        record.intervention(model, "target_probability", arm, at) for arm in ("arm_full", "arm_ghost", "arm_empty")
    )
    known = [e for e in (full, ghost, empty) if e is not None and not math.isnan(e.mean)]
    if full is None or len(known) < 2 or full not in known:
        return ""
    of = "On these objects the right class has" if name == ALL else f"‘{words.thing(name)}’ has"
    text = f"{of} a probability of {_share(full)}"
    if ghost is not None and ghost in known:
        text += f"; with the object taken away and its shadow left, {_share(ghost)}"
    if empty is not None and empty in known:
        text += f"; on the empty floor {_share(empty)}"
    margins = [record.intervention(model, "logit_margin", arm, at) for arm in ("arm_full", "arm_ghost")]
    if all(e is not None and not math.isnan(e.mean) for e in margins):
        ends = (number(e.mean, percent=False, signed=True) for e in margins if e is not None)
        text += ". Its logit margin falls from {} to {}".format(*ends)
    shadow = record.intervention(model, "logit_margin", "shadow", at)
    if shadow is not None and not math.isnan(shadow.mean):
        change = f"{difference(shadow.mean, False)} {interval(shadow.low, shadow.high, False)}"
        text += f"; the shadow alone changes the empty floor’s by {change}"
    return f"{text} ({full.usable} object poses)."


def _place(record: RunRecord, thing: str) -> dict[str, str]:
    """Where the arms of an object stand: at the control light, or over all lights where only that was analysed."""
    return {"light": record.control["light"] if "light" in record.levels else ALL, "object": thing}


def arm_tables(record: RunRecord, model: str) -> list[ArmTable]:
    """One table per response that was analysed."""
    frame = record.frame("interventions")
    present = set(frame.loc[frame["model"] == model, "response"])
    wanted = RESPONSES.get(record.task, tuple(sorted(present)))
    return [_table(record, model, words.metric(r)) for r in wanted if r in present]


def _table(record: RunRecord, model: str, response: words.Metric) -> ArmTable:
    axis, pooled = _axis(record, model, response), record.is_crossed  # else the arms are of the control condition
    scale = f"{difference(-axis.high, response.percent)} to {difference(axis.high, response.percent)}"
    if record.objects:
        places = [(words.thing(o), False, _place(record, o)) for o in record.objects]
        places.append((f"mean over these {len(record.objects)} objects", False, _place(record, ALL)))
    else:
        held, lights = record.control.get("light"), (*record.levels.get("light", ()), ALL)
        lights = lights if pooled or len(lights) == 1 else lights[:-1]
        at = {f: ALL if pooled else record.control[f] for f in ("relation", "cast_shadow") if f in record.levels}
        places = [(_light(record, v), v == held, {**at, "light": v}) for v in lights]
    arms, effects = _columns(record, model, response)
    rows = [_row(record, model, response, place, axis, arms, effects) for place in places]
    return ArmTable(
        response=response,
        scale=scale,
        row_factor="object" if record.objects else "light" if "light" in record.levels else "condition",
        over="poses at the control condition" if record.objects else _OVER_BLOCKS if pooled else _OVER_CONTROL,
        arms=tuple(title for _, title in arms),
        effects=tuple(title for _, title in effects),
        rows=tuple(row for row in rows if any(a.kind != "absent" for a in row.arms)),
        tree=tuple(_tree(record, model, response, axis)) if pooled and set(FACTORS) <= set(record.levels) else (),
    )


def _light(record: RunRecord, level: str) -> str:
    return level if level != ALL else "all lights" if "light" in record.levels else "control"


_OVER_BLOCKS = (
    "blocks with an obstacle (the light's own effect: over all blocks), all colour relations and kinds of shadow"
)
_OVER_CONTROL = "blocks with an obstacle at the control condition"
_Named = tuple[tuple[str, str], ...]


def _columns(record: RunRecord, model: str, response: words.Metric) -> tuple[_Named, _Named]:
    """The arms and effects that a table has columns for: those of a design with objects without their shadow, or only
    those that were analysed."""
    if set(FACTORS) <= set(record.levels):
        return ARMS, EFFECTS
    frame = record.frame("interventions")
    found = set(frame.loc[(frame["model"] == model) & (frame["response"] == response.name), "effect"])
    effects = (*(e for e in EFFECTS if e[0] in found - {"shadow"}), *(e for e in WITH_SHADOW if e[0] in found))
    return tuple(a for a in ARMS if a[0] in found), effects


def _row(
    record: RunRecord,
    model: str,
    response: words.Metric,
    place: tuple[str, bool, Mapping[str, str]],
    axis: figures.Axis,
    arm_names: _Named,
    effect_names: _Named,
) -> ArmRow:
    name, is_control, levels = place
    arms = [record.intervention(model, response.name, key, levels) for key, _ in arm_names]
    effects = [record.intervention(model, response.name, key, levels) for key, _ in effect_names]
    usable = [e.usable for e in arms if e is not None]
    return ArmRow(
        name=name,
        is_control=is_control,
        arms=tuple(_arm(e, response) for e in arms),
        effects=tuple(_effect(e, response, axis, n) for e, (n, _) in zip(effects, effect_names, strict=True)),
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
