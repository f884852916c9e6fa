"""Enrichment of many maps on many regions of the same pictures, such as the cones of a robot's sensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from audit.attention.prepared_regions import EMPTY_PX
from audit.attention.resampling import resampled
from audit.metrics.arrays import Doubles, Texts


def enrichment(maps: Tensor, regions: Tensor, judges: Sequence[Tensor]) -> list[tuple[Doubles, Texts]]:
    """Relevance mass accuracy over area of every region, once for each of `judges`: the value, and why undefined.

    maps: (N, T, h, w) signed and unnormalised, any size. regions: (N, R, H, W), fractions per pixel. judges: (R,) int64
    each, the map that each region is judged by. The map is brought to the regions' size and its positive part P taken:
    value (N, R) = sum(P M) / sum(P) / mean(M), chance 1. NaN where the map is not a number (nan_map), where it has no
    positive part (zero_map), and where the region is less than one pixel in all (empty_region).
    """
    count, of_each, height, width = regions.shape
    found = [(np.full((count, of_each), np.nan), np.full((count, of_each), "", dtype="<U16")) for _ in judges]
    for row in range(count):  # a picture at a time: its maps stay in the cache
        positive = _enlarged(maps[row], height, width).clamp_(min=0).flatten(1)
        total, whole = positive.sum(dim=1, dtype=torch.float64), torch.isfinite(maps[row]).flatten(1).all(dim=1)
        fractions = regions[row].flatten(1)
        pixels = fractions.sum(dim=1, dtype=torch.float64)
        held = torch.nonzero(fractions.sum(dim=0) > 0)[:, 0]  # regions are small: of most pixels no sum is needed
        inside, there = fractions[:, held], positive[:, held]
        for (value, reason), of in zip(found, judges, strict=True):
            mass = (there[of] * inside).sum(dim=1, dtype=torch.float64)
            lift = mass / total[of] / (pixels / (height * width))
            cases = ((~whole[of], "nan_map"), (pixels < EMPTY_PX, "empty_region"), (total[of] <= 0, "zero_map"))
            reason[row] = np.select([case.cpu().numpy() for case, _ in cases], [name for _, name in cases], "")
            value[row] = np.where(reason[row] == "", lift.cpu().numpy(), np.nan)
    return found


def _enlarged(maps: Tensor, height: int, width: int) -> Tensor:
    """(T, height, width) float32, a copy; in single precision, which these many maps are read with in any case."""
    if maps.shape[1] <= height and maps.shape[2] <= width:
        size = (height, width)
        return interpolate(maps[None].float(), size=size, mode="bilinear", align_corners=False)[0]
    return resampled(maps, height, width).clone()
