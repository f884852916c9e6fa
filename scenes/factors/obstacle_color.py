"""Object colour, on the tabletop: one of a few, the same for all blocks, whatever the floor's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenes.factors.relation import painted
from scenes.scene_spec import Vector3

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "object_color"
CONTROL = "drawn"
LEVELS = {
    "drawn": "the block's own, distinct from its floor",
    "red": "red",
    "green": "green",
    "blue": "blue",
    "yellow": "yellow",
    "white": "white",
    "black": "black",
}
EXCLUDES = ("relation", "color_difference")
COLORS: dict[str, Vector3] = {  # linear albedo
    "red": (0.5, 0.03, 0.03),
    "green": (0.04, 0.35, 0.05),
    "blue": (0.04, 0.08, 0.5),
    "yellow": (0.7, 0.5, 0.03),
    "white": (0.8, 0.8, 0.8),
    "black": (0.03, 0.03, 0.03),
}


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    return spec if level == "drawn" else painted(spec, COLORS[level])
