"""CAM, Eigen-CAM and FullGrad against their papers, written out; and who is refused what."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import interpolate, relu
from torchvision import models

from audit.attribution import METHODS, attribute, refusal
from audit.attribution.eigen_cam import eigen_cam
from audit.attribution.full_grad import HIDDEN, full_gradient
from audit.attribution.network import Network
from audit.attribution.passes import shared_pass
from audit.attribution.pooled_cam import NO_HEAD
from audit.attribution.targets import all_outputs, of_callable, output, outputs_where
from audit.models import ModelError
from audit.models.adapter import LogitsOfProbabilities

K = 155


def close(measured: np.ndarray, expected: np.ndarray, relative: float = 1e-5) -> None:
    np.testing.assert_allclose(measured, expected, atol=relative * np.abs(expected).max(), rtol=0)


class Pooled(nn.Module):
    """A convolution, the average over places, one dense layer."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, channels, 3, stride=8, padding=1)
        self.dense = nn.Linear(channels, K)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return self.dense(self.features(fed).mean(dim=(2, 3)))


class Rectified(Pooled):
    """The same with a functional ReLU behind its target layer, as DenseNet has it."""

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return self.dense(relu(self.features(fed)).mean(dim=(2, 3)))


class Scored(nn.Module):
    """Scores at every place, rectified and averaged, as SqueezeNet has it."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3, stride=8, padding=1)
        self.classifier = nn.Sequential(nn.Conv2d(4, K, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(fed))


class Dense(Pooled):
    """Reads each place by weights of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(4 * 8 * 10, K)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return self.dense(self.features(fed).flatten(1))


class Deep(Pooled):
    """Two dense layers behind the average."""

    def __init__(self) -> None:
        super().__init__()
        self.between = nn.Linear(4, 4)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return self.dense(relu(self.between(self.features(fed).mean(dim=(2, 3)))))


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(3)


class TestCam:
    @pytest.mark.parametrize("kind", [Pooled, Rectified, Scored])
    def test_is_the_weights_of_the_target_times_the_layer(self, make_adapter, pictures, kind: type[nn.Module]) -> None:
        network = kind()
        adapter = make_adapter(network, "features", (8, 10))
        assert refusal(adapter, "cam") == ""
        maps = attribute(adapter, pictures[:3], output(7), ["cam"], batch=2)["cam"]
        with torch.no_grad():
            activation = network.features(adapter.preprocessing.apply(pictures[:3])).numpy()
        weight = (network.classifier[0] if kind is Scored else network.dense).weight.detach().numpy().reshape(K, 4)
        expected = np.zeros((3, 8, 10))
        for row in range(3):
            for i in range(8):
                for j in range(10):
                    shown = activation[row, :, i, j]
                    shown = np.maximum(shown, 0) if kind is Rectified else shown
                    expected[row, i, j] = sum(weight[7, c] * shown[c] for c in range(4))
        close(maps, expected)

    def test_averages_to_the_logit_without_its_bias(self, make_adapter, pictures) -> None:
        network = Pooled()
        adapter = make_adapter(network, "features", (8, 10))
        maps = attribute(adapter, pictures, output(7), ["cam"])["cam"]
        close(maps.mean(axis=(1, 2)) + network.dense.bias[7].item(), adapter.logits(pictures)[:, 7])

    def test_of_a_linear_head_is_grad_cam_times_the_number_of_places(self, make_adapter, pictures) -> None:
        adapter = make_adapter(Pooled(), "features", (8, 10))
        maps = attribute(adapter, pictures, output(7), ["cam", "grad_cam"])
        close(maps["cam"], 80 * maps["grad_cam"])

    def test_of_a_sum_of_outputs_is_the_sum_of_their_maps(self, make_adapter, pictures) -> None:
        adapter = make_adapter(Scored(), "features", (8, 10))
        both = np.zeros((16, K), bool)
        both[:, [3, 90]] = True
        maps = [attribute(adapter, pictures, t, ["cam"])["cam"] for t in (output(3), output(90), outputs_where(both))]
        close(maps[0] + maps[1], maps[2])
        margin = attribute(adapter, pictures, of_callable(lambda y: y[:, 3] - y[:, 90]), ["cam"])["cam"]
        close(margin, maps[0] - maps[1])

    @pytest.mark.parametrize("kind", [Dense, Deep])
    def test_is_refused_where_no_linear_layer_reads_the_average(self, make_adapter, pictures, kind) -> None:
        adapter = make_adapter(kind(), "features", (8, 10))
        assert refusal(adapter, "cam") == NO_HEAD
        with pytest.raises(ModelError, match="cam needs a target layer that is averaged"):
            attribute(adapter, pictures, output(7), ["cam"])

    @pytest.mark.parametrize(
        ("name", "layer", "is_allowed"),
        [
            ("resnet18", "layer4", True),
            ("resnet18", "layer3", False),
            ("squeezenet1_1", "features.12", True),
            ("densenet121", "features.norm5", True),
            ("mobilenet_v2", "features.18", True),
            ("mobilenet_v3_small", "features.12", False),  # a dense layer more
            ("alexnet", "features.11", False),
        ],
    )
    def test_is_for_heads_that_average(self, make_adapter, name: str, layer: str, is_allowed: bool) -> None:
        network = models.get_model(name, num_classes=K)
        adapter = make_adapter(network, layer, (2, 3), (64, 96))
        assert refusal(adapter, "cam") == ("" if is_allowed else NO_HEAD)

    def test_of_a_picture_without_an_answer_is_nan_and_spoils_no_other(self, make_adapter, pictures) -> None:
        class Choosy(Pooled):
            def forward(self, fed: torch.Tensor) -> torch.Tensor:
                answer = super().forward(fed)
                return torch.where(fed.amax(dim=(1, 2, 3))[:, None] > 0, answer, torch.nan)

        adapter = make_adapter(Choosy(), "features", (8, 10))
        some = pictures[:4].copy()
        some[[0, 2]] = 9  # flat, which a standardisation per image turns into zeros
        maps = attribute(adapter, some, output(7), ["cam", "eigen_cam", "full_grad"])
        alone = attribute(adapter, some[[1, 3]], output(7), ["cam", "eigen_cam", "full_grad"])
        for name, values in maps.items():
            assert np.isnan(values[[0, 2]]).all()
            close(values[[1, 3]], alone[name])


