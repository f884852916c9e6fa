"""Floor texture: what the floor's albedo does about its mean, which stays.

Applied before `relation`, which makes the object's material from the floor's: `equal` stays one material.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "floor_texture"
CONTROL = "drawn"
LEVELS = {
    "drawn": "the block's own",
    "plain": "one colour",
    "noise": "soft blotches",
    "checker": "a checkerboard",
    "stripes": "wavy stripes",
    "speckle": "cells of many shades",
}
FEATURES = 5.0  # along the object's largest side
CONTRAST = 0.3  # of the albedo about its mean


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "drawn":
        return spec
    x, y = draw.generator("floor_texture").uniform(0, 10, 2)
    floor = dataclasses.replace(
        spec.floor,
        texture=level,
        scale=FEATURES / draw.size,
        contrast=0.0 if level == "plain" else CONTRAST,
        offset=(float(x), float(y), 0.0),
    )
    return dataclasses.replace(spec, floor=floor)
