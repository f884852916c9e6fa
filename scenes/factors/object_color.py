"""Object colour, in the studio: the object's own, one it never has, or its own with a floor of the same.

At `equal` the floor takes the object's colour and not the object the floor's: a grey lemon would be an unusual one, and
what is asked is whether the object is found where nothing but shading sets it off.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "object_color"
CONTROL = "natural"
LEVELS = {
    "natural": "the object's own colour",
    "unusual": "a colour such an object never has",
    "equal": "its own colour, and a floor of that same colour",
}


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    color = draw.colors["unusual" if level == "unusual" else "natural"]
    objects = tuple(dataclasses.replace(o, material=dataclasses.replace(o.material, color=color)) for o in spec.objects)
    floor = dataclasses.replace(spec.floor, color=color) if level == "equal" else spec.floor
    return dataclasses.replace(spec, objects=objects, floor=floor)
