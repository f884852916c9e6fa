"""Scores of the proximity task, per scene: missed sensors, false alarms, Brier score, alarms, target.

Cells: 155 = 31 distances x 5 sensors, index = distance * 5 + sensor; labels 1, 0, -1 = unknown. What a robot drives
by is a sensor's event within the horizon, not the single cell. Definitions in `audit.metrics.specs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.metrics.arrays import Doubles, Floats, Integers, Mask, Texts
from audit.metrics.cells import CELLS, HORIZON, SENSORS
from audit.metrics.concordance import auc, auc_table
from audit.metrics.scores import REASON, long, target_logit, wide

__all__ = ["CELLS", "HORIZON", "REASON", "SENSORS", "Events", "auc", "auc_table", "long", "score", "sensor_events"]
__all__ += ["target_logit"]

Scalar = TypeVar("Scalar", bound=np.generic)

HALF = 0.5


@dataclass(frozen=True)
class Events:
    """What happened per sensor, each (N, 5) bool: occupied and clear by the labels, missed, false alarm, alarm."""

    occupied: Mask
    clear: Mask
    missed: Mask
    false_alarm: Mask
    alarm: Mask


def sensor_events(probability: Floats, label: Integers, threshold: float, horizon: int = HORIZON) -> Events:
    """Events within `horizon` cm of travel. probability (N, 155) in [0, 1], label (N, 155) in {1, 0, -1}.

    occupied: some known cell is 1; missed: occupied, and no cell that is 1 has p >= threshold. clear: there are known
    cells and all are 0; false alarm: clear, and some known cell has p >= threshold. An alarm in an unknown cell is
    not held against a sensor: nobody knows that it is false. alarm: any cell, known or not, has p >= threshold.
    """
    p, y = _by_sensor(probability)[:, : horizon + 1], _by_sensor(label)[:, : horizon + 1]
    above = p >= threshold
    positive, known = y == 1, y >= 0
    occupied = positive.any(axis=1)
    clear = known.any(axis=1) & ~occupied
    return Events(
        occupied=occupied,
        clear=clear,
        missed=occupied & ~(above & positive).any(axis=1),
        false_alarm=clear & (above & known).any(axis=1),
        alarm=above.any(axis=1),
    )


def score(
    probability: Floats,
    label: Integers,
    threshold: float,
    horizon: int = HORIZON,
    target: Mask | None = None,
    logits: Floats | None = None,
) -> pd.DataFrame:
    """Every per-scene task metric: one row per scene, a column per metric and one `<metric>:reason` beside it.

    probability (N, 155) in [0, 1]; label (N, 155) in {1, 0, -1}; threshold: the operating point. target (N, 155) bool:
    the cells that `target_logit` and `target_alarm` are about, default label == 1; give an arm without the object the
    cells of its full scene, so that the arms answer one question. logits (N, 155): default logit(probability), cut at
    +-13.8.
    A value is NaN exactly where its reason is not empty. Raises ValueError on shapes that do not agree.
    """
    _check_shapes(probability, label)
    p = np.asarray(probability, dtype=np.float64)
    operating = sensor_events(p, label, threshold, horizon)
    half = sensor_events(p, label, HALF, horizon)
    broken = ~np.isfinite(p).all(axis=1)
    asked = label == 1 if target is None else target
    columns = {
        **_rates(operating, ""),
        **_rates(half, "_at_half"),
        **_scene_rates(operating),
        "brier": _brier(p, label),
        "sensor_alarm": (operating.alarm.mean(axis=1), _never(broken)),
        "scene_alarm": (operating.alarm.any(axis=1).astype(np.float64), _never(broken)),
        "target_alarm": _target_alarm(p, asked, threshold, horizon),
        "target_logit": target_logit(p, asked, logits),
    }
    return wide(columns, broken)


def _rates(events: Events, suffix: str) -> dict[str, tuple[Doubles, Texts]]:
    return {
        f"sensor_miss{suffix}": _share(events.missed, events.occupied, "no_occupied_sensor"),
        f"sensor_false_alarm{suffix}": _share(events.false_alarm, events.clear, "no_clear_sensor"),
    }


def _scene_rates(events: Events) -> dict[str, tuple[Doubles, Texts]]:
    occupied, clear = events.occupied.any(axis=1), events.clear.any(axis=1)
    detected = (events.occupied & ~events.missed).any(axis=1)
    return {
        "scene_miss": ((~detected).astype(np.float64), np.where(occupied, "", "no_occupied_sensor")),
        "scene_false_alarm": (
            events.false_alarm.any(axis=1).astype(np.float64),
            np.where(clear, "", "no_clear_sensor"),
        ),
    }


def _share(part: Mask, whole: Mask, reason: str) -> tuple[Doubles, Texts]:
    count = whole.sum(axis=1)
    return part.sum(axis=1) / np.maximum(count, 1), np.where(count > 0, "", reason)


def _target_alarm(p: Doubles, target: Mask, threshold: float, horizon: int) -> tuple[Doubles, Texts]:
    """Share of the sensors with a target cell within the horizon that alarm in one: where the object is, the share that
    is not missed."""
    asked = _by_sensor(target)[:, : horizon + 1]
    alarmed = (asked & (_by_sensor(p)[:, : horizon + 1] >= threshold)).any(axis=1)
    return _share(alarmed, asked.any(axis=1), "no_occupied_sensor")


def _brier(p: Doubles, label: Integers) -> tuple[Doubles, Texts]:
    known = label >= 0
    squares = np.where(known, (p - label) ** 2, 0.0)
    count = known.sum(axis=1)
    return squares.sum(axis=1) / np.maximum(count, 1), np.where(count > 0, "", "no_known_cell")


def _never(like: Mask) -> Texts:
    return np.full(like.shape, "", dtype="<U1")


def _by_sensor(cells: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    return cells.reshape(len(cells), cells.shape[1] // len(SENSORS), len(SENSORS))


def _check_shapes(probability: Floats, label: Integers) -> None:
    if probability.shape != label.shape or probability.ndim != 2 or probability.shape[1] != CELLS:
        raise ValueError(f"probability {probability.shape} and label {label.shape} must both be (N, {CELLS})")
