"""Camera pitch: how far from straight down the robot's camera looks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes.factors.range import Range

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "camera_pitch"
CONTROL = "drawn"
LEVELS = {
    "drawn": "the block's own, about the camera's mount",
    "52": "52 degrees",
    "60": "60 degrees",
    "68": "68 degrees",
}
RANGE = Range(52.0, 72.0, "degrees from straight down")  # lower, a third of the obstacles is out of the picture


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "drawn":
        return spec
    return dataclasses.replace(spec, camera=dataclasses.replace(spec.camera, tilt=float(level)))
