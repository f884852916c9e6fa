"""Where the cells of a design lie: arrays with the blocks on axis 0 and one more axis per factor.

Everything here is paired inside the block, so the analysis works on such arrays rather than on rows. A cell that was
not rendered, or has no value, is NaN; cells of one condition and one block count as one, by their mean.

The factor `object` differs between blocks and never inside one: it has no axis and no control, but divides the blocks.
A design without it (the tabletop) is one object to every rule about objects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from scenes.manifest import SCENES

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

PRESENCE = "presence"
OBJECT = "object"  # the level of presence that shows the object with its shadow
OBJECT_FACTOR = "object"  # the factor that says which object: chosen, so fixed, and one per block
ALL = "all"  # in a column of levels: the mean over them

_NUMBERED = re.compile(r"(.*?)(\d+)$", re.DOTALL)
_NO_PARTNERS: Mapping[str, Mapping[str, str]] = {}


@dataclass(frozen=True)
class Layout:
    """The axes of a design.

    columns: the factor columns of the scenes table, in its order. factors: those with an axis, all but `object`.
    levels: of each factor, its control level first. controls: factor -> control level; a factor without one is
    contrasted with the mean over its levels. partners: factor -> level -> the level it is contrasted with, where that
    is not the control. blocks: in natural order. strata (B,): what each block was drawn for. objects: the objects of
    the design in sorted order, none where it has no such factor; object_of (B,): which of them, 0 without any.
    cells: cell_id, scene_id and position of every rendered cell. planned, rendered (B, L1, L2, ...): whether the cell
    is part of the design, and whether there is a picture.
    """

    columns: tuple[str, ...]
    factors: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    controls: Mapping[str, str]
    partners: Mapping[str, Mapping[str, str]]
    blocks: tuple[str, ...]
    strata: npt.NDArray[np.object_]
    objects: tuple[str, ...]
    object_of: Ints
    cells: pd.DataFrame
    planned: Bools
    rendered: Bools

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.blocks), *(len(self.levels[f]) for f in self.factors))

    @property
    def unit(self) -> str:
        """What blocks are, in words."""
        return "object poses" if self.objects else "scene seeds"

    def axis(self, factor: str) -> int:
        return 1 + self.factors.index(factor)

    def partner(self, factor: str, level: str) -> str | None:
        """The level that a level is contrasted with; None for the mean over all levels."""
        return self.partners.get(factor, {}).get(level, self.controls.get(factor))

    def select(self, grid: npt.NDArray[np.generic], factor: str, level: str) -> npt.NDArray[np.generic]:
        """The part of `grid` at one level; the axis stays, with length 1, or 0 where the design lacks the level.

        A factor that the design lacks selects nothing away.
        """
        if factor not in self.factors:
            return grid
        found = self.levels[factor].index(level) if level in self.levels[factor] else None
        part = slice(0, 0) if found is None else slice(found, found + 1)
        return grid[(slice(None),) * self.axis(factor) + (part,)]

    def reference(self, grid: Floats, factor: str, level: str | None = None) -> Floats:
        """The part of `grid` that a level of the factor is contrasted with: its partner, else the control level, else
        the mean over all levels. Without `level`, at control."""
        held = self.controls.get(factor) if level is None else self.partner(factor, level)
        if held is not None:
            return at(self, grid, factor, held)
        return defined_mean(grid, (self.axis(factor),), keepdims=True)

    def of_objects(self, grid: Floats) -> Floats:
        """The cells that show the object: the full factorial, without the arms."""
        return at(self, grid, PRESENCE, OBJECT)

    def at_control(self, grid: Floats) -> Floats:
        """(B,): each block's value at the control condition; the mean over the levels of factors without control."""
        held = self.of_objects(grid)
        for factor in self.factors:
            if factor != PRESENCE:
                held = self.reference(held, factor)
        return per_block(held)


def at(layout: Layout, grid: Floats, factor: str, level: str) -> Floats:
    """`Layout.select` for numbers."""
    return np.asarray(layout.select(grid, factor, level), dtype=np.float64)


