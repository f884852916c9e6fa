"""Building a scene: floor, objects, key light, world and camera from a SceneSpec."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector

from scenes import assets, obstacles
from scenes.blender import materials, meshes, own_assets, own_materials
from scenes.footprint import ROUND_SIDES
from scenes.proximity import camera_axes
from scenes.scene_spec import (
    OBSTACLES,
    SHAPES,
    BlockerSpec,
    CameraSpec,
    LightSpec,
    ObjectSpec,
    SceneError,
    SceneSpec,
)
from scenes.shadow import blocker_frame, is_split, light_axes, shading
from scenes.store import DISTRACTOR, FLOOR, OBJECT

ALBEDO = "Albedo"  # name of the pass
FLOOR_HALF = 30.0  # m
_KINDS = (
    *("objects", "collections", "meshes", "lights", "cameras", "materials", "worlds"),
    *("node_groups", "images", "textures", "libraries"),  # of a user's own asset
)
RAYS = ("camera", "diffuse", "glossy", "transmission", "volume_scatter")  # all but shadow rays


def build(spec: SceneSpec) -> None:
    """Replace everything in the current scene by what `spec` describes."""
    clear()
    floor = _floor(spec)
    objects = _things(spec.objects, "object", OBJECT)
    distractors = _things(spec.distractors, "distractor", DISTRACTOR)
    _show_albedo()
    _key_lights(spec, objects, [floor, *distractors])
    _world(spec)
    _camera(spec.camera)


def clear() -> None:
    """Remove every datablock, so nothing of the last scene is left to matter."""
    render = bpy.context.scene.render
    if bpy.data.libraries and render.use_persistent_data:  # what Cycles keeps between scenes holds every picture it met
        render.use_persistent_data = False
        render.use_persistent_data = True
    for kind in _KINDS:
        collection = getattr(bpy.data, kind)
        for block in list(collection):
            if getattr(block, "type", "") != "RENDER_RESULT":  # the session's own
                collection.remove(block)


def _linked(name: str, data: bpy.types.ID) -> bpy.types.Object:
    thing = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def _floor(spec: SceneSpec) -> bpy.types.Object:
    mesh = bpy.data.meshes.new("floor")
    s = FLOOR_HALF
    mesh.from_pydata([(-s, -s, 0), (s, -s, 0), (s, s, 0), (-s, s, 0)], [], [(0, 1, 2, 3)])
    mesh.materials.append(materials.build(spec.floor, "floor"))
    floor = _linked("floor", mesh)
    floor.pass_index = FLOOR
    return floor


def _things(things: Sequence[ObjectSpec], kind: str, first: int) -> list[bpy.types.Object]:
    """Objects or distractors, numbered in the index pass from `first` on; an asset is several objects of Blender's."""
    found = []
    for number, thing in enumerate(things):
        name = f"{kind}{number}"
        built = _built(thing, name)
        for part in built:
            _show(part, thing, first + number)
        found += built
    return found


def _built(thing: ObjectSpec, name: str) -> list[bpy.types.Object]:
    if thing.shape in SHAPES:
        return [_shape(thing, name)]
    if thing.shape in OBSTACLES:
        return [_obstacle(thing, name)]
    if thing.file:
        return own_assets.add(name, thing)
    return meshes.add(name, assets.of_object(thing))


def _shape(thing: ObjectSpec, name: str) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    shape = bmesh.new()
    if thing.shape == "box":
        bmesh.ops.create_cube(shape, size=1.0)
    elif thing.shape == "cylinder":
        bmesh.ops.create_cone(shape, cap_ends=True, segments=ROUND_SIDES, radius1=0.5, radius2=0.5, depth=1.0)
    elif thing.shape == "sphere":
        bmesh.ops.create_icosphere(shape, subdivisions=5, radius=0.5)
    else:
        raise SceneError(f"shape {thing.shape!r} has no mesh")
    bmesh.ops.scale(shape, vec=Vector(thing.size), verts=shape.verts)
    shape.to_mesh(mesh)
    shape.free()
    if thing.shape == "sphere":
        mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
    mesh.materials.append(materials.build(thing.material, name))
    return _stood(thing, name, mesh)


