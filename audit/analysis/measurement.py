"""Measured values on the layout: one array per model, metric, method, region and source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from audit.analysis.layout import Bools, Floats, Layout

NO_METHOD = "-"  # of task metrics, and of maps that need no network
MODEL = "model"
UNTRAINED = "untrained"


class Measure(NamedTuple):
    """What was measured, of whom, by which method, on which region, from which map."""

    model: str
    metric: str
    method: str = NO_METHOD
    region: str = NO_METHOD
    source: str = MODEL


@dataclass(frozen=True)
class Grid:
    """One measure on the layout, arrays (B, C).

    values: NaN where undefined. chance: what a map without knowledge scores, NaN for task metrics. has_row: the cell
    has a row, defined or not.
    """

    values: Floats
    chance: Floats
    has_row: Bools


def measured(predictions: pd.DataFrame, attention: pd.DataFrame, layout: Layout) -> dict[Measure, Grid]:
    """Every measure of both tables, in sorted order. Rows of cells that were not rendered are left out."""
    task = predictions.merge(layout.cells[["cell_id", "position"]], on="cell_id")
    task = task.assign(method=NO_METHOD, region=NO_METHOD, source=MODEL, chance=np.nan)
    maps = attention.merge(layout.cells[["scene_id", "position"]], on="scene_id")
    columns = [*Measure._fields, "position", "value", "chance"]
    found: dict[Measure, Grid] = {}
    for part in (task, maps):
        found.update(_grids(part[columns], layout))
    return dict(sorted(found.items()))


def _grids(rows: pd.DataFrame, layout: Layout) -> dict[Measure, Grid]:
    if rows.empty:
        return {}
    grouped = rows.groupby(list(Measure._fields), sort=True)
    code = grouped.ngroup().to_numpy(dtype=np.int64)
    names = [Measure(*(str(part) for part in name)) for name in grouped.size().index]
    size = int(np.prod(layout.shape))
    flat = code * size + rows["position"].to_numpy(dtype=np.int64)
    whole = (len(names), *layout.shape)
    values = _cell_means(flat, rows["value"].to_numpy(dtype=np.float64), len(names) * size).reshape(whole)
    chance = _cell_means(flat, rows["chance"].to_numpy(dtype=np.float64), len(names) * size).reshape(whole)
    has_row = (np.bincount(flat, minlength=len(names) * size) > 0).reshape(whole)
    return {name: Grid(values[i], chance[i], has_row[i]) for i, name in enumerate(names)}


def _cell_means(flat: np.typing.NDArray[np.int64], values: Floats, size: int) -> Floats:
    """Mean of the defined values of each cell. Sums of doubles depend on their order, so values are sorted first."""
    is_defined = np.isfinite(values)
    flat, values = flat[is_defined], values[is_defined]
    order = np.lexsort((values, flat))
    count = np.bincount(flat, minlength=size)
    total = np.bincount(flat[order], weights=values[order], minlength=size)
    return np.divide(total, count, out=np.full(size, np.nan), where=count > 0)


def of_model(grids: Mapping[Measure, Grid], model: str) -> dict[Measure, Grid]:
    return {measure: grid for measure, grid in grids.items() if measure.model == model}
