"""Attention overlap: where the positive part of a map lies, against regions known from the renderer.

Regions are fractions per pixel, (N, 7, H, W), in the order of REGIONS, summing to 1. A map is brought to the regions'
size first (bilinear, pixel centres aligned) and its positive part P taken after that. N_px = H * W.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from audit.metrics.arrays import Doubles, Floats, Mask, Singles, Texts
from audit.metrics.null_maps import ceiling
from audit.metrics.regions import OVERLAP_REGIONS, REGIONS
from audit.metrics.resampling import resampled

TOLERANCE = 15 / 224  # of the square root of the picture's area: the 15 px of the pointing game at 224 px, scaled
EMPTY_PX = 1.0  # a region of less than one pixel in all is empty: noise in a shadow's strength is no shadow
TIE = 1e-7  # relative; maxima closer than float32 can tell apart are tied

_CHUNK = 128  # maps at a time: bounds the memory, changes no number


@dataclass(frozen=True)
class PreparedRegions:
    """Regions with what does not depend on the map, so that many sources are measured against one preparation.

    fractions (N, 7, H, W); area (N, 7) share of the picture; widened (N, R, H, W), per region of `overlap`, the
    largest fraction within the tolerance of each pixel.
    """

    fractions: Singles
    area: Doubles
    overlap: tuple[str, ...]
    widened: Singles

    @property
    def size(self) -> tuple[int, int]:
        return int(self.fractions.shape[2]), int(self.fractions.shape[3])


def prepare(regions: Floats, overlap: Sequence[str] = OVERLAP_REGIONS) -> PreparedRegions:
    """Regions (N, 7, H, W), already passed through the adapter's geometry, ready for `measure`.

    overlap: the regions for which all metrics but the mass split are computed.
    """
    if regions.ndim != 4 or regions.shape[1] != len(REGIONS):
        raise ValueError(f"regions {regions.shape} must be (N, {len(REGIONS)}, H, W) in the order {REGIONS}")
    fractions = np.ascontiguousarray(regions, dtype=np.float32)
    wanted = [REGIONS.index(name) for name in overlap]
    return PreparedRegions(
        fractions=fractions,
        area=fractions.mean(axis=(2, 3), dtype=np.float64),
        overlap=tuple(overlap),
        widened=_widened(fractions[:, wanted], tolerance(*fractions.shape[2:])),
    )


def tolerance(height: int, width: int) -> float:
    """Radius in pixels within which the pointing game still counts as a hit: 15 px at 224 x 224."""
    return float(TOLERANCE * np.sqrt(height * width))


def measure(
    maps: Floats,
    regions: Floats | PreparedRegions,
    has_target: Mask | None = None,
) -> pd.DataFrame:
    """Every attention metric of every map: columns row, metric, region, value, chance, undefined_reason.

    maps: (N, h, w) signed and unnormalised, any size. regions: (N, 7, H, W), or `prepare`d. has_target (N,): whether
    the target had any cell; not given, a map that is NaN everywhere is taken for one that had none, as `attribute`
    marks it. NaN with a reason: no_positive, nan_map, zero_map (no positive part), empty_region, full_region.
    Each metric's formula: relevance_mass_accuracy sum(P M) / sum(P) (Arras et al. 2022), chance area(M); enrichment
    that over area(M), chance 1; pointing_game max of M within the tolerance of argmax P, the mean over tied maxima,
    chance its mean over the picture (Zhang et al. 2018; here for fractional M); pointing_game_exact M at argmax P,
    chance area(M); mass_split sum(P M) / sum(P) for all regions, defined also for empty ones.
    """
    prepared = regions if isinstance(regions, PreparedRegions) else prepare(regions)
    if maps.ndim != 3 or len(maps) != len(prepared.fractions):
        raise ValueError(f"{maps.shape} maps do not go with regions {prepared.fractions.shape}")
    reason = _map_reason(maps, has_target)
    mass = np.full((len(maps), len(REGIONS)), np.nan)
    widened = np.full((len(maps), len(prepared.overlap)), np.nan)
    exact = np.full((len(maps), len(prepared.overlap)), np.nan)
    wanted = [REGIONS.index(name) for name in prepared.overlap]
    usable = np.flatnonzero(reason == "")
    for start in range(0, len(usable), _CHUNK):
        rows = usable[start : start + _CHUNK]
        positive = np.maximum(resampled(maps[rows], *prepared.size), 0.0).astype(np.float64)
        total = positive.sum(axis=(1, 2))
        dark = total <= 0
        reason[rows[dark]] = "zero_map"
        rows, positive, total = rows[~dark], positive[~dark], total[~dark]
        shares = _products(positive, prepared.fractions[rows])
        mass[rows] = shares / total[:, None]
        top = _tied_maxima(positive)
        widened[rows] = _products(top, prepared.widened[rows])
        exact[rows] = _products(top, prepared.fractions[rows][:, wanted])
    return _table(prepared, reason, mass, widened, exact)


def measure_ceiling(regions: Floats | PreparedRegions, grid: tuple[int, int]) -> pd.DataFrame:
    """What a perfect map on the layer's grid would score: per region, its own mask through the grid and back.

    Columns as `measure`; rows only for the regions of `overlap`, and no mass split (each region has its own map).
    """
    prepared = regions if isinstance(regions, PreparedRegions) else prepare(regions)
    always = np.ones(len(prepared.fractions), dtype=bool)
    parts = []
    for name in prepared.overlap:
        perfect = ceiling(prepared.fractions[:, REGIONS.index(name)], grid)
        table = measure(perfect, prepared, has_target=always)
        parts.append(table[(table["region"] == name) & (table["metric"] != "mass_split")])
    return pd.concat(parts, ignore_index=True)


def _map_reason(maps: Floats, has_target: Mask | None) -> Texts:
    flat = maps.reshape(len(maps), maps.shape[1] * maps.shape[2])
    if has_target is None:
        has_target = ~np.isnan(flat).all(axis=1)
    broken = ~np.isfinite(flat).all(axis=1)
    reason: Texts = np.where(~has_target, "no_positive", np.where(broken, "nan_map", "")).astype("<U16")
    return reason


def _products(maps: Doubles, fractions: Singles) -> Doubles:
    """Sum over pixels of map x fraction: (B, H, W), (B, R, H, W) -> (B, R)."""
    count, regions, height, width = fractions.shape  # count may be 0, which leaves no size to be inferred
    flat = fractions.reshape(count, regions, height * width).astype(np.float64)
    result: Doubles = np.matmul(flat, maps.reshape(count, height * width, 1))[..., 0]
    return result


def _tied_maxima(maps: Doubles) -> Doubles:
    """Weight 1 / ties on each highest pixel, 0 elsewhere: (B, H, W), each summing to 1."""
    highest = maps.max(axis=(1, 2), keepdims=True)
    top = (maps >= highest * (1 - TIE)).astype(np.float64)
    weights: Doubles = top / top.sum(axis=(1, 2), keepdims=True)
    return weights


def _widened(fractions: Singles, radius: float) -> Singles:
    """At each pixel the largest fraction within `radius` pixels: a mask dilated by a disc, for fractions."""
    reach = int(np.floor(radius))
    offsets = np.arange(-reach, reach + 1)
    disc = (offsets[:, None] ** 2 + offsets[None, :] ** 2 <= radius**2).astype(np.uint8)
    wide = np.empty_like(fractions)
    for row in range(fractions.shape[0]):
        for region in range(fractions.shape[1]):
            wide[row, region] = cv2.dilate(fractions[row, region], disc)
    return wide


def _table(prepared: PreparedRegions, reason: Texts, mass: Doubles, widened: Doubles, exact: Doubles) -> pd.DataFrame:
    height, width = prepared.size
    parts = [
        _rows("mass_split", name, mass[:, index], prepared.area[:, index], reason) for index, name in enumerate(REGIONS)
    ]
    for column, name in enumerate(prepared.overlap):
        index = REGIONS.index(name)
        area, accuracy = prepared.area[:, index], mass[:, index]
        empty, full = area * height * width < EMPTY_PX, area > 1 - 1e-6
        of_region = np.where(empty, "empty_region", np.where(full, "full_region", ""))
        # what the scene rules out comes before what the map lacks: the ceiling of an empty region is a dark map
        of_map_first = (of_region == "") | np.isin(reason, ("no_positive", "nan_map"))
        why = np.where(of_map_first, reason, of_region)
        chance = prepared.widened[:, column].mean(axis=(1, 2), dtype=np.float64)
        lift = accuracy / np.where(empty, np.nan, area)
        parts += [
            _rows("relevance_mass_accuracy", name, accuracy, area, why),
            _rows("enrichment", name, lift, np.ones(len(area)), why),
            _rows("pointing_game", name, widened[:, column], chance, why),
            _rows("pointing_game_exact", name, exact[:, column], area, why),
        ]
    return pd.concat(parts, ignore_index=True)


def _rows(metric: str, region: str, value: Doubles, chance: Doubles, reason: Texts) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row": np.arange(len(value)),
            "metric": metric,
            "region": region,
            "value": np.where(reason == "", value, np.nan),
            "chance": chance,
            "undefined_reason": reason,
        }
    )
