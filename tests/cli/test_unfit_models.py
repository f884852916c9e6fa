"""A model that cannot be audited is refused in one line, with exit code 2, before anything is rendered."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from safetensors.torch import save_file

from audit import cli
from audit.models import torchvision_weights
from audit.models.errors import WeightsUnavailable
from audit.stages import rendering


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read_once: None) -> Path:
    """The real audit up to the first scene, in an empty current folder."""
    monkeypatch.setattr(rendering, "render_scenes", lambda *_: pytest.fail("the model was accepted"))
    page = ModuleType("reports")
    page.write_report = lambda *_: pytest.fail("there is nothing to report")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "reports", page)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(typed: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of `run` with these settings."""
    assert cli.main(["run", *typed]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert not list(Path().glob("outputs/*"))
    return err


def weights(name: str, **arguments: int) -> str:
    """A file with untrained weights of a network of torchvision."""
    from torchvision import models

    file = f"{name}.safetensors"
    save_file(models.get_model(name, weights=None, **arguments).state_dict(), file)
    return file


def test_an_architecture_that_torchvision_does_not_have_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(["model=torchvision", "model.architecture=resnet81"], capsys)
    assert "architecture=resnet81 is unknown: did you mean resnet18" in said


def test_weights_of_another_architecture_are_told_key_by_key(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(["model=resnet18", f"model.checkpoint={weights('squeezenet1_1')}"], capsys)
    assert "checkpoint squeezenet1_1.safetensors does not fit the architecture ResNet" in said
    assert "missing: conv1.weight" in said
    assert "unexpected: classifier.1.bias" in said


def test_weights_of_a_sister_architecture_are_told_by_their_shapes(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(["model=squeezenet1_0", f"model.checkpoint={weights('squeezenet1_1')}"], capsys)
    assert "features.0.weight (64, 3, 3, 3) for (96, 3, 7, 7)" in said


@pytest.mark.parametrize(
    ("checkpoint", "says"),
    [
        ("torchvision:IMAGENET1K_V7", "squeezenet1_0 has no such weights; did you mean IMAGENET1K_V1"),
        ("nowhere.safetensors", "checkpoint nowhere.safetensors is not there"),
        ("null", "squeezenet1_0 needs a checkpoint"),
    ],
)
def test_weights_that_are_not_there_are_told(checkpoint: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(["model=squeezenet1_0", f"model.checkpoint={checkpoint}"], capsys)


def test_a_network_with_other_classes_than_imagenet_is_told_how_many_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    """Fine-tuned on ten classes, say."""
    typed = ["model=torchvision", "model.architecture=squeezenet1_1", "model.arguments.num_classes=10"]
    said = refused([*typed, f"model.checkpoint={weights('squeezenet1_1', num_classes=10)}"], capsys)
    assert "model torchvision has 10 outputs, not 1000: one for each class of ImageNet-1k" in said


def test_a_proximity_network_that_is_asked_for_classes_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(["model=proximity", "model.task=classification"], capsys)
    assert "model proximity has 155 outputs, not 1000" in said


def test_a_network_with_one_output_too_few_for_the_robot_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A module of the user's own, in the current folder."""
    Path("narrow.py").write_text(
        "from torch import nn\n"
        "class Narrow(nn.Sequential):\n"
        "    target_layer = '0'\n"
        "    def __init__(self, outputs):\n"
        "        super().__init__(nn.Conv2d(3, outputs, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    typed = ["model=user", "model.architecture=narrow.Narrow", "model.checkpoint=null", "model.arguments.outputs=154"]
    said = refused(typed, capsys)
    assert "model user has 154 outputs" in said
    assert "155" in said


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ("lemon=[lemmon]", "design.classes.lemon: class 'lemmon': ImageNet has none of this name; did you mean lemon"),
        ("bucket=[bucket,bukcet]", "design.classes.bucket: class 'bukcet': ImageNet has none of this name"),
        ("lemon=[1000]", "design.classes.lemon: class 1000: ImageNet's classes are numbered 0 to 999"),
        ("lemon=[-1]", "design.classes.lemon: class -1: ImageNet's classes are numbered 0 to 999"),
        ("lemn=[lemon]", "design.classes.lemn: there is no such object; did you mean 'lemon'?"),
    ],
)
def test_a_class_that_imagenet_does_not_have_is_told_the_nearest(
    classes: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any weights are looked for, let alone fetched."""
    assert says in refused(["model=squeezenet1_0", f"design.classes.{classes}"], capsys)


def test_so_is_a_class_of_an_object_of_the_user_s_own(capsys: pytest.CaptureFixture[str]) -> None:
    mine = ["design.assets.my_mug.path=mug.glb", "design.assets.my_mug.classes=[coffe mug]", "design.objects=[my_mug]"]
    said = refused(["model=squeezenet1_0", *mine], capsys)
    assert "design.assets.my_mug.classes: class 'coffe mug': ImageNet has none of this name; did you mean" in said


def test_an_object_that_the_studio_does_not_have_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(["model=squeezenet1_0", "design.objects=[lemon,bukcet]"], capsys)
    assert "design.objects=[bukcet]: there is no such object; did you mean 'bucket'?" in said


@pytest.mark.parametrize("verb", ["plan", "render", "bench noise"])
def test_pictures_are_not_rendered_and_that_is_said(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*verb.split(), "model=proximity", "design=pictures", "design.pictures=."]) == 2
    err = capsys.readouterr().err
    assert "rendered" in err
    assert err.count("\n") == 1


class TestWeightsOutOfReach:
    """Published weights that are neither here nor can be fetched: that model is left out, and it is said."""

    @pytest.fixture(autouse=True)
    def offline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fetched(weights: object, model: str) -> Path:
            remedy = f"set models.{model}.checkpoint=FILE"
            raise WeightsUnavailable(model, reason="no network", url="https://example.org/w.pth", remedy=remedy)

        monkeypatch.setattr(torchvision_weights, "fetched", fetched)

    def test_scenes_that_no_model_is_left_to_see_are_not_planned(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["plan", "design=[tabletop_smoke,studio_smoke]"]) == 0
        out, err = capsys.readouterr()
        assert "tabletop_smoke: " in out
        assert "studio_smoke" not in out
        assert out.splitlines()[-1].split() == ["models", "proximity"]
        assert err.splitlines() == [
            f"skipped   {name}: no network (https://example.org/w.pth); set models.{name}.checkpoint=FILE"
            for name in ("squeezenet1_0", "resnet18")
        ]

    def test_an_audit_of_none_but_such_models_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["run", "experiment=imagenet_objects"]) == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.startswith("scene-audit: no model is left to audit: squeezenet1_0: no network")
        assert "set models.resnet18.checkpoint=FILE" in last
        assert not list(Path().glob("outputs/*"))
