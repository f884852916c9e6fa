"""Resampling equals its definition: the mean over the area a pixel covers, and straight lines between centres."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.metrics.resampling import area_resampled, bilinear_resampled, resampled

sizes = st.tuples(st.integers(1, 9), st.integers(1, 11))


def literal_area(map_: np.ndarray, height: int, width: int) -> np.ndarray:
    """Each new pixel: every old pixel's value times the area the two share, over the new pixel's area."""
    old_height, old_width = map_.shape
    result = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            top, bottom = i * old_height / height, (i + 1) * old_height / height
            left, right = j * old_width / width, (j + 1) * old_width / width
            for a in range(old_height):
                for b in range(old_width):
                    tall = max(0.0, min(bottom, a + 1) - max(top, a))
                    wide = max(0.0, min(right, b + 1) - max(left, b))
                    result[i, j] += map_[a, b] * tall * wide
            result[i, j] /= (bottom - top) * (right - left)
    return result


@settings(max_examples=30, deadline=None)
@given(old=sizes, new=sizes, seed=st.integers(0, 99))
def test_area_resampling_is_the_mean_over_the_covered_area(old: tuple, new: tuple, seed: int) -> None:
    map_ = np.random.default_rng(seed).normal(size=old)
    np.testing.assert_allclose(area_resampled(map_, *new), literal_area(map_, *new), atol=1e-6)


def test_halving_averages_two_by_two() -> None:
    map_ = np.array([[1, 3, 0, 0], [5, 7, 0, 8]], dtype=np.float32)
    assert area_resampled(map_, 1, 2).tolist() == [[4.0, 2.0]]


@pytest.mark.parametrize("new", [(64, 80), (33, 47), (7, 5)])
def test_bilinear_enlarging_and_reducing_is_opencvs_linear(new: tuple[int, int]) -> None:
    map_ = np.random.default_rng(0).normal(size=(16, 20)).astype(np.float32)
    expected = cv2.resize(map_, (new[1], new[0]), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(bilinear_resampled(map_, *new), expected, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(old=sizes, new=sizes)
def test_a_constant_stays_the_constant(old: tuple, new: tuple) -> None:
    for resample in (area_resampled, bilinear_resampled, resampled):
        np.testing.assert_allclose(resample(np.full((2, *old), 0.3), *new), 0.3, atol=1e-6)


def test_maps_are_enlarged_bilinearly_reduced_by_area_and_kept_where_they_fit() -> None:
    map_ = np.random.default_rng(1).normal(size=(1, 8, 10)).astype(np.float32)
    assert (resampled(map_, 16, 20) == bilinear_resampled(map_, 16, 20)).all()
    assert (resampled(map_, 4, 5) == area_resampled(map_, 4, 5)).all()
    assert (resampled(map_, 8, 10) == map_).all()


def test_a_map_does_not_depend_on_its_neighbours_in_the_batch() -> None:
    maps = np.random.default_rng(2).normal(size=(33, 16, 20)).astype(np.float32)
    together = bilinear_resampled(maps, 64, 80)
    assert all((bilinear_resampled(maps[i : i + 1], 64, 80)[0] == together[i]).all() for i in range(33))
