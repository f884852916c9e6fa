"""A scene saved for Blender: opened there and rendered, it is the picture that the store holds."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from closed_form import SHAPES, SmallStore
from PIL import Image

from scenes.blend_file import save_blend
from scenes.scene_spec import SceneError, to_plain
from scenes.store import Store

pytestmark = pytest.mark.blender

OPENED = """
import sys
import bpy

bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
bpy.context.scene.render.filepath = sys.argv[2]
bpy.ops.render.render(write_still=True)
"""


def rendered_by_blender(blend: Path, picture: Path) -> np.ndarray:
    """What a Blender that knows nothing of this project makes of the file: (H, W, 3) uint8."""
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", OPENED, str(blend), str(picture)], env=clean, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return np.asarray(Image.open(picture))


def test_the_saved_scene_renders_to_the_stored_picture(rendered: SmallStore, tmp_path: Path) -> None:
    spec = SHAPES["box"]
    save_blend(spec, tmp_path / "scene.blend")
    again = rendered_by_blender(tmp_path / "scene.blend", tmp_path / "again.png")
    kept = rendered.store.read(spec.scene_id).rgb
    assert again.shape == kept.shape
    assert np.abs(again.astype(int) - kept.astype(int)).max() <= 1  # Blender rounds to 8 bits in its own way


def test_no_half_written_file_stays_behind_when_blender_cannot_build_it(tmp_path: Path) -> None:
    impossible = dataclasses.replace(SHAPES["box"].objects[0], shape="torus")
    with pytest.raises(SceneError, match=r"no \.blend could be made"):
        save_blend(dataclasses.replace(SHAPES["box"], objects=(impossible,)), tmp_path / "scene.blend")
    assert list(tmp_path.iterdir()) == []


def test_the_store_can_give_the_scene_of_a_picture_back(rendered: SmallStore) -> None:
    store: Store = rendered.store
    spec = SHAPES["sphere"]
    assert to_plain(store.spec(store.find(spec.scene_id[:10]))) == to_plain(spec)
