"""Means over fixed objects: against scipy where it has the case, exact where it can be counted, simulated elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from audit.analysis.intervals import mean_intervals, unseen_share
from audit.analysis.objects import combine, mean_over_objects, over_objects
from audit.analysis.significance import binary_p, exceeds, exceeds_over_objects, sign_flip_p, step_down

FREE = (-math.inf, math.inf)
DIFFERENCE = (-1.0, 1.0)
RATE = (0.0, 1.0)


def objects(count: int, poses: int = 8) -> np.ndarray:
    return np.repeat(np.arange(count), poses)


def test_two_objects_compared_are_welchs_test():
    rng = np.random.default_rng(0)
    first, second = rng.normal(1.0, 0.3, 8), rng.normal(0.2, 1.0, 11)
    values, of = np.concatenate([first, second]), np.repeat([0, 1], [8, 11])
    theirs = stats.ttest_ind(first, second, equal_var=False, alternative="greater")
    found = combine(values, of, FREE, is_difference=True, own=0)
    assert found is not None
    assert (found.estimate, found.degrees) == pytest.approx((first.mean() - second.mean(), theirs.df))
    assert found.p_above(0.0) == pytest.approx(theirs.pvalue)
    low, high = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    interval = over_objects(values[None], of, FREE, True, [0])
    assert (interval.low[0], interval.high[0]) == pytest.approx((low, high))


def test_a_mean_over_objects_has_the_error_and_the_degrees_of_the_definition():
    rng = np.random.default_rng(1)
    groups = [rng.normal(m, s, n) for m, s, n in ((0.1, 0.1, 8), (0.5, 0.3, 7), (0.0, 0.05, 5), (0.2, 0.2, 8))]
    values, of = np.concatenate(groups), np.repeat([0, 1, 2, 3], [8, 7, 5, 8])
    parts = np.array([g.var(ddof=1) / len(g) for g in groups]) / 16
    degrees = parts.sum() ** 2 / (parts**2 / (np.array([8, 7, 5, 8]) - 1)).sum()
    mean, error = np.mean([g.mean() for g in groups]), np.sqrt(parts.sum())
    reach = stats.t.ppf(0.975, degrees) * error
    found = over_objects(values[None], of, FREE)
    assert (found.mean[0], found.low[0], found.high[0]) == pytest.approx((mean, mean - reach, mean + reach))
    assert exceeds_over_objects(values, 0.1, of, FREE).p == pytest.approx(stats.t.sf((mean - 0.1) / error, degrees))


def test_one_object_is_what_it_was_without_objects_to_the_last_bit():
    rng = np.random.default_rng(2)
    rows = np.stack([rng.normal(0.3, 0.2, 12), np.full(12, 0.4), (rng.random(12) < 0.7).astype(float)])
    one, plain = over_objects(rows, objects(1, 12), DIFFERENCE, True), mean_intervals(rows, DIFFERENCE, True)
    for field in ("mean", "low", "high", "kind", "usable"):
        assert np.array_equal(getattr(one, field), getattr(plain, field))
    for row in rows:
        assert exceeds_over_objects(row, 0.1, objects(1, 12), DIFFERENCE) == exceeds(row, 0.1)


def test_objects_weigh_alike_however_many_poses_are_usable():
    values = np.array([1.0] * 8 + [0.0] * 2 + [np.nan] * 6)
    assert mean_over_objects(values, objects(2)) == 0.5
    assert over_objects(values[None], objects(2), RATE).mean[0] == 0.5


def test_an_object_without_usable_poses_is_left_out():
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(size=16), np.full(8, np.nan)])
    with_gap = over_objects(values[None], objects(3), FREE)
    without = over_objects(values[None, :16], objects(2), FREE)
    assert (with_gap.mean[0], with_gap.low[0]) == (without.mean[0], without.low[0])


def test_an_object_with_one_usable_pose_gets_the_spread_of_the_others():
    """s^2 of the second object is (7 s1^2 + 7 s3^2) / 14, so the estimate's variance is a sum over s1^2 and s3^2."""
    rng = np.random.default_rng(4)
    first, third = rng.normal(0.0, 0.1, 8), rng.normal(1.0, 0.4, 8)
    values = np.concatenate([first, [0.7], third])
    found = combine(values, np.repeat([0, 1, 2], [8, 1, 8]), FREE)
    assert found is not None
    parts = np.array([first.var(ddof=1), third.var(ddof=1)]) * (1 / 8 + 1 / 2) / 9
    assert found.variance == pytest.approx(parts.sum())
    assert found.degrees == pytest.approx(parts.sum() ** 2 / (parts**2 / 7).sum())


