"""Scenes whose answer is known in closed form, and how to make more of them."""

from __future__ import annotations

from dataclasses import dataclass

from scenes.renderer import RenderOutcome
from scenes.scene_spec import CameraSpec, LightSpec, MaterialSpec, ObjectSpec, SceneSpec
from scenes.store import Store

CAMERA = CameraSpec(width=80, height=64, field_of_view=60.0, position=(0.05, 0.0, 0.13), tilt=56.0)
GREY = MaterialSpec(color=(0.4, 0.4, 0.4), specular=0.0)
RED = MaterialSpec(color=(0.5, 0.1, 0.1), specular=0.0)
LIGHT = LightSpec(position=(0.6, 0.5, 0.8), target=(0.3, 0.0, 0.0), size=0.02, power=12.0)


def an_object(shape: str = "box", **changes: object) -> ObjectSpec:
    fields: dict[str, object] = {
        "shape": shape,
        "size": (0.1, 0.1, 0.1),
        "position": (0.30, 0.03),
        "yaw": 25.0,
        "material": RED,
    }
    return ObjectSpec(**{**fields, **changes})  # type: ignore[arg-type]


def a_scene(*objects: ObjectSpec, **changes: object) -> SceneSpec:
    fields: dict[str, object] = {
        "camera": CAMERA,
        "floor": GREY,
        "objects": objects,
        "key": LIGHT,
        "world_color": (1.0, 1.0, 1.0),
        "world_strength": 0.1,
        "samples": 4,
        "render_seed": 7,
    }
    return SceneSpec(**{**fields, **changes})  # type: ignore[arg-type]


SHAPES = {shape: a_scene(an_object(shape)) for shape in ("box", "cylinder", "sphere")}
GHOSTS = {shape: a_scene(an_object(shape, is_visible=False)) for shape in SHAPES}
LIT = {
    shape: a_scene(an_object(shape, is_visible=False, casts_shadow=False)) for shape in ("box", "cylinder", "sphere")
}
EMPTY = a_scene()
NEAR = a_scene(an_object(size=(0.06, 0.08, 0.12), position=(0.15, 0.0), yaw=0.0))  # Blender's own clipping would cut it


@dataclass(frozen=True)
class SmallStore:
    store: Store
    outcome: RenderOutcome
