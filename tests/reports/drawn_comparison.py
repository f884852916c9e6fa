"""A comparison of two drawn runs: some of the candidate's sensors are dead, and its maps are twice as strong.

The runs and the gates are drawn, none of them measured; what is written about them is written as a real comparison is.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from drawn_run import DrawnRun, make_run, make_studio_run
from drawn_scores import MODEL, write_predictions
from drawn_shots import CLASSIFIER

from audit import tables
from audit.analysis.gate_measures import Gate
from audit.analysis.gates import Compared
from audit.composition import compose, dump
from audit.config import AuditConfig, ComparisonConfig
from audit.regression.comparing import Comparison, Shared
from audit.regression.confirming import Confirmation
from audit.regression.kept_run import open_run
from audit.regression.outcome import outcome_of, write_outcome
from reports import write_comparison

DEAD = (0, 1, 2)  # left, centre left, centre
SHA = {"baseline": "9f2c" * 16, "candidate": "77aa" * 16}
NOTES = ("proximity: operating threshold 0.730 became 0.500.",)
DIAGNOSIS = ("Fed as bgr the candidate misses as few sensors as its baseline.",)


@dataclass(frozen=True)
class DrawnComparison:
    """folder: the comparison's directory, with its page; baseline, candidate: run directories; store: of renders."""

    folder: Path
    baseline: Path
    candidate: Path
    store: Path

    @property
    def page(self) -> Path:
        return self.folder / "report" / "index.html"


def make_comparison(root: Path, sentence: str = "", checkpoint: str = "candidate.safetensors") -> DrawnComparison:
    """Of proximity networks."""
    outputs = root / "outputs"
    run = make_run(root / "drawn")
    baseline, candidate = (_kept(run, outputs / f"2026031{i}T092653Z-drawn") for i in (4, 5))
    _kill_sensors(candidate, run)
    _strengthen_maps(candidate)
    _name(candidate, MODEL, checkpoint)
    return _compared(outputs, run.store, baseline, candidate, MODEL, "tabletop", _gates(), sentence)


def make_comparison_of_classifiers(root: Path) -> DrawnComparison:
    """Of classifiers: the candidate takes three poses of each object for a lamp."""
    outputs = root / "outputs"
    run = make_studio_run(root / "drawn")
    baseline, candidate = (_kept(run, outputs / f"2026031{i}T092653Z-drawn") for i in (4, 5))
    _mislead(candidate)
    _name(candidate, CLASSIFIER, "candidate.safetensors")
    gates = (
        _gate("overall", "top1", (0.9, 0.6), (0.3, 0.22, 0.38), 0.02, "regression"),
        _gate(
            "overall", "target_probability", (0.7, 0.6), (0.1, 0.02, 0.18), 0.02, "inconclusive", "too wide an interval"
        ),
    )
    return _compared(outputs, run.store, baseline, candidate, CLASSIFIER, "studio", gates, "")


def _compared(
    outputs: Path,
    store: Path,
    baseline: Path,
    candidate: Path,
    model: str,
    scene_set: str,
    gates: Sequence[Compared],
    sentence: str,
) -> DrawnComparison:
    cells = len(tables.PREDICTIONS.read(candidate)["cell_id"].unique())
    comparison = Comparison(
        baseline=open_run(baseline),
        candidate=open_run(candidate),
        compared={model: gates},
        states=_states(model, sentence),
        shared=(Shared(scene_set, cells + 10, cells, cells),),
        notes=NOTES,
        models={model: model},
    )
    config = dataclasses.replace(ComparisonConfig(margins={"sensor_miss": 0.01}), confirm=False)
    outcome = outcome_of(comparison, Confirmation("not tried", "comparison.confirm=false"), config, DIAGNOSIS)

    def write_page(folder: Path, before: Path, after: Path) -> None:
        write_comparison(folder, before, after, store)

    return DrawnComparison(write_outcome(outcome, outputs, write_page), baseline, candidate, store)


def _gates() -> tuple[Compared, ...]:
    return (
        _gate("overall", "sensor_miss", (0.20, 0.35), (0.15, 0.08, 0.22), 0.01, "regression"),
        _gate("overall", "sensor_false_alarm", (0.06, 0.04), (-0.02, -0.03, -0.01), 0.01, "pass", "improved"),
        _gate("overall", "brier", (0.061, 0.069), (0.008, 0.003, 0.016), 0.01, "inconclusive", "too wide an interval"),
        _gate("intervention", "object_effect", (0.4, 0.4), (0.0, -0.1, 0.1), 0.03, "pass", "identical"),
        _gate("place", "sensor_miss", (0.2, 1.0), (0.8, 0.6, 0.95), 0.05, "regression", where="centre"),
        _gate("place", "sensor_miss", (0.1, 0.11), (0.01, -0.01, 0.03), 0.05, "pass", where="right"),
        *(
            _gate("condition", "sensor_miss", (0.2, 0.21), (0.01, -0.01, 0.03), 0.05, "pass", where=f"light=l{i}")
            for i in range(8)
        ),
        _gate(
            "attention", "relevance_mass_accuracy", (0.45, 0.40), (0.05, 0.02, 0.08), np.nan, "", "worse", "hires_cam"
        ),
    )


