"""Paired contrasts: a level, or a pair of levels, against control inside each block.

d_s(C) = mean over the cells u of the other factors of [Y(s, C, u) - Y(s, C's factors at control, u)], over the u where
both are defined. Beside it the simple effect, all other factors at control, and for pairs (a, b) the excess: what both
levels do together over the sum of what each does alone, the other at its control 0,
Y(a, b) - Y(a, 0) - Y(0, b) + Y(0, 0), again as the mean over u. The sum of the two *marginal* effects would not do:
they hold the interaction already, and with two levels per factor that difference is 0 whatever the network does.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from audit.analysis.layout import PRESENCE, Bools, Floats, Layout, at, per_block

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

    def control(self, layout: Layout) -> str:
        return " & ".join(f"{factor}={layout.controls.get(factor, GRAND_MEAN)}" for factor, _ in self.levels)

    def parents(self) -> tuple[Contrast, ...]:
        return tuple(Contrast((level,)) for level in self.levels) if self.order > 1 else ()


@dataclass(frozen=True)
class Paired:
    """A contrast per block, arrays (B,): differences level - control, the two means they are made of, simple effect,
    excess (NaN for single levels). rendered: whether the block has a picture on both sides.

    Differences keep the metric's own sign.
    """

    difference: Floats
    level: Floats
    control: Floats
    simple: Floats
    excess: Floats
    rendered: Bools


def contrasts(layout: Layout) -> list[Contrast]:
    """Single levels, then pairs of levels of two factors; presence is left to the interventions."""
    singles: list[list[tuple[str, str]]] = []
    for factor in sorted(f for f in layout.factors if f != PRESENCE):
        control, levels = layout.controls.get(factor), layout.levels[factor]
        is_contrastable = len(levels) > 1 and (control is None or control in levels)
        singles.append([(factor, level) for level in sorted(levels) if level != control] if is_contrastable else [])
    alone = [Contrast((level,)) for group in singles for level in group]
    pairs = [Contrast(both) for a, b in itertools.combinations(singles, 2) for both in itertools.product(a, b)]
    return alone + pairs


def paired(values: Floats, layout: Layout, contrast: Contrast) -> Paired:
    """The contrast of a measure (B, L1, L2, ...) inside each block, on the scenes that show the object."""
    shown = layout.of_objects(values)
    level, control = _sides(shown, layout, contrast)
    kept = _enough(np.isfinite(level) & np.isfinite(control))
    return Paired(
        difference=per_block(np.where(kept, level - control, np.nan)),
        level=per_block(np.where(kept, level, np.nan)),
        control=per_block(np.where(kept, control, np.nan)),
        simple=_simple(shown, layout, contrast),
        excess=_excess(shown, layout, contrast),
        rendered=_rendered(layout, contrast),
    )


def _enough(is_defined: Bools) -> Bools:
    """The defined cells of the blocks that have at least half as many as the block with most."""
    cells = is_defined.reshape(len(is_defined), -1).sum(axis=1)
    is_enough: Bools = cells >= _LEAST_CELLS * (cells.max() if len(cells) else 0)
    return np.asarray(is_defined & is_enough.reshape((-1,) + (1,) * (is_defined.ndim - 1)))


def _sides(values: Floats, layout: Layout, contrast: Contrast) -> tuple[Floats, Floats]:
    level = control = values
    for factor, name in contrast.levels:
        level, control = at(layout, level, factor, name), layout.reference(control, factor)
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
    with_a, without_a = at(layout, values, first, a), layout.reference(values, first)
    excess = at(layout, with_a, second, b) - layout.reference(with_a, second)
    excess = excess - at(layout, without_a, second, b) + layout.reference(without_a, second)
    return per_block(np.where(_enough(np.isfinite(excess)), excess, np.nan))


def _rendered(layout: Layout, contrast: Contrast) -> Bools:
    shown = layout.of_objects(np.where(layout.rendered, 0.0, np.nan))
    level, control = _sides(shown, layout, contrast)
    return np.isfinite(per_block(level - control))
