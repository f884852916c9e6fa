"""Silhouettes of convex pieces: what they cover of the picture, seen by the camera or thrown on the floor by a light.

A convex piece seen from a point covers the hull of its projected points, so a polygon fill gives the mask. Of a user's
own asset every triangle is a piece; thousands of them come as one array and are filled row by row, all at once. Masks
are taken at the pixels' centres, as the renderer's are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from scenes import assets
from scenes.proximity import camera_axes, project
from scenes.scene_spec import SHAPES, CameraSpec, ObjectSpec
from scenes.triangles import beyond, filled

Array = NDArray[np.float64]
NEAREST = 0.02  # m before the camera; what lies nearer, or behind, is cut off


@dataclass(frozen=True)
class Source:
    """Where light comes from: a point in m, or the unit vector towards a light at no distance to speak of."""

    at: Array
    is_direction: bool


def pieces_of(things: Sequence[ObjectSpec]) -> list[Array]:
    """The convex pieces, in the scene's frame, of those objects that have no closed form.

    A piece is points (n, 3) whose hull it is; an array (m, 3, 3) is m pieces, a triangle each.
    """
    return [piece for o in things if o.shape not in SHAPES for piece in assets.pieces(assets.of_object(o))]


def seen(pieces: Sequence[Array], camera: CameraSpec) -> NDArray[np.bool_]:
    """Pixels (H, W) whose centre's ray meets one of the pieces, which are as `pieces_of` gives them."""
    mask = _canvas(camera)
    for piece in pieces:
        if piece.ndim == 3:
            mask |= _triangles_seen(piece, camera)
            continue
        _, _, depth = project(piece, camera)
        shown = _beyond(piece, depth - NEAREST)
        if len(shown) > 2:
            u, v, _ = project(shown, camera)
            _fill(mask, _hull(np.stack([u, v], axis=1)))
    return mask


def on_floor(pieces: Sequence[Array], source: Source, camera: CameraSpec) -> NDArray[np.bool_]:
    """Pixels (H, W) whose floor point a piece keeps from the source; also where the object hides the floor.

    Of a piece that reaches as high as the source only what lies lower throws a shadow, one almost without end.
    """
    mask = _canvas(camera)
    for piece in pieces:
        if piece.ndim == 3:
            mask |= _triangles_on_floor(piece, source, camera)
            continue
        thrown = _thrown(piece, source)
        if thrown is not None:
            outline = _in_front(_hull(thrown), camera)
            if len(outline) > 2:
                u, v, _ = project(np.column_stack([outline, np.zeros(len(outline))]), camera)
                _fill(mask, np.stack([u, v], axis=1))
    return mask


def _triangles_seen(triangles: Array, camera: CameraSpec) -> NDArray[np.bool_]:
    """As `seen`, of triangles (m, 3, 3)."""
    u, v, depth = (place.reshape(-1, 3) for place in project(triangles.reshape(-1, 3), camera))
    if (depth <= NEAREST).any():
        shown = beyond(triangles, depth - NEAREST)
        u, v, _ = (place.reshape(-1, 3) for place in project(shown.reshape(-1, 3), camera))
    return filled(np.stack([u, v], axis=-1), camera.height, camera.width)


def _triangles_on_floor(triangles: Array, source: Source, camera: CameraSpec) -> NDArray[np.bool_]:
    """As `on_floor`, of triangles (m, 3, 3)."""
    x, y, z = np.moveaxis(triangles, -1, 0)
    rise = source.at[2]
    if source.is_direction:
        if rise <= 1e-3:
            return _canvas(camera)
        far = z / rise
        thrown = [x - source.at[0] * far, y - source.at[1] * far]
    else:
        if (z >= rise - 1e-3).any():
            x, y, z = np.moveaxis(beyond(triangles, rise - 1e-3 - z), -1, 0)
        far = z / (rise - z)
        thrown = [x + (x - source.at[0]) * far, y + (y - source.at[1]) * far]
    return _triangles_seen(np.stack([*thrown, np.zeros_like(z)], axis=-1), camera)


