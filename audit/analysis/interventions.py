"""Interventions: what the object, its shadow and the light cause, from the arms of a scene.

full: object and shadow; object: the object without its shadow (cast_shadow none); ghost: the shadow alone; empty:
neither. All of one block under one light, so effects are differences of forward passes. On the tabletop ghost and
empty are stored at the control level of what they do not depend on (colour relation; for empty also the shadow) and
joined to all its levels. In the studio every object casts its shadow, so there is no object alone, and arms may stand
at the control condition only: everything here is over the cells that have arms.

Blocks: those drawn with an obstacle, in the studio all. Alarms count within the horizon, so for them only stratum
`near`; the target reaches further, so for it `near` and `far`. The light's effect on the empty floor is over all
blocks. The target of ghost and empty scenes is the target of the object scene: the same cells or classes, chosen by
what was taken away. With several objects there are rows per object, and for all of them the mean over objects.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audit.analysis.conditions import bounds
from audit.analysis.layout import ALL, OBJECT, PRESENCE, Bools, Floats, Ints, Layout, defined_mean, per_block
from audit.analysis.measurement import Grid, Measure
from audit.analysis.objects import over_objects
from audit.tables import INTERVENTIONS
from scenes.manifest import ABSENT

RESPONSES = ("scene_alarm", "sensor_alarm", "target_logit", "target_probability", "logit_margin")
TARGET = "target_logit"
FACTORS = ("relation", "light", "cast_shadow")
LIGHT, SHADOW = "light", "cast_shadow"
ADDED = ("target_alarm", "target_probability")  # what an object adds to, in a comparison: the first there is
ALARM = "sensor_alarm"
NO_SHADOW = "none"  # the level of cast_shadow at which the object casts none
GHOST, EMPTY = "ghost", "empty"
_WITHOUT_ALONE = ("arm_object", "object", "interaction", "removal_shadow")  # what needs the object without its shadow


@dataclass(frozen=True)
class Arms:
    """One response in the four arms, arrays (B, relation, light, cast_shadow, others) that broadcast together.

    others: the combinations of the design's other factors. An axis that the design lacks has length 1. full has every
    shadow level of the design, `none` included, and is NaN in cells that have no arm beside it; alone, ghost and empty
    hold length 1 on the axes they do not depend on (ghost lacks only relation, so it also holds every shadow level).
    """

    full: Floats
    alone: Floats
    ghost: Floats
    empty: Floats


def interventions_table(grids: Mapping[Measure, Grid], layout: Layout) -> pd.DataFrame:
    """INTERVENTIONS of every model; empty where the design has no arms."""
    columns = list(INTERVENTIONS.columns)
    if not has_arms(layout):
        return INTERVENTIONS.empty()[columns]
    parts = [
        part
        for measure, grid in grids.items()
        if measure.metric in RESPONSES
        for part in (_effect_rows(measure, grid, layout), _light_rows(measure, grid, layout))
        if len(part)
    ]
    if not parts:
        return INTERVENTIONS.empty()[columns]
    whole = pd.concat(parts, ignore_index=True)[columns]
    return whole.sort_values(list(INTERVENTIONS.key), kind="stable").reset_index(drop=True)


def has_arms(layout: Layout) -> bool:
    """Whether there is at least one arm beside the object's."""
    presences = layout.levels.get(PRESENCE, ())
    return OBJECT in presences and bool({GHOST, EMPTY} & set(presences))


def has_shadowless(layout: Layout) -> bool:
    """Whether the design says of each scene if the object casts its shadow, so that it can be seen without."""
    return SHADOW in layout.factors


def arms(values: Floats, layout: Layout) -> Arms:
    """The arms of a response (B, C); an arm or level that is missing is NaN."""
    full, ghost, empty = (_ordered(values, layout, presence) for presence in (OBJECT, GHOST, EMPTY))
    shadows = _levels(layout, SHADOW)
    alone = np.full_like(full[:, :, :, :1], np.nan)
    if NO_SHADOW in shadows:
        alone = full[:, :, :, [shadows.index(NO_SHADOW)]]
    return Arms(
        full=np.where(_beside_arms(layout), full, np.nan),
        alone=alone,
        ghost=defined_mean(ghost, (1,), keepdims=True),
        empty=defined_mean(empty, (1, 3), keepdims=True),
    )


def _beside_arms(layout: Layout) -> Bools:
    """(1, relation, light, cast_shadow, others): the cells of the design that have a ghost or an empty arm."""
    ghost, empty = (np.isfinite(_ordered(_where(layout.planned), layout, arm)) for arm in (GHOST, EMPTY))
    return np.asarray(ghost.any(axis=(0, 1), keepdims=True) | empty.any(axis=(0, 1, 3), keepdims=True))


