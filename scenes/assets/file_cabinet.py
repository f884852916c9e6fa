"""A file cabinet: four metal drawers one over another, each with a pull and a label."""

from __future__ import annotations

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.solids import Part, Solid, Surface, box, covered, joined
from scenes.scene_spec import Vector3

_DRAWERS = tuple(0.37 + 0.68 * i for i in range(4))  # z of their middles
_FRONT = -0.785  # y of the drawers' faces


def parts(paint: Vector3) -> list[Part]:
    shell = box((1.2, 1.5, 2.8), 0.03).moved(0, 0, 1.4)
    fronts = [box((1.1, 0.05, 0.63), 0.02).moved(0, -0.76, z) for z in _DRAWERS]
    pulls = [bar for z in _DRAWERS for bar in _pull(z + 0.05)]
    frames = [box((0.36, 0.02, 0.17)).moved(0, _FRONT - 0.005, z + 0.2) for z in _DRAWERS]
    labels = [box((0.3, 0.02, 0.12)).moved(0, _FRONT - 0.01, z + 0.2) for z in _DRAWERS]
    metal = Surface(linear("c0c0c0"), roughness=0.4, metallic=0.9)
    return [
        covered(joined([shell, *fronts]), Surface(paint, roughness=0.4, metallic=0.3)),
        covered(joined([*pulls, *frames]), metal),
        covered(joined(labels), Surface(linear("f0f0e8")), smooth=False),
    ]


def _pull(z: float) -> list[Solid]:
    """A grip before the drawer's face, and what it is held by at both ends."""
    ends = [box((0.04, 0.06, 0.05)).moved(x, _FRONT - 0.02, z) for x in (-0.16, 0.16)]
    return [box((0.36, 0.05, 0.06), 0.02).moved(0, _FRONT - 0.06, z), *ends]


ASSET = Asset(
    name="file_cabinet",
    title="file cabinet",
    imagenet=classes(553),
    natural=linear("8a9088"),
    unusual=linear("d020a0"),
    elevation=8.0,
    fill=0.68,
    stage="room",
    parts=parts,
)
