"""What a comparison asks of answers beyond the scores of whole scenes: scores place by place, and the operating point
at which two networks give equally many false alarms. By task; a task that has neither has no entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from audit.metrics.arrays import Floats, Integers, Mask
from audit.metrics.cells import SENSORS
from audit.metrics.sensor_events import Events, sensor_events

PLACE_COLUMNS = ("row", "metric", "place", "value")

# probability (N, K), label (N, K), threshold, horizon -> rows of PLACE_COLUMNS
Places = Callable[[Floats, Integers, float, int], pd.DataFrame]
# probability, label, threshold or rate, horizon -> rate or threshold
Operating = Callable[[Floats, Integers, float, int], float]


def _sensors(probability: Floats, label: Integers, threshold: float, horizon: int) -> pd.DataFrame:
    """A row per scene and occupied (missed, 0 or 1) or clear (false alarm, 0 or 1) sensor."""
    events = sensor_events(probability, label, threshold, horizon)
    kinds = {
        "sensor_miss": (events.missed, events.occupied),
        "sensor_false_alarm": (events.false_alarm, events.clear),
    }
    parts = []
    for metric, (happened, asked) in kinds.items():
        row, sensor = np.nonzero(asked)
        place = np.array(SENSORS, dtype=object)[sensor]
        parts.append(pd.DataFrame({"row": row, "metric": metric, "place": place, "value": happened[asked] * 1.0}))
    return pd.concat(parts, ignore_index=True)[list(PLACE_COLUMNS)]


def false_alarm_rate(events: Events) -> float:
    """Share of the clear sensors of all scenes that alarm; NaN without a clear sensor."""
    return float(events.false_alarm[events.clear].mean()) if events.clear.any() else float("nan")


def threshold_for(probability: Floats, label: Integers, rate: float, horizon: int) -> float:
    """The lowest threshold at which at most `rate` of the clear sensors alarm; above 1 where answers of 1 must not.

    Thresholds lie just above an answer, so networks that answer alike get the same, whatever their own threshold was.
    """
    highest = _highest_known(probability, label, horizon)
    allowed = int(np.floor(rate * len(highest) + 1e-9))
    if allowed >= len(highest):
        return 0.0
    falling = np.sort(highest)[::-1]
    return float(np.nextafter(falling[allowed], np.inf))


def _own_rate(probability: Floats, label: Integers, threshold: float, horizon: int) -> float:
    return false_alarm_rate(sensor_events(probability, label, threshold, horizon))


def _highest_known(probability: Floats, label: Integers, horizon: int) -> Floats:
    """(M,): of every clear sensor of every scene the highest answer in a known cell within the horizon."""
    events = sensor_events(probability, label, 0.5, horizon)
    p = np.asarray(probability, dtype=np.float64).reshape(len(probability), -1, len(SENSORS))[:, : horizon + 1]
    known: Mask = label.reshape(p.shape[0], -1, len(SENSORS))[:, : horizon + 1] >= 0
    found: Floats = np.where(known, p, -np.inf).max(axis=1)[events.clear]
    return found


PLACES: Mapping[str, Places] = {"proximity": _sensors}
RATE_OF: Mapping[str, Operating] = {"proximity": _own_rate}
MATCHED: Mapping[str, Operating] = {"proximity": threshold_for}
MATCHED_METRIC: Mapping[str, str] = {"proximity": "sensor_miss"}  # what is compared once false alarms are equal
