"""Relation: how far the object's colour lies from the floor's, in CIEDE2000 between mean albedos.

The object carries the floor's texture at every level, so only the mean colour changes; `equal` is the same material.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "relation"
CONTROL = "distinct"
LEVELS = {"distinct": "CIEDE2000 of 25 or more", "near": "CIEDE2000 of 6", "equal": "the floor's own material"}
NEAR = 6.0
DISTINCT = (26.0, 45.0)  # the scene seed draws the difference in here


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    color = spec.floor.color if level == "equal" else draw.colors[level]
    objects = tuple(
        dataclasses.replace(o, material=dataclasses.replace(spec.floor, color=color, offset=o.material.offset))
        for o in spec.objects
    )
    return dataclasses.replace(spec, objects=objects)
