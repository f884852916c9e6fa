"""A digital clock: a dark case with rounded edges and red seven-segment digits behind its window."""

from __future__ import annotations

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.lettering import flat
from scenes.assets.solids import Part, Solid, Surface, box, covered, joined
from scenes.scene_spec import Vector3

_TIME = ("1", "2", "5", "8")
_PLACES = (-1.02, -0.38, 0.38, 1.02)  # x of the digits' middles
_WIDTH, _HEIGHT, _BAR = 0.4, 0.72, 0.09  # of a digit, and how thick its segments are
_MIDDLE = 0.68  # z of the digits' middles
_GLASS = -0.51  # y of the window's face
# Segments lit: a to f clockwise from the top, g across the middle.
_LIT = {"1": "bc", "2": "abdeg", "5": "acdfg", "8": "abcdefg"}


def parts(case: Vector3) -> list[Part]:
    lit: list[Solid] = []
    dark: list[Solid] = []
    for digit, x in zip(_TIME, _PLACES, strict=True):
        for name, bar in _segments().items():
            (lit if name in _LIT[digit] else dark).append(bar.moved(x, 0, 0))
    lit += [box((_BAR, 0.01, _BAR)).moved(0, _GLASS, _MIDDLE + z) for z in (-0.18, 0.18)]
    key = box((1.1, 0.34, 0.06), 0.025).moved(0, 0, 1.38)
    feet = [box((0.3, 0.6, 0.08)).moved(x, 0, 0.02) for x in (-1.1, 1.1)]
    return [
        covered(box((3.0, 1.0, 1.3), 0.12).moved(0, 0, 0.71), Surface(case, roughness=0.35, coat=0.3)),
        covered(box((2.7, 0.04, 1.0)).moved(0, -0.49, _MIDDLE), Surface(linear("0a0303"), roughness=0.1), smooth=False),
        covered(flat(lit), Surface(linear("ff2010"), emission=5.0), smooth=False),
        covered(flat(dark), Surface(linear("200404"), roughness=0.4), smooth=False),
        covered(joined([key, *feet]), Surface(linear("303030"), roughness=0.5)),
    ]


def _segments() -> dict[str, Solid]:
    """The seven bars of a digit on the window, its middle at x = 0."""
    w, h, gap = _WIDTH / 2, _HEIGHT / 2, 0.03
    level = box((_WIDTH - 2 * gap, 0.01, _BAR))
    upright = box((_BAR, 0.01, h - 2 * gap))
    bars = {name: level.moved(0, 0, z) for name, z in (("a", h), ("g", 0), ("d", -h))}
    bars |= {name: upright.moved(w, 0, z) for name, z in (("b", h / 2), ("c", -h / 2))}
    bars |= {name: upright.moved(-w, 0, z) for name, z in (("e", -h / 2), ("f", h / 2))}
    return {name: bar.moved(0, _GLASS, _MIDDLE) for name, bar in bars.items()}


ASSET = Asset(
    name="digital_clock",
    title="digital clock",
    imagenet=classes(530),
    natural=linear("181818"),
    unusual=linear("e0d020"),
    elevation=10.0,
    fill=0.65,
    stage="room",
    parts=parts,
)
