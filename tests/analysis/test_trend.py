"""Steps in a series are told from chance: noise alone shows hardly any, and a planted one is found where it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import stats

from audit.analysis.trend import Changes, change_points, standard_errors, trends

Floats = npt.NDArray[np.float64]
ERROR = 0.02


def places(mean: Floats, error: float | Floats = ERROR) -> list[int]:
    return [s.position for s in change_points(mean, np.broadcast_to(error, mean.shape)).steps]


@pytest.mark.parametrize(("checkpoints", "series"), [(8, 600), (20, 400), (60, 100)])
def test_of_series_of_noise_alone_at_most_five_percent_show_a_step(checkpoints: int, series: int) -> None:
    """Noise as large as the intervals say. An exact bound of the rate, so that the draw of the test does not decide."""
    drawn = np.random.default_rng(20261128).normal(0.3, ERROR, (series, checkpoints))
    alarms = sum(bool(places(one)) for one in drawn)
    assert stats.binomtest(alarms, series, 0.05, alternative="greater").pvalue > 0.05
    assert alarms / series <= 0.05


def test_noise_of_unequal_errors_shows_no_more() -> None:
    rng = np.random.default_rng(3)
    errors = rng.uniform(0.005, 0.05, (300, 12))
    drawn = rng.normal(0.3, errors)
    assert np.mean([bool(places(one, error)) for one, error in zip(drawn, errors, strict=True)]) <= 0.05


@pytest.mark.parametrize(("checkpoints", "at"), [(8, 4), (12, 6), (20, 5)])
def test_a_step_of_three_standard_errors_is_found_at_its_place_in_most(checkpoints: int, at: int) -> None:
    drawn = np.random.default_rng(5).normal(0.3, ERROR, (200, checkpoints))
    drawn[:, at:] += 3 * ERROR
    found = [places(one) for one in drawn]
    assert np.mean([f == [at] for f in found]) > 0.6
    assert np.mean([len(f) == 1 and abs(f[0] - at) <= 1 for f in found]) > 0.7


def test_two_steps_are_both_found_and_their_levels_told() -> None:
    mean = np.repeat([0.5, 0.3, 0.4], 6) + np.tile([0.005, -0.005], 9)
    first, second = change_points(mean, np.full(18, 0.01)).steps
    assert (first.position, second.position) == (6, 12)
    assert (first.before, first.after, second.after) == (pytest.approx(0.5), pytest.approx(0.3), pytest.approx(0.4))
    assert first.size == pytest.approx(20)


def test_one_outlier_is_no_step() -> None:
    mean = np.full(12, 0.3)
    mean[-1] = 0.9
    assert places(mean) == []


def test_a_gate_that_jumps_with_every_checkpoint_is_unsteady_and_has_no_steps() -> None:
    """Training anew moves it by five times what the scenes explain."""
    drawn = np.random.default_rng(11).normal(0.3, 5 * ERROR, (100, 16))
    assert np.mean([bool(places(one)) for one in drawn]) <= 0.1


def test_below_eight_runs_it_says_how_many_are_needed() -> None:
    assert change_points(np.array([0.1] * 3 + [0.9] * 4), np.full(7, ERROR)) == Changes(reason="7 runs, 8 needed")


def test_runs_in_which_the_gate_is_undefined_do_not_count_and_do_not_shift_the_place() -> None:
    mean = np.array([0.5, 0.5, np.nan, 0.5, 0.5, 0.2, np.nan, 0.2, 0.2, 0.2])
    assert places(mean) == [5]
    assert change_points(mean[:9], np.full(9, ERROR)).reason == "7 runs, 8 needed"


def test_a_series_without_any_interval_has_no_steps_and_says_why() -> None:
    found = change_points(np.linspace(0, 1, 10), np.full(10, np.nan))
    assert found.steps == ()
    assert "no interval" in found.reason
    assert change_points(np.full(10, 0.2), np.full(10, np.nan)) == Changes()


def test_the_standard_error_is_that_of_the_interval_whose_wider_side_tells_where_it_was_cut() -> None:
    values = np.random.default_rng(1).normal(size=(1, 24))
    half = stats.t.ppf(0.975, 23) * stats.sem(values, axis=1)
    mean = values.mean(axis=1)
    whole = standard_errors(mean, mean - half, mean + half, np.array([24]))
    cut = standard_errors(mean, mean, mean + half, np.array([24]))
    assert whole == pytest.approx(stats.sem(values, axis=1))
    assert cut == pytest.approx(whole)
    assert np.isnan(standard_errors(mean, np.array([np.nan]), mean, np.array([1]))).all()


def series(metric: str, means: list[float], is_lower: bool = True, kind: str = "overall") -> pd.DataFrame:
    """HISTORY's columns that trends need."""
    mean = np.array(means)
    return pd.DataFrame(
        {
            "model": "m",
            "kind": kind,
            "metric": metric,
            "where": "",
            "position": range(len(means)),
            "mean": mean,
            "ci_low": mean - 2 * ERROR,
            "ci_high": mean + 2 * ERROR,
            "n": 96,
            "is_lower_better": is_lower,
            "is_failure": False,
        }
    )


def test_gates_with_a_step_come_first_then_those_that_went_farthest() -> None:
    values = pd.concat(
        [
            series("brier", [0.20, 0.21] * 4),
            series("sensor_miss", [0.4] * 4 + [0.2] * 4),
            series("sensor_false_alarm", [0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.45]),
        ]
    )
    courses, steps = trends(values)
    assert list(courses["metric"]) == ["sensor_miss", "sensor_false_alarm", "brier"]
    assert list(steps["metric"]) == ["sensor_miss"]
    assert steps.iloc[0][["position", "is_better"]].to_list() == [4, True]


def test_best_is_the_highest_where_higher_is_better() -> None:
    low, _ = trends(series("sensor_miss", [0.3, 0.1, 0.2]))
    high, _ = trends(series("iou", [0.3, 0.1, 0.2], is_lower=False))
    assert low.iloc[0][["first", "last", "best", "best_position"]].to_list() == [0.3, 0.2, 0.1, 1]
    assert high.iloc[0][["best", "best_position"]].to_list() == [0.3, 0]
    assert low.iloc[0]["note"] == "3 runs, 8 needed"


def test_a_gate_that_is_nowhere_defined_has_a_course_without_numbers() -> None:
    courses, steps = trends(series("sensor_miss", [np.nan, np.nan]))
    assert courses["runs"].to_list() == [0]
    assert courses[["first", "last", "best"]].isna().all(axis=None)
    assert len(steps) == 0
