"""A street sign: two plates with names, crossed on top of a pole."""

from __future__ import annotations

from scenes.assets.asset import Asset, classes, linear
from scenes.assets.lettering import written
from scenes.assets.solids import Part, Solid, Surface, box, covered, cylinder, joined
from scenes.scene_spec import Vector3

_PLATES = (("MAIN ST", 2.15, 35.0), ("OAK AVE", 2.55, -50.0))  # name, z of its middle, degrees about z
_POLE = 1.97  # its height


def parts(paint: Vector3) -> list[Part]:
    sheets, borders, names = [], [], []
    for name, z, degrees in _PLATES:
        borders.append(box((1.9, 0.04, 0.36)).turned("z", degrees).moved(0, 0, z))
        for side in (0, 180):
            sheet = box((1.84, 0.02, 0.3)).moved(0, -0.02, 0)
            sheets.append(sheet.turned("z", degrees + side).moved(0, 0, z))
            names.append(_centred(name, 0.2).moved(0, -0.032, 0).turned("z", degrees + side).moved(0, 0, z))
    clamps = [cylinder(0.07, 0.08, 0.01).moved(0, 0, z) for z in (_POLE, 2.35)]
    pole = cylinder(0.05, _POLE, 0.005, segments=32).moved(0, 0, _POLE / 2)
    return [
        covered(joined(sheets), Surface(paint, roughness=0.4), smooth=False),
        covered(joined(borders), Surface(linear("f4f4f4")), smooth=False),
        covered(joined(names), Surface(linear("f4f4f4")), smooth=False),
        covered(joined([pole, *clamps]), Surface(linear("a0a0a0"), roughness=0.4, metallic=0.8)),
    ]


def _centred(text: str, height: float) -> Solid:
    word = written(text, height, stroke=0.14)
    low, high = word.vertices[:, 0].min(), word.vertices[:, 0].max()
    return word.moved(-float(low + high) / 2, 0, 0)


ASSET = Asset(
    name="street_sign",
    title="street sign",
    imagenet=classes(919),
    natural=linear("0a6a3a"),
    unusual=linear("e060b0"),
    elevation=-4.0,
    fill=0.7,
    stage="outdoors",
    parts=parts,
)
