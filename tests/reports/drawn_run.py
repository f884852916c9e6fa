"""A run directory made of drawn rectangles and plausible numbers: complete in structure, quick to make, repeatable.

Nothing in it is measured; it has the shape, the gaps (NaN, a rejected scene, a skipped model, methods that did not earn
their numbers) and the order of size of a real run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import drawn_studio
import numpy as np
import pandas as pd
import yaml
from drawn_analysis import MARGINS, write_conditions, write_earned, write_findings, write_interventions
from drawn_scenes import Cell, plan_cells, write_scenes
from drawn_scores import (
    METHODS,
    MODEL,
    auc_rows,
    save_maps,
    write_answers,
    write_attention,
    write_auc,
    write_predictions,
)
from drawn_shots import CLASSIFIER, shots
from PIL import Image

from audit import tables

SMALL: Mapping[str, Sequence[str]] = {
    "relation": ("distinct", "equal"),
    "light": ("front", "back"),
    "cast_shadow": ("soft", "none"),
}
FULL: Mapping[str, Sequence[str]] = {
    "relation": ("distinct", "near", "equal"),
    "light": ("front", "back", "right_low", "right_high"),
    "cast_shadow": ("soft", "hard", "none"),
}


@dataclass(frozen=True)
class DrawnRun:
    """Where the factory wrote: `folder` is the run directory, `store` the render store's root."""

    folder: Path
    store: Path
    cells: tuple[Cell, ...] = ()


def make_run(
    root: Path,
    levels: Mapping[str, Sequence[str]] = SMALL,
    blocks: int = 6,
    verdict: str = "failures found",
    earned: bool = False,
    sentence: str = "",
) -> DrawnRun:
    """Write a whole run directory under `root` and the scenes it names into a store beside it."""
    folder, store = root / "run", root / "store"
    folder.mkdir(parents=True)
    cells = tuple(plan_cells(levels, blocks))
    write_scenes(folder, store, cells)
    probability = write_answers(folder, cells)
    values = write_predictions(folder, cells, probability)
    write_attention(folder, cells)
    write_conditions(folder, cells, values, blocks)
    write_findings(folder, levels, values, cells, blocks, verdict, sentence)
    write_interventions(folder, levels, blocks)
    write_earned(folder, earned)
    write_auc(folder, levels)
    _write_records(folder, levels, blocks, verdict, len(cells))
    return DrawnRun(folder, store, cells)


def make_pictures_run(root: Path, names: Sequence[str] = ("equal_color_1", "different_color_2")) -> DrawnRun:
    """A run over pictures without ground truth: no effects, no failures."""
    folder, rng = root / "run", np.random.default_rng(3)
    (folder / "pictures").mkdir(parents=True)
    maps, answers = [], []
    for i, name in enumerate(names):
        picture = np.kron(rng.integers(60, 200, (8, 10, 3)), np.ones((8, 8, 1))).astype(np.uint8)
        Image.fromarray(picture).save(folder / "pictures" / f"{name}.png")
        maps.append(rng.normal(size=(16, 20)))
        answers.append(
            {"model": MODEL, "scene_id": name, "probability": rng.random(155).astype(np.float32) * (i + 1) / 2}
        )
    save_maps(folder, "hires_cam", list(names), np.array(maps))
    tables.RESPONSES.write(pd.DataFrame(answers), folder)
    rows = [
        {
            "model": MODEL,
            "picture": n,
            "mean_output": 0.31,
            "mean_output_swapped": 0.22,
            "mean_abs_difference": 0.17,
            "flipped": 0.27,
        }
        for n in names
    ]
    tables.PICTURES.write(pd.DataFrame(rows), folder, csv=True)
    config = {
        "experiment": "paper_2019",
        "designs": {"pictures": {"name": "pictures", "factors": {}}},
        "attribution": {"methods": ["hires_cam"]},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "run.json").write_text(json.dumps(_run_json("paper_2019")))
    return DrawnRun(folder, root / "store")


