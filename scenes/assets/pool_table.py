"""A pool table: cloth between wooden rails with six pockets, turned legs, racked balls, the cue ball and a cue."""

from __future__ import annotations

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.solids import (
    Part,
    Solid,
    Speckle,
    Surface,
    box,
    covered,
    cylinder,
    icosphere,
    joined,
    lathe,
    spline,
    tube,
)
from scenes.scene_spec import Vector3

_BALL = 0.065
_RACK = ("f0d020", "2030b0", "d02020", "602080", "f07020", "108040", "801818", "101010", "f0d020", "2030b0")
_LEG = [(0, 0), (0.14, 0), (0.2, 0.15), (0.12, 0.4), (0.22, 1.0), (0.2, 1.2), (0, 1.2)]  # radius, z
_BED = 1.5  # z of the cloth


def parts(cloth: Vector3) -> list[Part]:
    felt = [box((3.6, 1.9, 0.1)).moved(0, 0, _BED - 0.05)]
    wood = [box((3.7, 2.0, 0.35)).moved(0, 0, 1.28)]
    for side in (-1, 1):
        wood.append(box((4.0, 0.2, 0.25), 0.04).moved(0, side, _BED))
        wood.append(box((0.2, 1.88, 0.25), 0.04).moved(1.9 * side, 0, _BED))
        felt.append(box((3.6, 0.07, 0.1)).moved(0, 0.88 * side, 1.53))
        felt.append(box((0.07, 1.7, 0.1)).moved(1.78 * side, 0, 1.53))
    profile = [_LEG[0], *spline(_LEG[1:-1], 20), _LEG[-1]]
    leg = lathe(profile, segments=48, cuts=(0.15, 0.4, 1.0))
    wood += [leg.moved(x, y, 0) for x in (-1.6, 1.6) for y in (-0.75, 0.75)]
    pockets = [cylinder(0.12, 0.02).moved(x, y, 1.63) for x in (-1.78, 0, 1.78) for y in (-0.87, 0.87)]
    cue = tube([(-2.0, -0.4, 1.75), (-1.0, 0.06, 1.6)], [0.0325, 0.015])
    dark = Speckle(linear("3a1c0c"), scale=3.0, low=0.4, high=0.7)
    return [
        covered(joined(felt), Surface(cloth, roughness=0.95), smooth=False),
        covered(joined(wood), Surface(linear("5a3018"), roughness=0.3, coat=0.4, speckle=dark)),
        covered(joined(pockets), Surface(linear("050505")), smooth=False),
        *_balls(),
        covered(cue, Surface(linear("d0a060"), roughness=0.3)),
    ]


def _balls() -> list[Part]:
    """One part per colour: the racked triangle of ten, and the cue ball."""
    ball = icosphere(3, _BALL)
    ball = Solid(ball.vertices, ball.faces, (icosphere(1, _BALL).vertices,))
    where: dict[str, list[Solid]] = {}
    places = [(row, seat) for row in range(4) for seat in range(row + 1)]
    for code, (row, seat) in zip(_RACK, places, strict=True):
        where.setdefault(code, []).append(ball.moved(0.7 + 0.115 * row, (seat - row / 2) * 0.132, _BED + _BALL))
    where["f5f5f0"] = [ball.moved(-0.9, 0.1, _BED + _BALL)]
    return [covered(joined(balls), Surface(linear(code), roughness=0.1, coat=0.8)) for code, balls in where.items()]


ASSET = Asset(
    name="pool_table",
    title="pool table",
    imagenet=classes(736),
    natural=linear("107840"),
    unusual=linear("e060b0"),
    elevation=25.0,
    fill=0.75,
    stage="room",
    parts=parts,
)
