"""Deletion and insertion: does the target follow the pixels that a map names? (Petsiuk et al. 2018, section 4.3.)

Deletion takes the map's highest pixels from the picture, step by step, and puts those of a reference in their place;
insertion starts from the reference and puts the picture's back. The reference is the blurred picture, or the same scene
rendered without the object. Scores of regressors and logits have no zero of their own, so a curve is told between the
reference's score and the picture's: g = (f(x_k) - f(reference)) / (f(picture) - f(reference)).

Pixels of equal value follow one another in an order drawn once per size from a fixed seed: in raster order a map that
is zero almost everywhere would take the picture away from the top. What a random order scores is measured with
`null_maps.random` in the place of the map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from audit.attention.order import descending
from audit.attention.resampling import resampled
from audit.attention.sums import summed
from audit.attention.windows import gaussian_window, windowed
from audit.metrics.arrays import Texts

BLUR_SIGMA, BLUR_REACH = 5.0, 5  # pixels at 224 x 224: 11 x 11, of Petsiuk et al.; scaled with the picture's side
EPSILON = 1e-3  # of the score's unit: reference and picture closer than this have no scale between them
TIES = 0  # seed of the order among equal pixels

Scores = Callable[[Tensor, Tensor], Tensor]  # pictures (n, 3, H, W), which of the B each belongs to (n,) -> (n,)


@dataclass(frozen=True)
class Faithfulness:
    """Curves of B maps over K + 1 shares of the picture.

    shares (K + 1,) of the pixels, 0 to 1; deletion, insertion (B, K + 1) float64, g at each share; deletion_auc,
    insertion_auc (B,) float64, the areas under them, NaN with undefined_reason (B,): nan_map, zero_map (no positive
    part), nan_output (a score is not finite), no_difference (picture and reference score alike).
    """

    shares: Tensor
    deletion: Tensor
    insertion: Tensor
    deletion_auc: Tensor
    insertion_auc: Tensor
    undefined_reason: Texts


def faithfulness(
    maps: Tensor,
    pictures: Tensor,
    references: Tensor,
    scores: Scores,
    steps: int = 16,
    batch: int = 64,
    epsilon: float = EPSILON,
) -> Faithfulness:
    """Deletion and insertion curves of signed maps (B, h, w) of any size.

    pictures, references: (B, 3, H, W) on one device, in whatever form `scores` takes; scores: the target of pictures,
    each of which is made from one of the B, asked for `batch` of them at a time and 2 K B in all, K = `steps`; nothing
    is asked about a map that says nothing. epsilon: the least difference of scores that counts, in their own unit.
    """
    if pictures.shape != references.shape or pictures.ndim != 4 or len(maps) != len(pictures) or maps.ndim != 3:
        shapes = f"maps {tuple(maps.shape)}, pictures {tuple(pictures.shape)}, references {tuple(references.shape)}"
        raise ValueError(f"{shapes}: must be (B, h, w), (B, C, H, W) and the same")
    if steps < 1 or batch < 1:
        raise ValueError(f"steps {steps} and batch {batch} must be at least 1")
    height, width = pictures.shape[2:]
    maps = maps.to(pictures.device)
    reason = _map_reason(maps)
    rows = torch.from_numpy(np.flatnonzero(reason == "")).to(pictures.device)
    ranks = removal_ranks(resampled(maps[rows], height, width))
    counts = torch.linspace(0, height * width, steps + 1, dtype=torch.float64, device=pictures.device).round().long()
    found = torch.full((len(maps), 2, steps + 1), torch.nan, dtype=torch.float64, device=pictures.device)
    asked = _asked(ranks, counts, pictures, references, rows, scores, batch)
    found[rows] = _both_curves(asked, steps)
    bottom, top = found[:, 1, :1], found[:, 0, :1]
    reason = _score_reason(reason, found, epsilon)
    defined = torch.from_numpy(reason == "").to(found.device)
    curves = torch.where(defined[:, None, None], (found - bottom[:, None]) / (top - bottom)[:, None], torch.nan)
    shares = counts.double() / (height * width)
    deletion_auc, insertion_auc = area_under(curves, shares).unbind(1)
    return Faithfulness(shares, curves[:, 0], curves[:, 1], deletion_auc, insertion_auc, reason)


def blurred(pictures: Tensor) -> Tensor:
    """Pictures (B, C, H, W) blurred by a Gaussian, 11 x 11 with sigma 5 at 224 x 224; float32, the border continued."""
    height, width = pictures.shape[2:]
    scale = (height * width) ** 0.5 / 224
    reach = max(1, round(BLUR_REACH * scale))
    window = gaussian_window(reach, BLUR_SIGMA * scale, pictures.device)
    return windowed(pad(pictures.double(), (reach,) * 4, mode="replicate"), window).float()


def removal_ranks(maps: Tensor) -> Tensor:
    """At each pixel, how many go before it: (B, H, W) float32 -> (B, H * W) int64, the highest first, ties shuffled."""
    values = maps.flatten(1)
    shuffle = np.random.default_rng(TIES).permutation(values.shape[1])
    places = torch.from_numpy(shuffle).to(values.device)
    _, order = descending(values[:, places])
    rank = torch.arange(values.shape[1], device=values.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, places[order], rank)


def area_under(curves: Tensor, shares: Tensor) -> Tensor:
    """Area under curves (..., K + 1) over shares (K + 1,), by trapezoids: (...) float64."""
    return summed((curves[..., 1:] + curves[..., :-1]) / 2 * (shares[1:] - shares[:-1]))


def _asked(
    ranks: Tensor,
    counts: Tensor,
    pictures: Tensor,
    references: Tensor,
    rows: Tensor,
    scores: Scores,
    batch: int,
) -> Tensor:
    """Scores (B', 2 K) float64 of deletion with 0 to K - 1 steps done, then of insertion, of the maps in `rows`."""
    steps = len(counts) - 1
    answers = [
        scores(_mixed(ranks, counts, pictures, references, rows, which, steps), rows[which // (2 * steps)])
        for which in _chunks(len(rows) * 2 * steps, batch, pictures.device)
    ]
    empty = torch.zeros(0, device=pictures.device)
    return torch.cat([empty, *(a.detach() for a in answers)]).double().reshape(len(rows), 2 * steps)


def _chunks(count: int, size: int, device: torch.device) -> Iterator[Tensor]:
    for start in range(0, count, size):
        yield torch.arange(start, min(start + size, count), device=device)


def _mixed(
    ranks: Tensor, counts: Tensor, pictures: Tensor, references: Tensor, rows: Tensor, which: Tensor, steps: int
) -> Tensor:
    """The pictures of the curves' points `which` (n,), numbered by map, then deletion before insertion, then step."""
    of, point = which // (2 * steps), which % (2 * steps)
    is_inserting, step = point >= steps, point % steps
    is_named = (ranks[of] < counts[step][:, None]).reshape(len(which), 1, *pictures.shape[2:])
    shows_picture = is_named == is_inserting[:, None, None, None]
    return torch.where(shows_picture, pictures[rows[of]], references[rows[of]])


def _both_curves(asked: Tensor, steps: int) -> Tensor:
    """(B', 2, K + 1): the curve of each kind ends where the other begins, so its last point was asked already."""
    deletion, insertion = asked[:, :steps], asked[:, steps:]
    return torch.stack(
        [torch.cat([deletion, insertion[:, :1]], dim=1), torch.cat([insertion, deletion[:, :1]], dim=1)], dim=1
    )


def _map_reason(maps: Tensor) -> Texts:
    flat = maps.flatten(1)
    broken = (~torch.isfinite(flat).all(dim=1)).cpu().numpy()
    dark = (~(flat > 0).any(dim=1)).cpu().numpy()
    reason: Texts = np.select([broken, dark], ["nan_map", "zero_map"], "").astype("<U16")
    return reason


def _score_reason(reason: Texts, found: Tensor, epsilon: float) -> Texts:
    broken = (~torch.isfinite(found).flatten(1).all(dim=1)).cpu().numpy()
    alike = ((found[:, 0, 0] - found[:, 1, 0]).abs() < epsilon).cpu().numpy()
    scored: Texts = np.select([reason != "", broken, alike], [reason, "nan_output", "no_difference"], "").astype("<U16")
    return scored
