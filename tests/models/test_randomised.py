"""The untrained null: same network, weights that know nothing, and nobody else disturbed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchvision.models import squeezenet1_0

from audit.config import ModelConfig, PreprocessingConfig
from audit.models import Adapter, build_adapter
from audit.models.proximity_cnn import ProximityCNN
from audit.models.randomised import drawn_anew, layers_from, layers_in_order, randomised, twin_of
from tests.models.tasks import CLASSIFICATION


def test_every_weight_is_drawn_anew_and_the_original_keeps_its_own(adapter: Adapter) -> None:
    before = {key: values.clone() for key, values in adapter.module.state_dict().items()}
    null = randomised(adapter, 5)
    for key, values in adapter.module.state_dict().items():
        assert torch.equal(values, before[key])
        assert not torch.equal(null.module.state_dict()[key], values)
    assert null.checkpoint.sha256 != adapter.checkpoint.sha256
    assert (null.preprocessing, null.target_layer, null.grid) == (
        adapter.preprocessing,
        adapter.target_layer,
        adapter.grid,
    )


def test_a_seed_says_which_weights(adapter: Adapter, pictures: np.ndarray) -> None:
    answers = [randomised(adapter, seed).logits(pictures) for seed in (1, 1, 2)]
    assert (answers[0] == answers[1]).all()
    assert not np.allclose(answers[0], answers[2])


def test_the_weights_are_those_of_a_network_before_training(adapter: Adapter) -> None:
    torch.manual_seed(11)
    fresh = ProximityCNN().state_dict()
    null = randomised(adapter, 11).module.state_dict()
    assert all(torch.equal(null[key], values) for key, values in fresh.items())


def test_the_global_generator_goes_on_as_if_nothing_had_happened(adapter: Adapter) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    randomised(adapter, 9)
    assert torch.equal(torch.rand(3), expected)


def test_parameters_nobody_knows_how_to_draw_are_shuffled_and_keep_their_scale(adapter: Adapter) -> None:
    class Loose(ProximityCNN):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.arange(100.0))

    loose = Loose()
    null = randomised(dataclasses.replace(adapter, module=loose), 3).module
    assert isinstance(null, Loose)
    assert torch.equal(null.scale.detach().sort().values, torch.arange(100.0))
    assert not torch.equal(null.scale, loose.scale)


class Keeping(ProximityCNN):
    """Keeps what it computed last, by itself and in a list and a dict."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        self.features = self.encoder(pictures)
        self.kept = [self.features.mean(), "mean"]
        self.by_name = {"norm": self.features.norm()}
        return self.decoder(self.features.flatten(1))


def test_a_network_that_keeps_its_activations_can_be_copied(adapter: Adapter, pictures: np.ndarray) -> None:
    """torch copies no tensor that it has recorded the making of, and the probe makes one when a network is loaded."""
    keeping = dataclasses.replace(adapter, module=Keeping().eval())
    keeping.module.load_state_dict(adapter.module.state_dict())
    keeping.module(keeping.preprocessing.apply(pictures))
    kept = keeping.module.features
    assert not kept.is_leaf
    twin = twin_of(keeping)
    assert torch.equal(twin.module.features, kept)
    assert twin.module.features.data_ptr() != kept.data_ptr()
    assert twin.module.kept == [kept.mean(), "mean"]
    assert twin.module.by_name == {"norm": kept.norm()}
    assert (twin.logits(pictures) == adapter.logits(pictures)).all()
    with layers_from(drawn_anew(keeping, 3), twin, layers_in_order(keeping)):
        assert (twin.logits(pictures) == randomised(adapter, 3).logits(pictures)).all()


def test_a_network_with_an_initialisation_of_its_own_is_made_anew(squeezenet_weights: Path) -> None:
    """Drawn layer by layer, half of SqueezeNet's outputs are dead behind its last ReLU: maps of nothing."""
    preprocessing = PreprocessingConfig(height=64, width=64, normalisation="fixed")
    config = ModelConfig(architecture="squeezenet1_0", checkpoint=str(squeezenet_weights), preprocessing=preprocessing)
    adapter = build_adapter(config, "cpu", CLASSIFICATION)
    null = randomised(adapter, 4)
    torch.manual_seed(4)
    expected = squeezenet1_0().state_dict()
    assert all(torch.equal(null.module.state_dict()[key], values) for key, values in expected.items())
    noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    assert (null.logits(noise) == 0).mean() < 0.35
    assert (randomised(adapter, 4).logits(noise) == null.logits(noise)).all()
