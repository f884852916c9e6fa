"""The part of an object inside a sensor's cone: closed form on walls, a literal oracle, and the rendered store."""

from __future__ import annotations

import math

import numpy as np
import pytest
from closed_form import CAMERA, SHAPES, SmallStore
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes import cones, proximity
from scenes.proximity import MIGHTY_THYMIO as ROBOT
from scenes.proximity import project
from scenes.scene_spec import ObjectSpec

LEFT, CENTRE, RIGHT = 0, 2, 4
HALF = ROBOT.cone / 2


def cell(travel: int, sensor: int) -> np.ndarray:
    return np.array([travel * 5 + sensor])


def rays() -> np.ndarray:
    """(H, W, 3) through the pixels' centres, 1 m along the axis, pixel by pixel."""
    right, up, forward = proximity.camera_axes(CAMERA)
    focal = CAMERA.width / (2 * math.tan(math.radians(CAMERA.field_of_view) / 2))
    found = np.empty((CAMERA.height, CAMERA.width, 3))
    for i in range(CAMERA.height):
        for j in range(CAMERA.width):
            x, y = (j + 0.5 - CAMERA.width / 2) / focal, (CAMERA.height / 2 - i - 0.5) / focal
            found[i, j] = forward + x * right + y * up
    return found


def wall(front: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mask, depth and lateral place y (H, W) of an endless wall across the way at x = front, from the floor up."""
    ray = rays()
    with np.errstate(divide="ignore"):
        to_wall = np.where(ray[..., 0] > 0, (front - CAMERA.position[0]) / ray[..., 0], np.inf)
        to_floor = np.where(ray[..., 2] < 0, -CAMERA.position[2] / ray[..., 2], np.inf)
    depth = np.minimum(to_wall, to_floor)
    y = CAMERA.position[1] + depth * ray[..., 1]
    return (to_wall < to_floor).astype(np.float32), depth.astype(np.float32), y


def test_of_a_wall_ahead_the_centre_cone_holds_an_interval() -> None:
    mask, depth, y = wall(0.30)
    # sensor at x = .08 + d: the wall is .22 - d away, and of it the cone holds |y| <= that times tan(.15 rad)
    for d in (12, 15, 20):
        away = 0.22 - d / 100
        reach = min(away * math.tan(HALF), math.sqrt(ROBOT.range**2 - away**2))
        found = cones.object_inside(mask, depth, CAMERA, ROBOT, cell(d, CENTRE))[0]
        assert found.sum() > 20
        np.testing.assert_array_equal(found > 0, (mask > 0) & (np.abs(y) <= reach))


def test_before_the_wall_is_within_range_the_cone_holds_nothing() -> None:
    mask, depth, _ = wall(0.30)
    for d in range(10):
        assert not cones.object_inside(mask, depth, CAMERA, ROBOT, cell(d, CENTRE)).any()


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_of_a_wall_ahead_a_turned_cone_holds_an_interval_on_its_own_side(side: int) -> None:
    mask, depth, y = wall(0.30)
    sensor, d = ROBOT.sensors[side], 18
    away = 0.30 - sensor.x - d / 100
    nearer, farther = (math.radians(abs(sensor.yaw)) + turn for turn in (-HALF, HALF))
    outer = min(away * math.tan(farther), math.sqrt(ROBOT.range**2 - away**2))
    low, high = (abs(sensor.y) + v for v in (away * math.tan(nearer), outer))
    found = cones.object_inside(mask, depth, CAMERA, ROBOT, cell(d, side))[0]
    sideways = y if side == LEFT else -y
    assert found.sum() > 10
    np.testing.assert_array_equal(found > 0, (mask > 0) & (sideways >= low) & (sideways <= high))


def test_what_the_pixels_show_projects_back_to_their_centres() -> None:
    _, depth, _ = wall(0.30)
    points = cones.seen_points(depth, CAMERA)
    u, v, along = project(points, CAMERA)
    i, j = np.indices(depth.shape) + 0.5
    np.testing.assert_allclose(u, j, atol=1e-4)
    np.testing.assert_allclose(v, i, atol=1e-4)
    np.testing.assert_allclose(along, depth, rtol=1e-6)


def test_a_pixel_that_shows_nothing_is_in_no_cone() -> None:
    depth = np.full((CAMERA.height, CAMERA.width), np.inf, np.float32)
    everything = np.ones_like(depth)
    assert np.isnan(cones.seen_points(depth, CAMERA)).all()
    assert not cones.object_inside(everything, depth, CAMERA, ROBOT, np.arange(155)).any()


def test_fractions_of_the_object_are_kept() -> None:
    mask, depth, _ = wall(0.30)
    whole = cones.object_inside(mask, depth, CAMERA, ROBOT, cell(15, CENTRE))
    half = cones.object_inside(mask * np.float32(0.5), depth, CAMERA, ROBOT, cell(15, CENTRE))
    np.testing.assert_array_equal(half, whole / 2)


@settings(max_examples=200, deadline=None)
@given(st.floats(-0.1, 0.6), st.floats(-0.3, 0.3), st.integers(0, 30), st.integers(0, 4))
def test_a_place_is_inside_by_its_angle_and_its_distance(x: float, y: float, d: int, s: int) -> None:
    sensor = ROBOT.sensors[s]
    dx, dy = x - sensor.x - d / 100, y - sensor.y
    turn = (math.atan2(dy, dx) - math.radians(sensor.yaw) + math.pi) % (2 * math.pi) - math.pi
    margin = min(abs(abs(turn) - HALF), abs(math.hypot(dx, dy) - ROBOT.range))
    found = cones.inside(np.array([[x, y]]), ROBOT, cell(d, s))[0, 0]
    assert margin < 1e-9 or found == (abs(turn) <= HALF and math.hypot(dx, dy) <= ROBOT.range)


@settings(max_examples=50, deadline=None)
@given(st.floats(-0.1, 0.6), st.floats(-0.3, 0.3))
def test_mirrored_places_lie_in_the_mirrored_sensors_cones(x: float, y: float) -> None:
    cells = np.arange(155)
    here = cones.inside(np.array([[x, y]]), ROBOT, cells).reshape(31, 5)
    there = cones.inside(np.array([[x, -y]]), ROBOT, cells).reshape(31, 5)
    assert (here != there[:, ::-1]).sum() <= 1  # a place on the very edge may round either way


@pytest.mark.blender
@pytest.mark.parametrize("shape", SHAPES)
def test_rendered_objects_lie_in_the_cones_of_cells_that_meet_them(rendered: SmallStore, shape: str) -> None:
    spec = SHAPES[shape]
    render = rendered.store.read(spec.scene_id)
    thing: ObjectSpec = spec.objects[0]
    # what the depth pass says of the object's pixels is on the object: within its extent, above the floor
    points = cones.seen_points(render.depth, spec.camera)[render.object > 0]
    assert np.hypot(*(points[:, :2] - thing.position).T).max() < math.hypot(*thing.size[:2]) / 2 + 1e-3
    assert points[:, 2].min() > -1e-3
    assert points[:, 2].max() < thing.size[2] + 1e-3
    label = proximity.labels(spec.objects, ROBOT)[:31].reshape(-1)
    occupied = np.flatnonzero(label == 1)
    part = cones.object_inside(render.object, render.depth, spec.camera, ROBOT, occupied)
    assert (part <= render.object).all()
    assert (part.sum(axis=(1, 2)) > 0).mean() > 0.9
    # a cone holds no object where its fan met none, but for what is wider higher up than at the sensors' height
    free = cones.object_inside(render.object, render.depth, spec.camera, ROBOT, np.flatnonzero(label == 0))
    if shape == "box":
        assert not (free.sum(axis=(1, 2)) > 3).any()
