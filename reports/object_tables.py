"""Tables of several objects, one factor at a time: rows objects, columns the conditions, one table per metric.

Beside the scores what a classifier took the object for, condition by condition, with a picture of each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from reports import words
from reports.factor_tables import Column, FactorTable, Row, overlap, select, shade_of, shown
from reports.levels import ALL
from reports.numbers import NBSP, number
from reports.pictures import Picture
from reports.run_record import RunRecord
from reports.scene_views import Gallery
from scenes.design import OBJECT

_SCORES = ("top1", "target_probability", "logit_margin")
_MOST_NAMED = 2  # wrong answers that a cell names


@dataclass(frozen=True)
class NamedCell:
    """What was named in the scenes of an object under a condition. right: share of scenes; wrong: (answer, share)."""

    picture: Picture | None
    right: str
    wrong: tuple[tuple[str, str], ...]
    more: int
    probability: str
    margin: str
    kind: str


@dataclass(frozen=True)
class NamedRow:
    thing: str
    cells: tuple[NamedCell, ...]


@dataclass(frozen=True)
class NamedTable:
    """What a classifier took each object for. groups, columns: as in FactorTable."""

    groups: tuple[tuple[str, int], ...]
    columns: tuple[Column, ...]
    rows: tuple[NamedRow, ...]


def object_tables(record: RunRecord, model: str, notes: Mapping[str, Sequence[str]]) -> list[FactorTable]:
    """One table per score of the task, and one of the primary method's attention overlap with the object."""
    scores = _SCORES if record.task == words.CLASSIFICATION else ("sensor_miss", "sensor_false_alarm")
    out = []
    for metric, method, region in (*((s, "-", "-") for s in scores), overlap(record)):
        rows = select(record, model, metric, method, region)
        if len(rows):
            out.append(_table(record, rows, words.metric(metric), method, tuple(notes.get(metric, ()))))
    return out


def named_table(record: RunRecord, gallery: Gallery, model: str) -> NamedTable | None:
    """What each object was taken for under each condition; None for a task without named answers, and of points that
    were sampled, each with an answer of its own."""
    frame = record.frame("taken_for")
    frame = frame[frame["model"] == model]
    if not len(frame) or not record.objects or record.is_sampled:
        return None
    at = conditions(record)
    groups, columns = _heads(record, at)
    rows = []
    for thing in record.objects:
        mine = frame[frame[OBJECT] == thing]
        cells = [
            _named_cell(record, gallery, model, thing, levels, _at(mine, levels), columns[i].is_edge)
            for i, levels in enumerate(at)
        ]
        rows.append(NamedRow(words.thing(thing), tuple(cells)))
    return NamedTable(groups, columns, tuple(rows))


def conditions(record: RunRecord) -> list[dict[str, str]]:
    """The control condition, then each other level of each factor with the rest at control."""
    control = {f: record.control[f] for f in record.levels}
    varied = [{**control, f: v} for f, levels in record.levels.items() for v in levels if v != control[f]]
    return [control, *varied]


def partner_note(record: RunRecord) -> str:
    """Which levels are compared with another level than control; empty where all are compared with it."""
    held: dict[tuple[str, str], list[str]] = {}
    for (factor, level), partner in record.partners.items():
        held.setdefault((factor, partner), []).append(level)
    parts = [
        f"{factor}={', '.join(levels)} {'is' if len(levels) == 1 else 'are'} compared with {partner}"
        for (factor, partner), levels in held.items()
    ]
    return f"{'; '.join(parts)}; every other level with control." if parts else ""


def _heads(
    record: RunRecord, at: Sequence[Mapping[str, str]]
) -> tuple[tuple[tuple[str, int], ...], tuple[Column, ...]]:
    groups: dict[str, int] = {"": 1}
    columns = [Column("control", False)]
    for levels in at[1:]:
        factor = next(f for f, v in levels.items() if v != record.control[f])
        columns.append(Column(levels[factor], factor not in groups))
        groups[factor] = groups.get(factor, 0) + 1
    return tuple(groups.items()), tuple(columns)


def _table(
    record: RunRecord, frame: pd.DataFrame, metric: words.Metric, method: str, notes: tuple[str, ...]
) -> FactorTable:
    at, model = conditions(record), str(frame.iloc[0]["model"])
    groups, columns = _heads(record, at)
    rows = []
    for name in (*record.objects, ALL):
        mine = frame[frame[OBJECT] == name]
        cells = []
        for levels, column in zip(at, columns, strict=True):
            found = _at(mine, levels)
            row = found.iloc[0] if len(found) else None
            cells.append(shown(record, model, row, metric, {**levels, OBJECT: name}, column.is_edge))
        head = f"mean over these {len(record.objects)} objects" if name == ALL else words.thing(name)
        rows.append(Row(head, tuple(cells), name == ALL))
    title = metric.title if method == "-" else f"{metric.title}, {words.method(method)}"
    return FactorTable(model, metric, title, "object × condition", notes, ("", ""), groups, columns, tuple(rows))


def _at(frame: pd.DataFrame, levels: Mapping[str, str]) -> pd.DataFrame:
    """The rows of one condition; a factor without a column does not count."""
    chosen = pd.Series(True, index=frame.index)
    for factor, level in levels.items():
        if factor in frame:
            chosen &= frame[factor] == level
    return frame[chosen]


def _named_cell(
    record: RunRecord,
    gallery: Gallery,
    model: str,
    thing: str,
    levels: Mapping[str, str],
    found: pd.DataFrame,
    is_edge: bool,
) -> NamedCell:
    mark = " group-edge" * is_edge + " control" * all(record.control[f] == v for f, v in levels.items())
    blocks = record.blocks_of(thing)
    cell = record.cell(levels, blocks[0]) if blocks else None
    picture = gallery.plain(cell, words.capital(words.thing(thing)))
    if not len(found):
        return NamedCell(picture, "", (), 0, "", "", f"absent{mark}")
    right = float(found.loc[found["is_right"], "share"].sum())
    wrong = found[~found["is_right"]].sort_values(["share", "answer"], ascending=[False, True], kind="stable")
    named = tuple((str(r["answer"]), number(r["share"])) for _, r in wrong.head(_MOST_NAMED).iterrows())
    kind = shade_of(right, words.metric("top1"), True)
    return NamedCell(
        picture=picture,
        right=number(right),
        wrong=named,
        more=max(len(wrong) - _MOST_NAMED, 0),
        probability=_mean(record, model, "target_probability", thing, levels),
        margin=_mean(record, model, "logit_margin", thing, levels),
        kind=kind + mark,
    )


def _mean(record: RunRecord, model: str, metric: str, thing: str, levels: Mapping[str, str]) -> str:
    rows = select(record, model, metric, "-", "-")
    rows = _at(rows, {**levels, OBJECT: thing})
    value = float(rows.iloc[0]["mean"]) if len(rows) else math.nan
    return number(value, words.metric(metric).percent).replace(" ", NBSP)
