"""A lipstick: a slanted stick in a golden collar over a black base, the cap lying beside it."""

from __future__ import annotations

import numpy as np

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.solids import Part, Solid, Surface, covered, cylinder, joined, lathe, swept
from scenes.scene_spec import Vector3

_CAP = [(0, 0), (0.45, 0), (0.5, 0.05), (0.5, 1.55), (0.45, 1.55), (0.45, 0.1), (0, 0.1)]  # radius, z, open above
_STICK = 0.33  # radius
_FOOT, _CUT = 1.9, 2.85  # z where it begins, and of the middle of its cut
_SLANT = 1.0  # rise of the cut over its width
_ROUNDING = 0.08  # radius of the rim


def parts(pigment: Vector3) -> list[Part]:
    black = Surface(linear("101010"), roughness=0.2, coat=0.6)
    gold = Surface(linear("f0d080"), roughness=0.35, metallic=1.0)
    cap = lathe(_CAP).turned("x", 90).turned("z", 65).moved(0.85, -0.3, 0.5)
    return [
        covered(_stick().turned("z", -40), Surface(pigment, roughness=0.3, coat=0.2)),
        covered(joined([cylinder(0.5, 1.2, 0.03).moved(0, 0, 0.6), cap]), black),
        covered(joined([cylinder(0.45, 0.5, 0.02).moved(0, 0, 1.4), cylinder(0.38, 0.5, 0.02).moved(0, 0, 1.8)]), gold),
    ]


def _stick() -> Solid:
    """Cut off aslant, the rim of the cut rounded."""
    angle = 2 * np.pi * np.arange(64) / 64
    circle = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    foot = _STICK * circle + [0, 0, _FOOT]
    rings = [foot]
    for turn in np.linspace(0, np.pi / 2, 6):
        ring = (_STICK - _ROUNDING * (1 - np.cos(turn))) * circle
        ring[:, 2] = _CUT - _SLANT * ring[:, 0] + _ROUNDING * np.sin(turn)
        rings.append(ring)
    return swept(rings, every=len(rings))


ASSET = Asset(
    name="lipstick",
    title="lipstick",
    imagenet=classes(629),
    natural=linear("b81028"),
    unusual=linear("30a040"),
    elevation=10.0,
    fill=0.7,
    stage="room",
    parts=parts,
)
