"""Where obstacles stand before the robot: moving one to a distance, and keeping it clear of the robot's body."""

from __future__ import annotations

import dataclasses
import math

from scenes import footprint, proximity
from scenes.proximity import Robot
from scenes.scene_spec import ObjectSpec

GAP = 0.02  # m; nothing starts in contact with the robot
_FARTHEST = 2.0  # m, of an obstacle's middle
_STEPS = 50  # halvings of 2 m


def at_distance(thing: ObjectSpec, robot: Robot, distance: float) -> ObjectSpec:
    """The obstacle `distance` m from the sensors' arc to its nearest face at their height.

    It is moved straight ahead or back; one that stands too far aside to be so near, along its bearing. What is lower
    than the sensors stays where it is: it has no distance to them.
    """
    if not math.isfinite(proximity.distance_to_sensors(thing, robot)):
        return thing
    ahead = _moved_until(thing, robot, distance, (1.0, 0.0), thing.position[1])
    if abs(proximity.distance_to_sensors(ahead, robot) - distance) < 1e-5:
        return ahead
    x, y = thing.position[0] - robot.body_front, thing.position[1]
    away = math.hypot(x, y)
    return _moved_until(thing, robot, distance, (max(x, 0.0) / away, y / away), 0.0)


def clear_of(thing: ObjectSpec, robot: Robot) -> ObjectSpec:
    """The obstacle as it stands, or as far ahead as it takes not to touch the sensors' arc."""
    if proximity.distance_to_sensors(thing, robot) >= GAP and not _holds_a_sensor(thing, robot):
        return thing
    return _moved_until(thing, robot, GAP, (1.0, 0.0), thing.position[1])


def _moved_until(
    thing: ObjectSpec, robot: Robot, distance: float, way: tuple[float, float], aside: float
) -> ObjectSpec:
    """Along `way` from the robot's front, `aside` m to the left of it, the nearest place beyond which the obstacle
    stays at least `distance` away."""

    def put(far: float) -> ObjectSpec:
        return dataclasses.replace(thing, position=(robot.body_front + far * way[0], aside + far * way[1]))

    near, beyond = 0.0, _FARTHEST
    for _ in range(_STEPS):
        middle = (near + beyond) / 2
        there = put(middle)
        is_short = _holds_a_sensor(there, robot) or proximity.distance_to_sensors(there, robot) < distance
        near, beyond = (middle, beyond) if is_short else (near, middle)
    return put(beyond)


def _holds_a_sensor(thing: ObjectSpec, robot: Robot) -> bool:
    """Whether a sensor lies inside the obstacle's section at its height, which is convex."""
    polygon = footprint.outline(thing, robot.height)
    if polygon is None:
        return False
    edges = footprint.segments(polygon)
    along = edges[:, 1] - edges[:, 0]
    sides = [along[:, 0] * (s.y - edges[:, 0, 1]) - along[:, 1] * (s.x - edges[:, 0, 0]) for s in robot.sensors]
    return any(bool((side >= 0).all() or (side <= 0).all()) for side in sides)
