"""A user's own asset in a scene: the objects of its .blend, as the user made them, in the object's place."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from scenes.assets import own
from scenes.assets.placing import standing
from scenes.blender import own_materials
from scenes.scene_spec import ObjectSpec


def add(name: str, thing: ObjectSpec) -> list[bpy.types.Object]:
    """The asset's objects, linked. Pass index and visibility to rays are the caller's to set. Raises SceneError.

    It looks as the user made it unless the object's colour is another than its own. Nothing in the .blend can run: it
    holds meshes and materials alone, and scripts are off.
    """
    asset = own.read(thing.file)
    bpy.context.preferences.filepaths.use_scripts_auto_execute = False
    before = set(bpy.data.materials)
    with bpy.data.libraries.load(str(own.whole_blend(asset)), link=False) as (held, wanted):
        wanted.objects = sorted(held.objects)
    turn, stand = standing(thing.size[0], thing.position, thing.yaw)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn.T, stand
    for number, part in enumerate(wanted.objects):
        part.name = f"{name}.{number}"
        bpy.context.scene.collection.objects.link(part)
        part.matrix_world = Matrix(matrix.tolist())
    if thing.is_visible and not np.allclose(thing.material.color, asset.color, atol=1e-5):
        for material in set(bpy.data.materials) - before:
            own_materials.repaint(material, asset.color, thing.material.color)
    return list(wanted.objects)
