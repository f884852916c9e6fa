"""A Granny Smith: a shiny green apple with pale dots, a dimple at both ends, and its stem."""

from __future__ import annotations

import math

import numpy as np

from scenes.assets.asset import WHITE, Asset, classes, linear, toward
from scenes.assets.solids import Part, Speckle, Surface, covered, lathe, spline, tube
from scenes.scene_spec import Vector3


def parts(skin: Vector3) -> list[Part]:
    angle = np.linspace(0, math.pi, 120)  # from the bottom up
    radius = np.sin(angle) * (0.95 - 0.13 * np.cos(angle))  # broader shoulders than foot
    height = -0.9 * np.cos(angle)
    below = angle < math.pi / 2
    height = height + np.where(below, 0.2 * np.exp(-((radius / 0.25) ** 2)), -0.38 * np.exp(-((radius / 0.28) ** 2)))
    radius[[0, -1]] = 0.0
    dots = Speckle(toward(skin, WHITE, 0.28), scale=60.0, low=0.62, high=0.7)
    stem = spline([(0, 0, 0.45), (0.02, 0, 0.8), (0.12, 0, 1.1)], 10)
    body = lathe(np.stack([radius, height], axis=1))
    return [
        covered(body, Surface(skin, roughness=0.25, coat=0.3, speckle=dots), sharp=180),
        covered(tube(stem, 0.045, every=3), Surface(linear("5a3d1e"), roughness=0.8)),
    ]


ASSET = Asset(
    name="granny_smith",
    title="Granny Smith",
    imagenet=classes(948),
    natural=linear("8fbf2c"),
    unusual=linear("7a3cc0"),
    elevation=20.0,
    fill=0.6,
    stage="room",
    parts=parts,
)
