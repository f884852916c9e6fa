"""A golf ball: white varnish over dimples spread evenly on the sphere."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial import KDTree

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.solids import Array, Part, Solid, Surface, covered, icosphere
from scenes.scene_spec import Vector3

_DIMPLES = 336
_RADIUS = 0.088  # of a dimple, radii
_DEPTH = 0.03


def parts(varnish: Vector3) -> list[Part]:
    ball = icosphere(6)
    away, _ = KDTree(_spread(_DIMPLES)).query(ball.vertices)
    hollow = np.maximum(1 - (away / _RADIUS) ** 2, 0)
    dimpled = Solid(ball.vertices * (1 - _DEPTH * hollow)[:, None], ball.faces, ball.pieces)
    surface = Surface(varnish, roughness=0.25, coat=0.6)
    return [covered(dimpled.turned("x", 35).turned("y", 20), surface, sharp=180)]


def _spread(count: int) -> Array:
    """Points (count, 3) spread evenly on the unit sphere: a Fibonacci spiral."""
    number = np.arange(count) + 0.5
    height = 1 - 2 * number / count
    angle = math.pi * (1 + math.sqrt(5)) * number
    radius = np.sqrt(1 - height**2)
    points: Array = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    return points


ASSET = Asset(
    name="golf_ball",
    title="golf ball",
    imagenet=classes(574),
    natural=linear("f4f4f4"),
    unusual=linear("5a3418"),
    elevation=12.0,
    fill=0.6,
    stage="room",
    parts=parts,
)
