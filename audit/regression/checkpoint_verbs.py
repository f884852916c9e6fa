"""The verbs that take checkpoints one by one, without the terminal: `regress`, `watch`, and `accept`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from audit.analysis.gates import REGRESSION
from audit.analysis.verdict import EXIT_UNCOVERED, UNFIT
from audit.config import AuditConfig
from audit.regression.auditing import Auditor, only_model
from audit.regression.baselines import accept as accept_run
from audit.regression.baselines import checked_name, read_baseline
from audit.regression.kept_run import KeptRun, open_run
from audit.regression.ledger import DONE, Ledger
from audit.regression.outcome import WritePage, coverage_code
from audit.regression.regressing import Suite, record_lines, regress
from audit.regression.sides import find_folder
from audit.regression.verbs import Composer, Words, taken_apart
from audit.regression.watching import Schedule, seconds, watch
from audit.schema import ConfigError

ACCEPT = 'accept RUN as NAME reason="..."'


def regress_one(
    arguments: Sequence[str], compose: Composer, auditor: Auditor, write_page: WritePage | None
) -> tuple[list[str], int]:
    """`regress checkpoint=FILE [confirm=false] [key=value ...]`."""
    words = taken_apart(arguments, ("checkpoint",))
    checkpoint = words.needed("checkpoint", "regress checkpoint=FILE")
    config = compose(words.settings)
    ledger = Ledger(Path(config.paths.outputs))
    judged = regress(checkpoint, _suite(config, words, auditor, write_page), ledger)
    assert judged is not None  # it was waited for
    return record_lines(judged, ledger.outputs), judged.record.exit_code


def watch_folder(
    arguments: Sequence[str],
    compose: Composer,
    auditor: Auditor,
    write_page: WritePage | None,
    say: Callable[[str], None],
) -> int:
    """`watch checkpoints_dir=DIR [once=true] [every=30] [settle=5] [key=value ...]`: a line per checkpoint."""
    words = taken_apart(arguments, ("checkpoints_dir", "once", "every", "settle"))
    folder = Path(words.needed("checkpoints_dir", "watch checkpoints_dir=DIR")).expanduser()
    typed = words.own.get("once", "false").lower()
    if typed not in ("true", "false"):
        raise ConfigError(f"once={words.own['once']}: expected true or false")
    schedule = Schedule(
        once=typed == "true",
        **{key: seconds(words.own[key], key) for key in ("every", "settle") if key in words.own},
    )
    config = compose(words.settings)
    return watch(folder, _suite(config, words, auditor, write_page), schedule, say)


def accept(arguments: Sequence[str], compose: Composer) -> tuple[list[str], int]:
    """`accept RUN as NAME reason="..." [paths.baselines=DIR]`."""
    words = taken_apart(arguments, ("reason",), bare=3)
    if words.own.get("1") != "as" or "2" not in words.own:
        raise ConfigError(f"which run, as which baseline? {ACCEPT}")
    name = checked_name(words.own["2"])
    others = [s for s in words.settings if not s.startswith(("paths.", "experiment="))]
    if others:
        raise ConfigError(f"accept takes a run, a name, a reason and paths alone, not {others[0]}: {ACCEPT}")
    paths = compose([s for s in words.settings if s.startswith("paths.")]).paths
    outputs, folder = Path(paths.outputs), Path(paths.baselines)
    found = find_folder(words.own["0"], outputs)
    if found is None:
        raise ConfigError(f"{words.own['0']}: neither a run directory, nor the name of one in {outputs}")
    run, old = open_run(found), read_baseline(folder, name)
    kept = accept_run(run, name, words.own.get("reason", ""), folder)
    weights = ", ".join(f"{m} {run.models[m].get('checkpoint')} {digest[:8]}" for m, digest in kept.digests.items())
    lines = [f"accepted  {run.run_id} as {name}: {weights}"]
    if old is not None:
        lines.append(f"replaced  {old.run_id}, accepted {old.entry['accepted'][:10]}: {old.entry['reason']}")
    if coverage_code(run) == EXIT_UNCOVERED:
        lines.append("note      too few of its scenes could be used; what they would show is not compared")
    lines += [f"note      {said}" for said in _doubts(run, outputs)]
    return [*lines, f"kept      {folder / name}.json; put it under version control"], 0


def _doubts(run: KeptRun, outputs: Path) -> Iterator[str]:
    """What speaks against a run as a baseline: it is accepted all the same, since a reason was given."""
    models = json.loads((run.folder / "verdict.json").read_text("utf-8")).get("models", {})
    for name in (n for n, m in models.items() if m.get("verdict") == UNFIT):
        yield f"{name} is unfit at control in this run"
    judged = [r for r in Ledger(outputs).all() if r.run_id == run.run_id and r.state == DONE]
    if judged and judged[-1].verdict == REGRESSION:
        yield "its checkpoint was judged a regression"


def _suite(config: AuditConfig, words: Words, auditor: Auditor, write_page: WritePage | None) -> Suite:
    return Suite(config, only_model(config, words.model), auditor, write_page)
