"""One scene of the store, written out to be looked at: picture, ground truth, spec, and a file that Blender opens."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from reports.scene_sheet import scene_sheet
from scenes.blend_file import save_blend
from scenes.scene_spec import SceneError, to_plain
from scenes.store import Store


def write_scene(store: Store, scene_id: str, folder: Path) -> list[str]:
    """Write `folder`/picture.png, truth.png, spec.json and scene.blend; returns a line about each.

    Without Blender at hand the .blend is left out, and its line says why. Raises StoreError.
    """
    render, spec = store.read(scene_id), store.spec(scene_id)
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(render.rgb).save(folder / "picture.png")
    Image.fromarray(scene_sheet(f"scene {scene_id}", render)).save(folder / "truth.png")
    (folder / "spec.json").write_text(json.dumps(to_plain(spec), indent=2) + "\n")
    height, width = render.rgb.shape[:2]
    lines = [
        f"picture   {folder / 'picture.png'} ({width} x {height} px)",
        f"truth     {folder / 'truth.png'}",
        f"spec      {folder / 'spec.json'}",
    ]
    try:
        save_blend(spec, folder / "scene.blend")
    except SceneError as error:
        return [*lines, f"no .blend: {error}"]
    return [*lines, f"blender   {folder / 'scene.blend'}"]
