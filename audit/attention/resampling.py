"""Resampling of maps and masks on their device; the numbers are those of audit.metrics.resampling.

Every new pixel is a short weighted sum of old ones, added up tap by tap: the same for a map alone and in any batch.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from audit.metrics.arrays import Doubles, Integers
from audit.metrics.resampling import area_weights, bilinear_weights


def area_resampled(maps: Tensor, height: int, width: int) -> Tensor:
    """Maps (B, H, W) to (B, height, width) float32: each new pixel is the mean over the area it covers."""
    return _resampled(maps, (height, width), "area", "area")


def bilinear_resampled(maps: Tensor, height: int, width: int) -> Tensor:
    """Maps (B, H, W) to (B, height, width) float32 by bilinear interpolation, pixel centres aligned."""
    return _resampled(maps, (height, width), "bilinear", "bilinear")


def resampled(maps: Tensor, height: int, width: int) -> Tensor:
    """Maps (B, H, W) on a grid of (height, width): enlarged bilinearly, reduced by area, unchanged where they fit."""
    rows, columns = maps.shape[-2:]
    kinds = ("bilinear" if new >= old else "area" for new, old in ((height, rows), (width, columns)))
    return _resampled(maps, (height, width), *kinds)


def _resampled(maps: Tensor, size: tuple[int, int], rows: str, columns: str) -> Tensor:
    if tuple(maps.shape[-2:]) == size:
        return maps.float()
    across = _along(maps.double(), 2, size[1], columns)
    return _along(across, 1, size[0], rows).float()


def _along(maps: Tensor, axis: int, new_size: int, kind: str) -> Tensor:
    if maps.shape[axis] == new_size:
        return maps
    places, weights = _taps(maps.shape[axis], new_size, kind)
    shape = (-1, 1) if axis == 1 else (-1,)
    total = torch.zeros((), dtype=maps.dtype, device=maps.device)
    for place, weight in zip(places, weights, strict=True):
        share = torch.from_numpy(weight).to(maps.device).reshape(shape)
        total = total + maps.index_select(axis, torch.from_numpy(place).to(maps.device)) * share
    return total


@lru_cache(maxsize=64)
def _taps(size: int, new_size: int, kind: str) -> tuple[Integers, Doubles]:
    """(taps, new_size) old pixels that each new pixel is made of, and their weights."""
    weights = (area_weights if kind == "area" else bilinear_weights)(size, new_size)
    first = (weights != 0).argmax(axis=1)
    last = size - 1 - (weights[:, ::-1] != 0).argmax(axis=1)
    reach = int((last - first).max()) + 1
    places = first[None, :] + np.arange(reach)[:, None]
    inside = places < size
    places = np.minimum(places, size - 1)
    return places, np.where(inside, weights[np.arange(new_size)[None, :], places], 0.0)
