"""Proximity labels: what the robot's sensors would say after it moved forward d centimetres.

The rule (after Nava et al., RA-L 2019, and the geometry of the Mighty Thymio): for each d the robot stands d cm further
along x; each sensor casts a fan of rays at its own height; y = 1 if any ray meets an obstacle within range, else 0, and
-1 (unknown) from the first contact of the robot's body on. The world is planar: outlines at the sensors' height.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes import footprint
from scenes.scene_spec import CameraSpec, ObjectSpec

_TIE = 1e-9  # m; a contact at exactly d cm is one at d, whatever the last bit says


@dataclass(frozen=True)
class Sensor:
    name: str
    x: float  # m
    y: float  # m
    yaw: float  # degrees


@dataclass(frozen=True)
class Robot:
    sensors: tuple[Sensor, ...]
    height: float = 0.03  # m, of the sensors above the floor
    cone: float = 0.30  # rad, full angle
    rays: int = 9
    range: float = 0.11  # m
    body_front: float = 0.08  # m
    body_width: float = 0.11  # m
    distances: int = 65  # rows, one per cm of travel
    scored: int = 31
    horizon: int = 15


MIGHTY_THYMIO = Robot(
    sensors=(
        Sensor("left", 0.0630, 0.0493, 38.0),
        Sensor("centre_left", 0.0756, 0.0261, 19.0),
        Sensor("centre", 0.0800, 0.0, 0.0),
        Sensor("centre_right", 0.0756, -0.0261, -19.0),
        Sensor("right", 0.0630, -0.0493, -38.0),
    )
)


def labels(objects: Sequence[ObjectSpec], robot: Robot) -> NDArray[np.int8]:
    """Labels (distances, sensors) int8 in {1, 0, -1}. Ghosts are no obstacles."""
    rows, count = robot.distances, len(robot.sensors)
    solid = [o for o in objects if o.is_visible]
    polygons = [p for p in (footprint.outline(o, robot.height) for o in solid) if p is not None]
    if not polygons:
        return np.zeros((rows, count), dtype=np.int8)
    edges = np.concatenate([footprint.segments(p) for p in polygons])
    reach = _fan_distances(edges, robot)  # (rows, count)
    result = (reach <= robot.range + _TIE).astype(np.int8)
    contact = min(_travel_to_contact(p, robot) for p in polygons)
    result[np.arange(rows) * 0.01 >= contact - _TIE] = -1
    return result


def in_view(camera: CameraSpec, robot: Robot) -> NDArray[np.bool_]:
    """(distances, sensors): the sensor's cone at that travel lies inside the image."""
    origins, directions = _fans(robot)  # (rows, count, 2), (count, rays, 2)
    tips = origins[:, :, None] + robot.range * directions[None]
    points = np.concatenate([origins[:, :, None], tips], axis=2)
    world = np.concatenate([points, np.full((*points.shape[:-1], 1), robot.height)], axis=-1)
    u, v, depth = project(world, camera)
    inside = (depth > 0) & (u >= 0) & (u <= camera.width) & (v >= 0) & (v <= camera.height)
    whole: NDArray[np.bool_] = inside.all(axis=-1)
    return whole


def met_within(label: NDArray[np.int8], travel: int) -> bool:
    """Some sensor meets an obstacle within `travel` cm."""
    return bool((label[: travel + 1] == 1).any())


def distance_to_sensors(thing: ObjectSpec, robot: Robot) -> float:
    """Metres from the sensors' arc to the object's nearest face at their height; inf where it is lower than that."""
    polygon = footprint.outline(thing, robot.height)
    if polygon is None:
        return math.inf
    return footprint.distance(np.array([(s.x, s.y) for s in robot.sensors]), polygon)


def project(points: NDArray[np.float64], camera: CameraSpec) -> tuple[NDArray[np.float64], ...]:
    """Of points (..., 3): u (right), v (down) in px from the image's corner, and depth in m along the axis."""
    right, up, forward = camera_axes(camera)
    rel = points - np.array(camera.position)
    depth = rel @ forward
    focal = camera.width / 2 / math.tan(math.radians(camera.field_of_view) / 2)
    safe = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
    return camera.width / 2 + focal * (rel @ right) / safe, camera.height / 2 - focal * (rel @ up) / safe, depth


def camera_axes(camera: CameraSpec) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors right, up, forward of the camera in the robot frame."""
    tilt = math.radians(camera.tilt)
    forward = np.array([math.sin(tilt), 0.0, -math.cos(tilt)])
    up = np.array([math.cos(tilt), 0.0, math.sin(tilt)])
    return np.array([0.0, -1.0, 0.0]), up, forward


def _fans(robot: Robot) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    travel = np.arange(robot.distances) * 0.01
    at = np.array([(s.x, s.y) for s in robot.sensors])
    origins = at[None] + np.stack([travel, np.zeros_like(travel)], axis=1)[:, None]
    spread = np.linspace(-robot.cone / 2, robot.cone / 2, robot.rays)
    angle = np.radians([s.yaw for s in robot.sensors])[:, None] + spread[None]
    return origins, np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _fan_distances(edges: NDArray[np.float64], robot: Robot) -> NDArray[np.float64]:
    """Least distance along any ray of each fan to any edge: (rows, count), inf where none is met."""
    origins, directions = _fans(robot)
    o = origins[:, :, None, None]  # (rows, count, 1, 1, 2)
    d = directions[None, :, :, None]  # (1, count, rays, 1, 2)
    a, b = edges[:, 0], edges[:, 1] - edges[:, 0]
    det = d[..., 0] * -b[:, 1] + d[..., 1] * b[:, 0]
    rel = a - o
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (rel[..., 0] * -b[:, 1] + rel[..., 1] * b[:, 0]) / det
        s = (d[..., 0] * rel[..., 1] - d[..., 1] * rel[..., 0]) / det
    hit = (np.abs(det) > 1e-12) & (t >= 0) & (s >= 0) & (s <= 1)
    nearest: NDArray[np.float64] = np.where(hit, t, np.inf).min(axis=(2, 3))
    return nearest


def _travel_to_contact(polygon: NDArray[np.float64], robot: Robot) -> float:
    """Metres of travel until the body's front edge, body_width wide, first touches the polygon; inf if it passes by."""
    half = robot.body_width / 2
    edges = footprint.segments(polygon)
    xs = []
    for (x0, y0), (x1, y1) in edges:
        low, high = max(min(y0, y1), -half), min(max(y0, y1), half)
        if low > high:
            continue
        if y0 == y1:
            xs.append(min(x0, x1))
            continue
        xs.extend(x0 + (x1 - x0) * (y - y0) / (y1 - y0) for y in (low, high))
    return max(min(xs) - robot.body_front, 0.0) if xs else math.inf
