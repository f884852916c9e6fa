"""`python -m scenes.blender.importing`: a user's own file as plain geometry, and as a .blend of meshes and materials.

The request is JSON on stdin (path, up, yaw, the most triangles it may have, and the folder to write to), the answer is
JSON on the old stdout. No script in the file is executed: scripts are off, and what is written holds no text, no driver
and no handler.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from scenes import checks
from scenes.blender import own_materials
from scenes.blender.session import session
from scenes.framing import camera_at
from scenes.scene_spec import LightSpec, MaterialSpec, ObjectSpec, SceneError, SceneSpec
from scenes.store import OBJECT

DRAWN_TRIANGLES = 20_000  # about; a mesh of more is made simpler for ground truth, which would be slow and no truer
SOLID = ("MESH", "CURVE", "SURFACE", "FONT", "META")  # kinds of objects that have a surface
WELD = 1e-6  # of the largest side: vertices this close are one, for the simpler mesh
GREY = (0.8, 0.8, 0.8)  # stands for the asset's own colour until that has been seen
VIEWS = (0.0, 90.0, 180.0, 270.0)  # degrees from which it is looked at, to see its colour and to check its mask
_KINDS = {"objects", "meshes", "materials", "node_groups", "images", "textures", "colorspaces"}  # what may be written
_UP = {  # axis that points up -> from the file's axes to x right, y away, z up
    "x": Matrix.Rotation(math.radians(-90), 4, "Y"),
    "y": Matrix.Rotation(math.radians(90), 4, "X"),
    "z": Matrix.Identity(4),
    "-x": Matrix.Rotation(math.radians(90), 4, "Y"),
    "-y": Matrix.Rotation(math.radians(-90), 4, "X"),
    "-z": Matrix.Rotation(math.radians(180), 4, "X"),
}


def bring_in(path: Path, up: str, yaw: float, most: int, folder: Path) -> dict[str, Any]:
    """Read the file, write both files of the asset into the folder. Raises SceneError for a file that cannot be used.

    Returns the names of the two, and the files outside that the file takes its pictures from, as seen from its folder.
    """
    _open(path)
    meshes = _meshes(_turned(path, up, yaw), most)
    own_materials.tidy(meshes)
    outside = own_materials.packed(meshes)
    blend = _written(meshes, folder)
    vertices, faces = _drawn(meshes)
    kept: dict[str, Any] = {
        "vertices": vertices,
        "faces": faces,
        "triangles": sum(_count(mesh) for mesh in meshes),
        "content": blend.stem,
    }
    geometry = folder / "geometry.npz"
    np.savez_compressed(geometry, **kept, color=np.array(GREY), agreement=np.nan)
    color, agreement = _looked_at(geometry)
    if agreement < checks.LEAST_AGREEMENT:
        raise SceneError(
            f"what is seen of it is not its mesh (their masks agree by {agreement:.2f}), so no ground truth can be had;"
            " transparent materials are the usual reason: make them opaque, or cut the mesh instead"
        )
    np.savez_compressed(geometry, **kept, color=color, agreement=agreement)
    beside = [os.path.relpath(name, path.parent) for name in outside]
    return {"blend": blend.name, "geometry": geometry.name, "outside": sorted(beside)}


def _open(path: Path) -> None:
    """Let the current scene be what the file holds, and nothing in it run."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.use_scripts_auto_execute = False
    suffix = path.suffix.lower()
    try:
        if suffix == ".blend":
            _append(path)
        elif suffix == ".obj":
            bpy.ops.wm.obj_import(filepath=str(path), forward_axis="NEGATIVE_Z", up_axis="Y")
        else:
            bpy.ops.import_scene.gltf(filepath=str(path))
    except (RuntimeError, OSError) as error:
        said = str(error).strip().splitlines()
        why = said[-1] if said else "no message"
        raise SceneError(f"is no {suffix} file that can be read ({why}); export it again") from None


def _append(path: Path) -> None:
    """Bring the scene of a .blend in; of a file that has none, its objects.

    Nothing is evaluated on the way, as it would be on opening it, so drivers' expressions are gone before one could be;
    what they drive stays as it was saved. Texts that the file would run on opening are data here like any other.
    """
    with bpy.data.libraries.load(str(path), link=False) as (held, wanted):
        wanted.scenes = list(held.scenes)
        wanted.objects = [] if held.scenes else list(held.objects)
    for block in own_materials.blocks():
        for curve in [c for c in block.animation_data.drivers if c.driver.type == "SCRIPTED"]:
            block.animation_data.drivers.remove(curve)
    if len(wanted.scenes) > 1:
        names = ", ".join(scene.name for scene in wanted.scenes)
        raise SceneError(f"holds {len(wanted.scenes)} scenes ({names}); save the one to be shown in a file of its own")
    for scene in wanted.scenes:
        bpy.context.window.scene = scene
    for thing in wanted.objects:
        bpy.context.scene.collection.objects.link(thing)


