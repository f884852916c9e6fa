"""A small regression suite: one real audit on few scenes, and an auditor that makes others of it at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import safetensors.torch
import torch

from audit.composition import compose, dump
from audit.config import AuditConfig
from audit.regression.auditing import checkpoint_of, find_run, read_of_card, settings_digest
from audit.regression.kept_run import KeptRun, open_run
from audit.regression.regressing import Suite
from audit.run_directory import run_directory

DESIGN = (
    "experiment=regression",
    "design.name=small",
    "design.seeds=8",
    "design.factors.relation=[distinct]",
    "design.factors.light=[front,back]",
    "design.factors.cast_shadow=[soft]",
    "design.samples=1",
    "comparison.confirm=false",
    "comparison.diagnose=false",
)


def settings(root: Path, *more: str) -> list[str]:
    """What is typed for the small suite in a folder: its own outputs and baselines."""
    return [*DESIGN, f"paths.outputs={root / 'outputs'}", f"paths.baselines={root / 'baselines'}", *more]


def shipped() -> dict[str, torch.Tensor]:
    return safetensors.torch.load((files("audit") / "checkpoints" / "proximity.safetensors").read_bytes())


def write_checkpoint(path: Path, seed: int = 0) -> Path:
    """Weights that load: those that are shipped, moved by next to nothing, so that every seed has its own digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    moved = {key: value + seed * 1e-7 for key, value in shipped().items()}
    path.write_bytes(safetensors.torch.save(moved))
    return path


@dataclass
class CopyingAuditor:
    """Audits as Auditor does, but a new run is a copy of one that is kept.

    asked: the checkpoints audited; faulty: those whose answers are all wrong; lacking: those whose runs lack scenes."""

    kept: Path
    asked: list[str] = field(default_factory=list)
    faulty: Sequence[str] = ()
    lacking: Sequence[str] = ()

    def audited(self, config: AuditConfig) -> KeptRun:
        (model,) = config.models.values()
        checkpoint = checkpoint_of(config, model.name)
        assert checkpoint is not None
        digests, card = {model.name: checkpoint.sha256}, dict(checkpoint.card)
        cards = {model.name: read_of_card(card)}
        found = find_run(Path(config.paths.outputs), settings_digest(config), digests, cards)
        if found is not None:
            return found
        name = checkpoint.file
        self.asked.append(name)
        with run_directory(Path(config.paths.outputs), config.experiment) as (folder, final):
            shutil.copytree(self.kept, folder, dirs_exist_ok=True)
            (folder / "config.yaml").write_text(dump(config))
            _change(folder / "run.json", run_id=final.name, sha256=checkpoint.sha256, checkpoint=name, card=card)
            if name in self.lacking:
                _change(folder / "verdict.json", exit_code=5, coverage={"planned": 64, "usable": 40})
            if name in self.faulty:
                _spoil(folder)
        return open_run(final)


def suite(auditor: CopyingAuditor, root: Path, *more: str) -> Suite:
    return Suite(compose(settings(root, *more)), "proximity", auditor)  # type: ignore[arg-type]


def _change(path: Path, **values: object) -> None:
    content = json.loads(path.read_text())
    own = content["models"]["proximity"] if path.name == "run.json" else {}
    for key, value in values.items():
        (own if key in own else content)[key] = value
    path.write_text(json.dumps(content))


def _spoil(folder: Path) -> None:
    """Every answer of the run as wrong as can be."""
    from audit.tables import PREDICTIONS

    frame = PREDICTIONS.read(folder)
    wrong = frame["metric"].isin(["sensor_miss", "sensor_false_alarm", "brier"]) & frame["value"].notna()
    PREDICTIONS.write(frame.assign(value=frame["value"].where(~wrong, 1.0)), folder)
