"""What is typed on the command line arrives as it was meant, whatever characters it has."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from audit import composition
from audit.composition import ConfigError, compose, dump, store_of
from audit.config import AssetConfig, AuditConfig, DesignConfig

pytestmark = pytest.mark.usefixtures("read_once")


@pytest.mark.parametrize(
    ("typed", "arrives"),
    [
        ("epoch=3.safetensors", "epoch=3.safetensors"),
        ("runs/my weights, v2.pt", "runs/my weights, v2.pt"),
        ("a'b\"c.pt", "a'b\"c.pt"),
        ("'in quotes.pt'", "in quotes.pt"),
        ("w[1]{2}(3)$x#!%.pt", "w[1]{2}(3)$x#!%.pt"),
        ("epoch=${n}.pt", "epoch=${n}.pt"),
        ("7", "7"),
        ("true", "true"),
        ("null", None),
    ],
)
def test_a_checkpoint_is_taken_as_typed(typed: str, arrives: str | None) -> None:
    assert compose(["experiment=smoke", f"model.checkpoint={typed}"]).models["proximity"].checkpoint == arrives


def test_a_tilde_is_the_home_folder_wherever_a_path_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The shell does not expand it behind an equals sign."""
    monkeypatch.setenv("HOME", str(tmp_path))
    typed = ["model=proximity", "model.checkpoint=~/x.pt", "paths.store=~/store", "paths.outputs=~"]
    config = compose([*typed, "design=pictures", "design.pictures=~/p"])
    assert config.models["proximity"].checkpoint == str(tmp_path / "x.pt")
    assert config.paths.store == str(tmp_path / "store")
    assert config.paths.outputs == str(tmp_path)
    assert config.designs["pictures"].pictures == str(tmp_path / "p")
    mine = [f"design.assets.my_mug.{setting}" for setting in ("path=~/my mug.glb", "classes=[coffee mug]")]
    config = compose(["model=resnet18", *mine, "design.objects=[my_mug]"])
    assert config.designs["studio"].assets["my_mug"].path == str(tmp_path / "my mug.glb")


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
@example("\\${x}")
@example("a\\'")
@example("\\\\${oc.env:HOME}")
def test_any_text_of_a_text_setting_arrives_verbatim(text: str) -> None:
    """Neither Hydra's grammar nor interpolation touches it; only quotes around the whole are taken off."""
    config = OmegaConf.create({"paths": {"store": "store"}})
    composition._apply(config, composition._parse(f"paths.store={text}"), {}, {})
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    assert composition._resolved(config)["paths"]["store"] == (text[1:-1] if quoted else text)


@pytest.mark.parametrize(
    ("typed", "of", "arrives"),
    [
        ("design.factors.light=[front, back]", lambda c: tabletop(c).factors["light"], ["front", "back"]),
        ("design.factors.cast_shadow=['soft','none']", lambda c: tabletop(c).factors["cast_shadow"], ["soft", "none"]),
        ("++design.seeds=9", lambda c: tabletop(c).seeds, 9),
        (
            "design.keep={seeds: [0, 3], light: [back]}",
            lambda c: tabletop(c).keep,
            {"seeds": [0, 3], "light": ["back"]},
        ),
        ("camera.position=[0,.1,2e-1]", lambda c: c.camera.position, [0.0, 0.1, 0.2]),
        ("criterion.margins.brier=.02", lambda c: c.criterion.margins["brier"], 0.02),
        ("training.learning_rate=1e-4", lambda c: c.training.learning_rate, 1e-4),
        ("model.arguments.width=32", lambda c: c.models["proximity"].arguments, {"width": 32}),
        ("model.recipe.light=[front]", lambda c: c.models["proximity"].recipe, {"light": ["front"]}),
        ("models.proximity.threshold=.3", lambda c: c.models["proximity"].threshold, 0.3),
        ("~design.factors.relation", lambda c: list(tabletop(c).factors), ["light", "cast_shadow"]),
        ("paths.outputs=/data/o", lambda c: c.training.checkpoint, "/data/o/training/proximity.safetensors"),
    ],
)
def test_other_settings_are_read_in_the_usual_notation(typed: str, of: object, arrives: object) -> None:
    assert callable(of)
    assert of(compose(["model=proximity", typed])) == arrives


