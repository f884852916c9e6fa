"""hydra_configs/ is complete, commented, and says what the dataclasses say."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

from audit import schema
from audit.composition import compose, defaults, groups
from audit.config import AuditConfig, ModelConfig

pytestmark = pytest.mark.usefixtures("read_once")

GROUPS = groups()
OPTIONS = [(group, name) for group, names in GROUPS.items() for name in names]
CHOICES = [(group, name) for group, name in OPTIONS if len(GROUPS[group]) > 1]
GIVEN = {
    "design=pictures": ["design.pictures=pictures"],
    "experiment=paper_2019": ["design.pictures=pictures", "model.checkpoint=x.safetensors"],
    "model=proximity_2019": ["model.checkpoint=x.safetensors"],
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
    text = (root / "hydra_configs" / "model" / f"{name}.yaml").read_text("utf-8")
    assert text.splitlines()[0] == f"# @package models.{name}"


def test_the_files_name_every_setting_of_the_schema(root: Path) -> None:
    """So whoever reads hydra_configs/ sees all there is to set."""
    composed = defaults()
    for group, kind in get_type_hints(AuditConfig).items():
        if group == "models":
            expected = [f.name for f in dataclasses.fields(ModelConfig) if f.name != "name"]
            for model in GROUPS["model"]:
                path = root / "hydra_configs" / "model" / f"{model}.yaml"
                assert sorted(expected) == sorted(yaml.safe_load(path.read_text("utf-8"))), model
        elif dataclasses.is_dataclass(kind):
            assert sorted(f.name for f in dataclasses.fields(kind)) == sorted(composed[group]), group


def test_files_and_dataclasses_agree_on_every_default() -> None:
    """Numbers stand in both places; where one was changed, so must be the other. Dicts stand in the files alone."""
    shipped, written = dataclasses.asdict(compose()), dataclasses.asdict(AuditConfig())
    for key, _ in schema.fields():
        if not key.startswith("model."):
            ours, theirs = _at(shipped, key), _at(written, key)
            assert ours == theirs or (isinstance(theirs, dict) and not theirs), key


def _at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def test_the_default_design_is_the_one_that_was_laid_down() -> None:
    """36 conditions of 24 scene seeds, and arms."""
    design = compose().design
    assert design.factors == {
        "relation": ["distinct", "near", "equal"],
        "light": ["front", "back", "right_low", "right_high"],
        "cast_shadow": ["soft", "hard", "none"],
    }
    assert (design.seeds, design.arms, design.scene_set) == (24, True, "tabletop")


def test_the_robot_has_the_five_sensors_in_the_order_of_the_outputs() -> None:
    assert list(compose().robot.sensors) == ["left", "centre_left", "centre", "centre_right", "right"]
    assert compose().robot.sensors["centre_right"] == [0.0756, -0.0261, -19.0]


def test_two_models_stay_two() -> None:
    config = compose(["model=[proximity,proximity_2019]", "models.proximity_2019.checkpoint=x.safetensors"])
    assert list(config.models) == ["proximity", "proximity_2019"]
    assert [m.preprocessing.channels for m in config.models.values()] == ["rgb", "bgr"]
    assert [m.name for m in config.models.values()] == ["proximity", "proximity_2019"]


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
        experiment = "# @package _global_\ndefaults:\n  - override /model: mine\nseed: 7\ndesign:\n  seeds: 12\n"
        self.write(folder, "experiment/nightly.yaml", experiment)
        config = compose(["experiment=nightly", "model.checkpoint=x.pt"], folder)
        assert (config.experiment, config.seed, config.design.seeds) == ("nightly", 7, 12)
        assert config.models["mine"].architecture == "a.build"
        assert config.models["mine"].checkpoint == "x.pt"

    @pytest.mark.parametrize(
        ("group", "line"), [("model", "# @package models.<name>"), ("experiment", "# @package _global_")]
    )
    def test_a_file_without_its_first_line_is_told_which(self, group: str, line: str, tmp_path: Path) -> None:
        folder = self.write(tmp_path, f"{group}/mine.yaml", "seed: 3\n")
        with pytest.raises(schema.ConfigError, match=f"{group}/mine.yaml has to begin with the line '{line}'"):
            compose([f"{group}=mine"], folder)

    def test_a_file_that_one_of_ours_would_hide_is_refused(self, tmp_path: Path) -> None:
        folder = self.write(tmp_path, "model/proximity.yaml", "# @package models.proximity\n")
        with pytest.raises(schema.ConfigError, match="would hide it; rename it"):
            compose([], folder)

    def test_yaml_that_reads_a_level_as_false_is_told_to_quote(self, tmp_path: Path) -> None:
        text = "# @package _global_\ndesign:\n  factors:\n    cast_shadow: [soft, off]\n"
        folder = self.write(tmp_path, "experiment/mine.yaml", text)
        with pytest.raises(schema.ConfigError, match=r"cast_shadow\[1\]=false: expected text; quote it"):
            compose(["experiment=mine"], folder)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("design: [unclosed\n", "experiment=mine"),
            ("desing:\n  seeds: 3\n", "desing: there is no such setting; did you mean design"),
            ("design:\n  sedes: 3\n", r"design\.sedes: .* did you mean design\.seeds"),
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