def _turned(path: Path, up: str, yaw: float) -> Matrix:
    """From the frame in which Blender has what it read to one with x right, y away, z up."""
    is_blend = path.suffix.lower() == ".blend"
    given = Matrix.Identity(4) if is_blend else _UP["y"]  # what the format's importer did
    wanted = given if up == "auto" else _UP[up]
    return Matrix.Rotation(math.radians(yaw), 4, "Z") @ wanted @ given.inverted()


def _meshes(turn: Matrix, most: int) -> list[bpy.types.Mesh]:
    """What the scene would render, as meshes in the asset's own frame: modifiers, instances and curves made plain."""
    _show_what_renders()
    evaluated = bpy.context.evaluated_depsgraph_get()
    total, found = 0, []
    for instance in evaluated.object_instances:
        thing = instance.object
        if thing.type not in SOLID or not instance.show_self or not thing.visible_camera:
            continue
        if isinstance(thing.data, bpy.types.Mesh):
            total += len(thing.data.loops) - 2 * len(thing.data.polygons)
            _check_size(total, most)
        mesh = bpy.data.meshes.new_from_object(thing, preserve_all_data_layers=True, depsgraph=evaluated)
        if not mesh.polygons:
            bpy.data.meshes.remove(mesh)
            continue
        place = turn @ instance.matrix_world
        mesh.transform(place)
        if place.determinant() < 0:
            mesh.flip_normals()
        own_materials.dress(mesh, thing)
        found.append(mesh)
    if not found:
        raise SceneError("holds no mesh; lights, cameras, empties and what is hidden from renders do not count")
    _check_size(sum(_count(mesh) for mesh in found), most)
    _fit(found)
    return found


def _check_size(triangles: int, most: int) -> None:
    if triangles > most:
        raise SceneError(f"has more than {most:,} triangles; reduce it, for instance with Blender's Decimate")


def _count(mesh: bpy.types.Mesh) -> int:
    """The number of triangles."""
    return len(mesh.loops) - 2 * len(mesh.polygons)


def _show_what_renders() -> None:
    """Blender evaluates for its viewport: let that be what a render would have."""
    scene = bpy.context.scene
    scene.render.use_simplify = False
    for collection in bpy.data.collections:
        collection.hide_viewport = collection.hide_render
    for layer in _below(bpy.context.view_layer.layer_collection):
        layer.hide_viewport = False
    for thing in scene.objects:
        thing.hide_set(False)
        thing.hide_viewport = thing.hide_render
        thing.show_instancer_for_viewport = thing.show_instancer_for_render
        for modifier in thing.modifiers:
            modifier.show_viewport = modifier.show_render
            if modifier.type in ("SUBSURF", "MULTIRES"):
                modifier.levels = modifier.render_levels
    bpy.context.view_layer.update()


def _below(layer: bpy.types.LayerCollection) -> Iterator[bpy.types.LayerCollection]:
    yield layer
    for child in layer.children:
        yield from _below(child)


def _fit(meshes: list[bpy.types.Mesh]) -> None:
    """Scale and move them together so that the largest side is 1 and the middle of the foot lies at the origin."""
    points = np.concatenate([_vertices(mesh) for mesh in meshes])
    if not np.isfinite(points).all():
        raise SceneError("has vertices whose place is not a number; export it again")
    low, high = points.min(axis=0), points.max(axis=0)
    largest = float((high - low).max())
    if not largest > 0:
        raise SceneError("has no extent: all its points lie in one place")
    middle = [*(low[:2] + high[:2]) / 2, low[2]]
    for mesh in meshes:
        mesh.transform(Matrix.Scale(1 / largest, 4) @ Matrix.Translation([-v for v in middle]))


def _vertices(mesh: bpy.types.Mesh) -> np.ndarray:
    """(V, 3) float64."""
    points = np.empty(3 * len(mesh.vertices), dtype=np.float32)
    mesh.vertices.foreach_get("co", points)
    return points.reshape(-1, 3).astype(np.float64)


