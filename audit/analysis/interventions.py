"""Interventions: what the object, its shadow and the light cause, from the four arms of a scene.

full: object and shadow; object: the object without its shadow (cast_shadow none); ghost: the shadow alone; empty:
neither. All of one scene seed under one light, so effects are differences of forward passes. Ghost and empty are
stored at the control level of what they do not depend on (colour relation; for empty also the shadow) and joined to
all its levels.

Blocks: those drawn with an obstacle. Alarms count within the horizon, so for them only stratum `near`; the target
reaches further, so for it `near` and `far`. The light's effect on the empty floor is over all blocks. The target of
ghost and empty scenes is the target of the object scene: the same cells, chosen by the obstacle that was taken away.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audit.analysis.conditions import UNBOUNDED
from audit.analysis.intervals import mean_intervals
from audit.analysis.layout import OBJECT, PRESENCE, Bools, Floats, Layout, at, defined_mean
from audit.analysis.measurement import Grid, Measure
from audit.tables import INTERVENTIONS

RESPONSES = ("scene_alarm", "sensor_alarm", "target_logit")
TARGET = "target_logit"
FACTORS = ("relation", "light", "cast_shadow")
LIGHT, SHADOW = "light", "cast_shadow"
NO_SHADOW = "none"  # the level of cast_shadow at which the object casts none
GHOST, EMPTY = "ghost", "empty"
ALL = "all"
_REACH = {"arm": (0.0, 1.0), "effect": (-1.0, 1.0), "interaction": (-2.0, 2.0)}  # of alarms


@dataclass(frozen=True)
class Arms:
    """One response in the four arms, arrays (B, relation, light, cast_shadow, others...) that broadcast together.

    full has every shadow level of the design, `none` included; alone, ghost and empty hold length 1 on the axes they do
    not depend on (ghost lacks only relation, so it also holds every shadow level).
    """

    full: Floats
    alone: Floats
    ghost: Floats
    empty: Floats


def interventions_table(grids: Mapping[Measure, Grid], layout: Layout) -> pd.DataFrame:
    """INTERVENTIONS of every model; empty where the design lacks one of its factors or has no arms."""
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
    """Whether the design has the factors of the interventions, and at least one arm beside the object's."""
    if not set(FACTORS) <= set(layout.factors) or PRESENCE not in layout.factors:
        return False
    return bool({GHOST, EMPTY} & set(layout.levels[PRESENCE])) and OBJECT in layout.levels[PRESENCE]


def arms(values: Floats, layout: Layout) -> Arms:
    """The arms of a response (B, L1, L2, ...); an arm or level that is missing is NaN."""
    full = _ordered(at(layout, values, PRESENCE, OBJECT), layout)
    ghost = _ordered(at(layout, values, PRESENCE, GHOST), layout)
    empty = _ordered(at(layout, values, PRESENCE, EMPTY), layout)
    shadows = layout.levels[SHADOW]
    alone = np.full_like(full[:, :, :, :1], np.nan)
    if NO_SHADOW in shadows:
        alone = full[:, :, :, [shadows.index(NO_SHADOW)]]
    return Arms(full, alone, defined_mean(ghost, (1,), keepdims=True), defined_mean(empty, (1, 3), keepdims=True))


def removal_effects(values: Floats, layout: Layout) -> dict[str, Floats]:
    """Region -> what its removal takes from the response in each object scene, (B, relation, light, cast_shadow, ...).

    object: full - ghost; where nothing casts a shadow, what is left is the empty floor. cast_shadow: full - object
    alone, NaN where there is no shadow to remove.
    """
    found = arms(values, layout)
    is_shadowless = np.array([level == NO_SHADOW for level in layout.levels[SHADOW]])
    is_shadowless = is_shadowless.reshape((1, 1, 1, -1) + (1,) * (found.full.ndim - 4))
    without_object = np.where(is_shadowless, found.empty, found.ghost)
    return {
        "object": found.full - without_object,
        "cast_shadow": np.where(is_shadowless, np.nan, found.full - found.alone),
    }


def object_scenes(values: Floats, layout: Layout) -> Floats:
    """A measure on the object scenes, axes as in `removal_effects`."""
    return _ordered(at(layout, values, PRESENCE, OBJECT), layout)


def has_obstacle(layout: Layout, response: str) -> Bools:
    """(B,): blocks whose obstacle the response can see; near for alarms, near and far for the target."""
    reached = ("near", "far") if response == TARGET else ("near",)
    return np.isin(layout.strata.astype(str), reached)


