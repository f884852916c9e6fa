"""Distance, in the studio: how far off the camera stands, in multiples of where it would."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes import framing
from scenes.factors.range import Range

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "distance"
CONTROL = "1"
LEVELS = {"1": "as framed", "1.5": "half as far again", "2": "twice as far", "3": "three times as far"}
RANGE = Range(0.85, 4.0, "times")  # nearer, the picture's border would cut the object


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    aim = framing.aim_of(spec)
    return framing.aimed(spec, dataclasses.replace(aim, away=aim.away * float(level)))
