"""Vision transformers: maps on the grid of patches, and attention rollout, written out by matrices."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from audit.attribution import attribute, refusal
from audit.attribution.attention_rollout import NO_ATTENTION, OTHER_GRID
from audit.attribution.network import kept_attention
from audit.attribution.targets import output
from audit.config import ModelConfig, PreprocessingConfig
from audit.models import Adapter, ModelError, build_adapter, torchvision_models
from audit.models.layer_layout import CHANNELS_LAST, CLASS_TOKEN_FIRST
from audit.models.probe import probed_layer
from tests.models.tasks import CLASSIFICATION, PROXIMITY

K = 155
GRID_METHODS = ["grad_cam", "hires_cam", "eigen_cam", "attention_rollout"]


def close(measured: np.ndarray, expected: np.ndarray, relative: float = 1e-4) -> None:
    np.testing.assert_allclose(measured, expected, atol=relative * np.abs(expected).max(), rtol=0)


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(5)


@pytest.fixture
def vit(make_adapter) -> Adapter:
    """torchvision's transformer, small, its head no longer zero."""
    network = models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=3, num_heads=2, hidden_dim=16, mlp_dim=24, num_classes=K
    )
    nn.init.normal_(network.heads.head.weight)
    for block in network.encoder.layers:
        nn.init.normal_(block.self_attention.in_proj_weight, std=0.5)
    return make_adapter(network, "encoder.layers.encoder_layer_2.ln_1", (4, 4), (32, 32), layout=CLASS_TOKEN_FIRST)


