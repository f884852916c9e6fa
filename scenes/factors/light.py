"""Light: where the key light stands, after the four lights of the 2019 study, and two more."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scenes.scene_spec import LightSpec, Vector3

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

NAME = "light"
CONTROL = "front"
LEVELS = {
    "front": "from behind the robot, high: what the camera sees is lit",
    "back": "strong, from beyond the obstacle: its shadow falls towards the camera",
    "right_low": "from the right, low: a long shadow to the left",
    "right_high": "from the right, high: a short shadow to the left",
    "left": "from the left, halfway up: a shadow to the right",
    "overhead": "from straight above: hardly a shadow",
}


@dataclass(frozen=True)
class Placement:
    azimuth: float  # degrees, direction from the target to the light; 0 = ahead of the robot, 90 = left
    elevation: float  # degrees
    distance: float  # m
    exposure: float  # radiance of a white floor at the target


PLACEMENTS = {
    "front": Placement(azimuth=180.0, elevation=50.0, distance=1.0, exposure=0.9),
    "back": Placement(azimuth=0.0, elevation=35.0, distance=1.0, exposure=1.3),
    "right_low": Placement(azimuth=-90.0, elevation=18.0, distance=0.9, exposure=0.9),
    "right_high": Placement(azimuth=-90.0, elevation=55.0, distance=1.0, exposure=0.9),
    "left": Placement(azimuth=90.0, elevation=38.0, distance=1.0, exposure=0.9),
    "overhead": Placement(azimuth=180.0, elevation=84.0, distance=1.0, exposure=0.9),
}
TARGET: Vector3 = (0.30, 0.0, 0.0)


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    turn, lift = draw.light_jitter
    place = PLACEMENTS[level]
    moved = dataclasses.replace(place, azimuth=place.azimuth + turn, elevation=place.elevation + lift)
    return dataclasses.replace(spec, key=placed(moved, spec.key.size))


def placed(place: Placement, size: float, color: Vector3 = (1.0, 1.0, 1.0)) -> LightSpec:
    """The light at a placement, with the power that gives the target its exposure.

    A small square of power P, aimed at a point r away on a plane at incidence theta, gives irradiance
    P cos(theta) / (pi r^2); a white diffuse floor then has radiance irradiance / pi.
    """
    azimuth, elevation = math.radians(place.azimuth), math.radians(place.elevation)
    way = np.array(
        [math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), math.sin(elevation)]
    )
    x, y, z = np.array(TARGET) + place.distance * way
    power = place.exposure * math.pi * math.pi * place.distance**2 / math.sin(elevation)
    return LightSpec(position=(float(x), float(y), float(z)), target=TARGET, size=size, power=power, color=color)
