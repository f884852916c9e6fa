"""Deletion and insertion, on scores whose curves are known by hand and against a loop that does it pixel by pixel."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

from audit.attention.faithfulness import blurred, faithfulness, removal_ranks

SIZE = (4, 5)


def picture_pair(seed: int, count: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, *SIZE, generator=generator), torch.rand(count, 3, *SIZE, generator=generator)


def linear(weights: Tensor):  # type: ignore[no-untyped-def]
    """f(x) = sum of weights (B, H, W) times the picture's red, of the picture's own row."""

    def scores(pictures: Tensor, of: Tensor) -> Tensor:
        return (pictures[:, 0] * weights[of]).sum(dim=(1, 2))

    return scores


def looped(map_: Tensor, picture: Tensor, reference: Tensor, score, steps: int) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Deletion and insertion AUC of one map without ties, one picture at a time."""
    places = sorted(((i, j) for i in range(SIZE[0]) for j in range(SIZE[1])), key=lambda p: -float(map_[p]))
    top, bottom = float(score(picture)), float(score(reference))
    areas = []
    for start, into in ((picture, reference), (reference, picture)):
        points = []
        for step in range(steps + 1):
            count = round(step * len(places) / steps)
            changed = start.clone()
            for i, j in places[:count]:
                changed[:, i, j] = into[:, i, j]
            points.append((count / len(places), (float(score(changed)) - bottom) / (top - bottom)))
        areas.append(sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points)))
    return areas[0], areas[1]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.sampled_from([1, 3, 5, 20]), batch=st.sampled_from([1, 7, 64]))
def test_the_areas_are_those_of_a_loop_over_pixels(seed: int, steps: int, batch: int) -> None:
    pictures, references = picture_pair(seed)
    maps = torch.randn(2, *SIZE, generator=torch.Generator().manual_seed(seed + 1))
    mix = torch.linspace(-1, 2, 60)

    def one(picture: Tensor) -> Tensor:
        return (picture.double().flatten() * mix).sin().sum() * 10

    def scores(many: Tensor, of: Tensor) -> Tensor:
        assert len(many) <= batch
        return torch.stack([one(p) for p in many])

    found = faithfulness(maps, pictures, references, scores, steps=steps, batch=batch, epsilon=1e-9)
    for row in range(2):
        deletion, insertion = looped(maps[row], pictures[row], references[row], one, steps)
        assert found.deletion_auc[row].item() == pytest.approx(deletion, rel=1e-5)
        assert found.insertion_auc[row].item() == pytest.approx(insertion, rel=1e-5)


def test_a_linear_score_by_hand() -> None:
    """Four pixels of weight 4, 3, 2, 1, white on black. Of 10 remain 6, 3, 1, 0; in the wrong order 9, 7, 4, 0."""
    weights = torch.tensor([[[4.0, 3.0, 2.0, 1.0]]])
    white, black = torch.ones(1, 3, 1, 4), torch.zeros(1, 3, 1, 4)
    right = faithfulness(weights, white, black, linear(weights), steps=4)
    assert right.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert right.deletion[0].tolist() == pytest.approx([1, 0.6, 0.3, 0.1, 0])
    assert right.insertion[0].tolist() == pytest.approx([0, 0.4, 0.7, 0.9, 1])
    assert right.deletion_auc.item() == pytest.approx(0.375)
    assert right.insertion_auc.item() == pytest.approx(0.625)
    wrong = faithfulness(1 / weights, white, black, linear(weights), steps=4)
    assert wrong.deletion_auc.item() == pytest.approx(0.625)


def test_of_a_linear_score_deletion_and_insertion_add_to_one() -> None:
    pictures, references = picture_pair(3)
    weights = torch.randn(2, *SIZE, generator=torch.Generator().manual_seed(3))
    found = faithfulness(torch.rand(2, *SIZE), pictures, references, linear(weights), epsilon=1e-6)
    assert (found.deletion_auc + found.insertion_auc).tolist() == pytest.approx([1, 1], abs=1e-4)


def test_neither_offset_nor_scale_nor_sign_of_the_score_matters() -> None:
    """A regressor's output has no zero of its own, and lower may be what the picture says."""
    pictures, references = picture_pair(4)
    weights = torch.randn(2, *SIZE, generator=torch.Generator().manual_seed(4))
    plain = linear(weights)
    maps = torch.rand(2, *SIZE, generator=torch.Generator().manual_seed(5))
    found = faithfulness(maps, pictures, references, plain, epsilon=1e-6)
    other = faithfulness(maps, pictures, references, lambda p, of: 5 - 8 * plain(p, of), epsilon=1e-6)
    assert other.deletion_auc.tolist() == pytest.approx(found.deletion_auc.tolist(), abs=1e-4)


