"""What a comparison comes to: the verdict, its exit code, and the directory that holds the evidence.

`<outputs>/comparisons/<utc>-<experiment>/`: verdict.json, gates and finding_states as Parquet and CSV, junit.xml,
summary.md, and the page. One function decides the verdict; everything else renders it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audit.analysis import gates
from audit.analysis.finding_states import STATES
from audit.analysis.verdict import EXIT_UNCOVERED, UNCOVERED
from audit.composition import defaults
from audit.config import AuditConfig, ComparisonConfig
from audit.regression.auditing import Auditor
from audit.regression.comparing import Comparison, compare_runs, gate_rows
from audit.regression.confirming import CONFIRMED, NOT_CONFIRMED, NOT_TRIED, UNDECIDED, Confirmation, confirm
from audit.regression.diagnosing import diagnose
from audit.regression.kept_run import KeptRun
from audit.regression.wording import alarms_first, better, gate_name, gate_sentence, verdict_sentence
from audit.run_directory import run_directory, write_json
from audit.schema import show
from audit.tables import FINDING_STATES, GATES

SCHEMA_VERSION = 1
FOLDER = "comparisons"  # below paths.outputs
PAGE = Path("report", "index.html")  # in a comparison's directory
OK, REGRESSION, INCONCLUSIVE = 0, 3, 4
_SIDES = ("baseline", "candidate")
_LACKING = "In the {}'s run only"  # so begins what is said of a run that lacks scenes

# the finished folder, and the runs compared -> a page in it; given by the command line
WritePage = Callable[[Path, Path, Path], None]


@dataclass(frozen=True)
class Outcome:
    """A judged comparison. reason: why the verdict is not what the gates alone would say; '' where it is.

    diagnosis: what would explain an alarm, a sentence each. rules: what it was judged by, of ComparisonConfig. lacking:
    a sentence for each run of which too few scenes could be used.
    """

    comparison: Comparison
    confirmation: Confirmation
    verdict: str
    exit_code: int
    reason: str = ""
    diagnosis: tuple[str, ...] = ()
    rules: Mapping[str, Any] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()


def judge(baseline: KeptRun, candidate: KeptRun, config: AuditConfig, auditor: Auditor) -> Outcome:
    """Compare two runs, look for what explains an alarm, and try it on fresh scenes. Raises ConfigError where they
    share nothing, or what a run came to cannot be read."""
    found = compare_runs(baseline, candidate, config.comparison)
    lacking = tuple(_lacking(found))
    diagnosis = diagnose(found, config, auditor)
    return outcome_of(found, confirm(found, config, auditor), config.comparison, diagnosis, lacking)


def outcome_of(
    comparison: Comparison,
    confirmation: Confirmation,
    config: ComparisonConfig,
    diagnosis: Sequence[str] = (),
    lacking: Sequence[str] = (),
) -> Outcome:
    """The verdict. A regression counts once it is confirmed on fresh scenes, or where that was switched off; one that
    they refute is inconclusive. One on which they say neither, or that could not be tried again, is inconclusive too
    but never waved through: exit code 4. Nor is anything where a run lacks scenes: exit code 5."""
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
    if lacking and code == OK:
        code = EXIT_UNCOVERED
        if verdict == gates.PASS:
            verdict, reason = UNCOVERED, "the gates pass, but too few scenes of a run could be used"
    return Outcome(comparison, confirmation, verdict, code, reason, tuple(diagnosis), asdict(config), tuple(lacking))


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
    shared, notes = [vars(s) for s in found.shared], [*outcome.lacking, *found.notes]
    first = _about_scenes(notes, shared)
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
        "shared": shared,
        "notes": [*first, *(n for n in notes if n not in first)],
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
    alarmed = alarms_first(gating[gating["verdict"] == gates.REGRESSION])
    unsure = gating[(gating["verdict"] == gates.INCONCLUSIVE) & gating["is_required"]]
    shown = alarmed if len(alarmed) else unsure
    lines += [f"  {row['verdict']:<12} {gate_sentence(row)}" for row in shown.head(4).to_dict("records")]
    if len(shown) > 4:
        lines.append(f"  and {len(shown) - 4} more")
    if named := better(table):
        lines.append(f"better    {named} (each by its own 95 % interval)")
    lines += [f"because   {said}" for said in record["diagnosis"][:2]]
    lines += [f"note      {note}" for note in record["notes"][:3]]
    page = folder / PAGE
    return [*lines, f"compared  {folder}", *([f"report    {page}"] if page.is_file() else [])]


def scene_notes(record: Mapping[str, Any]) -> list[str]:
    """Of the notes of a verdict.json those on what was compared at all: scenes that a run lacks, and cells that are not
    in both. They come first."""
    return _about_scenes(record["notes"], record["shared"])


def coverage_code(run: KeptRun) -> int:
    """0, or 5 where too few scenes of the run could be used. Raises ConfigError."""
    return int(run.verdict.get("exit_code", OK))


def _about_scenes(notes: Sequence[str], shared: Sequence[Mapping[str, Any]]) -> list[str]:
    partly = [s for s in shared if s["shared"] < max(s["baseline"], s["candidate"])]
    begin = [_LACKING.format(side) for side in _SIDES] + [f"{s['scene_set']}: {s['shared']} cell" for s in partly]
    return [note for note in notes if note.startswith(tuple(begin))]


def _lacking(found: Comparison) -> Iterator[str]:
    for side, run in zip(_SIDES, (found.baseline, found.candidate), strict=True):
        if coverage_code(run) == EXIT_UNCOVERED:
            counted = run.verdict["coverage"]
            yield f"{_LACKING.format(side)} {counted['usable']} of {counted['planned']} cells could be used."


def _again(found: Comparison, rules: Mapping[str, Any]) -> list[str]:
    """What is typed for the same comparison: the runs, which stay what they are, and the rules that were typed."""
    words = [f"baseline={found.baseline.run_id}", f"candidate={found.candidate.run_id}"]
    held, shipped = _flat(rules), _shipped()
    words += [f"comparison.{k}={show(v)}" for k, v in held.items() if k not in shipped or v != shipped[k]]
    return words + [f"~comparison.{k}" for k in shipped if k not in held]


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Any]:
    """The rules where nothing is typed."""
    return _flat(defaults()["comparison"])


def _flat(rules: Mapping[str, Any]) -> dict[str, Any]:
    """Rules by the name under which they are typed: 'alpha', 'margins.sensor_miss'."""
    flat: dict[str, Any] = {}
    for name, value in rules.items():
        flat |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, Mapping) else {name: value}
    return flat


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
