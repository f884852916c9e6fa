"""A traffic light on its pole: red lit, the other two lamps dark, a hood over each."""

from __future__ import annotations

import numpy as np

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.solids import Part, Solid, Surface, box, covered, cylinder, joined, swept
from scenes.scene_spec import Vector3

_LAMPS = (("ff2a1a", 0.95, 2.5), ("ffb010", 0.0, 0.12), ("20e060", -0.95, 0.12))  # colour, z, emission
_HOOD = 0.42  # outer radius
_WALL = 0.03


def parts(housing: Vector3) -> list[Part]:
    body = box((1.0, 0.6, 2.9), 0.06)
    hoods = [_hood().moved(0, -0.28, z) for _, z, _ in _LAMPS]
    lamps = [
        covered(
            cylinder(0.36, 0.06, 0.01).turned("x", 90).moved(0, -0.31, z),
            Surface(linear(code), roughness=0.3, emission=emission),
        )
        for code, z, emission in _LAMPS
    ]
    pole = cylinder(0.09, 2.2, 0.01).moved(0, 0, -2.4)
    return [
        covered(joined([body, *hoods]), Surface(housing)),
        *lamps,
        covered(pole, Surface(linear("505050"), metallic=0.6)),
    ]


def _hood() -> Solid:
    """Open below; it juts out .55 over the lamp and .3 at its sides, towards -y."""
    angle = np.linspace(np.pi + 0.35, -0.35, 33)
    reach = 0.55 * (0.55 + 0.45 * np.maximum(np.sin(angle), 0))
    rings = [
        [
            (r * np.cos(a), y, r * np.sin(a))
            for r, y in ((_HOOD - _WALL, 0), (_HOOD - _WALL, -far), (_HOOD, -far), (_HOOD, 0))
        ]
        for a, far in zip(angle, reach, strict=True)
    ]
    return swept(rings, every=4)


ASSET = Asset(
    name="traffic_light",
    title="traffic light",
    imagenet=classes(920),
    natural=linear("1c1c18"),
    unusual=linear("f0f0f0"),
    elevation=-4.0,
    fill=0.7,
    stage="outdoors",
    parts=parts,
)
