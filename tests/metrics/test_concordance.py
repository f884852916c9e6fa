"""ROC-AUC counted pair by pair, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from audit.metrics.concordance import newcombe
from audit.metrics.sensor_events import CELLS, auc, auc_table


def literal_auc(p: np.ndarray, y: np.ndarray, in_view: np.ndarray | None = None) -> float:
    """Every pair of a positive and a negative scene of one cell: right order 1, tie a half."""
    right, pairs = 0.0, 0
    for cell in range(p.shape[1]):
        for i in range(len(p)):
            for j in range(len(p)):
                if y[i, cell] != 1 or y[j, cell] != 0:
                    continue
                if in_view is not None and not (in_view[i, cell] and in_view[j, cell]):
                    continue
                right += 1.0 if p[i, cell] > p[j, cell] else 0.5 if p[i, cell] == p[j, cell] else 0.0
                pairs += 1
    return right / pairs if pairs else float("nan")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.sampled_from([2, 4, 1000]))
def test_it_is_the_share_of_pairs_in_the_right_order_within_cells(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.integers(0, levels, (9, 6)) / levels
    y = rng.integers(-1, 2, (9, 6)).astype(np.int8)
    seen = rng.random((9, 6)) < 0.8
    assert auc(p, y) == pytest.approx(literal_auc(p, y), nan_ok=True)
    assert auc(p, y, seen) == pytest.approx(literal_auc(p, y, seen), nan_ok=True)


def test_cells_with_another_base_rate_do_not_pass_for_discrimination() -> None:
    """Within each cell the order is random; pooled over cells, near cells are likelier and higher: .5, not .9."""
    rng = np.random.default_rng(0)
    near = rng.random((400, 2)) < [0.9, 0.1]
    p = rng.random((400, 2)) * 0.1 + [0.8, 0.1]
    assert auc(p, near.astype(np.int8)) == pytest.approx(0.5, abs=0.08)


def test_one_class_everywhere_has_no_auc() -> None:
    assert np.isnan(auc(np.ones((3, 5)), np.ones((3, 5), np.int8)))
    assert np.isnan(auc(np.zeros((0, 5)), np.zeros((0, 5), np.int8)))


def scenes(count: int, strength: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random((count, CELLS)) < 0.3).astype(np.int8)
    return 1 / (1 + np.exp(-(rng.normal(size=(count, CELLS)) + strength * y))), y


def test_the_table_has_a_row_per_distance_and_sensor_with_scipys_auc_and_its_counts() -> None:
    p, y = scenes(60, 1.0)
    y[:20] = -1
    y[:, 7] = 0
    table = auc_table(p, y, rounds=20)
    assert table.shape[0] == 155
    assert table.loc[:6, "sensor"].tolist() == [
        "left", "centre_left", "centre", "centre_right", "right", "left", "centre_left",
    ]  # fmt: skip
    assert table.loc[[0, 4, 5, 154], "distance_cm"].tolist() == [0, 0, 1, 30]
    for cell in (0, 50, 154):
        known, row = y[:, cell] >= 0, table.loc[cell]
        positive, negative = p[known & (y[:, cell] == 1), cell], p[known & (y[:, cell] == 0), cell]
        assert (row["n1"], row["n0"]) == (len(positive), len(negative))
        expected = mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative))
        assert row["auc"] == pytest.approx(expected)
        assert row["ci_low"] <= row["auc"] <= row["ci_high"]
    hollow = table.loc[7]
    assert np.isnan(hollow["auc"])
    assert hollow["undefined_reason"] == "one_class"
    assert hollow["interval"] == "none"


def test_the_share_of_scenes_in_view_stands_beside_each_cell() -> None:
    p, y = scenes(10, 1.0)
    seen = np.ones((10, CELLS), bool)
    seen[:4, 3] = False
    assert auc_table(p, y, seen, rounds=5)["in_view"].tolist()[2:5] == [1.0, 0.6, 1.0]
    assert (auc_table(p, y, rounds=5)["in_view"] == 1).all()


def test_the_table_is_the_same_every_time() -> None:
    p, y = scenes(40, 1.0)
    assert auc_table(p, y, rounds=30).equals(auc_table(p, y, rounds=30))
    assert not auc_table(p, y, rounds=30).equals(auc_table(p, y, rounds=30, seed=1))


def test_bootstrap_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    from scipy.stats import norm

    truth = norm.cdf(1.0 / np.sqrt(2))  # of two normal distributions one deviation apart
    table = auc_table(*scenes(150, 1.0, seed=3))
    covered = ((table["ci_low"] <= truth) & (truth <= table["ci_high"])).mean()
    assert set(table["interval"]) == {"bootstrap"}
    assert 0.88 <= covered <= 0.99


def test_perfect_order_still_has_an_interval_with_width() -> None:
    y = np.zeros((12, CELLS), np.int8)
    y[:4] = 1
    table = auc_table(y * 0.8 + 0.1, y)
    assert (table["auc"] == 1).all()
    assert (table["interval"] == "newcombe").all()
    assert (table["ci_high"] == 1).all()
    assert (table["ci_low"] < 0.95).all()
    low, high = newcombe(0.0, 4, 8)
    assert low == 0
    assert high == pytest.approx(1 - table.loc[0, "ci_low"])


def test_newcombes_interval_solves_its_own_equation() -> None:
    for area, n1, n0 in ((0.7, 10, 30), (0.95, 40, 12), (1.0, 5, 5)):
        for end in newcombe(area, n1, n0):
            if end in (0.0, 1.0):
                continue
            half = (n1 + n0) / 2 - 1
            variance = end * (1 - end) * (1 + half * (1 - end) / (2 - end) + half * end / (1 + end)) / (n1 * n0)
            assert abs(end - area) == pytest.approx(1.959964 * variance**0.5, rel=1e-5)
