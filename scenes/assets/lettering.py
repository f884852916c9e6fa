"""Lettering: capital letters and digits out of bars, for labels a few pixels high."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scenes.assets.solids import Solid, box, joined

_WIDTH = 0.6  # of a letter, heights
_PITCH = 0.85  # from letter to letter, heights
_STROKE = 0.1  # heights

# Strokes of a letter between points of a grid: x 0-2 across its width, z 0-4 up its height.
_LETTERS: dict[str, tuple[tuple[int, int, int, int], ...]] = {
    "A": ((0, 0, 1, 4), (2, 0, 1, 4), (0, 1, 2, 1)),
    "C": ((0, 0, 0, 4), (0, 4, 2, 4), (0, 0, 2, 0)),
    "E": ((0, 0, 0, 4), (0, 4, 2, 4), (0, 2, 2, 2), (0, 0, 2, 0)),
    "F": ((0, 0, 0, 4), (0, 4, 2, 4), (0, 2, 2, 2)),
    "G": ((0, 0, 0, 4), (0, 4, 2, 4), (0, 0, 2, 0), (2, 0, 2, 2), (1, 2, 2, 2)),
    "H": ((0, 0, 0, 4), (2, 0, 2, 4), (0, 2, 2, 2)),
    "I": ((1, 0, 1, 4),),
    "K": ((0, 0, 0, 4), (0, 2, 2, 4), (0, 2, 2, 0)),
    "L": ((0, 0, 0, 4), (0, 0, 2, 0)),
    "M": ((0, 0, 0, 4), (0, 4, 1, 2), (1, 2, 2, 4), (2, 4, 2, 0)),
    "N": ((0, 0, 0, 4), (0, 4, 2, 0), (2, 0, 2, 4)),
    "O": ((0, 0, 0, 4), (2, 0, 2, 4), (0, 4, 2, 4), (0, 0, 2, 0)),
    "P": ((0, 0, 0, 4), (0, 4, 2, 4), (0, 2, 2, 2), (2, 2, 2, 4)),
    "R": ((0, 0, 0, 4), (0, 4, 2, 4), (0, 2, 2, 2), (2, 2, 2, 4), (1, 2, 2, 0)),
    "S": ((0, 4, 2, 4), (0, 2, 0, 4), (0, 2, 2, 2), (2, 0, 2, 2), (0, 0, 2, 0)),
    "T": ((1, 0, 1, 4), (0, 4, 2, 4)),
    "U": ((0, 0, 0, 4), (2, 0, 2, 4), (0, 0, 2, 0)),
    "V": ((0, 4, 1, 0), (1, 0, 2, 4)),
    "X": ((0, 0, 2, 4), (0, 4, 2, 0)),
    "0": ((0, 0, 0, 4), (2, 0, 2, 4), (0, 4, 2, 4), (0, 0, 2, 0)),
    "1": ((1, 0, 1, 4), (0, 3, 1, 4)),
    "2": ((0, 4, 2, 4), (2, 2, 2, 4), (0, 2, 2, 2), (0, 0, 0, 2), (0, 0, 2, 0)),
    "3": ((0, 4, 2, 4), (2, 0, 2, 4), (0, 2, 2, 2), (0, 0, 2, 0)),
    "4": ((0, 2, 0, 4), (0, 2, 2, 2), (2, 0, 2, 4)),
    "5": ((0, 4, 2, 4), (0, 2, 0, 4), (0, 2, 2, 2), (2, 0, 2, 2), (0, 0, 2, 0)),
    "6": ((0, 4, 2, 4), (0, 0, 0, 4), (0, 2, 2, 2), (2, 0, 2, 2), (0, 0, 2, 0)),
    "7": ((0, 4, 2, 4), (1, 0, 2, 4)),
    "8": ((0, 0, 0, 4), (2, 0, 2, 4), (0, 4, 2, 4), (0, 2, 2, 2), (0, 0, 2, 0)),
    "9": ((0, 4, 2, 4), (0, 2, 0, 4), (0, 2, 2, 2), (2, 0, 2, 4), (0, 0, 2, 0)),
    " ": (),
}


def written(text: str, height: float, depth: float = 0.004, stroke: float = _STROKE) -> Solid:
    """Text that faces -y, beginning at x = 0, its middle line at z = 0; stroke: thickness of its bars, heights.

    Raises KeyError for a letter it lacks.
    """
    bars = []
    for place, letter in enumerate(text):
        for x0, z0, x1, z1 in _LETTERS[letter]:
            across, up = (x1 - x0) * _WIDTH / 2 * height, (z1 - z0) / 4 * height
            bar = box((math.hypot(across, up) + stroke * height, depth, stroke * height))
            bar = bar.turned("y", -math.degrees(math.atan2(up, across)))
            middle = (place * _PITCH + (x0 + x1) * _WIDTH / 4) * height
            bars.append(bar.moved(middle, 0.0, ((z0 + z1) / 8 - 0.5) * height))
    return flat(bars)


def flat(bars: Sequence[Solid]) -> Solid:
    """Bars as one mesh of one piece: what lies flat on a body needs no outline of its own."""
    mesh = joined(bars)
    return Solid(mesh.vertices, mesh.faces)
