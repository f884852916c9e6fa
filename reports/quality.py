"""Prediction quality and what it rests on: AUC by distance and sensor, all conditions, render checks, clipping."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from audit.metrics.cells import SENSORS
from reports import words
from reports.factor_tables import why_undefined
from reports.levels import ALL, PRESENCES, ordered
from reports.numbers import count, interval, number
from reports.run_record import RunRecord
from scenes.design import OBJECT, PRESENCE

_METRIC_ORDER = (
    "sensor_miss", "sensor_false_alarm", "scene_miss", "scene_false_alarm", "sensor_miss_at_half",
    "sensor_false_alarm_at_half", "brier", "auc", "sensor_alarm", "scene_alarm",
    "top1", "top5", "target_probability", "logit_margin", "target_logit",
)  # fmt: skip
_CONDITION = "condition"  # the head of a column that tells conditions apart by all factors


@dataclass(frozen=True)
class HeatCell:
    text: str
    kind: str
    detail: str = ""


@dataclass(frozen=True)
class HeatTable:
    """A value per distance and sensor. rows: (distance in cm, cells left to right), near last as on the picture."""

    caption: str
    rows: tuple[tuple[int, tuple[HeatCell, ...]], ...]
    mean: str
    undefined: int


@dataclass(frozen=True)
class ConditionRow:
    levels: tuple[str, ...]
    blocks: int
    control: bool
    in_recipe: bool
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True)
class ConditionTable:
    """Every condition of one model with its task metrics. has_recipe: whether the checkpoint declares one."""

    factors: tuple[str, ...]
    metrics: tuple[words.Metric, ...]
    has_recipe: bool
    rows: tuple[ConditionRow, ...]


def auc_tables(record: RunRecord, model: str) -> list[HeatTable]:
    """AUC of this audit at the control condition (table auc), and of the checkpoint card's held-out scenes."""
    tables = []
    frame = record.frame("auc")
    if {"model", "distance_cm", "sensor", "auc"} <= set(frame.columns):
        mine = frame[frame["model"] == model]
        for factor, level in record.control.items():
            if factor in mine:
                mine = mine[mine[factor].astype(str) == level]
        values = {(int(r["distance_cm"]), str(r["sensor"])): r for _, r in mine.iterrows()}
        if values:
            tables.append(_heat("This audit, control condition", values))
    held_out = _card_auc(record.card(model))
    if held_out:
        tables.append(_heat("Checkpoint card, held-out scenes of training", held_out))
    return tables


def condition_table(record: RunRecord, model: str) -> ConditionTable | None:
    """All conditions, the arms included, with every task metric; None where nothing was analysed."""
    frame = record.frame("conditions")
    frame = frame[(frame["model"] == model) & (frame["method"] == "-")]
    if not len(frame):
        return None
    factors, heads = tuple(f for f in _factors(record) if f in frame), _heads(record, frame)
    metrics = tuple(words.metric(m) for m in ordered(list(frame["metric"]), _METRIC_ORDER))
    found: dict[tuple[str, ...], dict[str, pd.Series]] = {}
    for _, row in frame.iterrows():
        found.setdefault(tuple(str(row[f]) for f in factors), {})[str(row["metric"])] = row
    place = _place(record, factors)
    keys = sorted(found, key=place)
    rows = []
    for key in keys:
        first = next(iter(found[key].values()))
        control = all(record.control.get(f, ALL) == v for f, v in zip(factors, key, strict=True))
        levels = dict(zip(factors, key, strict=True))
        cells = tuple(_condition_cell(record, model, found[key].get(m.name), m, levels) for m in metrics)
        blocks = max(int(r["n"]) for r in found[key].values())
        rows.append(ConditionRow(_row_heads(record, levels, heads), blocks, control, bool(first["in_recipe"]), cells))
    return ConditionTable(heads, metrics, bool(record.model(model).get("recipe")), tuple(rows))


