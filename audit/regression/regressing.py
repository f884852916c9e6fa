"""One checkpoint, judged: audited on the standing scenes, held against the golden baseline and the one before it.

Both are compared where both exist: against the one before alone, a slow drift would pass for ever. What was done is
recorded, so that asking again costs nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audit.analysis import gates
from audit.analysis.verdict import EXIT_UNCOVERED, UNCOVERED
from audit.config import AuditConfig, ComparisonConfig
from audit.models.checkpoint import PACKAGED, SUFFIXES, read_card, read_checkpoint
from audit.models.errors import ModelError
from audit.regression.auditing import Auditor, read_of_card, settings_digest, with_checkpoint
from audit.regression.baselines import PREVIOUS, Baseline, read_baseline, run_of
from audit.regression.comparing import paired
from audit.regression.kept_run import KeptRun, open_run
from audit.regression.ledger import BROKEN, DONE, Held, Key, Ledger, Record, comparison_digest
from audit.regression.outcome import (
    FOLDER,
    WritePage,
    coverage_code,
    gate_table,
    judge,
    scene_notes,
    verdict_record,
    write_outcome,
)
from audit.regression.wording import alarms_first, gate_sentence
from audit.schema import ConfigError
from scenes.design import nearest
from scenes.table import TableError

GOLDEN = "golden"
NO_BASELINE = "no baseline"
USAGE = 2
# exit codes and verdicts, the worst first
_CODES = (3, 4, EXIT_UNCOVERED, 0)
_VERDICTS = (gates.REGRESSION, gates.INCONCLUSIVE, UNCOVERED, gates.PASS)
_SHOWN = 3  # alarms of a comparison that are printed


@dataclass(frozen=True)
class Suite:
    """What every checkpoint goes through. config: of the audit; model: of which the checkpoints are. say: where a line
    about waiting goes."""

    config: AuditConfig
    model: str
    auditor: Auditor
    write_page: WritePage | None = None
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr)

    @property
    def outputs(self) -> Path:
        return Path(self.config.paths.outputs)

    def of(self, checkpoint: str) -> AuditConfig:
        return with_checkpoint(self.config, self.model, checkpoint)

    def golden(self) -> Baseline | None:
        """The accepted baseline, None where there is none yet. Raises ConfigError for another name than the default
        that nothing was accepted as, since a misspelt one would compare nothing for ever; and for one that the model
        cannot be compared with, which would be found out after the audit."""
        name, folder = self.config.comparison.golden, Path(self.config.paths.baselines)
        found = read_baseline(folder, name)
        if found is None and name != ComparisonConfig.golden:
            there = [path.stem for path in folder.glob("*.json")]
            raise ConfigError(f"comparison.golden={name}: no such baseline in {folder}; {nearest(name, there)}")
        own = {self.model: self.config.models[self.model].task}
        if found is not None and not paired(known := {m: of.task for m, of in found.config.models.items()}, own):
            held, ours = (", ".join(f"{m} ({task})" for m, task in models.items()) for models in (known, own))
            raise ConfigError(
                f"comparison.golden={name} is a baseline of {held}, with which {ours} cannot be compared; accept a run"
                ' of that and name it: accept RUN as NAME reason="...", comparison.golden=NAME'
            )
        return found


@dataclass(frozen=True)
class Judged:
    """A checkpoint's record. is_known: it was there already, and nothing was done."""

    record: Record
    is_known: bool


def regress(checkpoint: str, suite: Suite, ledger: Ledger, wait: bool = True) -> Judged | None:
    """Judge a checkpoint file, unless that was done. None where another process is at it and `wait` is false.

    Raises ModelError where the file cannot be read at all, ConfigError where the golden baseline cannot be had or the
    file or a run changed meanwhile; then nothing is recorded.
    """
    own, golden = suite.of(checkpoint), suite.golden()
    key = key_of(checkpoint, own, golden)
    if (known := _known(ledger, key)) is not None:
        return Judged(known, True)
    with ledger.held(key, wait, suite.say) as is_ours:
        if not is_ours:
            return None
        if (known := _known(ledger, key)) is not None:  # the other process has done it
            return Judged(known, True)
        try:
            record = _judged(checkpoint, key, own, golden, suite, ledger)
        except FileNotFoundError as error:
            raise ConfigError(f"{error.filename or error} is gone; run the same command again") from error
        before = ledger.find(key) if record.state == BROKEN else None  # as broken as it was before
        is_known = before is not None and (before.state, before.reason) == (BROKEN, record.reason)
        return Judged(ledger.write(record), is_known)


