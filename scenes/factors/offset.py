"""Offset: how far left of the robot's axis the obstacle's middle is, as far ahead as the block put it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes.factors.range import Range
from scenes.standing import clear_of

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "offset"
CONTROL = "drawn"
LEVELS = {"drawn": "the block's own", "0": "straight ahead", "0.08": "8 cm left", "-0.08": "8 cm right"}
RANGE = Range(-0.12, 0.12, "m")


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "drawn" or draw.robot is None:
        return spec
    moved = (dataclasses.replace(o, position=(o.position[0], float(level))) for o in spec.objects)
    return dataclasses.replace(spec, objects=tuple(clear_of(o, draw.robot) for o in moved))
