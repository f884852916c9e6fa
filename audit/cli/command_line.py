"""From what was typed to an exit code, and the one place where errors become a line on the terminal."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from audit.cli import regression_verbs, run_verbs
from audit.cli.request import INTERNAL, INTERRUPTED, OK, USAGE, Request, Verb
from audit.composition import ConfigError
from scenes.design import nearest

VERBS: Mapping[str, Verb] = {**run_verbs.VERBS, **regression_verbs.VERBS}
# flag -> the verb it stands for
FLAGS: dict[str, tuple[str, ...]] = {"--debug": (), "--help": ("help",), "-h": ("help",), "--version": ("version",)}

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


def _let_user_modules_be_found() -> None:
    """Put the current folder last on the path: a user's own module is found there, but hides none of ours."""
    here = os.getcwd()
    ours = str(Path(__file__).resolve().parents[2])
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
