"""Yaw, in the studio: from which side the object is seen."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes.factors.range import Range

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "yaw"
CONTROL = "drawn"
LEVELS = {
    "drawn": "the pose's own, about the front",
    "0": "its front",
    "45": "three quarters",
    "90": "its side",
    "180": "its back",
}
RANGE = Range(-180.0, 180.0, "degrees")


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "drawn":
        return spec
    return dataclasses.replace(spec, objects=tuple(dataclasses.replace(o, yaw=float(level)) for o in spec.objects))