def make_studio_run(root: Path) -> DrawnRun:
    """A run over the studio alone."""
    folder, store = root / "run", root / "store"
    drawn_studio.write_studio(folder, store)
    config = {
        "experiment": "imagenet_objects",
        "designs": {"studio": drawn_studio.DESIGN},
        "attribution": {"methods": ["hires_cam"]},
        "criterion": {"q": 0.05, "min_blocks": 4, "min_coverage": 0.95},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    run = {
        **_run_json("imagenet_objects"),
        "models": {CLASSIFIER: drawn_studio.RECORD},
        "skipped_models": [],
    }
    (folder / "run.json").write_text(json.dumps(run))
    cells = len(shots())
    coverage = {"planned": cells, "usable": cells, "failed": 0, "rejected": 0, "share": 1.0}
    models = {CLASSIFIER: drawn_studio.VERDICT}
    verdict = {"schema_version": 1, "verdict": "failures found", "models": models, "coverage": coverage, "exit_code": 0}
    (folder / "verdict.json").write_text(json.dumps(verdict))
    return DrawnRun(folder, store)


def make_both_run(root: Path) -> DrawnRun:
    """A run over both scene sets: a proximity network, a classifier, and one model that was skipped."""
    run = make_run(root)
    drawn_studio.write_studio(run.folder, run.store)
    config = yaml.safe_load((run.folder / "config.yaml").read_text())
    config["designs"]["studio"] = drawn_studio.DESIGN
    (run.folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    record = json.loads((run.folder / "run.json").read_text())
    record["models"][CLASSIFIER] = drawn_studio.RECORD
    record["skipped_models"][0]["name"] = "resnet18"
    (run.folder / "run.json").write_text(json.dumps(record))
    verdict = json.loads((run.folder / "verdict.json").read_text())
    verdict["models"][CLASSIFIER] = drawn_studio.VERDICT
    own, cells = dict(verdict["coverage"]), len(shots())
    studio = {"planned": cells, "usable": cells, "failed": 0, "rejected": 0, "share": 1.0}
    whole = {k: own[k] + studio[k] for k in ("planned", "usable", "failed", "rejected")}
    whole["share"] = whole["usable"] / whole["planned"]
    verdict["coverage"] = {**whole, "scene_sets": {"studio": studio, "tabletop": own}}
    (run.folder / "verdict.json").write_text(json.dumps(verdict))
    return run


def make_pictures_of_classes(root: Path, names: Sequence[str] = ("cat_on_a_chair", "dog_at_the_door")) -> DrawnRun:
    """A run of a classifier over pictures without ground truth: another class comes first in one of the two."""
    run = make_pictures_run(root, names)
    frame = tables.PICTURES.read(run.folder)
    frame = frame.assign(model=CLASSIFIER, flipped=[float(i) for i in range(len(names))])
    tables.PICTURES.write(frame, run.folder, csv=True)
    (run.folder / "responses.parquet").unlink()
    rows = [
        {
            "model": CLASSIFIER,
            "scene_id": name,
            "rank": rank,
            "output": rank,
            "is_right": False,
            "answer": f"kind {rank} of {name}",
            "probability": 0.6 / 2**rank,
        }
        for name in names
        for rank in range(1, 6)
    ]
    tables.ANSWERS.write(pd.DataFrame(rows), run.folder)
    (run.folder / "attributions" / MODEL).rename(run.folder / "attributions" / CLASSIFIER)
    record = {**_run_json("pictures"), "models": {CLASSIFIER: drawn_studio.RECORD}, "skipped_models": []}
    (run.folder / "run.json").write_text(json.dumps(record))
    return run


def _run_json(experiment: str) -> dict[str, object]:
    card_rows = [{**r, "auc": None if np.isnan(float(str(r["auc"]))) else r["auc"]} for r in auc_rows()]
    card_rows = [{k: (None if v != v else v) for k, v in row.items()} for row in card_rows]
    return {
        "schema_version": 1,
        "run_id": f"20260314T092653Z-{experiment}",
        "experiment": experiment,
        "created": "20260314T092653Z",
        "git": {"sha": "0123456789abcdef0123456789abcdef01234567", "dirty": True},
        "versions": {"scene-audit": "0.1.0", "torch": "2.14.1", "blender": "4.5.15"},
        "device": "cpu",
        "seed": 0,
        "command": f"scene-audit run experiment={experiment}",
        "models": {
            MODEL: {
                "task": "proximity",
                "scene_set": "tabletop",
                "architecture": "proximity_cnn",
                "checkpoint": "proximity.safetensors",
                "sha256": "9f2c" * 16,
                "preprocessing": {
                    "height": 64,
                    "width": 80,
                    "resize": "bilinear",
                    "channels": "rgb",
                    "normalisation": "per_image",
                },
                "target_layer": "features.7",
                "threshold": 0.5,
                "recipe": {"relation": ["distinct"], "light": ["front"], "cast_shadow": ["soft"]},
                "card": {
                    "scenes": 10000,
                    "epochs": 60,
                    "mean_auc": 0.987,
                    "training": {
                        "loss": "binary cross entropy",
                        "loss_per_epoch": [0.2 * 0.93**i + 0.01 for i in range(60)],
                    },
                    "auc_table": card_rows,
                },
            }
        },
        "skipped_models": [
            {
                "name": "squeezenet1_0",
                "reason": "its weights could not be had: no network.",
                "url": "https://weights.example/squeezenet1_0.pth",
                "remedy": "pass models.squeezenet1_0.checkpoint=FILE.",
            }
        ],
        "stages": {"render": 120.5, "predict": 2.25, "attribute": 9.0, "analyse": 4.0},
        "renders": {"rendered": 40, "cached": 8, "failed": 0, "rejected": 1},
        "peak_memory_mb": 912,
    }


def _write_records(folder: Path, levels: Mapping[str, Sequence[str]], blocks: int, verdict: str, cells: int) -> None:
    config = {
        "experiment": "smoke",
        "seed": 0,
        "designs": {
            "tabletop": {
                "name": "tabletop",
                "seeds": blocks,
                "crossing": "full",
                "factors": {f: list(v) for f, v in levels.items()},
                "control": {},
                "arms": True,
            }
        },
        "robot": {"horizon": 15},
        "attribution": {"methods": list(METHODS)},
        "criterion": {
            "margins": MARGINS,
            "q": 0.05,
            "min_blocks": 8,
            "control_floor": {"sensor_miss": 0.25, "auc": 0.85},
            "min_coverage": 0.95,
        },
        "paths": {"store": "/home/someone/store", "outputs": "outputs"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (folder / "run.json").write_text(json.dumps(_run_json("smoke"), indent=1))
    unfit = verdict == "unfit at control"
    own = {
        "verdict": verdict,
        "failures": 3,
        "ranked": not unfit,
        "untested": {},
        "control": [
            {"metric": "sensor_miss", "value": 0.57 if unfit else 0.12, "floor": 0.25, "ok": not unfit},
            {"metric": "auc", "value": 0.987, "floor": 0.85, "ok": True},
        ],
    }
    coverage = {"planned": cells, "usable": cells - 1, "failed": 0, "rejected": 1, "share": (cells - 1) / cells}
    whole = {"schema_version": 1, "verdict": verdict, "models": {MODEL: own}, "coverage": coverage, "exit_code": 0}
    (folder / "verdict.json").write_text(json.dumps(whole, indent=1))
