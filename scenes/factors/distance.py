"""Distance: from the sensors' arc to the obstacle's nearest face, straight ahead of where the block put it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes.factors.range import Range
from scenes.standing import at_distance

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "distance"
CONTROL = "drawn"
LEVELS = {"drawn": "the block's own", "0.05": "5 cm", "0.15": "15 cm", "0.3": "30 cm"}
RANGE = Range(0.02, 0.4, "m")  # farther off, most obstacles leave the picture of a camera that looks at the floor


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "drawn" or draw.robot is None:
        return spec
    objects = tuple(at_distance(o, draw.robot, float(level)) for o in spec.objects)
    return dataclasses.replace(spec, objects=objects)
