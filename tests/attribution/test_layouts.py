"""Maps of classifiers: layers whose output lies in another order, in-place networks, and maps against their literal
form, cut out of the network by hand without any hook.
"""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from audit.attribution import FAMILY, attribute
from audit.config import ModelConfig, PreprocessingConfig
from audit.models import Adapter, build_adapter, torchvision_models
from audit.models.layer_layout import CHANNELS_FIRST, CHANNELS_LAST, CLASS_TOKEN_FIRST, LayerLayout
from tests.models.tasks import CLASSIFICATION

ALL = [*FAMILY, "guided_backprop", "deconvnet", "guided_grad_cam"]
SQUEEZENET = Path(__file__).resolve().parents[3] / "shared" / "weights" / "squeezenet1_0.safetensors"


def close(measured: np.ndarray, expected: np.ndarray, relative: float = 1e-4) -> None:
    np.testing.assert_allclose(measured, expected, atol=relative * np.abs(expected).max(), rtol=0)


def pictures(height: int, width: int, count: int = 2) -> np.ndarray:
    coarse = np.random.default_rng(1).integers(0, 256, (count, height // 8, width // 8, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def classes(*indices: int) -> np.ndarray:
    """One class a picture."""
    mask = np.zeros((len(indices), 1000), bool)
    mask[np.arange(len(indices)), indices] = True
    return mask


def literal(activation: np.ndarray, gradient: np.ndarray) -> dict[str, np.ndarray]:
    """Grad-CAM and HiResCAM of one picture, (C, h, w) each, one place at a time."""
    channels, height, width = activation.shape
    weights = [gradient[c].sum() / (height * width) for c in range(channels)]
    cam, hires = np.zeros((height, width)), np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            cam[i, j] = sum(weights[c] * activation[c, i, j] for c in range(channels))
            hires[i, j] = sum(gradient[c, i, j] * activation[c, i, j] for c in range(channels))
    return {"grad_cam": cam, "hires_cam": hires}


def untrained(network: nn.Module) -> nn.Module:
    """Weights of a fixed seed, large enough for answers to differ."""
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** 0.5)
    return network.eval()


@pytest.fixture
def make_classifier(make_adapter):
    def make(
        network: nn.Module,
        layer: str,
        grid: tuple[int, int],
        size: tuple[int, int],
        layout: LayerLayout = CHANNELS_FIRST,
    ) -> Adapter:
        return make_adapter(untrained(network), layer, grid, size, task=CLASSIFICATION, layout=layout)

    return make


class TestALayout:
    @pytest.mark.parametrize(
        ("layout", "place"),
        [
            (CHANNELS_FIRST, lambda c, i, j: (c, i, j)),
            (CHANNELS_LAST, lambda c, i, j: (i, j, c)),
            (CLASS_TOKEN_FIRST, lambda c, i, j: (1 + i * 3 + j, c)),
        ],
        ids=lambda value: getattr(value, "name", ""),
    )
    def test_brings_every_number_to_its_channel_row_and_column(self, layout: LayerLayout, place) -> None:
        height = 3 if layout is CLASS_TOKEN_FIRST else 2
        shape = {
            "channels_first": (2, 4, height, 3),
            "channels_last": (2, height, 3, 4),
            "tokens": (2, 10, 4),
        }[layout.name]
        output = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        assert layout.fits(output)
        maps = layout.maps(output)
        assert maps.shape == (2, 4, height, 3)
        for c in range(4):
            for i in range(height):
                for j in range(3):
                    assert (maps[:, c, i, j] == output[(slice(None), *place(c, i, j))]).all()

    @pytest.mark.parametrize(
        ("layout", "shape"),
        [
            (CHANNELS_FIRST, (2, 5)),
            (CHANNELS_LAST, (2, 5, 4)),
            (CLASS_TOKEN_FIRST, (2, 4, 7, 7)),
            (CLASS_TOKEN_FIRST, (2, 9, 8)),  # eight patches are no square
            (CLASS_TOKEN_FIRST, (2, 1, 8)),  # no patches at all
        ],
    )
    def test_does_not_fit_any_output(self, layout: LayerLayout, shape: tuple[int, ...]) -> None:
        assert not layout.fits(torch.zeros(shape))


def test_a_transformer_is_read_at_its_patches(make_classifier) -> None:
    """Cut at the last block's first normalisation; behind it, the block and the head, written out."""
    network = models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=24, num_classes=1000
    )
    nn.init.normal_(network.heads.head.weight, generator=torch.Generator().manual_seed(1))
    adapter = make_classifier(network, "encoder.layers.encoder_layer_1.ln_1", (4, 4), (32, 32), CLASS_TOKEN_FIRST)
    shown, targets = pictures(32, 32), classes(7, 800)
    maps = attribute(adapter, shown, targets, ALL)
    assert maps["hires_cam"].shape == (2, 4, 4)
    last = network.encoder.layers.encoder_layer_1
    for row in range(2):
        fed = adapter.preprocessing.apply(shown[row : row + 1])
        tokens = network._process_input(fed)
        tokens = torch.cat([network.class_token.expand(1, -1, -1), tokens], dim=1) + network.encoder.pos_embedding
        before = network.encoder.layers.encoder_layer_0(tokens)
        normal = last.ln_1(before).detach().requires_grad_()
        attended = last.self_attention(normal, normal, normal, need_weights=False)[0] + before.detach()
        behind = network.encoder.ln(attended + last.mlp(last.ln_2(attended)))
        network.heads(behind[:, 0])[0, np.flatnonzero(targets[row])[0]].backward()

        def places(tokens: torch.Tensor) -> np.ndarray:
            patches = tokens.detach()[0, 1:].numpy()  # 16 patches, row by row
            return np.array([[patches[i * 4 + j] for j in range(4)] for i in range(4)]).transpose(2, 0, 1)

        expected = literal(places(normal), places(normal.grad))
        close(maps["grad_cam"][row], expected["grad_cam"])
        close(maps["hires_cam"][row], expected["hires_cam"])
    assert (maps["hires_cam"] != 0).all()


