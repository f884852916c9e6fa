"""Placing: an asset's parts out of its own frame into the scene's, scaled, turned and stood on the floor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from scenes.assets.solids import Array, Part, rotation

_TO_SCENE = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # own (x, y, z) -> robot's (y, -x, z)


def stood(parts: Sequence[Part], size: float, position: tuple[float, float], yaw: float) -> list[Part]:
    """Parts in the robot's frame, metres: on the floor, their middle at position (x, y).

    size: m, the largest side of their bounding box before they are turned. yaw: degrees, about z.
    """
    low, high = extent(parts)
    scale = size / float((high - low).max())
    middle = np.array([*(low[:2] + high[:2]) / 2, low[2]])
    turn, stand = standing(scale, position, yaw)

    def put(points: Array) -> Array:
        moved: Array = (points - middle) @ turn + stand
        return moved

    return [
        replace(part, vertices=put(part.vertices), pieces=tuple(map(put, part.pieces)), scale=scale) for part in parts
    ]


def standing(scale: float, position: tuple[float, float], yaw: float) -> tuple[Array, Array]:
    """turn (3, 3) and stand (3,): points (n, 3) of an own frame whose origin is the middle of the foot stand in the
    scene at points @ turn + stand. scale: metres per unit of that frame; yaw: degrees, about z.
    """
    return (rotation("z", yaw) @ _TO_SCENE).T * scale, np.array([*position, 0.0])


def pieces(parts: Iterable[Part]) -> list[Array]:
    """What together has the parts' silhouette from anywhere: points (n, 3) whose convex hull it is, or triangles."""
    return [piece for part in parts for piece in part.pieces]


def extent(parts: Sequence[Part]) -> tuple[Array, Array]:
    """The corners (3,), (3,) of the parts' bounding box."""
    return (
        np.min([part.vertices.min(axis=0) for part in parts], axis=0),
        np.max([part.vertices.max(axis=0) for part in parts], axis=0),
    )
