"""Integrated gradients and SmoothGrad, one copy of one picture at a time, and their closed forms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from audit.attribution import attribute
from audit.attribution.path_maps import NOISE_SEED
from audit.config import MethodSettings
from audit.models import Adapter
from audit.models.feeding import FIXED
from tests.attribution.literal_network import HEIGHT, OUTPUTS, WIDTH, close

SIZE = (HEIGHT, WIDTH)
# Gauss's points of [-1, 1] and their weights, in closed form
GAUSS = {
    2: [(-(3**-0.5), 1), (3**-0.5, 1)],
    3: [(-(0.6**0.5), 5 / 9), (0, 8 / 9), (0.6**0.5, 5 / 9)],
}


@pytest.mark.parametrize("steps", [2, 3])
def test_integrated_gradients_are_gradients_on_the_line_from_grey(literal: Adapter, shown, cells, steps: int) -> None:
    settings = MethodSettings(path_steps=steps)
    maps = attribute(literal, shown, cells, ["integrated_gradients"], settings=settings)["integrated_gradients"]
    fed = literal.preprocessing.apply(shown).numpy().astype(float)
    for row in range(3):
        mean = np.zeros((3, *SIZE))
        for point, weight in GAUSS[steps]:
            mean += weight / 2 * literal.module.gradients((point + 1) / 2 * fed[row], cells[row])[0]
        close(maps[row], sum((fed[row, c] * mean[c] for c in range(3)), np.zeros(SIZE)))


def test_integrated_gradients_add_up_to_the_target_less_that_of_grey(literal: Adapter, shown, cells) -> None:
    """Completeness (proposition 1 of the paper), up to the quadrature: a rectifier has kinks on the way."""
    fed = literal.preprocessing.apply(shown)
    grey = literal.module(torch.zeros(1, 3, *SIZE)).detach().numpy()[0]
    difference = [
        (logits - grey)[mask].sum() for logits, mask in zip(literal.module(fed).detach().numpy(), cells, strict=True)
    ]

    def missing(steps: int) -> float:
        settings = MethodSettings(path_steps=steps)
        maps = attribute(literal, shown, cells, ["integrated_gradients"], settings=settings)["integrated_gradients"]
        return float(np.abs(maps.sum(axis=(1, 2)) - difference).max() / np.abs(difference).max())

    assert missing(200) < 1e-2 < missing(2)


class Smooth(nn.Module):
    """Answers the product of two pixels' red plus a linear part: the integrand is a polynomial."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(3 * HEIGHT * WIDTH, OUTPUTS)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return self.dense(fed.flatten(1)) + 3 * (fed[:, 0, 0, 0] * fed[:, 0, 4, 7])[:, None]


def test_two_steps_are_exact_on_a_polynomial(make_adapter, shown) -> None:
    """Of a product both factors get half: integrated gradients obey symmetry."""
    adapter = make_adapter(Smooth(), "", None, SIZE)
    mask = np.zeros((3, OUTPUTS), bool)
    mask[:, 12] = True
    settings = MethodSettings(path_steps=2)
    maps = attribute(adapter, shown, mask, ["integrated_gradients"], settings=settings)["integrated_gradients"]
    fed = adapter.preprocessing.apply(shown).numpy()
    weight = adapter.module.dense.weight.detach().numpy()[12].reshape(3, *SIZE)
    for row in range(3):
        expected = (weight * fed[row]).sum(axis=0)
        expected[0, 0] += 1.5 * fed[row, 0, 0, 0] * fed[row, 0, 4, 7]
        expected[4, 7] += 1.5 * fed[row, 0, 0, 0] * fed[row, 0, 4, 7]
        close(maps[row], expected)


@pytest.mark.parametrize("place", ["picture", "input"])
@pytest.mark.parametrize(
    ("mean", "std"), [((0.4, 0.5, 0.6), (0.2, 0.3, 0.4)), ((0.0,) * 3, (1.0,) * 3), FIXED["imagenet"]]
)
def test_the_line_begins_at_grey_wherever_gradients_end(make_adapter, shown, place: str, mean, std) -> None:
    """Of pixels in [0, 1], fed as they are, zeros would be black."""
    adapter = make_adapter(Smooth(), "", None, SIZE)
    fixed = dataclasses.replace(adapter.preprocessing, normalisation="fixed", mean=mean, std=std)
    adapter = dataclasses.replace(adapter, preprocessing=fixed)
    mask = np.zeros((3, OUTPUTS), bool)
    mask[:, 12] = True
    maps = attribute(adapter, shown, mask, ["integrated_gradients"], gradient_at=place)["integrated_gradients"]
    grey = fixed.normalised(torch.full((1, 3, *SIZE), 0.5, dtype=torch.float64))
    difference = (adapter.module(fixed.apply(shown)) - adapter.module(grey))[:, 12].detach().numpy()
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), difference, rtol=1e-4)


def test_smooth_grad_is_the_mean_gradient_of_noisy_copies(literal: Adapter, shown, cells) -> None:
    settings = MethodSettings(noise_copies=5, noise_spread=0.2)
    maps = attribute(literal, shown, cells, ["smooth_grad"], settings=settings)["smooth_grad"]
    fed = literal.preprocessing.apply(shown).numpy().astype(float)
    for row in range(3):
        generator, mean = torch.Generator().manual_seed(NOISE_SEED), np.zeros((3, *SIZE))
        for _ in range(5):
            noise = torch.randn(3, *SIZE, generator=generator).numpy()
            noisy = fed[row] + 0.2 * (fed[row].max() - fed[row].min()) * noise
            mean += literal.module.gradients(noisy, cells[row])[0] / 5
        close(maps[row], np.abs(mean).max(axis=0))


def test_the_smooth_grad_of_a_linear_network_is_its_weights(make_adapter, shown) -> None:
    class Linear(Smooth):
        def forward(self, fed: torch.Tensor) -> torch.Tensor:
            return self.dense(fed.flatten(1))

    adapter = make_adapter(Linear(), "", None, SIZE)
    mask = np.zeros((3, OUTPUTS), bool)
    mask[:, 7] = True
    maps = attribute(adapter, shown, mask, ["smooth_grad"])["smooth_grad"]
    weight = adapter.module.dense.weight.detach().numpy()[7].reshape(3, *SIZE)
    for row in range(3):
        close(maps[row], np.abs(weight).max(axis=0))


def test_without_spread_to_speak_of_smooth_grad_is_saliency(literal: Adapter, shown, cells) -> None:
    maps = attribute(literal, shown, cells, ["smooth_grad", "saliency"], settings=MethodSettings(noise_spread=1e-7))
    close(maps["smooth_grad"], maps["saliency"])


def test_noise_leaves_the_callers_random_numbers_alone(literal: Adapter, shown, cells) -> None:
    before = torch.random.get_rng_state()
    attribute(literal, shown, cells, ["smooth_grad", "rise"], settings=MethodSettings(masks=4))
    assert (torch.random.get_rng_state() == before).all()
