"""Intervals of means over blocks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from audit.analysis.intervals import mean_intervals, unseen_share

RATE = (0.0, 1.0)
DIFFERENCE = (-1.0, 1.0)
FREE = (-math.inf, math.inf)


def test_few_blocks_get_the_student_t_interval_of_scipy():
    values = np.random.default_rng(1).normal(0.5, 0.1, size=(3, 12))
    found = mean_intervals(values, FREE)
    for i, row in enumerate(values):
        low, high = stats.ttest_1samp(row, 0).confidence_interval(0.95)
        assert (found.low[i], found.high[i]) == pytest.approx((low, high))
    assert list(found.kind) == ["t"] * 3


def test_blocks_without_a_value_are_left_out_and_not_counted():
    row = np.array([0.2, np.nan, 0.4, np.nan, 0.9])
    with_gaps, without = mean_intervals(row[None], RATE), mean_intervals(row[np.isfinite(row)][None], RATE)
    assert with_gaps.usable[0] == 3
    assert with_gaps.mean[0] == without.mean[0] == pytest.approx(0.5)
    assert (with_gaps.low[0], with_gaps.high[0]) == (without.low[0], without.high[0])


def test_a_rate_of_zero_or_one_gets_wilsons_interval_on_blocks():
    found = mean_intervals(np.array([np.zeros(12), np.ones(12)]), RATE)
    wilson = [stats.binomtest(k, 12).proportion_ci(method="wilson") for k in (0, 12)]
    assert list(found.kind) == ["wilson", "wilson"]
    assert found.low == pytest.approx([w.low for w in wilson], abs=1e-12)
    assert found.high == pytest.approx([w.high for w in wilson])


def test_a_difference_that_is_the_same_in_every_block_keeps_an_interval():
    always, half, never = np.ones(12), np.full(12, -0.5), np.zeros(12)
    found = mean_intervals(np.array([always, half, never]), DIFFERENCE, is_difference=True)
    share = unseen_share(12)
    assert (found.high - found.low > 0.1).all()
    assert found.low[0] == pytest.approx(1 - share)  # the unseen blocks may show no effect
    assert found.high[1] == pytest.approx(-0.5 * (1 - share))
    assert (found.low[2], found.high[2]) == pytest.approx((-share, share))


def test_only_an_unbounded_value_that_never_varies_is_identical():
    found = mean_intervals(np.full((1, 9), 3.5), FREE)
    assert (found.kind[0], found.low[0], found.high[0]) == ("identical", 3.5, 3.5)


def test_one_block_or_none_gives_no_interval():
    found = mean_intervals(np.array([[np.nan, np.nan], [2.0, np.nan]]), FREE)
    assert list(found.kind) == ["none", "none"]
    assert np.isnan(found.mean[0])
    assert found.mean[1] == 2.0
    assert np.isnan([*found.low, *found.high]).all()


def test_from_fifty_blocks_on_the_interval_is_scipys_bca():
    rows = np.random.default_rng(2).exponential(size=(2, 60))
    rows[1, :5] = np.nan
    found = mean_intervals(rows, FREE)
    assert list(found.kind) == ["bca", "bca"]
    student = stats.ttest_1samp(rows[0], 0).confidence_interval(0.95)
    assert found.low[0] == pytest.approx(student.low, abs=0.06)
    assert found.high[0] > student.high  # BCa leans with the skew


def test_bca_of_a_row_does_not_depend_on_the_rows_beside_it():
    rows = np.random.default_rng(3).normal(size=(40, 50))
    together, alone = mean_intervals(rows, FREE), mean_intervals(rows[37:38], FREE)
    assert (together.low[37], together.high[37]) == pytest.approx((alone.low[0], alone.high[0]), rel=1e-12)


def test_a_nearly_constant_row_of_many_blocks_still_has_an_interval():
    row = np.zeros(60)
    row[0] = 1.0
    found = mean_intervals(row[None], RATE)
    assert np.isfinite([found.low[0], found.high[0]]).all()


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, (4, 11), elements=st.one_of(st.floats(0, 1), st.just(math.nan), st.just(0.0))),
)
def test_an_interval_of_a_rate_holds_its_mean_within_bounds_and_is_never_a_point(values: np.ndarray):
    found = mean_intervals(values, RATE)
    usable = found.usable >= 1
    assert (found.low[usable] <= found.mean[usable] + 1e-9).all()
    assert (found.high[usable] >= found.mean[usable] - 1e-9).all()
    assert (found.low[usable] >= 0).all()
    assert (found.high[usable] <= 1).all()
    assert (found.high[usable] - found.low[usable] > 0).all()


def test_intervals_of_skewed_block_rates_cover_at_least_93_in_100():
    rng = np.random.default_rng(4)
    true, n = 0.15, 24
    values = rng.beta(0.5, 0.5 * (1 - true) / true, size=(3000, n))
    found = mean_intervals(values, RATE)
    covered = (found.low <= true) & (true <= found.high)
    assert covered.mean() > 0.92