def render_checks(record: RunRecord) -> list[tuple[str, str, int]]:
    """(status, reason, cells) counts of everything that was planned, good first."""
    scenes = record.frame("scenes")
    if not len(scenes):
        return []
    counts = scenes.groupby(["status", "reason"], sort=True, as_index=False).size()
    found = zip(counts["status"], counts["reason"], counts["size"], strict=True)
    rows = [(str(status), words.reason(str(why)) if why else "", int(n)) for status, why, n in found]
    return sorted(rows, key=lambda r: (r[0] != "ok", r))


@dataclass(frozen=True)
class PictureTable:
    """Numbers of the rendered pictures per condition. numbers: heads of their columns; rows: (levels, numbers)."""

    factors: tuple[str, ...]
    numbers: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


def picture_table(record: RunRecord) -> PictureTable | None:
    """Clipped shares, colour contrast and brightness of every condition; what no picture has is left out."""
    scenes = record.frame("scenes")
    scenes = scenes[scenes["status"] == "ok"] if len(scenes) else scenes
    if not len(scenes):
        return None
    factors = [f for f in _factors(record) if f in scenes]
    place = _place(record, factors)
    columns = [c for c in _PICTURE_COLUMNS if scenes[c.name].notna().any()]
    rows = []
    for key, group in scenes.groupby(factors, sort=True):
        shown = [number(c.of(group[c.name]), c.percent) for c in columns]
        rows.append((tuple(str(v) for v in key), (*shown, str(len(group)))))
    rows.sort(key=lambda row: place(row[0]))
    heads = _heads(record, scenes)
    rows = [(_row_heads(record, dict(zip(factors, key, strict=True)), heads), numbers) for key, numbers in rows]
    return PictureTable(heads, (*(c.title for c in columns), "scenes"), tuple(rows))


@dataclass(frozen=True)
class _PictureColumn:
    name: str
    title: str
    percent: bool
    is_median: bool

    def of(self, values: pd.Series) -> float:
        return float(values.dropna().median() if self.is_median else values.mean())


_PICTURE_COLUMNS = (
    _PictureColumn("object_clipped", "object clipped", True, False),
    _PictureColumn("floor_clipped", "floor clipped", True, False),
    _PictureColumn("albedo_delta_e", "albedo difference", False, True),
    _PictureColumn("contour_delta_e", "contour difference", False, True),
    _PictureColumn("mean_luminance", "mean luminance", False, False),
)


def clipped_sentence(record: RunRecord) -> str:
    """Which condition clips most, in a sentence."""
    scenes = record.frame("scenes")
    scenes = scenes[scenes["status"] == "ok"] if len(scenes) else scenes
    if not len(scenes):
        return ""
    factors = [f for f in _factors(record) if f in scenes and f != PRESENCE]
    parts = []
    for column, name in (("object_clipped", "object"), ("floor_clipped", "floor")):
        means = scenes.groupby(factors, sort=True)[column].mean().dropna()
        if len(means):
            key = means.idxmax()
            levels = dict(zip(factors, key if isinstance(key, tuple) else (key,), strict=True))
            where = record.told_apart({f: str(v) for f, v in levels.items()})
            parts.append(f"{number(float(means.max()))} of {name} pixels at {where}")
    return f"Most clipped (a channel at 0 or 255): {'; '.join(parts)}." if parts else ""


def _heat(caption: str, values: Mapping[tuple[int, str], Any]) -> HeatTable:
    rows, seen, undefined = [], [], 0
    for distance in sorted({d for d, _ in values}, reverse=True):
        cells = []
        for sensor in SENSORS:
            cell = _auc_cell(values.get((distance, sensor)))
            cells.append(cell)
            undefined += cell.kind == "undefined"
            seen += [float(values[distance, sensor]["auc"])] if cell.kind != "undefined" else []
        rows.append((distance, tuple(cells)))
    mean = f"{sum(seen) / len(seen):.3f}" if seen else "undefined"
    return HeatTable(caption, tuple(rows), mean, undefined)


