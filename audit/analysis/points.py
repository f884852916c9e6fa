"""Sampled points as a second unit: what a contrast owes to the points that happen to lie in its bins.

All blocks are shown the same points, so whatever the points of one bin have in common beside it (they are nearer, too,
or darker) is found in every block alike, and the spread over blocks does not know of it. The points' part of a
contrast's variance is estimated twice, from the means of the points over blocks:
- sum over sides of s^2 / n, s^2 the variance of the side's own n points. It may be small by chance; below four points
  nothing is judged.
- s^2 sum_p c_p^2, c_p what point p counts in the contrast, s^2 the variance around the means of cells, pooled over all
  cells of the contrast's own factors. It is wrong where cells vary unequally, as where a curve is steep.
The wider interval counts, and the larger p.

Intervals join points and blocks by the squares of half-widths. In a test both variances are added, with Satterthwaite's
degrees of freedom, and the larger p counts, of this t or of the test over blocks. What varies with blocks and points at
once is in both variances, which errs to the safe side, as does that the points of Sobol's sequence are spread more
evenly than at random.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from audit.analysis.intervals import CONFIDENCE, Intervals
from audit.analysis.layout import Floats, Ints
from audit.analysis.objects import combine
from audit.analysis.significance import Test


@dataclass(frozen=True)
class Spread:
    """A variance by points with its degrees of freedom; infinite where points are too few to tell."""

    variance: float
    degrees: float

    @property
    def reach(self) -> float:
        """Half-width of the interval that it gives."""
        if not self.variance > 0:
            return 0.0
        known = math.isfinite(self.variance)
        return float(stats.t.ppf((1 + CONFIDENCE) / 2, self.degrees)) * math.sqrt(self.variance) if known else math.inf


LEAST_POINTS = 4  # on each side, below which their variance is no more than a guess
Spreads = tuple[Spread, ...]  # estimates of the same; none in a design whose factors are crossed
UNKNOWN = Spread(math.inf, math.nan)


def are_known(spreads: Spreads) -> bool:
    return all(math.isfinite(spread.variance) for spread in spreads)


def spreads(means: Floats, cell: Ints, sides: Sequence[Ints], signs: Sequence[float]) -> Spreads:
    """Both estimates for the sum over sides of sign times the mean over their points.

    means (P,): of the points, over blocks; those that are NaN do not count. cell (P,): the number of the cell that each
    lies in. sides: the points of each.
    """
    own = [side[np.isfinite(means[side])] for side in sides]
    weights = np.zeros(len(means))
    for side, sign in zip(own, signs, strict=True):
        weights[side] += sign / max(len(side), 1)
    return _of_sides([means[side] for side in own]), _pooled(means, cell, weights)


def _of_sides(sides: Sequence[Floats]) -> Spread:
    if min(len(side) for side in sides) < LEAST_POINTS:
        return UNKNOWN
    parts = [(float(side.var(ddof=1)) / len(side), len(side) - 1) for side in sides]
    variance = sum(part for part, _ in parts)
    squares = sum(part**2 / freedom for part, freedom in parts)
    return Spread(variance, variance**2 / squares if squares > 0 else math.inf)


def _pooled(means: Floats, cell: Ints, weights: Floats) -> Spread:
    defined = np.isfinite(means)
    _, of = np.unique(cell[defined], return_inverse=True)
    count = np.bincount(of)
    residual = means[defined] - (np.bincount(of, weights=means[defined]) / count)[of]
    degrees = len(of) - len(count)
    if degrees < 1:
        return UNKNOWN
    return Spread(float((residual**2).sum()) / degrees * float((weights**2).sum()), float(degrees))


def widened(intervals: Intervals, by_points: Sequence[Spreads], bounds: tuple[float, float]) -> Intervals:
    """Intervals of K means over blocks, with what their points add; all of the bounds where that is not known."""
    low, high = intervals.low.copy(), intervals.high.copy()
    for row, found in enumerate(by_points):
        reach, mean = max((spread.reach for spread in found), default=0.0), intervals.mean[row]
        low[row] = max(mean - math.hypot(mean - low[row], reach), bounds[0])
        high[row] = min(mean + math.hypot(high[row] - mean, reach), bounds[1])
    return replace(intervals, low=low, high=high)


def with_points(
    test: Test, differences: Floats, margin: float, object_of: Ints, own: int | None, by_points: Spreads
) -> Test:
    """A test over blocks of H0: the mean of differences (B,) over objects <= margin, unless t with both variances has
    the larger p. Not tested where what the points add is not known."""
    found = combine(differences, object_of, (-math.inf, math.inf), is_difference=True, own=own)
    if test.name == "none" or found is None or not by_points:
        return test
    if not are_known(by_points):
        return Test("none", math.nan)
    p = max(_p(found.estimate - margin, Spread(found.variance, found.degrees), spread) for spread in by_points)
    return Test("t", p) if p > test.p else test


def _p(distance: float, of_blocks: Spread, by_points: Spread) -> float:
    varying = [part for part in (of_blocks, by_points) if part.variance > 0]
    if not varying:
        return 0.0  # the test over blocks says it all
    variance = sum(part.variance for part in varying)
    degrees = variance**2 / sum(part.variance**2 / part.degrees for part in varying)
    return float(stats.t.sf(distance / math.sqrt(variance), degrees))