def test_the_best_order_is_the_gradients_and_random_orders_lie_at_a_half() -> None:
    weights = torch.rand(1, *SIZE, generator=torch.Generator().manual_seed(6)) ** 4
    white, black = torch.ones(1, 3, *SIZE), torch.zeros(1, 3, *SIZE)
    best = faithfulness(weights, white, black, linear(weights), steps=20).deletion_auc.item()
    count = 400
    random = torch.rand(count, *SIZE, generator=torch.Generator().manual_seed(7))
    many = [t.expand(count, -1, -1, -1) for t in (white, black)]
    areas = faithfulness(random, *many, linear(weights.expand(count, -1, -1)), steps=20).deletion_auc
    assert best < areas.min().item()
    assert areas.mean().item() == pytest.approx(0.5, abs=0.02)


def test_no_difference_between_picture_and_reference_is_undefined() -> None:
    pictures, references = picture_pair(8, count=5)
    references[0] = pictures[0]
    maps = torch.rand(5, *SIZE)
    maps[1], maps[2, 0, 0] = -1.0, torch.nan
    broken = torch.ones(5, *SIZE)
    broken[3] = torch.nan
    found = faithfulness(maps, pictures, references, linear(broken))
    assert found.undefined_reason.tolist() == ["no_difference", "zero_map", "nan_map", "nan_output", ""]
    for areas in (found.deletion_auc, found.insertion_auc):
        assert torch.isnan(areas).tolist() == [True, True, True, True, False]


def test_nothing_is_asked_about_maps_that_say_nothing() -> None:
    def scores(pictures: Tensor, of: Tensor) -> Tensor:
        raise AssertionError("asked")

    found = faithfulness(torch.zeros(2, *SIZE), *picture_pair(9), scores)
    assert found.undefined_reason.tolist() == ["zero_map", "zero_map"]


@pytest.mark.parametrize("batch", [1, 5, 1000])
def test_the_batch_size_changes_nothing_and_no_end_is_asked_twice(batch: int) -> None:
    pictures, references = picture_pair(10, count=3)
    weights = torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(10))
    asked = []

    def scores(many: Tensor, of: Tensor) -> Tensor:
        asked.append(len(many))
        return (many[:, 0].double() * weights[of]).flatten(1).cumsum(dim=1)[:, -1]

    maps = torch.rand(3, 2, 3, generator=torch.Generator().manual_seed(11))
    found = faithfulness(maps, pictures, references, scores, steps=8, batch=batch)
    assert sum(asked) == 3 * 2 * 8
    assert max(asked) <= batch
    alone = faithfulness(maps[1:2], pictures[1:2], references[1:2], lambda p, of: scores(p, of + 1), steps=8)
    assert alone.deletion_auc.item() == found.deletion_auc[1].item()
    assert alone.insertion_auc.item() == found.insertion_auc[1].item()


def test_ties_are_taken_all_over_the_picture_and_always_in_the_same_order() -> None:
    maps = torch.zeros(2, 32, 40)
    maps[0, 20, 20] = 1
    ranks = removal_ranks(maps).reshape(2, 32, 40)
    assert ranks[0, 20, 20] == 0
    assert sorted(ranks[0].flatten().tolist()) == list(range(32 * 40))
    first_half = (ranks[0] < 640).float()
    for part in (first_half[:16], first_half[16:], first_half[:, :20], first_half[:, 20:]):
        assert 0.4 < part.mean() < 0.6
    assert torch.equal(removal_ranks(maps), ranks.flatten(1))


def test_the_blur_is_that_of_the_paper_at_its_size_and_scales_with_the_picture() -> None:
    picture = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(12))
    expected = ndimage.gaussian_filter(picture.double().numpy(), (0, 0, 5, 5), radius=(0, 0, 5, 5), mode="nearest")
    np.testing.assert_allclose(blurred(picture).numpy(), expected, atol=1e-6)
    small = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(13))
    sigma = 5 * (64 * 80) ** 0.5 / 224
    expected = ndimage.gaussian_filter(
        small.double().numpy(), (0, 0, sigma, sigma), radius=(0, 0, 2, 2), mode="nearest"
    )
    np.testing.assert_allclose(blurred(small).numpy(), expected, atol=1e-6)


def test_what_does_not_belong_together_is_refused() -> None:
    pictures, references = picture_pair(14)
    with pytest.raises(ValueError, match="must be"):
        faithfulness(torch.zeros(3, *SIZE), pictures, references, linear(torch.ones(2, *SIZE)))
    with pytest.raises(ValueError, match="must be"):
        faithfulness(torch.zeros(2, *SIZE), pictures, references[:1], linear(torch.ones(2, *SIZE)))
    with pytest.raises(ValueError, match="at least 1"):
        faithfulness(torch.zeros(2, *SIZE), pictures, references, linear(torch.ones(2, *SIZE)), steps=0)
