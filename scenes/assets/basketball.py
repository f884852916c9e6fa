"""A basketball: pebbled leather and eight panels between sunken seams."""

from __future__ import annotations

import numpy as np

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.solids import Array, Bump, Part, Solid, Surface, covered, icosphere, smoothstep
from scenes.scene_spec import Vector3

_SEAM = 0.022  # half its width, radii
_DEPTH = 0.015


def parts(leather: Vector3) -> list[Part]:
    ball = icosphere(6)
    seam = 1 - smoothstep(_from_seam(ball.vertices), 0.7 * _SEAM, 1.3 * _SEAM)
    sunken = Solid(ball.vertices * (1 - _DEPTH * seam)[:, None], ball.faces, ball.pieces)
    surface = Surface(
        leather,
        roughness=0.55,
        accent=linear("140d0a"),
        bump=Bump("voronoi", scale=70.0, strength=0.5, distance=0.02),
    )
    return [covered(sunken.turned("z", 28.6).turned("y", 20.1), surface, sharp=180, mix=seam)]


def _from_seam(points: Array) -> Array:
    """Distance (n,) on the unit sphere to the nearest seam: two great circles, and an oval to each side of one."""
    circles = np.abs(points[:, [0, 2]]).min(axis=1)
    stretch = np.array([0.0, 1 / 0.62, 1 / 0.9])
    height = np.linalg.norm(points * stretch, axis=1)  # 1 along the ovals
    slope = points * stretch**2 / np.maximum(height, 1e-9)[:, None]
    slope = slope - (slope * points).sum(axis=1)[:, None] * points  # what of it lies in the sphere
    ovals = np.abs(height - 1) / np.maximum(np.linalg.norm(slope, axis=1), 1e-9)
    nearest: Array = np.minimum(circles, ovals)
    return nearest


ASSET = Asset(
    name="basketball",
    title="basketball",
    imagenet=classes(430),
    natural=linear("c8642a"),
    unusual=linear("2a50d0"),
    elevation=12.0,
    fill=0.6,
    stage="room",
    parts=parts,
)
