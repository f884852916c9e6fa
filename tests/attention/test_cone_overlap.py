"""Enrichment of many maps on many regions, against two loops written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audit.attention.cone_overlap import enrichment
from audit.metrics.resampling import resampled


def literal(values: np.ndarray, region: np.ndarray) -> float:
    height, width = region.shape
    large = resampled(values[None], height, width)[0]
    inside = total = area = 0.0
    for i in range(height):
        for j in range(width):
            positive = max(float(large[i, j]), 0.0)
            inside += positive * region[i, j]
            total += positive
            area += region[i, j] / (height * width)
    return inside / total / area


def test_values_are_those_of_two_loops() -> None:
    rng = np.random.default_rng(1)
    maps = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    regions = (rng.random((2, 4, 16, 20)) * (rng.random((2, 4, 16, 20)) < 0.2)).astype(np.float32)
    of, other = torch.tensor([0, 2, 1, 1]), torch.tensor([1, 0, 0, 2])
    found = enrichment(torch.from_numpy(maps), torch.from_numpy(regions), [of, other])
    for (value, reason), judge in zip(found, (of, other), strict=True):
        assert (reason == "").all()
        for n in range(2):
            for r in range(4):
                assert value[n, r] == pytest.approx(literal(maps[n, judge[r]], regions[n, r]), rel=1e-5)


def test_a_map_spread_evenly_scores_one_and_one_on_the_region_alone_one_over_its_area() -> None:
    region = np.zeros((1, 1, 8, 10), np.float32)
    region[0, 0, 2:4, 3:7] = 1.0
    even, exact = np.ones((8, 10), np.float32), region[0, 0]
    maps = torch.from_numpy(np.stack([even, exact])[None])
    of_even, of_exact = (enrichment(maps, torch.from_numpy(region), [torch.tensor([i])])[0][0][0, 0] for i in (0, 1))
    assert of_even == pytest.approx(1.0)
    assert of_exact == pytest.approx(80 / 8)


def test_undefined_values_say_why() -> None:
    maps = torch.ones(1, 3, 8, 10)
    maps[0, 1] = -1.0
    maps[0, 2, 0, 0] = torch.nan
    regions = torch.zeros(1, 4, 8, 10)
    regions[0, :3, 2, 3] = 1.0
    regions[0, 3, 2, 3] = 0.5  # half a pixel
    ((value, reason),) = enrichment(maps, regions, [torch.tensor([0, 1, 2, 0])])
    assert reason[0].tolist() == ["", "zero_map", "nan_map", "empty_region"]
    assert np.isnan(value[0]).tolist() == [False, True, True, True]
