"""Cast-shadow strength: closed form, a slow oracle, and the shortcut that leaves pixels out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from closed_form import CAMERA, LIGHT, a_scene, an_object

from scenes import shadow
from scenes.scene_spec import LightSpec


def test_the_shadow_of_a_box_under_a_small_light_ends_where_geometry_says() -> None:
    box = an_object("box", size=(0.1, 0.1, 0.1), position=(0.35, 0.0), yaw=0.0)
    lamp = LightSpec(position=(0.85, 0.0, 0.6), target=(0.35, 0.0, 0.0), size=1e-4, power=1.0)
    strength = shadow.cast_shadow(a_scene(box, key=lamp))
    points, hits = shadow.floor_points(CAMERA)
    # the top edge nearest the robot is (.30, .10); the line to it from (.85, .60) meets the floor here
    end = 0.30 - 0.55 * 0.1 / 0.5
    on_axis = hits & (np.abs(points[..., 1]) < 0.02)
    assert (strength[on_axis & (points[..., 0] < end - 0.002)] == 0).all()
    within = on_axis & (points[..., 0] > end + 0.002) & (points[..., 0] < 0.30)
    assert within.sum() > 20
    assert (strength[within] == 1).all()


@pytest.mark.parametrize("shape", ["box", "cylinder", "sphere"])
def test_penumbra_strength_agrees_with_many_random_light_points(shape: str) -> None:
    lamp = dataclasses.replace(LIGHT, size=0.3)
    thing = an_object(shape)
    strength = shadow.cast_shadow(a_scene(thing, key=lamp))
    points, _ = shadow.floor_points(CAMERA)
    rng = np.random.default_rng(0)
    normal = np.array(lamp.target) - np.array(lamp.position)
    normal /= np.linalg.norm(normal)
    side, up = shadow.light_axes(normal)
    partial = np.argwhere((strength > 0.1) & (strength < 0.9))
    for i, j in partial[:: max(len(partial) // 12, 1)]:
        offset = rng.uniform(-0.15, 0.15, (4000, 2))
        toward = np.array(lamp.position) + offset[:, :1] * side + offset[:, 1:] * up - points[i, j]
        length = np.linalg.norm(toward, axis=1)
        weight = toward[:, 2] * -(toward @ normal) / length**4
        start = np.broadcast_to(points[i, j], toward.shape)
        blocked = shadow.blocks(thing, start, toward)
        assert strength[i, j] == pytest.approx((weight * blocked).sum() / weight.sum(), abs=0.06)


def test_pixels_left_out_beforehand_have_no_shadow(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = a_scene(
        an_object("sphere"), an_object("box", position=(0.4, -0.1)), key=dataclasses.replace(LIGHT, size=0.35)
    )
    quick = shadow.cast_shadow(spec)
    monkeypatch.setattr(
        shadow, "_may_be_shadowed", lambda points, casters, light: np.ones(points.shape[:2], dtype=bool)
    )
    assert np.array_equal(quick, shadow.cast_shadow(spec))


def test_what_casts_no_shadow_has_none() -> None:
    assert shadow.cast_shadow(a_scene(an_object(casts_shadow=False))).max() == 0


def test_a_light_lower_than_the_object_still_casts_its_shadow() -> None:
    tall = an_object("box", size=(0.1, 0.1, 0.3), yaw=0.0, position=(0.35, 0.0))
    lamp = LightSpec(position=(0.9, 0.0, 0.2), target=(0.35, 0.0, 0.1), size=0.01, power=1.0)
    strength = shadow.cast_shadow(a_scene(tall, key=lamp))
    points, _ = shadow.floor_points(CAMERA)
    assert strength[(np.abs(points[..., 1]) < 0.03) & (points[..., 0] < 0.29)].min() == 1
