"""Nothing is compared without its control, and nothing is called expected by a misspelt recipe."""

from __future__ import annotations

import dataclasses

import pytest

from audit import parts, pipeline
from audit.composition import compose
from audit.config import ModelConfig
from audit.models import build_adapter
from scenes.design import DesignError


def test_what_is_kept_is_kept_beside_its_control() -> None:
    config = compose(["experiment=smoke", "design.keep.light=[back]", "design.keep.seeds=[0]", "model.checkpoint=null"])
    found = {c.condition["light"] for c in parts.design(config).cells()}
    assert found == {"front", "back"}


def test_seeds_alone_keep_every_condition() -> None:
    config = compose(["experiment=smoke", "design.keep.seeds=[0,3]", "model.checkpoint=null"])
    cells = parts.design(config).cells()
    assert {c.block for c in cells} == {0, 3}
    assert len(cells) == 2 * len(parts.design(config).conditions())


@pytest.mark.parametrize(
    ("recipe", "words"),
    [({"lihgt": ("front",)}, "did you mean 'light'"), ({"light": ("fron",)}, "did you mean 'front'")],
)
def test_a_recipe_that_names_nothing_is_refused(recipe: dict[str, tuple[str, ...]], words: str) -> None:
    planted = ModelConfig(name="mine", architecture="tests.models.planted.ConstantNet", checkpoint=None)
    adapter = dataclasses.replace(build_adapter(planted, "cpu"), recipe=recipe)
    with pytest.raises(DesignError, match=words) as caught:
        pipeline._check_recipe(adapter)
    assert str(caught.value).startswith("recipe of model mine")