def key_of(checkpoint: str, config: AuditConfig, golden: Baseline | None) -> Key:
    """What the record of a checkpoint is kept under. Raises ModelError where the file cannot be read."""
    path = Path(checkpoint).expanduser()
    sha256 = sha256_of(checkpoint)
    try:
        card = read_checkpoint(checkpoint)[0].card if checkpoint.startswith(PACKAGED) else read_card(path)
    except ModelError:  # the audit says so, and the checkpoint is broken
        card = {}
    return Key(sha256, settings_digest(config), comparison_digest(config.comparison, golden, read_of_card(card)))


def sha256_of(checkpoint: str) -> str:
    """sha256 of a checkpoint's bytes. Raises ModelError, with the nearest name where it is not there."""
    if checkpoint.startswith(PACKAGED):
        return read_checkpoint(checkpoint)[0].sha256
    path = Path(checkpoint).expanduser()
    if path.suffix not in SUFFIXES:
        raise ModelError(f"checkpoint {checkpoint}: no file of weights; they end in {', '.join(SUFFIXES)}")
    if not path.is_file():
        read_checkpoint(checkpoint)  # says what is the matter
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"checkpoint {checkpoint} cannot be read: {error.strerror or error}") from error


def record_lines(judged: Judged, outputs: Path) -> list[str]:
    """The last screen, at most 15 lines: verdict, each comparison, what alarmed, and what to do next.

    outputs: where the comparisons lie, of which what is said of their scenes is read."""
    record = judged.record
    again = f"; known, done {record.written[:19]}Z" if judged.is_known else ""
    lines = [f"verdict   {record.verdict}{again}", f"weights   {record.checkpoint} {record.key.sha256[:8]}"]
    if record.state == BROKEN:
        return [*lines, f"because   {record.reason}"]
    for i, held in enumerate(record.comparisons):
        if held.folder in [c.folder for c in record.comparisons[:i]]:
            lines.append(f"{held.against:<9} the same run as {record.comparisons[0].against}")
            continue
        lines.append(f"{held.against:<9} {held.verdict} against {held.baseline}: {held.sentence}")
        folder = outputs / FOLDER / held.folder
        notes = _scene_notes(folder)[-1:] if held.alarms else _scene_notes(folder)
        shown = _SHOWN - min(len(notes), 1)
        lines += [f"  {alarm}" for alarm in held.alarms[: shown - 1]]
        if len(held.alarms) >= shown:
            lines.append(f"  and {len(held.alarms) - shown + 1} more")
        lines += [f"because   {said}" for said in held.diagnosis[:1]]
        lines += [f"note      {said}" for said in notes]
        lines.append(f"compared  {folder}")
    lines += [f"note      {record.reason}"] if record.reason else []
    rendered = "" if record.rendered is None else f" ({record.rendered} scenes rendered)"
    lines.append(f"run       {outputs / record.run_id}{rendered}")
    is_accepted = any(c.against == GOLDEN and c.sha256 == record.key.sha256 for c in record.comparisons)
    if not record.is_golden or (record.verdict == gates.PASS and not is_accepted):
        lines.append(f'accept    accept {record.run_id} as {record.golden} reason="..." makes it the baseline')
    return lines


def _known(ledger: Ledger, key: Key) -> Record | None:
    """What was done. A broken checkpoint is tried again: that costs little, and its card or code may have changed."""
    found = ledger.find(key)
    return found if found is not None and found.state == DONE else None