def test_a_layer_with_its_channels_last_gives_the_map_that_the_answer_is_the_sum_of(make_classifier) -> None:
    """Behind the last normalisation of a Swin transformer: mean over places, then one dense layer. Not square."""
    network = models.SwinTransformer(
        patch_size=[4, 4], embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=[2, 2], num_classes=1000
    )
    adapter = make_classifier(network, "norm", (4, 6), (32, 48), CHANNELS_LAST)
    shown, targets = pictures(32, 48), classes(3, 999)
    maps = attribute(adapter, shown, targets, ["grad_cam", "hires_cam"])
    fed = adapter.preprocessing.apply(shown)
    with torch.no_grad():
        normal = network.norm(network.features(fed))  # (2, 4, 6, 16)
    for row, index in enumerate((3, 999)):
        weight = network.head.weight[index].detach()
        expected = np.array([[float(normal[row, i, j] @ weight) / 24 for j in range(6)] for i in range(4)])
        close(maps["hires_cam"][row], expected)
        close(maps["grad_cam"][row], expected)  # behind a mean the gradient is the same everywhere
        logit = adapter.logits(shown)[row, index] - float(network.head.bias[index].detach())
        assert maps["hires_cam"][row].sum() == pytest.approx(logit, rel=1e-3, abs=1e-4)


def test_in_front_of_densenets_last_relu_hirescam_is_the_class_activation_map_behind_it(make_classifier) -> None:
    """The ReLU is an in-place function; the map must be made of what the layer put out, before it was overwritten."""
    network = models.DenseNet(growth_rate=4, block_config=(1, 1, 1, 1), num_init_features=8, num_classes=1000)
    adapter = make_classifier(network, torchvision_models.target_layer("densenet121"), (2, 3), (64, 96))
    shown, targets = pictures(64, 96), classes(5, 6)
    maps = attribute(adapter, shown, targets, ["grad_cam", "hires_cam"])
    with torch.no_grad():
        normal = network.features(adapter.preprocessing.apply(shown)).clone()
    assert (normal < 0).any()
    for row, index in enumerate((5, 6)):
        weight = network.classifier.weight[index].detach().numpy()
        behind = np.maximum(normal[row].numpy(), 0)
        expected = np.array([[(behind[:, i, j] * weight).sum() / 6 for j in range(3)] for i in range(2)])
        close(maps["hires_cam"][row], expected)
        gradient = weight[:, None, None] / 6 * (normal[row].numpy() > 0)
        close(maps["grad_cam"][row], literal(normal[row].numpy(), gradient)["grad_cam"])


