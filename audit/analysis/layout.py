"""Where the cells of a design lie: arrays with the blocks on axis 0 and the conditions of the design on axis 1.

Everything here is paired inside the block, so the analysis works on such arrays rather than on rows. A cell that was
not rendered, or has no value, is NaN; cells of one condition and one block count as one, by their mean. Of a sampled
design every point is a condition, whose levels (bins) it may share with other points.

Conditions are those of the design, however few of all combinations they are: with one factor at a time, or sampled,
that is next to none. Beside the values of `Cells` stand the levels of their conditions, and what is compared is found
by them.

The factor `object` differs between blocks and never inside one: it has no levels here and no control, but divides the
blocks. A design without it (the tabletop) is one object to every rule about objects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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

_SETTLED = -1  # in codes: the factor was chosen or averaged over, and tells cells apart no longer
_NUMBERED = re.compile(r"(.*?)(\d+)$", re.DOTALL)
_NO_PARTNERS: Mapping[str, Mapping[str, str]] = {}


@dataclass(frozen=True)
class Sampled:
    """What there is to know of a design whose points are sampled, each a setting of all its factors.

    references: factor -> level or bin that its others are contrasted with; a factor without one is contrasted with the
    mean over all points. apart: factor -> level of the control condition, where it was added to the points: it serves
    the control gate alone. is_shared: whether all blocks are shown the same points.
    """

    references: Mapping[str, str]
    apart: Mapping[str, str] | None = None
    is_shared: bool = True


@dataclass(frozen=True)
class Cells:
    """Some conditions of a measure: values (B, N), and codes (N, F), the number of each factor's level in `levels`."""

    values: Floats
    codes: Ints


@dataclass(frozen=True)
class Layout:
    """The conditions of a design, in the order of their levels.

    columns: the factor columns of the scenes table, in its order. factors: all of them but `object`. levels: of each
    factor, its control level first. controls: factor -> control level; a factor without one is contrasted with the mean
    over its levels. partners: factor -> level -> the level it is contrasted with, where that is not the control.
    sampled: None where factors are crossed. blocks: in natural order. strata (B,): what each block was drawn for.
    objects: the objects of the design in sorted order, none where it has no such factor; object_of (B,): which of them,
    0 without any. codes (C, F): the levels of the conditions. cells: cell_id, scene_id and position of every rendered
    cell. planned, rendered (B, C): whether the cell is part of the design, and whether there is a picture.
    """

    columns: tuple[str, ...]
    factors: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    controls: Mapping[str, str]
    partners: Mapping[str, Mapping[str, str]]
    sampled: Sampled | None
    blocks: tuple[str, ...]
    strata: npt.NDArray[np.object_]
    objects: tuple[str, ...]
    object_of: Ints
    codes: Ints
    cells: pd.DataFrame
    planned: Bools
    rendered: Bools

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.blocks), len(self.codes)

    @property
    def different(self) -> Ints:
        """(G, F): the levels of the conditions, those of several once."""
        return np.unique(self.codes, axis=0)

    @property
    def unit(self) -> str:
        """What blocks are, in words."""
        return "object poses" if self.objects else "scene seeds"

    def partner(self, factor: str, level: str) -> str | None:
        """The level that a level is contrasted with; None for the mean over all levels."""
        references = self.controls if self.sampled is None else self.sampled.references
        return self.partners.get(factor, {}).get(level, references.get(factor))

    def where(self, levels: Mapping[str, str]) -> Bools:
        """(C,): the conditions with these levels. A factor that the design lacks selects nothing away."""
        found = np.ones(len(self.codes), dtype=bool)
        for factor, level in levels.items():
            if factor in self.factors:
                found &= self.codes[:, self.factors.index(factor)] == self._code(factor, level)
        return found

    def select(self, cells: Cells, factor: str, level: str) -> Cells:
        """The cells at one level, none where the design lacks the level; all where it lacks the factor."""
        if factor not in self.factors:
            return cells
        column = self.factors.index(factor)
        return _taken(cells, np.flatnonzero(cells.codes[:, column] == self._code(factor, level)), column)

    def reference(self, cells: Cells, factor: str, level: str) -> Cells:
        """The cells that a level of the factor is contrasted with: at its partner, else at control or the reference of
        a sampled design, else the mean over all levels, of a sampled design all points."""
        return self._held(cells, factor, self.partner(factor, level))

    def of_objects(self, grid: Floats) -> Cells:
        """The cells that show the object, without the arms; of a sampled design without a control condition apart."""
        apart = None if self.sampled is None else self.sampled.apart
        if apart is not None:
            grid = np.where(self.where({**apart, PRESENCE: OBJECT}), np.nan, grid)
        return self.select(Cells(grid, self.codes), PRESENCE, OBJECT)

    def others_at_control(self, cells: Cells, factors: Sequence[str]) -> Cells:
        """The cells with all factors but these at control; the mean over the levels of factors without control."""
        for factor in self.factors:
            if factor not in (PRESENCE, *factors):
                cells = self._held(cells, factor, self.controls.get(factor))
        return cells

    def at_control(self, grid: Floats) -> Floats:
        """(B,): each block's value at the control condition; the mean over the levels of factors without control."""
        shown = self.select(Cells(grid, self.codes), PRESENCE, OBJECT)
        return per_block(self.others_at_control(shown, ()).values)

    def by_levels(self, grid: Floats) -> Floats:
        """(B, C) to (B, G): conditions of equal levels as one, by their mean."""
        return _averaged(Cells(grid, self.codes)).values

    def aligned(self, sides: Sequence[Cells]) -> list[Cells]:
        """Of each side the cells whose levels are found on all sides, in one order for all: that of the levels."""
        codes, ids = np.unique(np.concatenate([side.codes for side in sides]), axis=0, return_inverse=True)
        of_side = np.split(ids.reshape(-1), np.cumsum([len(side.codes) for side in sides])[:-1])
        place, is_there = np.zeros((2, len(sides), len(codes)), dtype=np.int64)
        for i, own in enumerate(of_side):
            place[i, own], is_there[i, own] = np.arange(len(own)), 1
        common = is_there.all(axis=0)
        return [
            Cells(np.take(side.values, at[common], axis=1), codes[common])
            for side, at in zip(sides, place, strict=True)
        ]

    def _code(self, factor: str, level: str) -> int:
        levels = self.levels[factor]
        return levels.index(level) if level in levels else len(levels)

    def _held(self, cells: Cells, factor: str, level: str | None) -> Cells:
        if level is not None:
            return self.select(cells, factor, level)
        column = self.factors.index(factor)
        everything = _taken(cells, np.arange(len(cells.codes)), column)
        return everything if self.sampled is not None else _averaged(everything)


