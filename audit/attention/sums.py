"""Sums whose last bit does not move: the same for a map alone and in any batch, for any memory layout and thread count.

Library sums and matrix products choose their order of addition by alignment, batch and threads. Equal maps must give
equal tables, byte for byte, so here the order is fixed by the number of terms alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

_FEW = 512  # terms that are added one after another


def summed(terms: Tensor) -> Tensor:
    """Sum over the last axis, (..., N) -> (...) float64, by halves: the second half onto the first until few are left.

    Element-wise additions, so the order is the same everywhere; the error grows with log N rather than with N.
    """
    rest = terms.double()
    if rest.shape[-1] == 0:
        return rest.new_zeros(rest.shape[:-1])
    while (count := rest.shape[-1]) > _FEW:
        half = count // 2
        halves = rest[..., :half] + rest[..., half : 2 * half]
        if count % 2:
            halves[..., 0] += rest[..., -1]
        rest = halves
    return rest.cumsum(dim=-1)[..., -1]


def averaged(terms: Tensor) -> Tensor:
    """Mean over the last axis, (..., N) -> (...) float64; NaN of no terms."""
    return summed(terms) / terms.shape[-1] if terms.shape[-1] else torch.full_like(summed(terms), torch.nan)
