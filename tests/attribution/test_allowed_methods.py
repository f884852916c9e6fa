"""Before anything is rendered it is known which method each model allows, and what is left out is said once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from audit import loading
from audit.attribution import METHODS, AttributionError, activation_maps, attribute, gradient_maps, refusal
from audit.attribution.allowed_methods import left_out
from audit.attribution.jacobian import maps_of_sums
from audit.attribution.targets import output
from audit.config import AttributionConfig, AuditConfig, DesignConfig, ModelConfig, PreprocessingConfig
from audit.loading import load_models
from audit.models import Adapter
from tests.models.tasks import PROXIMITY

NETWORKS = """
from torch import nn

def read_by(*parts):
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), *parts, nn.AvgPool2d(8), nn.Flatten(), nn.Linear(320, 155))

def rectifying(): return read_by(nn.ReLU())
def smooth(): return read_by(nn.SiLU())
def dense(): return nn.Sequential(nn.Flatten(), nn.Linear(15360, 8), nn.ReLU(), nn.Linear(8, 155))
"""
NO_RECTIFIER = "is defined for rectifiers, and the network has none"
NO_PLACES = "needs a layer whose output has places, and the network has none"


def network(last: nn.Module) -> nn.Module:
    ends = (nn.AvgPool2d(8), nn.Flatten(), nn.Linear(320, 155))
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), last, *ends)


@pytest.fixture
def adapters(make_adapter) -> dict[str, Adapter]:
    dense = nn.Sequential(nn.Flatten(), nn.Linear(15360, 8), nn.ReLU(), nn.Linear(8, 155))
    return {
        "rectifying": make_adapter(network(nn.ReLU()), "1", (64, 80)),
        "smooth": make_adapter(network(nn.SiLU()), "1", (64, 80)),
        "dense": dataclasses.replace(make_adapter(dense, "", (1, 1)), grid=None),
    }


def test_a_model_is_left_out_of_what_it_does_not_allow(adapters: dict[str, Adapter]) -> None:
    assert left_out(["grad_cam", "guided_backprop", "saliency"], adapters) == {
        "smooth": {"guided_backprop": NO_RECTIFIER},
        "dense": {"grad_cam": NO_PLACES},
    }


class Unrecorded(nn.Module):
    """Its features are computed without a record, as of a backbone that is not to be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.neck = nn.Conv2d(4, 4, 3, padding=1)
        self.dense = nn.Linear(320, 155)

    def forward(self, fed: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            features = self.backbone(fed)
        return self.dense(nn.functional.avg_pool2d(torch.relu(self.neck(features)), 8).flatten(1))


AT_PICTURE = {
    *("saliency", "saliency_sum", "saliency_signed", "input_x_gradient", "integrated_gradients", "smooth_grad"),
    *("guided_backprop", "deconvnet", "guided_grad_cam", "full_grad"),
}
AT_LAYER = {"grad_cam", "grad_cam_plus_plus", "xgrad_cam", "hires_cam", "layer_cam"}


class TestOfANetworkThatCutsTheGradientOff:
    def test_what_needs_it_is_refused_in_one_line_and_nothing_else(self, make_adapter) -> None:
        of = {layer: make_adapter(Unrecorded(), layer, (64, 80)) for layer in ("backbone", "neck")}
        found = left_out(list(METHODS), of)
        unreadable = {"attention_rollout", "cam"}
        assert set(found["neck"]) == AT_PICTURE | unreadable  # behind the cut a layer has its gradient
        assert set(found["backbone"]) == AT_PICTURE | AT_LAYER | unreadable
        assert {found["neck"][m] for m in AT_PICTURE} == {gradient_maps.CUT_OFF}
        assert {found["backbone"][m] for m in AT_LAYER} == {activation_maps.CUT_OFF}
        assert "\n" not in gradient_maps.CUT_OFF + activation_maps.CUT_OFF
        said = refused(["saliency", "hires_cam"], {"backbone": of["backbone"]})
        assert said.endswith("attribution.methods=[occlusion] would do")

    def test_what_needs_none_is_what_it_is_with_a_record(self, make_adapter, pictures, quick) -> None:
        class Recorded(Unrecorded):
            def forward(self, fed: torch.Tensor) -> torch.Tensor:
                behind = torch.relu(self.neck(self.backbone(fed)))
                return self.dense(nn.functional.avg_pool2d(behind, 8).flatten(1))

        recorded = Recorded()
        unrecorded = Unrecorded()
        unrecorded.load_state_dict(recorded.state_dict())
        both = [make_adapter(network, "neck", (64, 80)) for network in (recorded, unrecorded)]
        chosen = ["hires_cam", "grad_cam", "occlusion", "eigen_cam"]
        maps = [attribute(one, pictures[:2], output(3), chosen, settings=quick) for one in both]
        for method in chosen:
            np.testing.assert_allclose(maps[1][method], maps[0][method], rtol=1e-5)

    def test_a_place_within_what_is_not_recorded_has_no_influence(self, make_adapter, pictures) -> None:
        """It is part of the picture, beside which the answer has a record."""

        class Beside(Unrecorded):
            def forward(self, fed: torch.Tensor) -> torch.Tensor:
                return super().forward(fed) + fed.mean(dim=(1, 2, 3))[:, None]

        adapter = make_adapter(Beside(), "backbone", (64, 80))
        assert [m for m in ("saliency", "hires_cam") if not refusal(adapter, m)] == ["saliency"]
        assert "a rest remains" in refusal(adapter, "full_grad")
        maps = attribute(adapter, pictures[:2], output(3), ["saliency", "hires_cam"])
        assert (maps["saliency"] > 0).all()
        assert (maps["hires_cam"] == 0).all()
        of_outputs = maps_of_sums(adapter, pictures[:2], np.eye(155, dtype=bool)[:2], ["saliency", "eigen_cam"])
        assert (of_outputs["saliency"] > 0).all()
        assert (of_outputs["eigen_cam"] > 0).any()


def test_where_all_allow_all_nothing_is_left_out(adapters: dict[str, Adapter]) -> None:
    assert left_out(["saliency", "input_x_gradient"], adapters) == {}
    assert left_out([], adapters) == {}
    assert left_out(["saliency"], {}) == {}


def refused(methods: list[str], adapters: dict[str, Adapter]) -> str:
    with pytest.raises(AttributionError) as error:
        left_out(methods, adapters)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_method_that_does_not_exist_gets_the_nearest(adapters: dict[str, Adapter]) -> None:
    assert "attribution method gradcam is unknown: did you mean grad_cam" in refused(["saliency", "gradcam"], adapters)


def test_a_method_that_no_model_allows_is_left_out_where_others_remain(adapters: dict[str, Adapter]) -> None:
    """All methods at once can be asked for without knowing which of them the network allows."""
    found = left_out(["saliency", "attention_rollout"], adapters)
    assert {name: list(refused) for name, refused in found.items()} == {n: ["attention_rollout"] for n in adapters}


def test_a_model_that_allows_none_is_named_with_a_method_that_would_do(adapters: dict[str, Adapter]) -> None:
    said = refused(["guided_backprop"], adapters)
    assert said == (
        f"attribution method guided_backprop: model smooth does not allow it, since it {NO_RECTIFIER};"
        " attribution.methods=[saliency] would do"
    )
    said = refused(["hires_cam", "grad_cam"], {"dense": adapters["dense"]})
    assert said == (
        f"attribution method hires_cam: model dense does not allow it, since it {NO_PLACES};"
        " nor does it allow grad_cam; attribution.methods=[saliency] would do"
    )


@pytest.fixture
def own_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "networks_of_three_kinds.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "task_of", lambda *_: PROXIMITY)


def config(methods: list[str], *names: str) -> AuditConfig:
    models = {
        name: ModelConfig(
            name=name, architecture=f"networks_of_three_kinds.{name}", preprocessing=PreprocessingConfig()
        )
        for name in names
    }
    attribution = AttributionConfig(methods=methods)
    return AuditConfig(device="cpu", models=models, attribution=attribution, designs={"tabletop": DesignConfig()})


@pytest.mark.usefixtures("own_networks")
class TestLoading:
    def test_says_what_is_left_out_and_what_was_guessed_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        asked = config(["grad_cam", "guided_backprop", "saliency"], "rectifying", "smooth", "dense")
        loaded = load_models(asked)
        out, err = capsys.readouterr()
        assert out == ""
        assert err.splitlines() == [
            "guessed   target layer of rectifying: 1, (B, channels, height, width), 64 x 80 places;"
            " another by models.rectifying.target_layer=...",
            "guessed   target layer of smooth: 1, (B, channels, height, width), 64 x 80 places;"
            " another by models.smooth.target_layer=...",
            f"left out  guided_backprop of smooth: {NO_RECTIFIER}",
            f"left out  grad_cam of dense: {NO_PLACES}",
        ]
        assert loaded.left_out == {"smooth": {"guided_backprop": NO_RECTIFIER}, "dense": {"grad_cam": NO_PLACES}}
        assert loaded.methods_of("rectifying", asked) == ["grad_cam", "guided_backprop", "saliency"]
        assert loaded.methods_of("smooth", asked) == ["grad_cam", "saliency"]
        assert loaded.methods_of("dense", asked) == ["guided_backprop", "saliency"]

    def test_refuses_a_model_that_allows_nothing_of_what_was_asked(self) -> None:
        with pytest.raises(AttributionError, match="model dense does not allow it"):
            load_models(config(["hires_cam", "grad_cam"], "dense"))

    def test_asks_no_network_about_methods_that_need_nothing_of_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = config(["occlusion", "eigen_cam"], "rectifying")
        monkeypatch.setattr(loading, "build_adapter", _counting(calls := [], loading.build_adapter))
        load_models(asked)
        assert calls == []


def _counting(calls: list[int], build):
    def built(*given) -> Adapter:
        adapter = build(*given)
        adapter.module.register_forward_hook(lambda _module, inputs, _output: calls.append(len(inputs[0])))
        return adapter

    return built


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)
