"""Occlusion, RISE, Score-CAM and Ablation-CAM, one altered copy of one picture at a time, and their closed forms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from audit.attribution import attribute
from audit.attribution.network import Network
from audit.attribution.passes import Pass, shared_pass
from audit.attribution.perturbation_maps import MASK_SEED, RandomMasks, occluded, rise
from audit.attribution.targets import all_outputs, outputs_where
from audit.config import MethodSettings
from audit.models import Adapter
from audit.models.feeding import FIXED
from audit.models.layer_layout import CHANNELS_LAST, CLASS_TOKEN_FIRST
from tests.attribution.literal_network import GRID, HEIGHT, OUTPUTS, WIDTH, Literal, close, enlarged

SIZE = (HEIGHT, WIDTH)


def target(network: Literal, fed: np.ndarray, cells: np.ndarray) -> float:
    return float(network.by_hand(fed)[2][cells].sum())


def test_occlusion_is_what_the_target_loses_under_each_patch(literal: Adapter, shown, cells) -> None:
    """A patch of 3 px moved by 2: rows 0, 2, 4 and, flush with the border, 5; columns 0, 2, 4, 6, 7."""
    wanted = MethodSettings(patch=0.4, patch_step=0.6)
    maps = attribute(literal, shown, cells, ["occlusion"], settings=wanted)["occlusion"]
    fed = literal.preprocessing.apply(shown).numpy().astype(float)
    passed = shared_pass(
        Network(literal.module, None),
        torch.from_numpy(fed).float(),
        outputs_where(cells),
        range(3),
        frozenset(),
        wanted,
    )
    found = occluded(passed)
    assert (found.tops, found.lefts, found.side) == ([0, 2, 4, 5], [0, 2, 4, 6, 7], 3)
    for row in range(3):
        drops, total, times = np.zeros((4, 5)), np.zeros(SIZE), np.zeros(SIZE)
        for a, top in enumerate(found.tops):
            for b, left in enumerate(found.lefts):
                covered = fed[row].copy()
                covered[:, top : top + 3, left : left + 3] = 0
                drops[a, b] = target(literal.module, fed[row], cells[row]) - target(literal.module, covered, cells[row])
                for i in range(top, top + 3):
                    for j in range(left, left + 3):
                        total[i, j] += drops[a, b]
                        times[i, j] += 1
        assert times.min() >= 1
        close(found.drops[row].numpy(), drops)
        close(maps[row], total / times)


@pytest.mark.parametrize("place", ["input", "picture"])
@pytest.mark.parametrize("name", ["occlusion", "rise", "score_cam"])
def test_a_grey_picture_loses_nothing_that_is_replaced_by_grey(make_adapter, cells, name: str, place: str) -> None:
    """Whatever the normalisation: of pixels in [0, 1], fed as they are, a patch of zeros would be black."""
    adapter = make_adapter(Literal(), "second", GRID, SIZE)
    wanted = MethodSettings(masks=9)
    for mean, std in FIXED.values():
        fixed = dataclasses.replace(adapter.preprocessing, normalisation="fixed", mean=mean, std=std)
        other = dataclasses.replace(adapter, preprocessing=fixed)
        even = np.full((3, *SIZE, 3), 127, np.uint8)  # half a step darker than middle grey
        rough = even + (np.indices(SIZE).sum(axis=0) % 2).astype(np.uint8)[:, :, None]  # and half a step to either side
        maps = attribute(other, rough, cells, [name], settings=wanted, gradient_at=place)[name]
        if name == "score_cam":  # equal weights, for no mask changes anything to speak of
            activation = [adapter.module.by_hand(fed)[1] for fed in fixed.apply(rough).numpy().astype(float)]
            close(maps, np.stack([a.mean(axis=0) for a in activation]), 0.001)
        else:
            assert np.abs(maps).max() < 0.01 * np.abs(other.logits(rough)).max()


class Summed(nn.Module):
    """A picture's pixels, weighted and summed: what hiding them costs is known."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)  # (3, H, W)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return (fed * self.weight).sum(dim=(1, 2, 3))[:, None]


def of_pixels(weight: torch.Tensor, pictures: torch.Tensor, wanted: MethodSettings, batch: int = 64) -> Pass:
    network = Network(Summed(weight).eval(), None)
    return shared_pass(network, pictures, all_outputs, range(len(pictures)), frozenset(), wanted, 0.0, batch)


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 14),
    width=st.integers(1, 14),
    patch=st.floats(0.05, 1),
    step=st.floats(0.05, 1),
    batch=st.integers(1, 9),
)
def test_every_pixel_is_occluded_and_a_sum_loses_what_a_patch_hides(
    height: int, width: int, patch: float, step: float, batch: int
) -> None:
    generator = torch.Generator().manual_seed(height * 100 + width)
    weight, pictures = (torch.randn(n, 3, height, width, generator=generator) for n in (1, 2))
    passed = of_pixels(weight[0], pictures, MethodSettings(patch=patch, patch_step=step), batch)
    found = occluded(passed)
    side = found.side
    hit = np.zeros((height, width), int)
    for a, top in enumerate(found.tops):
        for b, left in enumerate(found.lefts):
            hit[top : top + side, left : left + side] += 1
            hidden = (weight * pictures)[:, :, top : top + side, left : left + side]
            torch.testing.assert_close(found.drops[:, a, b], hidden.sum(dim=(1, 2, 3)), atol=1e-4, rtol=1e-4)
    assert hit.min() >= 1
    assert found.tops[-1] + side == height
    assert found.lefts[-1] + side == width


