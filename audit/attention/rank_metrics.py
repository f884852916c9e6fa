"""What the order of a map's pixels says about a region, all from one sort; and how concentrated the map is.

A region is a fraction M per pixel of N pixels, S its sum. Ties are never broken by place: pixels of equal value share
what falls on them alike, so every result is that of the mean over random orders of the ties.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from audit.attention.order import Ranked
from audit.attention.sums import summed

TIE = 1e-7  # relative; maxima closer than float32 can tell apart are tied


def along(ranking: Ranked, fractions: Tensor) -> Tensor:
    """A region's fractions (B, N) in the order of the ranks, (B, N) float64."""
    return fractions.gather(1, ranking.order).double()


def positives(ranking: Ranked) -> Tensor:
    """How many pixels of each map are positive, (B,)."""
    return (ranking.values > 0).sum(dim=1)


def maxima(ranking: Ranked) -> Tensor:
    """How many pixels share each map's highest value, (B,) at least 1; of maps that have a positive part."""
    lowest = ranking.values[:, :1].double() * (1 - TIE)
    return (ranking.values >= lowest).sum(dim=1)


def top_hits(ranking: Ranked, gathered: Tensor, positive: Tensor, count: Tensor) -> Tensor:
    """Region among the `count` (B,) highest pixels of the map's positive part: (B,) pixels, expected over the ties.

    gathered (B, N): the sum of the region up to each rank; positive: `positives`, the pixels behind them tie at zero.
    """
    is_positive = count <= positive
    above = torch.where(is_positive, _at(ranking.begins, count), positive)
    level = torch.where(is_positive, _at(ranking.ends, count), gathered.shape[1])
    sure = _up_to(gathered, above)
    return sure + (count - above) * (_up_to(gathered, level) - sure) / (level - above)


def iou(hits: Tensor, count: Tensor, size: Tensor) -> Tensor:
    """Intersection over union of `count` pixels and a region of `size` pixels of which `hits` are among them."""
    return hits / (count + size - hits)


def peak(ranking: Ranked, fractions: Tensor, tied: Tensor) -> Tensor:
    """A region's fraction (B, N) at the map's highest pixel, the mean over the `tied` (`maxima`) highest: (B,)."""
    first = ranking.order[:, : int(tied.max())]
    return _up_to(fractions.gather(1, first).double().cumsum(dim=1), tied) / tied


def lower_pixels(ranking: Ranked) -> Tensor:
    """Per rank, how many pixels of the map are lower, those of equal value counted half: (B, N) float64."""
    return ranking.values.shape[1] - 0.5 * (ranking.begins + ranking.ends)


def roc_auc(found: Tensor, lower: Tensor, size: Tensor) -> Tensor:
    """P(a pixel in the region is higher than one outside) + half of P(equal), pixels weighed by M and by 1 - M: (B,).

    found: the region `along` the ranks; lower: `lower_pixels`. Of all pairs of a pixel in the region with any pixel,
    those within the region count half, whatever the order.
    """
    pairs = summed(found * lower) - 0.5 * size**2
    return (pairs / (size * (found.shape[1] - size))).clamp(0.0, 1.0)


def average_precision(ranking: Ranked, found: Tensor, gathered: Tensor, size: Tensor) -> Tensor:
    """Sum over thresholds of the recall gained there times the precision, (B,); thresholds lie between distinct values.

    So each pixel counts with the precision down to the end of its tie group.
    """
    return summed(found * gathered.gather(1, ranking.ends - 1) / ranking.ends) / size


def gini(shares: Tensor) -> Tensor:
    """Gini coefficient of descending shares (B, N) that sum to 1: 0 where the map is flat, 1 - 1/N of a single pixel.

    Chalasani et al. 2020.
    """
    count = shares.shape[1]
    weights = count + 1 - 2 * torch.arange(1, count + 1, dtype=torch.float64, device=shares.device)
    return summed(shares * weights) / count


def entropy(shares: Tensor) -> Tensor:
    """Entropy of shares (B, N) that sum to 1, over ln N: 1 where the map is flat, 0 of a single pixel.

    Bhatt et al. 2020; divided so that maps of different sizes compare.
    """
    return -summed(torch.xlogy(shares, shares)) / math.log(max(shares.shape[1], 2))


def _at(field: Tensor, count: Tensor) -> Tensor:
    return field.gather(1, count[:, None] - 1)[:, 0]


def _up_to(gathered: Tensor, count: Tensor) -> Tensor:
    """The running sum (B, N) after `count` (B,) terms; 0 after none."""
    return torch.where(count > 0, gathered.gather(1, (count[:, None] - 1).clamp(min=0))[:, 0], 0.0)
