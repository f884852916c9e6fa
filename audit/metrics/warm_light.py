"""Pictures as a warm lamp would light them: what tells red from blue on scenes whose colours were drawn from all hues.

The tabletop draws floors and obstacles from every hue alike, so a scene with red and blue exchanged is as likely as the
scene itself, and no score over such scenes can say in which order a network reads them. The world is not so even:
floors, skin, wood and the light indoors hold more red than blue. `warm` shows each scene as that world would.
"""

from __future__ import annotations

import numpy as np

from audit.metrics.arrays import Pixels
from scenes.color import srgb_decode, srgb_encode

LAMP = (1.0, 0.792, 0.629)  # black body of 5000 K, linear sRGB, the largest 1


def warm(images: Pixels) -> Pixels:
    """uint8 sRGB (N, H, W, 3) of the warm one of each picture and its mirror, under a lamp of 5000 K.

    Where blue outweighs red the two are exchanged: of evenly drawn colours that is as good a scene. Light of one tint
    scales linear channels, so for a scene lit in white this is the render under that lamp, but for rounding.
    """
    sums = images.sum(axis=(1, 2), dtype=np.int64)
    is_cold = sums[:, 2] > sums[:, 0]
    mirrored = np.where(is_cold[:, None, None, None], images[..., ::-1], images)
    levels = srgb_decode(np.arange(256) / 255.0)
    tables = [np.round(255.0 * srgb_encode(levels * gain)).astype(np.uint8) for gain in LAMP]
    lit: Pixels = np.stack([table[mirrored[..., c]] for c, table in enumerate(tables)], axis=-1)
    return lit
