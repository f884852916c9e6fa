"""The factor obstacle: another obstacle in the place of the block's own."""

from __future__ import annotations

import dataclasses
import math
from functools import cache

import pytest

from scenes import factors, proximity, standing, tabletop
from scenes.nuisance import Draw
from scenes.planning import Quality
from scenes.proximity import MIGHTY_THYMIO as ROBOT
from scenes.scene_spec import OBSTACLES, SHAPES, ObjectSpec, SceneSpec

SHAPE = factors.REGISTRY["tabletop"]["obstacle"]
NEW = [level for level in SHAPE.LEVELS if level != "drawn"]


def test_every_shape_that_can_be_built_is_a_level() -> None:
    assert set(NEW) == {*SHAPES, *OBSTACLES}


@cache
def block(number: int) -> tuple[SceneSpec, Draw]:
    return tabletop.draw(0, number, tabletop.Camera(), ROBOT, Quality(16))


def in_shape(number: int, level: str) -> ObjectSpec:
    base, draw = block(number)
    (thing,) = SHAPE.apply(base, level, draw).objects
    return thing


@pytest.mark.parametrize("level", NEW)
@pytest.mark.parametrize("number", [0, 1, 2, 5, 6])
def test_another_shape_stands_as_far_from_the_sensors(number: int, level: str) -> None:
    thing, drawn = in_shape(number, level), block(number)[0].objects[0]
    assert thing.shape == level
    away, before = (proximity.distance_to_sensors(o, ROBOT) for o in (thing, drawn))
    assert away == pytest.approx(before, abs=1e-4)
    assert away >= standing.GAP - 1e-6
    assert (proximity.labels((thing,), ROBOT)[0] >= 0).all()
    assert math.dist(thing.position, drawn.position) < 0.1
    assert dataclasses.replace(
        thing, shape=drawn.shape, size=drawn.size, position=drawn.position, yaw=drawn.yaw
    ) == drawn  # fmt: skip


@pytest.mark.parametrize("level", [level for level in NEW if level != "wall"])
def test_another_shape_is_about_as_large(level: str) -> None:
    for number in (0, 1, 2):
        thing, drawn = in_shape(number, level), block(number)[0].objects[0]
        assert sum(thing.size) == pytest.approx(sum(drawn.size))
        assert thing.yaw == drawn.yaw
        if level in ("sphere", "ball"):
            assert len(set(thing.size)) == 1
        if level in ("cylinder", "cone", "bin"):
            assert thing.size[0] == thing.size[1]


def test_a_wall_stands_square_to_the_robot_whatever_was_drawn() -> None:
    for number in (0, 1, 2):
        wall = in_shape(number, "wall")
        assert (wall.size, wall.yaw) == ((0.04, 0.30, 0.20), 0.0)


def test_an_empty_floor_stays_empty_and_the_block_s_own_shape_stays_its_own() -> None:
    empty, draw = block(3)
    assert all(SHAPE.apply(empty, level, draw) == empty for level in SHAPE.LEVELS)
    base, draw = block(0)
    assert SHAPE.apply(base, "drawn", draw) == base


def test_shape_goes_before_what_moves_and_turns_the_obstacle() -> None:
    order = list(factors.REGISTRY["tabletop"])
    assert all(order.index("obstacle") < order.index(later) for later in ("yaw", "offset", "distance", "presence"))
    assert "obstacle" not in factors.REGISTRY["studio"]


def test_the_default_draw_knows_three_shapes() -> None:
    assert {o.shape for n in range(16) for o in block(n)[0].objects} == {"box", "cylinder", "sphere"}