def literal_weights(block: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Softmax of scaled products of queries and keys, (heads, tokens, tokens), of one picture's tokens (tokens, C)."""
    attention = block.self_attention
    queries, keys, _ = (tokens @ attention.in_proj_weight.T + attention.in_proj_bias).chunk(3, dim=1)
    size = attention.head_dim
    heads = []
    for head in range(attention.num_heads):
        part = slice(head * size, (head + 1) * size)
        heads.append(torch.softmax(queries[:, part] @ keys[:, part].T / size**0.5, dim=1))
    return torch.stack(heads)


class TestRollout:
    def test_multiplies_the_attention_of_all_blocks(self, vit: Adapter, pictures) -> None:
        shown = pictures[:3, :32, :32]
        maps = attribute(vit, shown, output(3), ["attention_rollout"], batch=2)["attention_rollout"]
        network = vit.module
        for row in range(3):
            with torch.no_grad():
                fed = vit.preprocessing.apply(shown[row : row + 1])
                patches = network.conv_proj(fed).flatten(2).transpose(1, 2)
                tokens = torch.cat([network.class_token, patches], dim=1) + network.encoder.pos_embedding
                rolled = np.eye(17)
                for block in network.encoder.layers:
                    mean = literal_weights(block, block.ln_1(tokens)[0]).mean(dim=0).numpy()
                    passing = mean + np.eye(17)
                    rolled = (passing / passing.sum(axis=1, keepdims=True)) @ rolled
                    tokens = block(tokens)
            close(maps[row], rolled[0, 1:].reshape(4, 4))
            assert maps[row].sum() == pytest.approx(1 - rolled[0, 0], rel=1e-4)

    def test_involves_no_target(self, vit: Adapter, pictures) -> None:
        shown = pictures[:2, :32, :32]
        first, second = (attribute(vit, shown, output(t), ["attention_rollout"])["attention_rollout"] for t in (0, 9))
        assert (first == second).all()

    def test_of_an_answer_read_from_all_patches_is_the_mean_of_their_rows(self, vit: Adapter, pictures) -> None:
        class Averaging(models.VisionTransformer):
            def forward(self, fed: torch.Tensor) -> torch.Tensor:
                tokens = torch.cat([self.class_token.expand(len(fed), -1, -1), self._process_input(fed)], dim=1)
                return self.heads(self.encoder(tokens)[:, 1:].mean(dim=1))

        shown = pictures[:2, :32, :32]
        network = Averaging(32, 8, 3, 2, 16, 24, num_classes=K)
        network.load_state_dict(vit.module.state_dict())
        averaging = dataclasses.replace(vit, module=network.eval())
        maps = attribute(averaging, shown, output(0), ["attention_rollout"])["attention_rollout"]
        with torch.no_grad(), kept_attention(network) as calls:
            network(vit.preprocessing.apply(shown))
        rolled = torch.eye(17)
        for call in calls:
            passing = (call.weights.mean(dim=1) + torch.eye(17)) / 2
            rolled = passing @ rolled
        close(maps, rolled[:, 1:, 1:].mean(dim=1).reshape(2, 4, 4).numpy())
        assert not np.allclose(maps, attribute(vit, shown, output(0), ["attention_rollout"])["attention_rollout"])

    @pytest.mark.parametrize("read", ["the last token", "all tokens"])
    def test_is_of_the_tokens_that_are_read_wherever_the_batch_lies(self, make_adapter, pictures, read: str) -> None:
        """Attention with the tokens first puts out a tensor of its own, and that is what the network goes on with."""

        class Attending(nn.Module):
            def __init__(self, batch_first: bool) -> None:
                super().__init__()
                self.patches = nn.Conv2d(3, 8, 8, stride=8)
                self.attention = nn.MultiheadAttention(8, 2, batch_first=batch_first)
                self.dense = nn.Linear(8, K)

            def forward(self, fed: torch.Tensor) -> torch.Tensor:
                tokens = self.patches(fed).flatten(2).transpose(1, 2)
                tokens = torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)
                if not self.attention.batch_first:
                    tokens = tokens.transpose(0, 1)
                tokens = self.attention(tokens, tokens, tokens)[0]
                if not self.attention.batch_first:
                    tokens = tokens.transpose(0, 1)
                return self.dense(tokens[:, -1] if read == "the last token" else tokens.mean(dim=1))

        networks = Attending(True), Attending(False)
        nn.init.normal_(networks[0].attention.in_proj_weight, std=2)
        networks[1].load_state_dict(networks[0].state_dict())
        first, second = (make_adapter(n, "patches", (8, 10)) for n in networks)
        expected = attribute(first, pictures[:2], output(0), ["attention_rollout"])["attention_rollout"]
        close(attribute(second, pictures[:2], output(0), ["attention_rollout"])["attention_rollout"], expected)
        with torch.no_grad(), kept_attention(networks[0]) as calls:
            networks[0](first.preprocessing.apply(pictures[:2]))
        passing = (calls[0].weights.mean(dim=1) + torch.eye(81)) / 2
        row = passing[:, -1] if read == "the last token" else passing.mean(dim=1)
        close(expected, row[:, 1:].reshape(2, 8, 10).numpy())

    def test_a_picture_does_not_see_the_others(self, vit: Adapter, pictures) -> None:
        shown = pictures[:5, :32, :32]
        together = attribute(vit, shown, output(0), ["attention_rollout"], batch=5)["attention_rollout"]
        close(attribute(vit, shown, output(0), ["attention_rollout"], batch=1)["attention_rollout"], together)

    def test_leaves_the_answer_as_it_is(self, vit: Adapter, pictures) -> None:
        fed = vit.preprocessing.apply(pictures[:2, :32, :32])
        with torch.no_grad():
            expected = vit.module(fed)
            with kept_attention(vit.module) as calls:
                found = vit.module(fed)
        close(found.numpy(), expected.numpy(), 1e-5)
        assert [call.weights.shape for call in calls] == [(2, 2, 17, 17)] * 3
        assert not any(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in vit.module.modules())

    @pytest.mark.parametrize("settings", [{}, {"need_weights": False}, {"average_attn_weights": False}])
    @pytest.mark.parametrize("batch_first", [True, False])
    def test_gives_every_caller_the_weights_it_asks_for(self, settings: dict[str, bool], batch_first: bool) -> None:
        attention = nn.MultiheadAttention(8, 2, batch_first=batch_first).eval()
        tokens = torch.randn(3, 5, 8)
        with torch.no_grad():
            expected = attention(tokens, tokens, tokens, **settings)
            with kept_attention(attention) as calls:
                found = attention(tokens, tokens, tokens, **settings)
            with kept_attention(attention) as positional:
                again = attention(tokens, tokens, tokens, None, settings.get("need_weights", True))
        torch.testing.assert_close(found[0], expected[0])
        if expected[1] is None:
            assert found[1] is None
            assert again[1] is None
        else:
            torch.testing.assert_close(found[1], expected[1])
        batch, count = (3, 5) if batch_first else (5, 3)
        for kept in (calls, positional):
            assert kept[0].weights.shape == (batch, 2, count, count)
            assert kept[0].output.shape == (3, 5, 8)
            assert kept[0].tokens_first is not batch_first

    def test_reads_the_encoder_that_torch_itself_has(self, make_adapter, pictures) -> None:
        """Which otherwise takes one kernel for a whole block, where no attention can be seen."""

        class Encoded(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.patches = nn.Conv2d(3, 8, 8, stride=8)
                layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
                self.encoder = nn.TransformerEncoder(layer, 2)
                self.dense = nn.Linear(8, K)

            def forward(self, fed: torch.Tensor) -> torch.Tensor:
                return self.dense(self.encoder(self.patches(fed).flatten(2).transpose(1, 2)).mean(dim=1))

        adapter = make_adapter(Encoded(), "patches", (8, 10))
        assert refusal(adapter, "attention_rollout") == ""
        maps = attribute(adapter, pictures[:2], output(0), ["attention_rollout"])["attention_rollout"]
        assert maps.sum(axis=(1, 2)) == pytest.approx(1, rel=1e-4)

    def test_is_refused_without_attention_of_every_patch_to_every_other(self, untrained: Adapter, vit: Adapter) -> None:
        assert refusal(untrained, "attention_rollout") == NO_ATTENTION
        swin = models.SwinTransformer([4, 4], 8, [1, 1], [1, 2], [2, 2], num_classes=K)
        windowed = dataclasses.replace(vit, module=swin.eval(), target_layer="norm", layout=CHANNELS_LAST)
        assert refusal(windowed, "attention_rollout") == NO_ATTENTION
        with pytest.raises(ModelError, match="attention_rollout needs attention of every patch"):
            attribute(windowed, np.zeros((1, 32, 32, 3), np.uint8), output(0), ["attention_rollout"])

    def test_is_refused_at_a_layer_of_another_grid(self, vit: Adapter) -> None:
        vit.module.conv_proj = nn.Sequential(nn.Conv2d(3, 16, 4, 4), nn.AvgPool2d(2))
        other = dataclasses.replace(vit, target_layer="conv_proj.0", grid=(8, 8), layout=type(vit.layout)())
        assert refusal(other, "attention_rollout") == OTHER_GRID


def test_swin_is_read_over_its_last_grid(make_adapter, pictures) -> None:
    """Its head averages a normalised layer, so CAM is exact there, and Grad-CAM is CAM."""
    network = models.SwinTransformer([4, 4], 8, [1, 1], [1, 2], [2, 2], num_classes=K)
    adapter = make_adapter(network, "norm", (4, 4), (32, 32), layout=CHANNELS_LAST)
    maps = attribute(adapter, pictures[:2, :32, :32], output(4), ["grad_cam", "cam"])
    with torch.no_grad():
        hidden = network.norm(network.features(adapter.preprocessing.apply(pictures[:2, :32, :32]))).numpy()
    expected = hidden @ network.head.weight[4].detach().numpy()
    close(maps["cam"], expected)
    close(16 * maps["grad_cam"], expected)


@pytest.mark.parametrize(
    ("name", "prefix", "layer", "grid", "methods"),
    [
        ("vit_tiny_patch16_224", 1, "blocks.11.norm1", (4, 5), GRID_METHODS),
        ("deit_tiny_distilled_patch16_224", 2, "blocks.11.norm1", (4, 5), GRID_METHODS),
        ("vit_wee_patch16_reg1_gap_256", 1, "blocks", (4, 5), GRID_METHODS),
        ("swin_tiny_patch4_window7_224", 0, "norm", (2, 3), GRID_METHODS[:3]),
        ("resnet18", 0, "layer4", (2, 3), GRID_METHODS[:3]),
    ],
)
def test_any_network_of_timm_is_read_by_a_guess(
    pictures, name: str, prefix: int, layer: str, grid: tuple[int, int], methods: list[str]
) -> None:
    pytest.importorskip("timm")
    arguments = {"model_name": name, "pretrained": False, "num_classes": 1000}
    if name != "resnet18":
        arguments["img_size"] = [64, 80]
    config = ModelConfig(
        name="mine",
        architecture="timm.create_model",
        arguments=arguments,
        preprocessing=PreprocessingConfig(height=64, width=80),
    )
    adapter = build_adapter(config, "cpu", CLASSIFICATION)
    assert (adapter.target_layer, adapter.grid, adapter.layer_is_guess) == (layer, grid, True)
    assert adapter.layout.prefix == prefix
    flags = [getattr(part, "fused_attn", None) for part in adapter.module.modules()]
    assert [m for m in GRID_METHODS if refusal(adapter, m) == ""] == methods
    maps = attribute(adapter, pictures[:2], output(3), methods, batch=2)
    for values in maps.values():
        assert values.shape == (2, *grid)
        assert np.isfinite(values).all()
        assert (values != 0).any()
    assert [getattr(part, "fused_attn", None) for part in adapter.module.modules()] == flags
    assert not any(len(m._forward_hooks) for m in adapter.module.modules())


def test_rollout_of_timm_sees_the_attention_that_the_fused_kernel_uses() -> None:
    timm = pytest.importorskip("timm")
    network = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=K, depth=2).eval()
    fed = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = network(fed)
        with kept_attention(network) as calls:
            torch.testing.assert_close(network(fed), expected, atol=1e-4, rtol=1e-3)
    block = network.blocks[0].attn
    with torch.no_grad():
        tokens = network.blocks[0].norm1(network.norm_pre(network._pos_embed(network.patch_embed(fed))))
        queries, keys, _ = block.qkv(tokens).reshape(2, 5, 3, 3, 64).permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(queries @ keys.mT / 8, dim=-1)
    torch.testing.assert_close(calls[0].weights, weights)


