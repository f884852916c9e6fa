"""A remote control, lying aslant: a dark slab with rows of keys, a ring to steer by, a power key and coloured ones."""

from __future__ import annotations

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.solids import Part, Solid, Surface, box, covered, cylinder, joined
from scenes.scene_spec import Vector3

_TURN = 50.0  # degrees that its far end points to the right
_TOP = 0.28  # z of its face
_COLORS = ("d02020", "20a040", "e0c020", "2040d0")


def parts(body: Vector3) -> list[Part]:
    keys = [_key(0.18, 0.18).moved(0.26 * x, 0.28 * y - 0.9, 0) for y in range(6) for x in (-1, 0, 1)]
    ring = cylinder(0.31, 0.06, 0.02).moved(0, 1.05, _TOP + 0.02)
    middle = cylinder(0.13, 0.1, 0.02).moved(0, 1.05, _TOP + 0.02)
    power = cylinder(0.08, 0.08, 0.02, segments=32).moved(-0.28, 1.43, _TOP)
    colored = [_key(0.15, 0.1).moved(0.2 * i - 0.3, -1.2, -0.01) for i in range(len(_COLORS))]
    made = [
        (box((0.9, 3.2, _TOP), 0.1).moved(0, 0, _TOP / 2), Surface(body, roughness=0.4)),
        (joined([*keys, middle]), Surface(linear("909090"))),
        (ring, Surface(linear("505050"), roughness=0.4)),
        (power, Surface(linear("d01010"))),
        *((solid, Surface(linear(code))) for solid, code in zip(colored, _COLORS, strict=True)),
    ]
    return [covered(solid.turned("z", -_TURN), surface) for solid, surface in made]


def _key(across: float, along: float) -> Solid:
    return box((across, along, 0.1), 0.03).moved(0, 0, _TOP + 0.01)


ASSET = Asset(
    name="remote_control",
    title="remote control",
    imagenet=classes(761),
    natural=linear("1a1a1a"),
    unusual=linear("e060b0"),
    elevation=40.0,
    fill=0.75,
    stage="room",
    parts=parts,
)
