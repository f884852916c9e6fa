"""Field of view of the robot's camera, which stays where it is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes.factors.range import Range

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "field_of_view"
CONTROL = "configured"
LEVELS = {
    "configured": "the camera's own",
    "45": "the robot's webcam by its calibration",
    "68": "the robot's webcam by its data sheet",
}
RANGE = Range(45.0, 75.0, "degrees")


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "configured":
        return spec
    return dataclasses.replace(spec, camera=dataclasses.replace(spec.camera, field_of_view=float(level)))
