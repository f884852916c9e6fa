"""Watching a folder: every new checkpoint in it is judged, in the order in which they were written.

Nothing is remembered here but what was looked at; what was judged stands in the ledger, so a watcher that is started
again, and two watchers of one folder, do nothing twice.
"""

from __future__ import annotations

import math
import stat
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from audit.analysis.criterion import AnalysisError
from audit.models.checkpoint import SUFFIXES
from audit.models.errors import ModelError
from audit.regression.ledger import BROKEN, Ledger
from audit.regression.outcome import FOLDER
from audit.regression.regressing import USAGE, Judged, Suite, regress
from audit.schema import ConfigError
from scenes.design import DesignError
from scenes.renderer import RenderError
from scenes.scene_spec import SceneError
from scenes.store import StoreError
from scenes.table import TableError

_UNFINISHED = (".tmp", ".partial", ".part")  # of a name, before or behind the suffix of a checkpoint
INTERNAL = 1
_WORST_FIRST = (3, INTERNAL, USAGE, 4, 5, 0)
# what stops one checkpoint and not the watch
_FAULTS = (
    ConfigError,
    ModelError,
    DesignError,
    SceneError,
    AnalysisError,
    RenderError,
    StoreError,
    TableError,
    OSError,
)


@dataclass(frozen=True)
class File:
    """A file at a moment: another one under its name has another of these. modified: ns."""

    size: int
    modified: int


@dataclass(frozen=True)
class Look:
    """A checkpoint at a moment. card: what lies beside its weights, None where nothing does: how they are read stands
    there, so that with another card it is another checkpoint."""

    weights: File
    card: File | None = None

    def is_written(self, settle: float) -> bool:
        """Whether nothing of it was written within the last `settle` seconds, or lies ahead of this clock."""
        now = time.time()
        return all(not 0 <= now - f.modified / 1e9 < settle for f in (self.weights, self.card) if f is not None)


@dataclass(frozen=True)
class Schedule:
    """once: only what is there now. every: s between two looks at the folder; settle: s for which a checkpoint and its
    card have to be unchanged before they are read."""

    once: bool = False
    every: float = 30.0
    settle: float = 5.0


@dataclass
class Watch:
    """A watch of one folder. looks: file -> how it looks, and since when (monotonic s). done: file -> the look that was
    judged. said: file -> the last line about it. codes: exit codes so far."""

    folder: Path
    suite: Suite
    schedule: Schedule
    say: Callable[[str], None]
    ledger: Ledger = field(init=False)
    looks: dict[Path, tuple[Look, float]] = field(default_factory=dict)
    done: dict[Path, Look] = field(default_factory=dict)
    said: dict[Path, str] = field(default_factory=dict)
    codes: set[int] = field(default_factory=lambda: {0})

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.suite.outputs)


def watch(folder: Path, suite: Suite, schedule: Schedule, say: Callable[[str], None]) -> int:
    """Judge the checkpoints of a folder and return the worst exit code; without `once`, until KeyboardInterrupt.

    Raises ConfigError where the folder is not there.
    """
    watched = Watch(folder, suite, schedule, say)
    if not folder.is_dir():
        raise ConfigError(f"checkpoints_dir={folder}: there is no such folder")
    if schedule.once:
        return _once(watched)
    while True:
        for path in _settled(watched):
            _judge(watched, path, wait=False)
        time.sleep(max(schedule.every, 0.1))


def checkpoints(folder: Path) -> Iterator[tuple[Path, Look]]:
    """The checkpoint files of a folder, the earliest written first; hidden and unfinished ones are left out."""
    found = []
    for path in folder.iterdir():
        is_unfinished = any(s.lower() in _UNFINISHED for s in path.suffixes) or path.name.startswith(".")
        if path.suffix not in SUFFIXES or is_unfinished:
            continue
        if (weights := _file(path)) is not None:
            found.append((path, Look(weights, _file(path.with_suffix(".json")))))
    yield from sorted(found, key=lambda f: (f[1].weights.modified, f[0].name))


