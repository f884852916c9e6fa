"""Sensor events as a robot meets them, against loops over cells and on scenes written out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.metrics.sensor_events import CELLS, REASON, SENSORS, long, score, sensor_events, target_logit
from audit.metrics.specs import PROXIMITY_METRICS, SPECS


def grid(fill: float, dtype: type = np.float64) -> np.ndarray:
    """One scene as (31 distances, 5 sensors)."""
    return np.full((31, 5), fill, dtype)


def one(probability: np.ndarray, label: np.ndarray, threshold: float = 0.5, **settings: object) -> dict[str, object]:
    table = score(probability.reshape(1, -1), label.reshape(1, -1).astype(np.int8), threshold, **settings)  # type: ignore[arg-type]
    return table.iloc[0].to_dict()


def literal(p: np.ndarray, y: np.ndarray, threshold: float, horizon: int = 15) -> dict[str, float]:
    """The definitions, cell by cell. NaN where undefined."""
    occupied, missed, clear, false, alarms = [], [], [], [], []
    for s in range(5):
        cells = [(p[d * 5 + s], y[d * 5 + s]) for d in range(31) if d <= horizon]
        known = [(a, b) for a, b in cells if b != -1]
        is_occupied = any(b == 1 for _, b in known)
        is_clear = len(known) > 0 and all(b == 0 for _, b in known)
        occupied.append(is_occupied)
        clear.append(is_clear)
        missed.append(is_occupied and not any(b == 1 and a >= threshold for a, b in known))
        false.append(is_clear and any(a >= threshold for a, _ in known))
        alarms.append(any(a >= threshold for a, _ in cells))
    nan = float("nan")
    known_cells = [(a, b) for a, b in zip(p, y, strict=True) if b != -1]
    positive = [a for a, b in zip(p, y, strict=True) if b == 1]
    return {
        "sensor_miss": sum(missed) / sum(occupied) if any(occupied) else nan,
        "sensor_false_alarm": sum(false) / sum(clear) if any(clear) else nan,
        "scene_miss": float(sum(missed) == sum(occupied)) if any(occupied) else nan,
        "scene_false_alarm": float(any(false)) if any(clear) else nan,
        "brier": sum((a - b) ** 2 for a, b in known_cells) / len(known_cells) if known_cells else nan,
        "sensor_alarm": sum(alarms) / 5,
        "scene_alarm": float(any(alarms)),
        "target_logit": sum(math.log(a / (1 - a)) for a in positive) if positive else nan,
    }


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 100_000), threshold=st.sampled_from([0.2, 0.5, 0.9]), rare=st.floats(0.001, 0.5))
def test_every_metric_equals_the_definition_cell_by_cell(seed: int, threshold: float, rare: float) -> None:
    rng = np.random.default_rng(seed)
    p = np.maximum(rng.uniform(0.01, 0.99, (3, CELLS)) ** rng.uniform(0.5, 8), 1e-5)
    label = rng.choice([1, 0, -1], (3, CELLS), p=[rare / 2, 1 - rare, rare / 2]).astype(np.int8)
    label[2, rng.integers(0, 155) :] = -1
    table = score(p, label, threshold)
    for row in range(3):
        expected = literal(p[row], label[row], threshold)
        half = literal(p[row], label[row], 0.5)
        expected |= {f"{name}_at_half": half[name] for name in ("sensor_miss", "sensor_false_alarm")}
        for metric, number in expected.items():
            assert table.loc[row, metric] == pytest.approx(number, rel=1e-9, nan_ok=True), metric


def test_an_obstacle_is_detected_when_any_of_its_cells_alarms() -> None:
    """Sensor 2 has the obstacle from 8 cm on; one alarm at 12 cm is enough, one at 5 cm, before it, is not."""
    label, p = grid(0), grid(0.1)
    label[8:, 2] = 1
    assert one(p, label)["sensor_miss"] == 1
    p[12, 2] = 0.5  # the threshold itself counts
    assert one(p, label)["sensor_miss"] == 0
    p[12, 2], p[5, 2] = 0.1, 0.9
    scored = one(p, label)
    assert scored["sensor_miss"] == 1
    assert scored["sensor_false_alarm"] == 0  # the sensor is occupied, so it cannot be clear


def test_the_horizon_includes_fifteen_centimetres_and_not_sixteen() -> None:
    label, p = grid(0), grid(0.1)
    label[16:, 1] = 1
    p[16:, 1] = 0.9
    scored = one(p, label)
    assert scored["sensor_miss" + REASON] == "no_occupied_sensor"
    assert math.isnan(scored["sensor_miss"])
    assert scored["sensor_false_alarm"] == 0
    assert scored["scene_alarm"] == 0
    label[15, 1] = 1
    assert one(p, label)["sensor_miss"] == 1
    assert one(p, label, horizon=16)["sensor_miss"] == 0


def test_unknown_cells_decide_nothing_but_count_as_alarms() -> None:
    label, p = grid(0), grid(0.1)
    label[4:] = -1
    p[10] = 0.9
    scored = one(p, label)
    assert scored["sensor_false_alarm"] == 0
    assert scored["scene_false_alarm"] == 0
    assert scored["sensor_alarm"] == 1
    assert scored["scene_alarm"] == 1
    assert scored["brier"] == pytest.approx(0.01)


def test_a_sensor_without_a_known_cell_is_neither_occupied_nor_clear() -> None:
    label, p = grid(-1), grid(0.9)
    scored = one(p, label)
    assert scored["sensor_miss" + REASON] == "no_occupied_sensor"
    assert scored["sensor_false_alarm" + REASON] == "no_clear_sensor"
    assert scored["scene_miss" + REASON] == "no_occupied_sensor"
    assert scored["scene_false_alarm" + REASON] == "no_clear_sensor"
    assert scored["brier" + REASON] == "no_known_cell"
    assert scored["scene_alarm"] == 1


def test_rates_are_over_the_sensors_they_are_about() -> None:
    """Two occupied sensors, one missed; three clear, one false alarm. The scene is not missed, and alarms falsely."""
    label, p = grid(0), grid(0.0)
    label[10:, [0, 1]] = 1
    p[11, 0] = p[3, 4] = 0.8
    scored = one(p, label)
    assert scored["sensor_miss"] == 1 / 2
    assert scored["sensor_false_alarm"] == 1 / 3
    assert scored["scene_miss"] == 0
    assert scored["scene_false_alarm"] == 1
    assert scored["sensor_alarm"] == 2 / 5


def test_a_scene_is_missed_only_when_every_occupied_sensor_is() -> None:
    label, p = grid(0), grid(0.0)
    label[10:, [0, 1]] = 1
    assert one(p, label)["scene_miss"] == 1
    p[15, 1] = 1
    assert one(p, label)["scene_miss"] == 0


def test_the_operating_point_and_one_half_are_told_apart() -> None:
    label, p = grid(0), grid(0.0)
    label[10:, 0] = 1
    p[10:, 0] = p[2, 3] = 0.4
    scored = one(p, label, threshold=0.3)
    assert (scored["sensor_miss"], scored["sensor_miss_at_half"]) == (0, 1)
    assert (scored["sensor_false_alarm"], scored["sensor_false_alarm_at_half"]) == (1 / 4, 0)


def test_an_arm_is_asked_about_the_cells_of_its_full_scene() -> None:
    """On a ghost no label is 1, so the target has to come from the scene with the object."""
    p, empty = grid(0.5), grid(0)
    target = np.zeros((1, CELLS), bool)
    target[0, [40, 45]] = True
    assert one(p, empty)["target_logit" + REASON] == "no_positive"
    logits = np.zeros((1, CELLS))
    logits[0, 40], logits[0, 45], logits[0, 46] = 2.0, -0.5, 100.0
    assert one(p, empty, target=target, logits=logits)["target_logit"] == 1.5
    p[8, 0] = 0.75
    assert one(p, empty, target=target)["target_logit"] == pytest.approx(math.log(3))


def test_certain_probabilities_have_finite_targets() -> None:
    total, reason = target_logit(np.array([[0.0, 1.0, 1.0]]), np.array([[False, True, True]]))
    assert np.isfinite(total).all()
    assert total[0] > 20
    assert reason[0] == ""


def test_a_network_that_answers_nan_is_undefined_not_clear() -> None:
    p = grid(0.2)
    p[20, 0] = np.nan
    scored = one(p, grid(0))
    assert all(scored[metric + REASON] == "nan_output" for metric in PROXIMITY_METRICS if metric != "auc")
    assert all(math.isnan(scored[metric]) for metric in PROXIMITY_METRICS if metric != "auc")  # type: ignore[arg-type]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_values_are_in_range_and_nan_exactly_where_there_is_a_reason(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = rng.choice([1, 0, -1], (6, CELLS), p=[0.02, 0.9, 0.08]).astype(np.int8)
    table = long(score(rng.random((6, CELLS)), label, 0.5))
    assert len(table) == 6 * (len(PROXIMITY_METRICS) - 1)
    for metric, rows in table.groupby("metric"):
        assert (rows["value"].isna() == (rows["undefined_reason"] != "")).all()
        assert set(rows["undefined_reason"]) <= {"", *SPECS[metric].undefined_when}
        assert rows["value"].dropna().between(SPECS[metric].low, SPECS[metric].high).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_higher_threshold_never_misses_less_nor_alarms_more(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, label = rng.random((4, CELLS)), rng.integers(-1, 2, (4, CELLS)).astype(np.int8)
    low, high = score(p, label, 0.3), score(p, label, 0.8)
    assert (high["sensor_miss"].fillna(0) >= low["sensor_miss"].fillna(0)).all()
    assert (high["sensor_alarm"] <= low["sensor_alarm"]).all()


def test_events_keep_the_order_of_the_sensors() -> None:
    label, p = grid(0), grid(0.0)
    label[3, SENSORS.index("right")] = 1
    events = sensor_events(p.reshape(1, -1), label.reshape(1, -1).astype(np.int8), 0.5)
    assert events.occupied[0].tolist() == [False, False, False, False, True]
    assert events.missed[0].tolist() == [False, False, False, False, True]


def test_no_scenes_give_no_rows() -> None:
    assert len(score(np.zeros((0, CELLS)), np.zeros((0, CELLS), np.int8), 0.5)) == 0


def test_shapes_that_do_not_agree_are_refused() -> None:
    with pytest.raises(ValueError, match="must both be"):
        score(np.zeros((1, 325)), np.zeros((1, 325), np.int8), 0.5)