def _taken(cells: Cells, at: Ints, column: int) -> Cells:
    codes = cells.codes[at]
    codes[:, column] = _SETTLED
    return Cells(np.take(cells.values, at, axis=1), codes)


def _averaged(cells: Cells) -> Cells:
    """Cells with equal levels as one, their mean."""
    codes, group = np.unique(cells.codes, axis=0, return_inverse=True)
    order = np.argsort(group.reshape(-1), kind="stable")
    count = np.bincount(group.reshape(-1), minlength=len(codes))
    member = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    padded = np.full((len(cells.values), len(codes), int(count.max(initial=0))), np.nan)
    padded[:, group.reshape(-1)[order], member] = cells.values[:, order]
    return Cells(defined_mean(padded, (2,)), codes)


def lay_out(
    scenes: pd.DataFrame,
    controls: Mapping[str, str],
    partners: Mapping[str, Mapping[str, str]] = _NO_PARTNERS,
    sampled: Sampled | None = None,
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
    of_cells = np.zeros((len(scenes), len(factors) + 1), dtype=np.int64)
    for i, factor in enumerate(factors):
        of_cells[:, i] = _codes(scenes[factor], levels[factor])
    if sampled is not None:
        of_cells[:, -1] = _codes(scenes["values"], tuple(sorted({str(v) for v in scenes["values"]})))
    codes, condition = np.unique(of_cells, axis=0, return_inverse=True)
    block, shape = _codes(scenes["block_id"], blocks), (len(blocks), len(codes))
    position = block * len(codes) + condition.reshape(-1)
    is_ok = (scenes["status"] == "ok").to_numpy(dtype=bool)
    rendered = np.zeros(int(np.prod(shape)), dtype=bool)
    rendered[position[is_ok]] = True
    planned = np.zeros(int(np.prod(shape)), dtype=bool)
    planned[position] = True
    objects, object_of = _objects(scenes, block, len(blocks))
    strata = np.full(len(blocks), "", dtype=object)
    strata[block] = scenes["stratum"].to_numpy(dtype=object)
    cells = scenes.loc[is_ok, ["cell_id", "scene_id"]].assign(position=position[is_ok])
    return Layout(
        columns=columns,
        factors=factors,
        levels=levels,
        controls=held,
        partners=partners,
        sampled=sampled,
        blocks=blocks,
        strata=strata,
        objects=objects,
        object_of=object_of,
        codes=codes[:, :-1],
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
