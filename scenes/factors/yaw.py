"""Yaw: how far the object is turned about its own axis; round things do not change."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes.factors.range import Range
from scenes.standing import clear_of

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "yaw"
CONTROL = "drawn"
LEVELS = {"drawn": "the block's own", "0": "square to the robot", "30": "turned by a third", "45": "edge on"}
RANGE = Range(0.0, 180.0, "degrees")


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "drawn" or draw.robot is None:
        return spec
    turned = (dataclasses.replace(o, yaw=float(level)) for o in spec.objects)
    return dataclasses.replace(spec, objects=tuple(clear_of(o, draw.robot) for o in turned))
