"""Field of view, in the studio: the camera moves so that the object keeps its share of the frame."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from scenes import framing
from scenes.factors.range import Range

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "field_of_view"
CONTROL = "configured"
LEVELS = {"configured": "the set's own", "20": "a long lens", "45": "a normal lens", "68": "a wide lens"}
RANGE = Range(15.0, 75.0, "degrees")


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "configured" or not spec.objects:
        return spec
    aim, half = framing.aim_of(spec), framing.half_extent(spec.objects[0])
    wide = float(level)
    away = framing.distance_for(half, framing.fill_of(half, aim.away, aim.field_of_view), wide)
    return framing.aimed(spec, dataclasses.replace(aim, away=away, field_of_view=wide))
