"""The conditions table: per condition and measure the mean over blocks, its interval, and what to read it beside.

With the factor object: a row per object, the mean over its poses, and one for `all`, the mean over objects.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.analysis.layout import ALL, OBJECT, OBJECT_FACTOR, PRESENCE, Bools, Floats, Ints, Layout, defined_mean
from audit.analysis.measurement import MODEL, NO_METHOD, UNTRAINED, Grid, Measure
from audit.analysis.objects import mean_over_objects, over_objects
from audit.analysis.recipe import UNDECLARED, ModelFacts
from audit.metrics.specs import SPECS
from audit.tables import CONDITIONS

AUC = "auc"
UNBOUNDED = (float("-inf"), float("inf"))


def conditions_table(
    grids: Mapping[Measure, Grid], auc: pd.DataFrame, layout: Layout, models: Mapping[str, ModelFacts]
) -> pd.DataFrame:
    """CONDITIONS: one row per condition that was measured; sampled points in the same bins are one, by their mean. AUC,
    which no scene has alone, is taken over as it is."""
    levels = _level_columns(layout)
    rendered = np.isfinite(layout.by_levels(np.where(layout.rendered, 0.0, np.nan)))
    merged = {measure: _merged(grid, layout) for measure, grid in grids.items()}
    names = (*layout.objects, ALL)
    in_recipe = {
        model: {name: _in_recipe(levels, models.get(model, UNDECLARED), name) for name in names}
        for model in {m.model for m in grids}
    }
    parts = [
        _measure_rows(
            measure, grid, merged.get(measure._replace(source=UNTRAINED)), levels, rendered, layout, in_recipe
        )
        for measure, grid in merged.items()
        if measure.source == MODEL
    ]
    parts.append(_auc_rows(auc, layout, models))
    filled = [part for part in parts if len(part)]
    columns = [*CONDITIONS.key, *layout.columns, *(c for c in CONDITIONS.columns if c not in CONDITIONS.key)]
    if not filled:
        return CONDITIONS.empty(layout.columns)[columns]
    whole = pd.concat(filled, ignore_index=True)[columns]
    return whole.sort_values([*CONDITIONS.key, *layout.columns], kind="stable").reset_index(drop=True)


def bounds(metric: str) -> tuple[float, float]:
    """The range of a metric; unbounded where it has no spec."""
    return (SPECS[metric].low, SPECS[metric].high) if metric in SPECS else UNBOUNDED


def _merged(grid: Grid, layout: Layout) -> Grid:
    has_row = np.isfinite(layout.by_levels(np.where(grid.has_row, 0.0, np.nan)))
    return Grid(layout.by_levels(grid.values), layout.by_levels(grid.chance), has_row)


def _measure_rows(
    measure: Measure,
    grid: Grid,
    untrained: Grid | None,
    levels: dict[str, npt.NDArray[np.object_]],
    rendered: Bools,
    layout: Layout,
    in_recipe: Mapping[str, Mapping[str, Bools]],
) -> pd.DataFrame:
    parts = []
    for name in (*layout.objects, ALL):
        of = slice(None) if name == ALL else layout.object_of == layout.objects.index(name)
        own = Grid(grid.values[of], grid.chance[of], grid.has_row[of])
        beside = None if untrained is None else untrained.values[of]
        rows = _rows(measure, own, beside, levels, rendered[of], layout.object_of[of])
        listed = np.flatnonzero(own.has_row.any(axis=0))
        rows = rows.assign(in_recipe=in_recipe[measure.model][name][listed])
        parts.append(rows.assign(**{OBJECT_FACTOR: name}) if layout.objects else rows)
    return pd.concat(parts, ignore_index=True)


def _rows(
    measure: Measure,
    grid: Grid,
    untrained: Floats | None,
    levels: dict[str, npt.NDArray[np.object_]],
    rendered: Bools,
    objects: Ints,
) -> pd.DataFrame:
    """The conditions that were measured on some blocks; objects: which one each of them shows."""
    listed = grid.has_row.any(axis=0)
    found = over_objects(grid.values.T[listed], objects, bounds(measure.metric))
    beside = np.full(int(listed.sum()), np.nan) if untrained is None else _means(untrained, objects)[listed]
    return pd.DataFrame(
        {
            "model": measure.model,
            "metric": measure.metric,
            "method": measure.method,
            "region": measure.region,
            **{factor: column[listed] for factor, column in levels.items()},
            "mean": found.mean,
            "ci_low": found.low,
            "ci_high": found.high,
            "interval": found.kind,
            "n": rendered.T[listed].sum(axis=1),
            "usable_n": found.usable,
            "chance": _means(grid.chance, objects)[listed],
            "untrained": beside,
        }
    )


def _auc_rows(auc: pd.DataFrame, layout: Layout, models: Mapping[str, ModelFacts]) -> pd.DataFrame:
    rows = []
    for record in auc.to_dict("records"):
        levels = auc_levels(record, layout)
        blocks = int(_rendered_at(layout, levels).any(axis=1).sum())
        facts = models.get(str(record["model"]), UNDECLARED)
        rows.append(
            {
                "model": str(record["model"]),
                "metric": AUC,
                "method": NO_METHOD,
                "region": NO_METHOD,
                **levels,
                "mean": float(record["auc"]),
                "ci_low": np.nan,
                "ci_high": np.nan,
                "interval": "none",
                "n": blocks,
                "usable_n": blocks if np.isfinite(record["auc"]) else 0,
                "in_recipe": facts.covers(levels.items()),
                "chance": 0.5,
                "untrained": np.nan,
            }
        )
    return pd.DataFrame(rows)


def auc_levels(record: Mapping[object, object], layout: Layout) -> dict[str, str]:
    """The condition of a row of AUCs; factors it does not name are at control, the scene shows its object."""
    held = {f: layout.controls.get(f, layout.levels[f][0]) for f in layout.factors}
    if PRESENCE in held:
        held[PRESENCE] = OBJECT
    if layout.objects:
        held[OBJECT_FACTOR] = ALL
    return {f: str(record.get(f, level)) for f, level in held.items()}


def _rendered_at(layout: Layout, levels: Mapping[str, str]) -> Bools:
    """(B, N): whether each block has a picture of one condition, or of the points in it."""
    thing = levels.get(OBJECT_FACTOR, ALL)
    of = slice(None) if thing == ALL else layout.object_of == layout.objects.index(thing)
    return layout.rendered[of][:, layout.where(levels)]


def _means(grid: Floats, objects: Ints) -> Floats:
    if len(np.unique(objects)) < 2:
        return defined_mean(grid, (0,))
    return np.array([mean_over_objects(row, objects) for row in grid.T])


def _level_columns(layout: Layout) -> dict[str, npt.NDArray[np.object_]]:
    """factor -> its level in each condition of different levels."""
    codes = layout.different
    return {f: np.array(layout.levels[f], dtype=object)[codes[:, i]] for i, f in enumerate(layout.factors)}


def _in_recipe(levels: Mapping[str, npt.NDArray[np.object_]], facts: ModelFacts, name: str) -> Bools:
    """(conditions,): whether they lie inside the recipe, for one object or, `all`, leaving the object aside."""
    inside = np.ones(len(next(iter(levels.values()))) if levels else 1, dtype=bool)
    if name != ALL:
        inside &= facts.covers([(OBJECT_FACTOR, name)])
    for factor, column in levels.items():
        covered = {str(level) for level in set(column) if facts.covers([(factor, str(level))])}
        inside &= np.isin(column.astype(str), sorted(covered))
    return inside