def test_fused_attention_comes_back_after_an_exception() -> None:
    timm = pytest.importorskip("timm")
    network = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=K, depth=2).eval()
    flags = [block.attn.fused_attn for block in network.blocks]
    with pytest.raises(RuntimeError, match="out of order"), kept_attention(network):
        raise RuntimeError("out of order")
    assert [block.attn.fused_attn for block in network.blocks] == flags
    assert not any(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules())


@pytest.mark.parametrize(
    ("name", "arguments", "grid"), [("vit_b_32", {"image_size": 64}, (2, 2)), ("swin_t", {}, (2, 2))]
)
def test_torchvisions_networks_are_read_at_their_declared_layer(
    make_adapter, pictures, name: str, arguments: dict[str, int], grid: tuple[int, int]
) -> None:
    network = models.get_model(name, num_classes=K, **arguments)
    nn.init.normal_((network.heads if name == "vit_b_32" else network).head.weight)
    layer = torchvision_models.target_layer(name)
    adapter = make_adapter(network, layer, grid, (64, 64), layout=torchvision_models.layout(name, layer))
    found = probed_layer(network, layer, adapter.layout, "logits", adapter.preprocessing, "cpu", PROXIMITY, "mine")
    assert (found.path, found.grid, found.layout, found.is_guess) == (layer, grid, adapter.layout, False)
    guess = probed_layer(network, "", None, "logits", adapter.preprocessing, "cpu", PROXIMITY, "mine")
    assert (guess.path, guess.grid, guess.is_guess) == (layer, grid, True)
    methods = [method for method in GRID_METHODS if refusal(adapter, method) == ""]
    maps = attribute(adapter, pictures[:1, :, :64], output(3), methods)
    assert all(values.shape == (1, *grid) and (values != 0).any() for values in maps.values())
