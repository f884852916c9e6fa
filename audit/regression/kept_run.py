"""Finished runs, found and read again: the only way in which regression runs see an audit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from audit.config import AuditConfig
from audit.run_directory import RUN_SCHEMA
from audit.schema import ConfigError, convert
from scenes.manifest import SCENES
from scenes.table import Table

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a folder of runs is read often; the same in C takes an eighth


@dataclass(frozen=True)
class KeptRun:
    """A finished run directory. record: run.json. Tables are read when they are asked for; scenes and config once."""

    folder: Path
    record: Mapping[str, Any]

    @property
    def run_id(self) -> str:
        return str(self.record["run_id"])

    @property
    def models(self) -> Mapping[str, Mapping[str, Any]]:
        """Model -> its entry in run.json: task, scene_set, checkpoint, sha256, preprocessing, threshold, card ..."""
        found: Mapping[str, Mapping[str, Any]] = self.record.get("models", {})
        return found

    @cached_property
    def config(self) -> AuditConfig:
        """The configuration the run had. Raises ConfigError where this version cannot read it."""
        path = self.folder / "config.yaml"
        try:
            found: AuditConfig = convert(yaml.load(path.read_text("utf-8"), _LOADER), AuditConfig, "")
        except (OSError, yaml.YAMLError, ConfigError) as error:
            raise ConfigError(f"{path} cannot be read by this version: {error}") from error
        return found

    @cached_property
    def scenes(self) -> pd.DataFrame:
        """SCENES of the run; attrs["factors"] names its factors."""
        return SCENES.read(self.folder)

    def table(self, table: Table) -> pd.DataFrame:
        """Raises TableError where the run has not written it, or in another schema."""
        return table.read(self.folder)

    def sha256(self, model: str) -> str:
        return str(self.models[model].get("sha256", ""))

    @cached_property
    def verdict(self) -> Mapping[str, Any]:
        """verdict.json: what the run's audit came to. Raises ConfigError."""
        path = self.folder / "verdict.json"
        try:
            found: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read: {error}; run the same command again") from error
        return found

    def is_unfit(self, model: str) -> bool:
        """Whether a model falls below its floor at the control condition, so that its contrasts tell nothing."""
        entry = self.verdict.get("models", {}).get(model, {})
        return any(f.get("value") is not None and not f.get("ok", True) for f in entry.get("control", ()))

    @cached_property
    def scenes_digest(self) -> str:
        """Hash of which cells there are and what they show: equal where two runs can be compared whole."""
        shown = self.scenes[["cell_id", "scene_id"]].sort_values("cell_id")
        text = "\n".join(f"{cell} {scene}" for cell, scene in shown.itertuples(index=False))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def open_run(folder: Path) -> KeptRun:
    """A finished run directory. Raises ConfigError, one line, where it is none, or one of a newer version."""
    path = folder / "run.json"
    try:
        record = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        what = "there is no such folder" if not folder.exists() else "it has no run.json, so it is no finished run"
        raise ConfigError(f"{folder}: {what}; runs are folders of paths.outputs") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if record.get("schema_version") != RUN_SCHEMA:
        raise ConfigError(f"{path} has schema {record.get('schema_version')}, this version reads {RUN_SCHEMA}")
    return KeptRun(folder.resolve(), record)


def runs_in(outputs: Path) -> Iterator[KeptRun]:
    """Every finished audit of an outputs folder, oldest first; what is no run, or unreadable, is passed over."""
    for path in sorted(outputs.glob("*/run.json"), key=lambda p: p.parent.name):
        if path.parent.is_symlink() or path.parent.name.startswith("."):
            continue
        try:
            yield open_run(path.parent)
        except ConfigError:
            continue
