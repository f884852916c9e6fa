"""Metrics of ranks against slow loops over pixels, scikit-learn, and the mean over random orders of the ties."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from audit.attention.overlap import measure
from audit.attention.prepared_regions import OF_MAP, OF_REGION
from audit.metrics.regions import REGIONS, WHOLE
from audit.metrics.specs import SPECS

OF_RANKS = ("relevance_rank_accuracy", "iou", "iou_top_5", "iou_top_20", "roc_auc", "average_precision")
SIZE = (7, 9)


def regions_with(objects: np.ndarray) -> np.ndarray:
    """Regions (N, 7, H, W) of object masks (N, H, W), all else background."""
    regions = np.zeros((len(objects), len(REGIONS), *objects.shape[1:]), np.float32)
    regions[:, REGIONS.index("object")] = objects
    regions[:, REGIONS.index("background")] = 1 - regions[:, REGIONS.index("object")]
    return regions


def of_object(table: pd.DataFrame, column: str = "value") -> dict[str, float]:
    """Metric -> value of the only map, on the object or of the whole map."""
    mine = table[table["region"].isin(["object", WHOLE])]
    return dict(zip(mine["metric"], mine[column], strict=True))


def literal(map_: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Every metric of ranks, and of concentration, straight from its sentence: a loop for each sum."""
    heat, inside = [float(v) for v in map_.ravel()], [float(m) for m in mask.ravel()]
    count, size = len(heat), math.fsum(inside)
    positive = [max(v, 0.0) for v in heat]

    def expected_hits(many: int) -> float:
        """Each pixel is among the highest `many` with a probability: 1, 0, or what is left over its tied pixels."""
        hits = 0.0
        for p, m in zip(positive, inside, strict=True):
            above, level = sum(q > p for q in positive), sum(q == p for q in positive)
            hits += m * min(max((many - above) / level, 0.0), 1.0)
        return hits

    def overlap(many: int) -> float:
        return expected_hits(many) / (many + size - expected_hits(many))

    wins = 0.0
    for v, m in zip(heat, inside, strict=True):
        for other, n in zip(heat, inside, strict=True):
            wins += m * (1 - n) * ((v > other) + 0.5 * (v == other))

    precision, recall_before, found = 0.0, 0.0, 0.0
    for threshold in sorted(set(heat), reverse=True):
        named = [m for v, m in zip(heat, inside, strict=True) if v >= threshold]
        found = math.fsum(named)
        precision += (found / size - recall_before) * found / len(named)
        recall_before = found / size

    total = math.fsum(positive)
    differences = math.fsum(abs(p - q) for p in positive for q in positive)
    return {
        "relevance_rank_accuracy": expected_hits(round(size)) / round(size),
        "iou": overlap(round(size)),
        "iou_top_5": overlap(max(1, round(0.05 * count))),
        "iou_top_20": overlap(round(0.2 * count)),
        "roc_auc": wins / (size * (count - size)),
        "average_precision": precision,
        "gini": differences / (2 * count * total),
        "entropy": -math.fsum(p / total * math.log(p / total) for p in positive if p > 0) / math.log(count),
    }


maps_and_masks = st.tuples(st.integers(0, 10_000), st.sampled_from(["distinct", "tied", "sparse"]), st.booleans())


def drawn(kind: tuple[int, str, bool]) -> tuple[np.ndarray, np.ndarray]:
    """A map and a mask (1, 7, 9): values all distinct, in eight steps, or mostly zero; the mask hard or fractional."""
    seed, values, is_hard = kind
    rng = np.random.default_rng(seed)
    map_ = rng.normal(size=(1, *SIZE))
    if values != "distinct":
        map_ = map_.round()
    if values == "sparse":
        map_ *= rng.random((1, *SIZE)) < 0.15
    map_[0, 3, 3] = abs(map_[0, 3, 3]) + 1  # something is positive
    mask = rng.random((1, *SIZE)) ** 3
    mask[0, 1, 1:4] = 1
    mask[0, 5, 5] = 0
    return map_.astype(np.float32), ((mask > 0.5) if is_hard else mask).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(kind=maps_and_masks)
