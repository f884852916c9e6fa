"""Obstacle: another one in the place of the block's own, as far from the sensors, of the same mean side.

Each shape has its own proportions, whatever the block drew; a wall has its own size too, and stands square to the
robot.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from scenes import proximity
from scenes.standing import at_distance, clear_of

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.proximity import Robot
    from scenes.scene_spec import ObjectSpec, SceneSpec, Vector3

NAME = "obstacle"
CONTROL = "drawn"
LEVELS = {
    "drawn": "the block's own",
    "box": "a box",
    "cylinder": "a cylinder",
    "sphere": "a sphere",
    "cone": "a traffic cone",
    "bin": "a waste bin",
    "ball": "a ball with panels in two shades",
    "bag": "a tied bag",
    "wall": "a wall, wider than the robot",
}
# Extent along x, y, z in multiples of the mean of the three.
PROPORTIONS: dict[str, Vector3] = {
    "box": (0.9, 1.1, 1.0),
    "cylinder": (1.0, 1.0, 1.0),
    "sphere": (1.0, 1.0, 1.0),
    "cone": (0.8, 0.8, 1.4),
    "bin": (0.9, 0.9, 1.2),
    "ball": (1.0, 1.0, 1.0),
    "bag": (0.95, 1.15, 0.9),
}
WALL: Vector3 = (0.04, 0.30, 0.20)  # m


def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec:
    robot = draw.robot
    if level == "drawn" or robot is None:
        return spec
    objects = tuple(_in_place_of(o, level, robot) for o in spec.objects)
    return dataclasses.replace(spec, objects=objects)


def _in_place_of(thing: ObjectSpec, shape: str, robot: Robot) -> ObjectSpec:
    mean = sum(thing.size) / 3
    if shape == "wall":
        other = dataclasses.replace(thing, shape=shape, size=WALL, yaw=0.0)
    else:
        x, y, z = PROPORTIONS[shape]
        other = dataclasses.replace(thing, shape=shape, size=(mean * x, mean * y, mean * z))
    away = proximity.distance_to_sensors(thing, robot)
    return clear_of(at_distance(other, robot, away) if math.isfinite(away) else other, robot)
