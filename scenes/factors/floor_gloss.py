"""Floor gloss: from matt to a mirror. The object keeps its own surface, whatever its colour is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "floor_gloss"
CONTROL = "drawn"
LEVELS = {
    "drawn": "the block's own, matt to silky",
    "matt": "no gloss to speak of: roughness .95",
    "satin": "a broad sheen: roughness .35",
    "glossy": "polished linoleum, in which things are faintly mirrored: roughness .1",
    "mirror": "a coloured mirror: metal of roughness .02",
}
SURFACES = {  # roughness, specular, metallic
    "matt": (0.95, 0.1, 0.0),
    "satin": (0.35, 0.5, 0.0),
    "glossy": (0.1, 0.8, 0.0),
    "mirror": (0.02, 0.5, 1.0),
}


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "drawn":
        return spec
    roughness, specular, metallic = SURFACES[level]
    floor = dataclasses.replace(spec.floor, roughness=roughness, specular=specular, metallic=metallic)
    return dataclasses.replace(spec, floor=floor)
