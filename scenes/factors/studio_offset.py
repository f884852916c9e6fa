"""Offset, in the studio: how far left of the middle the object stands."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes.factors.range import Range

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "offset"
CONTROL = "drawn"
LEVELS = {"drawn": "the pose's own, near the middle", "0": "the middle", "0.2": "to the left", "-0.2": "to the right"}
RANGE = Range(-0.2, 0.2, "m")  # of an object of 1 m; farther, the picture's border would cut it


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "drawn":
        return spec
    moved = tuple(dataclasses.replace(o, position=(o.position[0], float(level))) for o in spec.objects)
    return dataclasses.replace(spec, objects=moved)
