"""Relation: how far the object's colour lies from the floor's, in CIEDE2000 between mean albedos.

The object carries the floor's texture at every level, so only the mean colour changes; `equal` is the same material.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes import color
from scenes.scene_spec import SceneError, Vector3

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "relation"
CONTROL = "distinct"
LEVELS = {"distinct": "CIEDE2000 of 25 or more", "near": "CIEDE2000 of 6", "equal": "the floor's own material"}
NEAR = 6.0
DISTINCT = (26.0, 45.0)  # the scene seed draws the difference in here
LIFTS = (0.0, 0.5, -0.5, 1.0, -1.0)  # shares of lightness that are tried where a direction leaves the gamut


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "equal":
        return painted(spec, spec.floor.color)
    if draw.floor_color is None or spec.floor.color == draw.floor_color:
        return painted(spec, draw.colors[level])
    drawn = float(color.delta_e(draw.colors[level], draw.floor_color)) if level == "distinct" else NEAR
    return painted(spec, color_apart(spec.floor.color, min(drawn, DISTINCT[0]), draw))


def painted(spec: SceneSpec, mean: Vector3) -> SceneSpec:
    """The objects in the floor's material as the block drew it, with that mean colour."""
    objects = tuple(
        dataclasses.replace(o, material=dataclasses.replace(spec.floor, color=mean, offset=o.material.offset))
        for o in spec.objects
    )
    return dataclasses.replace(spec, objects=objects)


def color_apart(floor: Vector3, difference: float, draw: Draw) -> Vector3:
    """The colour CIEDE2000 `difference` from the floor's, in the block's direction or the first other one that the
    gamut holds. Raises SceneError where none does."""
    hue, lift = draw.color_direction
    for share in (lift, *LIFTS):
        for turn in (0, 60, -60, 120, -120, 180):
            found = color.at_difference(floor, difference, hue + turn, share)
            if found is not None:
                return found
    raise SceneError(f"no colour lies {difference:g} CIEDE2000 from the floor's within the gamut")
