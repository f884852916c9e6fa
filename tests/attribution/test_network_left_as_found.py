"""Whatever is switched or hooked to look at a network is put back, also when the network breaks in the middle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from audit.attribution import METHODS, attribute, refusal
from audit.config import MethodSettings
from audit.models import Adapter

ALL = list(METHODS)


@pytest.fixture(params=ALL)
def method(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def network(allowing: Callable[[str], Adapter], method: str) -> Adapter:
    return allowing(method)


def fingerprint(module: nn.Module) -> dict[str, object]:
    return {
        "training": [part.training for part in module.modules()],
        "requires_grad": [parameter.requires_grad for parameter in module.parameters()],
        "grad": [parameter.grad is None for parameter in module.parameters()],
        "hooks": [
            (len(part._forward_hooks), len(part._forward_pre_hooks), len(part._backward_hooks))
            for part in module.modules()
        ],
        "parts": [(name, type(part)) for name, part in module.named_modules()],
        "inplace": [getattr(part, "inplace", None) for part in module.modules()],
        "weights": [parameter.detach().clone().numpy().tobytes() for parameter in module.parameters()],
    }


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_as_before(
    network: Adapter, pictures, targets, method: str, quick: MethodSettings, training: bool
) -> None:
    network.module.train(training)
    list(network.module.modules())[-1].eval()  # a mixture that a plain train() would not restore
    next(network.module.parameters()).requires_grad_(False)
    before = fingerprint(network.module)
    attribute(network, pictures[:3], targets[:3], [method], settings=quick)
    assert fingerprint(network.module) == before


def test_dropout_is_off_while_looking(network: Adapter, pictures, targets, method: str, quick: MethodSettings) -> None:
    expected = attribute(network, pictures[:3], targets[:3], [method], settings=quick)[method]
    network.module.train()
    maps = attribute(network, pictures[:3], targets[:3], [method], settings=quick)[method]
    assert maps.tobytes() == expected.tobytes()


def test_a_network_that_breaks_is_left_as_it_was(
    network: Adapter, pictures, targets, method: str, quick: MethodSettings
) -> None:
    """In the second batch, or, of methods that ask about altered copies, at the first of them."""
    calls = []

    def break_down(*_: object) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise RuntimeError("out of order")

    network.module.register_forward_hook(break_down)
    network.module.train()
    before = fingerprint(network.module)
    with pytest.raises(RuntimeError, match="out of order"):
        attribute(network, pictures, targets, [method], batch=8, settings=quick)
    assert fingerprint(network.module) == before


def test_pictures_and_targets_are_not_written_to(
    network: Adapter, pictures, targets, method: str, quick: MethodSettings
) -> None:
    copies = pictures.copy(), targets.copy()
    attribute(network, pictures, targets, [method], settings=quick)
    assert (pictures == copies[0]).all()
    assert (targets == copies[1]).all()


def test_settings_of_torch_come_back(network: Adapter, pictures, targets, method: str, quick: MethodSettings) -> None:
    flags = torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    attribute(network, pictures[:3], targets[:3], [method], settings=quick)
    assert flags == (
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32,
    )


class Stem(nn.Module):
    """A convolution, something behind it, a dense layer. In-place variants change the convolution's output."""

    def __init__(self, inplace: bool, first_inplace: bool = False) -> None:
        super().__init__()
        self.first = nn.ReLU(inplace=first_inplace) if first_inplace else nn.Identity()
        self.convolution = nn.Conv2d(3, 4, 3, padding=1)
        self.activation = nn.ReLU(inplace=inplace)
        self.dense = nn.Linear(4 * 8 * 10, 155)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        hidden = self.activation(self.convolution(self.first(fed)))
        return self.dense(nn.functional.avg_pool2d(hidden, 8).flatten(1))


@pytest.mark.parametrize("name", ALL)
def test_an_in_place_relu_behind_the_target_layer_changes_no_map(
    make_adapter, pictures, targets, name: str, quick: MethodSettings
) -> None:
    torch.manual_seed(2)
    plain = Stem(inplace=False)
    in_place = Stem(inplace=True)
    in_place.load_state_dict(plain.state_dict())
    adapters = [make_adapter(network, "convolution", (64, 80)) for network in (plain, in_place)]
    if why := refusal(adapters[0], name):
        pytest.skip(f"{name} {why}")
    maps = [attribute(one, pictures[:4], targets[:4], [name], settings=quick)[name] for one in adapters]
    assert maps[0].tobytes() == maps[1].tobytes()
    assert (maps[0] != 0).any()


@pytest.mark.parametrize("name", ALL)
def test_a_network_that_begins_in_place_is_no_trouble(
    make_adapter, pictures, targets, name: str, quick: MethodSettings
) -> None:
    adapter = make_adapter(Stem(inplace=True, first_inplace=True), "convolution", (64, 80))
    if why := refusal(adapter, name):
        pytest.skip(f"{name} {why}")
    maps = attribute(adapter, pictures[:4], targets[:4], [name], settings=quick)[name]
    assert np.isfinite(maps).all()
