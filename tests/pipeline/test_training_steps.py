"""Training: the operating point, the mirror, and going on after an interruption."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import training
from audit.composition import compose
from audit.config import AuditConfig
from audit.metrics.sensor_events import sensor_events
from audit.training import Examples, alarm_threshold


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_threshold_is_the_lowest_that_keeps_false_alarms_at_one_percent(seed: int) -> None:
    rng = np.random.default_rng(seed)
    probability = rng.random((80, 155)) ** 3
    label = rng.choice([-1, 0, 0, 0, 0, 0, 1], (80, 155), p=[0.05, *[0.189] * 5, 0.005]).astype(np.int8)
    threshold = alarm_threshold(probability, label, 15)

    def rate(at: float) -> float:
        events = sensor_events(probability, label, at, 15)
        return float(events.false_alarm.sum() / events.clear.sum())

    assert rate(threshold) <= 0.01
    assert threshold >= 1 or rate(threshold - 0.0003) >= rate(threshold)


def examples(count: int = 24) -> Examples:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (count, 64, 80, 3), dtype=np.uint8)
    return Examples(images, rng.integers(-1, 2, (count, 155)).astype(np.int8), np.ones((count, 155), bool))


@pytest.fixture
def small() -> AuditConfig:
    config = compose(["experiment=smoke", "model.checkpoint=null"])
    return dataclasses.replace(config, training=dataclasses.replace(config.training, epochs=3, batch=8))


def test_training_that_was_interrupted_ends_with_the_same_weights(
    small: AuditConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, losses = training._fit(small, examples(), "cpu", tmp_path / "whole.pt")
    epoch = training._epoch

    def interrupted(*arguments: object) -> float:
        if arguments[5] == 2:
            raise KeyboardInterrupt
        return epoch(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training._fit(small, examples(), "cpu", tmp_path / "state.pt")
    monkeypatch.setattr(training, "_epoch", epoch)
    resumed, again = training._fit(small, examples(), "cpu", tmp_path / "state.pt")
    assert again == losses
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_state_of_other_settings_is_not_gone_on_with(small: AuditConfig, tmp_path: Path) -> None:
    training._fit(small, examples(), "cpu", tmp_path / "state.pt")
    other = dataclasses.replace(small, training=dataclasses.replace(small.training, epochs=2))
    _, losses = training._fit(other, examples(), "cpu", tmp_path / "state.pt")
    assert len(losses) == 2
