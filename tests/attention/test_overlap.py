"""Attention overlap against double loops over pixels, by hand on small maps, and by its properties."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.attention.overlap import measure, measure_ceiling
from audit.attention.prepared_regions import OF_MAP, OF_REGION, prepare, tolerance
from audit.metrics.regions import OVERLAP_REGIONS, REGIONS, WHOLE
from audit.metrics.specs import SPECS

OVERLAP = ("relevance_mass_accuracy", "enrichment", "pointing_game", "pointing_game_exact")


def value(table: pd.DataFrame, metric: str, region: str = "object", row: int = 0, column: str = "value") -> object:
    found = table[(table["metric"] == metric) & (table["region"] == region) & (table["row"] == row)]
    assert len(found) == 1
    return found.iloc[0][column]


def regions_of(objects: np.ndarray, shadows: np.ndarray | None = None) -> np.ndarray:
    """Object and shadow masks (N, H, W) with a floor in the lower half of what is left and background above."""
    shadows = np.zeros_like(objects) if shadows is None else shadows
    rest = 1 - objects - shadows
    floor = rest.copy()
    floor[:, : objects.shape[1] // 2] = 0
    there = {"object": objects, "cast_shadow": shadows, "floor": floor, "background": rest - floor}
    return np.stack([there.get(name, np.zeros_like(objects)) for name in REGIONS], axis=1).astype(np.float32)


def random_regions(seed: int, count: int = 2, size: tuple[int, int] = (12, 15)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.dirichlet([0.2] * len(REGIONS), (count, *size)).transpose(0, 3, 1, 2).astype(np.float32)


def literal(map_: np.ndarray, region: np.ndarray) -> dict[str, float]:
    """Every overlap metric of one map and one region, pixel by pixel, and the chance levels of the two games."""
    height, width = region.shape
    pixels = [(i, j) for i in range(height) for j in range(width)]
    positive = {p: max(float(map_[p]), 0.0) for p in pixels}
    area = sum(float(region[p]) for p in pixels) / len(pixels)
    mass = sum(positive[p] * float(region[p]) for p in pixels) / sum(positive.values())
    highest = max(positive.values())
    top = [p for p in pixels if positive[p] == highest]
    radius = 15 / 224 * math.sqrt(height * width)

    def near(p: tuple[int, int]) -> float:
        reach = range(-int(radius), int(radius) + 1)
        disc = [(p[0] + i, p[1] + j) for i in reach for j in reach if math.hypot(i, j) <= radius]
        return max(float(region[i, j]) for i, j in disc if 0 <= i < height and 0 <= j < width)

    return {
        "relevance_mass_accuracy": mass,
        "enrichment": mass / area,
        "pointing_game": sum(near(p) for p in top) / len(top),
        "pointing_game_exact": sum(float(region[p]) for p in top) / len(top),
        "chance": sum(near(p) for p in pixels) / len(pixels),
        "area": area,
    }


@pytest.mark.parametrize("seed", range(3))
def test_every_metric_equals_its_double_loop(seed: int) -> None:
    regions = random_regions(seed, count=2, size=(32, 40))  # the tolerance is 2.4 px: a disc of 21 pixels
    maps = np.random.default_rng(seed + 50).integers(-3, 4, (2, 32, 40)).astype(np.float32)  # many tied maxima
    table = measure(maps, regions)
    for row in range(2):
        for index, region in enumerate(OVERLAP_REGIONS):
            expected = literal(maps[row], regions[row, index])
            for metric in OVERLAP:
                assert value(table, metric, region, row) == pytest.approx(expected[metric], rel=1e-5), metric
            assert value(table, "pointing_game", region, row, "chance") == pytest.approx(expected["chance"], rel=1e-5)
            for metric in ("relevance_mass_accuracy", "pointing_game_exact", "mass_split"):
                assert value(table, metric, region, row, "chance") == pytest.approx(expected["area"], rel=1e-5)
            assert value(table, "enrichment", region, row, "chance") == 1


def test_a_map_by_hand() -> None:
    """4 x 4, object = the four pixels of the top left corner; positive mass 8, of which 5 in it; negatives ignored."""
    map_ = np.array([[[4, 1, 0, 0], [0, -9, 0, 0], [0, 0, 3, 0], [-2, 0, 0, 0]]], dtype=np.float32)
    objects = np.zeros((1, 4, 4))
    objects[0, :2, :2] = 1
    table = measure(map_, regions_of(objects))
    assert value(table, "relevance_mass_accuracy") == 5 / 8
    assert value(table, "enrichment") == (5 / 8) / (4 / 16)
    assert value(table, "pointing_game_exact") == 1
    assert [value(table, "mass_split", region) for region in REGIONS] == [5 / 8, 0, 0, 0, 0, 3 / 8, 0]


def test_tied_maxima_share_the_hit() -> None:
    map_ = np.array([[[2, 0, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0], [2, 0, 0, 0]]], dtype=np.float32)
    objects = np.zeros((1, 4, 4))
    objects[0, 0, 0] = 1
    table = measure(map_, regions_of(objects))
    assert value(table, "pointing_game_exact") == pytest.approx(1 / 3)


def test_a_near_miss_counts_within_the_tolerance_only() -> None:
    assert tolerance(224, 224) == pytest.approx(15)
    assert tolerance(64, 80) == pytest.approx(4.79, abs=0.005)
    objects = np.zeros((1, 64, 80))
    objects[0, 30, 40] = 1
    for distance, hit in ((4, 1.0), (5, 0.0)):
        map_ = np.zeros((1, 64, 80), np.float32)
        map_[0, 30, 40 + distance] = 1
        table = measure(map_, regions_of(objects))
        assert value(table, "pointing_game") == hit
        assert value(table, "pointing_game_exact") == 0
    disc = sum(i * i + j * j <= 4.79**2 for i in range(-5, 6) for j in range(-5, 6))
    assert value(table, "pointing_game", column="chance") == pytest.approx(disc / (64 * 80))


def test_fractions_count_as_fractions() -> None:
    objects = np.full((1, 8, 10), 0.25)
    map_ = np.random.default_rng(0).random((1, 8, 10)).astype(np.float32)
    table = measure(map_, regions_of(objects))
    assert value(table, "relevance_mass_accuracy") == pytest.approx(0.25)
    assert value(table, "enrichment") == pytest.approx(1)
    assert value(table, "pointing_game") == pytest.approx(0.25)


def test_a_coarse_map_is_enlarged_before_its_positive_part_is_taken() -> None:
    """Between +1 and -1 the zero lies half way; cutting first would leave a ramp that reaches the other centre."""
    coarse = np.array([[[1.0, -1.0]]], dtype=np.float32)
    regions = np.zeros((1, len(REGIONS), 1, 8), np.float32)
    regions[0, REGIONS.index("object"), 0, :4] = 1
    regions[0, REGIONS.index("background"), 0, 4:] = 1
    assert value(measure(coarse, regions), "relevance_mass_accuracy") == 1.0
    assert value(measure(np.maximum(coarse, 0), regions), "relevance_mass_accuracy") < 0.9


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("nothing positive", "zero_map"),
        ("all zero", "zero_map"),
        ("one nan", "nan_map"),
        ("one infinity", "nan_map"),
        ("all nan", "no_positive"),
    ],
)
def test_a_map_that_says_nothing_is_nan_with_its_reason_everywhere(change: str, reason: str) -> None:
    maps = np.ones((2, 4, 4), np.float32)
    if change == "nothing positive":
        maps[0] = -1
    elif change == "all zero":
        maps[0] = 0
    elif change == "all nan":
        maps[0] = np.nan
    else:
        maps[0, 1, 1] = np.nan if change == "one nan" else np.inf
    objects = np.zeros((2, 4, 4))
    objects[:, 0] = 1
    table = measure(maps, regions_of(objects, 0.5 * (1 - objects)))
    hurt, spared = table[table["row"] == 0], table[table["row"] == 1]
    assert hurt["value"].isna().all()
    assert set(hurt["undefined_reason"]) == {reason}
    assert spared["value"].notna().all()
    assert set(spared["undefined_reason"]) == {""}


def test_whether_there_was_a_target_can_be_said_aloud() -> None:
    """A network that answers NaN is not a scene without an obstacle."""
    maps = np.full((2, 4, 4), np.nan, np.float32)
    objects = np.zeros((2, 4, 4))
    objects[:, 0] = 1
    table = measure(maps, regions_of(objects), has_target=np.array([True, False]))
    assert value(table, "mass_split", "floor", 0, "undefined_reason") == "nan_map"
    assert value(table, "mass_split", "floor", 1, "undefined_reason") == "no_positive"


def test_an_empty_or_full_region_is_undefined_and_its_mass_split_is_not() -> None:
    maps = np.ones((3, 4, 4), np.float32)
    objects = np.zeros((3, 4, 4))
    objects[1] = 1
    objects[2, 0, 0] = 0.9  # less than one pixel in all
    table = measure(maps, regions_of(objects))
    for metric in OF_REGION:
        assert [value(table, metric, "object", row, "undefined_reason") for row in range(3)] == [
            "empty_region",
            "full_region",
            "empty_region",
        ]
        assert all(math.isnan(value(table, metric, "object", row)) for row in range(3))
    assert [value(table, "mass_split", "object", row) for row in range(3)] == pytest.approx([0, 1, 0.9 / 16])


def test_a_whole_batch_of_dark_maps_is_a_result_too() -> None:
    """Arms without an obstacle can fill a batch."""
    table = measure(np.zeros((300, 4, 5), np.float32), random_regions(0, 300, (8, 10)))
    assert len(table) == 300 * (len(OF_REGION) * len(OVERLAP_REGIONS) + len(REGIONS) + len(OF_MAP))
    assert set(table["undefined_reason"]) <= {"zero_map"}


def test_no_maps_give_no_rows() -> None:
    table = measure(np.zeros((0, 4, 5), np.float32), np.zeros((0, len(REGIONS), 8, 10), np.float32))
    assert len(table) == 0
    assert list(table.columns) == ["row", "metric", "region", "value", "chance", "undefined_reason"]


@pytest.mark.parametrize("size", [(4, 5), (12, 15)])
def test_a_row_does_not_depend_on_its_neighbours(size: tuple[int, int]) -> None:
    """To the last bit: tables of two runs over the same scenes are compared byte by byte."""
    count = 300
    regions = random_regions(3, count=count, size=(40, 50))
    regions[::2] = regions_of(np.zeros((1, 40, 50)))  # regions that are missing in some pictures and not in others
    maps = np.random.default_rng(3).normal(size=(count, *size)).round(1).astype(np.float32)
    maps[5], maps[7] = 0, np.nan
    together = measure(maps, regions)
    for row in (0, 1, 130, 131, 132, 299):
        alone = measure(maps[row : row + 1], regions[row : row + 1])
        mine = together[together["row"] == row].assign(row=0).reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, mine, check_exact=True)


def test_neither_threads_nor_the_place_in_memory_move_a_number() -> None:
    regions = random_regions(5, count=3, size=(224, 224))
    maps = np.random.default_rng(5).normal(size=(3, 224, 224)).astype(np.float32)
    first = measure(maps, regions)
    shifted = np.empty(maps.size + 3, np.float32)
    shifted[3:] = maps.ravel()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        second = measure(shifted[3:].reshape(maps.shape), regions)
    finally:
        torch.set_num_threads(before)
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_one_map_broadcast_to_many_is_sorted_once_and_says_the_same() -> None:
    regions = random_regions(6, count=5)
    map_ = np.random.default_rng(6).normal(size=(1, 12, 15)).astype(np.float32)
    each = measure(np.repeat(map_, 5, axis=0), regions)
    pd.testing.assert_frame_equal(measure(np.broadcast_to(map_, (5, 12, 15)), regions), each, check_exact=True)
    shared = torch.from_numpy(map_[0]).expand(5, -1, -1)
    pd.testing.assert_frame_equal(measure(shared, prepare(regions)), each, check_exact=True)


def test_the_table_of_a_map_holds_each_metric_once_for_where_it_belongs() -> None:
    table = measure(np.ones((1, 3, 5), np.float32), random_regions(0, count=1))
    assert not table.duplicated(["row", "metric", "region"]).any()
    assert set(table.loc[table["metric"].isin(OF_REGION), "region"]) == set(OVERLAP_REGIONS)
    assert set(table.loc[table["metric"].isin(OF_MAP), "region"]) == {WHOLE}
    assert set(table.loc[table["metric"] == "mass_split", "region"]) == set(REGIONS)


def test_one_preparation_serves_many_maps() -> None:
    regions = random_regions(4)
    prepared = prepare(regions)
    for seed in range(3):
        maps = np.random.default_rng(seed).normal(size=(2, 12, 15)).astype(np.float32)
        pd.testing.assert_frame_equal(measure(maps, prepared), measure(maps, regions))


maps_strategy = st.tuples(st.integers(0, 10_000), st.sampled_from([(12, 15), (3, 5), (16, 20)]))


@settings(max_examples=20, deadline=None)
@given(drawn=maps_strategy, seed=st.integers(0, 10_000))
def test_mass_splits_to_one_accuracy_is_a_share_and_nothing_is_beyond_its_range(drawn: tuple, seed: int) -> None:
    maps = np.random.default_rng(drawn[0]).normal(size=(2, *drawn[1])).astype(np.float32)
    table = measure(maps, random_regions(seed))
    split = table[table["metric"] == "mass_split"].groupby("row")[["value", "chance"]].sum()
    np.testing.assert_allclose(split.to_numpy(), 1.0, atol=1e-5)
    for metric, rows in table.groupby("metric"):
        defined = rows["value"].dropna()
        assert defined.between(SPECS[metric].low, SPECS[metric].high + 1e-6).all()
        assert (rows["chance"] >= 0).all()
        assert set(rows["undefined_reason"]) <= {"", *SPECS[metric].undefined_when}
        assert (rows["value"].isna() == (rows["undefined_reason"] != "")).all()


@settings(max_examples=25, deadline=None)
@given(drawn=maps_strategy, scale=st.floats(1e-6, 1e6))
def test_the_scale_of_a_map_means_nothing(drawn: tuple, scale: float) -> None:
    maps = np.random.default_rng(drawn[0]).normal(size=(2, *drawn[1])).astype(np.float32)
    regions = random_regions(drawn[0])
    original = measure(maps, regions)["value"].to_numpy()
    scaled = measure((maps * scale).astype(np.float32), regions)["value"].to_numpy()
    np.testing.assert_allclose(scaled, original, rtol=1e-4, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_flat_map_scores_chance(seed: int) -> None:
    """Every pixel is a tied maximum and every region gets its area: no metric prefers a place of its own.

    Average precision is the exception: in a random order each pixel of the region also counts itself.
    """
    table = measure(np.ones((2, 3, 5), np.float32), random_regions(seed))
    of_order = table["metric"] == "average_precision"
    np.testing.assert_allclose(table.loc[~of_order, "value"], table.loc[~of_order, "chance"], atol=1e-5)
    assert (table.loc[of_order, "value"] < table.loc[of_order, "chance"]).all()


def test_the_mirror_image_scores_the_same() -> None:
    """Height and width, left and right, are not confused on a picture that is not square."""
    maps = np.random.default_rng(8).normal(size=(2, 12, 15)).astype(np.float32)
    regions = random_regions(8)
    original = measure(maps, regions)["value"].to_numpy()
    for flip in (lambda a: a[..., ::-1], lambda a: a[..., ::-1, :], lambda a: a.swapaxes(-1, -2)):
        np.testing.assert_allclose(measure(flip(maps), flip(regions))["value"], original, rtol=1e-6)


@pytest.mark.parametrize(("grid", "off_grid", "mean"), [((8, 10), 0.39, 0.41), ((16, 20), 0.62, 0.67)])
def test_the_ceiling_of_a_small_object_is_as_measured_before(grid: tuple, off_grid: float, mean: float) -> None:
    """An object of 8 x 10 px in 64 x 80: at a place that no cell border meets, and over all places inside."""
    places = [(top, left) for top in range(16, 32) for left in range(24, 40)]
    objects = np.zeros((len(places), 64, 80))
    for row, (top, left) in enumerate(places):
        objects[row, top : top + 8, left : left + 10] = 1
    table = measure_ceiling(regions_of(objects), grid)
    accuracy = table[(table["metric"] == "relevance_mass_accuracy") & (table["region"] == "object")]["value"].to_numpy()
    assert accuracy[places.index((30, 33))] == pytest.approx(off_grid, abs=0.006)
    assert accuracy.mean() == pytest.approx(mean, abs=0.006)


def test_the_ceiling_takes_each_regions_own_mask_and_has_no_split() -> None:
    regions = random_regions(9, size=(64, 80))
    table = measure_ceiling(regions, (64, 80))  # a grid as fine as the picture loses nothing
    assert set(table["metric"]) == set(OF_REGION)
    for index, region in enumerate(OVERLAP_REGIONS):
        mask = regions[0, index].astype(np.float64)
        expected = (mask * mask).sum() / mask.sum()
        assert value(table, "relevance_mass_accuracy", region) == pytest.approx(expected, rel=1e-5)


def test_an_empty_region_has_no_ceiling_because_it_is_empty() -> None:
    objects = np.zeros((2, 8, 10))
    objects[1, 2:5, 2:5] = 1
    table = measure_ceiling(regions_of(objects), (4, 5))
    reasons = table[table["region"] == "object"].groupby("row")["undefined_reason"].agg(set)
    assert reasons.tolist() == [{"empty_region"}, {""}]


def test_regions_in_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="in the order"):
        measure(np.ones((1, 4, 4), np.float32), np.ones((1, 3, 4, 4), np.float32))
    with pytest.raises(ValueError, match="do not go with"):
        measure(np.ones((2, 4, 4), np.float32), random_regions(0, count=3))
