"""Writes the two pages over many checkpoints: the history of a suite, and the development over one training."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from reports import colour_map, development, words
from reports.numbers import number
from reports.page import environment
from reports.run_record import without_home
from reports.trend_charts import legend_mark
from reports.trend_groups import GATE, ORDER, gate_title, groups, told_first

_SAID = 4  # sentences on the first screen
_HEADLINES = ("overall", "attention")


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
    models = {str(m): groups(m, values, courses, steps) for m in dict.fromkeys(values["model"])}
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
    order = values.drop_duplicates(GATE)[GATE].sort_values(GATE, key=told_first)
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
        groups=groups(model, values, order, None),
        matrix=development.matrix(values, names),
        said=_ends(values, names),
        runs=[_run(row, folder.parent.parent, "../../../") for row in rows],
        broken=[(str(r["file"]), without_home(str(r["reason"]))) for r in rows if r["reason"]],
    )


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


def _said(values: pd.DataFrame, courses: pd.DataFrame, steps: pd.DataFrame) -> list[str]:
    """The largest steps in words, newest gates first as `courses` has them."""
    said = []
    several = values["model"].nunique() > 1
    names = {(str(r["model"]), int(r["position"])): str(r["name"]) for r in values.to_dict("records")}
    for row in courses[courses["steps"] > 0].head(_SAID).to_dict("records"):
        mine = steps[(steps[GATE] == pd.Series({c: row[c] for c in GATE})).all(axis=1)]
        step = mine.sort_values("size", ascending=False).iloc[0]
        known = words.metric(str(row["metric"]))
        before = names[row["model"], max(p for m, p in names if m == row["model"] and p < step["position"])]
        of = f"{row['model']}: " if several else ""
        ends = f"{number(step['before'], known.percent)} to {number(step['after'], known.percent)}"
        way = "better" if step["is_better"] else "worse"
        said.append(f"{of}{words.capital(gate_title(pd.Series(row)))} went from {ends} after {before}: {way}.")
    return said


def _ends(values: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """How the main metrics went from the first checkpoint to the last."""
    said = []
    chosen = [k for kind in _HEADLINES for k in _metrics(values, kind)]
    for kind, metric in chosen:
        rows = values[(values["kind"] == kind) & (values["metric"] == metric)].sort_values("position")
        known, first, last = words.metric(metric), rows.iloc[0], rows.iloc[-1]
        ends = f"{number(first['mean'], known.percent)} at {first['name']} to {number(last['mean'], known.percent)}"
        said.append(f"{words.capital(gate_title(first))}: {ends} at {last['name']}.")
    return said if len(names) > 1 else []


def _metrics(values: pd.DataFrame, kind: str) -> list[tuple[str, str]]:
    """All task metrics; of attention the relevance mass accuracy, or the first there is."""
    found = sorted(
        {str(m) for m in values.loc[values["kind"] == kind, "metric"]}, key=lambda m: ORDER.get(m, len(ORDER))
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
