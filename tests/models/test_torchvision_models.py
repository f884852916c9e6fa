"""Every classification network of torchvision can be audited by its name, at a layer that is declared for it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision import models

from audit.config import ModelConfig, PreprocessingConfig
from audit.models import Adapter, ModelError, Preprocessing, build_adapter, torchvision_models
from audit.models.checkpoint import load_weights
from audit.models.layer_layout import CHANNELS_FIRST, CHANNELS_LAST, CLASS_TOKEN_FIRST
from tests.models.tasks import CLASSIFICATION, PROXIMITY

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
IMAGENET = PreprocessingConfig(height=224, width=224, normalisation="fixed", mean=MEAN, std=STD)
NAMES = torchvision_models.names()


def of_family(pattern: str) -> list[str]:
    """Its networks, the one with the fewest parameters first."""
    found = [name for name in NAMES if re.fullmatch(pattern, name)]
    return sorted(found, key=lambda name: models.get_model_weights(name).DEFAULT.meta["num_params"])


SMALLEST = [of_family(family.names)[0] for family in torchvision_models.FAMILIES]


@contextmanager
def parameters_without_memory() -> Iterator[None]:
    """Networks are built on no device at all, so that those of gigabytes cost no more than the small ones."""
    register = nn.Module.register_parameter

    def on_meta(self: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        register(self, name, parameter)
        if parameter is not None:
            self._parameters[name] = nn.Parameter(parameter.to("meta"), requires_grad=False)

    nn.Module.register_parameter = on_meta  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.register_parameter = register  # type: ignore[method-assign]


def without_memory(name: str) -> nn.Module:
    with parameters_without_memory():
        return torchvision_models.built(name, {}, models.get_model_weights(name).DEFAULT).to("meta").eval()


def config(architecture: str = "squeezenet1_0", **changes: object) -> ModelConfig:
    settings = {"task": "classification", "preprocessing": IMAGENET, "architecture": architecture, **changes}
    return ModelConfig(name="mine", **settings)  # type: ignore[arg-type]


def build(architecture: str = "squeezenet1_0", **changes: object) -> Adapter:
    return build_adapter(config(architecture, **changes), "cpu", CLASSIFICATION)


def refusal(architecture: str = "squeezenet1_0", **changes: object) -> str:
    with pytest.raises(ModelError) as error:
        build(architecture, **changes)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """An untrained network of torchvision as a file, made once."""
    folder = tmp_path_factory.mktemp("torchvision")

    def save(name: str, **arguments: object) -> Path:
        file = folder / f"{name}{''.join(f'_{k}={v}' for k, v in arguments.items())}.safetensors"
        if not file.is_file():
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                save_file(models.get_model(name, **arguments).state_dict(), file)
        return file

    return save


@pytest.fixture
def cat(squeezenet_weights: Path) -> Image.Image:
    file = squeezenet_weights.parents[1] / "images" / "cat.jpg"
    if not file.is_file():
        pytest.skip("the picture of a cat is not beside this repository (../shared/images)")
    return Image.open(file).convert("RGB")


def check_target_layer(name: str) -> None:
    network, layer = without_memory(name), torchvision_models.target_layer(name)
    layout = torchvision_models.layout(name, layer)
    seen: list[torch.Tensor] = []
    network.get_submodule(layer).register_forward_hook(lambda _m, _i, output: seen.append(output))
    side = models.get_model_weights(name).DEFAULT.meta["min_size"][0] if name.startswith("vit_") else 224
    with torch.no_grad():
        answer = network(torch.zeros(2, 3, side, side, device="meta"))
    assert answer.shape == (2, 1000)
    assert len(seen) == 1
    assert layout.fits(seen[0])
    maps = layout.maps(seen[0])
    assert maps.shape[0] == 2
    assert maps.shape[1] >= 256  # channels
    assert maps.shape[2] == maps.shape[3]  # the picture is square
    assert 5 <= maps.shape[2] <= 37


def test_a_layer_is_declared_for_every_network_and_by_one_family_alone() -> None:
    assert len(NAMES) >= 80
    for name in NAMES:
        families = [f for f in torchvision_models.FAMILIES if re.fullmatch(f.names, name)]
        assert len(families) == 1, name
        assert torchvision_models.target_layer(name)
    assert all(of_family(family.names) for family in torchvision_models.FAMILIES)


@pytest.mark.parametrize("name", SMALLEST)
def test_the_declared_layer_exists_and_gives_a_grid(name: str) -> None:
    check_target_layer(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(NAMES) - set(SMALLEST)))
def test_the_declared_layer_of_its_larger_sisters_exists_and_gives_a_grid(name: str) -> None:
    check_target_layer(name)


@pytest.mark.parametrize(
    ("name", "layer", "layout"),
    [
        ("vit_b_16", "encoder.layers.encoder_layer_3", CLASS_TOKEN_FIRST),
        ("vit_b_16", "conv_proj", CHANNELS_FIRST),
        ("swin_t", "features.5", CHANNELS_LAST),
        ("swin_t", "features.7.1", CHANNELS_LAST),
        ("swin_t", "features.0.0", CHANNELS_FIRST),
        ("swin_t", "permute", CHANNELS_FIRST),
        ("resnet18", "layer3", CHANNELS_FIRST),
        ("proximity_cnn", "encoder.7", CHANNELS_FIRST),
        ("my_networks.build", "norm", CHANNELS_FIRST),
    ],
)
def test_another_layer_of_ones_choice_lies_as_it_lies(name: str, layer: str, layout: object) -> None:
    assert torchvision_models.layout(name, layer) is layout


def test_a_file_is_loaded_by_name_and_answers_as_torchvision_does(saved: Callable[..., Path]) -> None:
    adapter = build(checkpoint=str(saved("squeezenet1_0")))
    assert (adapter.target_layer, adapter.grid, adapter.layout) == ("features.12", (13, 13), CHANNELS_FIRST)
    theirs = models.squeezenet1_0()
    theirs.load_state_dict(load_file(saved("squeezenet1_0")))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    fed = (torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(
        STD
    ).view(3, 1, 1)
    with torch.no_grad():
        np.testing.assert_allclose(adapter.logits(pictures), theirs.eval()(fed).numpy(), atol=1e-4)


def test_weights_of_another_architecture_are_named_key_by_key(saved: Callable[..., Path]) -> None:
    message = refusal(checkpoint=str(saved("resnet18")))
    assert "checkpoint resnet18.safetensors does not fit the architecture SqueezeNet" in message
    assert "missing: features.0.weight" in message
    assert "unexpected: bn1.bias" in message


def test_a_network_of_ten_classes_is_refused_in_one_line(saved: Callable[..., Path]) -> None:
    file = str(saved("squeezenet1_0", num_classes=10))
    message = refusal(checkpoint=file, arguments={"num_classes": 10})
    assert message == "model mine has 10 outputs, not 1000: one for each class of ImageNet-1k"
    assert "classifier.1.weight (10, 512, 1, 1) for (1000, 512, 1, 1)" in refusal(checkpoint=file)


def test_it_can_be_asked_about_proximity_where_it_has_the_outputs(saved: Callable[..., Path]) -> None:
    file = str(saved("squeezenet1_0", num_classes=155))
    asked = config(checkpoint=file, arguments={"num_classes": 155})
    assert build_adapter(asked, "cpu", PROXIMITY).logits([np.zeros((64, 80, 3), np.uint8)]).shape == (1, 155)


def test_it_never_runs_on_random_weights() -> None:
    assert "squeezenet1_0 needs a checkpoint" in refusal(checkpoint=None)


@pytest.mark.parametrize(
    ("architecture", "nearest"),
    [
        ("resnet_18", "resnet18"),
        ("squeezenet1_2", "squeezenet1_1"),
        ("vitb16", "vit_b_16"),
        ("proximity", "proximity_cnn"),
    ],
)
def test_an_unknown_name_gets_the_nearest_of_ours_and_of_torchvisions(architecture: str, nearest: str) -> None:
    message = refusal(architecture, checkpoint="x.safetensors")
    assert "is unknown: did you mean" in message
    assert nearest in message


@pytest.mark.parametrize("key", ["weights", "pretrained", "aux_logits", "progress"])
def test_arguments_that_would_load_weights_are_refused(saved: Callable[..., Path], key: str) -> None:
    message = refusal(checkpoint=str(saved("squeezenet1_0")), arguments={key: True})
    assert f"arguments.{key} cannot be set" in message


def test_arguments_the_network_does_not_take_are_told(saved: Callable[..., Path]) -> None:
    message = refusal(checkpoint=str(saved("squeezenet1_0")), arguments={"num_clases": 1000})
    assert "called with num_clases raised TypeError" in message


def test_a_picture_that_a_transformer_cannot_take_is_told(tmp_path: Path) -> None:
    small = {"num_layers": 1, "num_heads": 1, "hidden_dim": 8, "mlp_dim": 8, "patch_size": 32}
    torch.save(models.VisionTransformer(224, **small).state_dict(), tmp_path / "vit.pt")
    # a vision transformer knows one size, fixed when it is built
    message = refusal(
        "torchvision.models.VisionTransformer",
        arguments={"image_size": 224, **small},
        target_layer="conv_proj",
        checkpoint=str(tmp_path / "vit.pt"),
        preprocessing=PreprocessingConfig(height=64, width=80),
    )
    assert "fails on a picture of shape (B, 3, 64, 80)" in message


class TestFilesAreReadAsTheyWerePublished:
    def keys(self, network: nn.Module) -> dict[str, torch.Tensor]:
        return dict(network.state_dict())

    @pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
    def test_heads_that_only_training_uses_are_left_out(self, name: str) -> None:
        with parameters_without_memory():
            whole = models.get_model(name, aux_logits=True, init_weights=False)
            bare = torchvision_models.built(name, {"transform_input": True})
        assert any(key.startswith(torchvision_models.AUXILIARY[name]) for key in whole.state_dict())
        assert set(torchvision_models.fitted(name, self.keys(whole))) == set(self.keys(bare))

    @pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
    def test_whether_such_a_network_converts_its_input_is_never_guessed(self, name: str, tmp_path: Path) -> None:
        save_file({"x": torch.zeros(1)}, tmp_path / "own.safetensors")
        assert "arguments.transform_input=true" in refusal(name, checkpoint=str(tmp_path / "own.safetensors"))
        with parameters_without_memory():
            published = torchvision_models.built(name, {}, models.get_model_weights(name).DEFAULT)
            own = torchvision_models.built(name, {"transform_input": False})
        assert published.transform_input is True
        assert own.transform_input is False

    def test_a_transformer_is_built_for_the_size_of_its_weights(self) -> None:
        with parameters_without_memory():
            larger = torchvision_models.built("vit_b_16", {}, models.ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1)
            asked = torchvision_models.built("vit_b_16", {"image_size": 128}, models.ViT_B_16_Weights.IMAGENET1K_V1)
        assert (larger.image_size, asked.image_size) == (384, 128)

    @pytest.mark.parametrize(
        ("name", "pattern", "former"),
        [
            ("densenet121", r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2"),
            ("vit_b_32", r"(\.mlp)\.0\.", r"\1.linear_1."),
            ("vit_b_32", r"(\.mlp)\.3\.", r"\1.linear_2."),
        ],
    )
    def test_former_names_of_parameters_are_understood(self, name: str, pattern: str, former: str) -> None:
        today = self.keys(without_memory(name))
        old = {re.sub(pattern, former, key): values for key, values in today.items()}
        assert set(old) != set(today)
        assert set(torchvision_models.fitted(name, old)) == set(today)
        assert set(torchvision_models.fitted(name, today)) == set(today)

    def test_a_file_from_before_normalisations_counted_their_batches_loads(self, saved: Callable[..., Path]) -> None:
        """As torchvision's own of ResNet-18 is."""
        state = {k: v for k, v in load_file(saved("resnet18")).items() if not k.endswith("num_batches_tracked")}
        network = models.resnet18()
        load_weights(network, state, "checkpoint")
        assert all(torch.equal(network.state_dict()[key], values) for key, values in state.items())
        del state["bn1.running_mean"]
        with pytest.raises(ModelError, match=r"missing: bn1\.running_mean$"):
            load_weights(network, state, "checkpoint")

    def test_a_network_that_asks_files_for_their_version_loads_from_one_that_has_none(self) -> None:
        network = models.mnasnet0_5()
        state = {key: values + 1 for key, values in network.state_dict().items()}
        load_weights(network, state, "checkpoint")
        assert all(torch.equal(network.state_dict()[key], values) for key, values in state.items())

    @pytest.mark.slow
    def test_googlenet_with_all_its_heads_answers_as_torchvisions(self, saved: Callable[..., Path]) -> None:
        file = saved("googlenet", init_weights=False, aux_logits=True, transform_input=True)
        adapter = build("googlenet", checkpoint=str(file), arguments={"transform_input": True})
        assert adapter.grid == (7, 7)
        theirs = models.googlenet(init_weights=False, aux_logits=True, transform_input=True).eval()
        theirs.load_state_dict(load_file(file))
        pictures = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
        with torch.no_grad():
            expected = theirs(Preprocessing.from_config(IMAGENET).apply(pictures)).numpy()
        np.testing.assert_allclose(adapter.logits(pictures), expected, atol=1e-4)


