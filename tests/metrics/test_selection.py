"""What a map selects: closed forms of boxes and their overlap, and a flood fill written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.metrics.selection import box_iou, selected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 0, 4, 4), (0, 0, 4, 4), 1.0),
        ((0, 0, 4, 4), (2, 0, 6, 4), 1 / 3),  # 8 of 24
        ((0, 0, 4, 4), (1, 1, 3, 3), 4 / 16),  # one inside the other
        ((0, 0, 4, 4), (4, 0, 8, 4), 0.0),  # they touch
        ((0, 0, 4, 4), (9, 9, 12, 12), 0.0),
        ((0, 0, 3, 1), (2, 0, 3, 5), 1 / 7),
    ],
)
def test_overlap_of_boxes_in_closed_form(one: tuple, other: tuple, expected: float) -> None:
    assert box_iou(one, other) == pytest.approx(expected)


def test_overlap_with_a_box_that_nobody_knows_is_undefined() -> None:
    assert math.isnan(box_iou((0, 0, 1, 1), (math.nan,) * 4))
    assert math.isnan(box_iou((1, 1, 1, 1), (2, 2, 2, 2)))


corners = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 6), st.integers(1, 6)).map(
    lambda v: (v[0], v[1], v[0] + v[2], v[1] + v[3])
)


@settings(max_examples=60, deadline=None)
@given(corners, corners)
def test_overlap_is_that_of_the_pixels_counted_one_by_one(one: tuple, other: tuple) -> None:
    def pixels(box: tuple) -> set:
        return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}

    both, either = pixels(one) & pixels(other), pixels(one) | pixels(other)
    assert box_iou(one, other) == pytest.approx(len(both) / len(either))
    assert box_iou(one, other) == box_iou(other, one)


def test_the_region_with_most_of_the_map_comes_first_though_another_is_higher() -> None:
    values = np.zeros((8, 10))
    values[1:3, 1:3] = 1.0  # the peak, 4 in all
    values[4:7, 5:9] = 0.6  # 7.2 in all
    values[0, 9] = 0.4  # below half of the peak
    found = selected(values, 8, 10, 0.5)
    assert [one.box for one in found] == [(5, 4, 9, 7), (1, 1, 3, 3)]
    assert [one.share for one in found] == pytest.approx([7.2 / 11.6, 4 / 11.6])


def test_what_speaks_against_the_target_selects_nothing() -> None:
    values = np.full((4, 4), -1.0)
    values[1, 2] = 0.5
    assert [(one.box, one.share) for one in selected(values, 4, 4, 0.5)] == [((2, 1, 3, 2), 1.0)]


@pytest.mark.parametrize("fill", [0.0, -2.0, np.nan])
def test_a_map_without_a_positive_part_selects_nothing(fill: float) -> None:
    assert selected(np.full((4, 5), fill), 8, 10, 0.5) == []


def test_boxes_are_in_pixels_of_the_picture_whatever_grid_the_map_lives_on() -> None:
    values = np.zeros((4, 5))
    values[1, 2] = 1.0
    # bilinear: half of the peak is reached half a grid step to either side of the middle of the cell
    assert [one.box for one in selected(values, 40, 50, 0.5)] == [(20, 10, 30, 20)]


def test_smoothing_joins_what_noise_keeps_apart() -> None:
    values = np.zeros((32, 32))
    values[8:24:2, 8:24:2] = 1.0
    assert len(selected(values, 32, 32, 0.5)) == 64
    (one,) = selected(values, 32, 32, 0.5, smoothing=2.0)
    assert one.box == (7, 7, 24, 24)  # a pixel wider all round than what is not zero


def filled(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """Connected pixels, corners included, by a flood fill written out."""
    left = {(int(i), int(j)) for i, j in zip(*np.nonzero(mask), strict=True)}
    found = []
    while left:
        ahead, region = [left.pop()], set()
        while ahead:
            i, j = ahead.pop()
            region.add((i, j))
            near = {(i + a, j + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & left
            left -= near
            ahead.extend(near)
        found.append(region)
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.3, 0.5, 0.9]))
def test_regions_are_those_of_a_flood_fill(seed: int, threshold: float) -> None:
    values = np.random.default_rng(seed).normal(size=(9, 11)).astype(np.float32)
    positive = np.maximum(values, 0).astype(np.float64)
    expected = []
    for region in filled(positive >= threshold * positive.max()):
        rows, columns = [i for i, _ in region], [j for _, j in region]
        share = sum(positive[i, j] for i, j in region) / positive.sum()
        expected.append((round(share, 9), (min(columns), min(rows), max(columns) + 1, max(rows) + 1)))
    found = selected(values, 9, 11, threshold)
    assert sorted((round(one.share, 9), one.box) for one in found) == sorted(expected)
    assert [one.share for one in found] == sorted((one.share for one in found), reverse=True)
