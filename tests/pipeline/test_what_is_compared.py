"""Nothing is compared without its control, and nothing is called expected by a misspelt recipe."""

from __future__ import annotations

import dataclasses

import pytest

from audit import loading, parts
from audit.composition import compose
from audit.config import ModelConfig
from audit.models import build_adapter
from audit.models.task import task_of
from scenes.design import DesignError
from scenes.proximity import MIGHTY_THYMIO

pytestmark = pytest.mark.usefixtures("read_once")


def test_what_is_kept_is_kept_beside_its_control() -> None:
    config = compose(["experiment=smoke", "design.keep.light=[back]", "design.keep.seeds=[0]", "model.checkpoint=null"])
    found = {c.condition["light"] for c in parts.design(config, "tabletop").cells()}
    assert found == {"front", "back"}


def test_seeds_alone_keep_every_condition() -> None:
    config = compose(["experiment=smoke", "design.keep.seeds=[0,3]", "model.checkpoint=null"])
    cells = parts.design(config, "tabletop").cells()
    assert {c.block for c in cells} == {"0", "3"}
    assert len(cells) == 2 * len(parts.design(config, "tabletop").conditions())


class TestInTheStudio:
    """Objects by pose, one factor at a time."""

    def kept(self, *typed: str) -> set[tuple[str, ...]]:
        """(object, light, shadow) of every condition with an object that is left."""
        config = compose(["design=studio", "model=resnet18", *(f"design.keep.{text}" for text in typed)])
        conditions = parts.design(config, "studio").conditions()
        shown = [c for c in conditions if c["presence"] == "object" and c["object_color"] == "natural"]
        return {(c["object"], c["light"], c["outside_shadow"]) for c in shown}

    def test_what_is_kept_is_kept_beside_its_control(self) -> None:
        assert {(light, shadow) for _, light, shadow in self.kept("light=[back]", "outside_shadow=[none]")} == {
            ("key", "none"),
            ("back", "none"),
        }

    @pytest.mark.parametrize("level", ["half", "slats"])
    def test_what_is_kept_is_kept_beside_its_partner_and_the_partner_beside_its_control(self, level: str) -> None:
        found = {shadow for _, _, shadow in self.kept(f"outside_shadow=[{level}]")}
        assert found == {"none", "unblocked", level}

    def test_an_object_is_kept_alone(self) -> None:
        """There is no control among objects: each is compared with itself."""
        assert {thing for thing, _, _ in self.kept("object=[lemon]")} == {"lemon"}
        assert {thing for thing, _, _ in self.kept("object=[lemon,bucket]")} == {"lemon", "bucket"}

    def test_kept_poses_are_kept_of_every_object(self) -> None:
        config = compose(["design=studio", "model=resnet18", "design.keep.seeds=[2]"])
        blocks = {c.block for c in parts.design(config, "studio").cells()}
        assert blocks == {"granny_smith.2", "lemon.2", "bucket.2", "soccer_ball.2"}

    def test_what_is_kept_is_what_it_was_in_the_whole(self) -> None:
        """Not one pixel of it changes: the same cells, the same scenes."""
        typed = ["design=studio", "model=resnet18"]
        whole = {p.cell_id: p.scene_id for p in parts.plan(compose(typed), ["studio"])}
        part = parts.plan(compose([*typed, "design.keep.object=[lemon]", "design.keep.light=[red]"]), ["studio"])
        assert 0 < len(part) < len(whole) / 4
        assert {p.cell_id: p.scene_id for p in part}.items() <= whole.items()


@pytest.mark.parametrize(
    ("recipe", "words"),
    [({"lihgt": ("front",)}, "did you mean 'light'"), ({"light": ("fron",)}, "did you mean 'front'")],
)
def test_a_recipe_that_names_nothing_is_refused(recipe: dict[str, tuple[str, ...]], words: str) -> None:
    planted = ModelConfig(name="mine", architecture="tests.models.planted.ConstantNet", checkpoint=None)
    adapter = dataclasses.replace(build_adapter(planted, "cpu", task_of(planted, MIGHTY_THYMIO, {})), recipe=recipe)
    with pytest.raises(DesignError, match=words) as caught:
        loading._check_recipe(compose(["experiment=smoke"]), adapter)
    assert str(caught.value).startswith("recipe of model mine")