def _judged(
    checkpoint: str, key: Key, own: AuditConfig, golden: Baseline | None, suite: Suite, ledger: Ledger
) -> Record:
    name = Path(checkpoint.removeprefix(PACKAGED)).name
    try:
        run = suite.auditor.audited(own)
    except ModelError as error:
        if sha256_of(checkpoint) != key.sha256:
            raise _changed(checkpoint) from error
        return Record(key, name, suite.model, BROKEN, BROKEN, USAGE, _one_line(error), golden=own.comparison.golden)
    if run.sha256(suite.model) != key.sha256:
        raise _changed(checkpoint)
    held, note = _comparisons(run, key, golden, suite, ledger)
    verdict, code = overall(held, coverage_code(run))
    return Record(
        key=key,
        checkpoint=name,
        model=suite.model,
        state=DONE,
        verdict=verdict,
        exit_code=code,
        reason=note,
        run_id=run.run_id,
        rendered=run.record.get("renders", {}).get("rendered"),
        golden=own.comparison.golden,
        is_golden=golden is not None,
        comparisons=tuple(held),
    )


def _comparisons(
    run: KeptRun, key: Key, golden: Baseline | None, suite: Suite, ledger: Ledger
) -> tuple[list[Held], str]:
    """What the run comes to against the golden baseline and the one before; and why not against the latter, or ''."""
    held: list[Held] = []
    baseline = None if golden is None else run_of(golden, suite.config.paths, suite.auditor, like=run.config)
    if baseline is not None:
        held.append(_held_against(GOLDEN, baseline, run, suite))
        if held[0].sha256 == key.sha256:  # it is the accepted one: what came before it is settled
            return held, ""
    before = _before(key, ledger)
    if before is None:
        return held, ""
    if baseline is not None and before.folder == baseline.folder:
        return [*held, dataclasses.replace(held[0], against=PREVIOUS)], ""
    try:
        return [*held, _held_against(PREVIOUS, before, run, suite)], ""
    except (ConfigError, TableError) as error:
        return held, f"not compared with {before.run_id}, the one before: {_one_line(error)}"


def _held_against(against: str, baseline: KeptRun, run: KeptRun, suite: Suite) -> Held:
    """Compare, and write the comparison's directory. Its weights are those of the one model it was paired with."""
    outcome = judge(baseline, run, suite.config, suite.auditor)
    folder = write_outcome(outcome, suite.outputs, suite.write_page)
    table = gate_table(outcome)
    alarmed = table[table["is_gate"] & (table["verdict"] == gates.REGRESSION)]
    return Held(
        against=against,
        baseline=baseline.run_id,
        sha256=", ".join(baseline.sha256(m) for m in outcome.comparison.models.values()),
        folder=folder.name,
        verdict=outcome.verdict,
        exit_code=outcome.exit_code,
        sentence=verdict_record(outcome, table, folder.name)["sentence"],
        alarms=tuple(gate_sentence(r) for r in alarms_first(alarmed).to_dict("records")),
        diagnosis=outcome.diagnosis,
    )


def _before(key: Key, ledger: Ledger) -> KeptRun | None:
    """The run of the checkpoint before this one, the newest that is still there and can be read."""
    for record in ledger.before(key):
        try:
            run = open_run(ledger.outputs / record.run_id)
            if run.sha256(record.model) == record.key.sha256 and run.config and len(run.scenes):
                return run
        except (ConfigError, TableError, OSError, KeyError):
            continue
    return None


def _scene_notes(folder: Path) -> list[str]:
    """What a comparison says of its scenes, at most 3 sentences; nothing where it can no longer be read."""
    try:
        return scene_notes(json.loads((folder / "verdict.json").read_text("utf-8")))
    except (OSError, ValueError):
        return []


def overall(held: list[Held], coverage: int) -> tuple[str, int]:
    """The worst of the comparisons and of the run itself."""
    codes = {coverage, *(h.exit_code for h in held)}
    verdicts = {h.verdict for h in held} | ({UNCOVERED} if coverage == EXIT_UNCOVERED else set())
    return next((v for v in _VERDICTS if v in verdicts), NO_BASELINE), next(c for c in _CODES if c in codes)


def _changed(checkpoint: str) -> ConfigError:
    return ConfigError(f"{checkpoint} changed while it was being audited; run the same command again")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
