"""Accepted baselines: `<paths.baselines>/<name>.json`, a small file to be kept under version control.

It says which run and which weights a candidate is held against, who they replaced and why. It holds the configuration
too, so that its checkpoint can be audited again where the run is not kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from audit.config import PICTURES, AuditConfig, PathsConfig
from audit.models.checkpoint import SUFFIXES
from audit.models.errors import ModelError
from audit.regression.auditing import Auditor, digest_of, find_run, placed, settings_digest
from audit.regression.comparing import paired
from audit.regression.kept_run import KeptRun, open_run
from audit.run_directory import write_json
from audit.schema import ConfigError, convert

SCHEMA_VERSION = 1
PREVIOUS = "previous"  # what `regress` calls the checkpoint before; no baseline may have its name
_TAKEN = (PREVIOUS, "latest")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LEFT_OUT = ("paths", "training", "comparison", "renderer")  # sections of a configuration that are of here and now


@dataclass(frozen=True)
class Baseline:
    """An accepted baseline. entry: what its file says."""

    name: str
    entry: Mapping[str, Any]

    @property
    def run_id(self) -> str:
        return str(self.entry["run_id"])

    @property
    def digests(self) -> dict[str, str]:
        """Model -> sha256 of its weights."""
        return {str(model): str(kept["sha256"]) for model, kept in self.entry["models"].items()}

    @property
    def config(self) -> AuditConfig:
        """The configuration of its run. Raises ConfigError where this version cannot read it."""
        plain = self.entry["configs"][self.entry["settings"]]
        try:
            found: AuditConfig = convert(plain, AuditConfig, "")
        except ConfigError as error:
            raise ConfigError(f"baseline {self.name}: its settings cannot be read by this version: {error}") from error
        paths = {model: kept["path"] for model, kept in self.entry["models"].items()}
        models = {m: dataclasses.replace(found.models[m], checkpoint=path) for m, path in paths.items()}
        return dataclasses.replace(found, models=models, experiment=str(self.entry["experiment"]))


def checked_name(name: str) -> str:
    """A name that a file can have and that means nothing else. Raises ConfigError."""
    if not _NAME.fullmatch(name) or name in _TAKEN or Path(name).suffix in SUFFIXES:
        raise ConfigError(
            f"{name!r} cannot name a baseline: letters, digits, '.', '_' and '-', not {' or '.join(_TAKEN)}, and no"
            " ending of a checkpoint"
        )
    return name


def read_baseline(folder: Path, name: str) -> Baseline | None:
    """The baseline of that name, None where none was accepted. Raises ConfigError where its file cannot be read."""
    if not _NAME.fullmatch(name):
        return None
    path = folder / f"{name}.json"
    try:
        entry = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"baseline {path} cannot be read: {error}; restore it from version control") from error
    if not isinstance(entry, dict) or entry.get("schema_version") != SCHEMA_VERSION:
        found = entry.get("schema_version") if isinstance(entry, dict) else None
        raise ConfigError(f"baseline {path} has schema {found}, this version reads {SCHEMA_VERSION}")
    if lacking := [k for k in ("models", "run_id", "experiment", "settings", "configs") if k not in entry]:
        raise ConfigError(f"baseline {path} does not say its {', '.join(lacking)}; restore it from version control")
    return Baseline(name, entry)


def accept(run: KeptRun, name: str, reason: str, folder: Path) -> Baseline:
    """Make a run the baseline of that name; the one it replaces is kept under `former`, its reason too.

    Raises ConfigError for a name or reason that cannot be, for a run without ground truth, and where it cannot be kept.
    """
    checked_name(name)
    if not reason.strip():
        raise ConfigError(f'why is it accepted? accept RUN as {name} reason="..."; the reason is kept')
    if PICTURES in run.config.designs:
        raise ConfigError(f"{run.run_id} has no ground truth, so nothing can be held against it; accept another run")
    entry, config = _entry(run, reason.strip()), _plain_config(run)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            old = read_baseline(folder, name)
            kept = dict(old.entry) if old is not None else {}
            former, configs = kept.pop("former", []), kept.pop("configs", {})
            entry["former"] = [_said(kept), *former] if kept else []
            entry["configs"] = {**configs, entry["settings"]: config}
            write_json(folder / f"{name}.json", {"schema_version": SCHEMA_VERSION, "name": name, **entry})
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"paths.baselines={folder}: cannot be written ({reason}); choose another folder") from error
    return Baseline(name, entry)


def run_of(baseline: Baseline, paths: PathsConfig, auditor: Auditor, like: AuditConfig | None = None) -> KeptRun:
    """The run of a baseline: its own, or one of equal settings and weights, or its checkpoint audited again.

    like: whose scenes it shall be on. Where the baseline was accepted on others, its checkpoint is audited on these,
    fed as it was; where that cannot be done its run is given as it is. Raises ConfigError with the remedy.
    """
    outputs = Path(paths.outputs)
    own = _own_run(baseline, outputs)
    wanted = placed(baseline.config if like is None else _on_scenes_of(baseline.config, like), paths)
    if own is not None and _shows_the_same(own.config, wanted):
        return own
    digests = {model: baseline.digests[model] for model in wanted.models}
    found = find_run(outputs, settings_digest(wanted), digests)
    if found is not None:
        return found
    fault = _not_there(wanted, digests)
    if not fault:
        again = auditor.audited(wanted)
        fault = "; ".join(f"{m} now has other weights" for m in digests if again.sha256(m) != digests[m])
        if not fault:
            return again
    if own is not None:
        return own
    raise ConfigError(
        f"baseline {baseline.name}: its run {baseline.run_id} is not in {outputs} and cannot be made again: {fault};"
        f' put the run or the checkpoint back, or accept another: accept RUN as {baseline.name} reason="..."'
    )


def _entry(run: KeptRun, reason: str) -> dict[str, Any]:
    models = {
        name: {
            "checkpoint": entry.get("checkpoint"),
            "path": run.config.models[name].checkpoint,  # as config.yaml has it: relative, or with ~
            "sha256": entry.get("sha256"),
        }
        for name, entry in run.models.items()
    }
    return {
        "models": models,
        "run_id": run.run_id,
        "experiment": run.config.experiment,
        "scenes": run.scenes_digest,
        "settings": settings_digest(run.config),
        "accepted": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "reason": reason,
    }


def _said(kept: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in kept.items() if key not in ("schema_version", "name")}


def _plain_config(run: KeptRun) -> dict[str, Any]:
    """The run's configuration as its file has it, without what is not the baseline's."""
    plain = yaml.safe_load((run.folder / "config.yaml").read_text("utf-8"))
    return {key: value for key, value in plain.items() if key not in _LEFT_OUT}


def _own_run(baseline: Baseline, outputs: Path) -> KeptRun | None:
    """The very run that was accepted, where it is kept, of these weights and readable."""
    try:
        run = open_run(outputs / baseline.run_id)
        is_it = all(run.models.get(m, {}).get("sha256") == sha for m, sha in baseline.digests.items())
        return run if is_it and run.config else None
    except ConfigError:
        return None


def _tasks(config: AuditConfig) -> dict[str, str]:
    return {name: model.task for name, model in config.models.items()}


def _on_scenes_of(own: AuditConfig, like: AuditConfig) -> AuditConfig:
    """The configuration `like`, with the baseline's models as they were fed: those that are compared with one of
    `like`. As it is where none is."""
    shared = {old: own.models[old] for old in paired(_tasks(own), _tasks(like)).values()}
    return dataclasses.replace(like, models=shared) if shared else own


def _shows_the_same(own: AuditConfig, wanted: AuditConfig) -> bool:
    """Whether a run of `own` has every scene that `wanted` asks for."""
    alike = ("seed", "camera", "studio", "robot")
    if any(getattr(own, name) != getattr(wanted, name) for name in alike):
        return False
    return all(own.designs.get(name) == design for name, design in wanted.designs.items())


def _not_there(config: AuditConfig, digests: Mapping[str, str]) -> str:
    """Why the checkpoints of a configuration cannot be audited as those digests, or ''."""
    for model, wanted in digests.items():
        try:
            found = digest_of(config, model)
        except ModelError as error:
            return str(error)
        if found and found != wanted:
            return f"{config.models[model].checkpoint} has other weights than those accepted"
    return ""


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time changes the baselines of a folder; the system drops the lock with its holder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: the later of two wins
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
