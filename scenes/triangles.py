"""Triangles by the thousand, cut and drawn all at once: a mesh of a user's own is made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_TOUCH = 1e-6  # px by which triangles are widened, so that no centre falls between two that share an edge


def beyond(triangles: Array, height: Array) -> Array:
    """What of triangles (m, 3, 3) lies above a plane, as triangles (k, 3, 3); height (m, 3): of corners, above it."""
    is_above = height > 0
    count = is_above.sum(axis=1)
    parts = [triangles[count == 3]]
    for alone in (1, 2):  # corners above; the corner that has its side of the plane for itself comes first
        cut = count == alone
        first = np.argmax(is_above[cut] == (alone == 1), axis=1)[:, None]
        order = (first + np.arange(3)) % 3
        at = np.take_along_axis(height[cut], order, axis=1)
        corner = np.take_along_axis(triangles[cut], order[..., None], axis=1)
        share = at[:, :1] / (at[:, :1] - at[:, 1:])
        a, b, c = np.moveaxis(corner, 1, 0)
        ab, ac = a + share[:, :1] * (b - a), a + share[:, 1:] * (c - a)
        parts += [np.stack(t, axis=1) for t in ([(a, ab, ac)] if alone == 1 else [(ab, b, c), (ab, c, ac)])]
    return np.concatenate(parts)


def filled(triangles: Array, height: int, width: int) -> NDArray[np.bool_]:
    """Pixels (height, width) whose centre lies in one of the triangles (m, 3, 2), in px from the picture's corner.

    In each row of pixels a triangle covers a span; spans are counted where they begin and where they end, and summed.
    """
    low, high = triangles.min(axis=1) - 0.5 - _TOUCH, triangles.max(axis=1) - 0.5 + _TOUCH
    least, most = np.ceil(np.maximum(low, 0.0)), np.floor(np.minimum(high, [width - 1, height - 1]))
    holds = (most >= least).all(axis=1)  # all others lie between centres, or out of the picture
    u, v = np.moveaxis(triangles[holds] - 0.5, -1, 0)
    order = np.argsort(v, axis=1)
    u, v = np.take_along_axis(u, order, axis=1), np.take_along_axis(v, order, axis=1)
    first = least[holds, 1].astype(np.int64)
    rows = most[holds, 1].astype(np.int64) - first + 1
    number = np.repeat(np.arange(len(rows)), rows)
    row = np.arange(len(number)) + np.repeat(first - np.cumsum(rows) + rows, rows)
    start, slope = _edges(u, v, ((0, 2), (0, 1), (1, 2)))
    long, short = number, number + len(rows) * (1 + (row >= v[number, 1]))
    left, right = start[long] + slope[long] * row, start[short] + slope[short] * row
    begin = np.ceil(np.maximum(np.minimum(left, right) - _TOUCH, 0.0)).astype(np.int64)
    end = np.floor(np.minimum(np.maximum(left, right) + _TOUCH, width - 1)).astype(np.int64) + 1
    line, is_wide = row * (width + 1), end > begin
    begun = np.bincount((line + begin)[is_wide], minlength=height * (width + 1))
    ended = np.bincount((line + end)[is_wide], minlength=height * (width + 1))
    inside: NDArray[np.bool_] = np.cumsum((begun - ended).reshape(height, width + 1), axis=1)[:, :width] > 0
    return inside


def _edges(u: Array, v: Array, ends: Sequence[tuple[int, int]]) -> tuple[Array, Array]:
    """u = start + slope * v along edges of triangles (m, 3) that go down in v, edge after edge: (len(ends) * m,) each.

    A level edge is met in its first end alone; the other end lies on another edge.
    """
    start, slope = [], []
    for a, b in ends:
        drop = v[:, b] - v[:, a]
        slope.append(np.where(drop > _TOUCH, (u[:, b] - u[:, a]) / np.maximum(drop, _TOUCH), 0.0))
        start.append(u[:, a] - slope[-1] * v[:, a])
    return np.concatenate(start), np.concatenate(slope)
