"""Shadow from outside the frame: strips between a sun and the object, which the camera does not see.

The sun itself changes the picture (harder, brighter than the area light), so half and slats are compared with the sun
that nothing blocks, and that sun with the area light.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from scenes.scene_spec import BlockerSpec, LightSpec

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "outside_shadow"
CONTROL = "none"
LEVELS = {
    "none": "the area light, nothing in its way",
    "unblocked": "a sun in its place, nothing in its way",
    "half": "that sun, one half of the scene in the shadow of something outside the frame",
    "slats": "that sun through a blind",
}
PARTNERS = {"half": "unblocked", "slats": "unblocked"}
SUN = 2.9  # irradiance of the sun at the object, of what the light gave that it replaces
DIAMETER = 0.5  # degrees
ROOM = 0.25  # the world's strength, of what it was
AWAY = 1.2  # m, the blockers from the object
PITCH = 0.16  # m, a slat and a gap
REACH = 8.0  # m that blockers cover


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "none":
        return spec
    blockers: tuple[BlockerSpec, ...] = ()
    if level == "half":
        side = 1 if draw.blocker_phase < 0.5 else -1
        blockers = (BlockerSpec(AWAY, 1, REACH, REACH, REACH, draw.blocker_turn, offset=side * REACH / 2),)
    if level == "slats":
        count = round(REACH / PITCH)
        shift = PITCH * draw.blocker_phase
        blockers = (BlockerSpec(AWAY, count, PITCH / 2, PITCH, REACH, draw.blocker_turn, offset=shift),)
    return dataclasses.replace(spec, key=sun(spec.key), world_strength=spec.world_strength * ROOM, blockers=blockers)


def sun(light: LightSpec) -> LightSpec:
    """A sun from where an area light shone, SUN times as bright at its target.

    A small square of power P that faces a point r away gives it the irradiance P / (pi r^2).
    """
    away = math.dist(light.position, light.target)
    power = SUN * light.power / (math.pi * away**2)
    return dataclasses.replace(light, kind="sun", size=DIAMETER, power=power)
