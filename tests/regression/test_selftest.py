"""The self-test: faults are what they are said to be, and what is not noticed costs an exit code."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from audit import cli
from audit.composition import compose
from audit.config import AuditConfig, DesignConfig, PreprocessingConfig
from audit.loading import load_models
from audit.models.adapter import Adapter
from audit.models.checkpoint import read_checkpoint
from audit.regression import faults, selftest, selftest_verb
from audit.regression.selftest import Result
from tests.analysis.synthetic_run import jitter

pytestmark = pytest.mark.usefixtures("read_once")


@pytest.fixture
def adapter() -> Adapter:
    return load_models(compose(["experiment=regression"])).adapters["proximity"]


def loaded(adapter: Adapter, state: faults.State) -> nn.Module:
    module = type(adapter.module)(outputs=155).eval()
    module.load_state_dict(state)
    return module


PICTURES = torch.tensor([jitter(i) for i in range(2 * 3 * 64 * 80)]).reshape(2, 3, 64, 80)


def answers(module: nn.Module, pictures: torch.Tensor = PICTURES) -> torch.Tensor:
    with torch.no_grad():
        return module(pictures)


class TestFaults:
    def test_swapped_channels_answer_swapped_pictures_as_the_original_answers_them(self, adapter: Adapter) -> None:
        swapped = loaded(adapter, faults.with_swapped_channels(adapter))
        assert torch.allclose(answers(swapped, PICTURES.flip(1)), answers(adapter.module), atol=1e-5)
        assert not torch.allclose(answers(swapped), answers(adapter.module), atol=1e-2)

    def test_a_dead_sensor_never_answers_and_the_others_answer_as_before(self, adapter: Adapter) -> None:
        dead = loaded(adapter, faults.with_dead_place(adapter, "centre", ["left"]))
        found, before = (answers(m).reshape(2, 31, 5) for m in (dead, adapter.module))
        assert (found[:, :, 2] == faults.DEAD).all()
        others = [0, 1, 3, 4]
        assert torch.equal(found[:, :, others], before[:, :, others])

    def test_noise_moves_every_tensor_by_as_much_as_is_said_and_always_alike(self, adapter: Adapter) -> None:
        before, noisy = faults.weights_of(adapter), faults.with_noise(adapter, 0.5)
        for name, values in before.items():
            moved = (noisy[name] - values).std() / values.std()
            assert 0.5 * 0.4 < moved < 0.5 * 2, name  # a bias has ten values
        assert all(torch.equal(v, noisy[k]) for k, v in faults.with_noise(adapter, 0.5).items())

    def test_the_network_itself_is_left_as_it_was(self, adapter: Adapter) -> None:
        before = answers(adapter.module)
        for made in (faults.with_noise(adapter), faults.with_swapped_channels(adapter)):
            assert made
        faults.with_dead_place(adapter, "left", [])
        assert torch.equal(answers(adapter.module), before)

    def test_a_faulty_checkpoint_is_read_with_the_originals_threshold(self, adapter: Adapter, tmp_path: Path) -> None:
        name = faults.save(faults.with_noise(adapter), adapter, tmp_path / "noise.safetensors")
        checkpoint, state = read_checkpoint(name)
        assert checkpoint.card["threshold"] == adapter.threshold
        assert set(state) == set(adapter.module.state_dict())

    def test_a_network_without_a_convolution_has_no_channels_to_swap(self, adapter: Adapter) -> None:
        dense = dataclasses.replace(adapter, module=nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 80, 155)))
        with pytest.raises(faults.NotMade, match="no convolution reads"):
            faults.with_swapped_channels(dense)
        faults.with_dead_place(dense, "left", [])

    def test_a_network_whose_answers_come_from_no_layer_has_no_place_to_kill(self, adapter: Adapter) -> None:
        bare = dataclasses.replace(adapter, module=nn.Flatten())
        with pytest.raises(faults.NotMade, match="no layer has an output for each answer"):
            faults.with_dead_place(bare, "left", [])

    @pytest.mark.parametrize(
        "given",
        [
            PreprocessingConfig(),
            PreprocessingConfig(normalisation="fixed"),
            PreprocessingConfig(normalisation="fixed", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ],
    )
    def test_a_shifted_normalisation_is_fixed_and_another(self, given: PreprocessingConfig) -> None:
        shifted = faults.shifted(given)
        assert shifted.normalisation == "fixed"
        assert (shifted.normalisation, shifted.mean, shifted.std) != (given.normalisation, given.mean, given.std)

    def test_the_warm_suite_has_the_same_conditions_under_one_lamp(self) -> None:
        design = DesignConfig(factors={"light": ["front", "back"], "light_color": ["neutral", "red"]}, seeds=3)
        found = faults.under_a_warm_lamp(design)
        assert found.factors == {"light": ["front", "back"], "light_color": ["warm"]}
        assert (found.control["light_color"], found.seeds, found.arms) == ("warm", 3, False)


class TestVerb:
    def run(self, monkeypatch: pytest.MonkeyPatch, results: Sequence[Result]) -> int:
        def given(config: AuditConfig, model: str, say: object) -> Iterator[Result]:
            assert (model, config.experiment) == ("proximity", "regression")
            yield from results

        monkeypatch.setattr(selftest_verb, "self_test", given)
        return cli.main(["selftest"])

    def test_all_as_expected_is_exit_code_0(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        not_made = Result("swapped channels", "a regression", "", True, "no convolution")
        assert self.run(monkeypatch, [Result("noise", "a regression", "regression", True), not_made]) == 0
        said = capsys.readouterr().out.splitlines()
        assert said == [
            "ok        noise: expected a regression; regression",
            "not made  swapped channels: no convolution",
            "self-test passed",
        ]

    def test_a_fault_that_is_not_noticed_is_named_and_costs_exit_code_1(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        results = [Result("noise", "a regression", "pass", False), Result("the same", "pass", "pass", True)]
        assert self.run(monkeypatch, results) == 1
        said = capsys.readouterr().out.splitlines()
        assert said[0].startswith("missed    noise")
        assert said[-1] == "self-test failed: noise"


def test_a_fault_that_cannot_be_made_is_said_and_the_others_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_made(bench: selftest.Bench) -> tuple[str, bool]:
        raise faults.NotMade("no convolution reads the picture's three channels")

    def found(bench: selftest.Bench) -> tuple[str, bool]:
        assert bench.config.comparison.confirm is False
        assert bench.folder.is_dir()
        return "regression", True

    monkeypatch.setattr(selftest, "FAULTS", (("channels", "a regression", not_made), ("noise", "a regression", found)))
    first, second = selftest.self_test(compose(["experiment=regression"]), "proximity", print)
    assert (first.reason, first.is_as_expected) == ("no convolution reads the picture's three channels", True)
    assert (second.found, second.is_as_expected) == ("regression", True)


def test_an_original_that_cannot_be_loaded_is_no_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["selftest", "model.checkpoint=none.pt", f"paths.store={tmp_path / 'store'}"]) == 2
    assert "none.pt is not there" in capsys.readouterr().err


def test_the_card_of_a_faulty_checkpoint_is_json(adapter: Adapter, tmp_path: Path) -> None:
    faults.save(faults.weights_of(adapter), adapter, tmp_path / "a.safetensors")
    assert json.loads((tmp_path / "a.json").read_text())["recipe"]["light"] == ["front"]
