"""Means over Gaussian windows, as shifted sums: a convolution would leave the order of addition to the library."""

from __future__ import annotations

import torch
from torch import Tensor

from audit.attention.sums import summed


def gaussian_window(reach: int, sigma: float, device: torch.device) -> Tensor:
    """One-dimensional Gaussian weights (2 reach + 1,) float64, summing to 1; sigma in pixels."""
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64, device=device)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    return weights / summed(weights)


def windowed(fields: Tensor, window: Tensor) -> Tensor:
    """Weighted means over every window that fits: (..., h, w) float64 -> (..., h - s + 1, w - s + 1), s its size.

    The weights are the window along the rows times the window along the columns.
    """
    for axis in (-2, -1):
        room = fields.shape[axis] - len(window) + 1
        total = fields.narrow(axis, 0, room) * window[0]
        for shift in range(1, len(window)):
            total.addcmul_(fields.narrow(axis, shift, room), window[shift])
        fields = total
    return fields