def _auc_cell(row: Any) -> HeatCell:
    value = float("nan") if row is None else _get(row, "auc")
    if math.isnan(value):
        return HeatCell("undefined", "undefined")
    out_of_view = _get(row, "in_view") < 1
    bad = min(int(max(1 - value, 0) / 0.5 * 7), 6)
    detail = interval(_get(row, "ci_low"), _get(row, "ci_high"), percent=False)
    text = f"{value:.2f}"
    return HeatCell(text[1:] if text.startswith("0") else text, f"shade-{bad}" + " out-of-view" * out_of_view, detail)


def _card_auc(card: Mapping[str, Any]) -> dict[tuple[int, str], Mapping[str, Any]]:
    """The card's AUC table: a list of records with the columns of audit.metrics' `auc_table`, under 'auc' or
    'auc_table', or inside a mapping of that name under 'table' or 'cells'. Anything else is left to run.json."""
    for name in ("auc_table", "auc"):
        held = card.get(name)
        if isinstance(held, Mapping):
            held = held.get("table", held.get("cells"))
        if isinstance(held, list) and held and all(isinstance(r, Mapping) and "distance_cm" in r for r in held):
            return {(int(r["distance_cm"]), str(r["sensor"])): r for r in held}
    return {}


def _condition_cell(
    record: RunRecord, model: str, row: pd.Series | None, metric: words.Metric, levels: Mapping[str, str]
) -> HeatCell:
    if row is None:
        return HeatCell("", "absent")
    if math.isnan(row["mean"]):
        return HeatCell(number(float("nan")), "undefined", why_undefined(record, model, metric.name, levels))
    shown = interval(row["ci_low"], row["ci_high"], metric.percent)
    usable, rendered = int(row["usable_n"]), int(row["n"])
    return HeatCell(
        number(row["mean"], metric.percent), "", f"{shown} {count(usable, rendered)}" if usable < rendered else shown
    )


def _factors(record: RunRecord) -> tuple[str, ...]:
    """Everything that tells conditions apart, the object too where there are several."""
    return (PRESENCE, *((OBJECT,) if record.objects else ()), *record.levels)


def _heads(record: RunRecord, frame: pd.DataFrame) -> tuple[str, ...]:
    """Heads of the columns that tell conditions apart: one for all factors where they are set one at a time."""
    if record.is_one_at_a_time:
        return (*(f for f in (PRESENCE, OBJECT) if f in frame and f in _factors(record)), _CONDITION)
    return tuple(f for f in _factors(record) if f in frame)


def _row_heads(record: RunRecord, levels: Mapping[str, str], heads: Sequence[str]) -> tuple[str, ...]:
    inside = {f: v for f, v in levels.items() if f not in (PRESENCE, OBJECT)}
    return tuple(record.told_apart(inside) if head == _CONDITION else levels[head] for head in heads)


def _place(record: RunRecord, factors: Sequence[str]) -> Callable[[Sequence[str]], tuple[int, ...]]:
    """Sort key of conditions, as levels of `factors`: in the order of the design, also where one factor is set at a
    time and the first that is away from control should come first."""
    rank = {f: {v: i for i, v in enumerate(_order(record, f))} for f in factors}

    def place(levels: Sequence[str]) -> tuple[int, ...]:
        places = {f: rank[f].get(v, 99) for f, v in zip(factors, levels, strict=True)}
        inside = [places[f] for f in factors if f not in (PRESENCE, OBJECT)]
        outside = [places[f] for f in factors if f in (PRESENCE, OBJECT)]
        return (*outside, *(reversed(inside) if record.is_one_at_a_time else inside))

    return place


def _order(record: RunRecord, factor: str) -> tuple[str, ...]:
    if factor == OBJECT:
        return (ALL, *record.objects)
    return PRESENCES if factor == PRESENCE else record.levels[factor]


def _get(row: Any, name: str) -> float:
    value = row.get(name)
    return float("nan") if value is None else float(value)
