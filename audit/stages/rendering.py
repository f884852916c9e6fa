"""Rendering: the design's scenes into the store, checked, and the tables of scenes and labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from audit import parts
from audit.config import AuditConfig
from audit.progress import Progress
from audit.tables import LABELS
from scenes import proximity, tabletop
from scenes.checks import Checked, check
from scenes.manifest import SCENES
from scenes.proximity import Robot
from scenes.renderer import RenderOutcome, render
from scenes.scene_spec import SceneSpec
from scenes.store import StoreError
from scenes.tabletop import Planned

_UNMEASURED = {
    f.name: ("none" if f.name == "shape" else float("nan"))
    for f in dataclasses.fields(Checked)
    if f.name not in ("status", "reason")
}


def plan(config: AuditConfig) -> list[Planned]:
    return tabletop.plan(parts.design(config), parts.camera(config), parts.robot(config), config.renderer.samples)


def render_scenes(config: AuditConfig, planned: Sequence[Planned]) -> RenderOutcome:
    """Bring the planned scenes into the store."""
    store, specs = parts.store(config), [p.spec for p in planned]
    with Progress("rendering") as progress:
        return render(specs, store, parts.workers(config), progress=progress.render)


def write_scenes(config: AuditConfig, planned: Sequence[Planned], outcome: RenderOutcome, folder: Path) -> None:
    """Check every render and write `scenes` and `labels`; a scene that is corrupt in the store is rendered again."""
    robot = parts.robot(config)
    checked = _checked(config, planned, outcome)
    names = parts.design(config).factor_names
    rows = []
    for p in planned:
        levels = {name: p.cell.condition[name] for name in names}
        rows.append(
            {
                "cell_id": p.cell_id,
                "scene_id": p.scene_id,
                "scene_set": config.design.scene_set,
                "block_id": str(p.cell.block),
                "stratum": p.stratum,
                **levels,
                **checked[p.scene_id],
            }
        )
    SCENES.write(pd.DataFrame(rows), folder, factors=names, csv=True)
    unique = {p.scene_id: p.spec for p in planned}
    labels = [
        {"scene_id": i, "label": scene_labels(s, robot), "in_view": scored_in_view(s, robot)} for i, s in unique.items()
    ]
    LABELS.write(pd.DataFrame(labels), folder)


def scene_labels(spec: SceneSpec, robot: Robot) -> np.ndarray:
    """(155,) int8 in {1, 0, -1} of the scored rows."""
    return proximity.labels(spec.objects, robot)[: robot.scored].reshape(-1)


def scored_in_view(spec: SceneSpec, robot: Robot) -> np.ndarray:
    """(155,) bool."""
    return proximity.in_view(spec.camera, robot)[: robot.scored].reshape(-1)


def _checked(
    config: AuditConfig, planned: Sequence[Planned], outcome: RenderOutcome
) -> dict[str, Mapping[str, object]]:
    """Scene id -> status, reason and covariates. What fails its checksum is rendered anew and counted in `outcome`."""
    store = parts.store(config)
    specs = {p.scene_id: p.spec for p in planned}
    found = {i: _check(config, i, spec, outcome) for i, spec in specs.items()}
    corrupt = [i for i, row in found.items() if row is None]
    if corrupt:
        for scene_id in corrupt:
            store.discard(scene_id)
        again = render([specs[i] for i in corrupt], store, parts.workers(config))
        outcome.rendered += again.rendered
        outcome.cached -= len(corrupt)
        outcome.failed.update(again.failed)
        found.update({i: _check(config, i, specs[i], outcome) for i in corrupt})
    lost = {"status": "failed", "reason": "corrupt in the store, twice", **_UNMEASURED}
    return {i: lost if row is None else row for i, row in found.items()}


def _check(config: AuditConfig, scene_id: str, spec: SceneSpec, outcome: RenderOutcome) -> Mapping[str, object] | None:
    """The row of one scene; None where the store's copy is corrupt."""
    if scene_id in outcome.failed:
        return {"status": "failed", "reason": outcome.failed[scene_id], **_UNMEASURED}
    try:
        return dataclasses.asdict(check(spec, parts.store(config).read(scene_id), parts.robot(config)))
    except StoreError:
        return None
