"""A plunger: a rubber cup on a wooden stick."""

from __future__ import annotations

import numpy as np

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.solids import Part, Speckle, Surface, covered, cylinder, lathe, spline
from scenes.scene_spec import Vector3

# radius, z: the lip, the dome, the neck round the stick
_CUP = [(0.8, 0), (0.85, 0.05), (0.8, 0.4), (0.45, 0.75), (0.2, 0.85), (0.16, 1.15), (0.12, 1.2)]


def parts(rubber: Vector3) -> list[Part]:
    profile = np.array([(0, 0), *spline(_CUP, 60), (0, 1.2)])
    grain = Speckle(linear("b08848"), scale=5.0, low=0.4, high=0.7)
    return [
        covered(lathe(profile, cuts=(0.6, 0.72, 0.8, 0.88)), Surface(rubber, roughness=0.45)),
        covered(cylinder(0.09, 2.6, 0.02).moved(0, 0, 2.3), Surface(linear("d8b070"), roughness=0.6, speckle=grain)),
    ]


ASSET = Asset(
    name="plunger",
    title="plunger",
    imagenet=classes(731),
    natural=linear("b83020"),
    unusual=linear("a8e020"),
    elevation=12.0,
    fill=0.65,
    stage="room",
    parts=parts,
)
