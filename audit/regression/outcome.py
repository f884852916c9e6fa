"""What a comparison comes to: the verdict, its exit code, and the directory that holds the evidence.

`<outputs>/comparisons/<utc>-<experiment>/`: verdict.json, gates and finding_states as Parquet and CSV, junit.xml,
summary.md, and the page. One function decides the verdict; everything else renders it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audit.analysis import gates
from audit.analysis.finding_states import STATES
from audit.config import ComparisonConfig
from audit.regression.comparing import Comparison, gate_rows
from audit.regression.confirming import CONFIRMED, NOT_CONFIRMED, NOT_TRIED, UNDECIDED, Confirmation
from audit.regression.kept_run import KeptRun
from audit.regression.wording import gate_name, gate_sentence, verdict_sentence
from audit.run_directory import run_directory, write_json
from audit.schema import show
from audit.tables import FINDING_STATES, GATES

SCHEMA_VERSION = 1
FOLDER = "comparisons"  # below paths.outputs
PAGE = Path("report", "index.html")  # in a comparison's directory
OK, REGRESSION, INCONCLUSIVE = 0, 3, 4

# the finished folder, and the runs compared -> a page in it; given by the command line
WritePage = Callable[[Path, Path, Path], None]


@dataclass(frozen=True)
class Outcome:
    """A judged comparison. reason: why the verdict is not what the gates alone would say; '' where it is.

    diagnosis: what would explain an alarm, a sentence each. rules: what it was judged by, of ComparisonConfig.
    """

    comparison: Comparison
    confirmation: Confirmation
    verdict: str
    exit_code: int
    reason: str = ""
    diagnosis: tuple[str, ...] = ()
    rules: Mapping[str, Any] = field(default_factory=dict)


def outcome_of(
    comparison: Comparison,
    confirmation: Confirmation,
    config: ComparisonConfig,
    diagnosis: Sequence[str] = (),
) -> Outcome:
    """The verdict. A regression counts once it is confirmed on fresh scenes, or where that was switched off; one that
    they refute is inconclusive. One on which they say neither, or that could not be tried again, is inconclusive too
    but never waved through: exit code 4."""
    verdict, reason = comparison.verdict, ""
    code = {gates.PASS: OK, gates.REGRESSION: REGRESSION}.get(verdict, _of_inconclusive(config))
    if verdict == gates.REGRESSION and confirmation.state == NOT_CONFIRMED:
        verdict, code = gates.INCONCLUSIVE, _of_inconclusive(config)
        reason = "an alarm was raised on the standing scenes, and fresh ones show it to be within the margins"
    elif verdict == gates.REGRESSION and confirmation.state == UNDECIDED:
        verdict, code = gates.INCONCLUSIVE, INCONCLUSIVE
        reason = f"an alarm was raised, and fresh scenes neither confirm nor refute it: {confirmation.reason}"
    elif verdict == gates.REGRESSION and confirmation.state == NOT_TRIED and config.confirm:
        verdict, code = gates.INCONCLUSIVE, INCONCLUSIVE
        reason = f"an alarm was raised and could not be tried on fresh scenes: {confirmation.reason}"
    return Outcome(comparison, confirmation, verdict, code, reason, tuple(diagnosis), asdict(config))


def gate_table(outcome: Outcome) -> pd.DataFrame:
    """GATES with what fresh scenes say of each alarm."""
    table = gate_rows(outcome.comparison)
    second = outcome.confirmation.comparison
    if second is None:
        return table
    fresh = {(m, c.gate): c for m, rows in second.compared.items() for c in rows}
    names = ("fresh_difference", "fresh_low", "fresh_high")
    for i, (model, c) in enumerate((m, c) for m, rows in outcome.comparison.compared.items() for c in rows):
        again = fresh.get((model, c.gate))
        if c.verdict != gates.REGRESSION:
            continue
        states = {gates.REGRESSION: CONFIRMED, gates.PASS: NOT_CONFIRMED}
        table.loc[i, "confirmed"] = UNDECIDED if again is None else states.get(again.verdict, UNDECIDED)
        if again is not None:
            table.loc[i, list(names)] = again.difference
            table.loc[i, "fresh_p"] = again.p_holm
    return table


def write_outcome(outcome: Outcome, outputs: Path, write_page: WritePage | None = None) -> Path:
    """Write the comparison's directory, whole or not at all, and return it."""
    from audit.regression.exports import junit_xml, markdown_summary

    found = outcome.comparison
    with run_directory(outputs / FOLDER, found.candidate.config.experiment) as (folder, final):
        table = gate_table(outcome)
        GATES.write(table, folder, csv=True)
        FINDING_STATES.write(found.states, folder, csv=True)
        record = verdict_record(outcome, table, final.name)
        write_json(folder / "verdict.json", record)
        (folder / "junit.xml").write_text(junit_xml(record, table), "utf-8")
        (folder / "summary.md").write_text(markdown_summary(record, table, found.states), "utf-8")
        if write_page is not None:
            write_page(folder, found.baseline.folder, found.candidate.folder)
    return final


