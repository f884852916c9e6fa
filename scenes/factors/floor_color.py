"""Floor colour: one of a few, the same for all blocks. `relation` then finds the object's colour from it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes.scene_spec import Vector3

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "floor_color"
CONTROL = "drawn"
LEVELS = {
    "drawn": "the block's own",
    "grey": "a middle grey",
    "brown": "wood",
    "blue": "the blue of the 2019 study's floor",
    "green": "grass",
    "red": "carpet",
    "white": "white tiles",
    "black": "dark rubber",
}
COLORS: dict[str, Vector3] = {  # linear albedo
    "grey": (0.3, 0.3, 0.3),
    "brown": (0.26, 0.14, 0.07),
    "blue": (0.06, 0.14, 0.5),
    "green": (0.08, 0.26, 0.06),
    "red": (0.4, 0.05, 0.05),
    "white": (0.8, 0.8, 0.8),
    "black": (0.03, 0.03, 0.03),
}


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "drawn":
        return spec
    return dataclasses.replace(spec, floor=dataclasses.replace(spec.floor, color=COLORS[level]))
