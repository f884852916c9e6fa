"""hydra_configs/ is complete, commented, and says what the dataclasses say."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml

from audit import parts, schema
from audit.composition import compose, defaults, groups
from audit.config import SCENE_SETS, AuditConfig, DesignConfig
from scenes.assets import ASSETS
from scenes.factors import REGISTRY

pytestmark = pytest.mark.usefixtures("read_once")

GROUPS = groups()
OPTIONS = [(group, name) for group, names in GROUPS.items() for name in names]
CHOICES = [(group, name) for group, name in OPTIONS if len(GROUPS[group]) > 1]
# what a part leaves to the user, or needs beside it
GIVEN = {
    "design=pictures": ["design.pictures=pictures"],
    "design=studio": ["model=squeezenet1_0"],
    "design=studio_all": ["model=squeezenet1_0"],
    "design=studio_factors": ["model=squeezenet1_0"],
    "design=studio_smoke": ["model=squeezenet1_0"],
    "design=tabletop": ["model=proximity"],
    "design=tabletop_factors": ["model=proximity"],
    "design=tabletop_sampled": ["model=proximity"],
    "design=tabletop_smoke": ["model=proximity"],
    "design=tabletop_regression": ["model=proximity"],
    "experiment=paper_2019": ["design.pictures=pictures", "model.checkpoint=x.safetensors"],
    "model=proximity_2019": ["model.checkpoint=x.safetensors"],
    "model=torchvision": ["model.architecture=vgg16"],
    "model=user": ["model.architecture=networks.build", "model.checkpoint=x.safetensors"],
}


@pytest.mark.parametrize(("group", "name"), CHOICES, ids=lambda value: value)
def test_every_option_that_one_can_choose_composes(group: str, name: str) -> None:
    choice = f"{group}={name}"
    assert isinstance(compose([choice, *GIVEN.get(choice, [])]), AuditConfig)


@pytest.mark.parametrize(("group", "name"), OPTIONS, ids=lambda value: value)
def test_every_file_begins_with_a_sentence_that_says_what_it_is(group: str, name: str) -> None:
    """The help prints it."""
    assert GROUPS[group][name].endswith((".", "FILE")), f"{group}/{name}.yaml"


@pytest.mark.parametrize("name", sorted(GROUPS["model"]))
def test_a_model_file_puts_its_model_under_its_own_name(name: str, root: Path) -> None:
    """Without this line, model=[a,b] merges two models into one."""
    assert first_line(root, "model", name) == f"# @package models.{name}"


@pytest.mark.parametrize("name", sorted(GROUPS["design"]))
def test_a_design_file_puts_its_design_under_its_scene_set(name: str, root: Path) -> None:
    """Without this line, design=[a,b] merges two designs into one."""
    assert first_line(root, "design", name) in {f"# @package designs.{scene_set}" for scene_set in REGISTRY}


def first_line(root: Path, group: str, name: str) -> str:
    return (root / "hydra_configs" / group / f"{name}.yaml").read_text("utf-8").splitlines()[0]


def test_the_files_name_every_setting_of_the_schema(root: Path) -> None:
    """So whoever reads hydra_configs/ sees all there is to set. A file that builds on another names what differs."""
    composed = defaults()
    for group, kind in get_type_hints(AuditConfig).items():
        if group in ("models", "designs"):
            folder, names = group[:-1], [f.name for f in dataclasses.fields(get_args(kind)[1])]
            expected = sorted(set(names) - ({"name"} if group == "models" else set()))
            for name in GROUPS[folder]:
                text = yaml.safe_load((root / "hydra_configs" / folder / f"{name}.yaml").read_text("utf-8"))
                if "defaults" not in text:
                    assert sorted(text) == expected, name
        elif dataclasses.is_dataclass(kind):
            assert sorted(f.name for f in dataclasses.fields(kind)) == sorted(composed[group]), group


def test_files_and_dataclasses_agree_on_every_default() -> None:
    """Numbers stand in both places; where one was changed, so must be the other. Dicts stand in the files alone."""
    shipped, written = dataclasses.asdict(compose()), dataclasses.asdict(AuditConfig())
    for key, _ in schema.fields():
        if not key.startswith(("model.", "design.")):
            ours, theirs = _at(shipped, key), _at(written, key)
            assert ours == theirs or (isinstance(theirs, dict) and not theirs), key
    tabletop, design = shipped["designs"]["tabletop"], dataclasses.asdict(DesignConfig())
    assert {k: v for k, v in tabletop.items() if k != "factors"} == {k: v for k, v in design.items() if k != "factors"}


def _at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def test_the_default_designs_are_those_that_were_laid_down() -> None:
    """36 conditions of 24 scene seeds, crossed; 9 conditions one at a time of 4 objects in 8 poses; and arms."""
    tabletop, studio = compose().designs.values()
    assert tabletop.factors == {
        "relation": ["distinct", "near", "equal"],
        "light": ["front", "back", "right_low", "right_high"],
        "cast_shadow": ["soft", "hard", "none"],
    }
    assert (tabletop.seeds, tabletop.crossing, tabletop.objects, tabletop.arms) == (24, "full", [], True)
    assert (tabletop.samples, tabletop.denoise) == (16, False)
    assert studio.factors == {
        "object_color": ["natural", "unusual", "equal"],
        "light": ["key", "back", "dim", "red"],
        "outside_shadow": ["none", "unblocked", "half", "slats"],
    }
    assert studio.objects == ["granny_smith", "lemon", "bucket", "soccer_ball"]
    assert (studio.seeds, studio.crossing, studio.arms) == (8, "one_at_a_time", True)


def test_the_sampled_design_samples_six_ranges_whose_bins_are_balanced() -> None:
    config = compose(["design=tabletop_sampled", "model=proximity"])
    design = parts.design(config, "tabletop")
    assert (design.crossing, design.points, design.bins, design.size) == ("sobol", 64, 4, 1072)
    assert list(design.ranges) == list(design.factors)
    assert design.own_points
    assert dataclasses.replace(design, own_points=False).tied == []
    assert set(design.ranges) - set(design.references) == {"distance", "offset"}  # these have no number as control


def test_the_default_experiment_asks_both_kinds_of_model() -> None:
    config = compose()
    assert {name: model.task for name, model in config.models.items()} == {
        "proximity": "proximity",
        "squeezenet1_0": "classification",
        "resnet18": "classification",
    }
    assert set(config.designs) == set(SCENE_SETS.values())


def test_imagenet_objects_shows_classifiers_every_object_there_is() -> None:
    config = compose(["experiment=imagenet_objects"])
    assert list(config.designs) == ["studio"]
    assert sorted(config.designs["studio"].objects) == sorted(ASSETS)
    assert set(config.models) == {"squeezenet1_0", "resnet18"}
    assert config.designs["studio"].factors == compose().designs["studio"].factors


def test_the_robot_has_the_five_sensors_in_the_order_of_the_outputs() -> None:
    assert list(compose().robot.sensors) == ["left", "centre_left", "centre", "centre_right", "right"]
    assert compose().robot.sensors["centre_right"] == [0.0756, -0.0261, -19.0]


def test_two_models_stay_two() -> None:
    config = compose(["model=[proximity,proximity_2019]", "models.proximity_2019.checkpoint=x.safetensors"])
    assert list(config.models) == ["proximity", "proximity_2019"]
    assert [m.preprocessing.channels for m in config.models.values()] == ["rgb", "bgr"]
    assert [m.name for m in config.models.values()] == ["proximity", "proximity_2019"]


class TestSeveralDesigns:
    """`design=[tabletop,studio]`, each under the name of its scene set."""

    def test_two_designs_stay_two(self) -> None:
        config = compose(["design=[tabletop_smoke,studio_all]"])
        assert {name: design.name for name, design in config.designs.items()} == {
            "tabletop": "tabletop_smoke",
            "studio": "studio_all",
        }

    def test_each_is_set_by_its_scene_set(self) -> None:
        config = compose(["designs.tabletop.seeds=12", "designs.studio.seeds=9"])
        assert [design.seeds for design in config.designs.values()] == [12, 9]

    def test_a_design_that_no_model_sees_is_left_out(self) -> None:
        assert list(compose(["model=proximity"]).designs) == ["tabletop"]
        assert list(compose(["model=resnet18"]).designs) == ["studio"]
        assert list(compose(["model=[resnet18,squeezenet1_0]"]).designs) == ["studio"]

    def test_the_only_design_is_the_only_one_that_a_model_sees(self) -> None:
        """So `design.K` says something although two are chosen."""
        assert compose(["model=proximity", "design.seeds=12"]).designs["tabletop"].seeds == 12
        assert compose(["design.seeds=12", "model=resnet18"]).designs["studio"].seeds == 12

    def test_what_a_model_is_asked_decides_what_it_sees(self) -> None:
        """Typed in any order: models are settled before designs."""
        config = compose(["design.seeds=9", "model=proximity", "model.task=classification"])
        assert {name: design.seeds for name, design in config.designs.items()} == {"studio": 9}

    def test_what_is_set_of_a_design_that_is_left_out_does_no_harm(self) -> None:
        """The command that shows one finding again still holds what was typed for the other set."""
        assert list(compose(["model=proximity", "designs.studio.seeds=9"]).designs) == ["tabletop"]

    def test_pictures_are_shown_to_any_model(self) -> None:
        for model in ("proximity", "resnet18"):
            config = compose([f"model={model}", "design=pictures", "design.pictures=folder"])
            assert (list(config.designs), config.designs["pictures"].pictures) == (["pictures"], "folder")


class TestAFolderOfTheUsersOwn:
    """`--config-dir DIR`, laid out like hydra_configs/."""

    def write(self, folder: Path, name: str, text: str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return folder

    def test_its_models_and_experiments_are_found(self, tmp_path: Path) -> None:
        folder = self.write(
            tmp_path / "my 'parts'", "model/mine.yaml", "# @package models.mine\narchitecture: a.build\n"
        )
        experiment = "# @package _global_\ndefaults:\n  - override /model: mine\nseed: 7\n"
        experiment += "designs:\n  tabletop:\n    seeds: 12\n"
        self.write(folder, "experiment/nightly.yaml", experiment)
        config = compose(["experiment=nightly", "model.checkpoint=x.pt"], folder)
        assert (config.experiment, config.seed, config.designs["tabletop"].seeds) == ("nightly", 7, 12)
        assert config.models["mine"].architecture == "a.build"
        assert config.models["mine"].checkpoint == "x.pt"

    def test_a_model_that_does_not_say_its_task_is_a_proximity_network(self, tmp_path: Path) -> None:
        folder = self.write(tmp_path, "model/mine.yaml", "# @package models.mine\narchitecture: a.build\n")
        config = compose(["model=mine", "design.seeds=9"], folder)
        assert {name: design.seeds for name, design in config.designs.items()} == {"tabletop": 9}

    def test_its_designs_build_on_ours(self, tmp_path: Path) -> None:
        text = "# @package designs.studio\ndefaults:\n  - studio@_here_\n  - _self_\nname: mine\nobjects: [lemon]\n"
        folder = self.write(tmp_path, "design/mine.yaml", text)
        design = compose(["design=mine", "model=resnet18", "design.seeds=9"], folder).designs["studio"]
        assert (design.name, design.objects, design.seeds) == ("mine", ["lemon"], 9)
        assert design.factors == compose().designs["studio"].factors

    @pytest.mark.parametrize("typed", [[], ["{group}.seeds=9"], ["{group}s.mine.checkpoint=x"]])
    @pytest.mark.parametrize(
        ("group", "line"),
        [
            ("model", "# @package models.<name>"),
            ("design", "# @package designs.<scene set>"),
            ("experiment", "# @package _global_"),
        ],
    )
    def test_a_file_without_its_first_line_is_told_which(
        self, group: str, line: str, typed: list[str], tmp_path: Path
    ) -> None:
        folder = self.write(tmp_path, f"{group}/mine.yaml", "seed: 3\n")
        with pytest.raises(schema.ConfigError, match=f"^{group}/mine.yaml has to begin with the line '{line}'$"):
            compose([f"{group}=mine", *(text.format(group=group) for text in typed)], folder)

    def test_of_several_files_the_one_without_its_line_is_named(self, tmp_path: Path) -> None:
        folder = self.write(tmp_path, "model/mine.yaml", "architecture: a.build\n")
        with pytest.raises(schema.ConfigError, match=r"^model/mine\.yaml has to begin"):
            compose(["model=[proximity,mine]"], folder)

    @pytest.mark.parametrize(("group", "place"), [("model", "models.<name>"), ("design", "designs.<scene set>")])
    def test_an_experiment_that_sets_them_in_the_wrong_place_is_told_which(
        self, group: str, place: str, tmp_path: Path
    ) -> None:
        folder = self.write(tmp_path, "experiment/mine.yaml", f"# @package _global_\n{group}:\n  seeds: 12\n")
        with pytest.raises(schema.ConfigError, match=f"{group}: an experiment sets these under {place}"):
            compose(["experiment=mine"], folder)

    def test_a_copy_that_kept_the_first_line_of_its_original_is_refused_beside_it(self, tmp_path: Path) -> None:
        """It would change the original without a word."""
        folder = self.write(tmp_path, "model/mine.yaml", "# @package models.proximity\nthreshold: .3\n")
        self.write(tmp_path, "design/mine.yaml", "# @package designs.studio\nseeds: 9\n")
        for typed in ("model=[proximity,mine]", "design=[studio,mine]"):
            with pytest.raises(schema.ConfigError, match="the same '# @package' line"):
                compose([typed], folder)

    def test_a_design_of_no_scene_set_is_told_which_there_are(self, tmp_path: Path) -> None:
        folder = self.write(tmp_path, "design/mine.yaml", "# @package designs.studoi\nfactors: {light: [key]}\n")
        with pytest.raises(schema.ConfigError, match=r"designs\.studoi: .* did you mean 'studio'\?"):
            compose(["design=mine"], folder)

    def test_a_file_that_one_of_ours_would_hide_is_refused(self, tmp_path: Path) -> None:
        folder = self.write(tmp_path, "model/proximity.yaml", "# @package models.proximity\n")
        with pytest.raises(schema.ConfigError, match="would hide it; rename it"):
            compose([], folder)

    def test_yaml_that_reads_a_level_as_false_is_told_to_quote(self, tmp_path: Path) -> None:
        text = "# @package _global_\ndesigns:\n  tabletop:\n    factors:\n      cast_shadow: [soft, off]\n"
        folder = self.write(tmp_path, "experiment/mine.yaml", text)
        with pytest.raises(schema.ConfigError, match=r"cast_shadow\[1\]=false: expected text; quote it"):
            compose(["experiment=mine"], folder)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("designs: [unclosed\n", "experiment=mine"),
            ("desings:\n  tabletop:\n    seeds: 3\n", "desings: there is no such setting; did you mean designs"),
            ("designs:\n  tabletop:\n    sedes: 3\n", r"design\.sedes: .* did you mean design\.seeds"),
            ("designs:\n  tabletop: 3\n", r"designs\.tabletop=3: this is a group of settings"),
            ("designs: [studio]\n", "experiment=mine"),
            ("models: 3\n", "models=3: expected names with values"),
            ("models:\n  mine: 3\n", r"models\.mine=3: this is a group of settings"),
            ("models:\n  mine:\n    task: off\n", r"models\.mine\.task=false: expected text"),
            ("models:\n  mine:\n    task: [proximity]\n", r"models\.mine\.task=\['proximity'\]: expected text"),
            ("seed: 3.5\n", r"seed=3\.5: expected a whole number"),
            ("seed: ${nowhere}\n", "nowhere"),
            ("defaults:\n  - override /model: proximty\n", "proximty"),
        ],
    )
    def test_its_mistakes_are_told_in_one_line(self, text: str, says: str, tmp_path: Path) -> None:
        folder = self.write(tmp_path, "experiment/mine.yaml", "# @package _global_\n" + text)
        with pytest.raises(schema.ConfigError, match=says) as caught:
            compose(["experiment=mine"], folder)
        assert "\n" not in str(caught.value)
