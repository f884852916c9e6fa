"""Deletion takes the object away as a render does: every scene stands beside its own arm, at control first."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest

from audit.stages.covering import Chosen, chosen

CONTROL = {"relation": "distinct", "light": "front", "cast_shadow": "soft"}


@pytest.fixture
def scenes() -> pd.DataFrame:
    """Two blocks; relation x light x shadow with the object, ghosts for light and shadow, empty floors for light."""
    rows = []
    for block, relation, light, shadow in itertools.product(
        "ab", ("distinct", "equal"), ("front", "back"), ("soft", "none")
    ):
        rows.append((block, "object", relation, light, shadow))
    rows += [(b, "ghost", "distinct", light, "soft") for b, light in itertools.product("ab", ("front", "back"))]
    rows += [(b, "empty", "distinct", light, "soft") for b, light in itertools.product("ab", ("front", "back"))]
    frame = pd.DataFrame(rows, columns=["block_id", "presence", "relation", "light", "cast_shadow"])
    frame["scene_id"] = ["-".join(row) for row in rows]
    frame = frame.assign(cell_id=frame["scene_id"], status="ok")
    frame.attrs["factors"] = ["presence", "relation", "light", "cast_shadow"]
    return frame


def of_objects(scenes: pd.DataFrame) -> list[str]:
    return list(scenes.loc[scenes["presence"] == "object", "scene_id"])


def test_scenes_at_control_come_first_one_of_each_block(scenes: pd.DataFrame) -> None:
    found = chosen(scenes, of_objects(scenes), CONTROL, 4)
    assert found.ids[:2] == ("a-object-distinct-front-soft", "b-object-distinct-front-soft")
    assert [i[0] for i in found.ids] == ["a", "b", "a", "b"]


def test_what_casts_a_shadow_keeps_it_and_what_casts_none_leaves_the_floor(scenes: pd.DataFrame) -> None:
    found = chosen(scenes, of_objects(scenes), CONTROL, 100)
    without = dict(zip(found.ids, found.without, strict=True))
    assert len(without) == 16
    assert without["a-object-equal-back-soft"] == "a-ghost-distinct-back-soft"
    assert without["b-object-equal-back-none"] == "b-empty-distinct-back-soft"


def test_a_scene_whose_arm_was_not_rendered_is_not_chosen(scenes: pd.DataFrame) -> None:
    """An arm under another light shows another floor."""
    scenes.loc[(scenes["presence"] == "ghost") & (scenes["light"] == "back"), "status"] = "failed"
    found = chosen(scenes, of_objects(scenes), CONTROL, 100)
    assert not [i for i in found.ids if "back-soft" in i]
    assert "a-object-equal-front-soft" in found.ids


def test_none_are_chosen_of_none(scenes: pd.DataFrame) -> None:
    assert chosen(scenes, [], CONTROL, 5) == Chosen((), ())
    assert chosen(scenes, of_objects(scenes), CONTROL, 0) == Chosen((), ())
