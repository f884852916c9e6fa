"""The sheet of a scene's ground truth: a panel for everything that is there, and none for what is not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reports import scene_folder, scene_sheet
from scenes.scene_spec import CameraSpec, LightSpec, MaterialSpec, SceneError, SceneSpec
from scenes.store import Render, Store

H, W = 64, 80
GREY = MaterialSpec(color=(0.4, 0.4, 0.4))
SPEC = SceneSpec(
    camera=CameraSpec(W, H, 60.0, (0.05, 0.0, 0.13), 56.0),
    floor=GREY,
    objects=(),
    key=LightSpec((0.6, 0.5, 0.8), (0.3, 0.0, 0.0), 0.02, 12.0),
    world_color=(1.0, 1.0, 1.0),
    world_strength=0.1,
    samples=1,
    render_seed=0,
)


@pytest.fixture
def render() -> Render:
    """A square object of 20 x 30 px on a floor up to row 16, with a shadow to its right."""
    seen = np.zeros((H, W), dtype=np.float32)
    seen[30:50, 20:50] = 1
    background = np.zeros((H, W), dtype=np.float32)
    background[:16] = 1
    floor = 1 - seen - background
    shadow = np.zeros((H, W), dtype=np.float32)
    shadow[40:50, 50:60] = 0.5
    nothing = np.zeros((H, W), dtype=np.float32)
    return Render(
        rgb=np.full((H, W, 3), 120, dtype=np.uint8),
        object=seen,
        distractors=nothing,
        shadow=shadow,
        distractor_shadow=nothing,
        outside=nothing,
        reflection=nothing,
        floor=floor,
        background=background,
        depth=np.where(background > 0, np.inf, 0.5).astype(np.float32),
        albedo=np.full((2, 3), 0.4, dtype=np.float32),
    )


def test_a_panel_shows_each_region_that_is_there(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[scene_sheet.Panel] = []
    monkeypatch.setattr(scene_sheet, "_sheet", lambda title, panels: shown.extend(panels))
    scene_sheet.scene_sheet("scene", render)
    assert [p.name for p in shown] == ["picture", "object", "cast shadow", "floor", "background", "depth"]
    notes = {p.name: p.note for p in shown}
    assert notes["picture"] == "box x 20 to 50, y 30 to 50 px"
    assert notes["object"].startswith("600.0 px")
    assert notes["cast shadow"].startswith("50.0 px")


def test_the_box_is_drawn_around_the_object(render: Render) -> None:
    panel = scene_sheet._picture(render, scale=4)
    drawn = (panel.pixels == scene_sheet._BOX).all(axis=-1)
    rows, columns = np.nonzero(drawn)
    assert (rows.min(), rows.max()) == (30 * 4, 50 * 4 - 1)
    assert (columns.min(), columns.max()) == (20 * 4, 50 * 4 - 1)


def test_a_scene_without_object_and_without_truth_still_makes_a_sheet(render: Render) -> None:
    unknown = np.full((H, W), np.nan, dtype=np.float32)
    bare = dataclasses.replace(
        render,
        object=np.zeros((H, W), dtype=np.float32),
        shadow=unknown,
        outside=unknown,
        depth=np.full((H, W), np.inf),
    )
    assert scene_sheet.scene_sheet("scene", bare).dtype == np.uint8


def test_a_scene_is_written_out_even_where_no_blender_is(
    render: Render, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise SceneError("no .blend could be made (No module named 'bpy')")

    monkeypatch.setattr(scene_folder, "save_blend", none)
    store = Store(tmp_path / "store")
    arrays = {"rgb": render.rgb, "index": np.ones((H, W), dtype=np.uint8), "depth": render.depth}
    store.write_image(SPEC.scene_id, {**arrays, "albedo": render.albedo}, SPEC)
    lines = scene_folder.write_scene(store, SPEC.scene_id, tmp_path / "out")
    assert lines[-1].startswith("no .blend:")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["picture.png", "spec.json", "truth.png"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "picture.png")), render.rgb)
