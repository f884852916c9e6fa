"""A perceptually uniform colour map for attribution overlays, from a few anchors."""

from __future__ import annotations

import numpy as np

# 17 evenly spaced anchors of cividis (Nunez, Anderton and Renslow 2018, doi:10.1371/journal.pone.0199239), sRGB:
# lightness rises evenly, and it looks the same to readers with and without red-green colour blindness.
_ANCHORS = np.array(
    [
        (0, 34, 78), (0, 42, 98), (13, 51, 112), (40, 60, 109), (57, 69, 108), (71, 78, 109), (84, 87, 112),
        (96, 97, 116), (108, 106, 120), (122, 116, 121), (136, 126, 120), (150, 137, 117), (165, 148, 112),
        (181, 160, 104), (198, 172, 94), (216, 186, 79), (254, 232, 56),
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
