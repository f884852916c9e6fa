"""Factor x factor tables: one metric over all conditions; rows one factor, columns a second within each of a third."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from reports import words
from reports.numbers import count, interval, number
from reports.run_record import RunRecord

SHADES = 7  # steps of the ramp from good to bad
TINTS = 5  # steps of the ramp from little to much


@dataclass(frozen=True)
class Cell:
    """One condition's number. kind: the css classes (shade, control, few, undefined, absent)."""

    value: str
    interval: str
    count: str
    kind: str
    reason: str = ""


@dataclass(frozen=True)
class Row:
    level: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class FactorTable:
    """A metric over `row_factor` x (`group_factor` x `column_factor`). groups: (level, number of columns)."""

    model: str
    metric: words.Metric
    title: str
    notes: tuple[str, ...]
    row_factor: str
    column_factor: str
    group_factor: str
    groups: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    has_few: bool


def factor_tables(record: RunRecord, model: str, notes: Mapping[str, Sequence[str]]) -> list[FactorTable]:
    """The tables of one model: misses, false alarms, and the primary method's attention overlap with the object.

    notes: metric -> sentences to set under its table.
    """
    wanted = [("sensor_miss", "-", "-"), ("sensor_false_alarm", "-", "-")]
    wanted.append(("relevance_mass_accuracy", record.primary_method, "object"))
    out = []
    for metric, method, region in wanted:
        rows = select(record, model, metric, method, region)
        if len(rows):
            out += _tables(record, rows, words.metric(metric), method, tuple(notes.get(metric, ())))
    return out


def select(record: RunRecord, model: str, metric: str, method: str, region: str) -> pd.DataFrame:
    """Rows of the conditions table on one metric, scenes with an object only."""
    conditions = record.frame("conditions")
    chosen = (conditions["model"] == model) & (conditions["metric"] == metric)
    chosen &= (conditions["method"] == method) & (conditions["region"] == region)
    if "presence" in conditions:
        chosen &= conditions["presence"] == record.control["presence"]
    return conditions[chosen]


def why_undefined(record: RunRecord, model: str, metric: str, levels: Mapping[str, str]) -> str:
    """The commonest reason a task metric is undefined in the cells of a condition."""
    scenes = record.frame("scenes")
    inside = pd.Series(True, index=scenes.index)
    for factor, level in levels.items():
        inside &= scenes[factor] == level if factor in scenes else False
    cells = set(scenes.loc[inside, "cell_id"])
    frame = record.frame("predictions")
    mine = frame[(frame["model"] == model) & (frame["metric"] == metric) & frame["cell_id"].isin(cells)]
    reasons = mine.loc[mine["undefined_reason"] != "", "undefined_reason"]
    return words.reason(str(reasons.mode().iloc[0])) if len(reasons) else words.metric(metric).undefined_when


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
            cells.append(_cell(record, model, found.get(tuple(levels.values())), metric, levels))
        body.append(Row(level, tuple(cells)))
    title = metric.title if method == "-" else f"{metric.title}, {words.method(method)}"
    title += f" at {words.condition(fixed)}" if fixed else ""
    has_few = any("few" in c.kind for r in body for c in r.cells)
    group_names = groups if group_factor else ()
    return FactorTable(
        model, metric, title, notes, row_factor, column_factor, group_factor, group_names, columns, tuple(body), has_few
    )


def _cell(
    record: RunRecord, model: str, row: pd.Series | None, metric: words.Metric, levels: Mapping[str, str]
) -> Cell:
    if row is None:
        return Cell("", "", "", "absent", "not in the design")
    control = " control" if all(record.control[f] == v for f, v in levels.items()) else ""
    n = count(int(row["usable_n"]), int(row["n"]))
    if math.isnan(row["mean"]):
        why = why_undefined(record, model, metric.name, {**levels, **_presence(record)}) if row["method"] == "-" else ""
        return Cell(number(float("nan")), "", n, f"undefined few{control}", why or metric.undefined_when)
    few = int(row["usable_n"]) < record.min_blocks
    shade = "few" if few else _shade(row["mean"], metric)
    return Cell(
        number(row["mean"], metric.percent),
        interval(row["ci_low"], row["ci_high"], metric.percent),
        n,
        shade + control,
    )


def _shade(value: float, metric: words.Metric) -> str:
    """Rates of errors get the ramp from good to bad; attention overlap, of which more is not simply better (small
    objects cannot reach 1), a plain ramp from little to much."""
    share = min(max(value, 0.0), 1.0)
    if metric.lower_is_better:
        return f"shade-{min(int(share * SHADES), SHADES - 1)}"
    return f"tint-{min(int(share * TINTS), TINTS - 1)}"


def _presence(record: RunRecord) -> dict[str, str]:
    return {"presence": record.control["presence"]} if "presence" in record.frame("scenes") else {}


def _combinations(record: RunRecord, factors: Sequence[str]) -> list[dict[str, str]]:
    levels = [record.levels[f] for f in factors]
    return [dict(zip(factors, chosen, strict=True)) for chosen in itertools.product(*levels)]