class TestEigenCam:
    @settings(max_examples=40, deadline=None)
    @given(st.integers(1, 12), st.integers(1, 4), st.integers(2, 4), st.integers(0, 10**6))
    def test_is_the_projection_on_the_first_right_singular_vector(
        self, channels: int, height: int, width: int, seed: int
    ) -> None:
        """By numpy's decomposition of the plain matrix. grad-cam takes the mean over places away first, which the
        paper does not, and leaves the sign to chance.
        """
        rng = np.random.default_rng(seed)
        activation = rng.normal(size=(1, channels, height, width)).astype(np.float32)
        network = Network(nn.Identity(), None)
        passed = shared_pass(network, torch.zeros(1, 3), all_outputs, [0], frozenset())
        object.__setattr__(passed, "activation", torch.from_numpy(activation))
        found = eigen_cam(passed)[0].numpy()
        matrix = activation[0].reshape(channels, -1).T.astype(float)
        _, values, right = np.linalg.svd(matrix, full_matrices=False)
        if len(values) > 1 and values[1] > 0.99 * values[0]:
            return  # two directions of equal weight: either is right
        expected = (matrix @ right[0]).reshape(height, width)
        if abs(expected.sum()) < 1e-6 * np.abs(expected).sum():
            return
        close(found, expected if expected.sum() > 0 else -expected, 1e-4)

    def test_is_the_same_for_every_target_and_its_sum_is_not_negative(self, make_adapter, pictures) -> None:
        adapter = make_adapter(Pooled(), "features", (8, 10))
        first, second = (attribute(adapter, pictures, output(t), ["eigen_cam"])["eigen_cam"] for t in (0, 9))
        assert (first == second).all()
        assert (first.sum(axis=(1, 2)) >= 0).all()
        assert "No target is involved" in METHODS["eigen_cam"].note

    def test_of_a_layer_that_is_off_is_zero(self, make_adapter, pictures) -> None:
        network = Pooled()
        nn.init.zeros_(network.features.weight)
        nn.init.zeros_(network.features.bias)
        maps = attribute(make_adapter(network, "features", (8, 10)), pictures, output(0), ["eigen_cam"])
        assert (maps["eigen_cam"] == 0).all()