def _thrown(piece: Array, source: Source) -> Array | None:
    """The floor points (n, 2) onto which a source throws a piece's points."""
    if source.is_direction:
        return np.asarray(piece[:, :2] - source.at[:2] * (piece[:, 2:] / source.at[2])) if source.at[2] > 1e-3 else None
    lower = _beyond(piece, source.at[2] - piece[:, 2] - 1e-3)
    if len(lower) < 3:
        return None
    above = source.at[2] - lower[:, 2:]
    return np.asarray(lower[:, :2] + (lower[:, :2] - source.at[:2]) * (lower[:, 2:] / above))


def _beyond(piece: Array, height: Array) -> Array:
    """Points whose hull is what of a convex piece (n, 3) lies above a plane; height (n,): how far above each is."""
    if height.min() > 0:
        return piece
    if height.max() <= 0:
        return piece[:0]
    faces = ConvexHull(piece, qhull_options="QJ").simplices  # joggled, so that a flat piece has a hull too
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    is_beyond = height[edges] > 0
    start, end = edges[is_beyond[:, 0] != is_beyond[:, 1]].T
    share = height[start] / (height[start] - height[end])
    return np.concatenate([piece[height > 0], piece[start] + share[:, None] * (piece[end] - piece[start])])


def _in_front(polygon: Array, camera: CameraSpec) -> Array:
    """The part of a convex floor polygon (n, 2) before the camera (Sutherland and Hodgman's clipping, one plane)."""
    _, _, forward = camera_axes(camera)
    depth = (np.column_stack([polygon, np.zeros(len(polygon))]) - np.array(camera.position)) @ forward - NEAREST
    if (depth > 0).all():
        return polygon
    kept = []
    for i in range(len(polygon)):
        here, before = depth[i], depth[i - 1]
        if (here > 0) != (before > 0):
            kept.append(polygon[i - 1] + (polygon[i] - polygon[i - 1]) * (before / (before - here)))
        if here > 0:
            kept.append(polygon[i])
    return np.array(kept).reshape(-1, 2)


def _hull(points: Array) -> Array:
    """The convex hull (m, 2) of points (n, 2); OpenCV takes single precision, a thousandth of a pixel here."""
    hull: Array = cv2.convexHull(points.astype(np.float32))[:, 0].astype(np.float64)
    return hull


def _canvas(camera: CameraSpec) -> NDArray[np.bool_]:
    return np.zeros((camera.height, camera.width), dtype=np.bool_)


def _fill(mask: NDArray[np.bool_], polygon: Array) -> None:
    """Set the pixels of `mask` whose centres lie in a convex polygon (n, 2) in px from the picture's corner, in place.

    Row by row, between the outermost crossings of the polygon's edges with the line through the row's centres.
    OpenCV's fill also takes pixels that an edge passes through: a tenth of a pixel too much, drawn five times finer.
    """
    top, bottom = polygon[:, 1].min(), polygon[:, 1].max()
    first = int(np.clip(np.ceil(top - 0.5), 0, len(mask)))
    last = int(np.clip(np.floor(bottom - 0.5) + 1, first, len(mask)))
    row = np.arange(first, last) + 0.5
    start, end = polygon[:, None], np.roll(polygon, -1, axis=0)[:, None]
    crosses = (start[..., 1] <= row) != (end[..., 1] <= row)  # (n, rows)
    along = np.divide(row - start[..., 1], end[..., 1] - start[..., 1], out=np.zeros(crosses.shape), where=crosses)
    place = start[..., 0] + along * (end[..., 0] - start[..., 0])
    left = np.where(crosses, place, np.inf).min(axis=0)[:, None]
    right = np.where(crosses, place, -np.inf).max(axis=0)[:, None]
    column = np.arange(mask.shape[1]) + 0.5
    mask[first:last] |= (left <= column) & (column <= right)
