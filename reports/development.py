"""What a failure condition did over the checkpoints of a training: a row of the matrix, and a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from audit.metrics.specs import SPECS
from reports import words
from reports.numbers import difference, interval

SHADES = 7  # of the page's scale, lightest first
CONDITION = "condition"
NO_CELL = "–"


@dataclass(frozen=True)
class Cell:
    """A condition at one checkpoint. kind: the css class; text: its effect, hint: the interval and whether it fails."""

    kind: str
    text: str
    hint: str


@dataclass(frozen=True)
class Row:
    """A condition that fails at one checkpoint at least, judged by one metric."""

    metric: words.Metric
    condition: str
    sentence: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    """Failure conditions over checkpoints. never: how many conditions were judged and fail nowhere; largest: effect
    that has the darkest shade."""

    names: tuple[str, ...]
    rows: tuple[Row, ...]
    never: int
    largest: str


def matrix(values: pd.DataFrame, names: Sequence[str]) -> Matrix:
    """values: DEVELOPMENT of one model. names: of the checkpoints that could be audited, in order."""
    conditions = values[(values["kind"] == CONDITION) & values["metric"].isin(list(SPECS))]  # no interventions
    failing = conditions[conditions["is_failure"]]
    top = (
        {p: max(failing.loc[_percents(failing) == p, "effect"].max(), 0.0) for p in (True, False)}
        if len(failing)
        else {}
    )
    rows = []
    keys = list(conditions.groupby(["metric", "where"], sort=True))
    for (metric, where), group in keys:
        if group["is_failure"].any():
            known = words.metric(str(metric))
            of = {str(r["name"]): r for r in group.to_dict("records")}
            cells = tuple(_cell(of.get(name), known, top[known.percent]) for name in names)
            rows.append((group, Row(known, str(where), _sentence(of, names, known, str(where)), cells)))
    rows.sort(key=lambda r: -float(r[0].loc[r[0]["is_failure"], "effect"].max()))
    rows.sort(key=lambda r: r[1].metric.title)
    largest = difference(top[True], True) if top.get(True) else ""
    return Matrix(tuple(names), tuple(row for _, row in rows), len(keys) - len(rows), largest)


def fate(fails: Sequence[bool], names: Sequence[str]) -> str:
    """What became of a failure condition, judged at the checkpoints `names`: 'appears at epoch_12'."""
    stretches = [(is_failing, len(list(run))) for is_failing, run in groupby(fails)]
    shape = [is_failing for is_failing, _ in stretches]
    if shape == [True]:
        return "fails from the first checkpoint to the last" if len(names) > 1 else f"fails at {names[0]}"
    first = list(fails).index(True)
    if shape == [True, False]:
        gone = stretches[0][1]
        return f"fails up to {names[gone - 1]}, and no longer from {names[gone]} on"
    if shape == [False, True]:
        return f"appears at {names[first]}" + (" and stays" if first < len(names) - 1 else ", the last checkpoint")
    if shape == [False, True, False]:
        gone = first + stretches[1][1]
        return f"appears at {names[first]} and is gone from {names[gone]} on"
    at = [name for name, yes in zip(names, fails, strict=True) if yes]
    told = ", ".join(at) if len(at) <= 6 else f"{', '.join(at[:5])} and {len(at) - 5} more"
    return f"comes and goes: fails at {told}, {len(at)} of {len(names)} checkpoints"


def _percents(rows: pd.DataFrame) -> pd.Series:
    return rows["metric"].map(lambda metric: words.metric(str(metric)).percent)


def _cell(row: dict | None, metric: words.Metric, largest: float) -> Cell:
    if row is None or math.isnan(row["effect"]):
        return Cell("absent", NO_CELL, "not judged")
    told = difference(row["effect"], metric.percent)
    span = f"{told} {interval(row['effect_low'], row['effect_high'], metric.percent)}"
    if not row["is_failure"]:
        return Cell("absent", told, f"{span}, no failure condition")
    share = min(max(row["effect"] / largest, 0.0), 1.0) if largest > 0 else 0.0
    return Cell(f"shade-{min(1 + int(share * (SHADES - 1)), SHADES - 1)}", told, f"{span}, a failure condition")


def _sentence(of: dict, names: Sequence[str], metric: words.Metric, condition: str) -> str:
    """'missed sensors under light=back: appears at epoch_12; effect +3 pp at epoch_2, +23 pp at epoch_12'."""
    judged = [name for name in names if name in of and not math.isnan(of[name]["effect"])]
    told = fate([bool(of[name]["is_failure"]) for name in judged], judged)
    ends = [f"{difference(of[n]['effect'], metric.percent)} at {n}" for n in dict.fromkeys((judged[0], judged[-1]))]
    left = f"; not judged at {len(names) - len(judged)}" if len(judged) < len(names) else ""
    return f"{metric.title} under {condition}: {told}; effect {', '.join(ends)}{left}."
