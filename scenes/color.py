"""Colour: sRGB, Lab and CIEDE2000 (D65), and colours at a stated difference from another.

The formulas are scikit-image's; here is only what the experiment needs of them.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, lab2xyz, rgb2lab

from scenes.scene_spec import SceneError, Vector3

Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
_XYZ_TO_RGB = np.linalg.inv(
    np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
)
FARTHEST = 150.0  # of Lab, within which a colour at a difference is looked for
_HALVINGS, _AT_ONCE = 40, 5  # of that interval; in one call


def srgb_encode(linear: Floats) -> Floats:
    """Linear [0, 1] to sRGB [0, 1] (IEC 61966-2-1), elementwise."""
    clipped = np.clip(linear, 0.0, 1.0)
    return np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * np.power(clipped, 1 / 2.4) - 0.055)


def srgb_decode(encoded: Floats) -> Floats:
    """sRGB [0, 1] to linear [0, 1], elementwise."""
    return np.where(encoded <= 0.04045, encoded / 12.92, np.power((np.maximum(encoded, 0) + 0.055) / 1.055, 2.4))


def to_lab(linear: Floats | Vector3) -> Array:
    """Linear RGB (..., 3) to CIE Lab, D65."""
    return np.asarray(rgb2lab(srgb_encode(np.asarray(linear, dtype=float))), dtype=float)


def delta_e(a: Floats | Vector3, b: Floats | Vector3) -> Array:
    """CIEDE2000 between linear RGB colours (..., 3), elementwise."""
    return _ciede2000(to_lab(a), to_lab(b))


def _ciede2000(a: Array, b: Array) -> Array:
    return np.asarray(deltaE_ciede2000(a, b), dtype=np.float64)  # type: ignore[no-untyped-call]


def from_lab(lab: tuple[float, float, float]) -> Vector3 | None:
    """Linear RGB of a Lab colour, or None where sRGB's gamut does not hold it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of clipped XYZ, which lies outside the gamut and is refused below
        linear = _XYZ_TO_RGB @ np.asarray(lab2xyz(np.array(lab, dtype=float)))
    if np.any(linear < 0.01) or np.any(linear > 0.95):
        return None
    return (float(linear[0]), float(linear[1]), float(linear[2]))


def at_difference(color: Vector3, difference: float, hue: float, lift: float) -> Vector3 | None:
    """The colour that lies CIEDE2000 `difference` from `color` in a direction of Lab, or None outside the gamut.

    hue: direction in the a*b* plane, degrees. lift: share of the direction that is lightness, in [-1, 1].
    """
    if difference == 0:
        return color
    start = to_lab(color)
    side = math.sqrt(1 - lift**2)
    step = np.array([lift, side * math.cos(math.radians(hue)), side * math.sin(math.radians(hue))])
    low, high = 0.0, FARTHEST
    for _ in range(_HALVINGS // _AT_ONCE):
        # Several halvings in one call: the ends of 2^k parts, all exact in binary, and which of them lie too near.
        ends = low + (high - low) * np.arange(2**_AT_ONCE + 1) / 2**_AT_ONCE
        is_near = _ciede2000(np.broadcast_to(start, (len(ends), 3)), start + ends[:, None] * step) < difference
        first, last = 0, len(ends) - 1
        while last - first > 1:
            middle = (first + last) // 2
            first, last = (middle, last) if is_near[middle] else (first, middle)
        low, high = float(ends[first]), float(ends[last])
    found = start + high * step
    if abs(float(_ciede2000(start, found)) - difference) > 0.05:
        return None
    return from_lab((float(found[0]), float(found[1]), float(found[2])))


def draw_floor_color(rng: np.random.Generator) -> Vector3:
    """A floor colour: lightness 35-75, chroma up to 35, any hue."""
    for _ in range(200):
        chroma, hue = 35 * rng.random(), 2 * math.pi * rng.random()
        linear = from_lab((rng.uniform(35, 75), chroma * math.cos(hue), chroma * math.sin(hue)))
        if linear is not None:
            return linear
    raise SceneError("no floor colour found inside the gamut")
