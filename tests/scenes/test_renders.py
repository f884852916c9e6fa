"""Renders: pictures and ground truth on scenes whose answer is known in closed form."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from closed_form import CAMERA, EMPTY, GHOSTS, LIT, NEAR, SHAPES, SmallStore

from scenes import checks, color, shadow
from scenes.proximity import MIGHTY_THYMIO, camera_axes
from scenes.renderer import WorkerSettings, render
from scenes.store import Store

pytestmark = pytest.mark.blender


def test_every_scene_came_into_the_store(rendered: SmallStore) -> None:
    assert rendered.outcome.failed == {}
    assert rendered.outcome.rendered == 11


@pytest.mark.parametrize("shape", ["box", "cylinder", "sphere"])
def test_the_mask_is_the_shape_s_projection_to_a_pixel(rendered: SmallStore, shape: str) -> None:
    spec = SHAPES[shape]
    seen = rendered.store.read(spec.scene_id).object > 0
    expected = checks.projected_mask(spec.camera, list(spec.objects))
    assert (seen != expected).sum() <= 6  # of some 600: a sphere of 48 x 24 faces for a round one


def test_the_floor_s_depth_is_the_plane_s(rendered: SmallStore) -> None:
    render_ = rendered.store.read(EMPTY.scene_id)
    points, hits = shadow.floor_points(CAMERA)
    _, _, forward = camera_axes(CAMERA)
    expected = (points - np.array(CAMERA.position)) @ forward
    assert hits.all()
    assert render_.depth == pytest.approx(expected, rel=1e-4)


def test_the_sphere_s_nearest_depth_is_its_front(rendered: SmallStore) -> None:
    spec = SHAPES["sphere"]
    _, _, forward = camera_axes(CAMERA)
    centre = np.array([*spec.objects[0].position, 0.05])
    expected = (centre - np.array(CAMERA.position)) @ forward - 0.05
    render_ = rendered.store.read(spec.scene_id)
    assert render_.depth[render_.object > 0].min() == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize("shape", ["box", "cylinder", "sphere"])
def test_shadow_truth_is_where_the_picture_gets_darker(rendered: SmallStore, shape: str) -> None:
    dark = color.srgb_decode(rendered.store.read(GHOSTS[shape].scene_id).rgb / 255).mean(axis=-1)
    lit = color.srgb_decode(rendered.store.read(LIT[shape].scene_id).rgb / 255).mean(axis=-1)
    strength = rendered.store.read(GHOSTS[shape].scene_id).shadow
    darker = dark / lit < 0.6
    agreement = (darker & (strength > 0.5)).sum() / (darker | (strength > 0.5)).sum()
    assert agreement > 0.9
    assert rendered.store.read(LIT[shape].scene_id).shadow.max() == 0


@pytest.mark.parametrize("shape", ["box", "cylinder", "sphere"])
def test_a_ghost_is_not_seen_and_leaves_its_object_s_shadow(rendered: SmallStore, shape: str) -> None:
    ghost, whole = rendered.store.read(GHOSTS[shape].scene_id), rendered.store.read(SHAPES[shape].scene_id)
    assert ghost.object.max() == 0
    floor = whole.floor > 0
    assert np.array_equal(ghost.shadow[floor], whole.shadow[floor])


def test_a_near_obstacle_is_not_cut_open(rendered: SmallStore) -> None:
    render_ = rendered.store.read(NEAR.scene_id)
    assert checks.check(NEAR, render_, MIGHTY_THYMIO).status == "ok"
    cut = dataclasses.replace(render_, object=np.where(render_.depth < 0.1, 0.0, render_.object).astype(np.float32))
    found = checks.check(NEAR, cut, MIGHTY_THYMIO)
    assert found.status == "rejected"
    assert "geometry cut" in found.reason


def test_albedo_is_the_declared_colour(rendered: SmallStore) -> None:
    floor, thing = rendered.store.read(SHAPES["box"].scene_id).albedo
    assert floor == pytest.approx(np.array([0.4, 0.4, 0.4]), abs=0.01)
    assert thing == pytest.approx(np.array([0.5, 0.1, 0.1]), abs=0.01)


def test_the_checks_measure_what_they_say(rendered: SmallStore) -> None:
    spec = SHAPES["box"]
    found = checks.check(spec, rendered.store.read(spec.scene_id), MIGHTY_THYMIO)
    assert found.status == "ok"
    assert found.albedo_delta_e == pytest.approx(float(color.delta_e((0.4, 0.4, 0.4), (0.5, 0.1, 0.1))), abs=1.0)
    assert found.contour_delta_e > 15
    assert found.object_px == rendered.store.read(spec.scene_id).object.sum()


def test_a_black_picture_and_a_missing_object_are_rejected(rendered: SmallStore) -> None:
    render_ = rendered.store.read(SHAPES["box"].scene_id)
    black = dataclasses.replace(render_, rgb=np.zeros_like(render_.rgb))
    assert "black" in checks.check(SHAPES["box"], black, MIGHTY_THYMIO).reason
    unseen = dataclasses.replace(render_, object=np.zeros_like(render_.object))
    assert "not visible" in checks.check(SHAPES["box"], unseen, MIGHTY_THYMIO).reason


def test_another_process_in_another_order_gives_the_same_bytes(
    rendered: SmallStore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = Store(tmp_path_factory.mktemp("again"))
    specs = [NEAR, EMPTY, GHOSTS["sphere"], SHAPES["box"]]
    render(specs, again, WorkerSettings(count=1))
    for spec in specs:
        here, there = rendered.store.read(spec.scene_id), again.read(spec.scene_id)
        for name in ("rgb", "object", "shadow", "depth", "albedo"):
            assert np.array_equal(getattr(here, name), getattr(there, name), equal_nan=True), name
