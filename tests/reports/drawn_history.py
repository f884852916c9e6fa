"""Frames of a history and of a development, with plausible numbers: nothing in them is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

GATES: Sequence[tuple[str, str, str, float, bool]] = (  # kind, metric, where, level, whether lower is better
    ("overall", "sensor_miss", "", 0.30, True),
    ("overall", "brier", "", 0.09, True),
    ("intervention", "object_effect", "", 0.40, False),
    ("attention", "iou", "hires_cam", 0.25, False),
    ("attention", "relevance_mass_accuracy", "hires_cam", 0.35, False),
    ("place", "sensor_miss", "centre_left", 0.20, True),
    ("condition", "sensor_miss", "light=back", 0.50, True),
    ("condition", "sensor_miss", "relation=equal", 0.32, True),
)


def drawn_values(
    names: Sequence[str], fall: float = 0.0, fails: Mapping[str, Sequence[bool]] | None = None, model: str = "proximity"
) -> pd.DataFrame:
    """The columns of HISTORY and DEVELOPMENT. fall: from the first to the last checkpoint; fails: condition -> at
    which checkpoints it is a failure condition."""
    rows = []
    for kind, metric, where, level, is_lower in GATES:
        for i, name in enumerate(names):
            mean = level - fall * i / max(len(names) - 1, 1)
            failing = bool((fails or {}).get(where, [False] * len(names))[i])
            effect = (0.1 + 0.02 * i if failing else 0.01) if kind == "condition" else np.nan
            rows.append(
                {
                    "model": model,
                    "kind": kind,
                    "metric": metric,
                    "where": where,
                    "position": i,
                    "name": name,
                    "run_id": f"run-{i}",
                    "mean": mean,
                    "ci_low": mean - 0.04,
                    "ci_high": mean + 0.04,
                    "n": 96,
                    "is_lower_better": is_lower,
                    "is_failure": failing,
                    "created": "20261128T191924Z",
                    "checkpoint": f"night_{i}.safetensors",
                    "sha256": f"{i:064x}",
                    "effect": effect,
                    "effect_low": effect - 0.05,
                    "effect_high": effect + 0.05,
                }
            )
    return pd.DataFrame(rows)


def drawn_courses(values: pd.DataFrame, steps: pd.DataFrame, note: str = "") -> pd.DataFrame:
    """Per gate its course, as `history` hands it over: gates with a step first."""
    gate = ["model", "kind", "metric", "where"]
    courses = values.drop_duplicates(gate)[gate].reset_index(drop=True)
    stepped = steps.groupby(gate).size() if len(steps) else pd.Series(dtype=int)
    count = [int(stepped.get(tuple(row), 0)) for row in courses.itertuples(index=False)]
    return courses.assign(steps=count, note=note).sort_values("steps", ascending=False, kind="stable")


def drawn_step(
    position: int, before: float, after: float, metric: str = "sensor_miss", model: str = "proximity"
) -> dict:
    named = {"model": model, "kind": "overall", "metric": metric, "where": ""}
    return {
        **named,
        "position": position,
        "before": before,
        "after": after,
        "size": 6.0,
        "is_better": after < before,
    }


def drawn_epochs(names: Sequence[str], broken: Mapping[str, str] | None = None) -> pd.DataFrame:
    """EPOCHS. broken: name -> why it could not be audited."""
    return pd.DataFrame(
        [
            {
                "position": i,
                "name": name,
                "file": f"{name}.safetensors",
                "reason": (broken or {}).get(name, ""),
                "sha256": f"{i:064x}",
                "run_id": "" if name in (broken or {}) else f"run-{i}",
                "verdict": "" if name in (broken or {}) else "failures found",
            }
            for i, name in enumerate(names)
        ]
    )
