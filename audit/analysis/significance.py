"""One-sided tests that a mean paired difference exceeds a margin: H0 is E[d] <= margin, over blocks.

Which test, and why:
- t, with the exact sign flip of d - margin as its check: the larger p counts. Alone, t runs to infinity as the spread
  goes to zero, and with few blocks of lumpy values its far tail, where false discoveries are decided, is too thin.
- sign_flip where all differences are equal, and wherever its p is the larger.
- exact where outcomes are binary (d in -1, 0, 1): the score test of a paired difference of proportions with a margin
  (Tango, 1998), its p maximised over the nuisance proportion (Hsueh, Liu, Chen, 2001). A sign or McNemar test
  would answer for a margin of 0 and reject too often for any other.
Over several objects H0 is about the mean over objects, and:
- t is that of audit.analysis.objects, the level at which its interval's bound reaches the margin; the sign flip turns
  what each block lies off the objects' means under H0 (objects differ, so d - margin itself is no symmetric value).
- exact counts blocks as if all objects were alike: of all ways to fail equally often in the mean that one spreads the
  counts most (Hoeffding, 1956), so it errs to the safe side. Where objects differ in usable blocks, blocks are not
  weighed as objects are, and the larger of exact and t counts.
No test of a mean is valid without assumptions: differences that lie just above the margin but for rare large ones the
other way would pass for worse. Bounded rates that fail rarely err to the safe side.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import gammaln, stdtr, xlogy

from audit.analysis.intervals import SAME
from audit.analysis.layout import Floats, Ints
from audit.analysis.objects import at_the_margin, combine

_EXACT_FLIPS = 30  # blocks up to which all 2^n sign flips are counted
_FLIPS = 19_999  # drawn above that
_JOINT_FLIPS = 14  # blocks of one object up to which all joint flips are counted
_EXACT_BINARY = 60  # blocks up to which binary outcomes are enumerated
_EXACT_BINARY_POOLED = 128  # the same over several objects
_NUISANCE = 201  # grid of the nuisance proportion
_SEED = 20190827


@dataclass(frozen=True)
class Test:
    """name: t, sign_flip, exact, none. p: one-sided, NaN for none."""

    name: str
    p: float


NO_TEST = Test("none", float("nan"))


def exceeds(differences: Floats, margin: float) -> Test:
    """Test H0: E[d] <= margin on the differences (n,) of n blocks, NaN left out; fewer than 2 give no test."""
    d = differences[np.isfinite(differences)]
    if len(d) < 2:
        return NO_TEST
    if len(d) <= _EXACT_BINARY and 0 <= margin < 1 and _is_binary(d):
        return Test("exact", binary_p(int((d > 0.5).sum()), int((d < -0.5).sum()), len(d), margin))
    flipped = sign_flip_p(d - margin)
    if np.ptp(d) <= SAME * max(1.0, float(np.abs(d).max())):
        return Test("sign_flip", flipped)
    p = float(stdtr(len(d) - 1, (margin - d.mean()) / (d.std(ddof=1) / np.sqrt(len(d)))))
    return Test("t", p) if p >= flipped else Test("sign_flip", flipped)


def exceeds_over_objects(
    differences: Floats, margin: float, object_of: Ints, bounds: tuple[float, float], own: int | None = None
) -> Test:
    """Test H0: mean over objects <= margin on differences (B,), NaN left out; bounds as in `combine`.

    With `own`, H0: that object's mean less the mean of the others <= margin. Blocks of one object alone: `exceeds`.
    """
    usable = np.isfinite(differences)
    d, objects = differences[usable], object_of[usable]
    blocks = np.unique(objects, return_counts=True)[1]
    if own is None and len(blocks) < 2:
        return exceeds(d, margin)
    found = combine(d, objects, bounds, is_difference=True, own=own)
    if found is None or not found.is_known:
        return NO_TEST
    p = found.p_above(margin)
    if own is None and len(d) <= _EXACT_BINARY_POOLED and 0 <= margin < 1 and _is_binary(d):
        pooled = binary_p(int((d > 0.5).sum()), int((d < -0.5).sum()), len(d), margin)
        return Test("exact", pooled if len(set(blocks.tolist())) == 1 else max(pooled, p))
    flipped = sign_flip_p(at_the_margin(d, objects, margin, own))
    return Test("t", p) if p >= flipped else Test("sign_flip", flipped)


def sign_flip_p(d: Floats) -> float:
    """Share of the sign flips of d (n,) whose sum is at least that of d; above 30 values, of flips drawn once, and
    where none of them comes that far at most exp(-s^2 / 2 sum d^2), s = sum d (Hoeffding, 1963).

    The 2^n sums are the sums of those of two halves, so counting them sorts 2^(n/2) numbers.
    """
    slack = 1e-9 * max(1.0, float(np.abs(d).sum()))  # ties by rounding are ties
    if len(d) > _EXACT_FLIPS:
        reached = int((_signs(len(d)) @ d >= d.sum() - slack).sum())
        drawn = (1 + reached) / (1 + _FLIPS)
        return drawn if reached else min(drawn, float(np.exp(-(d.sum() ** 2) / (2 * (d**2).sum()))))
    first, second = _all_sums(d[: len(d) // 2]), np.sort(_all_sums(d[len(d) // 2 :]))
    below = np.searchsorted(second, d.sum() - slack - first, side="left")
    return float((len(second) - below).sum()) / 2.0 ** len(d)


@functools.lru_cache(maxsize=4096)
def binary_p(worse: int, better: int, blocks: int, margin: float) -> float:
    """Exact p of H0: P(d = 1) - P(d = -1) <= margin, from how many of `blocks` are 1 and -1; 0 <= margin < 1."""
    plus, minus = np.meshgrid(np.arange(blocks + 1), np.arange(blocks + 1), indexing="ij")
    is_possible = plus + minus <= blocks
    plus, minus = plus[is_possible], minus[is_possible]
    observed = _score(np.array([worse]), np.array([better]), blocks, margin)[0]
    is_extreme = _score(plus, minus, blocks, margin) >= observed - 1e-9
    plus, minus = plus[is_extreme], minus[is_extreme]
    rest = blocks - plus - minus
    ways = gammaln(blocks + 1) - gammaln(plus + 1) - gammaln(minus + 1) - gammaln(rest + 1)
    nuisance = np.linspace(0.0, (1 - margin) / 2, _NUISANCE)[:, None]
    none = np.clip(1 - margin - 2 * nuisance, 0.0, 1.0)
    terms = ways + xlogy(plus, margin + nuisance) + xlogy(minus, nuisance) + xlogy(rest, none)
    return min(1.0, float(np.exp(terms).sum(axis=1).max()))


def step_down(differences: Floats, margin: float, object_of: Ints, own: Ints) -> Floats:
    """Family-wise p (K,) of K one-sided tests on one object each, by the largest mean: Westfall and Young, 1993.

    differences: (K, B), NaN where a block has none. own: (K,), the object that each is on; blocks of others are not
    looked at. A block's flip turns the sign of d - margin in all tests of its object. With n poses no test of one
    object has a p below 2^-n, which no false discovery rate over tens of tests survives at n = 8; the joint flips do
    not charge a test for others that could not have come as far. Step-down: what was found is left out of what the
    next is compared with.
    """
    off = np.where((object_of == own[:, None]) & np.isfinite(differences), differences - margin, np.nan)
    usable = np.isfinite(off)
    parts = np.where(usable, off, 0.0) / np.maximum(usable.sum(axis=1), 1)[:, None]
    found = parts.sum(axis=1)
    flipped = {int(o): _flips(parts[own == o][:, object_of == o]) for o in np.unique(own)}
    order = np.argsort(-found, kind="stable")
    p = np.full(len(found), np.nan)
    for step, test in enumerate(order):
        below = 1.0
        for o, means in flipped.items():
            left = np.isin(np.flatnonzero(own == o), order[step:])
            if left.any():
                below *= 1.0 - float((means[left].max(axis=0) >= found[test] - 1e-9).mean())
        p[test] = max(1.0 - below, p[order[step - 1]] if step else 0.0)
    return p


def false_discovery(p: Floats) -> Floats:
    """Benjamini-Hochberg q of the p (K,) of one family; NaN stay NaN and do not count."""
    q = np.full(len(p), np.nan)
    is_tested = np.isfinite(p)
    if is_tested.any():
        q[is_tested] = stats.false_discovery_control(p[is_tested], method="bh")
    return q


def holm(p: Floats) -> Floats:
    """Family-wise p of Holm (1979), as statsmodels' multipletests, which has garbage collected for half a second."""
    order = np.argsort(p, kind="stable")
    held = np.empty(len(p))
    held[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return held


def _score(plus: npt.NDArray[np.int64], minus: npt.NDArray[np.int64], n: int, margin: float) -> Floats:
    """Tango's score statistic; the variance under H0 is that of its restricted maximum likelihood estimate."""
    b = -plus - minus + (2 * n - plus + minus) * margin
    c = -minus * margin * (1 - margin)
    nuisance = (np.sqrt(np.maximum(b * b - 8.0 * n * c, 0.0)) - b) / (4.0 * n)
    variance = n * (2 * nuisance + margin * (1 - margin))
    excess = plus - minus - n * margin
    score = np.divide(excess, np.sqrt(np.maximum(variance, 0.0)), out=np.zeros(len(plus)), where=variance > 1e-12)
    return np.asarray(score, dtype=np.float64)


def _is_binary(d: Floats) -> bool:
    return bool((np.abs(d - np.round(d)) <= SAME).all() and (np.abs(d) <= 1 + SAME).all())


def _flips(parts: Floats) -> Floats:
    """(K, flips): sums of parts (K, n) under sign flips of its columns, every flip up to 14 columns, else drawn."""
    n = parts.shape[1]
    signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) if n <= _JOINT_FLIPS else _signs(n)
    return np.asarray(parts @ signs.T)


def _all_sums(d: Floats) -> Floats:
    sums = np.zeros(1)
    for value in d:
        sums = np.concatenate([sums + value, sums - value])
    return sums


@functools.lru_cache(maxsize=4)
def _signs(n: int) -> npt.NDArray[np.float64]:
    return 2.0 * np.random.default_rng(_SEED).integers(0, 2, size=(_FLIPS, n)) - 1.0
