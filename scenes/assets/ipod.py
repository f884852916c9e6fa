"""An iPod: a slim case with a lit menu on its screen over a click wheel."""

from __future__ import annotations

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.lettering import written
from scenes.assets.solids import Part, Surface, box, covered, cylinder, joined
from scenes.scene_spec import Vector3

_MENU = ("MUSIC", "PHOTOS", "EXTRAS", "SETTINGS", "SHUFFLE")
_FRONT = -0.11  # y of the case's face


def parts(case: Vector3) -> list[Part]:
    lines = [written(line, 0.065).moved(-0.45, _FRONT - 0.027, 1.92 - 0.13 * i) for i, line in enumerate(_MENU)]
    arrows = [box((0.03, 0.004, 0.05)).moved(0.43, _FRONT - 0.027, 1.92 - 0.13 * i) for i in range(len(_MENU))]
    wheel = cylinder(0.42, 0.02, 0.006).turned("x", 90).moved(0, _FRONT, 0.65)
    button = cylinder(0.16, 0.03, 0.009).turned("x", 90).moved(0, _FRONT - 0.005, 0.65)
    word = written("MENU", 0.07)
    middle = float(word.vertices[:, 0].mean())
    return [
        covered(box((1.3, 0.22, 2.2), 0.1).moved(0, 0, 1.1), Surface(case, roughness=0.2, coat=0.5)),
        covered(box((1.05, 0.02, 0.8)).moved(0, _FRONT, 1.65), Surface(linear("303840"), roughness=0.1), smooth=False),
        covered(
            box((1.0, 0.02, 0.75)).moved(0, _FRONT - 0.015, 1.65),
            Surface(linear("a8c8d8"), roughness=0.2, emission=0.6),
            smooth=False,
        ),
        covered(joined([*lines, *arrows]), Surface(linear("202020")), smooth=False),
        covered(wheel, Surface(linear("c8c8c8"), roughness=0.4)),
        covered(button, Surface(linear("f0f0f0"), roughness=0.3)),
        covered(word.moved(-middle, _FRONT - 0.012, 0.96), Surface(linear("808080")), smooth=False),
    ]


ASSET = Asset(
    name="ipod",
    title="iPod",
    imagenet=classes(605),
    natural=linear("f4f4f4"),
    unusual=linear("c01820"),
    elevation=10.0,
    fill=0.65,
    stage="room",
    parts=parts,
)
