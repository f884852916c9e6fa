"""Gates and findings of a comparison as rows of tables, with their intervals drawn against the margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from reports import figures, words
from reports.comparison_record import ATTENTION, CONDITION, CONFIRMED, INCONCLUSIVE, PASS, PLACE, REGRESSION, STATES
from reports.numbers import difference, interval, number
from reports.run_record import without_home

VERDICTS = {  # verdict -> (css class, icon id)
    **words.VERDICTS,
    PASS: ("good", "icon-pass"),
    REGRESSION: ("bad", "icon-fail"),
    INCONCLUSIVE: ("warn", "icon-warn"),
}
STATE_ICONS = {
    "new": ("bad", "icon-fail"),
    "persisting": ("warn", "icon-unfit"),
    "fixed": ("good", "icon-pass"),
    "not covered": ("none", "icon-none"),
}
_STATE_TEXTS = {
    "new": "A failure condition of the candidate; the baseline was judged under it and does not fail.",
    "persisting": "A failure condition of both.",
    "fixed": "A failure condition of the baseline; the candidate was judged under it and does not fail.",
    "not covered": "A failure condition of one side; the other did not judge it, or is unfit at control.",
}
_MATCHED = "matched"
_NAMED = 3  # gates that are better, as the terminal names them
_OPEN = 5  # gates of places and conditions that are shown though they did not alarm
_NO_CELL = "no cell differs"
_SMALL = 210  # px, of the bars beside findings


@dataclass(frozen=True)
class GateRow:
    """One gate as shown. fresh: what fresh scenes say of its alarm, '' without; bar: difference against the margin."""

    model: str
    name: str
    metric: words.Metric
    baseline: str
    candidate: str
    change: str
    interval: str
    bar: Markup
    margin: str
    detectable: str
    n: int
    kind: str
    icon: str
    verdict: str
    note: str
    fresh: str
    is_alarm: bool


@dataclass(frozen=True)
class GateTable:
    """rows stand open, rest behind a fold. scale: the axis of the bars, for the head of their column."""

    rows: tuple[GateRow, ...]
    rest: tuple[GateRow, ...]
    scale: Markup


@dataclass(frozen=True)
class FindingRow:
    """A failure condition with its effect in both runs. method: of what maps show, else ''; why: of what is not
    covered."""

    finding_id: str
    model: str
    sentence: str
    metric: str
    method: str
    baseline: str
    candidate: str
    bar: Markup
    why: str
    reproduce: str


@dataclass(frozen=True)
class StateGroup:
    """The findings of one state."""

    state: str
    kind: str
    icon: str
    text: str
    rows: tuple[FindingRow, ...]


def gate_name(row: pd.Series) -> str:
    """'missed sensors under light=back', 'missed sensors at equal false alarms'."""
    title, kind, where = words.metric(str(row["metric"])).title, str(row["kind"]), str(row["where"])
    if kind == _MATCHED:
        return f"{title} at equal false alarms"
    if kind == PLACE:
        return f"{title} of {words.thing(where)}"
    return f"{title} under {where}" if kind == CONDITION else title


def required(gates: pd.DataFrame) -> GateTable:
    """The gates that must pass."""
    return _table(gates[gates["is_gate"] & gates["is_required"]], 0)


def local(gates: pd.DataFrame) -> GateTable:
    """Gates of places and conditions: the alarms first, those that fresh scenes confirm before the others, then the
    largest changes, the rest behind a fold."""
    return _table(gates[gates["is_gate"] & ~gates["is_required"]], _OPEN)


def better(gates: pd.DataFrame) -> str:
    """The required gates that are better by their own interval, and how many others: 'missed sensors, Brier score; 2
    places or conditions'. '' without any. Nothing corrects for how many gates were looked at."""
    found = gates[gates["is_gate"] & (gates["note"] == "improved")]
    required = [gate_name(row) for _, row in found[found["is_required"]].iterrows()]
    others = len(found) - len(required)
    more = f" and {len(required) - _NAMED} more" if len(required) > _NAMED else ""
    told = [", ".join(required[:_NAMED]) + more] if required else []
    told += [f"{others} {'place or condition' if others == 1 else 'places or conditions'}"] if others else []
    return "; ".join(told)


def attention(gates: pd.DataFrame) -> tuple[GateRow, ...]:
    """Where maps lie, which never gates; its bars have no margin and are not drawn."""
    mine = gates[gates["kind"] == ATTENTION]
    return tuple(_row(row, figures.Axis(0.0, 1.0, 0)) for _, row in mine.iterrows())


def by_state(states: pd.DataFrame, is_covered: Sequence[str] = STATES) -> tuple[StateGroup, ...]:
    """The findings, state by state; states without one are left out."""
    axes = {percent: _effect_axis(states, percent) for percent in (True, False)}
    out = []
    for state in is_covered:
        mine = states[states["state"] == state]
        rows = tuple(_finding(row, axes) for _, row in mine.iterrows())
        if rows:
            out.append(StateGroup(state, *STATE_ICONS[state], _STATE_TEXTS[state], rows))
    return tuple(out)