@pytest.mark.parametrize(
    ("typed", "of", "arrives"),
    [
        ("design.objects=[lemon, bucket]", lambda c: studio(c).objects, ["lemon", "bucket"]),
        ("design.crossing=full", lambda c: studio(c).crossing, "full"),
        ("designs.studio.samples=64", lambda c: studio(c).samples, 64),
        ("design.denoise=false", lambda c: studio(c).denoise, False),
        ("design.keep={object: [lemon], seeds: [2]}", lambda c: studio(c).keep, {"object": ["lemon"], "seeds": [2]}),
        ("design.keep.outside_shadow=[half]", lambda c: studio(c).keep, {"outside_shadow": ["half"]}),
        ("design.classes.bucket=[bucket, 412]", lambda c: studio(c).classes, {"bucket": ["bucket", 412]}),
        ("design.classes.bucket=[ash can]", lambda c: studio(c).classes, {"bucket": ["ash can"]}),
        ("design.control.light=back", lambda c: studio(c).control, {"light": "back"}),
        ("studio.size=128", lambda c: c.studio.size, 128),
        ("model.arguments.image_size=384", lambda c: c.models["resnet18"].arguments, {"image_size": 384}),
        ("model.checkpoint=torchvision:IMAGENET1K_V1", lambda c: c.models["resnet18"].checkpoint[12:], "IMAGENET1K_V1"),
    ],
)
def test_settings_of_the_studio_are_read_likewise(typed: str, of: object, arrives: object) -> None:
    assert callable(of)
    assert of(compose(["model=resnet18", typed])) == arrives


@pytest.mark.parametrize(
    "typed",
    [
        ["design.assets={my_mug: {path: mug.glb, classes: [coffee mug, 968], yaw: 90}}"],
        [f"design.assets.my_mug.{text}" for text in ("path=mug.glb", "classes=[coffee mug,968]", "yaw=90")],
    ],
)
def test_an_object_of_one_s_own_is_given_at_once_or_setting_by_setting(typed: list[str]) -> None:
    config = compose(["model=resnet18", *typed, "design.objects=[lemon,my_mug]"])
    assert studio(config).assets == {"my_mug": AssetConfig("mug.glb", ["coffee mug", 968], yaw=90.0)}


@pytest.mark.parametrize(
    ("typed", "of", "arrives"),
    [
        ("design.factors.distance=[0.05..0.35]", lambda c: tabletop(c).factors["distance"], ["0.05..0.35"]),
        ("design.factors.camera_pitch=['52..56:5']", lambda c: tabletop(c).factors["camera_pitch"], ["52..56:5"]),
        ("design.factors.camera_pitch=[52..56:5]", lambda c: tabletop(c).factors["camera_pitch"], ["52..56:5"]),
        ("design.factors.offset=[-0.1..0.05]", lambda c: tabletop(c).factors["offset"], ["-0.1..0.05"]),
        ('design.factors.distance=["0.1","drawn"]', lambda c: tabletop(c).factors["distance"], ["0.1", "drawn"]),
        ("design.control.field_of_view=70", lambda c: tabletop(c).control["field_of_view"], "70"),
        ("design.keep.offset=[-0.12..-0.06]", lambda c: tabletop(c).keep, {"offset": ["-0.12..-0.06"]}),
    ],
)
def test_ranges_and_bins_are_text_with_quotes_or_without(typed: str, of: object, arrives: object) -> None:
    assert callable(of)
    assert of(compose(["design=tabletop_sampled", "model=proximity", typed])) == arrives


def tabletop(config: AuditConfig) -> DesignConfig:
    return config.designs["tabletop"]


def studio(config: AuditConfig) -> DesignConfig:
    return config.designs["studio"]


def test_the_last_of_two_wins() -> None:
    """So a command can be repeated with something appended."""
    assert compose(["seed=1", "experiment=default", "seed=2", "experiment=smoke"]).seed == 2
    assert compose(["experiment=default", "experiment=smoke"]).experiment == "smoke"


def test_what_is_typed_wins_over_the_experiment() -> None:
    assert tabletop(compose(["design.seeds=10", "experiment=smoke"])).seeds == 10


class TestTheDump:
    """config.yaml of a run."""

    def test_it_holds_no_folder_of_this_machine(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        here = Path.cwd()
        typed = [f"paths.store={here}/there/store", "models.resnet18.checkpoint=~/w.pt", f"paths.outputs={tmp_path}/o"]
        text = dump(compose(typed))
        text += dump(compose(["design=pictures", f"design.pictures={here}/there/pictures"]))
        mine = [f"design.assets.my_mug.path={here}/there/mug.glb", "design.assets.my_mug.classes=[504]"]
        text += dump(compose(["model=resnet18", *mine, "design.objects=[lemon,my_mug]"]))
        assert str(here) not in text
        assert str(tmp_path) not in text
        assert "there/store" in text
        assert "there/pictures" in text
        assert "there/mug.glb" in text
        assert "~/w.pt" in text

    def test_it_says_which_store_a_run_used(self, tmp_path: Path) -> None:
        (tmp_path / "config.yaml").write_text(dump(compose(["paths.store=/data/store"])), "utf-8")
        assert store_of(tmp_path) == "/data/store"

    def test_a_run_without_it_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="does not say which store"):
            store_of(tmp_path)

    def test_it_reads_back_as_the_same_configuration(self) -> None:
        import yaml

        from audit.schema import convert

        config = compose(["designs.studio.keep.object=[lemon]", "models.proximity.arguments.width=3"])
        assert convert(yaml.safe_load(dump(config)), AuditConfig, "") == config
