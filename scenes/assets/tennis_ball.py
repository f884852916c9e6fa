"""A tennis ball: yellow-green felt and one pale seam that winds round it."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial import KDTree

from scenes.assets.asset import BLACK, Asset, classes, linear, toward
from scenes.assets.solids import Array, Bump, Part, Solid, Speckle, Surface, covered, icosphere, smoothstep
from scenes.scene_spec import Vector3

_SEAM = 0.048  # half its width, radii
_DEPTH = 0.012
_WAVE = 0.3  # of the seam: 0 is a circle, .5 the farthest it can swing


def parts(felt: Vector3) -> list[Part]:
    ball = icosphere(6)
    away, _ = KDTree(_seam(2000)).query(ball.vertices)
    seam = 1 - smoothstep(away, 0.85 * _SEAM, 1.15 * _SEAM)
    sunken = Solid(ball.vertices * (1 - _DEPTH * seam)[:, None], ball.faces, ball.pieces)
    surface = Surface(
        felt,
        roughness=0.95,
        specular=0.1,
        accent=linear("f0f0e6"),
        speckle=Speckle(toward(felt, BLACK, 0.3), scale=22.0, low=0.45, high=0.7),
        bump=Bump("noise", scale=60.0, strength=0.6, distance=0.03),
    )
    return [covered(sunken.turned("z", 28.6).turned("x", 51.6), surface, sharp=180, mix=seam)]


def _seam(count: int) -> Array:
    """Points (count, 3) along the seam on the unit sphere: a closed curve that swings up and down twice."""
    t = 2 * np.pi * np.arange(count) / count
    x = (1 - _WAVE) * np.cos(t) + _WAVE * np.cos(3 * t)
    y = (1 - _WAVE) * np.sin(t) - _WAVE * np.sin(3 * t)
    z = 2 * math.sqrt(_WAVE * (1 - _WAVE)) * np.sin(2 * t)
    points: Array = np.stack([x, y, z], axis=1)
    return points


ASSET = Asset(
    name="tennis_ball",
    title="tennis ball",
    imagenet=classes(852),
    natural=linear("c6d938"),
    unusual=linear("7a3cc0"),
    elevation=12.0,
    fill=0.6,
    stage="room",
    parts=parts,
)
