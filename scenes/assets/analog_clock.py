"""An analog clock on two feet: a white dial with ticks and numerals in a round case, its hands at nine past ten."""

from __future__ import annotations

import math

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.lettering import flat, written
from scenes.assets.solids import Part, Solid, Surface, box, covered, cylinder, joined, lathe
from scenes.scene_spec import Vector3

_MIDDLE = 1.2  # z of the dial's
_FACE = -0.2  # y of the dial
# radius, z: the case from its back to its rim, then down to the dial
_CASE = [
    *[(0, -0.2), (0.92, -0.2), (1.02, -0.14), (1.08, -0.05), (1.1, 0.2), (1.08, 0.29), (1.04, 0.32)],
    *[(1.0, 0.31), (0.97, 0.27), (0.96, 0.19), (0, 0.19)],
]
_HANDS = ((609, 720, 0.5, 0.06), (9, 60, 0.78, 0.04))  # minutes past twelve, minutes of a turn, length, width


def parts(case: Vector3) -> list[Part]:
    body = lathe(_CASE).turned("x", 90).moved(0, 0, _MIDDLE)
    feet = [box((0.14, 0.3, 0.4), 0.04).turned("y", 35 * side).moved(-0.62 * side, 0, 0.17) for side in (-1, 1)]
    dial = cylinder(0.96, 0.02).turned("x", 90).moved(0, _FACE + 0.01, _MIDDLE)
    ticks = [_spoke(i / 60, 0.87, 0.1 if i % 5 == 0 else 0.045, 0.03 if i % 5 == 0 else 0.012) for i in range(60)]
    numerals = [_numeral(hour) for hour in range(1, 13)]
    hands = [_spoke(minutes / turn, 0.42 * length, length, width, 0.03) for minutes, turn, length, width in _HANDS]
    ink = Surface(linear("0a0a0a"), roughness=0.4)
    pin = cylinder(0.05, 0.06, 0.01, segments=32).turned("x", 90).moved(0, _FACE - 0.03, _MIDDLE)
    return [
        covered(joined([body, *feet]), Surface(case, roughness=0.25, coat=0.5)),
        covered(dial, Surface(linear("f5f2ea")), smooth=False),
        covered(joined([flat(ticks), flat(numerals), *hands, pin]), ink, smooth=False),
    ]


def _spoke(turn: float, out: float, length: float, width: float, off: float = 0.002) -> Solid:
    """A bar whose middle lies `out` from the dial's, `turn` of a turn past twelve, `off` before the dial."""
    bar = box((width, 0.01, length)).moved(0, _FACE - off, out)
    return bar.turned("y", 360 * turn).moved(0, 0, _MIDDLE)


def _numeral(hour: int) -> Solid:
    word = written(str(hour), 0.2, 0.01, stroke=0.15)
    low, high = float(word.vertices[:, 0].min()), float(word.vertices[:, 0].max())
    angle = 2 * math.pi * hour / 12
    return word.moved(0.68 * math.sin(angle) - (low + high) / 2, _FACE - 0.002, _MIDDLE + 0.68 * math.cos(angle))


ASSET = Asset(
    name="analog_clock",
    title="analog clock",
    imagenet=classes(409),
    natural=linear("181818"),
    unusual=linear("d020a0"),
    elevation=5.0,
    fill=0.65,
    stage="room",
    parts=parts,
)
