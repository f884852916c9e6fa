"""The command line: verbs, exit codes, and the one place where errors become a line on the terminal.

Results go to stdout, errors to stderr. Verbs import what they need when they are called, so that `help` loads no torch.
"""

from __future__ import annotations

import errno
import os
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from audit import help_text
from audit.benches import BENCHES
from audit.composition import ConfigError, compose, store_of
from audit.config import AuditConfig
from scenes.design import nearest
from scenes.store import Store

if TYPE_CHECKING:
    from audit.regression.auditing import Auditor
    from audit.regression.outcome import WritePage

OK, INTERNAL, USAGE, DIFFERS, INTERRUPTED = 0, 1, 2, 3, 130
PAGE = Path("report", "index.html")  # in a run directory

# Errors that say what the user can do about them. Looked up where they are already loaded, so that catching one does
# not import torch.
_EXPLAINED = (
    ("audit.schema", "ConfigError"),
    ("scenes.design", "DesignError"),
    ("scenes.scene_spec", "SceneError"),
    ("scenes.table", "TableError"),
    ("scenes.renderer", "RenderError"),
    ("scenes.store", "StoreError"),
    ("audit.models.errors", "ModelError"),
    ("audit.analysis.criterion", "AnalysisError"),
)
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Request:
    """What was typed, taken apart. `command` is the whole of it, for the report."""

    verb: str
    arguments: tuple[str, ...]
    config_dir: Path | None
    program: str
    command: str

    def config(self) -> AuditConfig:
        return self.composed(self.arguments)

    def composed(self, settings: Sequence[str]) -> AuditConfig:
        """Some of what was typed, as a configuration."""
        return compose(settings, self.config_dir)


def main(argv: Sequence[str] | None = None, program: str = "scene-audit") -> int:
    """Run one command and return its exit code: 0, 1 internal, 2 usage or config, 5 coverage, 130 interrupted.

    program: how the command line was called, so that what is printed and kept can be pasted.
    """
    if argv is None:
        argv = sys.argv[1:]
        _let_user_modules_be_found()
    debug = "--debug" in argv
    try:
        request = _request(argv, program)
        return VERBS[request.verb](request)
    except KeyboardInterrupt:
        return _say(INTERRUPTED, "interrupted; run the same command again to go on")
    except BrokenPipeError:
        _hush()
        return OK
    except Exception as error:
        if debug:
            traceback.print_exc()
        line = _explanation(error)
        if line is not None:
            return _say(USAGE, line)
        return _say(INTERNAL, f"internal error: {type(error).__name__}: {error}; traceback in {_log(argv, program)}")


def _run(request: Request) -> int:
    config = request.config()
    _check_writable(config, "paths.outputs", "paths.store")
    from audit import pipeline
    from reports import write_report

    def write_page(folder: Path) -> None:
        write_report(folder, Path(config.paths.store))

    outcome = pipeline.run(config, request.command, finish=write_page)
    for line in outcome.summary_lines:
        print(line)
    print(f"report    {outcome.run_dir / PAGE}")
    return outcome.exit_code


def _plan(request: Request) -> int:
    from audit.estimate import plan

    for line in plan(request.config()):
        print(line)
    return OK


def _render(request: Request) -> int:
    config = request.config()
    _check_writable(config, "paths.store")
    from audit import pipeline

    return pipeline.render(config)


def _show(request: Request) -> int:
    """Write a scene of the store out to be looked at: `show SCENE_ID [paths.store=DIR]`."""
    named = [a for a in request.arguments if "=" not in a]
    if len(named) != 1:
        raise ConfigError(
            "show takes the id of one scene, or its beginning: show SCENE_ID; scenes.csv of a run has them"
        )
    config = compose([a for a in request.arguments if "=" in a], request.config_dir)
    _check_writable(config, "paths.outputs")
    from reports import write_scene

    store = Store(Path(config.paths.store))
    scene_id = store.find(named[0])
    for line in write_scene(store, scene_id, Path(config.paths.outputs) / "scenes" / scene_id):
        print(line)
    return OK


def _verify(request: Request) -> int:
    """Render a sample of the designs' scenes again and compare it with the store, byte by byte."""
    from audit.verification import verification_table

    table = verification_table(request.config())
    print(table.to_string(index=False, float_format=lambda v: f"{v:.3g}"))
    same = int((table["result"] == "same").sum())
    print(f"{same} of {len(table)} scenes are byte by byte what this machine renders now")
    return OK if same == len(table) else DIFFERS


