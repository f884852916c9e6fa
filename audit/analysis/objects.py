"""Means over objects that were chosen, so fixed: objects are strata, blocks (poses) are replicated inside them.

An estimate is sum_o w_o m_o over the objects with a usable block: m_o the object's mean, w_o = 1/O for a mean over O
objects, 1 and -1/(O - 1) for one object against the others. Its spread is what poses give,
variance = sum_o w_o^2 s_o^2 / n_o, with Satterthwaite's degrees of freedom; s_o of an object with one usable block is
that of the others, pooled. With one object all of this is what audit.analysis.intervals and .significance say.

An object whose values are all equal shows no spread, which is no certainty (one that never failed in 8 poses may fail
in the ninth). On a bounded metric its half-width is Wilson's, as in audit.analysis.intervals, and half-widths are
joined by their squares: MOVER (Zou and Donner, Statistics in Medicine 27, 2008), the varying objects being one term.
Objects of equal weight with the same constant value make one term, of as many blocks as there are objects times the
fewest of any: the chance that none of them differs is largest when all are alike (Hoeffding, 1956). So a bounded
estimate never has an interval of width 0, and no t is infinite.

Nearly equal is not certain either: a probability lost in 8 poses of 8, by .88 to .92, may not be lost in the next, and
the far tail of t, where false discoveries are decided, knows nothing of that. So in p the term of the varying objects
is at least Wilson's for further blocks without any effect. It counts where one object carries the mean over all;
elsewhere the spread of the poses is the larger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, stdtrit

from audit.analysis.intervals import CONFIDENCE, SAME, Intervals, mean_intervals, not_seen
from audit.analysis.layout import Floats, Ints

_FAR = 12.0  # normal deviates: beyond it nothing is searched (p = 2e-33)


@dataclass(frozen=True)
class Unseen:
    """What blocks that were not seen may change, on objects that agree: the objects' joint weight, the number of
    blocks seen, and how far below and above their value a further block may lie."""

    weight: float
    blocks: int
    below: float
    above: float

    def reach(self, z: float) -> tuple[float, float]:
        """How far the estimate may lie below and above, at z normal deviates: Wilson's bound of 0 in `blocks`."""
        share = z * z / (self.blocks + z * z)
        down, up = (self.below, self.above) if self.weight > 0 else (self.above, self.below)
        return abs(self.weight) * share * down, abs(self.weight) * share * up


@dataclass(frozen=True)
class Combination:
    """An estimate over objects.

    variance, degrees: of the objects that vary, 0 and NaN without any; without_effect: what they may lose by blocks
    without any effect. constants: the objects that do not vary. Both empty where the metric has no bounds. is_known:
    whether there is any spread to go by.
    """

    estimate: float
    variance: float
    degrees: float
    without_effect: tuple[Unseen, ...]
    constants: tuple[Unseen, ...]
    is_known: bool

    def reach(self, z: float) -> tuple[float, float]:
        """Half-widths of the interval below and above the estimate, at z >= 0 normal deviates."""
        varying, (below, above) = self._varying(z), _squares(self.constants, z)
        return float(np.sqrt(varying + below)), float(np.sqrt(varying + above))

    def p_above(self, margin: float) -> float:
        """One-sided p of H0: estimate <= margin: the level at which the interval's bound reaches the margin, where the
        varying objects may also lose their effect."""
        distance = self.estimate - margin
        side = 0 if distance > 0 else 1

        def beyond(z: float) -> float:
            varying = max(self._varying(z), _squares(self.without_effect, z)[side])
            return float(np.sqrt(varying + _squares(self.constants, z)[side])) - abs(distance)

        tail = _level(beyond)
        return tail if distance > 0 else 1 - tail

    def _varying(self, z: float) -> float:
        return self.variance * float(stdtrit(self.degrees, ndtr(-z))) ** 2 if self.variance > 0 else 0.0


def combine(
    values: Floats,
    object_of: Ints,
    bounds: tuple[float, float],
    is_difference: bool = False,
    own: int | None = None,
) -> Combination | None:
    """The estimate from values (B,), NaN left out: the mean over objects, or of object `own` less that of the others.

    bounds: what the estimate can reach; with `own`, twice what a difference can. Objects without a value are left out;
    None where nothing is left.
    """
    groups = _groups(values, object_of)
    weights = _weights(list(groups), own)
    if weights is None:
        return None
    n = np.array([len(group) for group in groups.values()])
    mean = np.array([group.mean() for group in groups.values()])
    spread = np.array([_variance(group) for group in groups.values()])
    variance, degrees = _satterthwaite(weights, n, spread)
    same = (spread == 0) & ((n > 1) | (variance == 0))
    found = Combination(float(weights @ mean), variance, degrees, (), (), variance > 0 or bool((n > 1).all()))
    if not np.isfinite(bounds).all():
        return found
    of_block = bounds if own is None else (bounds[0] / 2, bounds[1] / 2)
    return replace(
        found,
        without_effect=_without_effect(weights[~same], n[~same], mean[~same]) if is_difference else (),
        constants=_constants(weights[same], n[same], mean[same], of_block, is_difference),
        is_known=True,
    )


