"""A comparison in words and printed numbers, for the terminal, a build server and a pull request. Plain ASCII.

Numbers are printed as on the page, whose own module the audit may not use: shares in percent, their differences in
percentage points, others as they are; NaN is 'undefined', never 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from audit.analysis.gate_measures import CONDITION, MATCHED, PLACE
from audit.analysis.gates import IDENTICAL, IMPROVED, INCONCLUSIVE, PASS, REGRESSION
from audit.metrics.specs import is_percent, title
from audit.regression.confirming import CONFIRMED, NOT_CONFIRMED
from scenes.assets import ASSETS

Row = Mapping[Any, Any]  # of GATES

_JOINED = {PLACE: " of ", CONDITION: " under "}
_NAMED = 3  # gates that a sentence names


def gate_name(row: Row) -> str:
    """'missed sensors under light=back', 'missed sensors at equal false alarms'."""
    metric, kind = str(row["metric"]), str(row["kind"])
    where = str(row["where"])
    if kind == PLACE:
        where = ASSETS[where].title if where in ASSETS else where.replace("_", " ")
    return f"{title(metric)}{' at equal false alarms' if kind == MATCHED else ''}{_JOINED.get(kind, '')}" + (
        where if kind in _JOINED else ""
    )


def gate_sentence(row: Row) -> str:
    """One gate in words: what, from where to where, by how much, against which margin; of an inconclusive one also what
    would have been found."""
    metric = str(row["metric"])
    ends = f"{number(row['baseline'], metric)} -> {number(row['candidate'], metric)}"
    told = f"{row['model']}: {gate_name(row)} {ends}, worse by {change(row)}"
    if math.isfinite(row["margin"]):
        told += f", margin {margin(row)}"
    if row["verdict"] == INCONCLUSIVE and math.isfinite(row["detectable"]):
        told += f"; a worsening from {detectable(row)} on would have been found"
    if math.isfinite(row["fresh_difference"]):
        told += f"; on fresh scenes {change(row, 'fresh_difference', 'fresh_low', 'fresh_high')}"
    return told


def change(row: Row, mean: str = "difference", low: str = "ci_low", high: str = "ci_high") -> str:
    """'+2.1 pp [1.2, 3.0]': positive is worse."""
    metric = str(row["metric"])
    return f"{difference(row[mean], metric)} {interval(row[low], row[high], metric)}"


def margin(row: Row) -> str:
    metric = str(row["metric"])
    return number(row["margin"], metric).replace("%", "pp") if math.isfinite(row["margin"]) else "none"


def detectable(row: Row) -> str:
    """The smallest worsening that would be called a regression; '-' where nothing was tested."""
    return difference(row["detectable"], str(row["metric"])) if math.isfinite(row["detectable"]) else "-"


def verdict_sentence(verdict: str, reason: str, confirmation: str, why: str, table: pd.DataFrame) -> str:
    """Why the verdict is what it is, in one or two sentences. confirmation, why: state of the second look, and why it
    was not taken."""
    gating = table[table["is_gate"]]
    required = gating[gating["is_required"]]
    if verdict == PASS:
        if len(gating) and (gating["note"] == IDENTICAL).all():
            return "Every answer is the same as the baseline's."
        of = f"All {len(required)} required gates pass" if len(required) > 1 else "The required gate passes"
        return f"{of}: worse than the baseline by less than the margin, if at all."
    if reason:
        return f"{reason[:1].upper()}{reason[1:]}."
    if verdict == REGRESSION:
        alarmed = gating[gating["verdict"] == REGRESSION]
        shown = alarmed[alarmed["confirmed"] == CONFIRMED] if confirmation == CONFIRMED else alarmed
        of = f"{len(shown)} of {several(len(gating), ('gate', 'gates'))} {'is' if len(shown) == 1 else 'are'}"
        told = f"{of} worse than the baseline by more than the margin"
        told += f": {_named(shown.assign(size=shown['difference'] / shown['margin']))}."
        if not confirmation:
            return told
        told += f" {confirmation[:1].upper()}{confirmation[1:]} on fresh scenes" + (f" ({why})" if why else "")
        return f"{told}{_others(alarmed.drop(shown.index))}."
    unsure = required[required["verdict"] == INCONCLUSIVE]
    if not len(unsure):
        return "No required gate could be compared."
    named = [f"{gate_name(row)} ({row['note']})" for row in unsure.to_dict("records")]
    return f"{len(unsure)} of {len(required)} required gates could not be told: {_first(named, '; ')}."


def alarms_first(alarms: pd.DataFrame) -> pd.DataFrame:
    """Alarms as they are listed: those that fresh scenes confirm, then by how many margins they are worse."""
    keys = alarms.assign(told=alarms["confirmed"] != CONFIRMED, size=alarms["difference"] / alarms["margin"])
    return alarms.loc[keys.sort_values(["told", "size"], ascending=[True, False], kind="stable").index]


def better(table: pd.DataFrame) -> str:
    """The required gates that are better by their own interval, and how many others: 'missed sensors, Brier score; 2
    places or conditions'. '' without any. Nothing corrects for how many gates were looked at."""
    found = table[table["is_gate"] & (table["note"] == IMPROVED)]
    required = [gate_name(row) for row in found[found["is_required"]].to_dict("records")]
    others = len(found) - len(required)
    told = [_first(required)] if required else []
    told += [several(others, ("place or condition", "places or conditions"))] if others else []
    return "; ".join(told)


