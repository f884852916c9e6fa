"""What a map selects of a picture: the regions where it is high, as boxes, and how well a box meets the true one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from audit.metrics.arrays import Floats
from audit.metrics.resampling import resampled

SMOOTHING = 1 / 32  # of the picture's shorter side: the Gaussian's standard deviation for maps that are noisy per pixel


@dataclass(frozen=True)
class Selected:
    """A region that a map selects. box: left, top, right, bottom in px of the picture, right and bottom behind the
    last pixel; share: of the map's positive part, in the region itself."""

    box: tuple[int, int, int, int]
    share: float


def selected(values: Floats, height: int, width: int, threshold: float, smoothing: float = 0.0) -> list[Selected]:
    """The connected regions, corners included, where a map reaches `threshold` of its largest value; that with most of
    the map in it comes first, of equal ones the upper, then the left.

    values: (h, w) signed and unnormalised, brought to (height, width) bilinearly; its positive part counts. smoothing:
    standard deviation in px of the picture of a Gaussian before that, mirrored at the border. Empty for a map without
    a positive part, or one that is not a number.
    """
    large = resampled(values[None], height, width)[0]
    if not np.isfinite(large).all():
        return []
    if smoothing > 0:
        large = cv2.GaussianBlur(large, (0, 0), smoothing, borderType=cv2.BORDER_REFLECT)
    positive = np.maximum(large, 0.0).astype(np.float64)
    total, peak = float(positive.sum()), float(positive.max())
    if not peak > 0:
        return []
    mask = (positive >= threshold * peak) & (positive > 0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    mass = np.bincount(labels.reshape(-1), weights=positive.reshape(-1), minlength=count)
    found = []
    for number in range(1, count):
        x, y, w, h = (int(stats[number, k]) for k in (cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, *_SIZE))
        found.append(Selected((x, y, x + w, y + h), float(mass[number]) / total))
    return sorted(found, key=lambda one: (-one.share, one.box[1], one.box[0]))


_SIZE = (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)


def box_iou(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom); 0 where they do not meet.

    NaN where an end of either is NaN, or where both are without area.
    """
    if not np.isfinite([*one, *other]).all():
        return float("nan")
    across = max(min(one[2], other[2]) - max(one[0], other[0]), 0.0)
    down = max(min(one[3], other[3]) - max(one[1], other[1]), 0.0)
    both = across * down
    union = _area(one) + _area(other) - both
    return float(both / union) if union > 0 else float("nan")


def _area(box: Sequence[float]) -> float:
    return float(max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0))