def _obstacle(thing: ObjectSpec, name: str) -> bpy.types.Object:
    mesh = meshes.mesh_of(name, obstacles.own(thing))
    for number, material in enumerate(obstacles.shades(thing)):
        mesh.materials.append(materials.build(material, f"{name}.{number}"))
    panels = obstacles.named(thing.shape).panels
    if panels is not None:
        mesh.polygons.foreach_set("material_index", panels.astype(np.int32))
    return _stood(thing, name, mesh)


def _stood(thing: ObjectSpec, name: str, mesh: bpy.types.Mesh) -> bpy.types.Object:
    """The mesh, whose middle is at its origin, on the floor in its place."""
    placed = _linked(name, mesh)
    placed.location = (*thing.position, thing.size[2] / 2)
    placed.rotation_euler = (0.0, 0.0, math.radians(thing.yaw))
    return placed


def _show(built: bpy.types.Object, thing: ObjectSpec, index: int) -> None:
    """What sees an object, and what mask it is in."""
    built.pass_index = index
    built.visible_shadow = thing.casts_shadow
    for ray in RAYS:
        setattr(built, f"visible_{ray}", thing.is_visible)


def _show_albedo() -> None:
    """Let every material write its base colour into the pass ALBEDO.

    Cycles' own diffuse colour is none of a metal, and of a dielectric lacks what the surface reflects: of a floor seen
    at a low angle a quarter.
    """
    for material in bpy.data.materials:
        for tree, color in own_materials.base_colors(material.node_tree)[:1]:
            output = tree.nodes.new("ShaderNodeOutputAOV")
            output.aov_name = ALBEDO
            output.inputs["Color"].default_value = color.default_value
            for link in color.links:
                tree.links.new(link.from_socket, output.inputs["Color"])


def _key_lights(spec: SceneSpec, objects: Sequence[bpy.types.Object], others: Sequence[bpy.types.Object]) -> None:
    """The key light and what stands in its way; a light for the objects and one for all else where that differs.

    Every surface receives one of the two, which stand in the same place, so it is lit as by one light.
    """
    if not is_split(spec):
        for number, blocker in enumerate(shading(spec, "floor")):
            _blocker(blocker, spec.key, f"blocker{number}")
        _key_light(spec.key, "key")
        return
    for receiver, parts in (("object", objects), ("floor", others)):
        blockers = [
            _blocker(blocker, spec.key, f"blocker{number}.{receiver}")
            for number, blocker in enumerate(shading(spec, receiver))
        ]
        linking = _key_light(spec.key, f"key.{receiver}").light_linking
        linking.receiver_collection = _collection(f"lit.{receiver}", parts)
        linking.blocker_collection = _collection(f"in the way.{receiver}", [*objects, *others, *blockers])


def _collection(name: str, members: Sequence[bpy.types.Object]) -> bpy.types.Collection:
    """Members of a scene that are named together, without showing in it twice."""
    collection = bpy.data.collections.new(name)
    for member in members:
        collection.objects.link(member)
    return collection


def _blocker(blocker: BlockerSpec, light: LightSpec, name: str) -> bpy.types.Object:
    """Strips that shadow rays alone meet."""
    middle, across, along, _ = blocker_frame(blocker, light)
    corners, faces = [], []
    for strip in range(blocker.count):
        centre = middle + (strip - (blocker.count - 1) / 2) * blocker.pitch * across
        for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            corners.append(tuple(centre + a * blocker.width / 2 * across + b * blocker.length / 2 * along))
        faces.append(tuple(range(4 * strip, 4 * strip + 4)))
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], faces)
    built = _linked(name, mesh)
    for ray in RAYS:
        setattr(built, f"visible_{ray}", False)
    return built


def _key_light(light: LightSpec, name: str) -> bpy.types.Object:
    data = bpy.data.lights.new(name, "SUN" if light.kind == "sun" else "AREA")
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
    placed = _linked(name, data)
    _place(placed, np.array(light.position), side, up, -normal)
    return placed


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
