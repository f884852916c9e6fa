"""How alike two maps are: Spearman's rank correlation, and structural similarity of pictures of them.

Both compare maps pair by pair, (B, h, w) with (B, h, w) on one device, and return (B,) float64. A pair is NaN where
either map is constant or holds a value that is not finite: of a map that says nothing there is no likeness.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audit.attention.order import ranked
from audit.attention.sums import averaged, summed
from audit.attention.windows import gaussian_window, windowed

WINDOW = 11  # pixels; Wang et al. 2004, section III.C
SIGMA = 1.5  # pixels
K1, K2 = 0.01, 0.03  # of the range, which is 1 here


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's rho of the pixels of two maps, ties at their mean rank: (B, h, w), (B, h, w) -> (B,) in [-1, 1].

    Of signed maps as they stand; for the variant of Adebayo et al. 2018 that disregards the sign pass absolute values.
    """
    _require_pairs(a, b)
    first, second = centred_ranks(a.flatten(1)), centred_ranks(b.flatten(1))
    # whole numbers below 2^53, up to 400 x 400 pixels: these sums are exact, in whatever order
    spread = (summed(first * first) * summed(second * second)).sqrt()
    rho = (summed(first * second) / spread).clamp(-1.0, 1.0)
    return torch.where(_says_something(a) & _says_something(b), rho, torch.nan)


def centred_ranks(values: Tensor) -> Tensor:
    """Twice the ranks less their mean, whole numbers that sum to 0: (B, N) -> (B, N) float64, ties at the mean rank."""
    ranking = ranked(values)
    count = values.shape[1]
    twice = count - (ranking.begins + ranking.ends)
    return torch.empty_like(twice).scatter_(1, ranking.order, twice).double()


def structural_similarity(a: Tensor, b: Tensor) -> Tensor:
    """Mean structural similarity of two maps, each scaled to [0, 1]: (B, h, w), (B, h, w) -> (B,) in [-1, 1].

    Wang et al. 2004: Gaussian window of 11 x 11 pixels and sigma 1.5, K1 .01, K2 .03, the mean over the windows that
    lie wholly in the map. Maps with a side below 11 take the largest odd window that fits.
    """
    _require_pairs(a, b)
    x, y = _unit_range(a), _unit_range(b)
    window = gaussian_window((min(WINDOW, *a.shape[1:]) - 1) // 2, SIGMA, a.device)
    mean_x, mean_y, xx, yy, xy = windowed(torch.stack([x, y, x * x, y * y, x * y]), window)
    c1, c2 = K1**2, K2**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    variance_x, variance_y, covariance = xx - mean_x**2, yy - mean_y**2, xy - mean_x * mean_y
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    likeness = averaged((luminance * structure).flatten(1))
    return torch.where(_says_something(a) & _says_something(b), likeness, torch.nan)


def _unit_range(maps: Tensor) -> Tensor:
    flat = maps.double().flatten(1)
    low, high = flat.amin(dim=1, keepdim=True), flat.amax(dim=1, keepdim=True)
    return ((flat - low) / (high - low)).reshape(maps.shape)


def _says_something(maps: Tensor) -> Tensor:
    flat = maps.flatten(1)
    return torch.isfinite(flat).all(dim=1) & (flat != flat[:, :1]).any(dim=1)


def _require_pairs(a: Tensor, b: Tensor) -> None:
    if a.ndim != 3 or a.shape != b.shape or not a.shape[1:].numel():
        raise ValueError(f"maps {tuple(a.shape)} and {tuple(b.shape)} must both be (B, h, w)")
