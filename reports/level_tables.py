"""Tables of a design that does not cross its factors: rows factors, cells their levels, over all blocks.

Of one factor at a time a cell is the condition with one level away from control; of a sampled design it is the mean
over the points at a level, or in a bin, whatever their other factors, as the effects table has it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from reports import words
from reports.factor_tables import Cell, FactorTable, Row, overlap, select, shade_of, shown
from reports.levels import ALL, parse_contrast
from reports.numbers import count, difference, interval, number
from reports.run_record import RunRecord
from scenes.design import OBJECT

_SCORES = {words.CLASSIFICATION: ("top1", "target_probability")}
_CONTROL = "control"  # the head of the row that stands first


def level_tables(record: RunRecord, model: str, notes: Mapping[str, Sequence[str]]) -> list[FactorTable]:
    """One table per score of the task, and one of the primary method's attention overlap with the object.

    notes: metric -> sentences to set under its table. A metric that was not analysed has no table.
    """
    scores = _SCORES.get(record.task, ("sensor_miss", "sensor_false_alarm"))
    out = []
    for metric, method, region in (*((s, "-", "-") for s in scores), overlap(record)):
        at = (metric, method, region)
        rows = _sampled_rows(record, model, at) if record.is_sampled else _rows(record, model, at)
        if rows:
            known = words.metric(metric)
            title = known.title if method == "-" else f"{known.title}, {words.method(method)}"
            subject = "each sampled factor alone" if record.is_sampled else "one factor at a time"
            out.append(FactorTable(model, known, title, subject, tuple(notes.get(metric, ())), ("", ""), (), (), rows))
    return out


def _rows(record: RunRecord, model: str, at: tuple[str, str, str]) -> tuple[Row, ...]:
    frame, known = select(record, model, *at), words.metric(at[0])
    found = {tuple(str(r[f]) for f in record.levels): r for _, r in frame.iterrows()}
    held = {f: record.control[f] for f in record.levels}

    def cell(levels: Mapping[str, str], name: str) -> Cell:
        return shown(record, model, found.get(tuple(levels.values())), known, levels, level=name)

    rows = [
        Row(factor, tuple(cell({**held, factor: v}, v) for v in levels if v != held[factor]))
        for factor, levels in record.levels.items()
    ]
    return (Row(_CONTROL, (cell(held, ""),)), *(row for row in rows if row.cells)) if len(frame) else ()


def _sampled_rows(record: RunRecord, model: str, at: tuple[str, str, str]) -> tuple[Row, ...]:
    effects, known, is_score = record.frame("effects"), words.metric(at[0]), at[1] == "-"
    chosen = (effects["model"] == model) & (effects["order"] == 1)
    for column, value in zip(("metric", "method", "region"), at, strict=True):
        chosen &= effects[column] == value
    mine = effects[chosen]
    levels = [next(iter(parse_contrast(c).items()), ("", "")) for c in mine["contrast"]]
    found = dict(zip(levels, (row for _, row in mine.iterrows()), strict=True))
    references = {next(iter(parse_contrast(row["control"]).items()), ("", "")): row for row in found.values()}
    rows = [Row(_CONTROL, tuple(_at_control(record, model, at)))]
    for factor, names in record.levels.items():
        cells = [
            _against(found[factor, v], known, v, is_score, record.min_blocks)
            if (factor, v) in found
            else _reference(references[factor, v], known, v, is_score)
            for v in names
            if (factor, v) in found or (factor, v) in references
        ]
        rows.append(Row(factor, tuple(cells)))
    return tuple(row for row in rows if row.cells) if len(mine) else ()


def _at_control(record: RunRecord, model: str, at: tuple[str, str, str]) -> list[Cell]:
    """The control condition, which is no point of the design, where it was rendered."""
    frame = select(record, model, *at)
    for factor in record.levels:
        frame = frame[frame[factor] == record.control[factor]]
    frame = frame[frame[OBJECT] == ALL] if record.objects else frame
    held = {f: record.control[f] for f in record.levels}
    return [shown(record, model, row, words.metric(at[0]), held) for _, row in frame.iterrows()]


def _against(row: pd.Series, known: words.Metric, level: str, is_score: bool, least: int) -> Cell:
    """A level with its difference from the reference."""
    n = count(int(row["usable_n"]), int(row["n"]))
    if math.isnan(row["effect"]):
        return Cell(number(math.nan), "", n, "undefined few", known.undefined_when, level)
    kind = "few" if int(row["usable_n"]) < least else shade_of(row["level_mean"], known, is_score)
    ends = interval(row["ci_low"], row["ci_high"], known.percent)
    beside = f"{difference(row['effect'], known.percent)} {ends}"
    return Cell(number(row["level_mean"], known.percent), beside, n, kind, level=level)


def _reference(row: pd.Series, known: words.Metric, level: str, is_score: bool) -> Cell:
    """The level that the others of its factor are contrasted with: its mean beside one of them."""
    if math.isnan(row["control_mean"]):
        return Cell(number(math.nan), "", "", "undefined few", known.undefined_when, level)
    kind = f"{shade_of(row['control_mean'], known, is_score)} control"
    return Cell(number(row["control_mean"], known.percent), "reference", "", kind, level=level)
