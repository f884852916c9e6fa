"""Light strength: key light and surroundings alike, the picture not exposed anew."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes.factors.range import Range

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "light_strength"
CONTROL = "1"
LEVELS = {"0.25": "a quarter of the light", "1": "as the light is", "2": "twice the light"}
RANGE = Range(0.05, 4.0, "times")


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    times = float(level)
    key = dataclasses.replace(spec.key, power=spec.key.power * times)
    return dataclasses.replace(spec, key=key, world_strength=spec.world_strength * times)
