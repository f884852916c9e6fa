"""Sensors x distances: does the map of one sensor lie in this sensor's own cone, or would another's do as well?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from audit.metrics.cells import SENSORS
from reports import words
from reports.levels import ordered
from reports.numbers import interval, number
from reports.run_record import RunRecord

ALL_DISTANCES = -1
SOURCES = (("model", "its own map"), ("other_sensor", "the map of the sensor opposite"))
STEPS = (  # enrichment below -> css class: even steps of its logarithm, orange below what chance gives, blue above
    *((0.5, "shade-3"), (1.0, "shade-1"), (2.0, "tint-1")),
    *((4.0, "tint-2"), (8.0, "tint-3"), (math.inf, "tint-4")),
)


@dataclass(frozen=True)
class HeatCell:
    """One sensor at one distance. kind: css classes; note: the interval, or why there is no number."""

    text: str
    kind: str
    note: str = ""


@dataclass(frozen=True)
class SensorTable:
    """One method. rows: (distance, cells of every sensor for each of SOURCES in turn), all distances together first."""

    method: str
    sentence: str
    sensors: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]
    most_blocks: int


def sensor_tables(record: RunRecord, model: str) -> list[SensorTable]:
    """A table per method whose maps of single sensors were measured; none of models without sensors."""
    frame = record.frame("sensor_attention")
    mine = frame[frame["model"] == model]
    methods = ordered([m for m in mine["method"] if m != "-"], _configured(record))
    return [_table(mine[mine["method"] == method], method) for method in methods]


def legend() -> list[tuple[str, str]]:
    """(css class, what it stands for) of the steps."""
    low, out = 0.0, []
    for high, kind in STEPS:
        ends = f"{low:g} and more" if math.isinf(high) else f"below {high:g}" if not low else f"{low:g} to {high:g}"
        out.append((kind, ends))
        low = high
    return out


def _table(rows: pd.DataFrame, method: str) -> SensorTable:
    held = {(r["source"], r["sensor"], int(r["distance_cm"])): r for _, r in rows.iterrows()}
    distances = sorted({d for _, _, d in held if d != ALL_DISTANCES})
    shown = []
    for distance in (ALL_DISTANCES, *distances):
        cells = [_cell(held.get((source, s, distance)), distance) for source, _ in SOURCES for s in SENSORS]
        label = "all distances" if distance == ALL_DISTANCES else f"{distance} cm"
        shown.append((label, tuple(cells)))
    of_cells = rows.loc[rows["distance_cm"] != ALL_DISTANCES, "usable_n"]
    most = int(of_cells.max()) if len(of_cells) else 0
    return SensorTable(words.method(method), _sentence(rows, method), words.SENSORS, tuple(shown), most)


def _cell(row: pd.Series | None, distance: int) -> HeatCell:
    if row is None:
        return HeatCell("·", "absent")
    value = float(row["enrichment"])
    if math.isnan(value):
        reason = _REASONS.get(str(row["undefined_reason"])) or words.reason(str(row["undefined_reason"]))
        return HeatCell("–", "absent", reason if distance == ALL_DISTANCES else "")
    kind = next(css for high, css in STEPS if value < high)
    note = interval(float(row["ci_low"]), float(row["ci_high"]), False) if distance == ALL_DISTANCES else ""
    return HeatCell(f"{value:.1f}", kind, note)


_REASONS = {"no_opposite": "no sensor lies opposite", "empty_region": "not in the picture"}


def _sentence(rows: pd.DataFrame, method: str) -> str:
    """What the table says, from all distances together."""
    whole = rows[rows["distance_cm"] == ALL_DISTANCES]
    own, other = (whole[whole["source"] == source] for source in ("model", "other_sensor"))
    paired = other[other["lead"].notna()]
    if not len(paired):
        return f"{words.method(method)} could not be judged: no sensor with one opposite was occupied."
    ahead, behind = int((paired["lead_low"] > 0).sum()), int((paired["lead_high"] < 0).sum())
    text = (
        f"{words.method(method)} of a sensor puts {_times(own)} on the object in this sensor's own cone as a map spread"
        f" evenly, the map of the sensor opposite {_times(other)}. Its own map is ahead for {ahead} of {len(paired)}"
        f" sensors (interval above 0)"
    )
    text += f", behind for {behind}. " if behind else ". "
    return text + _verdict(ahead, behind, len(paired)) + _beside(whole)


def _verdict(ahead: int, behind: int, of: int) -> str:
    if ahead == of:
        return "So it tells the sensors apart"
    if behind:
        return "So it does not tell the sensors apart: another sensor's map lies better"
    return "So it is shown to tell only some sensors apart" if ahead else "It is not shown to tell the sensors apart"


def _beside(whole: pd.DataFrame) -> str:
    untrained = whole[(whole["source"] == "untrained") & whole["lead"].notna()]
    if not len(untrained):
        return "."
    ahead = int((untrained["lead_low"] > 0).sum())
    return f"; it is ahead of the untrained network's map for {ahead} of {len(untrained)}."


def _times(rows: pd.DataFrame) -> str:
    return f"{number(float(rows['enrichment'].mean()), False)} times as much"


def _configured(record: RunRecord) -> Sequence[str]:
    configured = record.config.get("attribution") or {}
    return [str(m) for m in configured.get("methods") or ()]