def _written(meshes: list[bpy.types.Mesh], folder: Path) -> Path:
    """The .blend of objects with these meshes, named by its content. Raises SceneError should it hold anything else."""
    things = {bpy.data.objects.new(mesh.name, mesh) for mesh in meshes}
    path = folder / "asset.blend"
    bpy.data.libraries.write(str(path), things, fake_user=False, compress=True)
    with bpy.data.libraries.load(str(path), link=False) as (held, _):
        others = [kind for kind in dir(held) if getattr(held, kind) and kind not in _KINDS]
    if others:
        raise SceneError(f"cannot be freed of its {', '.join(others)}; save the object alone in a file of its own")
    return path.rename(folder / f"{hashlib.sha256(path.read_bytes()).hexdigest()}.blend")


def _drawn(meshes: list[bpy.types.Mesh]) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) float64 and triangles (F, 3) int64 of all meshes, made simpler where they are too many."""
    total = sum(_count(mesh) for mesh in meshes)
    share = min(DRAWN_TRIANGLES / total, 1.0)
    vertices, faces, start = [], [], 0
    for mesh in meshes if share == 1 else [_simpler(mesh, share) for mesh in meshes]:
        mesh.calc_loop_triangles()
        corners = np.empty(3 * len(mesh.loop_triangles), dtype=np.int32)
        mesh.loop_triangles.foreach_get("vertices", corners)
        vertices.append(_vertices(mesh))
        faces.append(corners.reshape(-1, 3).astype(np.int64) + start)
        start += len(vertices[-1])
    return np.concatenate(vertices), np.concatenate(faces)


def _simpler(mesh: bpy.types.Mesh, share: float) -> bpy.types.Mesh:
    """A copy with about that share of the triangles. Vertices that a format split at seams are welded before."""
    thing = bpy.data.objects.new(mesh.name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    thing.modifiers.new("weld", "WELD").merge_threshold = WELD
    thing.modifiers.new("simpler", "DECIMATE").ratio = share
    evaluated = bpy.context.evaluated_depsgraph_get()
    return bpy.data.meshes.new_from_object(thing.evaluated_get(evaluated), depsgraph=evaluated)


def _looked_at(geometry: Path) -> tuple[np.ndarray, float]:
    """Mean base colour (3,) as seen from VIEWS, and IoU of the masks with those of the geometry.

    It is rendered as scenes are, from what was written: what a worker could not show is found here.
    """
    colors, weights, both, either = [], [], 0, 0
    with session() as blender:
        for yaw in VIEWS:
            spec = _view(geometry, yaw)
            arrays = blender.render(spec)
            seen = arrays["index"] >= OBJECT
            expected = checks.projected_mask(spec.camera, list(spec.objects))
            both, either = both + int((seen & expected).sum()), either + int((seen | expected).sum())
            if seen.any():
                colors.append(arrays["albedo"][1])
                weights.append(seen.sum())
    if not colors:
        return np.array(GREY), 0.0
    color = np.average(np.array(colors, dtype=np.float64), axis=0, weights=weights)
    # rounded, so that a colour that has gone through a spec is still known as the asset's own
    return np.clip(color, 0, 1).round(4), both / either


def _view(geometry: Path, yaw: float) -> SceneSpec:
    thing = ObjectSpec("own", (1.0, 1.0, 1.0), (0.0, 0.0), yaw, MaterialSpec(GREY), file=str(geometry))
    return SceneSpec(
        camera=camera_at(thing, elevation=15.0, fill=0.7, size=128, field_of_view=35.0),
        floor=MaterialSpec((0.5, 0.5, 0.5)),
        objects=(thing,),
        key=LightSpec((-2.0, 1.0, 3.0), (0.0, 0.0, 0.5), 0.5, 100.0),
        world_color=(1.0, 1.0, 1.0),
        world_strength=0.5,
        samples=1,
        render_seed=0,
    )


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Blender prints from C, importers from Python
    asked = json.load(sys.stdin)
    try:
        reply = bring_in(Path(asked["path"]), asked["up"], asked["yaw"], asked["most"], Path(asked["folder"]))
    except SceneError as error:
        reply = {"refused": str(error)}
    answers.write(json.dumps(reply).encode())
    answers.close()
    os._exit(0)  # an orderly end may wait for ever, on what Blender frees after Python


if __name__ == "__main__":
    main()
