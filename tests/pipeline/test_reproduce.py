"""The command that shows a finding again keeps its levels, what they are compared with, and no earlier choice."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import pytest

from audit import parts
from audit.composition import compose
from audit.config import AuditConfig
from audit.stages.analysing import reproduce

pytestmark = pytest.mark.usefixtures("read_once")

RUN = "python -m audit run"
# one factor at a time: the levels of the others are no part of a finding about the light
OTHERS = "design.keep.object_color=[natural] design.keep.outside_shadow=[none]"


def of_tabletop(command: str, contrast: str, blocks: Sequence[str]) -> str:
    config = compose(["experiment=smoke", "model.checkpoint=null"])
    return reproduce(config, "tabletop", ["proximity"], command, contrast, blocks)


def of_studio(command: str, contrast: str, blocks: Sequence[str]) -> str:
    config = compose(["experiment=imagenet_objects"])
    return reproduce(config, "studio", ["squeezenet1_0", "resnet18"], command, contrast, blocks)


def composed(line: str) -> AuditConfig:
    """What one gets who pastes the printed line."""
    assert line.startswith(f"{RUN} ")
    return compose(shlex.split(line)[4:])


def test_it_keeps_the_level_and_its_control() -> None:
    line = of_tabletop(f"{RUN} experiment=smoke", "light=back", ["1", "4"])
    assert line == f"{RUN} experiment=smoke design.keep.light=[front,back] design.keep.seeds=[1,4]"


def test_a_pair_keeps_both_factors() -> None:
    line = of_tabletop(RUN, "light=back & relation=equal", ["0"])
    assert "design.keep.light=[front,back] design.keep.relation=[distinct,equal] design.keep.seeds=[0]" in line


def test_what_was_kept_before_is_replaced() -> None:
    line = of_tabletop(f"{RUN} design.keep.seeds=[1,2] designs.tabletop.keep.light=[front] seed=3", "light=back", ["1"])
    assert line == f"{RUN} seed=3 design.keep.light=[front,back] design.keep.seeds=[1]"


def test_a_whole_choice_of_what_is_kept_is_replaced_too() -> None:
    line = of_tabletop(f"{RUN} 'design.keep={{light: [front]}}' seed=3", "relation=equal", ["1"])
    assert line == f"{RUN} seed=3 design.keep.relation=[distinct,equal] design.keep.seeds=[1]"


@pytest.mark.parametrize(
    "word", ["model.checkpoint=it's.pt", "model.checkpoint=a b.pt", "model.recipe={light: [front]}"]
)
def test_what_a_shell_would_take_apart_is_quoted(word: str) -> None:
    line = of_tabletop(f"{RUN} experiment=smoke {shlex.quote(word)}", "light=back", ["1"])
    assert shlex.split(line)[5] == word
    assert shlex.quote(word) in line


def test_folders_and_the_way_python_was_called_are_left_out() -> None:
    line = of_tabletop("some/python -m audit run seed=3 paths.store=elsewhere --debug", "light=back", ["1"])
    assert line == f"{RUN} seed=3 design.keep.light=[front,back] design.keep.seeds=[1]"


def test_the_printed_command_composes_to_that_part_of_the_design() -> None:
    config = composed(of_tabletop(f"{RUN} experiment=smoke model.checkpoint=null", "light=back", ["1", "4"]))
    assert config.designs["tabletop"].keep == {"light": ["front", "back"], "seeds": [1, 4]}


class TestOfTheStudio:
    """Where the object is a factor, and some levels have a partner of their own."""

    def test_the_object_of_a_finding_is_kept_alone(self) -> None:
        """It has no control: a lemon under light from behind is compared with the lemon in its usual light."""
        line = of_studio(f"{RUN} experiment=imagenet_objects", "light=back & object=lemon", ["lemon.2", "lemon.5"])
        kept = f"design.keep.light=[key,back] design.keep.object=[lemon] {OTHERS} design.keep.seeds=[2,5]"
        assert line == f"{RUN} experiment=imagenet_objects {kept}"

    @pytest.mark.parametrize("level", ["half", "slats"])
    def test_a_level_with_a_partner_is_kept_beside_it(self, level: str) -> None:
        line = of_studio(RUN, f"outside_shadow={level}", ["lemon.2"])
        assert f"design.keep.outside_shadow=[unblocked,{level}]" in line

    def test_the_partner_itself_is_kept_beside_the_control(self) -> None:
        assert "design.keep.outside_shadow=[none,unblocked]" in of_studio(RUN, "outside_shadow=unblocked", ["lemon.2"])

    def test_poses_that_several_objects_share_are_named_once(self) -> None:
        line = of_studio(RUN, "light=back", ["lemon.4", "bucket.1", "bucket.4"])
        assert line.endswith("design.keep.seeds=[1,4]")

    def test_a_finding_on_all_poses_lists_none(self) -> None:
        line = of_studio(RUN, "light=back & object=lemon", [f"lemon.{pose}" for pose in range(8)])
        assert line == f"{RUN} design.keep.light=[key,back] design.keep.object=[lemon] {OTHERS}"

    def test_the_printed_command_composes_to_that_part_of_the_design(self) -> None:
        command = f"{RUN} experiment=imagenet_objects"
        config = composed(of_studio(command, "outside_shadow=slats & object=lemon", ["lemon.2", "lemon.5"]))
        cells = parts.design(config, "studio").cells()
        assert {(c.condition["light"], c.condition["object_color"]) for c in cells} == {("key", "natural")}
        shown = {(c.block, c.condition["presence"], c.condition["outside_shadow"]) for c in cells}
        assert shown == {
            (block, presence, shadow)
            for block in ("lemon.2", "lemon.5")
            for presence, shadow in [
                ("object", "none"),
                ("object", "unblocked"),
                ("object", "slats"),
                ("ghost", "none"),
                ("empty", "none"),
            ]
        }


class TestOfASampledDesign:
    """A bin brings along the points that it is contrasted with, and the control condition."""

    TYPED = "design=tabletop_sampled model=proximity"

    def printed(self, contrast: str) -> str:
        config = compose(self.TYPED.split())
        return reproduce(config, "tabletop", ["proximity"], f"{RUN} {self.TYPED}", contrast, ["1", "4"])

    def test_a_bin_is_kept_by_its_name(self) -> None:
        line = self.printed("light_strength=0.2..0.6")
        assert line == f"{RUN} {self.TYPED} design.keep.light_strength=[0.2..0.6] design.keep.seeds=[1,4]"

    def test_the_printed_command_composes_to_the_points_of_both_bins_and_the_control_condition(self) -> None:
        config = composed(self.printed("light_strength=0.2..0.6 & offset=-0.12..-0.06"))
        assert config.designs["tabletop"].keep == {
            "light_strength": ["0.2..0.6"],
            "seeds": [1, 4],
        }
        found = parts.design(config, "tabletop").cells()
        assert {c.condition["light_strength"] for c in found} == {"1", "0.2..0.6", "1..1.4"}
        whole = [c for c in parts.whole_design(config, "tabletop").cells() if c.number in (1, 4)]
        assert found == [c for c in whole if c.condition["light_strength"] in ("1", "0.2..0.6", "1..1.4")]
        assert [c.condition["presence"] for c in found if not c.condition.exact] == 2 * ["object", "ghost", "empty"]

    def test_what_is_contrasted_with_the_mean_over_all_points_keeps_them_all(self) -> None:
        assert "design.keep.distance" not in self.printed("distance=0.04..0.12")

    def test_numbers_that_are_levels_are_quoted_for_the_shell_and_for_the_setting(self) -> None:
        typed = """model=proximity design=tabletop_smoke 'design.factors.light_strength=["1","2"]'"""
        config = compose(shlex.split(typed))
        line = reproduce(config, "tabletop", ["proximity"], f"{RUN} {typed}", "light_strength=2", ["1"])
        assert line.endswith("""'design.keep.light_strength=["1","2"]' design.keep.seeds=[1]""")
        assert composed(line).designs["tabletop"].keep == {"light_strength": ["1", "2"], "seeds": [1]}


class TestOfSeveralDesigns:
    """Only the networks that were shown the finding's scenes are asked again."""

    CLASSIFIERS = ("squeezenet1_0", "resnet18")

    def printed(self, scene_set: str, typed: str, contrast: str) -> str:
        config = compose(shlex.split(typed))
        assert len(config.designs) == 2
        models = ["proximity"] if scene_set == "tabletop" else list(self.CLASSIFIERS)
        return reproduce(config, scene_set, models, f"{RUN} {typed}".strip(), contrast, ["lemon.1", "lemon.3"])

    def test_the_models_of_the_set_are_chosen(self) -> None:
        line = self.printed("studio", "", "light=back & object=lemon")
        kept = f"design.keep.light=[key,back] design.keep.object=[lemon] {OTHERS} design.keep.seeds=[1,3]"
        assert line == f"{RUN} model=[squeezenet1_0,resnet18] {kept}"

    def test_a_choice_of_models_is_replaced(self) -> None:
        line = self.printed("studio", "model=[resnet18,proximity,squeezenet1_0] seed=3", "light=back")
        assert line.startswith(f"{RUN} seed=3 model=[squeezenet1_0,resnet18] design.keep.light=[key,back]")

    def test_settings_of_models_that_are_not_asked_are_left_out(self) -> None:
        typed = "models.proximity.checkpoint=a.pt models.resnet18.checkpoint=b.pt"
        assert "models.resnet18.checkpoint=b.pt" in self.printed("studio", typed, "light=back")
        assert "models.proximity" not in self.printed("studio", typed, "light=back")
        assert "models.resnet18" not in self.printed("tabletop", typed, "light=back")

    @pytest.mark.parametrize(
        "typed",
        [
            "",
            "experiment=default seed=3",
            "design=[studio_all,tabletop_smoke]",
            "designs.studio.samples=16 designs.tabletop.seeds=12",
            "designs.studio.keep.light=[back] designs.tabletop.keep.seeds=[0]",
            "~designs.studio.factors.object_color ~designs.tabletop.factors.relation",
            "+models.proximity.threshold=.3 ++models.resnet18.target_layer=layer4",
            "~models.proximity.recipe ~models.resnet18.recipe",
            "+model=[resnet18,squeezenet1_0,proximity]",
            "models.proximity.threshold=.3 models.squeezenet1_0.checkpoint=torchvision:IMAGENET1K_V1",
        ],
    )
    @pytest.mark.parametrize("scene_set", ["tabletop", "studio"])
    def test_the_printed_command_composes_to_that_set_and_its_models(self, scene_set: str, typed: str) -> None:
        config = composed(self.printed(scene_set, typed, "light=back"))
        assert list(config.designs) == [scene_set]
        assert tuple(config.models) == (("proximity",) if scene_set == "tabletop" else self.CLASSIFIERS)
        control = "front" if scene_set == "tabletop" else "key"
        keep = dict(config.designs[scene_set].keep)
        assert (keep.pop("light"), keep.pop("seeds")) == ([control, "back"], [1, 3])
        others = {"object_color": ["natural"], "outside_shadow": ["none"]} if scene_set == "studio" else {}
        assert keep == {factor: kept for factor, kept in others.items() if factor in config.designs[scene_set].factors}
