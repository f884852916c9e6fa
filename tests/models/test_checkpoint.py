"""Checkpoints load or fail with one clear line, and nothing in them is executed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from audit.config import ModelConfig
from audit.models import ModelError, build_adapter
from audit.models.proximity_cnn import ProximityCNN
from tests.models.tasks import PROXIMITY

Save = Callable[..., Path]


def build(checkpoint: Path | str, **changes: object):
    return build_adapter(ModelConfig(checkpoint=str(checkpoint), **changes), "cpu", PROXIMITY)  # type: ignore[arg-type]


def refusal(checkpoint: Path | str, **changes: object) -> str:
    with pytest.raises(ModelError) as error:
        build(checkpoint, **changes)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


class Trap:
    """Pickles into a call that leaves a file behind, if anything ever executes it."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("wrap", [None, "state_dict", "model_state_dict"])
def test_a_state_dict_loads_as_the_safetensors_of_the_same_weights_does(saved: Save, wrap: str | None) -> None:
    state = load_file(saved())
    file = saved().with_name("net.pt")
    torch.save(state if wrap is None else {"epoch": 3, wrap: state}, file)
    loaded = build(file).module.state_dict()
    assert all(torch.equal(loaded[key], values) for key, values in state.items())


def test_the_digest_is_that_of_the_file(saved: Save) -> None:
    file = saved()
    checkpoint = build(file).checkpoint
    assert checkpoint.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert checkpoint.file == "net.safetensors"  # a name, no path


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickled_whole_module_is_refused_with_the_remedy(tmp_path: Path, legacy: bool) -> None:
    file = tmp_path / "model.pt"
    torch.save(ProximityCNN(), file, _use_new_zipfile_serialization=not legacy)
    message = refusal(file)
    assert "pickled" in message
    assert "refused" in message
    assert "state_dict()" in message


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_checkpoint_is_never_run(tmp_path: Path, legacy: bool) -> None:
    file, mark = tmp_path / "trap.pt", tmp_path / "executed"
    torch.save({"weights": Trap(mark)}, file, _use_new_zipfile_serialization=not legacy)
    assert "refused" in refusal(file)
    assert not mark.exists()


def test_something_that_is_no_state_dict_is_named(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pt")
    assert "holds a list" in refusal(tmp_path / "list.pt")
    torch.save({"epoch": 3, "encoder.0.weight": torch.zeros(1)}, tmp_path / "mixed.pt")
    assert "epoch" in refusal(tmp_path / "mixed.pt")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.99])
def test_a_truncated_file_is_called_truncated(saved: Save, tmp_path: Path, suffix: str, kept: float) -> None:
    whole = saved()
    if suffix == ".pt":
        state = load_file(whole)
        whole = tmp_path / "whole.pt"
        torch.save(state, whole)
    content = whole.read_bytes()
    file = tmp_path / f"cut{suffix}"
    file.write_bytes(content[: int(len(content) * kept)])
    assert "truncated" in refusal(file)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused_by_name(saved: Save, value: float) -> None:
    file = saved()
    state = load_file(file)
    state["decoder.3.weight"][7, 7] = value
    save_file(state, file)
    message = refusal(file)
    assert "NaN or infinite" in message
    assert "decoder.3.weight" in message
    assert "encoder" not in message


def test_a_checkpoint_of_another_architecture_lists_every_kind_of_fault_at_once(saved: Save) -> None:
    file = saved()
    state = load_file(file)
    del state["encoder.0.bias"]
    state["classifier.weight"] = torch.zeros(2, 2)
    state["decoder.1.weight"] = torch.zeros(256, 512)
    save_file(state, file)
    message = refusal(file)
    assert "missing: encoder.0.bias" in message
    assert "unexpected: classifier.weight" in message
    assert "mis-shaped: decoder.1.weight (256, 512) for (256, 640)" in message


def test_long_lists_of_keys_are_cut_with_their_count(tmp_path: Path) -> None:
    save_file({f"layer{i}.weight": torch.zeros(1) for i in range(300)}, tmp_path / "other.safetensors")
    message = refusal(tmp_path / "other.safetensors")
    assert "and 292 more" in message
    assert "encoder.0.weight" in message


def test_a_prefix_in_front_of_every_key_is_pointed_out(saved: Save) -> None:
    file = saved()
    save_file({f"module.{key}": values for key, values in load_file(file).items()}, file)
    assert "fit without the prefix 'module.'" in refusal(file)


def test_a_declared_number_of_outputs_is_held_against_the_checkpoint(saved: Save) -> None:
    file = saved(outputs=325)
    assert build(file).module.state_dict()["decoder.3.bias"].shape == (325,)
    assert "decoder.3.bias (325,) for (155,)" in refusal(file, arguments={"outputs": 155})


def test_a_file_that_is_not_there_gets_the_nearest_name(saved: Save, tmp_path: Path) -> None:
    saved(name="epoch_12.safetensors")
    assert "did you mean epoch_12.safetensors" in refusal(tmp_path / "epoch_13.safetensors")
    assert "folder does not exist" in refusal(tmp_path / "nowhere" / "net.safetensors")
    assert "is a folder" in refusal(tmp_path)


def test_the_built_in_architecture_without_a_checkpoint_is_refused() -> None:
    with pytest.raises(ModelError, match="needs a checkpoint"):
        build_adapter(ModelConfig(checkpoint=None), "cpu", PROXIMITY)


def test_a_packaged_checkpoint_comes_with_its_card(
    saved: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkpoints").mkdir()
    saved(name="checkpoints/shipped.safetensors").with_suffix(".json").write_text('{"threshold": 0.31}')
    monkeypatch.setattr("audit.models.checkpoint.files", lambda package: tmp_path)
    adapter = build("packaged:shipped")
    assert adapter.threshold == 0.31
    assert adapter.checkpoint.file == "shipped.safetensors"
    assert build("packaged:shipped.safetensors").checkpoint == adapter.checkpoint
    assert "did you mean shipped" in refusal("packaged:shiped")
    assert "no checkpoint '../net'" in refusal("packaged:../net")


def test_threshold_and_recipe_come_from_the_configuration_then_the_card_then_the_default(saved: Save) -> None:
    file = saved()
    assert (build(file).threshold, build(file).recipe) == (0.5, None)
    card = {"threshold": 0.42, "recipe": {"light": ["front", "left"]}, "epochs": 60}
    file.with_suffix(".json").write_text(json.dumps(card))
    adapter = build(file)
    assert adapter.threshold == 0.42
    assert adapter.recipe == {"light": ("front", "left")}
    assert adapter.checkpoint.card == card
    declared = build(file, threshold=0.9, recipe={"light": ["back"]})
    assert (declared.threshold, declared.recipe) == (0.9, {"light": ("back",)})


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("{", "not readable JSON"),
        ("[1]", "must be a JSON object"),
        ('{"threshold": "high"}', "threshold must be a probability"),
        ('{"threshold": 1.5}', "threshold must be a probability"),
        ('{"threshold": true}', "threshold must be a probability"),
        ('{"recipe": {"light": "front"}}', "list of levels"),
        ('{"recipe": {"cast_shadow": [false]}}', "all of them strings"),
    ],
)
def test_a_card_that_cannot_be_relied_on_is_refused(saved: Save, card: str, message: str) -> None:
    file = saved()
    file.with_suffix(".json").write_text(card)
    assert message in refusal(file)


def test_a_configured_threshold_outside_zero_and_one_is_refused(saved: Save) -> None:
    assert "no probability" in refusal(saved(), threshold=50.0)
