"""Maps that know nothing of the network, to stand beside every map that claims to: what does one get for free?

And the ceiling: what the true mask itself scores once it has been through the grid a method works on.
"""

from __future__ import annotations

import numpy as np

from audit.metrics.arrays import Floats, Pixels, Singles
from audit.metrics.resampling import area_resampled, bilinear_resampled

LUMA = np.array([0.2126, 0.7152, 0.0722])  # Rec. 709
GAUSSIAN_WIDTH = 0.25  # standard deviation over the side it runs along


def edges(images: Pixels) -> Singles:
    """Sobel gradient magnitude of the luma of uint8 RGB pictures (N, H, W, 3): (N, H, W) float32, >= 0."""
    luma = (images.astype(np.float64) / 255.0) @ LUMA
    padded = np.pad(luma, ((0, 0), (1, 1), (1, 1)), mode="edge")
    smooth_rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    smooth_columns = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    across = smooth_rows[:, :, 2:] - smooth_rows[:, :, :-2]
    down = smooth_columns[:, 2:] - smooth_columns[:, :-2]
    return np.asarray(np.hypot(across, down), dtype=np.float32)


def gaussian(height: int, width: int) -> Singles:
    """A centred Gaussian, a quarter of each side wide: (height, width) float32 in (0, 1]."""
    rows = (np.arange(height) + 0.5) / height - 0.5
    columns = (np.arange(width) + 0.5) / width - 0.5
    exponent = (rows[:, None] ** 2 + columns[None, :] ** 2) / (2 * GAUSSIAN_WIDTH**2)
    return np.asarray(np.exp(-exponent), dtype=np.float32)


def random(height: int, width: int, seed: int) -> Singles:
    """Independent uniform values from `seed`: (height, width) float32 in [0, 1)."""
    return np.random.default_rng(seed).random((height, width), dtype=np.float32)


def ceiling(mask: Floats, grid: tuple[int, int]) -> Singles:
    """Masks (N, H, W) averaged onto the layer's grid (h, w) and brought back bilinearly: (N, H, W) float32."""
    return bilinear_resampled(area_resampled(mask, *grid), *mask.shape[-2:])