def over_objects(
    values: Floats,
    object_of: Ints,
    bounds: tuple[float, float],
    is_difference: bool = False,
    own: Sequence[int | None] | None = None,
) -> Intervals:
    """`mean_intervals` of K means over objects, values (K, B). own (K,): the object that is compared with the others.

    kind: t where any object varies, wilson where none does. A row with blocks of one object is that object's mean.
    """
    plain = mean_intervals(values, bounds, is_difference)
    compared = [None] * len(values) if own is None else list(own)
    if len(np.unique(object_of)) < 2 and not any(o is not None for o in compared):
        return plain
    z = float(ndtri((1 + CONFIDENCE) / 2))
    for row, against in enumerate(compared):
        if against is None and len(np.unique(object_of[np.isfinite(values[row])])) < 2:
            continue
        found = combine(values[row], object_of, bounds, is_difference, against)
        plain.mean[row], plain.low[row], plain.high[row], plain.kind[row] = np.nan, np.nan, np.nan, "none"
        if found is None:
            continue
        plain.mean[row] = found.estimate
        if found.is_known:
            below, above = found.reach(z)
            plain.low[row] = max(found.estimate - below, bounds[0])
            plain.high[row] = min(found.estimate + above, bounds[1])
            plain.kind[row] = "t" if found.variance > 0 else "wilson" if found.constants else "identical"
    return plain


def mean_over_objects(values: Floats, object_of: Ints) -> float:
    """Mean over objects of the mean of the object's values (B,), NaN left out; NaN without any."""
    means = [float(group.mean()) for group in _groups(values, object_of).values()]
    return float(np.mean(means)) if means else float("nan")


def at_the_margin(values: Floats, object_of: Ints, margin: float, own: int | None = None) -> Floats:
    """(n,): what each usable block adds to estimate - margin, were the objects' true means those nearest to their own
    at which the estimate is the margin. Their sum is estimate - margin; under H0 each is as likely as its negative."""
    groups = _groups(values, object_of)
    weights = _weights(list(groups), own)
    if weights is None:
        return np.zeros(0)
    means = np.array([group.mean() for group in groups.values()])
    shift = (weights @ means - margin) * weights / (weights @ weights)
    parts = zip(groups.values(), means, weights, shift, strict=True)
    return np.concatenate([weight / len(group) * (group - mean + by) for group, mean, weight, by in parts])


def _groups(values: Floats, object_of: Ints) -> dict[int, Floats]:
    """Object -> its values, of the objects with any."""
    usable = np.isfinite(values)
    return {int(o): values[usable & (object_of == o)] for o in np.unique(object_of[usable])}


def _weights(objects: Sequence[int], own: int | None) -> Floats | None:
    if own is None:
        return np.full(len(objects), 1 / len(objects)) if objects else None
    if own not in objects or len(objects) < 2:
        return None
    return np.array([1.0 if o == own else -1 / (len(objects) - 1) for o in objects])


def _variance(values: Floats) -> float:
    """0 where the values are equal but for rounding, or only one."""
    if len(values) < 2 or np.ptp(values) <= SAME * max(1.0, abs(float(values.mean()))):
        return 0.0
    return float(values.var(ddof=1))


def _satterthwaite(weights: Floats, n: Ints, spread: Floats) -> tuple[float, float]:
    """The estimate's variance and its degrees of freedom, from the objects with several blocks: sum_j c_j s_j^2."""
    several = n > 1
    freedom = n[several] - 1
    alone = float((weights[~several] ** 2).sum())  # their spread is the pooled one
    part = (weights[several] ** 2 / n[several] + alone * freedom / max(int(freedom.sum()), 1)) * spread[several]
    variance = float(part.sum())
    return (variance, variance**2 / float((part**2 / freedom).sum())) if variance > 0 else (0.0, float("nan"))


def _constants(
    weights: Floats, n: Ints, mean: Floats, bounds: tuple[float, float], is_difference: bool
) -> tuple[Unseen, ...]:
    alike: dict[tuple[float, float], list[int]] = {}
    for weight, blocks, value in zip(weights, n, mean, strict=True):
        alike.setdefault((float(weight), round(float(value), 9)), []).append(int(blocks))
    found = []
    for (weight, value), counts in sorted(alike.items()):
        lowest, highest = not_seen(value, bounds, is_difference)
        found.append(Unseen(weight * len(counts), len(counts) * min(counts), value - lowest, highest - value))
    return tuple(found)


def _without_effect(weights: Floats, n: Ints, mean: Floats) -> tuple[Unseen, ...]:
    each = zip(weights, n, mean, strict=True)
    return tuple(Unseen(float(w), int(blocks), max(float(m), 0.0), max(-float(m), 0.0)) for w, blocks, m in each)


def _squares(parts: Sequence[Unseen], z: float) -> tuple[float, float]:
    reached = [part.reach(z) for part in parts]
    return sum(down**2 for down, _ in reached), sum(up**2 for _, up in reached)


def _level(excess: Callable[[float], float]) -> float:
    """The one-sided level at which an increasing function of the normal deviate reaches 0."""
    if excess(_FAR) <= 0:
        return float(ndtr(-_FAR))
    return float(ndtr(-brentq(excess, 0.0, _FAR)))
