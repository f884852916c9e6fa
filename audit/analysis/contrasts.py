"""Paired contrasts: a level, or a pair of levels, against control inside each block.

A level that names a partner is contrasted with it instead of the control (slats with the unblocked sun).

d_s(C) = mean over the cells u of the other factors of [Y(s, C, u) - Y(s, C's factors at control, u)], over the u where
both are defined. Beside it the simple effect, all other factors at control, and for pairs (a, b) the excess: what both
levels do together over the sum of what each does alone, the other at its control 0,
Y(a, b) - Y(a, 0) - Y(0, b) + Y(0, 0), again as the mean over u. The sum of the two *marginal* effects would not do:
they hold the interaction already, and with two levels per factor that difference is 0 whatever the network does.

`object` never varies inside a block: it has no contrast of its own. A pair of an object and a level is that level's
contrast on the object's blocks; its excess is between objects: the effect on this one less the mean over the others.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from audit.analysis.layout import OBJECT_FACTOR, PRESENCE, Bools, Floats, Layout, at, per_block

GRAND_MEAN = "mean of all levels"  # the control of a factor without a natural one
_LEAST_CELLS = 0.5  # share of the cells u a block must have: what is left must still mean 'over the other factors'


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
    whether the block has a picture on both sides.

    Differences keep the metric's own sign.
    """

    difference: Floats
    level: Floats
    control: Floats
    simple: Floats
    excess: Floats
    rendered: Bools


def contrasts(layout: Layout) -> list[Contrast]:
    """Single levels, then pairs of levels of two factors, object among them; presence is left to the interventions."""
    singles = {factor: _levels(layout, factor) for factor in layout.factors if factor != PRESENCE}
    paired_with = {**singles, OBJECT_FACTOR: [(OBJECT_FACTOR, name) for name in layout.objects]}
    alone = [Contrast((level,)) for factor in sorted(singles) for level in singles[factor]]
    both = itertools.combinations(sorted(paired_with), 2)
    pairs = [Contrast(pair) for a, b in both for pair in itertools.product(paired_with[a], paired_with[b])]
    return alone + pairs


def _levels(layout: Layout, factor: str) -> list[tuple[str, str]]:
    """The levels of a factor that the design can contrast with something."""
    levels = layout.levels[factor]
    partners = {level: layout.partner(factor, level) for level in sorted(levels)}
    return [(factor, v) for v, p in partners.items() if len(levels) > 1 and v != p and (p is None or p in levels)]


def paired(values: Floats, layout: Layout, contrast: Contrast) -> Paired:
    """The contrast of a measure (B, L1, L2, ...) inside each block, on the scenes that show the object."""
    if contrast.object is not None:
        return _on_one_object(paired(values, layout, contrast.varied), layout, contrast.object)
    shown = layout.of_objects(values)
    level, control = _sides(shown, layout, contrast)
    kept = _enough(np.isfinite(level) & np.isfinite(control), layout)
    return Paired(
        difference=per_block(np.where(kept, level - control, np.nan)),
        level=per_block(np.where(kept, level, np.nan)),
        control=per_block(np.where(kept, control, np.nan)),
        simple=_simple(shown, layout, contrast),
        excess=_excess(shown, layout, contrast),
        rendered=_rendered(layout, contrast),
    )


def _on_one_object(pair: Paired, layout: Layout, name: str) -> Paired:
    own = layout.object_of == layout.objects.index(name)
    return Paired(
        difference=np.where(own, pair.difference, np.nan),
        level=np.where(own, pair.level, np.nan),
        control=np.where(own, pair.control, np.nan),
        simple=np.where(own, pair.simple, np.nan),
        excess=pair.difference,
        rendered=pair.rendered & own,
    )


def averaged_over(layout: Layout, contrast: Contrast) -> list[str]:
    """The other factors of whose levels a contrast is a mean: none in a design of one factor at a time."""
    planned = layout.of_objects(np.where(layout.planned, 0.0, np.nan))
    level, control = _sides(planned, layout, contrast.varied)
    there = np.isfinite(level - control)
    touched = {PRESENCE, *(factor for factor, _ in contrast.levels)}
    counts = {f: there.any(axis=tuple(i for i in range(there.ndim) if i != layout.axis(f))) for f in layout.factors}
    return [f for f, levels in counts.items() if f not in touched and int(levels.sum()) > 1]


def _enough(is_defined: Bools, layout: Layout) -> Bools:
    """The defined cells of the blocks that have at least half as many as the block with most, of the same object."""
    cells = is_defined.reshape(len(is_defined), -1).sum(axis=1)
    most = np.zeros(len(cells), dtype=np.int64)
    for own in np.unique(layout.object_of):
        most[layout.object_of == own] = cells[layout.object_of == own].max()
    is_enough: Bools = cells >= _LEAST_CELLS * most
    return np.asarray(is_defined & is_enough.reshape((-1,) + (1,) * (is_defined.ndim - 1)))


def _sides(values: Floats, layout: Layout, contrast: Contrast) -> tuple[Floats, Floats]:
    level = control = values
    for factor, name in contrast.levels:
        level, control = at(layout, level, factor, name), layout.reference(control, factor, name)
    return level, control


def _simple(values: Floats, layout: Layout, contrast: Contrast) -> Floats:
    touched = {factor for factor, _ in contrast.levels}
    for factor in layout.factors:
        if factor not in touched and factor != PRESENCE:
            values = layout.reference(values, factor)
    level, control = _sides(values, layout, contrast)
    return per_block(level - control)


def _excess(values: Floats, layout: Layout, contrast: Contrast) -> Floats:
    if contrast.order < 2:
        return np.full(len(values), np.nan)
    (first, a), (second, b) = contrast.levels
    with_a, without_a = at(layout, values, first, a), layout.reference(values, first, a)
    excess = at(layout, with_a, second, b) - layout.reference(with_a, second, b)
    excess = excess - at(layout, without_a, second, b) + layout.reference(without_a, second, b)
    return per_block(np.where(_enough(np.isfinite(excess), layout), excess, np.nan))


def _rendered(layout: Layout, contrast: Contrast) -> Bools:
    shown = layout.of_objects(np.where(layout.rendered, 0.0, np.nan))
    level, control = _sides(shown, layout, contrast)
    return np.isfinite(per_block(level - control))
