"""The verbs that look over many checkpoints, without the terminal: `history` and `epochs`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from audit.analysis.gate_measures import ATTENTION
from audit.analysis.trend import GATE, trends
from audit.regression.auditing import Auditor, only_model
from audit.regression.epochs import WriteEpochs, audit_epochs, checkpoints_of, printed, write_development
from audit.regression.history import History, LeftOut, history
from audit.regression.verbs import Composer, taken_apart
from audit.regression.wording import difference, gate_name, number
from audit.regression.wording import several as several_of
from audit.schema import ConfigError
from audit.tables import HISTORY, STEPS

FOLDER = "history"  # below paths.outputs
MAX_LINES = 25
_LAST = 6  # values that a line shows
_NAMES = 3  # reasons that are told of what was left out

# folder, experiment, HISTORY, trends, STEPS, (folder, reason) of what was left out -> the page's path
WriteHistory = Callable[[Path, str, pd.DataFrame, pd.DataFrame, pd.DataFrame, Sequence[tuple[str, str]]], Path]


def show_history(arguments: Sequence[str], compose: Composer, write_page: WriteHistory) -> list[str]:
    """`history [model=NAME] [key=value ...]`: a line per gate, most interesting first, and the page."""
    words = taken_apart(arguments, ())
    config = compose(words.settings)
    free = ("experiment=", "model=", "paths.", "comparison.")
    is_exact = any(not s.startswith(free) for s in words.settings)
    found = history(Path(config.paths.outputs), config, words.model, is_exact)
    courses, steps = trends(found.values)
    left_out = [(o.folder, o.reason) for o in found.left_out]
    with _published(Path(config.paths.outputs)) as (folder, final):
        HISTORY.write(found.values, folder, csv=True)
        STEPS.write(steps, folder, csv=True)
        page = write_page(folder, found.experiment, found.values, courses, steps, left_out)
    return [*_lines(found, courses, steps), f"page      {final / page.name}"]


def show_epochs(
    arguments: Sequence[str],
    compose: Composer,
    auditor: Auditor,
    write_page: WriteEpochs,
    say: Callable[[str], None],
) -> list[str]:
    """`epochs folder=DIR [model=NAME] [key=value ...]`: a line per checkpoint as it is done, and the page."""
    words = taken_apart(arguments, ("folder",))
    folder = Path(words.needed("folder", "epochs folder=DIR model=NAME")).expanduser()
    files = checkpoints_of(folder)
    config = compose(words.settings)
    model = only_model(config, words.model)
    found = audit_epochs(files, config, model, auditor, say)
    if not len(found.values):
        first = found.epochs.iloc[0]
        raise ConfigError(f"{folder}: none of {len(files)} checkpoints could be audited; {first.file}: {first.reason}")
    final = write_development(found, Path(config.paths.outputs), folder.resolve().name, write_page)
    return [*printed(found), f"epochs    {final}"]


@contextmanager
def _published(outputs: Path) -> Iterator[tuple[Path, Path]]:
    """Yield (the folder to write to, the folder it will be in); each file takes the place of the one before, whole.

    Every process writes aside, so that two at once do not meet. A killed one's folder is removed by the next run.
    """
    final, aside = outputs / FOLDER, outputs / f".{FOLDER}.{os.getpid()}.partial"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside, final
        final.mkdir(exist_ok=True)
        for path in sorted(
            aside.iterdir(), key=lambda p: p.suffix == ".html"
        ):  # the page last, when its tables are there
            os.replace(path, final / path.name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _lines(found: History, courses: pd.DataFrame, steps: pd.DataFrame) -> list[str]:
    """At most MAX_LINES - 1 lines."""
    runs = found.values.drop_duplicates(["model", "position"])
    several = runs["model"].nunique() > 1
    counted = several_of(len(runs), ("checkpoint", "checkpoints"))
    beside = courses["kind"] == ATTENTION
    courses = pd.concat([courses[~beside], courses[beside]])
    gated = several_of(int((~beside).sum()), ("gate", "gates"))
    told = "; attention, which never gates, below them" if beside.any() else ""
    lines = [f"history   {counted}, experiment {found.experiment}, {gated}{told}"]
    waiting = sorted(set(courses["note"]) - {""})
    lines += [f"steps     not looked for: {waiting[0]}"] if len(waiting) == 1 and courses["note"].all() else []
    notes = _notes(found.left_out)
    room = MAX_LINES - 1 - len(lines) - len(notes)
    shown = courses if len(courses) <= room else courses.head(room - 1)
    called = {(str(r["model"]), int(r["position"])): str(r["name"]) for r in runs.to_dict("records")}
    gates = dict(iter(found.values.groupby(list(GATE), sort=False)))
    rows = shown.to_dict("records")
    of = dict(iter(steps.groupby(list(GATE), sort=False))) if len(steps) else {}
    width = max((len(_title(row, several)) for row in rows), default=0)
    for row in rows:
        key = tuple(row[c] for c in GATE)
        told = _steps(of.get(key), called, row)
        lines.append(f"  {_title(row, several):<{width}}  {_course(row, gates[key], called)}{told}".rstrip())
    if len(shown) < len(courses):
        lines.append(f"  and {len(courses) - len(shown)} more, on the page")
    return [*lines, *notes]


def _title(row: Mapping[Any, Any], several: bool) -> str:
    return (f"{row['model']}: " if several else "") + gate_name(row)


def _course(row: Mapping[Any, Any], values: pd.DataFrame, called: Mapping[tuple[str, int], str]) -> str:
    """First, last and best value, and where no step says what happened the last few."""
    metric = str(row["metric"])
    last = values.sort_values("position")["mean"].dropna().tail(_LAST)
    ends = f"{number(row['first'], metric)} -> {number(row['last'], metric)}"
    best = f"best {number(row['best'], metric)} at {called.get((row['model'], row['best_position']), '-')}"
    unit = " %" if number(0.0, metric).endswith("%") else ""
    tail = "" if row["steps"] else f"last {' '.join(number(v, metric).removesuffix(unit) for v in last)}"
    return f"{ends:<18} {best:<24} {tail}"


def _steps(steps: pd.DataFrame | None, called: Mapping[tuple[str, int], str], row: Mapping[Any, Any]) -> str:
    """'step after 3f2a91c0: +4.1 pp, worse'."""
    if steps is None:
        return ""
    told = []
    for step in steps.sort_values("position").to_dict("records"):
        before = max(p for m, p in called if m == row["model"] and p < step["position"])
        way = difference(step["after"] - step["before"], str(row["metric"]))
        told.append(f"step after {called[row['model'], before]}: {way}, {'better' if step['is_better'] else 'worse'}")
    return "; ".join(told)


def _notes(left_out: Sequence[LeftOut]) -> list[str]:
    """A line per reason: the folder it is true of, or how many."""
    by_reason: dict[str, list[str]] = {}
    for one in left_out:
        by_reason.setdefault(one.reason, []).append(one.folder)
    named = [f"left out  {f[0] if len(f) == 1 else f'{len(f)} folders'}: {why}" for why, f in by_reason.items()]
    more = len(named) - _NAMES
    return [*named[:_NAMES], f"  and {more} more reasons, on the page"] if more > 0 else named