def stir(network: nn.Module) -> nn.Module:
    """Normalisations as after training: averages that are not 0 and 1, and shifts."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
            if part.affine:
                nn.init.normal_(part.weight)
                nn.init.normal_(part.bias)
    return network


class Rectifying(nn.Module):
    """Convolutions, normalisations whose averages matter, a pooled and a flattened branch, biases everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 5, 3, padding=1)
        self.norm = nn.BatchNorm2d(5)
        self.bare = nn.BatchNorm2d(5, affine=False)
        self.second = nn.Conv2d(5, 4, 3, stride=2, padding=1)
        self.dense = nn.Linear(4 * 4 * 5, 20)
        self.last = nn.Linear(20, K)
        stir(self)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        hidden = relu(self.bare(self.norm(self.first(fed))), inplace=True)
        hidden = nn.functional.max_pool2d(relu(self.second(hidden), inplace=True), 8)
        return self.last(relu(self.dense(hidden.flatten(1))))


class NormalisedAndRectified(nn.BatchNorm2d):
    """A normalisation with its activation inside, as those of timm; drop: what sees it in between, if anything."""

    def __init__(self, channels: int, drop: nn.Module | None) -> None:
        super().__init__(channels)
        if drop is not None:
            self.drop = drop
        self.act = nn.ReLU(inplace=True)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        normalised = super().forward(hidden)
        return self.act(self.drop(normalised) if hasattr(self, "drop") else normalised)


class Within(nn.Module):
    """A convolution without bias, a normalisation that rectifies, one dense layer."""

    def __init__(self, drop: nn.Module | None = None) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3, stride=8, padding=1, bias=False)
        self.norm = NormalisedAndRectified(4, drop)
        self.dense = nn.Linear(4, K)
        stir(self)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return self.dense(self.norm(self.features(fed)).mean(dim=(2, 3)))


