"""`python -m scenes.blender.saving FILE`: a scene as a .blend that renders to the same picture; its spec on stdin."""

from __future__ import annotations

import json
import os
import sys

import bpy

from scenes.blender.session import prepare, session
from scenes.scene_spec import from_plain


def save(spec_text: str, path: str) -> None:
    """Build the scene and write it, pictures packed, set to render what the store holds as a PNG."""
    with session():
        prepare(from_plain(json.loads(spec_text)))
        render = bpy.context.scene.render
        render.threads_mode = "AUTO"  # the same picture, and the reader's machine may have more than one core
        render.use_file_extension = True
        render.filepath = "//scene"
        image = render.image_settings
        image.file_format, image.color_mode, image.color_depth = "PNG", "RGB", "8"
        bpy.ops.file.pack_all()
        bpy.ops.wm.save_as_mainfile(filepath=path, compress=True)


if __name__ == "__main__":
    os.dup2(2, 1)  # Blender prints from C; nothing is answered here but the exit code
    save(sys.stdin.read(), sys.argv[1])