def _others(alarms: pd.DataFrame) -> str:
    """What fresh scenes say of the alarms that they do not confirm."""
    refuted = int((alarms["confirmed"] == NOT_CONFIRMED).sum())
    unsure = len(alarms) - refuted
    more = ("more alarm", "more alarms")
    told = [
        f"{several(count, more)} {'is' if count == 1 else 'are'} {what}"
        for count, what in ((refuted, "refuted"), (unsure, "undecided"))
        if count
    ]
    return "; " + ", ".join(told) if told else ""


def _named(rows: pd.DataFrame) -> str:
    """'missed sensors of left (+77 pp), missed sensors (+7.6 pp) and 2 more', the largest first."""
    ranked = rows.sort_values("size", ascending=False, kind="stable").to_dict("records")
    return _first([f"{gate_name(row)} ({difference(row['difference'], str(row['metric']))})" for row in ranked])


def _first(names: Sequence[str], joint: str = ", ") -> str:
    """The first of them, and how many more."""
    return joint.join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def number(value: float, metric: str, signed: bool = False) -> str:
    if not math.isfinite(value):
        return "undefined"
    sign = "-" if value < 0 else "+" if signed and value > 0 else ""
    return f"{sign}{_bare(abs(value), is_percent(metric))}" + (" %" if is_percent(metric) else "")


def difference(value: float, metric: str) -> str:
    return number(value, metric, signed=True).replace("%", "pp")


def interval(low: float, high: float, metric: str) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return "no interval"
    ends = [_bare(abs(v), is_percent(metric)) for v in (low, high)]
    signs = ["-" if v < 0 and end != "0" else "" for v, end in zip((low, high), ends, strict=True)]
    return f"[{signs[0]}{ends[0]}, {signs[1]}{ends[1]}]"


def several(count: int, what: Sequence[str]) -> str:
    """'1 gate', '2 gates' of ('gate', 'gates')."""
    return f"{count} {what[0] if count == 1 else what[1]}"


def _bare(value: float, percent: bool) -> str:
    """Of a value >= 0, without its unit; nearly all is not all, and hardly any is not none."""
    if not percent:
        decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2 if value >= 0.9995 else 3
        return "0" if value == 0 else f"{value:.{decimals}f}"
    scaled = 100 * value
    if 99.5 <= scaled < 100:
        return f"{min(scaled, 99.9):.1f}"
    if 0 < scaled < 0.05:
        return "<0.1"
    return f"{scaled:.0f}" if scaled == 0 or scaled >= 9.95 else f"{scaled:.1f}"