def test_one_pose_of_each_object_gives_no_interval_and_no_test_of_an_unbounded_metric():
    values, of = np.array([1.0, 2.0, 3.0]), np.arange(3)
    found = over_objects(values[None], of, FREE)
    assert found.kind[0] == "none"
    assert np.isnan([found.low[0], found.high[0]]).all()
    assert exceeds_over_objects(values, 0.1, of, FREE).name == "none"


def test_objects_that_all_agree_are_as_one_rate_of_all_their_poses():
    never = over_objects(np.zeros((1, 32)), objects(4), RATE)
    plain = mean_intervals(np.zeros((1, 32)), RATE)
    assert (never.low[0], never.high[0], never.kind[0]) == pytest.approx((plain.low[0], plain.high[0], "wilson"))


def test_one_object_that_always_fails_among_others_that_never_do_keeps_an_interval():
    values = np.concatenate([np.ones(8), np.zeros(24)])
    found = over_objects(values[None], objects(4), DIFFERENCE, True)
    below = np.hypot(0.25 * unseen_share(8), 0.75 * unseen_share(24))
    assert (found.mean[0], found.low[0]) == pytest.approx((0.25, 0.25 - below))
    against_others = over_objects(values[None], objects(4), (-2.0, 2.0), True, [0])
    assert against_others.mean[0] == 1.0
    assert 0.5 < against_others.low[0] < 0.8


def test_constant_objects_beside_varying_ones_add_to_the_interval():
    rng = np.random.default_rng(5)
    varying = rng.uniform(0.2, 0.6, 8)
    alone = over_objects(np.concatenate([varying, rng.uniform(0.2, 0.6, 8)])[None], objects(2), DIFFERENCE, True)
    beside = over_objects(np.concatenate([varying, np.zeros(8)])[None], objects(2), DIFFERENCE, True)
    t_part = stats.t.ppf(0.975, 7) * varying.std(ddof=1) / np.sqrt(8) / 2
    assert beside.mean[0] - beside.low[0] == pytest.approx(np.hypot(t_part, unseen_share(8) / 2))
    assert alone.kind[0] == beside.kind[0] == "t"


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, (3, 12), elements=st.one_of(st.floats(-1, 1), st.sampled_from([math.nan, 0.0, 1.0]))),
    st.sampled_from([None, 0, 2]),
)
def test_no_interval_of_a_bounded_difference_has_width_zero_and_no_p_is_zero(values: np.ndarray, own: int | None):
    of, bounds = objects(3, 4), DIFFERENCE if own is None else (-2.0, 2.0)
    found = over_objects(values, of, bounds, True, [own] * 3)
    usable = np.isfinite(found.mean)
    assert (found.high[usable] - found.low[usable] > 0).all()
    assert ((found.low[usable] <= found.mean[usable] + 1e-9) & (found.mean[usable] <= found.high[usable] + 1e-9)).all()
    for row in values:
        test = exceeds_over_objects(row, 0.1, of, bounds, own)
        assert test.name == "none" or 0 < test.p <= 1


def test_p_and_the_bound_of_the_interval_agree_where_objects_are_constant():
    values, of = np.concatenate([np.full(8, 0.9), np.full(8, 0.6), np.zeros(16)]), objects(4)
    low = float(over_objects(values[None], of, DIFFERENCE, True).low[0])
    found = combine(values, of, DIFFERENCE, True)
    assert found is not None
    assert found.p_above(low) == pytest.approx(0.025)


def test_one_object_whose_probability_is_always_lost_is_no_certainty_about_the_mean():
    """Lost in 8 poses of 8, by .9 each: had it been lost in two of three, 8 of 8 would still come up in 4 %."""
    rng = np.random.default_rng(6)
    values = np.concatenate([rng.normal(0.9, 0.02, 8), rng.normal(0.0, 0.01, 24)])
    assert 0.01 < exceeds_over_objects(values, 0.15, objects(4), DIFFERENCE).p < 0.04