def verdict_record(outcome: Outcome, table: pd.DataFrame, comparison_id: str) -> dict[str, Any]:
    """verdict.json of a comparison."""
    found, gating = outcome.comparison, table[table["is_gate"]]
    return {
        "schema_version": SCHEMA_VERSION,
        "comparison_id": comparison_id,
        "verdict": outcome.verdict,
        "exit_code": outcome.exit_code,
        "reason": outcome.reason,
        "sentence": verdict_sentence(
            outcome.verdict, outcome.reason, outcome.confirmation.state, outcome.confirmation.reason, table
        ),
        "improved": [gate_name(row) for row in gating[gating["note"] == gates.IMPROVED].to_dict("records")],
        "alarms": [_alarm(row) for row in gating[gating["verdict"] == gates.REGRESSION].to_dict("records")],
        "diagnosis": list(outcome.diagnosis),
        "baseline": _side(found.baseline),
        "candidate": _side(found.candidate),
        "models": dict(found.models),
        "shared": [vars(s) for s in found.shared],
        "notes": list(found.notes),
        "gates": {v: int((gating["verdict"] == v).sum()) for v in (gates.PASS, gates.REGRESSION, gates.INCONCLUSIVE)},
        "findings": {state: int((found.states["state"] == state).sum()) for state in STATES},
        "confirmation": {
            "state": outcome.confirmation.state,
            "reason": outcome.confirmation.reason,
            "seed": outcome.confirmation.seed,
        },
        "rules": dict(outcome.rules),
        "again": _again(found, outcome.rules),
    }


def summary_lines(record: Mapping[str, Any], table: pd.DataFrame, folder: Path) -> list[str]:
    """The last screen, at most 15 lines: verdict, what alarmed or could not be told, findings, where it is kept."""
    lines = [f"verdict   {record['verdict']}" + (f": {record['reason']}" if record["reason"] else "")]
    counts = ", ".join(f"{n} {v}" for v, n in record["gates"].items() if n)
    lines.append(
        f"gates     {counts or 'none'}; findings {', '.join(f'{n} {s}' for s, n in record['findings'].items())}"
    )
    gating = table[table["is_gate"]]
    alarmed = gating[gating["verdict"] == gates.REGRESSION].sort_values("difference", ascending=False)
    unsure = gating[(gating["verdict"] == gates.INCONCLUSIVE) & gating["is_required"]]
    shown = alarmed if len(alarmed) else unsure
    lines += [f"  {row['verdict']:<12} {gate_sentence(row)}" for row in shown.head(4).to_dict("records")]
    if len(shown) > 4:
        lines.append(f"  and {len(shown) - 4} more")
    if record["improved"]:
        lines.append(f"improved  {', '.join(record['improved'][:4])}")
    lines += [f"because   {said}" for said in record["diagnosis"][:2]]
    lines += [f"note      {note}" for note in record["notes"][:2]]
    page = folder / PAGE
    return [*lines, f"compared  {folder}", *([f"report    {page}"] if page.is_file() else [])]


def _again(found: Comparison, rules: Mapping[str, Any]) -> list[str]:
    """What is typed for the same comparison: the runs, which stay what they are, and the rules that were typed."""
    words = [f"baseline={found.baseline.run_id}", f"candidate={found.candidate.run_id}"]
    shipped = asdict(ComparisonConfig())
    typed = [k for k, v in rules.items() if not isinstance(v, dict) and v != shipped[k]]
    return words + [f"comparison.{k}={show(rules[k])}" for k in typed]


def _of_inconclusive(config: ComparisonConfig) -> int:
    return INCONCLUSIVE if config.inconclusive == "fail" else OK


def _alarm(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    """A row of GATES for verdict.json, with its name in words; NaN, which JSON has not, is null."""
    kept = ("model", "kind", "metric", "where", "baseline", "candidate", "difference", "ci_low", "ci_high", "margin")
    fresh = ("confirmed", "fresh_difference", "fresh_low", "fresh_high")
    told = {k: (None if isinstance(row[k], float) and np.isnan(row[k]) else row[k]) for k in (*kept, *fresh)}
    return {"gate": gate_name(row), **told}


def _side(run: KeptRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "experiment": run.config.experiment,
        "scenes": run.scenes_digest,
        "renders": run.record.get("renders", {}).get("rendered"),
        "models": {
            name: {"checkpoint": entry.get("checkpoint"), "sha256": entry.get("sha256")}
            for name, entry in run.models.items()
        },
    }