def lay_out(
    scenes: pd.DataFrame, controls: Mapping[str, str], partners: Mapping[str, Mapping[str, str]] = _NO_PARTNERS
) -> Layout:
    """The layout of a scenes table; every column that table does not declare is a factor.

    Raises ValueError where the scenes of one block show different objects.
    """
    columns = tuple(str(c) for c in scenes.columns if c not in SCENES.columns)
    factors = tuple(c for c in columns if c != OBJECT_FACTOR)
    held = {f: level for f, level in controls.items() if f in factors}
    if PRESENCE in factors:
        held[PRESENCE] = OBJECT
    levels = {f: _levels(scenes[f], held.get(f)) for f in factors}
    blocks = tuple(sorted({str(b) for b in scenes["block_id"]}, key=natural))
    shape = (len(blocks), *(len(levels[f]) for f in factors))
    axes: list[Ints] = [_codes(scenes["block_id"], blocks)] + [_codes(scenes[f], levels[f]) for f in factors]
    position = np.ravel_multi_index(tuple(axes), shape) if len(scenes) else np.zeros(0, dtype=np.int64)
    is_ok = (scenes["status"] == "ok").to_numpy(dtype=bool)
    rendered = np.zeros(int(np.prod(shape)), dtype=bool)
    rendered[position[is_ok]] = True
    planned = np.zeros(int(np.prod(shape)), dtype=bool)
    planned[position] = True
    objects, object_of = _objects(scenes, axes[0], len(blocks))
    strata = np.full(len(blocks), "", dtype=object)
    strata[axes[0]] = scenes["stratum"].to_numpy(dtype=object)
    cells = scenes.loc[is_ok, ["cell_id", "scene_id"]].assign(position=position[is_ok])
    return Layout(
        columns=columns,
        factors=factors,
        levels=levels,
        controls=held,
        partners=partners,
        blocks=blocks,
        strata=strata,
        objects=objects,
        object_of=object_of,
        cells=cells.reset_index(drop=True),
        planned=planned.reshape(shape),
        rendered=rendered.reshape(shape),
    )


def natural(block: str) -> tuple[str, int, str]:
    """Sort key: blocks that are numbers by their number, then the others by name, 'lemon.9' before 'lemon.10'."""
    numbered = _NUMBERED.match(block)
    name, number = (numbered[1], int(numbered[2])) if numbered else (block, -1)
    return (name, number, block)


def per_block(grid: Floats) -> Floats:
    """(B, ...) to (B,): each block's mean over its defined cells, NaN without any."""
    return defined_mean(grid, tuple(range(1, grid.ndim)))


def defined_mean(grid: Floats, axes: tuple[int, ...], keepdims: bool = False) -> Floats:
    """Mean over the numbers along `axes`; NaN, without a warning, where there is none."""
    is_defined = np.isfinite(grid)
    count = is_defined.sum(axis=axes, keepdims=keepdims)
    total = np.where(is_defined, grid, 0.0).sum(axis=axes, keepdims=keepdims)
    return np.asarray(np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0))


def _objects(scenes: pd.DataFrame, block: Ints, blocks: int) -> tuple[tuple[str, ...], Ints]:
    if OBJECT_FACTOR not in scenes.columns:
        return (), np.zeros(blocks, dtype=np.int64)
    objects = _levels(scenes[OBJECT_FACTOR], None)
    code = _codes(scenes[OBJECT_FACTOR], objects)
    object_of = np.zeros(blocks, dtype=np.int64)
    object_of[block] = code
    if not np.array_equal(object_of[block], code):
        raise ValueError(f"{OBJECT_FACTOR} differs between scenes of one block: a block is one object in one pose")
    return objects, object_of


def _levels(column: pd.Series[str], control: str | None) -> tuple[str, ...]:
    found = sorted({str(v) for v in column})
    return tuple(sorted(found, key=lambda level: (level != control, level)))


def _codes(column: pd.Series[str], values: tuple[str, ...]) -> Ints:
    code = {value: i for i, value in enumerate(values)}
    return np.array([code[str(v)] for v in column], dtype=np.int64)
