"""Light colour: key light and surroundings in one tint, as bright as the white light they stand for.

The saturated ones would have to be up to fourteen times as strong for that, and keep the white light's strength in
their own channel instead: they are as a filter before the lamp.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenes.scene_spec import Vector3

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "light_color"
CONTROL = "neutral"
LEVELS = {
    "neutral": "as the light is",
    "warm": "an incandescent lamp, 2700 K",
    "cold": "a clear northern sky, 12000 K",
    "red": "saturated red",
    "green": "saturated green",
    "blue": "saturated blue",
}


@dataclass(frozen=True)
class Tint:
    color: Vector3  # linear RGB, the largest 1
    gain: float = 1.0  # of the strength


# Black bodies of 2700 and 12000 K in linear sRGB (Planck's law, CIE 1931 observer); the gain restores their luminance.
TINTS = {
    "warm": Tint((1.0, 0.423, 0.1), gain=1 / 0.522),
    "cold": Tint((0.529, 0.635, 1.0), gain=1 / 0.639),
    "red": Tint((1.0, 0.02, 0.02)),
    "green": Tint((0.02, 1.0, 0.02)),
    "blue": Tint((0.02, 0.02, 1.0)),
}


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    if level == "neutral":
        return spec
    tint = TINTS[level]
    key = dataclasses.replace(spec.key, color=_tinted(spec.key.color, tint), power=spec.key.power * tint.gain)
    return dataclasses.replace(
        spec,
        key=key,
        world_color=_tinted(spec.world_color, tint),
        world_strength=spec.world_strength * tint.gain,
    )


def _tinted(color: Vector3, tint: Tint) -> Vector3:
    red, green, blue = (c * t for c, t in zip(color, tint.color, strict=True))
    return red, green, blue
