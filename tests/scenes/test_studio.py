"""The studio: objects and poses as blocks, one factor at a time, and each level does what its name says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from studio_scenes import CONTROL, DESIGN, FACTORS, VIEW, scene

from scenes import factors, proximity, studio
from scenes.assets import ASSETS, placed
from scenes.design import DesignError
from scenes.planning import Quality


def planned(**changes: object) -> list:
    return studio.plan(dataclasses.replace(DESIGN, **changes), VIEW, Quality())


def test_one_factor_at_a_time_around_the_control_and_arms_at_control() -> None:
    plan = planned()
    assert len(plan) == 2 * 2 * 11  # objects, poses, 9 conditions and two arms
    for p in plan:
        off = [f for f in FACTORS if p.cell.condition[f] != CONTROL[f]]
        assert len(off) <= 1
        assert not off or p.cell.condition["presence"] == "object"


def test_a_block_is_an_object_in_a_pose() -> None:
    assert {p.cell.block for p in planned()} == {"lemon.0", "lemon.1", "bucket.0", "bucket.1"}
    assert all(p.stratum == p.cell.block.split(".")[0] == p.cell.condition["object"] for p in planned())


def test_adding_objects_poses_or_levels_redraws_nothing() -> None:
    few = {p.scene_id for p in planned(objects=("lemon",), blocks=1, factors={"light": ("key", "back")})}
    assert few < {p.scene_id for p in planned()}


def test_the_same_design_with_another_seed_is_drawn_anew() -> None:
    assert not {p.scene_id for p in planned()} & {p.scene_id for p in planned(seed=1)}


def test_an_unknown_object_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(DesignError, match="did you mean 'lemon'"):
        planned(objects=("lemno",))


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_every_object_stands_whole_in_the_picture_and_large_enough(name: str) -> None:
    for pose in range(8):
        spec = scene(name, pose)
        (thing,) = spec.objects
        points = np.concatenate(
            [p.vertices for p in placed(name, thing.material.color, thing.size[0], thing.position, thing.yaw)]
        )
        u, v, depth = proximity.project(points, spec.camera)
        assert depth.min() > 0.1
        assert min(u.min(), v.min()) > 1
        assert max(u.max(), v.max()) < VIEW.size - 1
        assert max(np.ptp(u), np.ptp(v)) > 0.4 * VIEW.size


def test_a_condition_changes_its_factor_and_nothing_else() -> None:
    control, back = scene("lemon"), scene("lemon", light="back")
    assert dataclasses.replace(back, key=control.key, world_strength=control.world_strength) == control
    violet = scene("lemon", object_color="unusual")
    assert dataclasses.replace(violet, objects=control.objects) == control
    sunlit, striped = scene("lemon", outside_shadow="unblocked"), scene("lemon", outside_shadow="slats")
    assert dataclasses.replace(striped, blockers=()) == sunlit
    assert dataclasses.replace(sunlit, key=control.key, world_strength=control.world_strength) == control


def test_at_equal_the_floor_takes_the_colour_and_the_object_keeps_its_own() -> None:
    equal = scene("granny_smith", object_color="equal")
    assert equal.floor.color == equal.objects[0].material.color == ASSETS["granny_smith"].natural


def test_light_from_behind_comes_from_beyond_the_object_and_key_light_from_before_it() -> None:
    assert scene("lemon", light="back").key.position[0] > 1.5
    assert scene("lemon").key.position[0] < -1
    assert scene("lemon", light="dim").key.power == pytest.approx(0.06 * scene("lemon").key.power)
    red = scene("lemon", light="red")
    assert red.key.color[0] > 20 * red.key.color[1]
    assert red.world_color[0] > 20 * red.world_color[2]


def test_the_sun_shines_from_where_the_key_light_stood_and_is_stronger() -> None:
    sun, lamp = scene("lemon", outside_shadow="unblocked").key, scene("lemon").key
    assert (sun.kind, lamp.kind) == ("sun", "area")
    assert (sun.position, sun.target) == (lamp.position, lamp.target)
    assert sun.power == pytest.approx(5.0, rel=0.15)  # W/m2, the strength the shadows were measured at


def test_half_and_slats_are_compared_with_the_sun_that_nothing_blocks() -> None:
    assert factors.partners(factors.REGISTRY["studio"], FACTORS) == {
        "outside_shadow": {"half": "unblocked", "slats": "unblocked"}
    }
    with pytest.raises(DesignError, match="add it too"):
        factors.partners(factors.REGISTRY["studio"], {"outside_shadow": ("none", "slats")})


def test_poses_differ_in_turn_height_distance_and_floor() -> None:
    specs = [scene("bucket", pose) for pose in range(8)]
    assert len({s.objects[0].yaw for s in specs}) == 8
    assert np.ptp([s.camera.tilt for s in specs]) > 2
    assert len({s.camera.position for s in specs}) == 8
    assert len({s.floor.color for s in specs}) == 8
