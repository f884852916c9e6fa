"""Sampling: where the points of a design lie that is sampled rather than crossed.

Every factor of the design is a dimension of [0, 1): a range is spread over it, listed levels have equal shares of it.
Numbers depend on the seed, the number of dimensions and the method alone, and are the same on every machine.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

# Sobol: scrambled; more points leave the first as they are, and a power of two balances the bins. Latin hypercube: each
# dimension in as many even strata as there are points; another number of points draws all of them anew.
SAMPLED = ("latin_hypercube", "sobol")
DIGITS = 6  # significant, of a sampled number
_OFF = 0.02  # of a bin's width, by which its printed edges may be off
_TIED = 0.5  # Cramer's V from which the levels of two factors go together

Points = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Binned:
    """A range to sample, low < high, and the even bins that its numbers are told apart by."""

    low: float
    high: float
    count: int

    @property
    def edges(self) -> list[float]:
        """Of the bins, count + 1 rising numbers."""
        digits = DIGITS - math.floor(math.log10(self.high - self.low))  # else 0 may be 3e-17
        return [round(self.low + (self.high - self.low) * i / self.count, digits) for i in range(self.count + 1)]

    @property
    def names(self) -> tuple[str, ...]:
        """'low..high' of each bin, edges in three digits or as many more as a bin's width asks for."""
        for digits in range(3, DIGITS + 1):
            written = [float(f"{edge:.{digits}g}") for edge in self.edges]
            off = max(abs(a - b) for a, b in zip(written, self.edges, strict=True))
            if off <= _OFF * (self.high - self.low) / self.count:
                break
        return tuple(f"{low:.{DIGITS}g}..{high:.{DIGITS}g}" for low, high in itertools.pairwise(written))

    @property
    def is_too_narrow(self) -> bool:
        """Whether the numbers that are kept cannot tell the bins apart."""
        return any(low == high for low, _, high in (name.partition("..") for name in self.names))

    def value(self, share: float) -> float:
        """The number at a share of the range, in [low, high]."""
        found = float(f"{self.low + (self.high - self.low) * share:.{DIGITS}g}")
        return min(max(found, self.low), self.high)

    def named(self, value: float) -> str | None:
        """The bin that a number lies in, the upper one on an edge; None outside the range."""
        if not self.low <= value <= self.high:
            return None
        return self.names[min(sum(value >= edge for edge in self.edges[1:]), self.count - 1)]


@cache
def points(method: str, count: int, dimensions: int, seed: int) -> Points:
    """`count` points of [0, 1)^dimensions by a method of SAMPLED."""
    from scipy.stats import qmc  # takes a second to load, and designs that are crossed do without

    if method == "sobol":
        found = qmc.Sobol(dimensions, scramble=True, rng=seed).random_base2(math.ceil(math.log2(count)))
    else:
        found = qmc.LatinHypercube(dimensions, rng=seed).random(count)
    return tuple(tuple(float(x) for x in point) for point in found[:count])


def chosen(share: float, levels: Sequence[str]) -> str:
    """The level at a share of [0, 1), of which each has as much as the others."""
    return levels[min(int(share * len(levels)), len(levels) - 1)]


def association(first: Sequence[str], second: Sequence[str]) -> float:
    """Cramer's V of the levels that two factors have in the same points: 0 balanced, 1 one says the other."""
    both, rows, columns = Counter(zip(first, second, strict=True)), Counter(first), Counter(second)
    freedom = min(len(rows), len(columns)) - 1
    if freedom < 1:
        return 0.0
    expected = {(a, b): rows[a] * columns[b] / len(first) for a, b in itertools.product(rows, columns)}
    squares = sum((both[cell] - mean) ** 2 / mean for cell, mean in expected.items())
    return math.sqrt(squares / len(first) / freedom)


def are_tied(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether the effect of one factor would largely be seen in the other too."""
    return association(first, second) > _TIED
