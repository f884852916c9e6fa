"""Resampling on the device gives the numbers of audit.metrics.resampling, which are those of exact averages."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audit.attention import resampling
from audit.metrics import resampling as of_arrays

SIZES = [((5, 7), (12, 15)), ((16, 20), (64, 80)), ((64, 80), (16, 20)), ((30, 12), (13, 40)), ((9, 9), (9, 9))]


@pytest.mark.parametrize(("size", "new"), SIZES)
@pytest.mark.parametrize("way", ["area_resampled", "bilinear_resampled", "resampled"])
def test_both_sides_agree(size: tuple[int, int], new: tuple[int, int], way: str) -> None:
    maps = np.random.default_rng(0).normal(size=(3, *size)).astype(np.float32)
    expected = getattr(of_arrays, way)(maps, *new)
    found = getattr(resampling, way)(torch.from_numpy(maps), *new)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-6)


def test_enlarging_is_torchs_bilinear_interpolation() -> None:
    maps = torch.randn(2, 13, 13, generator=torch.Generator().manual_seed(1))
    expected = torch.nn.functional.interpolate(maps[:, None], (224, 224), mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(resampling.resampled(maps, 224, 224), expected)


def test_a_map_does_not_depend_on_its_neighbours() -> None:
    maps = torch.randn(9, 13, 17, generator=torch.Generator().manual_seed(2))
    for new in ((40, 50), (6, 5), (20, 6)):
        together = resampling.resampled(maps, *new)
        for row in (0, 8):
            assert torch.equal(resampling.resampled(maps[row : row + 1], *new)[0], together[row])


def test_a_flat_map_stays_flat_to_the_last_bit() -> None:
    """A value that the rounding moves here and there would break ties that are there."""
    flat = torch.full((1, 13, 13), 0.1)
    assert resampling.resampled(flat, 224, 224).unique().numel() == 1
