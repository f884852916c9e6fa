"""Regions known from the renderer, made ready once for the many maps that are measured against them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from audit.attention.sums import averaged, summed
from audit.metrics.arrays import Doubles, Floats
from audit.metrics.regions import OVERLAP_REGIONS, REGIONS, WHOLE

TOLERANCE = 15 / 224  # of the square root of the picture's area: the 15 px of the pointing game at 224 px, scaled
EMPTY_PX = 1.0  # a region of less than one pixel in all is empty: noise in a shadow's strength is no shadow
TOP_SHARES: Mapping[str, float] = {"iou_top_5": 0.05, "iou_top_20": 0.20}  # of the picture's pixels

OF_REGION = (  # for each region of `overlap`
    *("relevance_mass_accuracy", "enrichment", "pointing_game", "pointing_game_exact", "relevance_rank_accuracy"),
    *("iou", *TOP_SHARES, "roc_auc", "average_precision"),
)
OF_MAP = ("gini", "entropy")  # of the whole map

_CHUNK = 2**18  # pixels of regions at a time: bounds the memory, changes no number

Key = tuple[str, str]  # metric, region


@dataclass(frozen=True)
class PreparedRegions:
    """Regions with what does not depend on the map, so that many sources are measured against one preparation.

    fractions (N, 7, H, W) float32; size (N, 7) float64, pixels; widened (N, R, H, W) float32, per region of `overlap`
    the largest fraction within the tolerance of each pixel; chance: per metric and region (N,), what a map that knows
    nothing scores. The tensors lie on the device that measures.
    """

    fractions: Tensor
    size: Tensor
    overlap: tuple[str, ...]
    widened: Tensor
    chance: Mapping[Key, Doubles]


def prepare(
    regions: Floats, overlap: Sequence[str] = OVERLAP_REGIONS, device: torch.device | str = "cpu"
) -> PreparedRegions:
    """Regions (N, 7, H, W), already passed through the adapter's geometry, ready for `measure` on `device`.

    overlap: the regions for which the metrics of regions are computed; the mass split is of all seven.
    """
    if regions.ndim != 4 or regions.shape[1] != len(REGIONS):
        raise ValueError(f"regions {regions.shape} must be (N, {len(REGIONS)}, H, W) in the order {REGIONS}")
    fractions = tensor(regions, device)
    wanted = [REGIONS.index(name) for name in overlap]
    radius = tolerance(*regions.shape[2:])
    size = torch.zeros(fractions.shape[:2], dtype=torch.float64, device=fractions.device)
    squares = torch.zeros_like(size)
    wide = torch.empty_like(fractions[:, wanted])
    step = max(1, _CHUNK // fractions[0].numel()) if len(fractions) else 1
    for start in range(0, len(fractions), step):
        some = slice(start, start + step)
        size[some] = summed(fractions[some].flatten(2))
        squares[some] = summed(fractions[some].flatten(2).double() ** 2)
        wide[some] = _widened(fractions[some][:, wanted], radius)
    return PreparedRegions(fractions, size, tuple(overlap), wide, _chance(size, squares, wide, overlap))


def tolerance(height: int, width: int) -> float:
    """Radius in pixels within which the pointing game still counts as a hit: 15 px at 224 x 224."""
    return float(TOLERANCE * np.sqrt(height * width))


def tensor(array: Floats | Tensor, device: torch.device | str) -> Tensor:
    """An array as float32 on `device`; one map broadcast to many stays one."""
    if isinstance(array, Tensor):
        return array.to(device=device, dtype=torch.float32)
    if len(array) > 1 and array.strides[0] == 0:
        return tensor(array[:1], device).expand(array.shape)
    return torch.from_numpy(np.require(array, np.float32, ["C_CONTIGUOUS", "WRITEABLE"])).to(device)


def _chance(size: Tensor, squares: Tensor, wide: Tensor, overlap: Sequence[str]) -> dict[Key, Doubles]:
    pixels = wide.shape[2] * wide.shape[3]
    sizes: Doubles = size.cpu().numpy()
    precision = _precision_in_random_order(sizes, squares.cpu().numpy(), pixels)
    near: Doubles = averaged(wide.flatten(2)).cpu().numpy()
    chance: dict[Key, Doubles] = {}
    for index, name in enumerate(REGIONS):
        area = sizes[:, index] / pixels
        chance |= {("mass_split", name): area}
        if name not in overlap:
            continue
        chance |= {(metric, name): area for metric in OF_REGION}
        chance["enrichment", name] = np.ones_like(area)
        chance["roc_auc", name] = np.full_like(area, 0.5)
        chance["average_precision", name] = precision[:, index]
        chance["pointing_game", name] = near[:, list(overlap).index(name)]
        counts = {"iou": np.maximum(np.round(sizes[:, index]), 1.0)}
        counts |= {metric: np.full_like(area, top_count(metric, pixels)) for metric in TOP_SHARES}
        for metric, count in counts.items():
            chance[metric, name] = count * area / (count + sizes[:, index] - count * area)
    return chance | {("gini", WHOLE): np.zeros(len(sizes)), ("entropy", WHOLE): np.ones(len(sizes))}


def _precision_in_random_order(size: Doubles, squares: Doubles, pixels: int) -> Doubles:
    """Expected average precision of N = `pixels` in random order, for regions of S = `size` pixels.

    At rank k a pixel m of the region counts with the precision there, (m + the k - 1 before it) / k; each of those has
    the mean of the others, (S - m) / (N - 1). Over all ranks, with H = 1 + 1/2 + ... + 1/N and q the mean of m over the
    region: (S - q) / (N - 1) (1 - H / N) + q H / N. Of whole pixels q = 1: more than the area by about H / N, which is
    much for a small region. squares: the sum of the region's squared fractions, q S.
    """
    own = np.divide(squares, size, out=np.zeros_like(size), where=size > 0)
    share = _harmonic(pixels) / pixels
    expected: Doubles = (size - own) / max(pixels - 1, 1) * (1 - share) + own * share
    return expected


@lru_cache(maxsize=16)
def _harmonic(count: int) -> float:
    """1 + 1/2 + ... + 1/count."""
    return math.fsum(1 / k for k in range(1, count + 1))


def top_count(metric: str, pixels: int) -> int:
    return max(1, round(TOP_SHARES[metric] * pixels))


def _widened(fractions: Tensor, radius: float) -> Tensor:
    """At each pixel the largest fraction within `radius` pixels: masks (N, R, H, W) dilated by a disc, for fractions.

    The disc is its rows: each is a maximum along the row, as long as the disc is wide there, carried up and down.
    """
    wide, along_row, reached = fractions.clone(), fractions.clone(), 0
    for down in range(int(radius), -1, -1):  # from the disc's tip, where it is narrowest
        while reached < int(np.sqrt(radius**2 - down**2)):
            reached += 1
            _raise(along_row[..., reached:], fractions[..., :-reached])
            _raise(along_row[..., :-reached], fractions[..., reached:])
        height = wide.shape[2]
        _raise(wide[:, :, down:], along_row[:, :, : max(height - down, 0)])
        _raise(wide[:, :, : max(height - down, 0)], along_row[:, :, down:])
    return wide


def _raise(values: Tensor, to: Tensor) -> None:
    torch.maximum(values, to, out=values)