def removal_effects(values: Floats, layout: Layout) -> dict[str, Floats]:
    """Region -> what its removal takes from the response in each object scene, an array as in `Arms`.

    object: full - ghost; where nothing casts a shadow, what is left is the empty floor. cast_shadow: full - object
    alone, NaN where there is no shadow to remove.
    """
    found = arms(values, layout)
    is_shadowless = np.array([level == NO_SHADOW for level in _levels(layout, SHADOW)])
    is_shadowless = is_shadowless.reshape(1, 1, 1, -1, 1)
    without_object = np.where(is_shadowless, found.empty, found.ghost)
    return {
        "object": found.full - without_object,
        "cast_shadow": np.where(is_shadowless, np.nan, found.full - found.alone),
    }


def interventions_by_block(
    values: Mapping[str, Floats], layout: Layout, levels: Mapping[str, str] | None = None
) -> dict[str, Floats]:
    """The effects of audit.metrics.effect_specs, (B,) each: object_effect, full - ghost of what the object's own
    sensors or classes say; and, of alarms, shadow_alarm, the ghost. The mean over the block's cells that have the arms
    and cast a shadow; NaN without an obstacle. Empty where the design has no arms.

    values: response -> (B, C). levels: factor -> level of a condition, and then of its cells alone; nothing of an
    effect that does not depend on one of these factors (the ghost's on the relation).
    """
    if not has_arms(layout):
        return {}
    at = dict(levels or {})
    shadows = [i for i, level in enumerate(_levels(layout, SHADOW)) if level != NO_SHADOW]
    effects = {}
    response = next((r for r in ADDED if r in values), None)
    if response is not None:
        found = arms(values[response], layout)
        effects["object_effect"] = (found.full - found.ghost)[:, :, :, shadows]
    if ALARM in values and (not at or layout.where({**at, PRESENCE: GHOST}).any()):
        effects["shadow_alarm"] = arms(values[ALARM], layout).ghost[:, :, :, shadows]
    if at:
        within = np.broadcast_to(_where(layout.where(at)), layout.shape)
        shown = _ordered(within, layout, OBJECT)[:, :, :, shadows]
        effects = {name: effect + shown for name, effect in effects.items()}
    seen = has_obstacle(layout, ALARM)
    return {name: np.where(seen, per_block(effect), np.nan) for name, effect in effects.items()}


def object_scenes(values: Floats, layout: Layout) -> Floats:
    """A measure on the object scenes, axes as in `removal_effects`."""
    return _ordered(values, layout, OBJECT)


def has_obstacle(layout: Layout, response: str) -> Bools:
    """(B,): blocks whose obstacle the response can see; near for alarms, near and far for the target. A pose of an
    object always has one."""
    if layout.objects:
        return np.ones(len(layout.blocks), dtype=bool)
    reached = ("near", "far") if response == TARGET else ("near",)
    return np.isin(layout.strata.astype(str), reached)


def _levels(layout: Layout, factor: str) -> tuple[str, ...]:
    return layout.levels[factor] if factor in layout.factors else (ABSENT,)


def _ordered(values: Floats, layout: Layout, presence: str) -> Floats:
    """A response (B, C) of one arm, axes as in `Arms`; NaN where the design has no such cell."""
    there = [f for f in FACTORS if f in layout.factors]
    rest = [i for i, f in enumerate(layout.factors) if f not in (*FACTORS, PRESENCE)]
    others, other = np.unique(layout.codes[:, rest], axis=0, return_inverse=True)
    of = layout.where({PRESENCE: presence})
    axes = [layout.codes[of, layout.factors.index(f)] if f in there else 0 for f in FACTORS]
    ordered = np.full((len(values), *(len(_levels(layout, f)) for f in FACTORS), len(others)), np.nan)
    ordered[:, axes[0], axes[1], axes[2], other.reshape(-1)[of]] = values[:, of]
    return ordered


def _where(there: Bools) -> Floats:
    return np.where(there, 0.0, np.nan)


def _effect_rows(measure: Measure, grid: Grid, layout: Layout) -> pd.DataFrame:
    beside = _beside_arms(layout)
    lights = np.flatnonzero(beside.any(axis=tuple(i for i in range(beside.ndim) if i != 2)))
    shadows = [i for i, level in enumerate(_levels(layout, SHADOW)) if level != NO_SHADOW]
    blocks = has_obstacle(layout, measure.metric)
    effects = _effects(arms(grid.values, layout), shadows)
    if has_shadowless(layout):
        effects = {name: values for name, values in effects.items() if name != "removal_both"}
    else:
        effects = {name: values for name, values in effects.items() if name not in _WITHOUT_ALONE}
    shape = effects["arm_full"].shape
    columns = [_levels(layout, "relation"), tuple(_levels(layout, LIGHT)[i] for i in lights)]
    columns.append(tuple(_levels(layout, SHADOW)[i] for i in shadows))
    pooled = [f in layout.factors for f in FACTORS]
    levels = [(*names, ALL) if all_too else names for names, all_too in zip(columns, pooled, strict=True)]
    shown = np.where(beside, object_scenes(_where(layout.rendered), layout), np.nan)[:, :, lights][:, :, :, shadows]
    n = np.isfinite(_pooled(shown[blocks], pooled))
    parts = []
    for name, values in effects.items():
        whole = np.broadcast_to(values, shape)[:, :, lights][blocks]
        parts.append(_rows(measure, name, _pooled(whole, pooled), levels, n, layout, layout.object_of[blocks]))
    return pd.concat(parts, ignore_index=True)


