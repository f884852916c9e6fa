"""Before anything is rendered it is known which method each model allows, and what is left out is said once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

from audit import loading
from audit.attribution import AttributionError
from audit.attribution.allowed_methods import left_out
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
        asked = config(["saliency", "grad_cam"], "rectifying")
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
