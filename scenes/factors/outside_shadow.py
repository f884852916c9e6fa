"""Shadow from outside the frame: strips between a sun and the object, which the camera does not see.

The sun itself changes the picture (hard shadows; in the studio it is brighter than the area light), so shadows are
compared with the sun that nothing blocks, and that sun with the area light. On the object alone or on the floor alone
they tell what the stripes on either do. The sun has its own softness, whatever `cast_shadow` says of the lamp's.
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
    "half_object": "the same, on the object alone",
    "half_floor": "the same, on the floor alone",
    "slats": "that sun through a blind",
    "slats_object": "the same, on the object alone",
    "slats_floor": "the same, on the floor alone",
}
PARTNERS = {level: "unblocked" for level in LEVELS if level not in ("none", "unblocked")}
DIAMETER = 0.5  # degrees


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "none":
        return spec
    pattern, _, shades = level.partition("_")
    blind = draw.blind
    blockers: tuple[BlockerSpec, ...] = ()
    if pattern == "half":
        side = 1 if draw.blocker_phase < 0.5 else -1
        strip = BlockerSpec(blind.away, 1, blind.reach, blind.reach, blind.reach, draw.blocker_turn)
        blockers = (dataclasses.replace(strip, offset=side * blind.reach / 2),)
    if pattern == "slats":
        count = round(blind.reach / blind.pitch)
        strip = BlockerSpec(blind.away, count, blind.pitch / 2, blind.pitch, blind.reach, draw.blocker_turn)
        blockers = (dataclasses.replace(strip, offset=blind.pitch * draw.blocker_phase),)
    return dataclasses.replace(
        spec,
        key=sun(spec.key, blind.sun),
        world_strength=spec.world_strength * blind.room,
        blockers=tuple(dataclasses.replace(b, shades=shades or "both") for b in blockers),
    )


def sun(light: LightSpec, times: float) -> LightSpec:
    """A sun from where an area light shone, `times` as bright at its target.

    A small square of power P that faces a point r away gives it the irradiance P / (pi r^2).
    """
    away = math.dist(light.position, light.target)
    power = times * light.power / (math.pi * away**2)
    return dataclasses.replace(light, kind="sun", size=DIAMETER, power=power)
