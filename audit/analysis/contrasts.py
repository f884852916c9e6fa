"""Paired contrasts: a level, or a pair of levels, against control inside each block.

A level that names a partner is contrasted with it instead of the control (slats with the unblocked sun).

d_s(C) = mean over the cells u of the other factors of [Y(s, C, u) - Y(s, C's factors at control, u)], over the u where
both are defined. Beside it the simple effect, all other factors at control, and for pairs (a, b) the excess: what both
levels do together over the sum of what each does alone, the other at its control 0,
Y(a, b) - Y(a, 0) - Y(0, b) + Y(0, 0), again as the mean over u. The sum of the two *marginal* effects would not do:
they hold the interaction already, and with two levels per factor that difference is 0 whatever the network does.

In a sampled design hardly two cells have equal other factors, and contrasts are marginal: the block's mean over all
points at a level, or in a bin, less its mean over those at the reference, or over all points where there is none; the
excess is made of four such means. What other factors do is the same on both sides as far as the points are balanced;
for the rest see audit.analysis.points. There is no simple effect, unless a point has all other factors at control.

`object` never varies inside a block: it has no contrast of its own. A pair of an object and a level is that level's
contrast on the object's blocks; its excess is between objects: the effect on this one less the mean over the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from audit.analysis.layout import OBJECT_FACTOR, PRESENCE, Bools, Cells, Floats, Layout, defined_mean, per_block
from audit.analysis.points import Spreads, spreads

GRAND_MEAN = "mean of all levels"  # the control of a factor without a natural one
_LEAST_CELLS = 0.5  # share of the cells u, or points, a block must have: what is left must still mean 'over the others'


@dataclass(frozen=True)
class Contrast:
    """A conjunction of levels of one or two factors, factors sorted."""

    levels: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        return " & ".join(f"{factor}={level}" for factor, level in self.levels)

    @property
    def order(self) -> int:
        return len(self.levels)

    @property
    def object(self) -> str | None:
        """The object that the contrast is on; None for all of them."""
        return dict(self.levels).get(OBJECT_FACTOR)

    @property
    def varied(self) -> Contrast:
        """The levels that differ inside a block: all but the object."""
        return Contrast(tuple(level for level in self.levels if level[0] != OBJECT_FACTOR))

    def control(self, layout: Layout) -> str:
        """What the levels are contrasted with; the object stays."""
        held = ((f, v if f == OBJECT_FACTOR else layout.partner(f, v) or GRAND_MEAN) for f, v in self.levels)
        return " & ".join(f"{factor}={level}" for factor, level in held)

    def parents(self) -> tuple[Contrast, ...]:
        return tuple(Contrast((level,)) for level in self.varied.levels) if self.order > 1 else ()


@dataclass(frozen=True)
class Paired:
    """A contrast per block, arrays (B,): differences level - control, the two means they are made of, simple effect,
    excess (NaN for single levels; of a pair with an object the difference in every block, of all objects). rendered:
    whether the block has a picture on both sides. by_points, excess_by_points: what sampled points add to the spread of
    difference and excess over blocks.

    Differences keep the metric's own sign.
    """

    difference: Floats
    level: Floats
    control: Floats
    simple: Floats
    excess: Floats
    rendered: Bools
    by_points: Spreads = ()
    excess_by_points: Spreads = ()


def contrasts(layout: Layout) -> list[Contrast]:
    """Single levels, then pairs of levels of two factors, object among them; presence is left to the interventions."""
    singles = {factor: _levels(layout, factor) for factor in layout.factors if factor != PRESENCE}
    paired_with = {**singles, OBJECT_FACTOR: [(OBJECT_FACTOR, name) for name in layout.objects]}
    alone = [Contrast((level,)) for factor in sorted(singles) for level in singles[factor]]
    both = itertools.combinations(sorted(paired_with), 2)
    pairs = [Contrast(pair) for a, b in both for pair in itertools.product(paired_with[a], paired_with[b])]
    return [c for c in alone + pairs if layout.where(dict(c.varied.levels)).any()]  # a design need not cross every pair


def _levels(layout: Layout, factor: str) -> list[tuple[str, str]]:
    """The levels of a factor that the design can contrast with something."""
    levels = layout.levels[factor]
    partners = {level: layout.partner(factor, level) for level in sorted(levels)}
    varied = {v: p for v, p in partners.items() if v not in (p, layout.controls.get(factor))}
    return [(factor, v) for v, p in varied.items() if len(levels) > 1 and (p is None or p in levels)]


def paired(values: Floats, layout: Layout, contrast: Contrast) -> Paired:
    """The contrast of a measure (B, C) inside each block, on the scenes that show the object."""
    if contrast.object is not None:
        return _on_one_object(values, layout, contrast)
    shown = layout.of_objects(values)
    level, control = _matched(_sides(shown, layout, contrast), layout)
    kept = _enough(np.isfinite(level) & np.isfinite(control), layout)
    return Paired(
        difference=per_block(np.where(kept, level - control, np.nan)),
        level=per_block(np.where(kept, level, np.nan)),
        control=per_block(np.where(kept, control, np.nan)),
        simple=_simple(shown, layout, contrast),
        excess=_excess(shown, layout, contrast),
        rendered=_rendered(layout, contrast),
        by_points=_by_points(_at_points(shown, layout), shown, layout, contrast, _sides),
        excess_by_points=_by_points(_at_points(shown, layout), shown, layout, contrast, _corners),
    )


def _on_one_object(values: Floats, layout: Layout, contrast: Contrast) -> Paired:
    pair, shown = paired(values, layout, contrast.varied), layout.of_objects(values)
    number = layout.objects.index(str(contrast.object))
    own = layout.object_of == number
    at_points, others = _at_points(shown, layout, [number]), [o for o in range(len(layout.objects)) if o != number]
    return Paired(
        difference=np.where(own, pair.difference, np.nan),
        level=np.where(own, pair.level, np.nan),
        control=np.where(own, pair.control, np.nan),
        simple=np.where(own, pair.simple, np.nan),
        excess=pair.difference,
        rendered=pair.rendered & own,
        by_points=_by_points(at_points, shown, layout, contrast.varied, _sides),
        excess_by_points=_by_points(
            at_points - _at_points(shown, layout, others), shown, layout, contrast.varied, _sides
        ),
    )


def averaged_over(layout: Layout, contrast: Contrast) -> list[str]:
    """The other factors of whose levels a contrast is a mean: none in a design of one factor at a time, in a sampled
    one all that vary."""
    planned = layout.of_objects(np.where(layout.planned, 0.0, np.nan))
    level, control = _sides(planned, layout, contrast.varied)
    if layout.sampled is None:
        level, control = layout.aligned([level, control])
        level = Cells(level.values - control.values, level.codes)
    codes = level.codes[np.isfinite(level.values).any(axis=0)]
    touched = {PRESENCE, *(factor for factor, _ in contrast.levels)}
    return [f for i, f in enumerate(layout.factors) if f not in touched and len(np.unique(codes[:, i])) > 1]


def _enough(is_defined: Bools, layout: Layout) -> Bools:
    """The defined cells (B, N) of the blocks that have at least half as many as the block with most, of the same
    object."""
    cells = is_defined.sum(axis=1)
    most = np.zeros(len(cells), dtype=np.int64)
    for own in np.unique(layout.object_of):
        most[layout.object_of == own] = cells[layout.object_of == own].max()
    is_enough: Bools = cells >= _LEAST_CELLS * most
    return np.asarray(is_defined & is_enough[:, None])


def _sides(cells: Cells, layout: Layout, contrast: Contrast) -> tuple[Cells, Cells]:
    level = control = cells
    for factor, name in contrast.levels:
        level, control = layout.select(level, factor, name), layout.reference(control, factor, name)
    return level, control


def _matched(sides: Sequence[Cells], layout: Layout) -> list[Floats]:
    """What is compared, (B, N) of every side: cells with equal other factors; of a sampled design, N = 1, the means
    over points, NaN in blocks that have too few of them."""
    if layout.sampled is None:
        return [side.values for side in layout.aligned(sides)]
    kept = [np.where(_enough(np.isfinite(side.values), layout), side.values, np.nan) for side in sides]
    return [per_block(values)[:, None] for values in kept]


def _simple(shown: Cells, layout: Layout, contrast: Contrast) -> Floats:
    held = layout.others_at_control(shown, [factor for factor, _ in contrast.levels])
    level, control = _matched(_sides(held, layout, contrast), layout)
    return per_block(level - control)


def _corners(cells: Cells, layout: Layout, contrast: Contrast) -> tuple[Cells, ...]:
    """Of a pair: both levels, the first alone, the second alone, neither."""
    (first, a), (second, b) = contrast.levels
    with_a, without_a = layout.select(cells, first, a), layout.reference(cells, first, a)
    return tuple(side(with_, second, b) for with_ in (with_a, without_a) for side in (layout.select, layout.reference))


def _excess(shown: Cells, layout: Layout, contrast: Contrast) -> Floats:
    if contrast.order < 2:
        return np.full(len(shown.values), np.nan)
    both, only_a, only_b, neither = _matched(_corners(shown, layout, contrast), layout)
    excess = both - only_a - only_b + neither
    return per_block(np.where(_enough(np.isfinite(excess), layout), excess, np.nan))


def _at_points(shown: Cells, layout: Layout, objects: Sequence[int] | None = None) -> Floats:
    """(N,): each condition's mean over objects, all or some, of the means over their blocks."""
    of = np.unique(layout.object_of) if objects is None else objects
    means = [defined_mean(shown.values[layout.object_of == o], (0,)) for o in of]
    return defined_mean(np.array(means).reshape(len(means), -1), (0,)) if means else shown.values[0] * np.nan


