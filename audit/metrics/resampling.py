"""Resampling of maps and masks between grids: exact area averages, and bilinear interpolation.

Both are separable, so one small matrix per axis does them for a whole batch.
"""

from __future__ import annotations

import numpy as np

from audit.metrics.arrays import Doubles, Floats, Singles


def area_resampled(maps: Floats, height: int, width: int) -> Singles:
    """Maps (..., H, W) to (..., height, width) float32: each new pixel is the mean over the area it covers.

    Exact for any pair of sizes, also when enlarging; keeps the mean of the map and its range.
    """
    if maps.shape[-2:] == (height, width):
        return np.asarray(maps, dtype=np.float32)
    return _separable(maps, area_weights(maps.shape[-2], height), area_weights(maps.shape[-1], width))


def bilinear_resampled(maps: Floats, height: int, width: int) -> Singles:
    """Maps (..., H, W) to (..., height, width) float32 by bilinear interpolation, pixel centres aligned.

    The same as torch's interpolate(mode='bilinear', align_corners=False) and OpenCV's INTER_LINEAR: the border value
    continues beyond the outermost centres.
    """
    if maps.shape[-2:] == (height, width):
        return np.asarray(maps, dtype=np.float32)
    return _separable(maps, bilinear_weights(maps.shape[-2], height), bilinear_weights(maps.shape[-1], width))


def resampled(maps: Floats, height: int, width: int) -> Singles:
    """Maps (..., H, W) on a grid of (height, width): enlarged bilinearly, reduced by area, unchanged where they fit."""
    if maps.shape[-2:] == (height, width):
        return np.asarray(maps, dtype=np.float32)
    rows = _weights(maps.shape[-2], height)
    columns = _weights(maps.shape[-1], width)
    return _separable(maps, rows, columns)


def _separable(maps: Floats, rows: Doubles, columns: Doubles) -> Singles:
    # stacked products run one map at a time, so a map's result does not depend on its neighbours in the batch
    product = np.matmul(np.matmul(rows, maps.astype(np.float64)), columns.T)
    return np.asarray(product, dtype=np.float32)


def _weights(size: int, new_size: int) -> Doubles:
    return bilinear_weights(size, new_size) if new_size >= size else area_weights(size, new_size)


def area_weights(size: int, new_size: int) -> Doubles:
    """(new_size, size): the share of each new pixel that each old pixel covers; rows sum to 1."""
    edges = np.arange(new_size + 1) * (size / new_size)
    old = np.arange(size)
    low = np.maximum(edges[:-1, None], old[None, :])
    high = np.minimum(edges[1:, None], old[None, :] + 1)
    overlap = np.clip(high - low, 0.0, None)
    weights: Doubles = overlap / overlap.sum(axis=1, keepdims=True)
    return weights


def bilinear_weights(size: int, new_size: int) -> Doubles:
    """(new_size, size): the weights of the two old pixels nearest to each new centre; rows sum to 1."""
    centre = np.clip((np.arange(new_size) + 0.5) * (size / new_size) - 0.5, 0, size - 1)
    low = np.floor(centre).astype(int)
    high = np.minimum(low + 1, size - 1)
    share = centre - low
    weights = np.zeros((new_size, size))
    row = np.arange(new_size)
    np.add.at(weights, (row, low), 1.0 - share)
    np.add.at(weights, (row, high), share)
    return weights
