"""Cast shadow: whether the object casts one, and how sharp; independent of the light's direction.

`none` keeps the soft light's size, so none against soft is shadow alone. `hard` shrinks the light at equal power, which
changes its shading a little too.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "cast_shadow"
CONTROL = "soft"
LEVELS = {
    "soft": "a light .35 m wide",
    "hard": "a light .02 m wide",
    "none": "the soft light, the object casts no shadow",
}
SIZES = {"soft": 0.35, "none": 0.35, "hard": 0.02}  # m


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    objects = tuple(dataclasses.replace(o, casts_shadow=level != "none") for o in spec.objects)
    return dataclasses.replace(spec, key=dataclasses.replace(spec.key, size=SIZES[level]), objects=objects)
