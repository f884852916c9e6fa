"""Attention overlap: where a map lies, against regions known from the renderer; computed where the maps lie.

Regions are fractions per pixel, (N, 7, H, W), in the order of REGIONS, summing to 1. A map is brought to the regions'
size first (bilinear, pixel centres aligned) and its positive part P taken after that. One sort per map serves every
metric of ranks. A map's numbers do not depend on its neighbours in the batch (audit.attention.sums).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from audit.attention.null_maps import ceiling
from audit.attention.order import Ranked, ranked, repeated
from audit.attention.prepared_regions import (
    EMPTY_PX,
    OF_MAP,
    OF_REGION,
    TOP_SHARES,
    Key,
    PreparedRegions,
    prepare,
    tensor,
    top_count,
)
from audit.attention.rank_metrics import (
    along,
    average_precision,
    entropy,
    gini,
    iou,
    lower_pixels,
    maxima,
    peak,
    positives,
    roc_auc,
    top_hits,
)
from audit.attention.resampling import resampled
from audit.attention.sums import summed
from audit.metrics.arrays import Doubles, Floats, Mask, Texts
from audit.metrics.regions import REGIONS, WHOLE

_CHUNK = 2**18  # pixels at a time on the CPU, about what its caches hold; bounds the memory, changes no number
_CHUNK_ON_DEVICE = 2**23


def measure(
    maps: Floats | Tensor,
    regions: Floats | PreparedRegions,
    has_target: Mask | None = None,
) -> pd.DataFrame:
    """Every attention metric of every map: columns row, metric, region, value, chance, undefined_reason.

    maps: (N, h, w) signed and unnormalised, any size. regions: (N, 7, H, W), or `prepare`d. has_target (N,): whether
    the target had any cell; not given, a map that is NaN everywhere is taken for one that had none, as `attribute`
    marks it. NaN with a reason: no_positive, nan_map, zero_map (no positive part), empty_region, full_region.

    Formulas, M a region's fraction per pixel, S = sum(M), area(M) = S / N, K = round(S):
    relevance_mass_accuracy sum(P M) / sum(P) (Arras et al. 2022), chance area(M); enrichment that over area(M), chance
    1; pointing_game max of M within the tolerance of argmax P, the mean over tied maxima, chance its mean over the
    picture (Zhang et al. 2018; here for fractional M); pointing_game_exact M at argmax P, chance area(M);
    relevance_rank_accuracy H / K, H the sum of M over the K highest pixels of P, expected over the ties, chance
    area(M); iou H / (K + S - H), chance the same with K area(M) for H; iou_top_q that of round(q N) pixels; roc_auc and
    average_precision of the signed map, chance .5 and what pixels in random order score; mass_split
    sum(P M) / sum(P) for all regions, defined also for empty ones; of the whole map, as region WHOLE, gini and entropy
    (over ln N) of P, 0 and 1 where it is flat.
    """
    prepared = regions if isinstance(regions, PreparedRegions) else prepare(regions)
    if maps.ndim != 3 or len(maps) != len(prepared.fractions):
        raise ValueError(f"{tuple(maps.shape)} maps do not go with regions {tuple(prepared.fractions.shape)}")
    drawn = tensor(maps, prepared.fractions.device)
    reason = _map_reason(drawn, has_target)
    keys = _keys(prepared.overlap)
    values = np.full((len(keys), len(maps)), np.nan)
    usable = np.flatnonzero(reason == "")
    height, width = prepared.fractions.shape[2:]
    room = _CHUNK if prepared.fractions.device.type == "cpu" else _CHUNK_ON_DEVICE
    step = max(1, room // (height * width))
    once = _ranking(drawn[:1], prepared) if len(usable) > 1 and drawn.stride(0) == 0 else None
    for start in range(0, len(usable), step):
        rows = usable[start : start + step]
        ranking = repeated(once, len(rows)) if once else _ranking(drawn[torch.from_numpy(rows)], prepared)
        lit = (ranking.values[:, 0] > 0).cpu().numpy()
        reason[rows[~lit]] = "zero_map"
        if lit.any():
            lit_ranking = _only(ranking, lit)
            nothing = torch.full((int(lit.sum()),), torch.nan, dtype=torch.float64, device=drawn.device)
            found = _scores(lit_ranking, prepared, torch.from_numpy(rows[lit]))
            values[:, rows[lit]] = torch.stack([found.get(key, nothing) for key in keys]).cpu().numpy()
    return _table(prepared, keys, values, reason)


def measure_ceiling(regions: Floats | PreparedRegions, grid: tuple[int, int]) -> pd.DataFrame:
    """What a perfect map on the layer's grid would score: per region, its own mask through the grid and back.

    Columns as `measure`; rows only for the regions of `overlap`, neither mass split nor metrics of the whole map (each
    region has its own map).
    """
    prepared = regions if isinstance(regions, PreparedRegions) else prepare(regions)
    always = np.ones(len(prepared.fractions), dtype=bool)
    parts = []
    for column, name in enumerate(prepared.overlap):
        perfect = ceiling(prepared.fractions[:, REGIONS.index(name)], grid)
        alone = replace(prepared, overlap=(name,), widened=prepared.widened[:, column : column + 1])
        table = measure(perfect, alone, has_target=always)
        parts.append(table[table["metric"].isin(OF_REGION)])
    return pd.concat(parts, ignore_index=True)


def _keys(overlap: Sequence[str]) -> list[Key]:
    splits = [("mass_split", name) for name in REGIONS]
    return (
        splits + [(metric, name) for name in overlap for metric in OF_REGION] + [(metric, WHOLE) for metric in OF_MAP]
    )


def _ranking(maps: Tensor, prepared: PreparedRegions) -> Ranked:
    height, width = prepared.fractions.shape[2:]
    return ranked(resampled(maps, height, width).flatten(1))


def _only(ranking: Ranked, kept: Mask) -> Ranked:
    if kept.all():
        return ranking
    rows = torch.from_numpy(np.flatnonzero(kept)).to(ranking.values.device)
    return Ranked(ranking.values[rows], ranking.order[rows], ranking.begins[rows], ranking.ends[rows])


def _scores(ranking: Ranked, prepared: PreparedRegions, rows: Tensor) -> dict[Key, Tensor]:
    """Metrics of maps that have a positive part, (B,) each; rows (B,) of `prepared` that the maps belong to.

    Regions that no picture of the batch has are left out: they are undefined or, of the mass split, nothing.
    """
    positive = ranking.values.clamp(min=0).double()
    shares = positive / summed(positive)[:, None]
    scores: dict[Key, Tensor] = {("gini", WHOLE): gini(shares), ("entropy", WHOLE): entropy(shares)}
    tied, lit, lower = maxima(ranking), positives(ranking), lower_pixels(ranking)
    rows = rows.to(shares.device)
    for index, name in enumerate(REGIONS):
        size = prepared.size[rows, index]
        if not bool((size > 0).any()):
            scores["mass_split", name] = torch.zeros_like(size)
            continue
        fractions = prepared.fractions[rows, index].flatten(1)
        found = along(ranking, fractions)
        mass = summed(found * shares)
        scores["mass_split", name] = mass
        if name in prepared.overlap:
            near = prepared.widened[rows, prepared.overlap.index(name)].flatten(1)
            gathered = found.cumsum(dim=1)
            of_region = _of_top(ranking, gathered, lit, size) | {
                "relevance_mass_accuracy": mass,
                "enrichment": mass * shares.shape[1] / size,
                "pointing_game": peak(ranking, near, tied),
                "pointing_game_exact": peak(ranking, fractions, tied),
                "roc_auc": roc_auc(found, lower, size),
                "average_precision": average_precision(ranking, found, gathered, size),
            }
            scores |= {(metric, name): value for metric, value in of_region.items()}
    return scores


def _of_top(ranking: Ranked, gathered: Tensor, lit: Tensor, size: Tensor) -> dict[str, Tensor]:
    """The metrics of a region of `size` (B,) pixels that are about the map's highest pixels."""
    as_large = size.round().clamp(min=1).long()  # of an empty region nothing of this is kept
    hits = top_hits(ranking, gathered, lit, as_large)
    scores = {"relevance_rank_accuracy": hits / as_large, "iou": iou(hits, as_large, size)}
    for metric in TOP_SHARES:
        count = torch.full_like(as_large, top_count(metric, gathered.shape[1]))
        scores[metric] = iou(top_hits(ranking, gathered, lit, count), count, size)
    return scores