def _gate(
    kind: str,
    metric: str,
    means: tuple[float, float],
    difference: tuple[float, float, float],
    margin: float,
    verdict: str,
    note: str = "",
    where: str = "",
) -> Compared:
    is_same = note == "identical"
    return Compared(
        gate=Gate(kind, metric, where),
        baseline=means[0],
        candidate=means[1],
        difference=difference,
        margin=margin,
        p=0.0001,
        p_pass=0.9,
        n=24,
        spread=0.02,
        is_identical=is_same,
        p_holm=0.001,
        detectable=np.nan if is_same else margin + 0.04,
        verdict=verdict,
        note=note,
    )


def _states(model: str, sentence: str) -> pd.DataFrame:
    ends = {"baseline": (0.02, 0.0, 0.04), "candidate": (0.31, 0.25, 0.37)}
    back = {"baseline": (0.33, 0.27, 0.38), "candidate": (0.30, 0.22, 0.37)}
    gone = {"baseline": (0.22, 0.15, 0.28), "candidate": (0.01, -0.01, 0.03)}
    unknown = {"baseline": (np.nan, np.nan, np.nan), "candidate": (0.4, 0.3, 0.5)}
    rows = [
        _state(model, "F-aaaa0001", "new", "relation=equal", ends, sentence),
        _state(model, "F-aaaa0002", "persisting", "light=back", back),
        _state(model, "F-aaaa0003", "fixed", "cast_shadow=none", gone),
        _state(model, "F-aaaa0004", "not covered", "light=slats", unknown, why="the baseline has no such contrast"),
    ]
    return pd.DataFrame(rows, columns=list(tables.FINDING_STATES.columns))


def _state(
    model: str,
    finding_id: str,
    state: str,
    condition: str,
    ends: Mapping[str, tuple[float, float, float]],
    sentence: str = "",
    why: str = "",
) -> dict[str, object]:
    effects = {
        f"{side}_{c}": v for side, of in ends.items() for c, v in zip(("effect", "low", "high"), of, strict=True)
    }
    return {
        "model": model,
        "finding_id": finding_id,
        "state": state,
        "metric": "top1" if model == CLASSIFIER else "sensor_miss",
        "method": "-",
        "condition": condition,
        **effects,
        "sentence": sentence or f"Under {condition} the network misses more.",
        "reason": why,
        "reproduce": "scene-audit run experiment=smoke",
    }


def _kept(run: DrawnRun, folder: Path) -> Path:
    """The drawn run as one of an outputs folder, with a configuration that the audit can read."""
    shutil.copytree(run.folder, folder)
    (folder / "config.yaml").write_text(dump(_config()))
    (folder / "report").mkdir()
    (folder / "report" / "index.html").write_text("<!doctype html><title>a run's own page</title>")
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, "run_id": folder.name}))
    return folder


@lru_cache(maxsize=1)
def _config() -> AuditConfig:
    return compose(["experiment=regression"])


def _name(folder: Path, model: str, checkpoint: str) -> None:
    record = json.loads((folder / "run.json").read_text())
    record["models"][model] |= {"checkpoint": checkpoint, "sha256": SHA["candidate"]}
    (folder / "run.json").write_text(json.dumps(record))


def _kill_sensors(folder: Path, run: DrawnRun) -> None:
    frame = tables.RESPONSES.read(folder)
    dead = np.isin(np.arange(155) % 5, DEAD)
    probability = {
        str(scene): np.where(dead, np.float32(0.001), np.asarray(p, dtype=np.float32))
        for scene, p in zip(frame["scene_id"], frame["probability"], strict=True)
    }
    rows = [{"model": MODEL, "scene_id": scene, "probability": p} for scene, p in probability.items()]
    tables.RESPONSES.write(pd.DataFrame(rows), folder)
    write_predictions(folder, run.cells, probability)


def _strengthen_maps(folder: Path) -> None:
    for path in (folder / "attributions").rglob("*.npz"):
        with np.load(path) as held:
            kept = {name: held[name] for name in held.files}
        np.savez_compressed(path, **{**kept, "maps": 2 * kept["maps"]})


def _mislead(folder: Path) -> None:
    scenes = tables.ANSWERS.read(folder)
    blocks = pd.read_parquet(folder / "scenes.parquet").set_index("scene_id")["block_id"]
    wrong = scenes["scene_id"].map(blocks.groupby(level=0).first()).astype(str).str.endswith((".0", ".1", ".2"))
    first = wrong & (scenes["rank"] == 1)
    scenes.loc[first, ["answer", "is_right", "probability"]] = ["table lamp", False, 0.55]
    scenes.loc[wrong & (scenes["rank"] > 1), "is_right"] = False
    tables.ANSWERS.write(scenes, folder)
    frame = tables.PREDICTIONS.read(folder)
    of_cell = pd.read_parquet(folder / "scenes.parquet").set_index("cell_id")["block_id"].astype(str)
    fooled = frame["cell_id"].map(of_cell).str.endswith((".0", ".1", ".2")) & frame["value"].notna()
    frame.loc[fooled & (frame["metric"] == "top1"), "value"] = 0.0
    tables.PREDICTIONS.write(frame, folder)
