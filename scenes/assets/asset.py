"""Asset: an object that ImageNet networks know, as plain geometry, and what one has to know to show and score it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scenes import color
from scenes.assets.solids import Part
from scenes.scene_spec import Vector3

# ImageNet classes that stand for the same thing to anybody who looks at a picture: an answer with either is right.
NEAR_SYNONYMS = {
    409: (892,),  # analog clock, wall clock
    504: (968,),  # coffee mug, cup
}


@dataclass(frozen=True)
class Asset:
    name: str
    title: str  # as a sentence says it, without article
    imagenet: tuple[int, ...]  # ImageNet-1k classes that count as right; the first is the asset's own
    natural: Vector3  # its main colour (skin, cloth, body), linear RGB
    unusual: Vector3  # one that such things do not have
    elevation: float  # degrees of the camera above the object's middle
    fill: float  # share of the frame that its larger side takes
    stage: str  # 'room' or 'outdoors'
    parts: Callable[[Vector3], Sequence[Part]]  # in the asset's own frame, with that main colour
    file: str = ""  # geometry of a user's own, in the store


def classes(own: int) -> tuple[int, ...]:
    """The ImageNet classes that count as right for an asset made for class `own`."""
    return (own, *NEAR_SYNONYMS.get(own, ()))


def linear(code: str) -> Vector3:
    """Linear RGB of an sRGB colour written as six hexadecimal digits."""
    r, g, b = color.srgb_decode(np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)]))
    return (float(r), float(g), float(b))


def toward(start: Vector3, end: Vector3, share: float) -> Vector3:
    """The colour that lies that share of the way from one linear colour to another."""
    r, g, b = (1 - share) * np.array(start) + share * np.array(end)
    return (float(r), float(g), float(b))


WHITE: Vector3 = (1.0, 1.0, 1.0)
BLACK: Vector3 = (0.0, 0.0, 0.0)
