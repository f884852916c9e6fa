"""Tiny finished runs, written as tables: a proximity network's answers on a design of two lights, without any audit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from audit import parts
from audit.composition import compose, dump
from audit.config import AuditConfig
from audit.metrics.cells import SENSORS
from audit.models.preprocessing import Preprocessing
from audit.models.proximity_task import ProximityTask
from audit.tables import ATTENTION, EFFECTS, FAILURES, LABELS, PREDICTIONS, RESPONSES
from scenes.manifest import SCENES
from tests.analysis.synthetic_run import scene_rows

FACTORS = {"light": ("front", "back")}
BLOCKS = 32
DESIGN = (
    "experiment=regression",
    "design.name=tiny",
    f"design.seeds={BLOCKS}",
    "design.factors={light: [front, back]}",
    "design.control={light: front}",
    "design.arms=false",
)
MODEL = "proximity"

# sensor, light, block -> the probability of an obstacle that its cells get, where there is one and where there is none
Says = Callable[[str, str, int], tuple[float, float]]


def well(sensor: str, light: str, block: int) -> tuple[float, float]:
    """Misses a sensor now and then, and gives a false alarm now and then; the same under both lights."""
    number = block + 3 * SENSORS.index(sensor)
    return (0.2 if number % 5 == 0 else 0.9), (0.8 if number % 7 == 0 else 0.1)


def settings(*typed: str) -> AuditConfig:
    return compose([*DESIGN, *typed])


@dataclass(frozen=True)
class TinyRun:
    """What is written. lost: cells that were not rendered; entry: of run.json's model, over what is usual."""

    config: AuditConfig
    says: Says = well
    blocks: int = BLOCKS
    prefix: str = ""  # of the scenes' ids: other pictures
    lost: Sequence[str] = ()
    model: str = MODEL
    entry: Mapping[str, object] = field(default_factory=dict)
    effects: pd.DataFrame | None = None
    failures: pd.DataFrame | None = None

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        scenes = self.scenes()
        SCENES.write(scenes, folder, factors=["presence", *FACTORS])
        task = ProximityTask(parts.robot(self.config))
        at = scenes[scenes["status"] == "ok"]
        label, probability = self.answers(at)
        threshold = float(str(self.entry.get("threshold", 0.5)))
        scores = task.score(np.log(probability / (1 - probability)), probability, label, label == 1, threshold)
        cells = at["cell_id"].to_numpy()[scores.pop("row").to_numpy(dtype=int)]
        PREDICTIONS.write(scores.assign(model=self.model, cell_id=cells), folder)
        seen = pd.DataFrame({"scene_id": at["scene_id"].to_numpy(), "label": list(label)})
        LABELS.write(seen.assign(in_view=[np.ones(155, bool)] * len(seen)), folder)
        said = pd.DataFrame({"scene_id": at["scene_id"].to_numpy(), "probability": list(probability)})
        RESPONSES.write(said.assign(model=self.model), folder)
        ATTENTION.write(ATTENTION.empty(), folder)
        EFFECTS.write(EFFECTS.empty() if self.effects is None else self.effects, folder)
        FAILURES.write(FAILURES.empty() if self.failures is None else self.failures, folder)
        (folder / "config.yaml").write_text(dump(self.config))
        (folder / "verdict.json").write_text(json.dumps({"verdict": "no failure found", "exit_code": 0, "models": {}}))
        (folder / "run.json").write_text(json.dumps(self.record(folder.name)))
        return folder

    def scenes(self) -> pd.DataFrame:
        scenes = scene_rows(FACTORS, self.blocks, arms=False)
        found = scenes.assign(scene_id=self.prefix + scenes["scene_id"])
        found.loc[found["cell_id"].isin(self.lost), ["status", "reason"]] = ["failed", "planted"]
        return found

    def answers(self, at: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Label and probability (N, 155): in near scenes the left three sensors meet something within 10 cm."""
        label, probability = np.zeros((len(at), 31, 5), np.int8), np.full((len(at), 31, 5), 0.05, np.float32)
        cells = zip(at["light"], at["block_id"].astype(int), at["stratum"], strict=True)
        for row, (light, block, stratum) in enumerate(cells):
            for column, sensor in enumerate(SENSORS):
                is_occupied = stratum == "near" and column < 3
                label[row, 5:11, column] = is_occupied
                probability[row, 5:11, column] = self.says(sensor, light, block)[0 if is_occupied else 1]
        return label.reshape(len(at), -1), probability.reshape(len(at), -1)

    def record(self, run_id: str) -> dict[str, object]:
        own = self.config.models[MODEL]
        entry = {
            "task": "proximity",
            "scene_set": "tabletop",
            "architecture": own.architecture,
            "checkpoint": "weights.safetensors",
            "sha256": "0" * 64,
            "preprocessing": asdict(Preprocessing.from_config(own.preprocessing)),
            "threshold": 0.5,
            **self.entry,
        }
        return {
            "schema_version": 1,
            "run_id": run_id,
            "models": {self.model: entry},
            "versions": {"torch": "2"},
            "device": "cpu",
            "renders": {"rendered": 0},
        }


def other(run: TinyRun, **changes: object) -> TinyRun:
    """The same run but for some of it, by another checkpoint."""
    entry = {"sha256": "1" * 64, **dict(changes.pop("entry", {}))}  # type: ignore[call-overload]
    return replace(run, entry=entry, **changes)  # type: ignore[arg-type]
