"""A perceptually uniform colour map for attribution overlays, from a few anchors."""

from __future__ import annotations

import numpy as np

# Ten evenly spaced anchors of cividis (Nunez, Anderton and Renslow 2018, doi:10.1371/journal.pone.0199239), sRGB:
# lightness rises evenly, and it looks the same to readers with and without red-green colour blindness.
_ANCHORS = np.array(
    [
        (0, 32, 77), (0, 51, 111), (57, 72, 107), (87, 92, 109), (112, 113, 115),
        (138, 135, 121), (166, 157, 117), (196, 181, 108), (228, 207, 91), (255, 234, 70),
    ],
    dtype=np.float64,
)  # fmt: skip


def coloured(value: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1] -> (H, W, 3) float64 sRGB in [0, 255]; values outside are clipped."""
    position = np.clip(value, 0.0, 1.0) * (len(_ANCHORS) - 1)
    channels = [np.interp(position, np.arange(len(_ANCHORS)), _ANCHORS[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1)


def stops() -> list[tuple[float, str]]:
    """(position in [0, 1], '#rrggbb') of the anchors, for a legend."""
    last = len(_ANCHORS) - 1
    return [(i / last, "#{:02x}{:02x}{:02x}".format(*(int(v) for v in rgb))) for i, rgb in enumerate(_ANCHORS)]
