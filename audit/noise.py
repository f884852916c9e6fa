"""Render noise: how far a network's answers at the configured sample count lie from those at many samples.

Noise is a bias as well as a spread: a network answers a noisy picture otherwise than a clean one, and pairing does not
cancel that between conditions of unequal noise. Per condition the difference must stay under a fifth of the margin of
each metric of the failure criterion.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from audit import parts
from audit.config import PICTURES, AuditConfig
from audit.loading import load_models
from audit.models.adapter import Adapter
from audit.schema import ConfigError
from audit.stages import rendering
from scenes.planning import Planned

CONVERGED = 256  # samples per pixel taken for the truth; where a design denoises, that is denoised too
BLOCKS = {"tabletop": (0, 1, 4, 5, 8, 9, 12, 13), "studio": (0, 1)}  # near obstacles; poses of each object
PART = 5  # a fifth of the margin


def noise_table(config: AuditConfig) -> pd.DataFrame:
    """Mean at the configured samples less mean at CONVERGED, of each metric, per model and condition with an object.

    Below the conditions stand their means per level, which is what the criterion's contrasts are made of: a single
    condition over few blocks moves by whole sensors. Columns: model, condition, <metric> for every metric of the
    criterion that a scene defines, mean_probability (over all outputs), within_limit. Renders what it needs
    into the store.
    """
    if PICTURES in config.designs:
        raise ConfigError("bench noise needs scenes that are rendered, not design=pictures")
    rows = []
    for name, adapter in load_models(config).adapters.items():
        scene_set = adapter.task.scene_set
        design = config.designs[scene_set]
        seeds = [b for b in BLOCKS[scene_set] if b < design.seeds]
        few = dataclasses.replace(design, keep={**design.keep, "seeds": seeds})
        fine = dataclasses.replace(few, samples=CONVERGED)
        noisy, clean = (
            _answers(dataclasses.replace(config, designs={scene_set: d}), scene_set, adapter) for d in (few, fine)
        )
        gap = noisy - clean
        whole = pd.concat([gap, _per_level(gap)]).rename_axis("condition").reset_index()
        rows.append(whole.assign(model=name, within_limit=_within(whole, config.criterion.margins)))
    return pd.concat(rows, ignore_index=True)


def _per_level(gap: pd.DataFrame) -> pd.DataFrame:
    """The mean of the conditions that have a level, one row a level."""
    of_level: dict[str, list[str]] = {}
    for condition in gap.index:
        for pair in condition.split(","):
            of_level.setdefault(pair, []).append(condition)
    return pd.DataFrame({level: gap.loc[names].mean() for level, names in of_level.items()}).T


def _answers(config: AuditConfig, scene_set: str, adapter: Adapter) -> pd.DataFrame:
    """Mean metrics per condition, over the chosen blocks."""
    planned = [p for p in parts.plan(config, [scene_set]) if p.cell.condition["presence"] == "object"]
    rendering.render_scenes(config, planned)
    store, task = parts.store(config), adapter.task
    images = np.stack([store.picture(p.scene_id) for p in planned])
    labels = np.stack([task.label(p.spec.objects) for p in planned])
    logits = adapter.logits(images, config.attribution.batch)
    probability = task.probability(logits)
    scores = task.score(logits, probability, labels, labels == 1, adapter.threshold)
    wide = scores.pivot(index="row", columns="metric", values="value").reindex(range(len(planned)))
    wanted = [m for m in config.criterion.margins if m in wide.columns]
    frame = wide[wanted].assign(mean_probability=probability.mean(axis=1), condition=_names(planned))
    return frame.groupby("condition", sort=False).mean()


def _names(planned: Sequence[Planned]) -> list[str]:
    return [",".join(t for t in p.cell.condition.key.split(",") if t != "presence=object") for p in planned]


def _within(gap: pd.DataFrame, margins: Mapping[str, float]) -> pd.Series:
    judged = [gap[m].fillna(0.0).abs() <= margin / PART for m, margin in margins.items() if m in gap.columns]
    return pd.concat(judged, axis=1).all(axis=1) if judged else pd.Series(True, index=gap.index)
