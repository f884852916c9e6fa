"""A loudspeaker: a wooden box with two cones in metal rings, a woofer below a tweeter."""

from __future__ import annotations

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.solids import Part, Solid, Surface, box, covered, joined, lathe
from scenes.scene_spec import Vector3

_DRIVERS = ((0.5, 0.7), (0.26, 1.65))  # radius of the cone, z of its middle
_FRONT = -0.55  # y of the box's face
# radius, height over the face, in radii of the cone
_RING = [(0, 0), (1.22, 0), (1.22, 0.16), (1.17, 0.2), (1.08, 0.2), (1.05, 0.16), (1.05, 0.05), (0, 0.05)]
_CONE = [
    *[(0, 0.01), (1.06, 0.01), (1.06, 0.14), (1.0, 0.19), (0.92, 0.2), (0.85, 0.17), (0.82, 0.14)],  # rubber surround
    *[(0.32, 0.06), (0.3, 0.1), (0.2, 0.16), (0.1, 0.19), (0, 0.2)],  # down the cone to the cap over its middle
]


def parts(wood: Vector3) -> list[Part]:
    case = box((1.3, 1.1, 2.2), 0.04).moved(0, 0, 1.1)
    return [
        covered(case, Surface(wood, roughness=0.45)),
        covered(_fitted(_CONE), Surface(linear("141414"), roughness=0.6)),
        covered(_fitted(_RING), Surface(linear("707070"), roughness=0.3, metallic=0.8)),
    ]


def _fitted(profile: list[tuple[float, float]]) -> Solid:
    """That profile for both cones, on the face of the box."""
    turned = [lathe([(r * size, z * size) for r, z in profile]).turned("x", 90) for size, _ in _DRIVERS]
    return joined([solid.moved(0, _FRONT, z) for solid, (_, z) in zip(turned, _DRIVERS, strict=True)])


ASSET = Asset(
    name="loudspeaker",
    title="loudspeaker",
    imagenet=classes(632),
    natural=linear("201812"),
    unusual=linear("40c030"),
    elevation=5.0,
    fill=0.68,
    stage="room",
    parts=parts,
)
