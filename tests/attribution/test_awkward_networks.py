"""Networks that are written in ways that trip others up: the maps are right, and the network is left as it was."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import relu
from torchvision import models

from audit.attribution import FAMILY, METHODS, attribute, refusal
from audit.attribution.targets import output
from audit.config import MethodSettings
from audit.models import Adapter

K = 155
QUICK = MethodSettings(path_steps=3, noise_copies=2, patch=0.5, masks=4, channels=2)
SIZE = (32, 40)


def close(measured: np.ndarray, expected: np.ndarray, relative: float = 1e-4) -> None:
    np.testing.assert_allclose(measured, expected, atol=relative * np.abs(expected).max(), rtol=0)


def fingerprint(module: nn.Module) -> dict[str, object]:
    """Everything about a network that looking at it might leave changed."""
    parts = list(module.modules())
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "parts": [id(part) for part in parts],
        "training": [part.training for part in parts],
        "inplace": [getattr(part, "inplace", None) for part in parts],
        "fused": [getattr(part, "fused_attn", None) for part in parts],
        "hooks": [len(getattr(part, kind)) for part in parts for kind in hooks],
        "requires_grad": [parameter.requires_grad for parameter in module.parameters()],
        "grad": [parameter.grad is None for parameter in module.parameters()],
        "state": {key: values.float().numpy().tobytes() for key, values in module.state_dict().items()},
        "layout": [parameter.stride() for parameter in module.parameters()],
    }


class Small(nn.Module):
    """Convolutions with normalisation, rectified in a way to be chosen, pooled and read."""

    def __init__(self, rectify: Callable[[torch.Tensor], torch.Tensor], first: nn.Module | None = None) -> None:
        super().__init__()
        self.before = first or nn.Identity()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.dense = nn.Linear(4 * 4 * 5, K)
        self.rectify = rectify
        nn.init.normal_(self.norm.running_mean)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        hidden = self.rectify(self.norm(self.first(self.before(fed))))
        hidden = self.rectify(self.second(hidden))
        return self.dense(self.drop(nn.functional.max_pool2d(hidden, 8)).flatten(1))


RECTIFIERS: dict[str, Callable[[], Callable[[torch.Tensor], torch.Tensor]]] = {
    "module, used twice": nn.ReLU,
    "module, used twice, in place": lambda: nn.ReLU(inplace=True),
    "function": lambda: relu,
    "function, in place": lambda: torch.relu_,
    "clamp at six, function": lambda: nn.functional.relu6,
    "clamp at six, module": lambda: nn.ReLU6(inplace=True),
}


def small(rectify: Callable[[torch.Tensor], torch.Tensor], first: nn.Module | None = None) -> Small:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return Small(rectify, first)


@pytest.fixture
def adapt(make_adapter) -> Callable[..., Adapter]:
    def adapt(network: nn.Module, layer: str = "second", grid: tuple[int, int] = SIZE) -> Adapter:
        return make_adapter(network, layer, grid, SIZE)

    return adapt


@pytest.fixture
def shown(pictures: np.ndarray) -> np.ndarray:
    return pictures[:3, :32, :40]


def maps_of(adapter: Adapter, shown: np.ndarray, methods: list[str] | None = None) -> dict[str, np.ndarray]:
    chosen = [m for m in METHODS if refusal(adapter, m) == ""] if methods is None else methods
    return attribute(adapter, shown, output(3), chosen, batch=2, settings=QUICK)


class TestMapsAreThoseOfThePlainNetwork:
    """Held against the same weights with functional, out-of-place rectifiers."""

    @pytest.mark.parametrize("how", list(RECTIFIERS)[:4])
    def test_however_it_rectifies(self, adapt, shown: np.ndarray, how: str) -> None:
        expected = maps_of(adapt(small(relu)), shown)
        found = maps_of(adapt(small(RECTIFIERS[how]())), shown)
        assert {"guided_backprop", "deconvnet", "full_grad", "eigen_cam", "score_cam"} <= set(expected)
        assert list(found) == list(expected)
        for name, values in expected.items():
            close(found[name], values)

    def test_at_a_rectifier_that_is_used_twice_its_last_run_counts(self, adapt, shown: np.ndarray) -> None:
        class Apart(Small):
            def __init__(self) -> None:
                super().__init__(relu)
                self.last = nn.ReLU()

            def forward(self, fed: torch.Tensor) -> torch.Tensor:
                hidden = self.last(self.second(relu(self.norm(self.first(fed)))))
                return self.dense(nn.functional.max_pool2d(hidden, 8).flatten(1))

        apart = Apart()
        reused = small(nn.ReLU(inplace=True))
        apart.load_state_dict(reused.state_dict())
        expected = maps_of(adapt(apart, "last"), shown, list(FAMILY))
        for name, values in maps_of(adapt(reused, "rectify"), shown, list(FAMILY)).items():
            close(values, expected[name])

    def test_where_it_begins_in_place(self, adapt, shown: np.ndarray) -> None:
        expected = maps_of(adapt(small(relu, nn.Hardtanh(-1, 1))), shown)
        for name, values in maps_of(adapt(small(relu, nn.Hardtanh(-1, 1, inplace=True))), shown).items():
            close(values, expected[name])

    def test_in_training_mode_and_with_frozen_parameters(self, adapt, shown: np.ndarray) -> None:
        expected = maps_of(adapt(small(relu)), shown)
        network = small(relu)
        adapter = adapt(network)
        network.train()
        network.requires_grad_(False)
        for name, values in maps_of(adapter, shown).items():
            assert values.tobytes() == expected[name].tobytes()
        assert network.training

    def test_in_channels_last_memory(self, adapt, shown: np.ndarray) -> None:
        expected = maps_of(adapt(small(relu)), shown)
        for name, values in maps_of(adapt(small(relu).to(memory_format=torch.channels_last)), shown).items():
            close(values, expected[name], 1e-3)

    def test_under_a_callers_autocast(self, adapt, shown: np.ndarray) -> None:
        adapter = adapt(small(relu))
        expected = maps_of(adapter, shown)
        answers = adapter.logits(shown)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = maps_of(adapter, shown)
            assert adapter.logits(shown).tobytes() == answers.tobytes()
        assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_a_network_in_half_precision_has_nearly_the_same_maps(adapt, shown: np.ndarray, kind: torch.dtype) -> None:
    plain, half = adapt(small(relu)), adapt(small(relu).to(kind))
    expected, found = maps_of(plain, shown), maps_of(half, shown)
    assert list(found) == list(expected)
    for name in ("saliency_signed", "input_x_gradient", "guided_backprop", "grad_cam", "hires_cam", "full_grad"):
        assert found[name].dtype == np.float32
        assert np.isfinite(found[name]).all()
        a, b = found[name].ravel(), expected[name].ravel()
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.9, name
    assert all(parameter.dtype == kind for parameter in half.module.parameters())


@pytest.mark.parametrize(
    ("name", "layer", "grid"),
    [
        ("vgg11", "features.18", (2, 2)),
        ("densenet121", "features.norm5", (1, 2)),
        ("mobilenet_v2", "features.18.1", (1, 2)),
        ("resnet18", "layer4.1.bn2", (1, 2)),
    ],
)
def test_what_works_in_place_behind_the_target_layer_changes_no_map(
    adapt, shown: np.ndarray, name: str, layer: str, grid: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here grad-cam multiplies gradients in front of the rectifier by activations behind it, on a CPU."""
    torch.manual_seed(0)
    network = models.get_model(name, num_classes=K)
    apart = copy.deepcopy(network)
    for part in apart.modules():
        if hasattr(part, "inplace"):
            part.inplace = False
    chosen = [*FAMILY, "guided_backprop", "eigen_cam"]
    found = maps_of(adapt(network, layer, grid), shown, chosen)
    plain = torch.nn.functional.relu
    monkeypatch.setattr(torch.nn.functional, "relu", lambda x, inplace=False: plain(x))  # densenet calls it in place
    expected = maps_of(adapt(apart, layer, grid), shown, chosen)
    for method, values in expected.items():
        close(found[method], values)
    assert (found["hires_cam"] < 0).any()