def literal_masks(height: int, width: int, count: int, cells: int, share: float) -> np.ndarray:
    """Section 3.2 of the paper: a small random grid, enlarged to one cell more than the picture, shifted at random."""
    shorter = min(height, width)
    rows, columns = round(cells * height / shorter), round(cells * width / shorter)
    cell = int(np.ceil(height / rows)), int(np.ceil(width / columns))
    generator = torch.Generator().manual_seed(MASK_SEED)
    kept = torch.rand(count, rows, columns, generator=generator).numpy() < share
    shift = torch.rand(count, 2, generator=generator).numpy()
    found = np.zeros((count, height, width))
    for n in range(count):
        whole = enlarged(kept[n].astype(float), (rows + 1) * cell[0], (columns + 1) * cell[1])
        down, right = int(shift[n, 0] * cell[0]), int(shift[n, 1] * cell[1])
        found[n] = whole[down : down + height, right : right + width]
    return found


def test_rise_is_the_mean_answer_weighted_by_the_masks(literal: Adapter, shown, cells) -> None:
    wanted = MethodSettings(masks=9, mask_cells=3, mask_share=0.4)
    maps = attribute(literal, shown, cells, ["rise"], settings=wanted)["rise"]
    fed = literal.preprocessing.apply(shown).numpy().astype(float)
    masks = literal_masks(*SIZE, 9, 3, 0.4)
    for row in range(3):
        answers = [target(literal.module, fed[row] * mask, cells[row]) for mask in masks]
        mean = sum(answers) / 9
        papers = sum((f * mask for f, mask in zip(answers, masks, strict=True)), np.zeros(SIZE)) / (9 * 0.4)
        close(maps[row], papers - mean * masks.mean(axis=0) / 0.4)


def test_rise_is_the_papers_map_less_the_mean_answer_when_masks_are_many(literal: Adapter, shown, cells) -> None:
    wanted = MethodSettings(masks=4000, mask_cells=3)
    passed = shared_pass(
        Network(literal.module, None),
        literal.preprocessing.apply(shown),
        outputs_where(cells),
        range(3),
        frozenset(),
        wanted,
    )
    masks = RandomMasks.drawn(*SIZE, 4000, 3, 0.5).of(slice(None))
    maps = attribute(literal, shown, cells, ["rise"], settings=wanted)["rise"]
    for row in range(3):
        answers = passed.scores(masks[:, None] * passed.pictures[row], torch.full((4000,), row))
        papers = torch.einsum("n,nhw->hw", answers, masks) / (4000 * 0.5)
        other = (papers - answers.mean()).numpy()
        assert np.corrcoef(maps[row].ravel(), other.ravel())[0, 1] > 0.95
        assert np.abs(maps[row] - other).max() < 0.1 * abs(float(answers.mean())) + 0.1 * np.abs(other).max()


def test_rise_is_zero_where_the_network_does_not_react() -> None:
    pictures = torch.randn(2, 3, 12, 9, generator=torch.Generator().manual_seed(0))
    constant = of_pixels(torch.zeros(3, 12, 9), pictures, MethodSettings(masks=50))
    biased = nn.Module()
    biased.forward = lambda fed: torch.full((len(fed), 1), 1234.567)  # far from 0, and it does not react
    unmoved = shared_pass(Network(biased, None), pictures, all_outputs, range(2), frozenset(), MethodSettings(masks=50))
    assert (rise(constant) == 0).all()
    assert (rise(unmoved) == 0).all()


def test_rise_is_largest_where_the_only_pixels_lie_that_count() -> None:
    weight = torch.zeros(3, 32, 40)
    weight[:, 20:28, 4:12] = 1
    found = rise(of_pixels(weight, torch.ones(1, 3, 32, 40), MethodSettings(masks=2000)))[0]
    top, left = divmod(int(found.argmax()), 40)
    assert 20 <= top < 28
    assert 4 <= left < 12
    assert abs(float(found[:12, 24:].mean())) < 0.1 * float(found.max())


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(4, 40), width=st.integers(4, 40), cells=st.integers(2, 9), share=st.sampled_from([0.1, 0.5, 0.9])
)
def test_masks_cover_the_picture_and_keep_the_share_they_are_told_to(
    height: int, width: int, cells: int, share: float
) -> None:
    masks = RandomMasks.drawn(height, width, 400, cells, share).of(slice(None))
    assert masks.shape == (400, height, width)
    assert 0 <= masks.min() <= masks.max() <= 1
    # of 400 independent cells, six standard deviations
    assert (masks.mean(dim=0) - share).abs().max() < 6 * (share * (1 - share) / 400) ** 0.5
    parted = torch.cat(
        [RandomMasks.drawn(height, width, 400, cells, share).of(slice(s, s + 7)) for s in range(0, 28, 7)]
    )
    assert (parted == masks[:28]).all()


