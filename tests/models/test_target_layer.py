"""A network that names no target layer gets a stated guess; one that names a wrong one is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import relu
from torchvision import models

from audit.config import ModelConfig, PreprocessingConfig
from audit.models import Adapter, ModelError, build_adapter
from audit.models.layer_layout import CHANNELS_FIRST, CHANNELS_LAST, CLASS_TOKEN_FIRST, guessed_layout
from tests.models import target_layer_networks as networks
from tests.models.tasks import CLASSIFICATION, PROXIMITY

HERE = "tests.models.target_layer_networks"


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    monkeypatch.chdir(Path(__file__).resolve().parents[2])


def build(name: str, target_layer: str = "", size: tuple[int, int] = (64, 80), **arguments: object) -> Adapter:
    config = ModelConfig(
        name="mine",
        architecture=f"{HERE}.{name}",
        arguments=arguments,
        target_layer=target_layer,
        preprocessing=PreprocessingConfig(height=size[0], width=size[1]),
    )
    return build_adapter(config, "cpu", PROXIMITY)


def guess(name: str, **settings: object) -> tuple[str, tuple[int, int] | None]:
    adapter = build(name, **settings)  # type: ignore[arg-type]
    assert adapter.layer_is_guess == bool(adapter.target_layer)
    return adapter.target_layer, adapter.grid


class TestAGuess:
    def test_is_the_rectifier_in_front_of_the_last_pooling(self) -> None:
        assert guess("plain") == ("2", (32, 40))

    def test_does_not_take_pooling_for_what_is_pooled(self) -> None:
        """As in VGG, whose adaptive pooling changes nothing at 224 px."""
        assert guess("doubly_pooled") == ("1", (64, 80))

    def test_is_in_front_of_the_scores_of_a_convolutional_classifier(self) -> None:
        """A shape alone picks the classifier's convolution, with as many channels as there are outputs."""
        assert guess("scored_by_convolution") == ("1", (64, 80))

    def test_is_the_last_run_of_a_rectifier_that_is_used_again(self) -> None:
        adapter = build("Reused")
        assert (adapter.target_layer, adapter.grid) == ("relu", (32, 40))

    def test_is_the_convolution_where_a_rectifiers_last_run_is_elsewhere(self) -> None:
        """The shared rectifier ends behind the dense layer, and what it gave there has no places."""
        assert guess("ReusedBehindDense") == ("second", (32, 40))

    def test_is_the_convolution_where_the_rectifier_is_a_function(self) -> None:
        assert guess("Functional") == ("second", (32, 40))

    def test_passes_over_a_branch_that_does_not_reach_the_answer(self) -> None:
        assert guess("SideBranch") == ("used", (64, 80))

    def test_of_a_network_without_places_is_none(self) -> None:
        assert guess("dense") == ("", None)

    def test_of_a_network_that_answers_a_constant_is_its_last_layer_with_places(self) -> None:
        assert guess("Constant") == ("features", (64, 80))

    def test_keeps_to_the_pictures_proportion_where_axes_are_turned(self) -> None:
        adapter = build("ChannelsLast")
        assert (adapter.target_layer, adapter.grid, adapter.layout) == ("turned", (16, 20), CHANNELS_LAST)

    def test_reads_tokens_on_the_grid_of_their_patches(self) -> None:
        adapter = build("Tokens", prefix=3)
        assert (adapter.target_layer, adapter.grid) == ("norm", (8, 10))
        assert (adapter.layout.prefix, adapter.layout.shape) == (3, "(B, 3 + height * width, channels)")

    def test_is_not_made_where_the_network_names_its_layer(self) -> None:
        adapter = build("Named")
        assert (adapter.target_layer, adapter.layer_is_guess) == ("first", False)

    def test_leaves_no_hook_and_no_gradient(self) -> None:
        module = build("plain").module
        assert not any(len(part._forward_hooks) for part in module.modules())
        assert all(parameter.grad is None and parameter.requires_grad for parameter in module.parameters())

    @pytest.mark.parametrize(
        ("name", "declared", "arguments"),
        [
            ("alexnet", "features.11", {}),
            ("resnet18", "layer4", {}),
            ("squeezenet1_1", "features", {}),  # what features.12 gives
            ("densenet121", "features", {}),  # what features.norm5 gives
            ("mobilenet_v3_small", "features", {}),  # what features.12 gives
            ("shufflenet_v2_x0_5", "conv5", {}),
            ("swin_t", "norm", {}),
        ],
    )
    def test_gives_what_is_declared_for_torchvisions_networks(
        self, name: str, declared: str, arguments: dict[str, object]
    ) -> None:
        config = ModelConfig(
            name="mine",
            architecture=f"torchvision.models.{name}",
            arguments=arguments,
            preprocessing=PreprocessingConfig(height=96, width=96),
        )
        adapter = build_adapter(config, "cpu", CLASSIFICATION)
        assert (adapter.target_layer, adapter.layer_is_guess) == (declared, True)


