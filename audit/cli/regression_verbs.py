"""The verbs about several runs: a candidate and its baseline, a folder of checkpoints, a history."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from audit.cli.request import OK, Request, Verb, check_writable
from audit.cli.run_page import run_page

if TYPE_CHECKING:
    from audit.regression.auditing import Auditor
    from audit.regression.outcome import WritePage


def _compare(request: Request) -> int:
    """Hold a candidate against its baseline: 0 pass, 3 regression, 4 inconclusive where that shall fail, 5 too few
    scenes."""
    from audit.regression import verbs

    lines, code = verbs.compare(request.arguments, request.composed, _auditor(request), _comparison_page(request))
    for line in lines:
        print(line)
    return code


def _regress(request: Request) -> int:
    """Judge one checkpoint, unless that was done: 3 and 4 as `compare`, 5 where its run lacks scenes, 2 broken."""
    from audit.regression import checkpoint_verbs

    lines, code = checkpoint_verbs.regress_one(
        request.arguments, request.composed, _auditor(request), _comparison_page(request)
    )
    for line in lines:
        print(line)
    return code


def _watch(request: Request) -> int:
    """Judge the checkpoints of a folder as they come: a line each, and the worst exit code with once=true."""
    from audit.regression import checkpoint_verbs

    def say(line: str) -> None:
        print(line, flush=True)

    return checkpoint_verbs.watch_folder(
        request.arguments, request.composed, _auditor(request), _comparison_page(request), say
    )


def _accept(request: Request) -> int:
    """Make a run a baseline, with a reason that is kept."""
    from audit.regression import checkpoint_verbs

    lines, code = checkpoint_verbs.accept(request.arguments, request.composed)
    for line in lines:
        print(line)
    return code


def _selftest(request: Request) -> int:
    """Plant faults in the configured model and see whether a comparison names them: 0 all, 1 not all."""
    from audit.regression import selftest_verb

    check_writable(selftest_verb.settings_of(request.arguments, request.composed), "paths.store")
    return selftest_verb.selftest(request.arguments, request.composed, _print_at_once)


def _print_at_once(line: str) -> None:
    """A line that need not wait for the next, minutes later, where stdout is no terminal."""
    print(line, flush=True)


def _history(request: Request) -> int:
    """Each gate over the checkpoints that were audited on the same scenes."""
    from audit.regression.history_verbs import show_history
    from reports import write_history

    config = request.composed([a for a in request.arguments if a.startswith("paths.")])
    check_writable(config, "paths.outputs")
    for line in show_history(request.arguments, request.composed, write_history):
        print(line)
    return OK


def _epochs(request: Request) -> int:
    """Audit every checkpoint of a folder, and show how the gates and failure conditions developed."""
    from audit.regression.history_verbs import show_epochs
    from reports import write_epochs

    def say(line: str) -> None:
        print(line, flush=True)

    for line in show_epochs(request.arguments, request.composed, _auditor(request), write_epochs, say):
        print(line)
    return OK


def _auditor(request: Request) -> Auditor:
    """Audits as `run` makes them, page included."""
    from audit.regression.auditing import Auditor

    config = request.composed([a for a in request.arguments if a.startswith("paths.")])
    check_writable(config, "paths.outputs", "paths.store")
    return Auditor(run_page(config.paths))


def _comparison_page(request: Request) -> WritePage:
    """Writes the page of a comparison: its folder, the baseline's run, the candidate's."""
    from reports import write_comparison

    store = Path(request.composed([a for a in request.arguments if a.startswith("paths.")]).paths.store)

    def write_page(folder: Path, baseline: Path, candidate: Path) -> None:
        write_comparison(folder, baseline, candidate, store)

    return write_page


VERBS: Mapping[str, Verb] = {
    "compare": _compare,
    "selftest": _selftest,
    "regress": _regress,
    "watch": _watch,
    "accept": _accept,
    "history": _history,
    "epochs": _epochs,
}