def _map_reason(maps: Tensor, has_target: Mask | None) -> Texts:
    flat = maps.flatten(1)
    if has_target is None:
        has_target = (~torch.isnan(flat).all(dim=1)).cpu().numpy()
    broken = (~torch.isfinite(flat).all(dim=1)).cpu().numpy()
    reason: Texts = np.where(~has_target, "no_positive", np.where(broken, "nan_map", "")).astype("<U16")
    return reason


def _table(prepared: PreparedRegions, keys: Sequence[Key], values: Doubles, reason: Texts) -> pd.DataFrame:
    pixels = prepared.fractions.shape[2] * prepared.fractions.shape[3]
    size: Doubles = prepared.size.cpu().numpy()
    why = np.tile(reason, (len(keys), 1))
    for place, (metric, name) in enumerate(keys):
        if metric in OF_REGION:
            why[place] = _region_reason(size[:, REGIONS.index(name)], pixels, reason)
    count = len(reason)
    return pd.DataFrame(
        {
            "row": np.tile(np.arange(count), len(keys)),
            "metric": np.repeat(np.array([metric for metric, _ in keys], dtype=object), count),
            "region": np.repeat(np.array([name for _, name in keys], dtype=object), count),
            "value": np.where(why == "", values, np.nan).ravel(),
            "chance": np.concatenate([prepared.chance[key] for key in keys]),
            "undefined_reason": why.ravel().astype(object),
        }
    )


def _region_reason(size: Doubles, pixels: int, reason: Texts) -> Texts:
    empty, full = size < EMPTY_PX, size > (1 - 1e-6) * pixels
    of_region = np.where(empty, "empty_region", np.where(full, "full_region", ""))
    # what the scene rules out comes before what the map lacks: the ceiling of an empty region is a dark map
    of_map_first = (of_region == "") | np.isin(reason, ("no_positive", "nan_map"))
    why: Texts = np.where(of_map_first, reason, of_region)
    return why
