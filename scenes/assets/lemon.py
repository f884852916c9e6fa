"""Lemons: three of them, since one alone is taken for many a yellow thing."""

from __future__ import annotations

import numpy as np

from scenes.assets.asset import BLACK, Asset, classes, linear, toward
from scenes.assets.solids import Bump, Part, Solid, Speckle, Surface, covered, joined, lathe, spline
from scenes.scene_spec import Vector3

# radius, z, from nub to nub
_OUTLINE = [
    *[(0, -1.5), (0.1, -1.48), (0.17, -1.36), (0.3, -1.12), (0.66, -0.8), (0.88, -0.35), (0.92, 0)],
    *[(0.88, 0.35), (0.66, 0.8), (0.32, 1.12), (0.2, 1.3), (0.12, 1.42), (0, 1.44)],
]
_LYING = [(0.0, 0.0, 23.0), (1.9, 0.7, 126.0), (0.1, 1.9, 69.0)]  # x, y, degrees about z


def parts(skin: Vector3) -> list[Part]:
    profile = spline(_OUTLINE, 80)
    profile[:, 0] = np.maximum(profile[:, 0], 0)
    whole = lathe(profile, cuts=(-1.1, 1.1))
    # Pores are dark as well as deep: a denoiser keeps colours, and takes fine relief for noise.
    pores = Speckle(toward(skin, BLACK, 0.25), scale=14.0, low=0.5, high=0.75)
    relief = Bump("voronoi", scale=16.0, strength=0.35, distance=0.05)
    peel = Surface(skin, roughness=0.35, speckle=pores, bump=relief)
    return [covered(joined([_lying(whole, *place) for place in _LYING]), peel, sharp=180)]


def _lying(lemon: Solid, x: float, y: float, degrees: float) -> Solid:
    down = lemon.turned("x", 84)
    return down.turned("z", degrees).moved(x, y, -float(down.vertices[:, 2].min()))


ASSET = Asset(
    name="lemon",
    title="lemon",
    imagenet=classes(951),
    natural=linear("f2d21c"),
    unusual=linear("2a50d0"),
    elevation=25.0,
    fill=0.6,
    stage="room",
    parts=parts,
)
