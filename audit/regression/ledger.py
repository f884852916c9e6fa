"""The ledger: what was done with each checkpoint, one file each in `<paths.outputs>/regressions/`.

A record is kept under the checkpoint's sha256, the settings of its audit, and what it was held against: another
margin, or another golden baseline, makes another record. Records are whole or not there. The lock on a checkpoint is a
claim as on scenes, so it ends with its holder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit.config import ComparisonConfig
from audit.regression.baselines import Baseline
from audit.regression.outcome import FOLDER as COMPARISONS
from audit.run_directory import write_json
from scenes.claims import Claims

SCHEMA_VERSION = 1
FOLDER = "regressions"  # below paths.outputs
DONE, BROKEN = "done", "broken"
_POLL = 0.5  # s between two looks at a checkpoint that another process holds


@dataclass(frozen=True)
class Key:
    """What a record is of: weights, the settings of their audit, and how and with what they are compared."""

    sha256: str
    settings: str
    comparison: str

    @property
    def file(self) -> str:
        return f"{self.sha256}-{_digest([self.settings, self.comparison])}.json"


@dataclass(frozen=True)
class Held:
    """One comparison of a record. against: golden or previous. baseline: run id, sha256: its weights. folder: that of
    the comparison. sentence: why the verdict is what it is. alarms and diagnosis: a sentence each."""

    against: str
    baseline: str
    sha256: str
    folder: str
    verdict: str
    exit_code: int
    sentence: str = ""
    alarms: tuple[str, ...] = ()
    diagnosis: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """What was done with one checkpoint. state: done, broken. reason: where it is broken, and what else is to be said.

    run_id: its folder in the outputs. golden: the name of the baseline that it was to be held against; is_golden:
    whether there was one. rendered: scenes that its audit rendered. first: when these weights were first recorded under
    these settings, UTC, which says which checkpoint came before; written: when the record was.
    """

    key: Key
    checkpoint: str
    model: str
    state: str
    verdict: str
    exit_code: int
    reason: str = ""
    run_id: str = ""
    rendered: int | None = None
    golden: str = ""
    is_golden: bool = False
    comparisons: tuple[Held, ...] = ()
    first: str = ""
    written: str = ""


def comparison_digest(config: ComparisonConfig, golden: Baseline | None, card: Mapping[str, Any]) -> str:
    """Hash of how a checkpoint is compared, with which golden weights, and at which threshold it is read."""
    weights = [] if golden is None else [golden.entry["settings"], *sorted(golden.digests.items())]
    return _digest([asdict(config), weights, dict(card)])


class Ledger:
    """The records of an outputs folder. One object of a process holds checkpoints, since locks belong to processes."""

    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs
        self._folder = outputs / FOLDER
        self._claims = Claims(self._folder)

    def find(self, key: Key) -> Record | None:
        """The record of a key. None where there is none, or where the run or a comparison it names is gone: what
        cannot be shown is done again."""
        found = _read(self._folder / key.file)
        return found if found is not None and self._is_backed(found) else None

    def all(self) -> list[Record]:
        """Every record that can be read, in the order in which their weights were first seen."""
        found = [_read(path) for path in self._folder.glob("*.json")]
        return sorted((r for r in found if r is not None), key=lambda r: (r.first, r.written))

    def write(self, record: Record) -> Record:
        """Keep a record, whole or not at all. Returns it with its dates."""
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        dated = dataclasses.replace(record, first=self.first_seen(record.key) or now, written=now)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_json(self._folder / record.key.file, {"schema_version": SCHEMA_VERSION, **asdict(dated)})
        return dated

    def first_seen(self, key: Key) -> str:
        """When these weights were first recorded under these settings, whatever they were held against; '' if never."""
        own = [_read(path) for path in self._folder.glob(f"{key.sha256}-*.json")]
        return min((r.first for r in own if r is not None and r.key.settings == key.settings), default="")

    def before(self, key: Key) -> Iterator[Record]:
        """Records of other weights, of the same settings, done before these were first seen; the newest first."""
        limit = self.first_seen(key)
        seen: set[str] = {key.sha256}
        for record in reversed(self.all()):
            is_earlier = not limit or record.first < limit
            if record.state == DONE and record.key.settings == key.settings and is_earlier:
                if record.key.sha256 not in seen:
                    yield record
                seen.add(record.key.sha256)

    @contextlib.contextmanager
    def held(self, key: Key, wait: bool = True, say: Callable[[str], None] = print) -> Iterator[bool]:
        """Whether these weights are this process's to work on until the block ends. Where another process has them:
        with `wait` once that is done, else False."""
        place = _digest([key.sha256, key.settings])
        is_said = False
        while True:
            with self._claims.held(place) as mine:
                if mine or not wait:
                    yield mine
                    return
            if not is_said:
                say(f"waiting   another process works on {key.sha256[:8]}")
                is_said = True
            time.sleep(_POLL)

    def _is_backed(self, record: Record) -> bool:
        named = [self.outputs / record.run_id / "run.json"] if record.run_id else []
        named += [self.outputs / COMPARISONS / c.folder / "verdict.json" for c in record.comparisons]
        return all(path.is_file() for path in named)


def _read(path: Path) -> Record | None:
    """A record, or None where there is none that this version reads: then the work is done again."""
    try:
        plain = json.loads(path.read_text("utf-8"))
        if plain.pop("schema_version") != SCHEMA_VERSION:
            return None
        plain["key"] = Key(**plain["key"])
        plain["comparisons"] = tuple(_held(c) for c in plain["comparisons"])
        return Record(**plain)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _held(plain: dict[str, Any]) -> Held:
    alarms, diagnosis = (tuple(plain.pop(name)) for name in ("alarms", "diagnosis"))
    return Held(**plain, alarms=alarms, diagnosis=diagnosis)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
