"""Whatever is switched or hooked to look at a network is put back, also when the network breaks in the middle."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from audit.attribution import METHODS, attribute
from audit.models import Adapter
from audit.models.proximity_cnn import ProximityCNN

ALL = list(METHODS)


def fingerprint(module: nn.Module) -> dict[str, object]:
    return {
        "training": [part.training for part in module.modules()],
        "requires_grad": [parameter.requires_grad for parameter in module.parameters()],
        "grad": [parameter.grad is None for parameter in module.parameters()],
        "hooks": [(len(part._forward_hooks), len(part._backward_hooks)) for part in module.modules()],
        "inplace": [getattr(part, "inplace", None) for part in module.modules()],
        "weights": [parameter.detach().clone().numpy().tobytes() for parameter in module.parameters()],
    }


class Breaking(ProximityCNN):
    """Answers once, then breaks behind its target layer."""

    calls = 0

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        logits = super().forward(pictures)
        if self.calls > 1:
            raise RuntimeError("out of order")
        return logits


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_as_before(untrained: Adapter, pictures, targets, training: bool) -> None:
    untrained.module.train(training)
    untrained.module.decoder[0].eval()  # a mixture that a plain train() would not restore
    untrained.module.encoder[0].weight.requires_grad_(False)
    before = fingerprint(untrained.module)
    attribute(untrained, pictures, targets, ALL)
    assert fingerprint(untrained.module) == before


def test_dropout_is_off_while_looking(untrained: Adapter, pictures, targets) -> None:
    expected = attribute(untrained, pictures, targets, ALL)
    untrained.module.train()
    maps = attribute(untrained, pictures, targets, ALL)
    assert all(maps[name].tobytes() == expected[name].tobytes() for name in ALL)


def test_a_network_that_breaks_is_left_as_it_was(untrained: Adapter, pictures, targets) -> None:
    breaking = dataclasses.replace(untrained, module=Breaking().train())
    before = fingerprint(breaking.module)
    with pytest.raises(RuntimeError, match="out of order"):
        attribute(breaking, pictures, targets, ALL, batch=8)
    assert fingerprint(breaking.module) == before


def test_pictures_and_targets_are_not_written_to(untrained: Adapter, pictures, targets) -> None:
    copies = pictures.copy(), targets.copy()
    attribute(untrained, pictures, targets, ALL)
    assert (pictures == copies[0]).all()
    assert (targets == copies[1]).all()


def test_settings_of_torch_come_back(untrained: Adapter, pictures, targets) -> None:
    flags = torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    attribute(untrained, pictures, targets, ALL)
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


def test_an_in_place_relu_behind_the_target_layer_changes_no_map(make_adapter, pictures, targets) -> None:
    torch.manual_seed(2)
    plain = Stem(inplace=False)
    in_place = Stem(inplace=True)
    in_place.load_state_dict(plain.state_dict())
    maps = [
        attribute(make_adapter(network, "convolution", (64, 80)), pictures, targets, ALL)
        for network in (plain, in_place)
    ]
    assert all(maps[0][name].tobytes() == maps[1][name].tobytes() for name in ALL)
    assert (maps[0]["hires_cam"] != 0).any()


def test_a_network_that_begins_in_place_is_no_trouble(make_adapter, pictures, targets) -> None:
    adapter = make_adapter(Stem(inplace=True, first_inplace=True), "convolution", (64, 80))
    maps = attribute(adapter, pictures, targets, ALL)
    assert all(np.isfinite(values).all() for values in maps.values())