class TestALayerThatIsNamed:
    def refusal(self, name: str, layer: str, **settings: object) -> str:
        with pytest.raises(ModelError) as error:
            build(name, layer, **settings)  # type: ignore[arg-type]
        assert "\n" not in str(error.value)
        return str(error.value)

    def test_may_run_several_times(self) -> None:
        adapter = build("Reused", "relu")
        assert (adapter.grid, adapter.layer_is_guess) == ((32, 40), False)

    def test_may_give_tokens(self) -> None:
        assert build("Tokens", "blocks", prefix=1).grid == (8, 10)

    def test_that_does_not_exist_gets_the_nearest(self) -> None:
        assert self.refusal("Functional", "secnd") == "model mine has no layer secnd: did you mean second?"

    def test_without_places_is_refused(self) -> None:
        said = self.refusal("Functional", "dense")
        assert said == "model mine: target layer dense gives (2, 155), not a map (B, channels, height, width)"

    def test_of_a_single_place_is_refused(self) -> None:
        assert "gives (2, 4, 1, 1), not a map" in self.refusal("Pooled", "pool")

    def test_that_gives_no_tensor_is_refused(self) -> None:
        assert "gives tuple, not a map" in self.refusal("Pair", "pair")

    def test_that_does_not_run_is_refused(self) -> None:
        assert "target layer spare does not run on a picture" in self.refusal("Functional", "spare")


class TestALayoutThatIsGuessed:
    @pytest.mark.parametrize(
        ("layer", "shape", "size", "expected"),
        [
            (nn.Conv2d(3, 7, 1), (2, 7, 7, 7), (64, 64), CHANNELS_FIRST),
            (nn.LayerNorm(7), (2, 7, 7, 7), (64, 64), CHANNELS_LAST),
            (nn.Identity(), (2, 16, 20, 9), (64, 80), CHANNELS_LAST),
            (nn.Identity(), (2, 9, 16, 20), (64, 80), CHANNELS_FIRST),
            (nn.Identity(), (2, 9, 3, 4), (64, 80), CHANNELS_FIRST),  # rounded down by padding
            (nn.Identity(), (2, 9, 1, 1), (64, 80), None),
            (nn.Linear(3, 9), (2, 9), (64, 80), None),
            (nn.Identity(), (2, 31, 9), (64, 64), None),  # no grid of such a picture
            (nn.Identity(), (2, 2, 2, 2, 2), (64, 64), None),
        ],
    )
    def test_follows_layer_and_proportion(self, layer: nn.Module, shape: tuple[int, ...], size, expected) -> None:
        assert guessed_layout(layer, torch.zeros(shape), size, ()) == expected

    @pytest.mark.parametrize("prefix", [0, 1, 2, 5])
    @pytest.mark.parametrize("grids", [(), ((14, 14),)])
    def test_finds_the_tokens_without_a_place(self, prefix: int, grids: tuple[tuple[int, int], ...]) -> None:
        layout = guessed_layout(nn.LayerNorm(8), torch.zeros(2, prefix + 196, 8), (224, 224), grids)
        assert layout is not None
        assert (layout.prefix, layout.grid) == (prefix, (14, 14))
        assert layout.maps(torch.zeros(2, prefix + 196, 8)).shape == (2, 8, 14, 14)

    def test_reads_tokens_row_by_row(self) -> None:
        tokens = torch.arange(2 + 3 * 4).float().view(1, -1, 1)
        layout = guessed_layout(nn.LayerNorm(1), tokens, (96, 128), ())
        assert layout is not None
        assert layout.maps(tokens)[0, 0].tolist() == [[2, 3, 4, 5], [6, 7, 8, 9], [10, 11, 12, 13]]

    def test_fits_what_is_declared_for_a_transformer(self) -> None:
        tokens = torch.randn(2, 17, 8)
        layout = guessed_layout(nn.LayerNorm(8), tokens, (64, 64), ())
        assert layout is not None
        assert torch.equal(layout.maps(tokens), CLASS_TOKEN_FIRST.maps(tokens))


def test_a_transformer_is_read_where_its_patches_still_reach_the_class_token() -> None:
    network = networks.transformer()
    assert isinstance(network, models.VisionTransformer)
    adapter = build("transformer", size=(64, 64))
    assert (adapter.target_layer, adapter.grid) == ("encoder.layers.encoder_layer_1.ln_1", (4, 4))
    assert relu(adapter.layout.maps(torch.zeros(1, 17, 8))).shape == (1, 8, 4, 4)