@pytest.mark.parametrize("channels", [0, 2])
def test_score_cam_weighs_channels_by_what_the_picture_masked_by_them_says(
    literal: Adapter, shown, cells, channels: int
) -> None:
    maps = attribute(literal, shown, cells, ["score_cam"], settings=MethodSettings(channels=channels))["score_cam"]
    network: Literal = literal.module
    fed = literal.preprocessing.apply(shown).numpy().astype(float)
    for row in range(3):
        activation = network.by_hand(fed[row])[1]
        tried = sorted(range(3), key=lambda k: -np.linalg.norm(activation[k]))[: channels or 3]
        gains = []
        for k in tried:
            mask = enlarged(activation[k], *SIZE)
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            of_grey = target(network, np.zeros((3, *SIZE)), cells[row])
            gains.append(target(network, fed[row] * mask, cells[row]) - of_grey)
        weights = np.exp(gains) / np.exp(gains).sum()
        close(maps[row], sum((w * activation[k] for w, k in zip(weights, tried, strict=True)), np.zeros(GRID)))


@pytest.mark.parametrize("channels", [0, 2])
def test_ablation_cam_weighs_channels_by_what_is_lost_without_them(
    literal: Adapter, shown, cells, channels: int
) -> None:
    maps = attribute(literal, shown, cells, ["ablation_cam"], settings=MethodSettings(channels=channels))[
        "ablation_cam"
    ]
    network: Literal = literal.module
    fed = literal.preprocessing.apply(shown).numpy().astype(float)
    for row in range(3):
        activation = network.by_hand(fed[row])[1]
        whole = network.behind(activation)[cells[row]].sum()
        tried = sorted(range(3), key=lambda k: -np.linalg.norm(activation[k]))[: channels or 3]
        cam = np.zeros(GRID)
        for k in tried:
            without = activation.copy()
            without[k] = 0
            cam += (whole - network.behind(without)[cells[row]].sum()) * activation[k]
        close(maps[row], cam)


def test_a_target_below_zero_does_not_turn_the_sign_of_ablation_cam(make_adapter, shown, cells) -> None:
    """Divided by the target, as the paper has it, evidence for a negative logit would be shown as against it."""
    network, lowered = Literal(), Literal()
    with torch.no_grad():
        lowered.dense.bias -= 1000
    maps = [
        attribute(make_adapter(one, "second", GRID, SIZE), shown, cells, ["ablation_cam"])["ablation_cam"]
        for one in (network, lowered)
    ]
    close(maps[1], maps[0], 5e-3)


class Tokens(nn.Module):
    """Patches of the picture as tokens (B, 1 + 9, 4) or as (B, 3, 3, 4), averaged, then one dense layer.

    The class token is added to the mean: it counts as much as all patches together.
    """

    def __init__(self, has_class_token: bool) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 4, 4, stride=4)
        self.layer = nn.Identity()
        self.dense = nn.Linear(4, OUTPUTS)
        self.has_class_token = has_class_token

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        places = self.embed(fed).permute(0, 2, 3, 1)
        if not self.has_class_token:
            return self.dense(self.layer(places).mean(dim=(1, 2)))
        tokens = self.layer(torch.cat([torch.ones(len(fed), 1, 4), places.flatten(1, 2)], dim=1))
        return self.dense(tokens[:, 0] + tokens[:, 1:].mean(dim=1))


@pytest.mark.parametrize(
    "layout", [CHANNELS_LAST, CLASS_TOKEN_FIRST], ids=["channels last", "behind a class token, which is left alone"]
)
def test_a_channel_is_ablated_in_the_layers_own_layout(make_adapter, layout) -> None:
    network = Tokens(layout is CLASS_TOKEN_FIRST)
    adapter = make_adapter(network, "layer", (3, 3), (12, 12), layout=layout)
    shown = np.random.default_rng(1).integers(0, 256, (3, 12, 12, 3), dtype=np.uint8)
    mask = np.zeros((3, OUTPUTS), bool)
    mask[[0, 1, 2], [5, 6, 7]] = True
    maps = attribute(adapter, shown, mask, ["ablation_cam"], batch=2)["ablation_cam"]
    activation = network.embed(adapter.preprocessing.apply(shown)).detach().numpy()
    weight = network.dense.weight.detach().numpy()
    for row in range(3):
        lost = [weight[5 + row, k] * activation[row, k].mean() for k in range(4)]
        close(maps[row], sum((lost[k] * activation[row, k] for k in range(4)), np.zeros((3, 3))))


def test_a_channel_without_contrast_masks_everything_in_score_cam(make_adapter, shown, cells) -> None:
    network = Literal()
    with torch.no_grad():
        network.second.weight[1] = 0
    maps = attribute(make_adapter(network, "second", GRID, SIZE), shown, cells, ["score_cam"])["score_cam"]
    assert np.isfinite(maps).all()