def _file(path: Path) -> File | None:
    """None where there is none: gone meanwhile, a link to nothing, or a folder."""
    try:
        status = path.stat()
    except OSError:
        return None
    return File(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def _once(watched: Watch) -> int:
    """Everything that is there: what another process works on is waited for at the end."""
    list(_settled(watched))  # how they look now
    if watched.looks:
        time.sleep(watched.schedule.settle)
    settled = list(_settled(watched))
    waiting = [path for path in settled if not _judge(watched, path, wait=False)]
    for path in waiting:
        _judge(watched, path, wait=True)
    for path, _ in checkpoints(watched.folder):
        if path not in settled:
            watched.say(_line(path.name, "", "still being written", "left for the next time"))
    return next(code for code in _WORST_FIRST if code in watched.codes)


def _settled(watched: Watch) -> Iterator[Path]:
    """Checkpoints that are not judged yet and that nobody writes to: unchanged since they were seen `settle` seconds
    ago, card included, and written at least as long ago. A date that lies ahead of this clock says nothing."""
    try:
        found = list(checkpoints(watched.folder))
    except OSError as error:
        raise ConfigError(f"checkpoints_dir={watched.folder}: {error.strerror}") from error
    now, settle = time.monotonic(), watched.schedule.settle
    for path, look in found:
        known = watched.looks.get(path)
        if known is None or known[0] != look:
            watched.looks[path] = known = (look, now)
        if watched.done.get(path) != look and now - known[1] >= settle and look.is_written(settle):
            yield path


def _judge(watched: Watch, path: Path, wait: bool) -> bool:
    """Judge a file and say what it came to. False where another process has it: it is looked at again."""
    look = watched.looks[path][0]
    try:
        judged = regress(str(path), watched.suite, watched.ledger, wait)
    except _FAULTS as error:
        if not path.exists():  # taken away meanwhile
            return True
        # tried again at the next look: the disk, the store or the baseline may be there by then
        watched.codes.add(USAGE)
        _say(watched, path, _line(path.name, "", "not judged", " ".join(str(error).split())))
        return True
    except Exception as error:  # ours, or of the network's own code; the next checkpoint may have no part in it
        traceback.print_exc()
        watched.codes.add(INTERNAL)
        watched.done[path] = look
        _say(watched, path, _line(path.name, "", "not judged", f"internal error: {type(error).__name__}: {error}"))
        return True
    if judged is None:
        return False
    watched.done[path] = look
    watched.codes.add(judged.record.exit_code)
    _say(watched, path, judged_line(path.name, judged, watched.suite.outputs))
    return True


def judged_line(name: str, judged: Judged, outputs: Path) -> str:
    """One line: name, weights, verdict, and where the worst comparison lies."""
    record = judged.record
    known = " (known)" if judged.is_known else ""
    if record.state == BROKEN:
        return _line(name, record.key.sha256, record.verdict + known, record.reason)
    worst = sorted(record.comparisons, key=lambda c: _WORST_FIRST.index(c.exit_code))
    folder = next((outputs / FOLDER / c.folder for c in worst if c.folder), outputs / record.run_id)
    return _line(name, record.key.sha256, record.verdict + known, str(folder))


def seconds(typed: str, key: str) -> float:
    """A number of seconds as typed. Raises ConfigError."""
    try:
        found = float(typed)
    except ValueError:
        found = math.nan
    if not (math.isfinite(found) and found >= 0):
        raise ConfigError(f"{key}={typed}: expected seconds, 0 or more")
    return found


def _say(watched: Watch, path: Path, line: str) -> None:
    """A line is not said of a file twice in a row: a fault that stays is said once."""
    if watched.said.get(path) != line:
        watched.said[path] = line
        watched.say(line)


def _line(name: str, sha256: str, verdict: str, rest: str) -> str:
    return f"{name}  {sha256[:8] or '-' * 8}  {verdict}  {rest}"
