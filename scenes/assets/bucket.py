"""A bucket: a tapered double wall under a rim, and a wire handle that leans to the viewer."""

from __future__ import annotations

import math

import numpy as np

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.solids import Part, Surface, covered, lathe, tube
from scenes.scene_spec import Vector3

# radius, z: underneath, up the outer wall, over the rim, down the inner wall
_OUTLINE = [
    *[(0, 0), (0.7, 0), (0.72, 0.03), (1.0, 1.75), (1.06, 1.76), (1.06, 1.84)],
    *[(0.98, 1.84), (0.68, 0.06), (0, 0.06)],
]


def parts(body: Vector3) -> list[Part]:
    angle = np.linspace(0, math.pi, 40)
    bow = 0.55 * np.sin(angle)
    handle = np.stack([1.05 * np.cos(angle), -bow, 1.75 + 1.2 * bow], axis=1)
    return [
        covered(lathe(_OUTLINE, cuts=(1.75,)), Surface(body, roughness=0.4)),
        covered(tube(handle, 0.03, every=3), Surface(linear("b0b0b0"), roughness=0.3, metallic=1.0)),
    ]


ASSET = Asset(
    name="bucket",
    title="bucket",
    imagenet=classes(463),
    natural=linear("3070b8"),
    unusual=linear("d020a0"),
    elevation=20.0,
    fill=0.6,
    stage="room",
    parts=parts,
)