def _preprocessing(request: Request) -> int:
    """Feed some scenes otherwise, and say of each model whether it is fed best as configured."""
    config = request.config()
    _check_writable(config, "paths.store")
    from audit.loading import load_models
    from audit.stages import refeeding

    table = refeeding.render_and_refeed(config, load_models(config))
    print(refeeding.printed(table))
    for line in refeeding.conclusions(table):
        print(line)
    return OK


def _train(request: Request) -> int:
    config = request.config()
    _check_writable(config, "training.checkpoint", "paths.store")
    from audit import training

    return training.train(config)


def _sanity(request: Request) -> int:
    """Randomise each model's layers step by step and say which methods' maps stay as they were."""
    config = request.config()
    _check_writable(config, "paths.store")
    from audit.stages.randomising import sanity_lines

    for line in sanity_lines(config):
        print(line)
    return OK


def _report(request: Request) -> int:
    """Write a run's page again: `report [RUN_DIRECTORY] [paths.store=DIR]`."""
    folders = [a for a in request.arguments if "=" not in a]
    if len(folders) > 1:
        raise ConfigError(f"report takes one run directory, not {len(folders)}: {' '.join(folders)}")
    typed = [a for a in request.arguments if "=" in a]
    if others := [a for a in typed if not a.startswith("paths.")]:
        raise ConfigError(f"report takes a run directory and paths alone, not {others[0]}")
    paths = compose(typed, request.config_dir).paths
    folder = Path(folders[0]).expanduser() if folders else Path(paths.outputs) / "latest"
    if not (folder / "run.json").is_file():
        raise ConfigError(f"{folder} is no finished run: it has no run.json; `run` makes one")
    is_typed = any(a.startswith("paths.store=") for a in typed)
    from reports import write_report

    print(f"report    {write_report(folder, Path(paths.store if is_typed else store_of(folder)))}")
    return OK


def _compare(request: Request) -> int:
    """Hold a candidate against its baseline: 0 pass, 3 regression, 4 inconclusive where that shall fail."""
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

    _check_writable(selftest_verb.settings_of(request.arguments, request.composed), "paths.store")
    return selftest_verb.selftest(request.arguments, request.composed, request.command, _print_at_once)


def _print_at_once(line: str) -> None:
    """A line that need not wait for the next, minutes later, where stdout is no terminal."""
    print(line, flush=True)


def _history(request: Request) -> int:
    """Each gate over the checkpoints that were audited on the same scenes."""
    from audit.regression.history_verbs import show_history
    from reports import write_history

    config = request.composed([a for a in request.arguments if a.startswith("paths.")])
    _check_writable(config, "paths.outputs")
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
    from reports import write_report

    config = request.composed([a for a in request.arguments if a.startswith("paths.")])
    _check_writable(config, "paths.outputs", "paths.store")
    store = Path(config.paths.store)

    def write_page(folder: Path) -> None:
        write_report(folder, store)

    return Auditor(request.command, write_page)


def _comparison_page(request: Request) -> WritePage:
    """Writes the page of a comparison: its folder, the baseline's run, the candidate's."""
    from reports import write_comparison

    store = Path(request.composed([a for a in request.arguments if a.startswith("paths.")]).paths.store)

    def write_page(folder: Path, baseline: Path, candidate: Path) -> None:
        write_comparison(folder, baseline, candidate, store)

    return write_page


def _doctor(request: Request) -> int:
    from audit import doctor

    findings = doctor.examine(request.config())
    for finding in findings:
        print(finding.line())
    return OK if all(f.ok for f in findings) else USAGE


def _version(request: Request) -> int:
    try:
        print(version("scene-audit"))
    except PackageNotFoundError:
        print("not installed: used from its folder")
    return OK


def _help(request: Request) -> int:
    for line in help_text.lines(request.program, request.config_dir):
        print(line)
    return OK


