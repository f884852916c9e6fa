"""Methods that read a gradient, at the picture or at the target layer, against a backward pass written out by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from audit.attribution import attribute
from audit.models import Adapter
from tests.attribution.literal_network import (
    GRID,
    HEIGHT,
    OUTPUTS,
    WIDTH,
    Literal,
    close,
    deconvolved,
    enlarged,
    guided,
)

Oracle = Callable[[Literal, np.ndarray, np.ndarray], np.ndarray]


def largest(gradient: np.ndarray) -> np.ndarray:
    return np.array([[max(abs(gradient[c, i, j]) for c in range(3)) for j in range(WIDTH)] for i in range(HEIGHT)])


def saliency(network: Literal, fed: np.ndarray, cells: np.ndarray) -> np.ndarray:
    return largest(network.gradients(fed, cells)[0])


def saliency_sum(network: Literal, fed: np.ndarray, cells: np.ndarray) -> np.ndarray:
    red, green, blue = network.gradients(fed, cells)[0]
    return abs(red) + abs(green) + abs(blue)


def saliency_signed(network: Literal, fed: np.ndarray, cells: np.ndarray) -> np.ndarray:
    red, green, blue = network.gradients(fed, cells)[0]
    return red + green + blue


def input_x_gradient(network: Literal, fed: np.ndarray, cells: np.ndarray) -> np.ndarray:
    gradient = network.gradients(fed, cells)[0]
    return sum((fed[c] * gradient[c] for c in range(3)), np.zeros((HEIGHT, WIDTH)))


def guided_backprop(network: Literal, fed: np.ndarray, cells: np.ndarray) -> np.ndarray:
    return largest(network.gradients(fed, cells, guided)[0])


def deconvnet(network: Literal, fed: np.ndarray, cells: np.ndarray) -> np.ndarray:
    return largest(network.gradients(fed, cells, deconvolved)[0])


def grad_cam(network: Literal, fed: np.ndarray, cells: np.ndarray) -> np.ndarray:
    activation, gradient = network.by_hand(fed)[1], network.gradients(fed, cells)[1]
    cam = np.zeros(GRID)
    for k in range(3):
        cam += gradient[k].sum() / (GRID[0] * GRID[1]) * activation[k]
    return cam


def guided_grad_cam(network: Literal, fed: np.ndarray, cells: np.ndarray) -> np.ndarray:
    cam = enlarged(np.maximum(grad_cam(network, fed, cells), 0), HEIGHT, WIDTH)
    gradient = network.gradients(fed, cells, guided)[0]
    return sum((gradient[c] * cam for c in range(3)), np.zeros((HEIGHT, WIDTH)))


def grad_cam_plus_plus(network: Literal, fed: np.ndarray, cells: np.ndarray) -> np.ndarray:
    activation, gradient = network.by_hand(fed)[1], network.gradients(fed, cells)[1]
    cam = np.zeros(GRID)
    for k in range(3):
        weight = 0.0
        for i in range(GRID[0]):
            for j in range(GRID[1]):
                g = gradient[k, i, j]
                if g > 0:
                    weight += g**2 / (2 * g**2 + activation[k].sum() * g**3) * g
        cam += weight * activation[k]
    return cam


def xgrad_cam(network: Literal, fed: np.ndarray, cells: np.ndarray) -> np.ndarray:
    activation, gradient = network.by_hand(fed)[1], network.gradients(fed, cells)[1]
    cam = np.zeros(GRID)
    for k in range(3):
        total = activation[k].sum()
        weight = sum(activation[k, i, j] / total * gradient[k, i, j] for i in range(GRID[0]) for j in range(GRID[1]))
        cam += weight * activation[k]
    return cam


def hires_cam(network: Literal, fed: np.ndarray, cells: np.ndarray) -> np.ndarray:
    activation, gradient = network.by_hand(fed)[1], network.gradients(fed, cells)[1]
    return sum((gradient[k] * activation[k] for k in range(3)), np.zeros(GRID))


def layer_cam(network: Literal, fed: np.ndarray, cells: np.ndarray) -> np.ndarray:
    activation, gradient = network.by_hand(fed)[1], network.gradients(fed, cells)[1]
    cam = np.zeros(GRID)
    for k in range(3):
        for i in range(GRID[0]):
            for j in range(GRID[1]):
                cam[i, j] += max(gradient[k, i, j], 0) * activation[k, i, j]
    return cam


ORACLES: dict[str, Oracle] = {
    oracle.__name__: oracle
    for oracle in (
        *(saliency, saliency_sum, saliency_signed, input_x_gradient, guided_backprop, deconvnet, guided_grad_cam),
        *(grad_cam, grad_cam_plus_plus, xgrad_cam, hires_cam, layer_cam),
    )
}


@pytest.fixture
def literal(make_adapter) -> Adapter:
    return make_adapter(Literal(), "second", GRID, (HEIGHT, WIDTH))


@pytest.fixture
def shown() -> np.ndarray:
    return np.random.default_rng(8).integers(0, 256, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture
def cells() -> np.ndarray:
    mask = np.random.default_rng(9).random((3, OUTPUTS)) < 0.05
    assert mask.any(axis=1).all()
    return mask


@pytest.mark.parametrize("name", ORACLES)
def test_a_method_equals_its_papers_formula_by_hand(literal: Adapter, shown, cells, name: str) -> None:
    maps = attribute(literal, shown, cells, [name])[name]
    fed = literal.preprocessing.apply(shown).numpy().astype(float)
    for row in range(3):
        close(maps[row], ORACLES[name](literal.module, fed[row], cells[row]))


def test_the_network_differentiated_by_hand_answers_as_torchs_does(literal: Adapter, shown) -> None:
    fed = literal.preprocessing.apply(shown).numpy().astype(float)
    for row, logits in enumerate(literal.logits(shown)):
        close(logits, literal.module.by_hand(fed[row])[2])


def test_the_rules_on_rectifiers_are_three_different_maps(literal: Adapter, shown, cells) -> None:
    maps = attribute(literal, shown, cells, ["saliency", "guided_backprop", "deconvnet"])
    for one, other in (("saliency", "guided_backprop"), ("saliency", "deconvnet"), ("guided_backprop", "deconvnet")):
        assert np.abs(maps[one] - maps[other]).max() > 0.01 * np.abs(maps[one]).max()


class Rectified(nn.Module):
    """The same weights with another way to rectify."""

    def __init__(self, rectify: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        network = Literal()
        self.first, self.second, self.dense = network.first, network.second, network.dense
        self.rectify = rectify

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        hidden = torch.nn.functional.max_pool2d(self.rectify(self.first(fed)), 2)
        return self.dense(self.rectify(self.second(hidden)).flatten(1))


@pytest.mark.parametrize(
    "rectify",
    [
        *(nn.ReLU(), nn.ReLU(inplace=True), torch.relu, torch.relu_),
        lambda hidden: nn.functional.threshold(hidden, 0, 0),
        lambda hidden: hidden.clamp(min=0),
        lambda hidden: hidden.clamp_min(0),
    ],
    ids=["one module for both", "in place", "function", "function in place", "threshold", "clamp", "clamp_min"],
)
@pytest.mark.parametrize("name", ["guided_backprop", "deconvnet"])
def test_a_rule_on_rectifiers_holds_however_the_network_rectifies(
    make_adapter, literal: Adapter, shown, cells, rectify, name: str
) -> None:
    """By modules, as other libraries have it, guided backpropagation silently is the gradient for a function."""
    other = make_adapter(Rectified(rectify), "second", GRID, (HEIGHT, WIDTH))
    close(attribute(other, shown, cells, [name])[name], attribute(literal, shown, cells, [name])[name])