def test_every_metric_equals_its_loops(kind: tuple[int, str, bool]) -> None:
    map_, mask = drawn(kind)
    found = of_object(measure(map_, regions_with(mask)))
    for metric, expected in literal(map_[0], mask[0]).items():
        assert found[metric] == pytest.approx(expected, rel=1e-6, abs=1e-9), metric


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("is_tied", [False, True])
def test_hard_masks_give_the_numbers_of_scikit_learn(seed: int, is_tied: bool) -> None:
    rng = np.random.default_rng(seed)
    map_ = rng.normal(size=(1, 32, 40))
    map_ = (map_.round() if is_tied else map_).astype(np.float32)
    mask = (rng.random((1, 32, 40)) < 0.2 + 0.1 * (map_ > 0)).astype(np.float32)
    found = of_object(measure(map_, regions_with(mask)))
    truth, heat = mask.ravel(), map_.ravel()
    assert found["roc_auc"] == pytest.approx(roc_auc_score(truth, heat), abs=1e-12)
    assert found["average_precision"] == pytest.approx(average_precision_score(truth, heat), abs=1e-12)


def test_ties_score_the_mean_over_random_orders_of_them() -> None:
    """A 4 x 4 peak amid zeros, the mask in a corner that the peak does not touch: its place must not matter."""
    map_ = np.zeros((1, 20, 20), np.float32)
    map_[0, 8:12, 8:12] = 1
    rng = np.random.default_rng(0)
    scores = []
    for corner in (np.s_[:6, :6], np.s_[14:, 14:]):
        mask = np.zeros((1, 20, 20), np.float32)
        mask[0][corner] = 1
        found = of_object(measure(map_, regions_with(mask)))
        scores.append([found[metric] for metric in OF_RANKS])
        nudged = map_ + 1e-3 * (1 + rng.random((2000, 20, 20)))
        orders = np.argsort(-nudged.reshape(2000, -1), axis=1)[:, :36]
        mean = mask.ravel()[orders].mean()
        assert found["relevance_rank_accuracy"] == pytest.approx(mean, abs=0.002)
    assert scores[0] == scores[1]
    assert scores[0][0] == pytest.approx((36 - 16) / 36 * 36 / (400 - 16))


def test_the_best_map_is_the_mask_and_the_worst_its_opposite() -> None:
    mask = np.zeros((1, *SIZE), np.float32)
    mask[0, 2:4, 3:7] = 1
    best, worst = of_object(measure(mask, regions_with(mask))), of_object(measure(1 - mask, regions_with(mask)))
    for metric in ("relevance_rank_accuracy", "iou", "roc_auc", "average_precision"):
        assert best[metric] == 1, metric
    assert worst["roc_auc"] == worst["iou"] == worst["relevance_rank_accuracy"] == 0
    assert best["iou_top_5"] == 3 / 8
    assert best["gini"] == pytest.approx(1 - 8 / 63)
    assert best["entropy"] == pytest.approx(math.log(8) / math.log(63))


def test_what_speaks_against_counts_in_the_classifier_and_not_among_the_highest_pixels() -> None:
    """Of the two pixels that are not positive, one is far below: the classifier tells them apart, top-K does not."""
    map_ = np.array([[[3.0, 2.0, -1.0, -5.0]]], np.float32)
    mask = np.array([[[1.0, 0.0, 1.0, 1.0]]], np.float32)
    found = of_object(measure(map_, regions_with(mask)))
    assert found["relevance_rank_accuracy"] == pytest.approx((1 + 0.5 * 2) / 3)
    assert found["roc_auc"] == pytest.approx(1 / 3)


def test_a_single_bright_pixel_is_all_concentration() -> None:
    map_ = np.zeros((1, *SIZE), np.float32)
    map_[0, 2, 2] = 5
    found = of_object(measure(map_, regions_with(np.eye(*SIZE, dtype=np.float32)[None])))
    assert found["gini"] == pytest.approx(1 - 1 / 63)
    assert found["entropy"] == 0


def test_the_negative_zero_ties_with_zero() -> None:
    mask = np.zeros((1, 1, 8), np.float32)
    mask[0, 0, :4] = 1
    plain = np.array([[[0, 0, 0, 1, 0, 0, 0, 0]]], np.float32)
    signed = np.where(np.arange(8) % 2 == 0, np.float32(-0.0), plain).astype(np.float32)
    signed[0, 0, 3] = 1
    pd.testing.assert_frame_equal(measure(signed, regions_with(mask)), measure(plain, regions_with(mask)))