class Probable(nn.Module):
    """A classifier that ends in a softmax."""

    target_layer = "features"

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3, stride=2)
        self.dense = nn.Linear(4, 1000)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.dense(self.features(fed).mean(dim=(2, 3))), dim=1)


def test_a_network_that_returns_probabilities_of_classes_is_read_as_its_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    monkeypatch.setattr("tests.models.planted.Probable", Probable, raising=False)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    small = PreprocessingConfig(height=32, width=32)
    asked = {"architecture": "tests.models.planted.Probable", "checkpoint": None, "preprocessing": small}
    assert "ends in a softmax: set outputs=probabilities" in refusal(**asked)  # type: ignore[arg-type]
    adapter = build(outputs="probabilities", **asked)  # type: ignore[arg-type]
    with torch.no_grad():
        expected = adapter.module.network(adapter.preprocessing.apply(pictures)).numpy()
    np.testing.assert_allclose(CLASSIFICATION.probability(adapter.logits(pictures)), expected, rtol=1e-4)


@pytest.mark.real_weights
class TestSqueezeNetWithRealWeights:
    """Published weights on a photograph: the whole path, against numbers measured elsewhere."""

    def answers(self, adapter: Adapter, picture: np.ndarray) -> dict[str, float]:
        probability = CLASSIFICATION.probability(adapter.logits([picture]))
        listed = CLASSIFICATION.answers(probability, np.zeros((1, 1000), np.int8))
        return dict(zip(listed["answer"], listed["probability"], strict=True))

    def test_a_cropped_cat_is_a_tiger_cat(self, squeezenet_weights: Path, cat: Image.Image) -> None:
        scale = 256 / min(cat.size)
        width, height = (round(side * scale) for side in cat.size)
        left, top = (width - 227) // 2, (height - 227) // 2
        crop = cat.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + 227, top + 227))
        whole = PreprocessingConfig(height=227, width=227, normalisation="fixed", mean=MEAN, std=STD)
        found = self.answers(build(checkpoint=str(squeezenet_weights), preprocessing=whole), np.asarray(crop))
        assert list(found)[:3] == ["tiger cat", "Egyptian cat", "tabby"]
        assert list(found.values())[:3] == pytest.approx([0.82, 0.14, 0.04], abs=0.01)

    def test_the_whole_frame_is_one_too(self, squeezenet_weights: Path, cat: Image.Image) -> None:
        adapter = build(checkpoint=str(squeezenet_weights))
        found = self.answers(adapter, np.asarray(cat))
        assert next(iter(found)) == "tiger cat"
        label = CLASSIFICATION.label([])[None].copy()
        label[0, 282] = 1
        logits = adapter.logits([np.asarray(cat)])
        table = CLASSIFICATION.score(logits, CLASSIFICATION.probability(logits), label, label == 1, 0.5)
        scores = table.set_index("metric")["value"]
        assert (scores["top1"], scores["top5"]) == (1, 1)
        assert scores["target_probability"] == pytest.approx(found["tiger cat"])
        rest = found["Egyptian cat"]
        assert scores["logit_margin"] == pytest.approx(math.log(found["tiger cat"] / rest), rel=1e-3)
