"""Light, in the studio: a soft key light, or one from behind, hardly any, or a coloured one."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenes.scene_spec import LightSpec, Vector3

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "light"
CONTROL = "key"
LEVELS = {
    "key": "a large area light before the object, to the left and above, and a bright room",
    "back": "a strong light from behind the object, and a dark room",
    "dim": "light and room at .06 of their strength, the picture not exposed anew",
    "red": "light and room in saturated red",
}


@dataclass(frozen=True)
class Lamp:
    position: Vector3  # m, from the object's foot
    size: float  # m, edge
    power: float  # W
    color: Vector3 = (1.0, 1.0, 1.0)
    room: float = 1.0  # the world's strength, of what it is at control


LAMPS = {
    "key": Lamp(position=(-1.8, 1.6, 2.6), size=1.2, power=60.0),
    "back": Lamp(position=(2.2, -0.6, 1.6), size=0.8, power=160.0, room=0.13),
    "dim": Lamp(position=(-1.8, 1.6, 2.6), size=1.2, power=3.6, room=0.06),
    "red": Lamp(position=(-1.8, 1.6, 2.6), size=1.2, power=60.0, color=(1.0, 0.02, 0.02)),
}


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    lamp = LAMPS[level]
    red, green, blue = (w * c for w, c in zip(spec.world_color, lamp.color, strict=True))
    return dataclasses.replace(
        spec,
        key=placed(lamp, spec.key.target, draw.light_jitter),
        world_color=(red, green, blue),
        world_strength=spec.world_strength * lamp.room,
    )


def placed(lamp: Lamp, target: Vector3, jitter: tuple[float, float]) -> LightSpec:
    """The lamp, turned about its target by `jitter` (azimuth, elevation) degrees."""
    x, y, z = (p - t for p, t in zip(lamp.position, (0.0, 0.0, target[2]), strict=True))
    away = math.sqrt(x * x + y * y + z * z)
    azimuth = math.atan2(y, x) + math.radians(jitter[0])
    elevation = math.asin(z / away) + math.radians(jitter[1])
    flat = away * math.cos(elevation)
    position = (
        target[0] + flat * math.cos(azimuth),
        target[1] + flat * math.sin(azimuth),
        target[2] + away * math.sin(elevation),
    )
    return LightSpec(position=position, target=target, size=lamp.size, power=lamp.power, color=lamp.color)