def _ordered(grid: Floats, layout: Layout) -> Floats:
    """Presence (length 1) dropped, relation, light, cast_shadow first, then the other factors."""
    rest = [f for f in layout.factors if f not in (*FACTORS, PRESENCE)]
    axes = [0, *(layout.axis(f) for f in (*FACTORS, *rest)), layout.axis(PRESENCE)]
    ordered = np.transpose(grid, axes)
    return ordered[..., 0] if ordered.shape[-1] else np.full(ordered.shape[:-1], np.nan)


def _effect_rows(measure: Measure, grid: Grid, layout: Layout) -> pd.DataFrame:
    shadows = [i for i, level in enumerate(layout.levels[SHADOW]) if level != NO_SHADOW]
    blocks = has_obstacle(layout, measure.metric)
    found = arms(grid.values, layout)
    full, ghost = found.full[:, :, :, shadows], found.ghost[:, :, :, shadows]
    alone, empty = found.alone, found.empty
    effects = {
        "arm_full": full,
        "arm_object": alone,
        "arm_ghost": ghost,
        "arm_empty": empty,
        "object": alone - empty,
        "shadow": ghost - empty,
        "interaction": full - alone - ghost + empty,
        "removal_object": full - ghost,
        "removal_shadow": full - alone,
    }
    levels = [(*layout.levels[f], ALL) for f in ("relation", LIGHT)]
    levels.append((*(layout.levels[SHADOW][i] for i in shadows), ALL))
    shown = _ordered(np.asarray(at(layout, np.where(layout.rendered, 0.0, np.nan), PRESENCE, OBJECT)), layout)
    n = np.isfinite(_pooled(shown[:, :, :, shadows][blocks], full.shape)).sum(axis=1)
    parts = []
    for name, values in effects.items():
        whole = np.broadcast_to(values, full.shape)[blocks]
        parts.append(_rows(measure, name, _pooled(whole, full.shape), levels, n))
    return pd.concat(parts, ignore_index=True)


def _light_rows(measure: Measure, grid: Grid, layout: Layout) -> pd.DataFrame:
    """The empty floor under each light, less the empty floor under the control light, over all blocks."""
    control = layout.controls.get(LIGHT)
    lights = layout.levels[LIGHT]
    if control not in lights or len(lights) < 2:
        return INTERVENTIONS.empty()
    held = lights.index(control)
    empty = arms(grid.values, layout).empty
    effect = defined_mean(empty - empty[:, :, [held]], tuple(i for i in range(1, empty.ndim) if i != 2))
    shown = _ordered(at(layout, np.where(layout.rendered, 0.0, np.nan), PRESENCE, EMPTY), layout)
    n = np.isfinite(defined_mean(shown, tuple(i for i in range(1, shown.ndim) if i != 2))).sum(axis=0)
    others = [i for i in range(len(lights)) if i != held]
    levels = [(ALL,), tuple(lights[i] for i in others), (ALL,)]
    return _rows(measure, "light", effect[:, others].T, levels, n[others])


def _pooled(values: Floats, shape: tuple[int, ...]) -> Floats:
    """(B, r, l, s, ...) to (rows, B): the block's mean over further factors; `all` comes after a factor's levels."""
    is_defined = np.isfinite(values)
    rest = tuple(range(4, len(shape)))
    count = is_defined.sum(axis=rest).astype(np.float64)
    total = np.where(is_defined, values, 0.0).sum(axis=rest)
    for axis in (1, 2, 3):
        count = np.concatenate([count, count.sum(axis=axis, keepdims=True)], axis=axis)
        total = np.concatenate([total, total.sum(axis=axis, keepdims=True)], axis=axis)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return np.asarray(mean.reshape(len(mean), int(np.prod(mean.shape[1:]))).T)


def _rows(
    measure: Measure, name: str, values: Floats, levels: list[tuple[str, ...]], n: np.typing.NDArray[np.int64]
) -> pd.DataFrame:
    kind = "arm" if name.startswith("arm_") else name if name in _REACH else "effect"
    found = mean_intervals(
        values, UNBOUNDED if measure.metric == TARGET else _REACH[kind], is_difference=not name.startswith("arm_")
    )
    relation, light, shadow = zip(*itertools.product(*levels), strict=True)
    return pd.DataFrame(
        {
            "model": measure.model,
            "response": measure.metric,
            "effect": name,
            "relation": relation,
            "light": light,
            "cast_shadow": shadow,
            "mean": found.mean,
            "ci_low": found.low,
            "ci_high": found.high,
            "n": n,
            "usable_n": found.usable,
        }
    )
