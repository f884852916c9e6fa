"""Silhouettes and shadows of convex pieces, and of strips outside the frame, against closed forms and slow oracles."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from closed_form import CAMERA, LIGHT, a_scene, an_object
from studio_scenes import scene

from scenes import checks, shadow, silhouette
from scenes.assets.solids import icosphere
from scenes.scene_spec import LightSpec, SceneSpec

BALL = an_object("sphere", size=(0.12, 0.12, 0.12), position=(0.35, 0.02))


def ball_points() -> np.ndarray:
    return icosphere(4, 0.06).vertices + np.array([0.35, 0.02, 0.06])


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_a_ball_of_points_covers_what_the_sphere_does() -> None:
    exact = checks.projected_mask(CAMERA, [BALL])
    assert agreement(silhouette.seen([ball_points()], CAMERA), exact) > 0.95


@pytest.mark.parametrize("kind", ["area", "sun"])
def test_its_shadow_on_the_floor_is_the_sphere_s(kind: str) -> None:
    lamp = dataclasses.replace(LIGHT, kind=kind)
    sample = shadow.light_samples(lamp)[0][0]
    points, hits = shadow.floor_points(CAMERA)
    floor = points.reshape(-1, 3)
    toward = np.broadcast_to(sample * 100, floor.shape) if kind == "sun" else sample - floor
    exact = shadow.blocks(BALL, floor, toward).reshape(hits.shape) & hits
    source = silhouette.Source(sample, is_direction=kind == "sun")
    assert agreement(silhouette.on_floor([ball_points()], source, CAMERA) & hits, exact) > 0.93


def test_a_shadow_that_passes_below_the_camera_is_cut_and_not_thrown_about() -> None:
    lamp = LightSpec(position=(1.5, 0.0, 0.25), target=(0.35, 0.0, 0.0), size=0.01, power=1.0)
    thing = an_object("sphere", size=(0.2, 0.2, 0.2), position=(0.3, 0.0))
    points = icosphere(4, 0.1).vertices + np.array([0.3, 0.0, 0.1])
    exact = shadow.cast_shadow(a_scene(thing, key=lamp)) > 0.5
    thrown = silhouette.on_floor([points], silhouette.Source(np.array(lamp.position), False), CAMERA)
    assert agreement(thrown, exact) > 0.93


def test_behind_an_area_light_there_is_no_shadow() -> None:
    spec = scene("lemon", light="back")
    points, hits = shadow.floor_points(spec.camera)
    _, normal = shadow.light_samples(spec.key)
    beyond = hits & ((points - np.array(spec.key.position)) @ normal < -0.5)
    assert beyond.any()
    assert shadow.cast_shadow(spec)[beyond].max() == 0


def strips(spec: SceneSpec) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Centre and half edges of every strip, written out."""
    (blocker,) = spec.blockers
    middle, across, along, _ = shadow.blocker_frame(blocker, spec.key)
    return [
        (
            middle + (i - (blocker.count - 1) / 2) * blocker.pitch * across,
            across * blocker.width / 2,
            along * blocker.length / 2,
        )
        for i in range(blocker.count)
    ]


@pytest.mark.parametrize("level", ["half", "slats"])
def test_strips_outside_the_frame_block_what_a_slow_ray_says(level: str) -> None:
    spec = scene("lemon", outside_shadow=level)
    points, hits = shadow.floor_points(spec.camera)
    floor = points[hits][:: max(hits.sum() // 300, 1)]
    sun = np.array(spec.key.position) - np.array(spec.key.target)
    toward = np.broadcast_to(100 * sun / np.linalg.norm(sun), floor.shape)
    (blocker,) = spec.blockers
    fast = shadow.blocks_from_outside(blocker, spec.key, floor, toward)
    for start, way, found in zip(floor, toward, fast, strict=True):
        met = False
        for centre, a, b in strips(spec):
            x, y, t = np.linalg.solve(np.column_stack([a, b, -way]), start - centre)
            met |= abs(x) < 1 and abs(y) < 1 and 0 < t < 1
        assert met == found
    assert 0.2 < fast.mean() < 0.9


def test_without_blockers_nothing_is_shaded_from_outside() -> None:
    assert shadow.outside_shadow(scene("lemon", outside_shadow="unblocked")).max() == 0
