"""Colour difference: the same as `relation`, as a number: CIEDE2000 between the mean albedos of object and floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenes.factors import relation
from scenes.factors.range import Range

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "color_difference"
CONTROL = "26"
LEVELS = {"0": "the floor's own material", "6": "near", "12": "halfway", "26": "distinct"}
RANGE = Range(0.0, 26.0, "CIEDE2000")  # every block's direction of colour holds 26
EXCLUDES = ("relation", "object_color")


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    difference = float(level)
    if difference == 0:
        return relation.painted(spec, spec.floor.color)
    return relation.painted(spec, relation.color_apart(spec.floor.color, difference, draw))
