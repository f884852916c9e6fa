"""Building a scene: floor, objects, key light, world and camera from a SceneSpec."""

from __future__ import annotations

import math

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector

from scenes import assets
from scenes.blender import materials, meshes
from scenes.footprint import ROUND_SIDES
from scenes.proximity import camera_axes
from scenes.scene_spec import SHAPES, BlockerSpec, CameraSpec, LightSpec, ObjectSpec, SceneError, SceneSpec
from scenes.shadow import blocker_frame, light_axes
from scenes.store import FLOOR, OBJECT

FLOOR_HALF = 30.0  # m
RAYS = ("camera", "diffuse", "glossy", "transmission", "volume_scatter")  # all but shadow rays


def build(spec: SceneSpec) -> None:
    """Replace everything in the current scene by what `spec` describes."""
    clear()
    _floor(spec)
    for number, thing in enumerate(spec.objects):
        for built in [_shape(thing, number)] if thing.shape in SHAPES else _asset(thing, number):
            _show(built, thing, number)
    for number, blocker in enumerate(spec.blockers):
        _blocker(blocker, spec.key, number)
    _key_light(spec.key)
    _world(spec)
    _camera(spec.camera)


def clear() -> None:
    """Remove every datablock, so nothing of the last scene is left to matter."""
    for kind in ("objects", "meshes", "lights", "cameras", "materials", "worlds"):
        collection = getattr(bpy.data, kind)
        for block in list(collection):
            collection.remove(block)


def _linked(name: str, data: bpy.types.ID) -> bpy.types.Object:
    thing = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def _floor(spec: SceneSpec) -> None:
    mesh = bpy.data.meshes.new("floor")
    s = FLOOR_HALF
    mesh.from_pydata([(-s, -s, 0), (s, -s, 0), (s, s, 0), (-s, s, 0)], [], [(0, 1, 2, 3)])
    mesh.materials.append(materials.build(spec.floor, "floor"))
    _linked("floor", mesh).pass_index = FLOOR


def _asset(thing: ObjectSpec, number: int) -> list[bpy.types.Object]:
    return meshes.add(f"object{number}", assets.of_object(thing))


def _shape(thing: ObjectSpec, number: int) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(f"object{number}")
    shape = bmesh.new()
    if thing.shape == "box":
        bmesh.ops.create_cube(shape, size=1.0)
    elif thing.shape == "cylinder":
        bmesh.ops.create_cone(shape, cap_ends=True, segments=ROUND_SIDES, radius1=0.5, radius2=0.5, depth=1.0)
    elif thing.shape == "sphere":
        bmesh.ops.create_uvsphere(shape, u_segments=48, v_segments=24, radius=0.5)
    else:
        raise SceneError(f"shape {thing.shape!r} has no mesh")
    bmesh.ops.scale(shape, vec=Vector(thing.size), verts=shape.verts)
    shape.to_mesh(mesh)
    shape.free()
    if thing.shape == "sphere":
        mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
    mesh.materials.append(materials.build(thing.material, f"object{number}"))
    placed = _linked(f"object{number}", mesh)
    placed.location = (*thing.position, thing.size[2] / 2)
    placed.rotation_euler = (0.0, 0.0, math.radians(thing.yaw))
    return placed


def _show(built: bpy.types.Object, thing: ObjectSpec, number: int) -> None:
    """What sees an object, and what mask it is in."""
    built.pass_index = OBJECT + number
    built.visible_shadow = thing.casts_shadow
    for ray in RAYS:
        setattr(built, f"visible_{ray}", thing.is_visible)


def _blocker(blocker: BlockerSpec, light: LightSpec, number: int) -> None:
    """Strips that shadow rays alone meet."""
    middle, across, along, _ = blocker_frame(blocker, light)
    corners, faces = [], []
    for strip in range(blocker.count):
        centre = middle + (strip - (blocker.count - 1) / 2) * blocker.pitch * across
        for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            corners.append(tuple(centre + a * blocker.width / 2 * across + b * blocker.length / 2 * along))
        faces.append(tuple(range(4 * strip, 4 * strip + 4)))
    mesh = bpy.data.meshes.new(f"blocker{number}")
    mesh.from_pydata(corners, [], faces)
    built = _linked(f"blocker{number}", mesh)
    for ray in RAYS:
        setattr(built, f"visible_{ray}", False)


def _key_light(light: LightSpec) -> None:
    data = bpy.data.lights.new("key", "SUN" if light.kind == "sun" else "AREA")
    if light.kind == "sun":
        data.angle = math.radians(light.size)
    else:
        data.shape = "SQUARE"
        data.size = light.size
    data.energy = light.power
    data.color = light.color
    normal = np.array(light.target) - np.array(light.position)
    normal = normal / np.linalg.norm(normal)
    side, up = light_axes(normal)
    _place(_linked("key", data), np.array(light.position), side, up, -normal)


def _world(spec: SceneSpec) -> None:
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (*spec.world_color, 1.0)
    background.inputs["Strength"].default_value = spec.world_strength
    bpy.context.scene.world = world


def _camera(camera: CameraSpec) -> None:
    data = bpy.data.cameras.new("camera")
    data.sensor_fit = "HORIZONTAL"
    data.angle_x = math.radians(camera.field_of_view)
    data.clip_start = camera.clip_start
    thing = _linked("camera", data)
    right, up, forward = camera_axes(camera)
    _place(thing, np.array(camera.position), right, up, -forward)
    bpy.context.scene.camera = thing


def _place(thing: bpy.types.Object, at: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
    """Put an object at a point with its own axes along x, y, z."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([x, y, z], axis=1)
    matrix[:3, 3] = at
    thing.matrix_world = Matrix(matrix.tolist())
