"""The tabletop set: every draw keeps its stratum's promise, every condition keeps the draw."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest

from scenes import color, factors, proximity, training_recipe
from scenes.design import Condition
from scenes.nuisance import Draw
from scenes.planning import Quality
from scenes.proximity import MIGHTY_THYMIO as ROBOT
from scenes.scene_spec import SceneSpec
from scenes.tabletop import Camera, draw, visible_share

CAMERA = Camera()
CONTROL = {"presence": "object", "relation": "distinct", "light": "front", "cast_shadow": "soft"}


@cache
def drawn(block: int) -> tuple[SceneSpec, Draw]:
    return draw(0, block, CAMERA, ROBOT, Quality())


def at(block: int, **levels: str) -> SceneSpec:
    base, draw_ = drawn(block)
    return factors.apply(factors.REGISTRY["tabletop"], base, Condition(tuple({**CONTROL, **levels}.items())), draw_)


@pytest.mark.parametrize("block", range(16))
def test_the_obstacle_stands_where_its_stratum_says(block: int) -> None:
    spec, draw_ = drawn(block)
    if draw_.stratum == "empty":
        assert spec.objects == ()
        return
    (thing,) = spec.objects
    label, away = proximity.labels(spec.objects, ROBOT), proximity.distance_to_sensors(thing, ROBOT)
    assert away >= 0.02
    assert visible_share(thing, spec.camera) >= 0.5
    if draw_.stratum == "near":
        assert (label[:16] == 1).any()
    else:
        assert not (label[:16] == 1).any()
        assert 0.20 <= away <= 0.45


def test_half_the_blocks_are_near_a_quarter_far_a_quarter_empty() -> None:
    strata = [drawn(b)[1].stratum for b in range(16)]
    assert [strata.count(s) for s in ("near", "far", "empty")] == [8, 4, 4]


@pytest.mark.parametrize("block", [0, 1, 2, 4, 5, 6])
def test_relations_have_their_declared_difference(block: int) -> None:
    apart = {}
    for relation in ("distinct", "near", "equal"):
        spec = at(block, relation=relation)
        apart[relation] = float(color.delta_e(spec.objects[0].material.color, spec.floor.color))
    assert apart["distinct"] >= 25
    assert apart["near"] == pytest.approx(6, abs=0.1)
    assert apart["equal"] == 0


def test_a_condition_changes_its_factor_and_nothing_else() -> None:
    control = at(0)
    lit = at(0, light="back")
    assert dataclasses.replace(lit, key=control.key) == control
    colored = at(0, relation="near")
    material = control.objects[0].material
    assert (
        dataclasses.replace(colored, objects=(dataclasses.replace(colored.objects[0], material=material),)) == control
    )
    unshadowed = at(0, cast_shadow="none")
    assert unshadowed.key == control.key
    assert not unshadowed.objects[0].casts_shadow


def test_the_ghost_keeps_the_shadow_and_no_colour_of_its_own() -> None:
    assert at(0, presence="ghost", relation="equal") == at(0, presence="ghost", relation="distinct")
    assert at(0, presence="ghost").objects[0].casts_shadow
    assert not at(0, presence="ghost").objects[0].is_visible


def test_back_light_comes_from_beyond_the_obstacle_and_right_light_from_the_right() -> None:
    assert at(0, light="back").key.position[0] > 0.8
    assert at(0, light="right_low").key.position[1] < -0.6
    assert at(0, light="front").key.position[0] < 0
    assert at(0, light="right_low").key.position[2] < at(0, light="right_high").key.position[2]


def test_the_training_recipe_keeps_what_its_card_will_say() -> None:
    numbers = range(60)
    for spec in (training_recipe.scene(0, n, CAMERA, ROBOT, 16) for n in numbers):
        assert spec.key.position[0] < 0.3 + 1.4  # from the front half: the robot's side of the target
        toward = np.subtract(spec.key.position, spec.key.target)
        assert toward[0] < 0
        assert spec.key.size >= 0.25
        for thing in spec.objects:
            assert float(color.delta_e(thing.material.color, spec.floor.color)) > 15


def test_a_training_scene_is_the_same_whenever_it_is_drawn() -> None:
    assert training_recipe.scene(0, 5, CAMERA, ROBOT, 16) == training_recipe.scene(0, 5, CAMERA, ROBOT, 16)
    assert training_recipe.scene(0, 5, CAMERA, ROBOT, 16) != training_recipe.scene(0, 6, CAMERA, ROBOT, 16)


def test_the_recipe_names_every_factor_there_is_and_levels_that_exist() -> None:
    """So that a finding of a new factor is not taken for one within what the network was trained on."""
    known = factors.REGISTRY["tabletop"]
    factors.check_levels(known, training_recipe.RECIPE)
    assert set(training_recipe.RECIPE) == set(known)