class ChannelsLast(nn.Module):
    """Dense layers at every place, (B, h, w, C)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 5)
        self.second = nn.Linear(5, 4)
        self.last = nn.Linear(4, K)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        hidden = relu(self.first(nn.functional.avg_pool2d(fed, 8).permute(0, 2, 3, 1)))
        return self.last(relu(self.second(hidden)).mean(dim=(1, 2)))


class TestFullGrad:
    @pytest.mark.parametrize(
        "build",
        [
            Rectifying,
            lambda: stir(models.resnet18(num_classes=K)),
            lambda: Within(nn.Identity()),
            lambda: Within(nn.Dropout(0.5)),
            ChannelsLast,
        ],
        ids=["small", "resnet18", "rectified within", "rectified within behind a dropout", "channels last"],
    )
    def test_signed_parts_add_up_to_the_answer(self, make_adapter, pictures, build: Callable[[], nn.Module]) -> None:
        network = build()
        adapter = make_adapter(network, "", (1, 1))
        fed = adapter.preprocessing.apply(pictures[:4])
        parts = full_gradient(Network(network, None), fed, lambda logits: logits[:, 5])
        close(parts.total().numpy(), adapter.logits(pictures[:4])[:, 5], 1e-4)
        biased = sum(part.abs().sum() for part in parts.biases)
        assert biased > 0.01 * parts.input.abs().sum()

    def test_is_the_sum_of_the_sizes_of_all_parts_with_places(self, make_adapter, pictures) -> None:
        """Gradients by autograd at outputs that the network is cut at by hand, one part after the other."""
        network = Rectifying()
        adapter = make_adapter(network, "second", (32, 40))
        maps = attribute(adapter, pictures[:2], output(5), ["full_grad"])["full_grad"]
        fed = adapter.preprocessing.apply(pictures[:2]).requires_grad_()
        a = network.first(fed)
        b = network.norm(a)
        c = network.bare(b)
        d = network.second(relu(c))
        answer = network.last(relu(network.dense(nn.functional.max_pool2d(relu(d), 8).flatten(1))))[:, 5].sum()
        gradients = torch.autograd.grad(answer, [fed, a, b, c, d])
        norm, bare = network.norm, network.bare
        biases = [
            network.first.bias,
            norm.bias - norm.running_mean * norm.weight / (norm.running_var + norm.eps).sqrt(),
            -bare.running_mean / (bare.running_var + bare.eps).sqrt(),
            network.second.bias,
        ]
        expected = (fed * gradients[0]).abs().sum(dim=1)
        for bias, gradient in zip(biases, gradients[1:], strict=True):
            for channel in range(len(bias)):
                part = (bias[channel] * gradient[:, [channel]]).abs()
                expected = expected + interpolate(part, (64, 80), mode="bilinear", align_corners=False)[:, 0]
        close(maps, expected.detach().numpy())

    def test_of_dense_layers_at_every_place_adds_their_channels_up(self, make_adapter, pictures) -> None:
        network = ChannelsLast()
        adapter = make_adapter(network, "second", (8, 10))
        maps = attribute(adapter, pictures[:2], output(5), ["full_grad"])["full_grad"]
        fed = adapter.preprocessing.apply(pictures[:2]).requires_grad_()
        a = network.first(nn.functional.avg_pool2d(fed, 8).permute(0, 2, 3, 1))
        b = network.second(relu(a))
        answer = network.last(relu(b).mean(dim=(1, 2)))[:, 5].sum()
        gradients = torch.autograd.grad(answer, [fed, a, b])
        expected = (fed * gradients[0]).abs().sum(dim=1)
        for layer, gradient in zip((network.first, network.second), gradients[1:], strict=True):
            part = (layer.bias * gradient).abs().sum(dim=3)[:, None]
            expected = expected + interpolate(part, (64, 80), mode="bilinear", align_corners=False)[:, 0]
        close(maps, expected.detach().numpy())

    def test_a_normalisation_that_goes_on_unseen_is_the_reason_where_a_rest_remains(self, make_adapter) -> None:
        why = refusal(make_adapter(Within(), "features", (8, 10)), "full_grad")
        assert why == f"{HIDDEN} NormalisedAndRectified"
        assert "\n" not in why
        assert refusal(make_adapter(Within(nn.Identity()), "features", (8, 10)), "full_grad") == ""

    def test_a_normalisation_of_ones_own_that_does_nothing_more_is_allowed(self, make_adapter) -> None:
        class InSingle(nn.BatchNorm2d):
            def forward(self, hidden: torch.Tensor) -> torch.Tensor:
                return super().forward(hidden.float())

        network = Rectified()
        network.features = nn.Sequential(network.features, InSingle(4))
        assert refusal(make_adapter(stir(network), "features", (8, 10)), "full_grad") == ""

    @pytest.mark.parametrize("name", ["regnetx_002", "densenet121"])
    def test_is_allowed_to_networks_of_timm_that_rectify(self, make_adapter, name: str) -> None:
        timm = pytest.importorskip("timm")
        network = stir(timm.create_model(name, num_classes=K))
        assert refusal(make_adapter(network, "", (1, 1)), "full_grad") == ""

    def test_is_of_what_the_network_is_fed_wherever_gradients_end(self, make_adapter, pictures) -> None:
        adapter = make_adapter(Rectifying(), "second", (32, 40))
        maps = [
            attribute(adapter, pictures[:2], output(5), ["full_grad"], gradient_at=place)["full_grad"]
            for place in ("input", "picture")
        ]
        close(maps[0], maps[1])

    @pytest.mark.parametrize("last", [nn.GELU(), nn.SiLU(), nn.GroupNorm(2, 4)])
    def test_is_refused_where_a_rest_would_remain(self, make_adapter, last: nn.Module) -> None:
        network = Pooled()
        network.features = nn.Sequential(network.features, last)
        adapter = make_adapter(network, "features", (8, 10))
        assert "a rest remains" in refusal(adapter, "full_grad")
        assert refusal(make_adapter(Rectified(), "features", (8, 10)), "full_grad") == ""

    def test_of_a_network_that_ends_in_probabilities_is_that_of_its_logits(self, make_adapter, pictures) -> None:
        network = Rectifying()
        squashed = LogitsOfProbabilities(nn.Sequential(network, nn.Sigmoid()), "logit")
        plain, other = (
            attribute(make_adapter(n, "", (1, 1)), pictures[:2], output(5), ["full_grad"])["full_grad"]
            for n in (network, squashed)
        )
        close(other, plain, 1e-3)