def _table(gates: pd.DataFrame, opened: int) -> GateTable:
    axis = _axis(gates)
    if not opened:
        return GateTable(tuple(_row(row, axis) for _, row in gates.iterrows()), (), figures.margin_scale(axis))
    size = (gates["difference"].abs() / gates["margin"]).fillna(-1.0)
    alarmed = gates["verdict"] == REGRESSION
    ranked = gates.assign(alarmed=alarmed, is_confirmed=gates["confirmed"] == CONFIRMED, size=size)
    first = ranked.sort_values(["alarmed", "is_confirmed", "size"], ascending=False, kind="stable")
    shown = first.head(int(alarmed.sum()) + (0 if alarmed.sum() >= 2 * opened else opened))
    rest = gates.drop(shown.index)
    return GateTable(
        tuple(_row(row, axis) for _, row in shown.iterrows()),
        tuple(_row(row, axis) for _, row in rest.iterrows()),
        figures.margin_scale(axis),
    )


def _axis(gates: pd.DataFrame) -> figures.Axis:
    """In margins, so that gates of all units share it; what lies beyond is drawn as an arrow."""
    margin = gates["margin"].where(gates["margin"] > 0)
    low, high = (gates["ci_low"] / margin).min(), (gates["ci_high"] / margin).max()
    low, high = (v if math.isfinite(v) else 0.0 for v in (low, high))
    return figures.Axis(max(min(low * 1.05, -2.0), -4.0), min(max(high * 1.05, 2.5), 8.0), 264)


def _row(row: pd.Series, axis: figures.Axis) -> GateRow:
    known = words.metric(str(row["metric"]))
    kind, icon = VERDICTS.get(str(row["verdict"]), ("none", "icon-none"))
    limit, smallest = float(row["margin"]), float(row["detectable"])
    is_same = str(row["note"]) == "identical"
    worse, low, high = (0.0 if is_same else float(row[c]) for c in ("difference", "ci_low", "ci_high"))
    return GateRow(
        model=str(row["model"]),
        name=gate_name(row),
        metric=known,
        baseline=number(row["baseline"], known.percent, fine=True),
        candidate=number(row["candidate"], known.percent, fine=True),
        change=difference(row["difference"], known.percent, fine=True),
        interval=_NO_CELL if is_same else interval(row["ci_low"], row["ci_high"], known.percent, fine=True),
        bar=figures.margin_bar(worse, low, high, limit, axis, kind, known.percent) if axis.width else Markup(""),
        margin=difference(limit, known.percent, fine=True).lstrip("+") if math.isfinite(limit) else "none",
        detectable=difference(smallest, known.percent, fine=True) if math.isfinite(smallest) else "–",
        n=int(row["n"]),
        kind=kind,
        icon=icon,
        verdict=str(row["verdict"]),
        note=str(row["note"]),
        fresh=_fresh(row, known),
        is_alarm=str(row["verdict"]) == REGRESSION,
    )


def _fresh(row: pd.Series, known: words.Metric) -> str:
    """'confirmed: +12 pp [8, 16] on fresh scenes'."""
    state, again = str(row["confirmed"]), float(row["fresh_difference"])
    if not state or not math.isfinite(again):
        return f"{state} on fresh scenes" if state else ""
    span = interval(row["fresh_low"], row["fresh_high"], known.percent, fine=True)
    return f"{state} on fresh scenes: {difference(again, known.percent, fine=True)} {span}"


def _finding(row: pd.Series, axes: dict[bool, figures.Axis]) -> FindingRow:
    known = words.metric(str(row["metric"]))
    ends = {
        side: tuple(float(row[f"{side}_{c}"]) for c in ("effect", "low", "high")) for side in ("baseline", "candidate")
    }
    return FindingRow(
        finding_id=str(row["finding_id"]),
        model=str(row["model"]),
        sentence=str(row["sentence"]) or f"{known.title} under {row['condition']}",
        metric=known.title,
        method=words.method(str(row["method"])) if row["method"] != "-" else "",
        baseline=_effect(ends["baseline"], known),
        candidate=_effect(ends["candidate"], known),
        bar=figures.two_effects(ends["baseline"], ends["candidate"], axes[known.percent], known.percent),
        why=str(row["reason"]),
        reproduce=without_home(str(row["reproduce"])),
    )


def _effect(ends: tuple[float, ...], known: words.Metric) -> str:
    mean, low, high = ends
    if math.isnan(mean):
        return "not judged"
    return f"{difference(mean, known.percent)} {interval(low, high, known.percent)}"


def _effect_axis(states: pd.DataFrame, percent: bool) -> figures.Axis:
    mine = states[[words.metric(str(m)).percent == percent for m in states["metric"]]]
    columns = [f"{side}_{c}" for side in ("baseline", "candidate") for c in ("effect", "low", "high")]
    ends = [float(v) for v in mine[columns].to_numpy().ravel() if math.isfinite(v)] or [0.0, 1.0]
    return figures.Axis(min(0.0, *ends), max(0.0, *ends) * 1.04 or 1.0, _SMALL)