def _effects(found: Arms, shadows: Sequence[int]) -> dict[str, Floats]:
    """Arms and effects on the shadow levels at which the object casts one."""
    full, ghost = found.full[:, :, :, shadows], found.ghost[:, :, :, shadows]
    alone, empty = found.alone, found.empty
    return {
        "arm_full": full,
        "arm_object": alone,
        "arm_ghost": ghost,
        "arm_empty": empty,
        "object": alone - empty,
        "shadow": ghost - empty,
        "interaction": full - alone - ghost + empty,
        "removal_object": full - ghost,
        "removal_shadow": full - alone,
        "removal_both": full - empty,
    }


def _light_rows(measure: Measure, grid: Grid, layout: Layout) -> pd.DataFrame:
    """The empty floor under each light, less the empty floor under the control light, over all blocks."""
    control, lights = layout.controls.get(LIGHT), _levels(layout, LIGHT)
    if control not in lights or len(lights) < 2:
        return INTERVENTIONS.empty()
    held = lights.index(control)
    empty = arms(grid.values, layout).empty
    over = tuple(i for i in range(1, empty.ndim) if i != 2)
    effect = defined_mean(empty - empty[:, :, [held]], over)
    is_planned, is_shown = (
        np.isfinite(defined_mean(_ordered(_where(there), layout, EMPTY), over))
        for there in (layout.planned, layout.rendered)
    )
    others = [i for i in np.flatnonzero(is_planned.any(axis=0)) if i != held]
    if not others:
        return INTERVENTIONS.empty()
    sides = [(ALL,) if f in layout.factors else (ABSENT,) for f in FACTORS]
    levels = [sides[0], tuple(lights[i] for i in others), sides[2]]
    return _rows(measure, "light", effect[:, others].T, levels, is_shown[:, others].T, layout, layout.object_of)


def _pooled(values: Floats, all_too: Sequence[bool]) -> Floats:
    """(B, r, l, s, others) to (rows, B): the block's mean over further factors; `all` comes after a factor's levels."""
    is_defined = np.isfinite(values)
    count = is_defined.sum(axis=4).astype(np.float64)
    total = np.where(is_defined, values, 0.0).sum(axis=4)
    for axis in (axis for axis, wanted in zip((1, 2, 3), all_too, strict=True) if wanted):
        count = np.concatenate([count, count.sum(axis=axis, keepdims=True)], axis=axis)
        total = np.concatenate([total, total.sum(axis=axis, keepdims=True)], axis=axis)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return np.asarray(mean.reshape(len(mean), int(np.prod(mean.shape[1:]))).T)


def _rows(
    measure: Measure,
    name: str,
    values: Floats,
    levels: Sequence[tuple[str, ...]],
    shown: Bools,
    layout: Layout,
    object_of: Ints,
) -> pd.DataFrame:
    """Rows of one effect, values and shown (K, B), in blocks of `object_of` (B,): per object and over all."""
    parts = []
    relation, light, shadow = zip(*itertools.product(*levels), strict=True)
    for thing in (*layout.objects, ALL):
        of = slice(None) if thing == ALL else object_of == layout.objects.index(thing)
        found = over_objects(values[:, of], object_of[of], _reach(measure, name), not name.startswith("arm_"))
        parts.append(
            pd.DataFrame(
                {
                    "model": measure.model,
                    "response": measure.metric,
                    "effect": name,
                    "relation": relation,
                    "light": light,
                    "cast_shadow": shadow,
                    "object": thing if layout.objects else ABSENT,
                    "mean": found.mean,
                    "ci_low": found.low,
                    "ci_high": found.high,
                    "n": shown[:, of].sum(axis=1),
                    "usable_n": found.usable,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _reach(measure: Measure, name: str) -> tuple[float, float]:
    """What an arm of the response, the difference of two or of two differences can reach."""
    low, high = bounds(measure.metric)
    if name.startswith("arm_"):
        return low, high
    width = 2 * (high - low) if name == "interaction" else high - low
    return -width, width
