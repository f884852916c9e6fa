"""Where an object stands in the plane of the sensors: its outline at a height, and its distance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scenes import obstacles
from scenes.scene_spec import OBSTACLES, ObjectSpec, SceneError

Array = NDArray[np.float64]
ROUND_SIDES = 64  # of the polygon that stands for a circle, here and in the mesh of a cylinder


def outline(thing: ObjectSpec, height: float) -> Array | None:
    """The object's section at `height` m as a polygon (n, 2) in the robot frame; None where it does not reach."""
    if thing.shape == "sphere":
        radius = thing.size[2] / 2
        reach = radius**2 - (height - radius) ** 2
        if reach <= 0:
            return None
        return _circle(thing, math.sqrt(reach), math.sqrt(reach))
    if height > thing.size[2]:
        return None
    if thing.shape == "cylinder":
        return _circle(thing, thing.size[0] / 2, thing.size[1] / 2)
    if thing.shape == "box":
        x, y = thing.size[0] / 2, thing.size[1] / 2
        return _placed(thing, np.array([[x, y], [-x, y], [-x, -y], [x, -y]]))
    if thing.shape in OBSTACLES:
        section = obstacles.section(thing.shape, height / thing.size[2])
        return None if section is None else _placed(thing, section * thing.size[:2])
    raise SceneError(f"shape {thing.shape!r} has no outline")


def segments(polygon: Array) -> Array:
    """The edges (n, 2, 2) of a closed polygon (n, 2)."""
    return np.stack([polygon, np.roll(polygon, -1, axis=0)], axis=1)


def distance(points: Array, polygon: Array) -> float:
    """Least distance in m from any of `points` (m, 2) to the polygon's edge (n, 2)."""
    edges = segments(polygon)
    start, along = edges[None, :, 0], edges[None, :, 1] - edges[None, :, 0]
    rel = points[:, None] - start
    t = np.clip((rel * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-18), 0, 1)
    return float(np.linalg.norm(rel - t[..., None] * along, axis=-1).min())


def _circle(thing: ObjectSpec, radius_x: float, radius_y: float) -> Array:
    angle = np.linspace(0, 2 * np.pi, ROUND_SIDES, endpoint=False)
    return _placed(thing, np.stack([radius_x * np.cos(angle), radius_y * np.sin(angle)], axis=1))


def _placed(thing: ObjectSpec, local: Array) -> Array:
    c, s = math.cos(math.radians(thing.yaw)), math.sin(math.radians(thing.yaw))
    placed: Array = local @ np.array([[c, s], [-s, c]]) + np.array(thing.position)
    return placed
