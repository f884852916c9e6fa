"""Maps that know nothing of the network, to stand beside every map that claims to: what does one get for free?

And the ceiling: what the true mask itself scores once it has been through the grid a method works on.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from audit.attention.resampling import area_resampled, bilinear_resampled

LUMA = (0.2126, 0.7152, 0.0722)  # Rec. 709
GAUSSIAN_WIDTH = 0.25  # standard deviation over the side it runs along


def edges(images: Tensor) -> Tensor:
    """Sobel gradient magnitude of the luma of uint8 RGB pictures (N, H, W, 3): (N, H, W) float32, >= 0."""
    red, green, blue = (images.double() / 255.0).unbind(-1)
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    padded = torch.nn.functional.pad(luma[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    smooth_rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    smooth_columns = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    across = smooth_rows[:, :, 2:] - smooth_rows[:, :, :-2]
    down = smooth_columns[:, 2:] - smooth_columns[:, :-2]
    return (across * across + down * down).sqrt().float()


def gaussian(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """A centred Gaussian, a quarter of each side wide: (height, width) float32 in (0, 1]."""
    rows = (torch.arange(height, dtype=torch.float64, device=device) + 0.5) / height - 0.5
    columns = (torch.arange(width, dtype=torch.float64, device=device) + 0.5) / width - 0.5
    exponent = (rows[:, None] ** 2 + columns[None, :] ** 2) / (2 * GAUSSIAN_WIDTH**2)
    return torch.exp(-exponent).float()


def random(height: int, width: int, seed: int, device: torch.device | str = "cpu") -> Tensor:
    """Independent uniform values, the same from `seed` on every device: (height, width) float32 in [0, 1)."""
    values = np.random.default_rng(seed).random((height, width), dtype=np.float32)
    return torch.from_numpy(values).to(device)


def ceiling(mask: Tensor, grid: tuple[int, int]) -> Tensor:
    """Masks (N, H, W) averaged onto the layer's grid (h, w) and brought back bilinearly: (N, H, W) float32."""
    height, width = mask.shape[-2:]
    return bilinear_resampled(area_resampled(mask, *grid), height, width)
