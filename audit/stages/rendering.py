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
from scenes.store import Store, StoreError
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


def render_corrupt_again(config: AuditConfig, planned: Sequence[Planned], outcome: RenderOutcome) -> None:
    """Throw out scenes of the store that fail their checksum, render them anew, and count that in `outcome`."""
    store = parts.store(config)
    corrupt: dict[str, SceneSpec] = {}
    for p in planned:
        if p.scene_id in corrupt or p.scene_id in outcome.failed:
            continue
        try:
            store.read(p.scene_id)
        except StoreError:
            store.discard(p.scene_id)
            corrupt[p.scene_id] = p.spec
    if corrupt:
        again = render(list(corrupt.values()), store, parts.workers(config))
        outcome.rendered += again.rendered
        outcome.cached -= len(corrupt)
        outcome.failed.update(again.failed)


def write_scenes(config: AuditConfig, planned: Sequence[Planned], outcome: RenderOutcome, folder: Path) -> None:
    """Check every render and write `scenes` and `labels`."""
    store, robot = parts.store(config), parts.robot(config)
    checked = _checked(planned, store, robot, outcome)
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
    planned: Sequence[Planned], store: Store, robot: Robot, outcome: RenderOutcome
) -> dict[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = {}
    for p in planned:
        if p.scene_id in found:
            continue
        if p.scene_id in outcome.failed:
            found[p.scene_id] = {"status": "failed", "reason": outcome.failed[p.scene_id], **_UNMEASURED}
            continue
        try:
            found[p.scene_id] = dataclasses.asdict(check(p.spec, store.read(p.scene_id), robot))
        except StoreError as error:
            found[p.scene_id] = {"status": "failed", "reason": str(error), **_UNMEASURED}
    return found