@settings(max_examples=25, deadline=None)
@given(kind=maps_and_masks, scale=st.integers(-20, 20))
def test_every_metric_lies_in_its_range_and_means_nothing_of_the_scale(kind: tuple[int, str, bool], scale: int) -> None:
    map_, mask = drawn(kind)
    found = of_object(measure(map_, regions_with(mask)))
    for metric, value in found.items():
        assert SPECS[metric].low <= value <= SPECS[metric].high, metric
    scaled = of_object(measure(map_ * np.float32(2.0**scale), regions_with(mask)))
    assert scaled == pytest.approx(found, rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(kind=maps_and_masks)
def test_only_the_order_matters_to_metrics_of_ranks(kind: tuple[int, str, bool]) -> None:
    map_, mask = drawn(kind)
    found, cubed = (of_object(measure(m, regions_with(mask))) for m in (map_, np.sign(map_) * map_**2))
    for metric in OF_RANKS:
        assert cubed[metric] == found[metric], metric


def test_chance_is_what_random_maps_score() -> None:
    rng = np.random.default_rng(1)
    mask = np.zeros((1, 16, 20), np.float32)
    mask[0, 4:9, 3:12] = 1
    table = measure(rng.random((600, 16, 20)).astype(np.float32), np.repeat(regions_with(mask), 600, axis=0))
    mine = table[(table["region"] == "object") & table["metric"].isin(OF_REGION)]
    for metric, rows in mine.groupby("metric"):
        chance = rows["chance"].iloc[0]
        assert abs(rows["value"].mean() - chance) < 4 * rows["value"].std() / np.sqrt(600) + 0.001, metric


@pytest.mark.parametrize("kind", ["one pixel", "small", "fractions"])
def test_the_chance_of_average_precision_is_that_of_a_random_order_also_of_small_regions(kind: str) -> None:
    """The area alone, .003 to .03 here, is several times too little."""
    rng = np.random.default_rng(3)
    mask = np.zeros((1, 16, 20), np.float32)
    mask[0, 5:8, 6:9] = {"one pixel": np.eye(3)[:, :1] @ np.eye(3)[:1], "small": 1.0, "fractions": rng.random((3, 3))}[
        kind
    ]
    table = measure(rng.random((6000, 16, 20)).astype(np.float32), np.repeat(regions_with(mask), 6000, axis=0))
    mine = table[(table["region"] == "object") & (table["metric"] == "average_precision")]
    chance, error = mine["chance"].iloc[0], mine["value"].std() / math.sqrt(6000)
    assert abs(mine["value"].mean() - chance) < 3 * error
    assert chance - mask.mean() > 6 * error
    if kind == "small":
        harmonic = sum(1 / k for k in range(1, 321))
        assert chance == pytest.approx(8 / 319 * (1 - harmonic / 320) + harmonic / 320, rel=1e-12)


def test_the_chance_of_average_precision_is_the_mean_over_all_orders() -> None:
    """Every one of the 720 orders of six pixels, of fractions too."""
    mask = np.array([[[1.0, 0.25, 0.0, 0.0, 0.5, 0.0]]], np.float32)
    maps = np.array([[order] for order in itertools.permutations(range(6))], np.float32)
    table = measure(maps, np.repeat(regions_with(mask), len(maps), axis=0))
    mine = table[(table["region"] == "object") & (table["metric"] == "average_precision")]
    assert mine["value"].mean() == pytest.approx(mine["chance"].iloc[0], rel=1e-12)


def test_metrics_of_the_whole_map_need_no_region() -> None:
    """No object and no shadow in the picture: what the map looks like can still be said."""
    found = measure(np.random.default_rng(2).random((1, *SIZE)).astype(np.float32), regions_with(np.zeros((1, *SIZE))))
    whole = found[found["metric"].isin(OF_MAP)]
    assert whole["value"].notna().all()
    assert set(found.loc[found["metric"].isin(OF_REGION), "undefined_reason"]) == {"empty_region"}
