"""A pill bottle: amber plastic, a white cap with ridges, and a printed label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.lettering import written
from scenes.assets.solids import Part, Solid, Surface, covered, joined, lathe, swept
from scenes.scene_spec import Vector3

# radius, z
_BODY = [(0, 0), (0.55, 0), (0.6, 0.04), (0.6, 1.6), (0.52, 1.65), (0.52, 1.8), (0, 1.8)]
_LABEL = [(0, 0.35), (0.61, 0.35), (0.61, 1.4), (0, 1.4)]
_CAP = [(0.58, 1.72), (0.62, 1.75), (0.62, 2.1), (0.58, 2.14)]
_RIDGES = 48
_GROOVE = 0.02  # depth between two ridges
# what is printed, its height, z
_LINES = (
    ("PHARMACIST", 0.11, 1.25),
    ("ASPIRIN", 0.09, 1.02),
    ("MORNINGS", 0.06, 0.84),
    ("REFILLS", 0.06, 0.69),
    ("RX", 0.09, 0.5),
)


def parts(plastic: Vector3) -> list[Part]:
    lines = [_round(written(text, height, 0.02), 0.61).moved(0, 0, z) for text, height, z in _LINES]
    return [
        covered(lathe(_BODY, cuts=(1.6,)), Surface(plastic, roughness=0.1, coat=0.4)),
        covered(_cap(), Surface(linear("f4f4f4"))),
        covered(lathe(_LABEL), Surface(linear("f8f8f0"), roughness=0.7)),
        covered(joined(lines), Surface(linear("181818")), smooth=False),
    ]


def _cap() -> Solid:
    angle = np.pi * np.arange(2 * _RIDGES) / _RIDGES
    groove = _GROOVE * (np.arange(2 * _RIDGES) % 2)
    rings = [
        np.stack([(r - groove) * np.cos(angle), (r - groove) * np.sin(angle), np.full(len(angle), z)], axis=1)
        for r, z in _CAP
    ]
    return swept(rings, every=len(_CAP))


def _round(text: Solid, radius: float) -> Solid:
    """Text bent round an upright cylinder about z, its middle at the front."""
    x, y, z = text.vertices.T
    angle = (x - (x.min() + x.max()) / 2) / radius
    bent = np.stack([(radius - y) * np.sin(angle), -(radius - y) * np.cos(angle), z], axis=1)
    return replace(text, vertices=bent, pieces=(bent,))


ASSET = Asset(
    name="pill_bottle",
    title="pill bottle",
    imagenet=classes(720),
    natural=linear("e07810"),
    unusual=linear("d020a0"),
    elevation=12.0,
    fill=0.6,
    stage="room",
    parts=parts,
)
