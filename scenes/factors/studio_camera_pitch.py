"""Camera pitch, in the studio: from how many degrees above its middle the object is looked at."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes import framing
from scenes.factors.range import Range

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "camera_pitch"
CONTROL = "drawn"
LEVELS = {"drawn": "as the object is usually seen", "5": "level with it", "30": "from above", "60": "from high above"}
RANGE = Range(0.0, 75.0, "degrees")


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "drawn":
        return spec
    return framing.aimed(spec, dataclasses.replace(framing.aim_of(spec), elevation=float(level)))
