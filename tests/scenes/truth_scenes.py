"""Scenes whose whole ground truth is known in closed form: contrasts, mirrors for a floor, distractors, split light."""

from __future__ import annotations

import dataclasses
import math

from closed_form import GREY, a_scene, an_object
from studio_scenes import scene as studio_scene

from scenes.proximity import camera_axes
from scenes.scene_spec import BlockerSpec, CameraSpec, LightSpec, MaterialSpec, ObjectSpec, SceneSpec

CLOSED = ("box", "cylinder", "sphere")
LOW = CameraSpec(width=80, height=64, field_of_view=60.0, position=(-0.1, 0.0, 0.15), tilt=70.0)  # sees the horizon
BLACK = MaterialSpec(color=(0.0, 0.0, 0.0), specular=0.0)
WHITE = MaterialSpec(color=(1.0, 1.0, 1.0), specular=0.0)
MIRROR = MaterialSpec(color=(1.0, 1.0, 1.0), metallic=1.0, roughness=0.0)
LAMP = LightSpec(position=(0.2, 0.5, 0.6), target=(0.3, 0.0, 0.0), size=0.001, power=6.0)  # a point, nearly


def torch(camera: CameraSpec) -> LightSpec:
    """A light at the camera, so bright that all that it sees of a white object is bright, but for its rim."""
    _, _, forward = camera_axes(camera)
    target = tuple(float(p + d) for p, d in zip(camera.position, forward, strict=True))
    return LightSpec(position=camera.position, target=target, size=0.001, power=12.0)  # type: ignore[arg-type]


CONTRAST = {
    shape: a_scene(an_object(shape, material=WHITE), floor=BLACK, camera=LOW, key=torch(LOW), world_strength=0.0)
    for shape in CLOSED
}

POINT_LIT = {shape: a_scene(an_object(shape, is_visible=False), key=LAMP, samples=16) for shape in CLOSED}
UNSHADED = a_scene(key=LAMP, samples=16)

# A dark object over a mirror under a white sky: what is dark is the object or its image.
MIRRORED = {
    shape: a_scene(
        an_object(shape, material=BLACK), floor=MIRROR, camera=LOW, key=dataclasses.replace(LAMP, power=1e-6),
        world_strength=1.0, samples=16,
    )
    for shape in CLOSED
}  # fmt: skip
MIRRORED_GHOST = dataclasses.replace(
    MIRRORED["box"], objects=(dataclasses.replace(MIRRORED["box"].objects[0], is_visible=False),)
)
_BRASS = MaterialSpec(color=(0.9, 0.7, 0.3), metallic=1.0, roughness=0.3)
BRASS = dataclasses.replace(MIRRORED["sphere"], objects=(an_object("sphere", material=_BRASS),))
# What a metal shows of a shadow: a ghost that would throw one, and nothing.
STEEL = MaterialSpec(color=(0.6, 0.6, 0.6), metallic=1.0, roughness=0.2)
ON_STEEL = {
    n: a_scene(*o, floor=STEEL, key=LAMP, samples=16)
    for n, o in {"ghost": [an_object(is_visible=False)], "empty": []}.items()
}
_BUCKET = dataclasses.replace(studio_scene("bucket"), samples=8, floor=MIRROR, world_strength=0.3)
BUCKET = dataclasses.replace(_BUCKET, camera=dataclasses.replace(_BUCKET.camera, width=96, height=96))
NO_BUCKET = dataclasses.replace(BUCKET, objects=())

BESIDE = an_object("cylinder", size=(0.06, 0.06, 0.12), position=(0.27, -0.06), material=GREY)
BEFORE = an_object("box", size=(0.02, 0.05, 0.08), position=(0.19, 0.03), yaw=0.0, material=GREY)
SHUT = dataclasses.replace(BEFORE, size=(0.02, 0.14, 0.14))
DISTRACTED = a_scene(an_object(), key=LAMP, distractors=(BESIDE, BEFORE), samples=16)
DISTRACTED_GHOST = dataclasses.replace(DISTRACTED, objects=(an_object(is_visible=False),))
DISTRACTED_EMPTY = dataclasses.replace(DISTRACTED, objects=())
HIDDEN = dataclasses.replace(DISTRACTED, distractors=(SHUT,))
MIRRORED_BEHIND = dataclasses.replace(MIRRORED["box"], distractors=(dataclasses.replace(BEFORE, material=WHITE),))

# The sphere's centre lies on the picture's left border; the wide camera has two pictures more on either side.
_LEFT = an_object("sphere", position=(0.4, 0.0))
_, _UP, _FORWARD = camera_axes(LOW)
_DEPTH = sum((a - b) * c for a, b, c in zip((0.4, 0.0, 0.05), LOW.position, _FORWARD, strict=True))
HALF_OUT = a_scene(
    dataclasses.replace(_LEFT, position=(0.4, _DEPTH * math.tan(math.radians(LOW.field_of_view / 2)))), camera=LOW
)
_WIDE = 2 * math.degrees(math.atan(5 * math.tan(math.radians(LOW.field_of_view / 2))))
WIDE = dataclasses.replace(HALF_OUT, camera=dataclasses.replace(LOW, width=400, field_of_view=_WIDE), samples=1)

STRIPS = BlockerSpec(distance=0.4, count=20, width=0.03, pitch=0.06, length=2.0, turn=30.0)
SPLIT_SUN = LightSpec(position=(0.6, 0.9, 1.2), target=(0.3, 0.0, 0.0), size=0.5, power=3.0, kind="sun")


def shaded(shades: str, *objects: ObjectSpec) -> SceneSpec:
    """Strips that shade both, the object, or the floor; 'none' without any."""
    blockers = () if shades == "none" else (dataclasses.replace(STRIPS, shades=shades),)
    return a_scene(*objects, key=SPLIT_SUN, blockers=blockers, samples=16)


_PALE = an_object(material=dataclasses.replace(GREY, color=(0.6, 0.6, 0.6)))
SHADED = {shades: shaded(shades, _PALE) for shades in ("none", "both", "object", "floor")}
BARE = {shades: shaded(shades) for shades in ("both", "object", "floor")}

GLOSSY = {
    "metal": a_scene(an_object(), floor=MaterialSpec((0.5, 0.4, 0.3), metallic=1.0, roughness=0.2), camera=LOW),
    "polished": a_scene(an_object(), floor=MaterialSpec((0.5, 0.4, 0.3), specular=1.0, roughness=0.1), camera=LOW),
}
ALL = [
    *(s for group in (CONTRAST, POINT_LIT, MIRRORED, ON_STEEL, SHADED, BARE, GLOSSY) for s in group.values()),
    *(UNSHADED, MIRRORED_GHOST, MIRRORED_BEHIND, BRASS, BUCKET, NO_BUCKET, HALF_OUT, WIDE),
    *(DISTRACTED, DISTRACTED_GHOST, DISTRACTED_EMPTY, HIDDEN),
]
