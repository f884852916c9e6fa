"""A scene that is damaged in the store is rendered again, and counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import parts
from audit.composition import compose
from audit.models.proximity_task import ProximityTask
from audit.stages import rendering
from scenes.manifest import SCENES

pytestmark = pytest.mark.blender


def test_a_damaged_scene_is_found_and_rendered_again(tmp_path: Path) -> None:
    pytest.importorskip("bpy", reason="bpy is not installed: rendering needs Python 3.11")
    settings = ["design.keep.light=[front]", "design.keep.seeds=[0]", "design.samples=1", "model.checkpoint=null"]
    config = compose(["experiment=smoke", *settings, f"paths.store={tmp_path}"])
    planned = parts.plan(config, ["tabletop"])
    rendering.render_scenes(config, planned)
    victim = next(tmp_path.rglob("*.scene"))
    before = victim.read_bytes()
    victim.write_bytes(before[:-10])
    outcome = rendering.render_scenes(config, planned)
    assert outcome.rendered == 0
    rendering.write_scenes(config, planned, outcome, [ProximityTask(parts.robot(config))], tmp_path)
    assert outcome.rendered == 1
    assert victim.read_bytes() == before
    assert set(SCENES.read(tmp_path)["status"]) == {"ok"}
    assert all(parts.store(config).has(p.scene_id) for p in planned)
