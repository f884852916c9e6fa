"""Designs: what is crossed, what is kept, and that nothing is redrawn."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes import factors
from scenes.design import Design, DesignError, derive_seed
from scenes.planning import Quality
from scenes.proximity import MIGHTY_THYMIO
from scenes.tabletop import Camera, plan

FACTORS = {
    "relation": ["distinct", "near", "equal"],
    "light": ["front", "back", "right_low", "right_high"],
    "cast_shadow": ["soft", "hard", "none"],
}
CONTROL = {"presence": "object", "relation": "distinct", "light": "front", "cast_shadow": "soft"}
DEFAULT = Design("tabletop", FACTORS, CONTROL, blocks=24)


def test_the_default_design_has_864_scenes_and_288_in_the_arms() -> None:
    presence = [c.condition["presence"] for c in DEFAULT.cells()]
    assert (presence.count("object"), presence.count("ghost"), presence.count("empty")) == (864, 192, 96)


def arms_around_the_control(**changes: object) -> set[tuple[str, str, str, str]]:
    around = dataclasses.replace(DEFAULT, blocks=1, crossing="one_at_a_time", **changes)
    found = {tuple(c.condition[f] for f in ("presence", *FACTORS)) for c in around.cells()}
    assert around.size == len(found)
    return {levels for levels in found if levels[0] != "object"}


def test_one_at_a_time_there_are_arms_at_control_and_at_the_levels_that_are_asked_for() -> None:
    control = {(arm, "distinct", "front", "soft") for arm in ("ghost", "empty")}
    assert arms_around_the_control() == control
    lights = {(arm, "distinct", v, "soft") for arm in ("ghost", "empty") for v in FACTORS["light"]}
    assert arms_around_the_control(arms_of=["light"]) == lights
    every = arms_around_the_control(arms_of=["relation", "light", "cast_shadow"])
    assert every == lights | {("ghost", "distinct", "front", "hard")}  # a ghost without a shadow is the empty floor
    assert arms_around_the_control(arms_of=["light"], arms=False) == set()


def test_every_cell_has_its_own_id() -> None:
    ids = [c.cell_id("tabletop") for c in DEFAULT.cells()]
    assert len(set(ids)) == len(ids)


def test_what_is_kept_is_what_it_was_in_the_whole() -> None:
    few = dataclasses.replace(DEFAULT, blocks=4)
    kept = dataclasses.replace(few, keep={"light": ["back"]}, seeds=[1, 2])
    whole = {p.cell_id: p.scene_id for p in plan(few, Camera(), MIGHTY_THYMIO, Quality())}
    part = {p.cell_id: p.scene_id for p in plan(kept, Camera(), MIGHTY_THYMIO, Quality())}
    assert 0 < len(part) < len(whole)
    assert part.items() <= whole.items()


def test_adding_a_level_redraws_nothing() -> None:
    fewer = dataclasses.replace(DEFAULT, blocks=2, factors={**FACTORS, "light": ["front", "back"]})
    more = dataclasses.replace(DEFAULT, blocks=2)
    small = {p.scene_id for p in plan(fewer, Camera(), MIGHTY_THYMIO, Quality())}
    assert small < {p.scene_id for p in plan(more, Camera(), MIGHTY_THYMIO, Quality())}


def test_cells_of_equal_content_share_a_scene() -> None:
    planned = plan(dataclasses.replace(DEFAULT, blocks=4), Camera(), MIGHTY_THYMIO, Quality())
    empty_block = [p for p in planned if p.stratum == "empty"]
    assert len({p.scene_id for p in empty_block}) == 8  # four lights, soft and hard: nothing else is left to differ
    ghosts = [p for p in planned if p.cell.condition["presence"] == "ghost" and p.stratum != "empty"]
    assert len({p.scene_id for p in ghosts}) == len(ghosts) == 3 * 8


@pytest.mark.parametrize(
    ("given_factors", "words"),
    [
        ({"lihgt": ["front"]}, "did you mean 'light'"),
        ({"light": ["fron"]}, "did you mean 'front'"),
        ({"cast_shadow": [False]}, "write none, not off"),
        ({"light": []}, "no levels"),
        ({"light": ["front", "front"]}, "twice"),
    ],
)
def test_an_unknown_factor_or_level_is_refused_with_the_nearest_name(given_factors: dict, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        factors.validate(factors.REGISTRY["tabletop"], given_factors)


def test_a_control_outside_the_levels_is_refused() -> None:
    with pytest.raises(DesignError, match="not among its levels"):
        factors.controls(factors.REGISTRY["tabletop"], {"light": ["back"]}, {})


@given(st.integers(0, 2**31), st.text(max_size=10), st.integers(0, 1000))
def test_seeds_are_derived_and_in_range(seed: int, purpose: str, block: int) -> None:
    found = derive_seed(seed, block, purpose)
    assert found == derive_seed(seed, block, purpose)
    assert 0 <= found < 2**31


def test_seeds_are_the_same_on_every_machine() -> None:
    assert derive_seed(0, 3, "pose") == 397433594
