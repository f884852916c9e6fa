"""Toilet tissue: a roll on its end round a cardboard core, its last sheets unrolled towards the viewer."""

from __future__ import annotations

import numpy as np

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.solids import Array, Bump, Part, Solid, Surface, covered, joined, lathe, spline, swept
from scenes.scene_spec import Vector3

_HEIGHT = 1.8
# radius, z: underneath, up the outside, over the rim, down the hole
_ROLL = [
    *[(0, 0), (0.95, 0), (1.0, 0.03), (1.0, _HEIGHT - 0.03), (0.95, _HEIGHT), (0.41, _HEIGHT), (0.38, _HEIGHT - 0.03)],
    *[(0.38, 0.02), (0, 0.02)],
]
_CORE = [(0, 0.02), (0.38, 0.02), (0.38, _HEIGHT - 0.01), (0.35, _HEIGHT - 0.01), (0.35, 0.05), (0, 0.05)]
_SHEET = [(1.0, 0.1), (1.0, -0.5), (1.1, -0.95), (1.5, -1.35), (1.9, -1.4)]  # x, y of its outer side
_THICK = 0.02


def parts(paper: Vector3) -> list[Part]:
    tissue = Surface(paper, roughness=0.9, bump=Bump("noise", scale=25.0, strength=0.25, distance=0.03))
    return [
        covered(joined([lathe(_ROLL), _sheet()]), tissue),
        covered(lathe(_CORE), Surface(linear("a88860"), roughness=0.9)),
    ]


def _sheet() -> Solid:
    path = spline(_SHEET, 24)
    along = np.gradient(path, axis=0)
    across = np.stack([along[:, 1], -along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True)
    low, high = 0.02, _HEIGHT - 0.02
    sides = [_at(path, low), _at(path, high), _at(path + _THICK * across, high), _at(path + _THICK * across, low)]
    return swept(np.stack(sides, axis=1), every=2)


def _at(points: Array, height: float) -> Array:
    """Points (n, 2) at that height, (n, 3)."""
    return np.column_stack([points, np.full(len(points), height)])


ASSET = Asset(
    name="toilet_tissue",
    title="toilet tissue",
    imagenet=classes(999),
    natural=linear("f4f2ee"),
    unusual=linear("2a50d0"),
    elevation=32.0,
    fill=0.65,
    stage="room",
    parts=parts,
)
