"""Studio renders: masks, shadows and checks agree with the pictures for every object."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from closed_form import SmallStore
from scipy.ndimage import binary_dilation
from studio_scenes import GHOSTS, GONE, SHADED, SUNLIT, without_blockers

from scenes import checks, color
from scenes.assets import ASSETS

pytestmark = pytest.mark.blender
OBJECTS = sorted(ASSETS)


def luminance(store: SmallStore, scene_id: str) -> np.ndarray:
    return color.srgb_decode(store.store.read(scene_id).rgb / 255).mean(axis=-1)


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_every_scene_came_into_the_store(studio_rendered: SmallStore) -> None:
    assert studio_rendered.outcome.failed == {}


def covered(a: np.ndarray, b: np.ndarray) -> float:
    """Share of a that lies within a pixel of b."""
    return float((a & binary_dilation(b, np.ones((3, 3)))).sum() / a.sum())


@pytest.mark.parametrize("name", OBJECTS)
def test_the_mask_is_what_the_object_s_pieces_project_to(studio_rendered: SmallStore, name: str) -> None:
    spec = SUNLIT[name]
    render = studio_rendered.store.read(spec.scene_id)
    expected = checks.projected_mask(spec.camera, list(spec.objects))
    assert agreement(render.object > 0, expected) > 0.93
    assert checks.check(spec, render, None).status == "ok"


@pytest.mark.parametrize("name", OBJECTS)
def test_shadow_truth_is_where_the_picture_gets_darker(studio_rendered: SmallStore, name: str) -> None:
    ghost = studio_rendered.store.read(GHOSTS[name].scene_id)
    dark, lit = (luminance(studio_rendered, s[name].scene_id) for s in (GHOSTS, GONE))
    darker, strong = (dark / np.maximum(lit, 1e-3) < 0.6) & (ghost.floor > 0), ghost.shadow > 0.5
    assert covered(darker, ghost.shadow > 0.2) > 0.97  # to a pixel: the traffic light's shadow is thinner than one
    assert covered(strong, dark / np.maximum(lit, 1e-3) < 0.8) > 0.97
    assert strong.sum() < 200 or agreement(darker, strong) > 0.88
    assert studio_rendered.store.read(GONE[name].scene_id).shadow.max() == 0


@pytest.mark.parametrize("level", sorted(SHADED))
def test_shadows_from_outside_are_where_the_floor_gets_darker(studio_rendered: SmallStore, level: str) -> None:
    spec = SHADED[level]
    assert without_blockers(spec) == GONE["lemon"]
    render = studio_rendered.store.read(spec.scene_id)
    dark, lit = luminance(studio_rendered, spec.scene_id), luminance(studio_rendered, GONE["lemon"].scene_id)
    far = np.arange(len(dark))[:, None] < 0.35 * len(dark)  # there a slat is thinner than a pixel
    counted = (render.floor > 0) & ~far
    assert agreement((dark / lit < 0.6) & counted, (render.outside > 0.5) & counted) > 0.85
    assert render.object.max() == 0


def test_an_object_that_the_picture_s_border_cuts_is_rejected(studio_rendered: SmallStore) -> None:
    spec = SUNLIT["bucket"]
    render = studio_rendered.store.read(spec.scene_id)
    cut = dataclasses.replace(render, object=np.roll(render.object, 60, axis=1))
    found = checks.check(spec, cut, None)
    assert found.status == "rejected"
    assert "border" in found.reason
