"""Recognition: does a classifier know the studio's objects, seen plainly? One that it does not know tests nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from audit import parts
from audit.config import SCENE_SETS, AuditConfig
from audit.loading import load_models
from audit.metrics.arrays import Pixels
from audit.models.adapter import Adapter
from audit.schema import ConfigError
from audit.stages import rendering
from scenes.assets import ASSETS
from scenes.design import OBJECT
from scenes.planning import Planned

STUDIO = SCENE_SETS["classification"]


def recognition_table(config: AuditConfig) -> pd.DataFrame:
    """How often each model names each object first, and among five, over the neutral views: the control condition.

    Columns: model, object, classes (indices that count as right), views, top1, top5, probability, logit_margin (means),
    taken_for (the wrong class named first most often, '-' where there is none). Renders what it needs into the store; a
    view that cannot be rendered is left out of `views`. Raises ConfigError where no classifier is chosen.
    """
    if STUDIO not in config.designs or not any(SCENE_SETS[m.task] == STUDIO for m in config.models.values()):
        raise ConfigError("bench assets needs a classifier: bench assets design=studio model=squeezenet1_0")
    design = config.designs[STUDIO]
    control = parts.design(config, STUDIO).control
    only = {factor: [control[factor]] for factor in design.factors}
    plain = dataclasses.replace(design, objects=[*ASSETS, *design.assets], factors=only, arms=False, keep={})
    here = dataclasses.replace(config, designs={STUDIO: plain})
    models = {n: m for n, m in config.models.items() if SCENE_SETS[m.task] == STUDIO}
    adapters = load_models(dataclasses.replace(here, models=models)).adapters
    planned = parts.plan(here, [STUDIO])
    failed = rendering.render_scenes(here, planned).failed
    views = [p for p in planned if p.scene_id not in failed]
    images = np.stack([parts.store(here).picture(p.scene_id) for p in views])
    return pd.concat([_of_model(a, views, images, config.attribution.batch) for a in adapters.values()])


def _of_model(adapter: Adapter, views: Sequence[Planned], images: Pixels, batch: int) -> pd.DataFrame:
    """The rows of one model, an object each."""
    task = adapter.task
    label = np.stack([task.label(p.spec.objects) for p in views])
    logits = adapter.logits(images, batch)
    probability = task.probability(logits)
    scores = task.score(logits, probability, label, label == 1, adapter.threshold)
    found = scores.pivot(index="row", columns="metric", values="value")
    first = task.answers(probability, label).query("rank == 1").set_index("row")
    rows = []
    for thing in dict.fromkeys(p.cell.condition[OBJECT] for p in views):
        mine = [i for i, p in enumerate(views) if p.cell.condition[OBJECT] == thing]
        wrong = first.loc[mine][~first.loc[mine, "is_right"]]["answer"]
        rows.append(
            {
                "model": adapter.name,
                "object": thing,
                "classes": " ".join(str(i) for i in np.flatnonzero(label[mine[0]] == 1)),
                "views": len(mine),
                "top1": found.loc[mine, "top1"].mean(),
                "top5": found.loc[mine, "top5"].mean(),
                "probability": found.loc[mine, "target_probability"].mean(),
                "logit_margin": found.loc[mine, "logit_margin"].mean(),
                "taken_for": wrong.value_counts().index[0] if len(wrong) else "-",
            }
        )
    return pd.DataFrame(rows)
