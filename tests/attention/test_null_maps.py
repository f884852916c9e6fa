"""Maps that know nothing of the network are what they say."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from audit.attention.null_maps import ceiling, edges, gaussian, random


def test_edges_are_the_sobel_magnitude_of_luma() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 9, 13, 3), dtype=np.uint8)
    for picture, found in zip(pictures, edges(torch.from_numpy(pictures)).numpy(), strict=True):
        luma = (picture / 255.0) @ [0.2126, 0.7152, 0.0722]
        expected = np.hypot(ndimage.sobel(luma, 0, mode="nearest"), ndimage.sobel(luma, 1, mode="nearest"))
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_flat_picture_has_no_edges() -> None:
    assert edges(torch.full((1, 6, 8, 3), 90, dtype=torch.uint8)).abs().max() < 1e-6


def test_the_gaussian_is_centred_symmetric_and_a_quarter_of_each_side_wide() -> None:
    bell = gaussian(64, 80).numpy()
    assert bell.shape == (64, 80)
    assert bell.dtype == np.float32
    np.testing.assert_array_equal(bell, bell[::-1, ::-1])
    assert bell.argmax() in (31 * 80 + 39, 31 * 80 + 40, 32 * 80 + 39, 32 * 80 + 40)
    column = bell[:, 40] / bell[:, 40].max()
    np.testing.assert_allclose(column[31 - 16] / column[31], np.exp(-0.5 * (16.5**2 - 0.5**2) / 16**2), rtol=1e-5)


def test_random_maps_are_named_by_their_seed() -> None:
    assert (random(4, 5, 3) == random(4, 5, 3)).all()
    assert (random(4, 5, 3) != random(4, 5, 4)).any()
    assert random(64, 80, 1).min() >= 0
    assert random(64, 80, 1).max() < 1


def test_the_ceiling_keeps_mass_and_blurs_by_the_grid() -> None:
    masks = np.zeros((1, 64, 80), np.float32)
    masks[0, 24:32, 40:50] = 1
    seen = ceiling(torch.from_numpy(masks), (16, 20)).numpy()
    assert seen.shape == (1, 64, 80)
    assert seen.sum() == np.float32(masks.sum())  # away from the border nothing is lost
    assert 0 < (seen[0] * (1 - masks[0])).sum() < masks.sum()
    assert (ceiling(torch.from_numpy(masks), (64, 80)).numpy() == masks).all()


def test_a_random_map_is_that_of_numpys_generator() -> None:
    """A seed names the same map on every device, and in every version of torch."""
    expected = np.random.default_rng(7).random((4, 5), dtype=np.float32)
    np.testing.assert_array_equal(random(4, 5, 7).numpy(), expected)