def test_objects_that_lose_unequally_are_no_less_surely_worse():
    """The plain sign flip of d - margin loses its power where objects differ; the test over objects does not."""
    rng = np.random.default_rng(7)
    values = np.concatenate([rng.normal(0.9, 0.1, 16), rng.normal(0.0, 0.05, 16)])
    assert exceeds_over_objects(values, 0.15, objects(4), DIFFERENCE).p < 1e-3
    lemon = np.concatenate([rng.normal(0.9, 0.1, 8), rng.normal(0.0, 0.05, 24)])
    assert exceeds_over_objects(lemon, 0.15, objects(4), DIFFERENCE).p < 0.05 < sign_flip_p(lemon - 0.15)


def test_an_effect_of_one_object_over_the_others_is_seen():
    rng = np.random.default_rng(8)
    values = np.concatenate([rng.normal(0.9, 0.05, 8), rng.normal(0.2, 0.05, 24)])
    found = over_objects(values[None], objects(4), (-2.0, 2.0), True, [0])
    assert found.mean[0] == pytest.approx(0.7, abs=0.05)
    assert found.low[0] > 0.5
    assert exceeds_over_objects(values, 0.0, objects(4), (-2.0, 2.0), 0).p < 1e-3
    assert exceeds_over_objects(values, 0.0, objects(4), (-2.0, 2.0), 1).p > 0.9


def _counts(chances: list[tuple[float, float]], poses: int) -> np.ndarray:
    """(N + 1, N + 1): how likely so many blocks are worse and so many better, objects with their own chances."""
    total = np.ones((1, 1))
    for worse, better in chances:
        one = np.zeros((poses + 1, poses + 1))
        for i in range(poses + 1):
            for j in range(poses + 1 - i):
                one[i, j] = stats.multinomial.pmf([i, j, poses - i - j], poses, [worse, better, 1 - worse - better])
        joint = np.zeros((total.shape[0] + poses, total.shape[1] + poses))
        for i in range(poses + 1):
            for j in range(poses + 1 - i):
                joint[i : i + total.shape[0], j : j + total.shape[1]] += one[i, j] * total
        total = joint
    return total


@pytest.mark.parametrize(
    "chances",
    [
        [(0.1, 0.0)] * 4,
        [(0.4, 0.0), *[(0.0, 0.0)] * 3],
        [(0.2, 0.0), (0.2, 0.0), (0.0, 0.0), (0.0, 0.0)],
        [(0.9, 0.0), (0.0, 0.3), (0.0, 0.2), (0.0, 0.0)],
        [(0.55, 0.45), (0.1, 0.0), (0.1, 0.0), (0.1, 0.0)],
        [(0.5, 0.4), (0.5, 0.4), (0.2, 0.1), (0.2, 0.1)],
    ],
    ids=["alike", "one carries it", "two carry it", "one worse, others better", "one at random", "noise"],
)
def test_the_exact_test_pooled_over_unlike_objects_keeps_its_level(chances: list[tuple[float, float]]):
    """Enumerated: mean over objects of P(worse) - P(better) is the margin itself, .10."""
    assert np.mean([w - b for w, b in chances]) == pytest.approx(0.10)
    mass = _counts(chances, 8)
    p = np.ones(mass.shape)
    for worse, better in np.argwhere(mass > 1e-9):
        p[worse, better] = binary_p(int(worse), int(better), 32, 0.10)
    for alpha in (0.05, 0.01, 0.002):
        assert mass[p <= alpha].sum() <= alpha * 1.02


def test_unequal_poses_do_not_let_the_pooled_count_answer_for_the_objects():
    """20 of 26 blocks are worse, but they are of one object of four: its mean is a quarter, and the test says so."""
    values = np.concatenate([np.ones(20), np.zeros(6)])
    of = np.repeat([0, 1, 2, 3], [20, 2, 2, 2])
    assert binary_p(20, 0, 26, 0.1) < 1e-4
    assert exceeds_over_objects(values, 0.1, of, DIFFERENCE).p > 0.05


def _equal(count: int) -> np.ndarray:
    return np.full(count, 0.15)