@pytest.fixture(params=["untrained", "with its real weights"])
def squeezenet(request: pytest.FixtureRequest) -> Adapter:
    preprocessing = PreprocessingConfig(
        height=64, width=80, normalisation="fixed", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]
    )
    if request.param == "untrained":
        config = ModelConfig(
            architecture="torchvision.models.squeezenet1_0", target_layer="features.12", preprocessing=preprocessing
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            adapter = build_adapter(config, "cpu", CLASSIFICATION)
        untrained(adapter.module)
        return adapter
    if not SQUEEZENET.is_file():
        pytest.skip("ImageNet weights of SqueezeNet are not beside this repository (../shared/weights)")
    config = ModelConfig(architecture="squeezenet1_0", checkpoint=str(SQUEEZENET), preprocessing=preprocessing)
    return build_adapter(config, "cpu", CLASSIFICATION)


def likeliest(adapter: Adapter, shown: np.ndarray) -> np.ndarray:
    return classes(*adapter.logits(shown).argmax(axis=1))


def test_squeezenets_maps_equal_their_literal_form(squeezenet: Adapter) -> None:
    """Cut behind the last fire module; behind it a convolution, an in-place ReLU and a mean."""
    shown = pictures(64, 80)
    targets = likeliest(squeezenet, shown)
    maps = attribute(squeezenet, shown, targets, ALL)
    network = squeezenet.module
    for row in range(2):
        fed = squeezenet.preprocessing.apply(shown[row : row + 1]).requires_grad_()
        activation = network.features(fed)
        activation.retain_grad()
        scores = torch.relu(network.classifier[1](activation)).mean(dim=(2, 3))
        scores[0, np.flatnonzero(targets[row])[0]].backward()
        expected = literal(activation.detach()[0].numpy(), activation.grad[0].numpy())
        close(maps["grad_cam"][row], expected["grad_cam"])
        close(maps["hires_cam"][row], expected["hires_cam"])
        close(maps["saliency"][row], fed.grad[0].abs().amax(dim=0).numpy())
        network.zero_grad()


def test_squeezenets_saliency_and_grad_cam_equal_captums(squeezenet: Adapter) -> None:
    captum = pytest.importorskip("captum.attr")
    shown = pictures(64, 80)
    targets = likeliest(squeezenet, shown)
    index = torch.from_numpy(targets.argmax(axis=1))
    fed = squeezenet.preprocessing.apply(shown)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gradient = captum.Saliency(squeezenet.module).attribute(fed.clone().requires_grad_(), target=index, abs=True)
        cam = captum.LayerGradCam(squeezenet.module, squeezenet.layer()).attribute(fed, target=index)
    maps = attribute(squeezenet, shown, targets, ["saliency", "grad_cam"])
    close(maps["saliency"], gradient.amax(dim=1).numpy())
    close(maps["grad_cam"], cam[:, 0].detach().numpy())


@pytest.mark.parametrize("layer", ["features.12", "features.12.expand3x3", "features.0"])
def test_in_place_relus_of_squeezenet_change_no_map(squeezenet: Adapter, layer: str) -> None:
    import dataclasses

    shown = pictures(64, 80)
    targets = likeliest(squeezenet, shown)
    apart = copy.deepcopy(squeezenet.module)
    for part in apart.modules():
        if isinstance(part, nn.ReLU):
            assert part.inplace
            part.inplace = False
    sized = {"features.12": (3, 4), "features.12.expand3x3": (3, 4), "features.0": (29, 37)}[layer]
    at = dataclasses.replace(squeezenet, target_layer=layer, grid=sized)
    maps = attribute(at, shown, targets, ALL)
    expected = attribute(dataclasses.replace(at, module=apart), shown, targets, ALL)
    assert all(maps[name].tobytes() == expected[name].tobytes() for name in ALL)
    assert (maps["hires_cam"] != 0).any()
    assert all(part.inplace for part in squeezenet.module.modules() if isinstance(part, nn.ReLU))


def test_the_map_of_two_accepted_classes_is_the_sum_of_their_maps(squeezenet: Adapter) -> None:
    shown = pictures(64, 80)
    order = squeezenet.logits(shown).argsort(axis=1)
    first, second = classes(*order[:, -1]), classes(*order[:, -2])
    maps = [attribute(squeezenet, shown, mask, ["hires_cam"])["hires_cam"] for mask in (first, second, first | second)]
    close(maps[0] + maps[1], maps[2])


def test_a_target_of_another_number_of_outputs_is_refused(squeezenet: Adapter) -> None:
    with pytest.raises(ValueError, match="1000 outputs"):
        attribute(squeezenet, pictures(64, 80), np.ones((2, 155), bool), ALL)
