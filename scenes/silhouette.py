"""Silhouettes of convex pieces: what they cover of the picture, seen by the camera or thrown on the floor by a light.

A convex piece seen from a point covers the hull of its projected points, so a polygon fill gives the mask. Masks are
taken at the pixels' centres, as the renderer's are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scenes import assets
from scenes.proximity import camera_axes, project
from scenes.scene_spec import SHAPES, CameraSpec, ObjectSpec

Array = NDArray[np.float64]
NEAREST = 0.02  # m before the camera; what lies nearer, or behind, is cut off
_FINE = 5  # OpenCV also paints the pixels an edge passes through: drawn this much finer, that is .1 px; odd, so that
# a pixel's centre is one of the finer pixels
_SHIFT = 4  # binary digits of a finer pixel that polygons are drawn with


@dataclass(frozen=True)
class Source:
    """Where light comes from: a point in m, or the unit vector towards a light at no distance to speak of."""

    at: Array
    is_direction: bool


def pieces_of(things: Sequence[ObjectSpec]) -> list[Array]:
    """The convex pieces, (n, 3) points each in the scene's frame, of those objects that are assets."""
    return [piece for o in things if o.shape not in SHAPES for piece in assets.pieces(assets.of_object(o))]


def seen(pieces: Sequence[Array], camera: CameraSpec) -> NDArray[np.bool_]:
    """Pixels (H, W) whose centre's ray meets one of the pieces, each (n, 3) points whose hull it is."""
    mask = _canvas(camera)
    for piece in pieces:
        u, v, depth = project(piece, camera)
        if (depth > NEAREST).all():
            _fill(mask, _hull(np.stack([u, v], axis=1)))
    return _at_centres(mask)


def on_floor(pieces: Sequence[Array], source: Source, camera: CameraSpec) -> NDArray[np.bool_]:
    """Pixels (H, W) whose floor point a piece keeps from the source; also where the object hides the floor.

    A piece that reaches as high as the source throws a shadow without end and is left out.
    """
    mask = _canvas(camera)
    for piece in pieces:
        thrown = _thrown(piece, source)
        if thrown is not None:
            outline = _in_front(_hull(thrown), camera)
            if len(outline) > 2:
                u, v, _ = project(np.column_stack([outline, np.zeros(len(outline))]), camera)
                _fill(mask, np.stack([u, v], axis=1))
    return _at_centres(mask)


def _thrown(piece: Array, source: Source) -> Array | None:
    """The floor points (n, 2) onto which a source throws a piece's points."""
    if source.is_direction:
        return np.asarray(piece[:, :2] - source.at[:2] * (piece[:, 2:] / source.at[2])) if source.at[2] > 1e-3 else None
    above = source.at[2] - piece[:, 2:]
    if above.min() <= 1e-3:
        return None
    return np.asarray(piece[:, :2] + (piece[:, :2] - source.at[:2]) * (piece[:, 2:] / above))


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


def _canvas(camera: CameraSpec) -> NDArray[np.uint8]:
    return np.zeros((camera.height * _FINE, camera.width * _FINE), dtype=np.uint8)


def _at_centres(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return mask[_FINE // 2 :: _FINE, _FINE // 2 :: _FINE].astype(bool)


def _fill(mask: NDArray[np.uint8], polygon: Array) -> None:
    """Set the finer pixels of `mask` inside a convex polygon (n, 2) in px from the picture's corner, in place."""
    far = 2.0 ** (28 - _SHIFT)
    fixed = np.rint(np.clip(polygon * _FINE - 0.5, -far, far) * 2**_SHIFT).astype(np.int32)
    cv2.fillConvexPoly(mask, fixed, (1,), lineType=cv2.LINE_8, shift=_SHIFT)