class _Guided(torch.autograd.Function):
    """A rectifier that cuts off negative gradients itself."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, below: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(below)
        return below.clamp(min=0)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, above: torch.Tensor) -> torch.Tensor:
        (below,) = context.saved_tensors
        return above.clamp(min=0) * (below > 0)


class _Guided6(_Guided):
    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, below: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(torch.where(below < 6, below, 0))
        return below.clamp(0, 6)


class TestGuidedBackpropagation:
    @pytest.mark.parametrize(("how", "rule"), [(how, _Guided6 if "six" in how else _Guided) for how in RECTIFIERS])
    def test_equals_rectifiers_with_a_backward_of_their_own(
        self, adapt, shown: np.ndarray, how: str, rule: type[torch.autograd.Function]
    ) -> None:
        """Rules laid on nn.ReLU modules miss functions and ReLU6, and give the plain gradient instead."""
        adapter = adapt(small(RECTIFIERS[how]()))
        found = maps_of(adapter, shown, ["guided_backprop", "saliency"])
        own = small(rule.apply).eval()
        fed = adapter.preprocessing.apply(shown).requires_grad_()
        (gradient,) = torch.autograd.grad(own(fed)[:, 3].sum(), [fed])
        close(found["guided_backprop"], gradient.abs().amax(dim=1).numpy())
        assert not np.allclose(found["guided_backprop"], found["saliency"])

    @pytest.mark.parametrize("smooth", [nn.SiLU(), nn.GELU(), torch.tanh])
    def test_is_refused_where_nothing_rectifies(self, adapt, smooth: Callable[[torch.Tensor], torch.Tensor]) -> None:
        adapter = adapt(small(smooth))
        for method in ("guided_backprop", "deconvnet", "guided_grad_cam"):
            assert refusal(adapter, method) == "is defined for rectifiers, and the network has none"
        assert refusal(adapter, "grad_cam") == ""

    @pytest.mark.parametrize(
        ("bend", "kind"),
        [
            (nn.Hardswish(inplace=True), "Hardswish"),
            (nn.functional.silu, "SiLU"),
            (nn.GELU(), "GELU"),
            (nn.functional.mish, "Mish"),
            (nn.SELU(), "ELU"),
            (nn.CELU(), "CELU"),
            (nn.functional.softplus, "Softplus"),
            (nn.LeakyReLU(0.1), "leaky ReLU"),
            (nn.PReLU(), "PReLU"),
            (lambda x: x * torch.sigmoid(x), "x * sigmoid(x)"),
            (lambda x: x * nn.functional.hardsigmoid(x), "x * sigmoid(x)"),
            (lambda x: x * nn.functional.relu6(x + 3) / 6, "x * sigmoid(x)"),
            (lambda x: x.mul(nn.functional.relu6(x + 3.0).div(6.0)), "x * sigmoid(x)"),
        ],
    )
    def test_is_refused_where_only_some_rectify(self, adapt, bend: Callable[..., torch.Tensor], kind: str) -> None:
        """Behind the others it would be the plain gradient, and nothing would say so."""
        adapter = adapt(Mixed(bend))
        why = f"is defined for rectifiers, and 2 nonlinearities of the network are none: {kind}"
        assert [refusal(adapter, m) for m in ("guided_backprop", "deconvnet", "guided_grad_cam")] == [why] * 3
        assert refusal(adapter, "saliency") == ""

    @pytest.mark.parametrize("inside", [nn.ReLU(), nn.SiLU(), nn.GELU()])
    @pytest.mark.parametrize("gate", [nn.Sigmoid(), nn.Hardsigmoid(), lambda x: nn.functional.relu6(x + 3) / 6])
    def test_is_allowed_where_a_gate_alone_is_smooth(
        self, adapt, shown: np.ndarray, inside: nn.Module, gate: Callable[[torch.Tensor], torch.Tensor]
    ) -> None:
        """As in squeeze and excitation, which scales channels and bends none."""
        adapter = adapt(Squeezed(inside, gate))
        assert refusal(adapter, "guided_backprop") == ""
        assert (maps_of(adapter, shown, ["guided_backprop"])["guided_backprop"] > 0).any()

    def test_a_gate_that_is_written_with_a_rectifier_has_no_rule(self, adapt, shown: np.ndarray) -> None:
        found = [
            maps_of(adapt(Squeezed(nn.ReLU(), gate)), shown, ["guided_backprop", "deconvnet"])
            for gate in (nn.Hardsigmoid(), lambda x: nn.functional.relu6(x + 3) / 6, lambda x: _sixth(x + 3))
        ]
        for other in found[1:]:
            for name, values in other.items():
                close(values, found[0][name])

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("lcnet_050", "is defined for rectifiers, and 28 nonlinearities of the network are none: Hardswish"),
            ("regnety_002", ""),
            ("seresnet50", ""),
        ],
    )
    def test_networks_of_timm(self, make_adapter, name: str, why: str) -> None:
        timm = pytest.importorskip("timm")
        adapter = make_adapter(timm.create_model(name, num_classes=K), "", (1, 1))
        assert refusal(adapter, "guided_backprop") == why


def _sixth(hidden: torch.Tensor) -> torch.Tensor:
    return hidden.clamp(0, 6) * (1 / 6)


class Mixed(Small):
    """Rectifies once, and bends twice otherwise: an activation with places, and one of a dense layer."""

    def __init__(self, bend: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__(relu)
        self.bend = bend
        self.hidden = nn.Linear(4 * 4 * 5, 4 * 4 * 5)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        hidden = self.bend(self.second(relu(self.norm(self.first(fed)))))
        return self.dense(self.bend(self.hidden(nn.functional.max_pool2d(hidden, 8).flatten(1))))


class Squeezed(Small):
    """Rectifies, and scales each channel by a gate that all places make together."""

    def __init__(self, inside: nn.Module, gate: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__(relu)
        self.inside, self.gate = inside, gate
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            self.down, self.up = nn.Linear(4, 4), nn.Linear(4, 4)
            for part in (self.first, self.second, self.dense):
                part.reset_parameters()

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        hidden = relu(self.second(relu(self.first(fed))))
        scale = self.gate(self.up(self.inside(self.down(hidden.mean(dim=(2, 3))))))
        hidden = scale[:, :, None, None].expand_as(hidden) * hidden
        return self.dense(nn.functional.max_pool2d(hidden, 8).flatten(1))


class _Broken(torch.autograd.Function):
    @staticmethod
    def forward(_context: torch.autograd.function.FunctionCtx, below: torch.Tensor) -> torch.Tensor:
        return below.clone()

    @staticmethod
    def backward(_context: torch.autograd.function.FunctionCtx, *_above: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("out of order")


class BreaksForward(Small):
    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        super().forward(fed)
        raise RuntimeError("out of order")


class BreaksBackward(Small):
    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        return super().forward(_Broken.apply(fed))


BACKWARD = ("saliency", "guided_backprop", "deconvnet", "full_grad", "integrated_gradients", "smooth_grad")


class TestTheNetworkIsLeftAsItCame:
    @pytest.mark.parametrize("how", list(RECTIFIERS))
    def test_by_all_methods_and_by_asking_what_it_allows(self, adapt, shown: np.ndarray, how: str) -> None:
        network = small(RECTIFIERS[how]())
        adapter = adapt(network)
        network.train()
        network.norm.eval()
        network.first.weight.requires_grad_(False)
        before = fingerprint(network)
        maps_of(adapter, shown)
        assert fingerprint(network) == before

    @pytest.mark.parametrize("method", list(METHODS))
    def test_when_it_breaks_in_the_middle_of_a_forward_pass(self, adapt, shown: np.ndarray, method: str) -> None:
        network = BreaksForward(nn.ReLU(inplace=True))
        adapter = adapt(network)
        network.train()
        before = fingerprint(network)
        with pytest.raises(RuntimeError, match="out of order"):
            maps_of(adapter, shown, [method])
        assert fingerprint(network) == before

    @pytest.mark.parametrize("method", BACKWARD)
    def test_when_it_breaks_in_the_middle_of_a_backward_pass(self, adapt, shown: np.ndarray, method: str) -> None:
        network = BreaksBackward(nn.ReLU(inplace=True))
        adapter = adapt(network)
        network.train()
        before = fingerprint(network)
        with pytest.raises(RuntimeError, match="out of order"):
            maps_of(adapter, shown, [method])
        assert fingerprint(network) == before

    @pytest.mark.parametrize("kind", [BreaksForward, BreaksBackward])
    @pytest.mark.parametrize("method", ["guided_backprop", "cam", "full_grad", "attention_rollout"])
    def test_when_it_breaks_while_asked_what_it_allows(self, adapt, kind: type[Small], method: str) -> None:
        network = kind(nn.ReLU(inplace=True))
        adapter = adapt(network)
        network.train()
        before = fingerprint(network)
        with_backward = method == "full_grad"
        if kind is BreaksForward or with_backward:
            with pytest.raises(RuntimeError, match="out of order"):
                refusal(adapter, method)
        else:
            refusal(adapter, method)
        assert fingerprint(network) == before


def test_a_network_without_places_has_maps_at_the_picture_alone(adapt, shown: np.ndarray) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 40, 8), nn.ReLU(), nn.Linear(8, K))
    adapter = dataclasses.replace(adapt(network, "", (1, 1)), grid=None)
    refused = {method for method in METHODS if refusal(adapter, method)}
    assert {"grad_cam", "cam", "eigen_cam", "attention_rollout", "guided_grad_cam", "score_cam"} <= refused
    assert "the network has none" in refusal(adapter, "grad_cam")
    maps = maps_of(adapter, shown)
    assert {"saliency", "guided_backprop", "full_grad", "rise"} <= set(maps)
    assert all(np.isfinite(values).all() for values in maps.values())
