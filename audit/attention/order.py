"""One descending sort of a map's pixels: what every metric of ranks, and deletion and insertion, is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_LOW = 0xFFFFFFFF


@dataclass(frozen=True)
class Ranked:
    """Pixels of B maps from the highest to the lowest.

    values (B, N) float32 descending; order (B, N) int64, the pixel at each rank; begins, ends (B, N) int64, how many
    pixels are higher than the one at a rank, and how many are at least as high: the bounds of its tie group.
    """

    values: Tensor
    order: Tensor
    begins: Tensor
    ends: Tensor


def ranked(values: Tensor) -> Ranked:
    """The pixels of (B, N) float32 maps without NaN, in descending order, and their tie groups."""
    ordered, order = descending(values)
    count = ordered.shape[1]
    place = torch.arange(count, device=ordered.device)
    first = torch.ones_like(ordered, dtype=torch.bool)
    torch.ne(ordered[:, 1:], ordered[:, :-1], out=first[:, 1:])
    last = torch.ones_like(first)
    last[:, :-1] = first[:, 1:]
    begins = torch.where(first, place, 0).cummax(dim=1).values
    ends = torch.where(last, place + 1, count).flip(1).cummin(dim=1).values.flip(1)
    return Ranked(ordered, order, begins, ends)


def descending(values: Tensor) -> tuple[Tensor, Tensor]:
    """(B, N) float32 sorted from high to low, and where each came from; equal values in the order of their place.

    Value and place are sorted as one whole number: faster than a stable sort, and no two keys are equal.
    """
    bits = (values.float() + 0.0).contiguous().view(torch.int32)  # + 0: the negative zero is zero
    rising = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # as a signed number it rises with the value
    place = torch.arange(values.shape[1], device=values.device)
    keys = ((~rising).long() << 32) | place
    order = _rising(keys) & _LOW
    return values.float().gather(1, order), order


def _rising(keys: Tensor) -> Tensor:
    """(B, N) int64 sorted. NumPy sorts whole numbers with the processor's widest registers, where it has them."""
    if keys.device.type != "cpu":
        return keys.sort(dim=1).values
    return torch.from_numpy(np.sort(keys.numpy(), axis=1))


def repeated(one: Ranked, count: int) -> Ranked:
    """The ranks of a single map as those of `count` equal maps; nothing is copied."""
    fields = (one.values, one.order, one.begins, one.ends)
    return Ranked(*(field.expand(count, -1) for field in fields))
