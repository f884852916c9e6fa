"""Layers are randomised one after the other, in the order in which they run, and nobody else is disturbed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from audit.config import ModelConfig
from audit.models import Adapter, build_adapter
from audit.models.proximity_cnn import ProximityCNN
from audit.models.randomised import drawn_anew, layers_from, layers_in_order, randomised, steps_from_output, twin_of
from tests.models.tasks import PROXIMITY

FORWARDS = ("encoder.0", "encoder.3", "encoder.6", "decoder.1", "decoder.3")


class Backwards(nn.Module):
    """Defined from the output to the input; its first layer runs twice and one of its parts is never called itself."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 155)
        self.mixer = nn.MultiheadAttention(8, 2, batch_first=True)
        self.same = nn.Linear(8, 8)
        self.stem = nn.Conv2d(3, 8, 8, stride=8)
        self.gain = nn.Parameter(torch.ones(8))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        tokens = self.same(self.stem(pictures).flatten(2).transpose(1, 2))
        mixed = self.mixer(tokens, tokens, tokens, need_weights=False)[0]
        return self.head(self.same(mixed.mean(dim=1)) * self.gain)


def changed(adapter: Adapter, twin: Adapter) -> set[str]:
    """The names of the modules whose own tensors differ."""
    before, after = adapter.module.state_dict(), twin.module.state_dict()
    return {key.rpartition(".")[0] for key in before if not torch.equal(before[key], after[key])}


def test_layers_come_in_the_order_in_which_they_run_not_in_which_they_are_defined(
    adapter: Adapter,
) -> None:
    assert layers_in_order(adapter) == FORWARDS
    found = layers_in_order(dataclasses.replace(adapter, module=Backwards()))
    # the network's own gain first, since its forward begins first; what runs twice where it last does
    assert found == ("", "stem", "mixer", "mixer.out_proj", "same", "head")


def test_looking_for_the_order_leaves_no_hook_behind(adapter: Adapter) -> None:
    layers_in_order(adapter)
    assert not any(part._forward_pre_hooks for part in adapter.module.modules())


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [5]), (2, [2, 3]), (3, [2, 1, 2]), (5, [1] * 5), (8, [1] * 5)], ids=str
)
def test_steps_go_from_the_output_to_the_input_and_take_every_layer_once(count: int, sizes: list[int]) -> None:
    steps = steps_from_output(FORWARDS, count)
    assert [len(step) for step in steps] == sizes
    assert tuple(layer for step in steps for layer in step) == FORWARDS[::-1]


def test_only_the_layers_named_are_randomised_and_only_for_a_while(adapter: Adapter) -> None:
    drawn, twin = drawn_anew(adapter, 3), twin_of(adapter)
    for layers in (FORWARDS[-1:], FORWARDS[2:], FORWARDS[1:2]):
        with layers_from(drawn, twin, layers):
            assert changed(adapter, twin) == set(layers)
        assert changed(adapter, twin) == set()
    with pytest.raises(KeyboardInterrupt), layers_from(drawn, twin, FORWARDS):
        raise KeyboardInterrupt
    assert changed(adapter, twin) == set()


def test_with_all_layers_randomised_it_is_the_untrained_network(adapter: Adapter, pictures: np.ndarray) -> None:
    untrained = randomised(adapter, 3)
    with layers_from(drawn_anew(adapter, 3), twin_of(adapter), FORWARDS) as twin:
        assert (twin.logits(pictures) == untrained.logits(pictures)).all()
        assert not np.allclose(twin.logits(pictures), adapter.logits(pictures))


def test_loose_parameters_and_buffers_are_taken_along(adapter: Adapter) -> None:
    own = ProximityCNN()
    own.encoder.insert(1, nn.BatchNorm2d(10))
    own.encoder[1].running_mean.fill_(5.0)
    adapter = dataclasses.replace(adapter, module=own.eval())
    with layers_from(drawn_anew(adapter, 0), twin_of(adapter), ["encoder.1"]) as twin:
        assert (twin.module.encoder[1].running_mean == 0).all()
    assert (own.encoder[1].running_mean == 5).all()


def test_the_network_and_the_global_generator_stay_as_they_are(adapter: Adapter, pictures: np.ndarray) -> None:
    before = adapter.logits(pictures)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    for step in steps_from_output(layers_in_order(adapter), 3):
        with layers_from(drawn_anew(adapter, 1), twin_of(adapter), step) as twin:
            twin.logits(pictures)
    assert torch.equal(torch.rand(3), expected)
    assert (adapter.logits(pictures) == before).all()


def test_names_count_from_the_users_network_where_it_returns_probabilities(pictures: np.ndarray) -> None:

    config = ModelConfig(
        architecture="tests.models.test_layers_taken_away.Squashed",
        outputs="probabilities",
        target_layer="inner.encoder.7",
    )
    adapter = build_adapter(config, "cpu", PROXIMITY)
    layers = layers_in_order(adapter)
    assert layers == tuple(f"inner.{layer}" for layer in FORWARDS)
    with layers_from(drawn_anew(adapter, 2), twin_of(adapter), layers) as twin:
        assert not np.allclose(twin.logits(pictures), adapter.logits(pictures))


class Squashed(nn.Module):
    """The proximity network with a sigmoid at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = ProximityCNN()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.inner(pictures))
