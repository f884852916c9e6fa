"""Gates over checkpoints as groups of charts: kind by kind, each gate drawn with its numbers in words below."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from audit.metrics.specs import SPECS
from reports import words
from reports.comparison_gates import gate_name
from reports.numbers import difference, number
from reports.trend_charts import Point, StepMark, trend_chart

GATE = ["model", "kind", "metric", "where"]
_GROUPS: Mapping[str, tuple[str, str, int]] = {  # kind -> heading, what it is about, how many stand open
    "overall": ("Over all scenes", "Task metrics over every scene that shows the object.", 99),
    "intervention": (
        "What object and shadow cause",
        "From scenes with the object, its shadow, or both taken away.",
        99,
    ),
    "attention": (
        "Attention overlap",
        "Where the primary method's maps lie on the object. They inform and never gate; whether the method earned such"
        " numbers stands on each run's own page.",
        4,
    ),
    "place": ("Sensor by sensor, or object by object", "The same metrics, of one place alone.", 4),
    "condition": ("Under single conditions", "The same metrics under one level, or two. Filled points fail.", 6),
}
_OF_RUN = ("overall", "intervention")  # kinds that the page of one run shows whatever happened
ORDER = {name: i for i, name in enumerate(SPECS)}


@dataclass(frozen=True)
class Chart:
    """One gate, drawn. caption: its numbers in words."""

    title: str
    drawing: Markup
    caption: str
    is_failing: bool


@dataclass(frozen=True)
class Group:
    """The charts of one kind: shown stand open, rest behind a fold."""

    anchor: str
    title: str
    note: str
    shown: tuple[Chart, ...]
    rest: tuple[Chart, ...]


def groups(model: object, values: pd.DataFrame, order: pd.DataFrame, steps: pd.DataFrame | None) -> tuple[Group, ...]:
    """The charts of one model, kind by kind, within a kind in the order of `order`."""
    own = values[values["model"] == model]
    names = own.drop_duplicates("position").sort_values("position").set_index("position")["name"]
    gates = dict(iter(own.groupby(GATE, sort=False)))
    marks = dict(iter(steps.groupby(GATE, sort=False))) if steps is not None and len(steps) else {}
    out = []
    for kind, (title, note, opened) in _GROUPS.items():
        keys = [tuple(k) for k in order[GATE].itertuples(index=False) if tuple(k) in gates and k[1] == kind]
        charts = [_chart(gates[key], names, marks.get(key)) for key in keys]
        charts.sort(key=lambda c: not c.is_failing)
        if charts:
            out.append(Group(kind, title, note, tuple(charts[:opened]), tuple(charts[opened:])))
    return tuple(out)


def of_run(history: pd.DataFrame, steps: pd.DataFrame, model: str) -> tuple[Group, ...]:
    """What the page of one run shows of the checkpoints before it: required gates, and what fails at one of them.

    history, steps: HISTORY and STEPS as the run keeps them, the model's last checkpoint being its own.
    """
    own = history[history["model"] == model]
    fails = own[own["is_failure"]].drop_duplicates(GATE)[GATE].apply(tuple, axis=1)
    shown = own["kind"].isin(_OF_RUN) | own[GATE].apply(tuple, axis=1).isin(list(fails))
    order = own[shown].drop_duplicates(GATE)[GATE].sort_values(GATE, key=told_first)
    return groups(model, own, order, steps)


def _chart(gate: pd.DataFrame, names: pd.Series, steps: pd.DataFrame | None) -> Chart:
    row = gate.iloc[0]
    known, is_lower = words.metric(str(row["metric"])), bool(row["is_lower_better"])
    of = {int(r["position"]): r for r in gate.to_dict("records")}
    index = {int(position): i for i, position in enumerate(names.index)}
    points = [_point(str(name), of.get(position)) for position, name in zip(index, names, strict=True)]
    marks = [
        StepMark(index[s["position"]], s["before"], s["after"], bool(s["is_better"]))
        for s in (steps.sort_values("position").to_dict("records") if steps is not None else [])
    ]
    title = words.capital(gate_title(row))
    drawing = trend_chart(points, marks, title, known.percent, is_lower)
    return Chart(title, drawing, _caption(points, marks, known, is_lower), any(p.is_failure for p in points))


def _point(name: str, row: Mapping[Hashable, Any] | None) -> Point:
    """A gate at one checkpoint; undefined where it was not measured."""
    if row is None:
        return Point(name, float("nan"), float("nan"), float("nan"))
    return Point(name, row["mean"], row["ci_low"], row["ci_high"], bool(row["is_failure"]))


def gate_title(row: pd.Series) -> str:
    if row["kind"] == "attention":
        return f"{words.metric(str(row['metric'])).title} on the object, {words.method(str(row['where']))}"
    return gate_name(row)


def _caption(points: Sequence[Point], steps: Sequence[StepMark], metric: words.Metric, is_lower: bool) -> str:
    there = [p for p in points if p.mean == p.mean]
    if not there:
        return "Undefined at every checkpoint."
    best = (min if is_lower else max)(there, key=lambda p: p.mean)
    told = f"{number(there[0].mean, metric.percent)} at {there[0].name}"
    if len(there) > 1:
        told += f", {number(there[-1].mean, metric.percent)} at {there[-1].name}"
        told += f"; best {number(best.mean, metric.percent)} at {best.name}"
    for step in steps:
        way = difference(step.after - step.before, metric.percent)
        told += f"; step after {points[step.index - 1].name}: {way}, {'better' if step.is_better else 'worse'}"
    return f"{told}."


def told_first(column: pd.Series) -> pd.Series:
    """Metrics in the order in which their specs tell them, all else by name."""
    return column.map(ORDER).fillna(len(ORDER)) if column.name == "metric" else column
