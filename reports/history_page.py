"""Writes the two pages over many checkpoints: the history of a suite, and the development over one training."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from audit.metrics.specs import SPECS
from reports import colour_map, development, words
from reports.comparison_gates import gate_name
from reports.numbers import difference, number
from reports.page import environment
from reports.run_record import without_home
from reports.trend_charts import Point, StepMark, legend_mark, trend_chart

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
_SAID = 4  # sentences on the first screen
_ORDER = {name: i for i, name in enumerate(SPECS)}
_HEADLINES = ("overall", "attention")


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


def write_history(
    folder: Path,
    experiment: str,
    values: pd.DataFrame,
    courses: pd.DataFrame,
    steps: pd.DataFrame,
    left_out: Sequence[tuple[str, str]],
) -> Path:
    """Write `<folder>/index.html` and return its path. folder: `history` in the outputs.

    values: HISTORY; courses: per gate its course, in the order in which to show them; steps: STEPS; left_out: folders
    that have no part in it, and why. Equal input gives equal bytes.
    """
    runs = values.drop_duplicates(["model", "position"]).sort_values(["model", "position"])
    models = {str(m): _groups(m, values, courses, steps) for m in dict.fromkeys(values["model"])}
    notes = sorted(set(courses["note"]) - {""})
    return _write(
        folder / "index.html",
        "history.html",
        experiment=experiment,
        models=models,
        said=_said(values, courses, steps),
        count=len(runs),
        span=(_date(str(runs["created"].min())), _date(str(runs["created"].max()))),
        unlooked=notes[0] if notes and bool((courses["note"] != "").all()) else "",
        runs=[_run(row, folder.parent, "../") for row in runs.to_dict("records")],
        left_out=[(name, without_home(reason)) for name, reason in left_out],
    )


def write_epochs(folder: Path, title: str, values: pd.DataFrame, epochs: pd.DataFrame) -> Path:
    """Write `<folder>/report/index.html` and return its path. folder: the development's, below `epochs` in the outputs.

    values: DEVELOPMENT; epochs: EPOCHS. Equal input gives equal bytes.
    """
    audited = epochs[epochs["reason"] == ""].sort_values("position")
    names = [str(name) for name in audited["name"]]
    model = str(values["model"].iloc[0])
    order = values.drop_duplicates(GATE)[GATE].sort_values(GATE, key=_told_first)
    page = folder / "report" / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    rows = epochs.sort_values("position").to_dict("records")
    return _write(
        page,
        "epochs.html",
        title=title,
        model=model,
        names=names,
        verdicts=[str(v) for v in audited["verdict"]],
        groups=_groups(model, values, order, None),
        matrix=development.matrix(values, names),
        said=_ends(values, names),
        runs=[_run(row, folder.parent.parent, "../../../") for row in rows],
        broken=[(str(r["file"]), without_home(str(r["reason"]))) for r in rows if r["reason"]],
    )


def _told_first(column: pd.Series) -> pd.Series:
    """Metrics in the order in which their specs tell them, all else by name."""
    return column.map(_ORDER).fillna(len(_ORDER)) if column.name == "metric" else column


def _write(page: Path, template: str, **held: Any) -> Path:
    html = (
        environment()
        .get_template(template)
        .render(colour_stops=colour_map.stops(), words=words, legend_mark=legend_mark, shades=range(1, 7), **held)
    )
    partial = page.with_name(f"{page.name}.{os.getpid()}.partial")
    partial.write_text(html, encoding="utf-8")
    os.replace(partial, page)
    return page


def _groups(model: object, values: pd.DataFrame, order: pd.DataFrame, steps: pd.DataFrame | None) -> tuple[Group, ...]:
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
    title = words.capital(_title(row))
    drawing = trend_chart(points, marks, title, known.percent, is_lower)
    return Chart(title, drawing, _caption(points, marks, known, is_lower), any(p.is_failure for p in points))


def _point(name: str, row: Mapping[Hashable, Any] | None) -> Point:
    """A gate at one checkpoint; undefined where it was not measured."""
    if row is None:
        return Point(name, float("nan"), float("nan"), float("nan"))
    return Point(name, row["mean"], row["ci_low"], row["ci_high"], bool(row["is_failure"]))


def _title(row: pd.Series) -> str:
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


def _said(values: pd.DataFrame, courses: pd.DataFrame, steps: pd.DataFrame) -> list[str]:
    """The largest steps in words, newest gates first as `courses` has them."""
    said = []
    several = values["model"].nunique() > 1
    names = {
        (str(r["model"]), int(r["position"])): f"{r['name']} ({r['checkpoint']})" if r["checkpoint"] else str(r["name"])
        for r in values.to_dict("records")
    }
    for row in courses[courses["steps"] > 0].head(_SAID).to_dict("records"):
        mine = steps[(steps[GATE] == pd.Series({c: row[c] for c in GATE})).all(axis=1)]
        step = mine.sort_values("size", ascending=False).iloc[0]
        known = words.metric(str(row["metric"]))
        before = names[row["model"], max(p for m, p in names if m == row["model"] and p < step["position"])]
        of = f"{row['model']}: " if several else ""
        ends = f"{number(step['before'], known.percent)} to {number(step['after'], known.percent)}"
        way = "better" if step["is_better"] else "worse"
        said.append(f"{of}{words.capital(_title(pd.Series(row)))} went from {ends} after {before}: {way}.")
    return said


def _ends(values: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """How the main metrics went from the first checkpoint to the last."""
    said = []
    chosen = [k for kind in _HEADLINES for k in _metrics(values, kind)]
    for kind, metric in chosen:
        rows = values[(values["kind"] == kind) & (values["metric"] == metric)].sort_values("position")
        known, first, last = words.metric(metric), rows.iloc[0], rows.iloc[-1]
        ends = f"{number(first['mean'], known.percent)} at {first['name']} to {number(last['mean'], known.percent)}"
        said.append(f"{words.capital(_title(first))}: {ends} at {last['name']}.")
    return said if len(names) > 1 else []


def _metrics(values: pd.DataFrame, kind: str) -> list[tuple[str, str]]:
    """All task metrics; of attention the relevance mass accuracy, or the first there is."""
    found = sorted(
        {str(m) for m in values.loc[values["kind"] == kind, "metric"]}, key=lambda m: _ORDER.get(m, len(_ORDER))
    )
    if kind != "attention":
        return [(kind, m) for m in found]
    preferred = [m for m in found if m == "relevance_mass_accuracy"] or found[:1]
    return [(kind, m) for m in preferred]


def _date(created: str) -> str:
    """'20261128T191924Z' as '2026-11-28 19:19 UTC'; anything else as it stands."""
    try:
        return f"{datetime.strptime(created, '%Y%m%dT%H%M%SZ'):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return created


def _run(row: Mapping[Any, Any], outputs: Path, up: str) -> dict[str, Any]:
    """A checkpoint of the list, with a link to its run's page where there is one."""
    run_id = str(row["run_id"])
    has_page = bool(run_id) and (outputs / run_id / "report" / "index.html").is_file()
    return {**row, "page": f"{up}{run_id}/report/index.html" if has_page else ""}
