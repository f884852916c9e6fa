"""The studio set's objects: plain geometry that ImageNet networks recognise, one module each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from scenes.assets import basketball, bucket, granny_smith, ipod, lemon, pool_table, soccer_ball, traffic_light
from scenes.assets.asset import NEAR_SYNONYMS, Asset
from scenes.assets.solids import Array, Part, rotation
from scenes.design import nearest
from scenes.scene_spec import SceneError, Vector3

__all__ = ["ASSETS", "NEAR_SYNONYMS", "Asset", "Part", "extent", "named", "pieces", "placed"]

_MODULES = (granny_smith, lemon, basketball, bucket, ipod, soccer_ball, traffic_light, pool_table)
ASSETS: Mapping[str, Asset] = MappingProxyType({m.ASSET.name: m.ASSET for m in _MODULES})
_TO_SCENE = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # own (x, y, z) -> robot's (y, -x, z)


def named(name: str) -> Asset:
    """The asset of that name. Raises SceneError with the nearest names for an unknown one."""
    if name not in ASSETS:
        raise SceneError(f"unknown object {name!r}: {nearest(name, ASSETS)}")
    return ASSETS[name]


def placed(name: str, color: Vector3, size: float, position: tuple[float, float], yaw: float) -> list[Part]:
    """The asset's parts in the robot's frame, metres: on the floor, its middle at position (x, y).

    size: m, the largest side of its bounding box before it is turned. At yaw 0 (degrees, about z) its front faces -x,
    the camera.
    """
    parts = _built(name, color)
    low, high = extent(parts)
    scale = size / float((high - low).max())
    middle = np.array([*(low[:2] + high[:2]) / 2, low[2]])
    turn = (rotation("z", yaw) @ _TO_SCENE).T * scale
    stand = np.array([*position, 0.0])

    def put(points: Array) -> Array:
        moved: Array = (points - middle) @ turn + stand
        return moved

    return [
        replace(part, vertices=put(part.vertices), pieces=tuple(map(put, part.pieces)), scale=scale) for part in parts
    ]


def pieces(parts: Iterable[Part]) -> list[Array]:
    """Points (n, 3) whose convex hulls together have the parts' silhouette from anywhere."""
    return [piece for part in parts for piece in part.pieces]


def extent(parts: Sequence[Part]) -> tuple[Array, Array]:
    """The corners (3,), (3,) of the parts' bounding box."""
    return (
        np.min([part.vertices.min(axis=0) for part in parts], axis=0),
        np.max([part.vertices.max(axis=0) for part in parts], axis=0),
    )


@lru_cache(maxsize=32)
def _built(name: str, color: Vector3) -> tuple[Part, ...]:
    return tuple(named(name).parts(color))
