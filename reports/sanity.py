"""What is left of a map when weights are taken away, method by method, in words and as a line over the cascade."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from reports import figures, words
from reports.levels import ordered
from reports.numbers import interval, number
from reports.run_record import RunRecord

CASCADING, INDEPENDENT = "cascading", "independent"


@dataclass(frozen=True)
class SanityRow:
    """One method. verdict: in words; kind, icon: how it looks, where a method that could not be judged neither passes
    nor fails. cascade, independent: rank correlation over the steps, as figures."""

    method: str
    verdict: str
    kind: str
    icon: str
    similarity: str
    other_scenes: str
    at_end: str
    ssim: str
    cascade: Markup
    independent: Markup


@dataclass(frozen=True)
class SanityTable:
    """One model's methods. layers: what each step randomises, that at the output first."""

    rows: tuple[SanityRow, ...]
    layers: tuple[str, ...]
    scenes: int
    limit: str


def sanity_table(record: RunRecord, model: str) -> SanityTable | None:
    """None where the model's methods were not checked."""
    verdicts, steps = (_mine(record, name, model) for name in ("sanity_verdict", "sanity"))
    if verdicts.empty or steps.empty:
        return None
    methods = ordered(list(verdicts["method"]), [str(m) for m in record.config["attribution"]["methods"]])
    by_method = {str(row["method"]): row for _, row in verdicts.iterrows()}
    rows = [_row(by_method[m], steps[steps["method"] == m].sort_values("position"), m) for m in methods]
    first = steps[(steps["method"] == methods[0]) & (steps["randomisation"] == INDEPENDENT)].sort_values("position")
    return SanityTable(
        rows=tuple(rows),
        layers=tuple(str(text) for text in first["layers"]),
        scenes=int(verdicts["scenes"].max()),
        limit=number(float(verdicts["limit"].iloc[0]), False),
    )


def failing(record: RunRecord, model: str) -> frozenset[str]:
    """The methods, as readers know them, that fail the check on this model."""
    verdicts = _mine(record, "sanity_verdict", model)
    fails = verdicts[~verdicts["passes"].astype(bool) & verdicts["similarity"].notna()]
    return frozenset(words.method(str(m)) for m in fails["method"])


def _mine(record: RunRecord, table: str, model: str) -> pd.DataFrame:
    frame = record.frame(table)
    return frame[frame["model"] == model]


def _row(verdict: pd.Series, steps: pd.DataFrame, method: str) -> SanityRow:
    passes, limit = bool(verdict["passes"]), float(verdict["limit"])
    cascade = steps[steps["randomisation"] == CASCADING]
    alone = steps[steps["randomisation"] == INDEPENDENT]
    similarity, kind, icon = "undefined", "warn", "icon-warn"
    if not math.isnan(verdict["similarity"]):
        kind, icon = ("good", "icon-pass") if passes else ("bad", "icon-fail")
        similarity = f"{number(verdict['similarity'], False)} {interval(verdict['low'], verdict['high'], False)}"
    return SanityRow(
        method=words.method(method),
        verdict="passes" if passes else str(verdict["reason"]),
        kind=kind,
        icon=icon,
        similarity=similarity,
        other_scenes=number(verdict["other_scenes"], False),
        at_end=number(cascade["rank_correlation"].iloc[-1], False),
        ssim=number(cascade["ssim"].iloc[-1], False),
        cascade=figures.course(list(cascade["rank_correlation"]), limit),
        independent=figures.course(list(alone["rank_correlation"]), limit),
    )