def _bench(request: Request) -> int:
    """Measure: `bench noise|assets|render [key=value ...]`."""
    subjects = [a for a in request.arguments if "=" not in a]
    if len(subjects) != 1 or subjects[0] not in BENCHES:
        typed = " ".join(["bench", *subjects])
        hint = nearest(subjects[0], BENCHES) if len(subjects) == 1 else f"valid: {', '.join(BENCHES)}"
        raise ConfigError(f"{typed}: what is to be measured? {hint}")
    config = compose([a for a in request.arguments if "=" in a], request.config_dir)
    _check_writable(config, "paths.store")
    for line in BENCHES[subjects[0]](config):
        print(line, flush=True)
    return OK


VERBS: dict[str, Callable[[Request], int]] = {
    "run": _run,
    "plan": _plan,
    "render": _render,
    "show": _show,
    "verify": _verify,
    "preprocessing": _preprocessing,
    "train": _train,
    "bench": _bench,
    "sanity": _sanity,
    "report": _report,
    "compare": _compare,
    "selftest": _selftest,
    "regress": _regress,
    "watch": _watch,
    "accept": _accept,
    "history": _history,
    "epochs": _epochs,
    "doctor": _doctor,
    "version": _version,
    "help": _help,
}


# flag -> the verb it stands for
FLAGS: dict[str, tuple[str, ...]] = {"--debug": (), "--help": ("help",), "-h": ("help",), "--version": ("version",)}


def _request(argv: Sequence[str], program: str) -> Request:
    """The verb, its arguments and the flags. Raises ConfigError for a flag or verb that does not exist."""
    words: list[str] = []
    config_dir: Path | None = None
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name == "--config-dir":
            if not equals and not rest:
                raise ConfigError("--config-dir takes a folder: --config-dir DIR")
            config_dir = Path(value if equals else rest.pop(0)).expanduser()
        elif word in FLAGS:
            words[:0] = FLAGS[word]
        elif word.startswith("-"):
            raise ConfigError(f"{word}: there is no such flag; {nearest(word, [*FLAGS, '--config-dir'])}")
        else:
            words.append(word)
    if not words:
        raise ConfigError(f"what is to be done? {program} VERB key=value ...; verbs: {', '.join(VERBS)}")
    if "=" in words[0]:
        raise ConfigError(f"{words[0]}: the verb comes first: {program} run {shlex.join(words)}")
    if words[0] not in VERBS:
        raise ConfigError(f"{words[0]}: there is no such verb; {nearest(words[0], VERBS)}")
    command = f"{program} {shlex.join(argv)}"
    return Request(words[0], tuple(words[1:]), config_dir, program, command)


def _check_writable(config: AuditConfig, *keys: str) -> None:
    """Make the folders and write into them, before any work is done. Raises ConfigError with the key and the reason."""
    for key in keys:
        group, name = key.split(".")
        path = Path(getattr(getattr(config, group), name))
        folder = path.parent if key == "training.checkpoint" else path
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(
                f"{key}={path}: cannot be written ({reason}); choose another folder with {key}=..."
            ) from error


def _let_user_modules_be_found() -> None:
    """Put the current folder last on the path: a user's own module is found there, but hides none of ours."""
    here = os.getcwd()
    ours = str(Path(__file__).resolve().parent.parent)
    if here != ours:
        sys.path[:] = [p for p in sys.path if p not in ("", here)] + [here]


def _explanation(error: Exception) -> str | None:
    """The line for an error that the user can act on, or None where it is ours."""
    for module, name in _EXPLAINED:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            return str(error)
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        return f"{error.filename or 'the disk'}: {error.strerror}; choose another with paths.outputs or paths.store"
    return None


def _hush() -> None:
    """Let nothing more be written to a reader that has gone: `scene-audit help | head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _log(argv: Sequence[str], program: str) -> Path:
    """Write the current traceback to a file and return its path: in the outputs folder, else a temporary one."""
    text = f"{program} {shlex.join(argv)}\n\n{traceback.format_exc()}"
    folder = next((a.partition("=")[2] for a in reversed(argv) if a.startswith("paths.outputs=")), "outputs")
    path = Path(folder).expanduser() / "error.log"
    try:
        path.write_text(text, "utf-8")
    except OSError:
        path = Path(tempfile.gettempdir()) / "scene-audit-error.log"
        path.write_text(text, "utf-8")
    return path


def _say(code: int, line: str) -> int:
    print("scene-audit: " + " ".join(line.split()), file=sys.stderr)
    return code
