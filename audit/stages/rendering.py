"""Rendering: the designs' scenes into the store, checked, and the tables of scenes and labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from audit import parts
from audit.config import AuditConfig
from audit.models.task import Task
from audit.progress import Progress
from audit.tables import LABELS
from scenes.checks import Checked, check
from scenes.manifest import ABSENT, SCENES
from scenes.planning import Planned
from scenes.renderer import RenderOutcome, render
from scenes.store import StoreError

_UNMEASURED = {
    f.name: ("none" if f.name == "shape" else float("nan"))
    for f in dataclasses.fields(Checked)
    if f.name not in ("status", "reason")
}


def render_scenes(config: AuditConfig, planned: Sequence[Planned]) -> RenderOutcome:
    """Bring the planned scenes into the store."""
    store, specs = parts.store(config), [p.spec for p in planned]
    with Progress("rendering") as progress:
        return render(specs, store, parts.workers(config), progress=progress.render)


def write_scenes(
    config: AuditConfig, planned: Sequence[Planned], outcome: RenderOutcome, tasks: Iterable[Task], folder: Path
) -> None:
    """Check every render and write `scenes` and `labels`; a scene that is corrupt in the store is rendered again.

    tasks: one per scene set that was planned; it says what is true of that set's scenes.
    """
    checked = _checked(config, planned, outcome)
    names = list(dict.fromkeys(f for p in planned for f, _ in p.cell.condition.levels))
    rows = []
    for p in planned:
        levels = dict(p.cell.condition.levels)
        rows.append(
            {
                "cell_id": p.cell_id,
                "scene_id": p.scene_id,
                "scene_set": p.scene_set,
                "block_id": p.cell.block,
                "stratum": p.stratum,
                "values": p.cell.condition.exact,
                **{name: levels.get(name, ABSENT) for name in names},
                **checked[p.scene_id],
            }
        )
    SCENES.write(pd.DataFrame(rows), folder, factors=names, csv=True)
    task_of = {task.scene_set: task for task in tasks}
    unique = {p.scene_id: p for p in planned}
    labels = [
        {
            "scene_id": scene_id,
            "label": task_of[p.scene_set].label(p.spec.objects),
            "in_view": task_of[p.scene_set].in_view(p.spec),
        }
        for scene_id, p in unique.items()
    ]
    LABELS.write(pd.DataFrame(labels), folder)


def _checked(
    config: AuditConfig, planned: Sequence[Planned], outcome: RenderOutcome
) -> dict[str, Mapping[str, object]]:
    """Scene id -> status, reason and covariates. What fails its checksum is rendered anew and counted in `outcome`."""
    store = parts.store(config)
    scenes = {p.scene_id: p for p in planned}
    with ThreadPoolExecutor(config.renderer.workers) as threads:  # arrays are read and compared outside Python's lock
        rows = threads.map(lambda p: _check(config, p, outcome), scenes.values())
        found = dict(zip(scenes, rows, strict=True))
    corrupt = [i for i, row in found.items() if row is None]
    if corrupt:
        for scene_id in corrupt:
            store.discard(scene_id)
        again = render([scenes[i].spec for i in corrupt], store, parts.workers(config))
        outcome.rendered += again.rendered
        outcome.waited += again.waited
        outcome.cached -= len(corrupt) - again.cached
        outcome.failed.update(again.failed)
        found.update({i: _check(config, scenes[i], outcome) for i in corrupt})
    lost = {"status": "failed", "reason": "corrupt in the store, twice", **_UNMEASURED}
    return {i: lost if row is None else row for i, row in found.items()}


def _check(config: AuditConfig, planned: Planned, outcome: RenderOutcome) -> Mapping[str, object] | None:
    """The row of one scene; None where the store's copy is corrupt."""
    scene_id = planned.scene_id
    if scene_id in outcome.failed:
        return {"status": "failed", "reason": outcome.failed[scene_id], **_UNMEASURED}
    robot = parts.robot(config) if planned.scene_set == "tabletop" else None
    try:
        return dataclasses.asdict(check(planned.spec, parts.store(config).read(scene_id), robot))
    except StoreError:
        return None
