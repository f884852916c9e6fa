"""Likeness of maps: scipy's Spearman and scikit-image's structural similarity are the judges."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity as of_skimage

from audit.attention.likeness import rank_correlation, structural_similarity

BOTH = pytest.mark.parametrize("likeness", [rank_correlation, structural_similarity])


def pairs(seed: int, size: tuple[int, int] = (16, 20), count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps that are somewhat alike; the second pair has many ties."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(count, *size, generator=generator)
    b = a + torch.randn(count, *size, generator=generator)
    a[1], b[1] = a[1].round(), b[1].round().clamp(min=0)
    return a, b


@pytest.mark.parametrize("size", [(16, 20), (64, 80), (3, 4)])
def test_rank_correlation_is_that_of_scipy_ties_and_all(size: tuple[int, int]) -> None:
    a, b = pairs(0, size)
    expected = [spearmanr(x.ravel(), y.ravel()).statistic for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    assert rank_correlation(a, b).tolist() == pytest.approx(expected, abs=1e-12)


def test_rank_correlation_by_hand() -> None:
    a = torch.tensor([[[1.0, 2.0, 2.0, 7.0]]])
    b = torch.tensor([[[0.0, 5.0, 4.0, 6.0]]])
    ranks_a, ranks_b = [1, 2.5, 2.5, 4], [1, 3, 2, 4]
    products = sum((x - 2.5) * (y - 2.5) for x, y in zip(ranks_a, ranks_b, strict=True))
    assert rank_correlation(a, b).item() == pytest.approx(products / (4.5 * 5) ** 0.5)


def test_the_absolute_variant_is_that_of_absolute_values() -> None:
    a, _ = pairs(1)
    assert rank_correlation(a, -a)[0].item() == -1
    assert rank_correlation(a.abs(), (-a).abs()).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("size", [(16, 20), (64, 80), (11, 13)])
def test_structural_similarity_is_that_of_scikit_image(size: tuple[int, int]) -> None:
    a, b = pairs(2, size)
    expected = []
    for pair in zip(a.double().numpy(), b.double().numpy(), strict=True):
        x, y = ((m - m.min()) / (m.max() - m.min()) for m in pair)
        expected.append(of_skimage(x, y, data_range=1, gaussian_weights=True, use_sample_covariance=False))
    assert structural_similarity(a, b).tolist() == pytest.approx(expected, abs=1e-12)


def test_maps_smaller_than_the_window_are_compared_by_a_smaller_one() -> None:
    a, b = pairs(3, (7, 8))
    smaller = structural_similarity(a, b)
    assert ((smaller > -1) & (smaller < 1)).all()
    assert structural_similarity(a, a).tolist() == pytest.approx([1] * 4)


@BOTH
def test_a_map_that_says_nothing_is_like_none(likeness) -> None:  # type: ignore[no-untyped-def]
    a, b = pairs(4, count=5)
    a[0] = 3.0
    b[1] = 0.0
    a[2, 0, 0] = torch.nan
    b[3, 0, 0] = torch.inf
    assert torch.isnan(likeness(a, b)).tolist() == [True, True, True, True, False]


@BOTH
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-2, 2), scale=st.sampled_from([0.25, 1.0, 8.0]))
def test_likeness_is_mutual_bounded_and_blind_to_scale(likeness, seed: int, shift: float, scale: float) -> None:  # type: ignore[no-untyped-def]
    a, b = pairs(seed)
    found = likeness(a, b)
    assert ((found >= -1) & (found <= 1)).all()
    assert likeness(a, a).tolist() == pytest.approx([1] * 4)
    assert likeness(b, a).tolist() == pytest.approx(found.tolist(), abs=1e-12)
    assert likeness(a * scale + shift, b).tolist() == pytest.approx(found.tolist(), abs=1e-4)


@BOTH
def test_a_pair_does_not_depend_on_its_neighbours(likeness) -> None:  # type: ignore[no-untyped-def]
    a, b = pairs(5, (64, 80), count=9)
    together = likeness(a, b)
    for row in (0, 1, 8):
        assert likeness(a[row : row + 1], b[row : row + 1]).item() == together[row].item()


@BOTH
def test_other_shapes_are_refused(likeness) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="must both be"):
        likeness(torch.zeros(2, 4, 4), torch.zeros(2, 4, 5))
    with pytest.raises(ValueError, match="must both be"):
        likeness(torch.zeros(4, 4), torch.zeros(4, 4))
