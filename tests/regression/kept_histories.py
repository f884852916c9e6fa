"""Finished run directories of a regression suite, with a few gates each, made from tables: nothing is audited."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from audit.composition import compose, dump
from audit.config import AuditConfig
from audit.tables import EFFECTS, GATE_VALUES
from scenes.manifest import SCENES

MODEL, ERROR, BLOCKS = "proximity", 0.02, 96  # error: standard error of every gate
FAILING, HARMLESS = "light=back", "light=right_low"
SCENES_SHOWN = ("a", "b")


@functools.cache
def config_text(*settings: str) -> str:
    """The resolved configuration of the suite."""
    return dump(compose(["experiment=regression", *settings]))


def keep_run(
    outputs: Path,
    run_id: str,
    sha256: str,
    miss: float,
    *,
    text: str | None = None,
    shown: Sequence[str] = SCENES_SHOWN,
    effects: Mapping[str, float] | None = None,
    checkpoint: str = "proximity.safetensors",
) -> Path:
    """A run in which a share `miss` of sensors is missed. shown: what its scenes look like; effects: condition -> its
    effect on missed sensors, a failure condition from .1 on."""
    folder = outputs / run_id
    folder.mkdir(parents=True)
    found = text if text is not None else config_text()
    (folder / "config.yaml").write_text(found)
    write_scenes(folder, shown)
    under = effects if effects is not None else {FAILING: 0.2, HARMLESS: 0.01}
    GATE_VALUES.write(gates(miss, under), folder)
    EFFECTS.write(effect_rows(under), folder)
    (folder / "verdict.json").write_text(json.dumps({"verdict": "failures found", "exit_code": 0}))
    entry = {"task": "proximity", "scene_set": "tabletop", "checkpoint": checkpoint, "sha256": sha256}
    record = {
        "schema_version": 1,
        "run_id": run_id,
        "experiment": yaml.safe_load(found)["experiment"],
        "created": run_id[:16],
        "models": {MODEL: entry},
    }
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def gates(miss: float, effects: Mapping[str, float]) -> pd.DataFrame:
    """GATE_VALUES: missed sensors over all scenes and under conditions, and the attention of one metric."""
    rows = [("overall", "sensor_miss", "", miss, True, False), ("attention", "iou", "hires_cam", 0.3, False, False)]
    rows += [("condition", "sensor_miss", c, miss + e, True, e >= 0.1) for c, e in effects.items()]
    half = 1.985 * ERROR
    return pd.DataFrame(
        [
            {
                "model": MODEL,
                "kind": kind,
                "metric": metric,
                "where": where,
                "mean": mean,
                "ci_low": mean - half,
                "ci_high": mean + half,
                "n": BLOCKS,
                "is_lower_better": is_lower,
                "is_failure": is_failure,
            }
            for kind, metric, where, mean, is_lower, is_failure in rows
        ]
    )


def effect_rows(effects: Mapping[str, float]) -> pd.DataFrame:
    filled = {"str": "-", "int": 1, "float": 0.0, "bool": False}
    rows = []
    for number, (condition, effect) in enumerate(effects.items()):
        row = {column: filled[kind] for column, kind in EFFECTS.columns.items()}
        named = {"model": MODEL, "metric": "sensor_miss", "contrast": condition, "finding_id": f"F-{number}"}
        rows.append({**row, **named, "effect": effect, "ci_low": effect - 0.05, "ci_high": effect + 0.05})
    return pd.DataFrame(rows)


def write_scenes(folder: Path, shown: Sequence[str]) -> None:
    filled = {"str": "", "int": 0, "float": np.nan, "bool": False}
    row = {column: filled[kind] for column, kind in SCENES.columns.items()}
    cells = [
        {**row, "cell_id": f"cell{i}", "scene_id": scene, "scene_set": "tabletop", "status": "ok", "light": "front"}
        for i, scene in enumerate(shown)
    ]
    SCENES.write(pd.DataFrame(cells), folder, factors=["light"])


def suite(outputs: Path) -> AuditConfig:
    """The configuration that the runs were made with, for another outputs folder."""
    return compose(["experiment=regression", f"paths.outputs={outputs}"])


def stamp(number: int, experiment: str = "regression") -> str:
    """The id of the run of day `number`."""
    return f"202611{number:02}T120000Z-{experiment}"


def sha(number: int) -> str:
    return f"{number:08x}" + 56 * "0"
