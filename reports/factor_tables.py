"""Factor x factor tables: one metric over all conditions; rows one factor, columns a second within each of a third.

Designs that do not cross their factors have tables of their own, in reports.level_tables and, of several objects, in
reports.object_tables.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from reports import words
from reports.levels import ALL
from reports.numbers import count, interval, number
from reports.run_record import RunRecord
from scenes.design import OBJECT, PRESENCE

SHADES = 7  # steps of the ramp from good to bad
TINTS = 5  # steps of the ramp from little to much


@dataclass(frozen=True)
class Cell:
    """One condition's number. kind: the css classes (shade, control, few, undefined, absent); level: what it is, where
    the head of its column does not say so."""

    value: str
    interval: str
    count: str
    kind: str
    reason: str = ""
    level: str = ""


@dataclass(frozen=True)
class Row:
    level: str
    cells: tuple[Cell, ...]
    is_mean: bool = False  # over the rows before it


@dataclass(frozen=True)
class Column:
    """A level as the head of a column. is_edge: the first of its group."""

    name: str
    is_edge: bool


@dataclass(frozen=True)
class FactorTable:
    """A metric over conditions. subject: what is crossed, in words. groups: (level or factor, columns it spans), empty
    without; corners: what stands left of the groups and of the columns."""

    model: str
    metric: words.Metric
    title: str
    subject: str
    notes: tuple[str, ...]
    corners: tuple[str, str]
    groups: tuple[tuple[str, int], ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def factor_tables(record: RunRecord, model: str, notes: Mapping[str, Sequence[str]]) -> list[FactorTable]:
    """The tables of one model: misses, false alarms, and the primary method's attention overlap with the object.

    notes: metric -> sentences to set under its table.
    """
    out = []
    for metric, method, region in (("sensor_miss", "-", "-"), ("sensor_false_alarm", "-", "-"), overlap(record)):
        rows = select(record, model, metric, method, region)
        if len(rows):
            out += _tables(record, rows, words.metric(metric), method, tuple(notes.get(metric, ())))
    return out


def overlap(record: RunRecord) -> tuple[str, str, str]:
    """(metric, method, region) of the attention overlap that is shown by factor."""
    return ("relevance_mass_accuracy", record.primary_method, "object")


def select(record: RunRecord, model: str, metric: str, method: str, region: str) -> pd.DataFrame:
    """Rows of the conditions table on one metric, scenes with an object only."""
    conditions = record.frame("conditions")
    chosen = (conditions["model"] == model) & (conditions["metric"] == metric)
    chosen &= (conditions["method"] == method) & (conditions["region"] == region)
    if PRESENCE in conditions:
        chosen &= conditions[PRESENCE] == record.control[PRESENCE]
    return conditions[chosen]


def why_undefined(record: RunRecord, model: str, metric: str, levels: Mapping[str, str]) -> str:
    """The commonest reason a task metric is undefined in the cells of a condition."""
    scenes = record.frame("scenes")
    inside = pd.Series(True, index=scenes.index)
    for factor, level in levels.items():
        if level == ALL:
            continue
        inside &= scenes[factor] == level if factor in scenes else False
    cells = set(scenes.loc[inside, "cell_id"])
    frame = record.frame("predictions")
    mine = frame[(frame["model"] == model) & (frame["metric"] == metric) & frame["cell_id"].isin(cells)]
    reasons = mine.loc[mine["undefined_reason"] != "", "undefined_reason"]
    return (
        words.reason(str(reasons.mode().iloc[0]), record.task) if len(reasons) else words.metric(metric).undefined_when
    )


def _tables(
    record: RunRecord, rows: pd.DataFrame, metric: words.Metric, method: str, notes: tuple[str, ...]
) -> list[FactorTable]:
    factors = list(record.levels)
    row_factor = factors[0] if factors else ""
    column_factor = factors[1] if len(factors) > 1 else ""
    group_factor = factors[2] if len(factors) > 2 else ""
    rest = factors[3:]
    return [
        _table(record, rows, metric, method, notes, (row_factor, column_factor, group_factor), fixed)
        for fixed in _combinations(record, rest)
    ]


def _table(
    record: RunRecord,
    rows: pd.DataFrame,
    metric: words.Metric,
    method: str,
    notes: tuple[str, ...],
    factors: tuple[str, str, str],
    fixed: Mapping[str, str],
) -> FactorTable:
    found = {tuple(str(r[f]) for f in record.levels): r for _, r in rows.iterrows()}
    model = str(rows.iloc[0]["model"])
    row_factor, column_factor, group_factor = factors
    groups, columns = record.levels.get(group_factor, ("",)), record.levels.get(column_factor, ("",))
    body = []
    for level in record.levels.get(row_factor, ("",)):
        cells = []
        for group, column in itertools.product(groups, columns):
            levels = {**fixed, row_factor: level, column_factor: column, group_factor: group}
            levels = {f: levels[f] for f in record.levels}
            is_edge = bool(group_factor) and column == columns[0]
            cells.append(shown(record, model, found.get(tuple(levels.values())), metric, levels, is_edge))
        body.append(Row(level, tuple(cells)))
    heads = [Column(c, bool(group_factor) and c == columns[0]) for _ in groups for c in columns]
    return FactorTable(
        model=model,
        metric=metric,
        title=_title(metric, method, fixed),
        subject=" × ".join(f for f in factors if f),
        notes=notes,
        corners=(group_factor, f"{row_factor} ╲ {column_factor}"),
        groups=tuple((g, len(columns)) for g in groups) if group_factor else (),
        columns=tuple(heads) if column_factor else (),
        rows=tuple(body),
    )


def shown(
    record: RunRecord,
    model: str,
    row: pd.Series | None,
    metric: words.Metric,
    levels: Mapping[str, str],
    is_edge: bool = False,
    level: str = "",
) -> Cell:
    """A row of the conditions table as a cell; levels: of its factors, and of `object` where there are several."""
    mark = " group-edge" * is_edge
    if row is None:
        return Cell("", "", "", f"absent{mark}", "not in the design", level)
    mark += " control" * all(record.control[f] == v for f, v in levels.items() if f != OBJECT)
    n = count(int(row["usable_n"]), int(row["n"]))
    if math.isnan(row["mean"]):
        why = why_undefined(record, model, metric.name, {**levels, **_presence(record)}) if row["method"] == "-" else ""
        return Cell(number(float("nan")), "", n, f"undefined few{mark}", why or metric.undefined_when, level)
    shade = "few" if int(row["usable_n"]) < record.min_blocks else shade_of(row["mean"], metric, row["method"] == "-")
    return Cell(
        number(row["mean"], metric.percent),
        interval(row["ci_low"], row["ci_high"], metric.percent),
        n,
        shade + mark,
        level=level,
    )


def shade_of(value: float, metric: words.Metric, is_score: bool) -> str:
    """The css class of a value. Scores of the task get the ramp from good to bad, a logit margin only where it is below
    0; attention overlap, of which more is not simply better (small objects cannot reach 1), one from little to much."""
    share = min(max(value, 0.0), 1.0)
    if not is_score:
        return f"tint-{min(int(share * TINTS), TINTS - 1)}"
    if not metric.percent:
        return f"shade-{4 if value < 0 else 0}"
    bad = share if metric.lower_is_better else 1 - share
    return f"shade-{min(int(bad * SHADES), SHADES - 1)}"


def _title(metric: words.Metric, method: str, fixed: Mapping[str, str]) -> str:
    title = metric.title if method == "-" else f"{metric.title}, {words.method(method)}"
    return title + (f" at {words.condition(fixed)}" if fixed else "")


def _presence(record: RunRecord) -> dict[str, str]:
    return {PRESENCE: record.control[PRESENCE]} if PRESENCE in record.frame("scenes") else {}


def _combinations(record: RunRecord, factors: Sequence[str]) -> list[dict[str, str]]:
    levels = [record.levels[f] for f in factors]
    return [dict(zip(factors, chosen, strict=True)) for chosen in itertools.product(*levels)]