def _one(count: int) -> np.ndarray:
    """All of it on one object, or as much as one can lose."""
    mean = np.zeros(count)
    mean[0] = min(0.15 * count, 0.9)
    mean[1:] = (0.15 * count - mean[0]) / (count - 1)
    return mean


def _smooth(rng: np.random.Generator, mean: float) -> np.ndarray:
    return rng.normal(mean, 0.02 + 0.3 * mean, 8)


def _lumpy(rng: np.random.Generator, mean: float) -> np.ndarray:
    base = rng.beta(0.6, 1.4, 8) * (1 - mean)
    return (rng.binomial(3, base + mean) - rng.binomial(3, base)) / 3


def _saturated(rng: np.random.Generator, mean: float) -> np.ndarray:
    """A probability that is lost nearly whole or not at all."""
    is_lost = rng.random(8) < mean / 0.9
    return np.where(is_lost, rng.normal(0.9, 0.02, 8), rng.normal(0.0, 0.01, 8))


@pytest.mark.parametrize("draw", [_smooth, _lumpy, _saturated], ids=["smooth", "lumpy", "saturated"])
@pytest.mark.parametrize("means", [_equal, _one], ids=["all objects alike", "one object carries it"])
@pytest.mark.parametrize("count", [4, 8])
def test_a_mean_at_the_margin_is_rarely_called_beyond_it_and_mostly_covered(draw, means, count: int):
    rng, of, repeats = np.random.default_rng(count), objects(count), 150
    rows = np.stack([np.concatenate([draw(rng, m) for m in means(count)]) for _ in range(repeats)])
    p = np.array([exceeds_over_objects(row, 0.15, of, DIFFERENCE).p for row in rows])
    for alpha in (0.05, 0.005):
        assert (p <= alpha).mean() <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / repeats)
    found = over_objects(rows, of, DIFFERENCE, True)
    assert ((found.low <= 0.15) & (found.high >= 0.15)).mean() > 0.86
    assert (found.low > 0.15).mean() <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / repeats)


def _tests(count: int, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """(which object each test is on, where each test has values), tests level by level."""
    own = np.tile(np.arange(count), levels)
    return own, own[:, None] == objects(count)[None]


def test_a_lone_failure_on_one_object_is_found_among_forty_tests():
    own, there = _tests(4, 8)
    d = np.where(there, 0.0, np.nan)
    d[0, :8] = 1.0
    p = step_down(d, 0.1, objects(4), own)
    assert p[0] == pytest.approx(2.0**-8)
    assert (p[1:] == 1).all()


def test_what_was_found_is_left_out_of_what_the_next_is_compared_with():
    own, there = _tests(4, 8)
    d = np.where(there, 0.0, np.nan)
    d[0, :8], d[1, 8:16] = 0.9, 0.4
    p = step_down(d, 0.15, objects(4), own)
    assert p[:2] == pytest.approx([2.0**-8, 2.0**-8])


def test_family_wise_p_follow_the_means_and_are_never_below_the_flips_own():
    rng = np.random.default_rng(9)
    own, there = _tests(4, 8)
    d = np.where(there, rng.normal(0.1, 0.3, (32, 32)), np.nan)
    p = step_down(d, 0.1, objects(4), own)
    order = np.argsort(-np.nanmean(d, axis=1))
    assert (np.diff(p[order]) >= 0).all()
    assert all(p[i] >= sign_flip_p(d[i][there[i]] - 0.1) - 1e-12 for i in range(32))


def _rates(rng: np.random.Generator) -> np.ndarray:
    """Worse in .55, better in .45: of all that have a mean of .10 the likeliest to be worse in every pose."""
    return np.where(rng.random((32, 32)) < 0.55, 1.0, -1.0)


def _probabilities(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(0.1, 0.3, (32, 32))


@pytest.mark.parametrize("draw", [_rates, _probabilities], ids=["rates", "probabilities"])
def test_of_families_at_the_margin_few_have_a_family_wise_p_below_five_per_cent(draw):
    own, there = _tests(4, 8)
    repeats, found = 150, 0
    for repeat in range(repeats):
        values = np.where(there, draw(np.random.default_rng(repeat)), np.nan)
        found += step_down(values, 0.1, objects(4), own).min() <= 0.05
    assert found / repeats <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)
