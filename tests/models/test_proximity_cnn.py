"""The proximity network is the published one, in the layout of its public weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from audit.config import ModelConfig
from audit.models import build_adapter
from audit.models.proximity_cnn import TARGET_LAYER, ProximityCNN
from tests.models.tasks import PROXIMITY


def test_parameters_carry_the_names_and_shapes_of_the_public_weights() -> None:
    shapes = {name: tuple(values.shape) for name, values in ProximityCNN(325).state_dict().items()}
    assert shapes == {
        "encoder.0.weight": (10, 3, 3, 3),
        "encoder.0.bias": (10,),
        "encoder.3.weight": (10, 10, 3, 3),
        "encoder.3.bias": (10,),
        "encoder.6.weight": (8, 10, 3, 3),
        "encoder.6.bias": (8,),
        "decoder.1.weight": (256, 640),
        "decoder.1.bias": (256,),
        "decoder.3.weight": (325, 256),
        "decoder.3.bias": (325,),
    }


def test_the_network_of_2019_has_249539_parameters() -> None:
    assert sum(values.numel() for values in ProximityCNN(325).parameters()) == 249_539


def test_dropout_stands_before_the_first_dense_layer_and_switches_off() -> None:
    network = ProximityCNN()
    assert isinstance(network.decoder[0], torch.nn.Dropout)
    assert network.decoder[0].p == 0.2
    network.eval()
    picture = torch.rand(1, 3, 64, 80)
    assert torch.equal(network(picture), network(picture))


def test_the_target_layer_is_the_last_relu_before_its_pooling() -> None:
    network = ProximityCNN()
    layer = network.get_submodule(TARGET_LAYER)
    assert isinstance(layer, torch.nn.ReLU)
    shapes: list[tuple[int, ...]] = []
    layer.register_forward_hook(lambda _m, _i, output: shapes.append(tuple(output.shape)))
    network(torch.zeros(2, 3, 64, 80))
    assert shapes == [(2, 8, 16, 20)]


def test_it_answers_in_logits_which_a_sigmoid_turns_into_the_published_probabilities() -> None:
    """A literal second forward, layer by layer from the weights, that ends in the sigmoid of the paper."""
    torch.manual_seed(3)
    network = ProximityCNN().eval()
    w = network.state_dict()
    picture = torch.randn(2, 3, 64, 80) * 3
    x = picture
    for index in (0, 3, 6):
        x = torch.conv2d(x, w[f"encoder.{index}.weight"], w[f"encoder.{index}.bias"], padding=1)
        x = torch.max_pool2d(torch.clamp(x, min=0), 2)
    x = torch.clamp(x.reshape(2, 640) @ w["decoder.1.weight"].T + w["decoder.1.bias"], min=0)
    probability = 1 / (1 + torch.exp(-(x @ w["decoder.3.weight"].T + w["decoder.3.bias"])))
    torch.testing.assert_close(torch.sigmoid(network(picture)), probability)
    assert network(picture).shape == (2, 155)


@pytest.mark.real_weights
def test_the_public_weights_load_unchanged_and_are_scored_on_their_first_155_outputs(weights_2019: Path) -> None:
    adapter = build_adapter(ModelConfig(checkpoint=str(weights_2019)), "cpu", PROXIMITY)
    assert adapter.module.state_dict()["decoder.3.bias"].shape == (325,)
    assert adapter.grid == (16, 20)
    assert adapter.checkpoint.file == "proximity_2019.safetensors"
    assert adapter.logits(torch.zeros(1, 64, 80, 3, dtype=torch.uint8).numpy()).shape == (1, 155)