def _by_points(
    means: Floats, shown: Cells, layout: Layout, contrast: Contrast, sides: Callable[..., tuple[Cells, ...]]
) -> Spreads:
    """What the points add to the spread of the contrast that `sides` makes of their means (N,)."""
    if layout.sampled is None or not layout.sampled.is_shared or (sides is _corners and contrast.order < 2):
        return ()  # where blocks have points of their own, their spread over blocks is that of the points too
    numbers = Cells(np.arange(len(means), dtype=np.float64)[None], shown.codes)
    of_sides = [side.values[0].astype(np.int64) for side in sides(numbers, layout, contrast)]
    own = [layout.factors.index(factor) for factor, _ in contrast.levels]
    cell = np.unique(shown.codes[:, own], axis=0, return_inverse=True)[1].reshape(-1)
    return spreads(means, cell, of_sides, (1.0, -1.0, -1.0, 1.0)[: len(of_sides)])


def _rendered(layout: Layout, contrast: Contrast) -> Bools:
    """(B,): whether a block has a picture on both sides; half of the pictures, where points are averaged."""
    shown = layout.of_objects(np.where(layout.rendered, 0.0, np.nan))
    level, control = _matched(_sides(shown, layout, contrast), layout)
    return np.isfinite(per_block(level - control))
