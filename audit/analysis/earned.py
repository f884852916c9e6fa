"""Earned or not: does a method's map rank scenes as the intervention does, better than maps that know nothing?

Per region, over the object scenes with an obstacle: Spearman's rho between the region's share of the map and what the
region's removal takes from the target. The nulls get the same rho: the region's area, an edge map, a centred Gaussian,
a random map, the method on the untrained network. Gain = rho - the best null's rho. Its interval resamples blocks, and
takes the best null anew in each resample: that maximum leans upwards, so the gain's interval leans to the safe side.
Scenes in which the map has no share are left out of all of this, and they are not the easy ones: a method whose map has
none in more than half of the scenes earns nothing.
Intervals are percentile intervals, widened for few blocks as t widens z ('expanded percentile': Hesterberg, The
American Statistician 69, 2015).

Several objects were chosen, and differ from one another in size, colour and how well they are known; that a map ranks
*them* as the effect does says nothing about what it shows of a scene. So with several objects ranks are taken within
each object and correlated over all of them: the sum over objects of the products of centred ranks, over the root of the
sums of squares. Blocks are resampled within their object. The tabletop is one object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from audit.analysis.intervals import CONFIDENCE
from audit.analysis.interventions import (
    TARGET,
    has_arms,
    has_obstacle,
    has_shadowless,
    object_scenes,
    removal_effects,
)
from audit.analysis.layout import Bools, Floats, Ints, Layout
from audit.analysis.measurement import MODEL, NO_METHOD, UNTRAINED, Grid, Measure
from audit.tables import EARNED

SHARE = "mass_split"
REGIONS = ("object", "cast_shadow")
AREA = "area"
MAP_NULLS = ("edges", "gaussian", "random")
FAILS_RANDOMISATION = "fails the randomisation check"
USABLE = 0.5  # share of what is asked of a method's maps that must be defined for it to be judged
_RESAMPLES = 1000
_SEED = 20190827


@dataclass(frozen=True)
class Scenes:
    """N scenes that count, arrays (N,): the region's share of the map, the effect of its removal, the nulls' shares,
    the block and its object. missing: nulls that were not measured. asked: with those in which the map has no share."""

    share: Floats
    effect: Floats
    nulls: Mapping[str, Floats]
    block: Ints
    missing: tuple[str, ...]
    object_of: Ints | None = None  # None: all of one
    asked: int = 0


def earned_table(grids: Mapping[Measure, Grid], layout: Layout, min_blocks: int) -> pd.DataFrame:
    """EARNED: one row per model, method and region that was measured."""
    asked = [m for m in grids if m.metric == SHARE and m.source == MODEL and m.region in REGIONS]
    if not asked:
        return EARNED.empty()[list(EARNED.columns)]
    frame = pd.DataFrame([_row(measure, grids, layout, min_blocks) for measure in asked])[list(EARNED.columns)]
    return frame.sort_values(list(EARNED.key), kind="stable").reset_index(drop=True)


def of_another_target(earned: pd.DataFrame, target: str) -> pd.DataFrame:
    """EARNED of maps of another target than the truth: interventions tell of what is true, so nothing judges them."""
    return earned.assign(earned=False, reason=f"interventions judge maps of the truth, not of {target}")


def with_sanity(earned: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """EARNED, in which a method that fails the randomisation check on a model has earned nothing there.

    verdicts: SANITY_VERDICT; a method that was not checked, or could not be judged, keeps what it earned.
    """
    failing = verdicts[~verdicts["passes"].astype(bool) & verdicts["similarity"].notna()]
    fails = set(zip(failing["model"], failing["method"], strict=True))
    is_failing = np.array([pair in fails for pair in zip(earned["model"], earned["method"], strict=True)], dtype=bool)
    found = earned.copy()
    found.loc[is_failing, "earned"] = False
    found.loc[is_failing, "reason"] = FAILS_RANDOMISATION
    return found


def _row(measure: Measure, grids: Mapping[Measure, Grid], layout: Layout, min_blocks: int) -> dict[str, object]:
    target = grids.get(Measure(measure.model, TARGET))
    scenes = None if target is None or not has_arms(layout) else usable_scenes(measure, grids, target, layout)
    row: dict[str, object] = {"model": measure.model, "method": measure.method, "region": measure.region}
    row |= {name: np.nan for name, kind in EARNED.columns.items() if kind == "float"}
    row |= {"target": "", "layer": "", "reduction": "", "through_standardisation": False}  # the caller knows
    row |= {"best_null": "", "earned": False, "scenes": 0, "blocks": 0, "reason": "no interventions to judge it by"}
    if scenes is None:
        return row
    blocks = len(np.unique(scenes.block))
    row |= {"scenes": len(scenes.share), "blocks": blocks}
    if measure.region == "cast_shadow" and not has_shadowless(layout):
        return row | {"reason": "no scenes of the object without its shadow to judge it by"}
    if blocks < 2:
        return row | {"reason": "no scenes with both a map and an intervention effect"}
    return row | _compared(scenes, blocks, min_blocks, layout.unit)


def _compared(scenes: Scenes, blocks: int, min_blocks: int, unit: str) -> dict[str, object]:
    everyone, objects = np.ones((1, blocks)), _objects_of_blocks(scenes)
    names = list(scenes.nulls)
    rho, nulls = (found[..., 0] for found in correlations(scenes, everyone))
    if not np.isfinite(rho):
        return {"reason": "the map's share or the effect is the same in every scene"}
    best = int(np.nanargmax(np.where(np.isfinite(nulls), nulls, -np.inf)))
    best_rho = float(nulls[best]) if np.isfinite(nulls[best]) else 0.0  # a null that never varies ranks nothing
    drawn, drawn_nulls = correlations(scenes, _resamples(objects))
    strongest = np.where(np.isfinite(drawn_nulls), drawn_nulls, 0.0).max(axis=0)
    strata = len(np.unique(objects))
    rho_low, rho_high = expanded_percentiles(drawn, blocks, strata)
    gain_low, gain_high = expanded_percentiles(drawn - strongest, blocks, strata)
    few = "" if blocks >= min_blocks else f"{blocks} usable {unit}, {min_blocks} needed"
    reason = few or _reason(scenes, rho_low, gain_low, names[best])
    return {
        "rho": float(rho),
        "rho_low": rho_low,
        "rho_high": rho_high,
        "best_null": names[best],
        "best_null_rho": best_rho,
        "gain": float(rho) - best_rho,
        "gain_low": gain_low,
        "gain_high": gain_high,
        "earned": not reason,
        "reason": reason,
    }


def _reason(scenes: Scenes, rho_low: float, gain_low: float, best: str) -> str:
    if len(scenes.share) < USABLE * scenes.asked:
        return f"not earned: its map is undefined in {scenes.asked - len(scenes.share)} of {scenes.asked} scenes"
    if not gain_low > 0:
        return f"not earned: {best} does as well"
    if not rho_low > 0:
        return "not earned: its share does not rise with the effect"
    return f"not earned: {', '.join(scenes.missing)} not measured" if scenes.missing else ""


def usable_scenes(measure: Measure, grids: Mapping[Measure, Grid], target: Grid, layout: Layout) -> Scenes:
    """The object scenes where the map has a share and the removal an effect; (N,) arrays in the order of the layout.

    A null whose map is undefined in a scene (the untrained network may leave no positive part) knows nothing there,
    and gets the region's area.
    """
    own = grids[measure]
    effect = removal_effects(target.values, layout)[measure.region]
    share, area = object_scenes(own.values, layout), object_scenes(own.chance, layout)
    obstacle = has_obstacle(layout, TARGET).reshape((-1,) + (1,) * (effect.ndim - 1))
    asked: Bools = np.isfinite(effect) & np.isfinite(area) & obstacle
    usable: Bools = asked & np.isfinite(share)
    nulls, missing = {AREA: area[usable]}, []
    for name in (*MAP_NULLS, UNTRAINED):
        method = measure.method if name == UNTRAINED else NO_METHOD
        grid = grids.get(measure._replace(method=method, source=name))
        if grid is None:
            missing.append(name)
            continue
        values = object_scenes(grid.values, layout)[usable]
        nulls[name] = np.where(np.isfinite(values), values, area[usable])
    block = np.broadcast_to(np.arange(len(usable)).reshape(obstacle.shape), usable.shape)[usable]
    block = block.astype(np.int64)
    objects = layout.object_of[block]
    return Scenes(share[usable], effect[usable], nulls, block, tuple(missing), objects, int(asked.sum()))


def correlations(scenes: Scenes, block_weights: Floats) -> tuple[Floats, Floats]:
    """Spearman's rho of the share (R,) and of each null (nulls, R) with the effect, scenes weighted by their block,
    ranked within their object.

    block_weights: (R, blocks), how often each block was drawn. NaN where one of the two never varies.
    """
    _, block = np.unique(scenes.block, return_inverse=True)
    weights = block_weights[:, block]
    effect = _ranks_within(scenes.effect, weights, scenes.object_of)
    rho = _correlation(_ranks_within(scenes.share, weights, scenes.object_of), effect, weights)
    nulls = (_ranks_within(null, weights, scenes.object_of) for null in scenes.nulls.values())
    return rho, np.stack([_correlation(null, effect, weights) for null in nulls])


def expanded_percentiles(drawn: Floats, blocks: int, objects: int = 1) -> tuple[float, float]:
    """Percentile interval of resampled statistics (R,), widened as Student's t with blocks - objects degrees of freedom
    widens the normal."""
    drawn, freedom = drawn[np.isfinite(drawn)], blocks - objects
    if len(drawn) == 0 or freedom < 1:
        return float("nan"), float("nan")
    reach = np.sqrt(blocks / freedom) * stats.t.ppf((1 + CONFIDENCE) / 2, freedom)
    tail = float(stats.norm.cdf(-reach))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def _objects_of_blocks(scenes: Scenes) -> Ints:
    """(blocks,): the object of each block, in the order of their numbers."""
    _, first = np.unique(scenes.block, return_index=True)
    return np.zeros(len(first), dtype=np.int64) if scenes.object_of is None else scenes.object_of[first]


def _resamples(objects: Ints) -> Floats:
    """(R, blocks): how often each block is drawn, each object as often as it has blocks."""
    rng, drawn = np.random.default_rng(_SEED), np.zeros((_RESAMPLES, len(objects)))
    for o in np.unique(objects):
        own = np.flatnonzero(objects == o)
        drawn[:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), size=_RESAMPLES)
    return drawn


def _ranks_within(values: Floats, weights: Floats, object_of: Ints | None) -> Floats:
    """`_centred_ranks` within each object, (R, N)."""
    if object_of is None:
        return _centred_ranks(values, weights)
    ranks = np.zeros(weights.shape)
    for o in np.unique(object_of):
        own = object_of == o
        ranks[:, own] = _centred_ranks(values[own], weights[:, own])
    return ranks


def _centred_ranks(values: Floats, weights: Floats) -> Floats:
    """(R, N): mid-ranks of (N,) values when scene i stands `weights[r, i]` times, less their mean. Sorted only once."""
    order = np.argsort(values, kind="stable")
    _, start, tied = np.unique(values[order], return_index=True, return_inverse=True)
    mass = np.add.reduceat(weights[:, order], start, axis=1)
    middle = np.cumsum(mass, axis=1) - mass / 2 - weights.sum(axis=1, keepdims=True) / 2
    place = np.empty(len(values), dtype=np.int64)
    place[order] = tied
    return np.asarray(middle[:, place])


def _correlation(a: Floats, b: Floats, weights: Floats) -> Floats:
    both = np.einsum("rn,rn,rn->r", weights, a, b)
    size = np.einsum("rn,rn,rn->r", weights, a, a) * np.einsum("rn,rn,rn->r", weights, b, b)
    return np.asarray(np.divide(both, np.sqrt(size), out=np.full(len(both), np.nan), where=size > 1e-9))
