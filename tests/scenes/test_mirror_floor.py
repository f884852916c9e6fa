"""What a glossy floor mirrors: the mask against the picture, and where there is no mirror image."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import truth_scenes as scenes_
from closed_form import SmallStore, a_scene, an_object
from test_ground_truth import linear, of, outline

from scenes import checks, color, reflection, truth
from scenes.proximity import MIGHTY_THYMIO
from scenes.scene_spec import MaterialSpec

rendering = pytest.mark.blender


@rendering
@pytest.mark.parametrize("shape", scenes_.CLOSED)
def test_in_a_mirror_the_picture_s_image_and_its_mask_agree_to_a_pixel(truth_rendered: SmallStore, shape: str) -> None:
    render = of(truth_rendered, scenes_.MIRRORED[shape])
    dark = (render.object + render.reflection) > 0
    wrong = (linear(render) < 0.5) != dark
    assert render.reflection.sum() > 150
    assert not (wrong & ~outline(dark)).any()
    assert wrong.sum() <= 5
    assert (render.reflection * render.object).max() == 0


@rendering
def test_an_asset_s_image_is_where_the_picture_changes_when_it_goes(truth_rendered: SmallStore) -> None:
    render, gone = of(truth_rendered, scenes_.BUCKET), of(truth_rendered, scenes_.NO_BUCKET)
    changed = np.abs(render.rgb.astype(int) - gone.rgb).max(axis=-1) > 20
    covered = (render.object + render.reflection) > 0
    assert render.reflection.sum() > 500
    assert not ((changed != covered) & ~outline(covered)).any()


@rendering
def test_a_shining_object_shines_in_its_image_too(truth_rendered: SmallStore) -> None:
    """Its image is seen by a second reflection; without one, nearly half of a metal ball's image is black."""
    render = of(truth_rendered, scenes_.BRASS)
    image = linear(render)[(render.reflection > 0) & ~outline(render.reflection > 0)]
    assert (image < 0.05).mean() < 0.1


@rendering
def test_a_ghost_has_no_image_in_the_floor(truth_rendered: SmallStore) -> None:
    render = of(truth_rendered, scenes_.MIRRORED_GHOST)
    assert render.reflection.max() == 0
    assert linear(render).min() > 0.9


@rendering
def test_a_distractor_hides_what_of_the_image_lies_behind_it(truth_rendered: SmallStore) -> None:
    render, alone = of(truth_rendered, scenes_.MIRRORED_BEHIND), of(truth_rendered, scenes_.MIRRORED["box"])
    dark = (render.object + render.reflection) > 0
    assert not (((linear(render) < 0.3) != dark) & ~outline(dark)).any()
    hidden = (alone.reflection > 0) & (render.floor > 0) & (render.reflection == 0)
    assert hidden.sum() > 20  # floor pixels that mirror the distractor instead


@rendering
def test_in_a_metal_mirror_no_shadow_shows_and_the_truth_has_none(truth_rendered: SmallStore) -> None:
    ghost, empty = (of(truth_rendered, scenes_.ON_STEEL[name]) for name in ("ghost", "empty"))
    assert (linear(ghost) / linear(empty)).min() > 0.9
    assert ghost.shadow.max() == 0


def test_half_a_metal_shows_half_of_a_shadow() -> None:
    half = dataclasses.replace(scenes_.STEEL, metallic=0.5)
    spec = a_scene(an_object(), floor=dataclasses.replace(half, roughness=0.8))
    whole, mirroring = truth.of(spec), truth.of(dataclasses.replace(spec, floor=half))
    assert mirroring["shadow"] == pytest.approx(whole["shadow"] / 2)
    assert whole["shadow"].max() == 1


@pytest.mark.parametrize(
    ("floor", "is_mirror"),
    [
        (MaterialSpec((0.4, 0.4, 0.4), roughness=reflection.MIRROR_ROUGHNESS, specular=0.5), True),
        (MaterialSpec((0.4, 0.4, 0.4), roughness=reflection.MIRROR_ROUGHNESS + 0.01, specular=0.5), False),
        (MaterialSpec((0.4, 0.4, 0.4), roughness=0.0, specular=0.0), False),
        (MaterialSpec((0.4, 0.4, 0.4), roughness=0.1, specular=0.0, metallic=0.5), True),
    ],
)
def test_only_a_smooth_floor_that_reflects_has_an_image(floor: MaterialSpec, is_mirror: bool) -> None:
    assert (reflection.reflection(a_scene(an_object(), floor=floor)).max() > 0) == is_mirror


@rendering
@pytest.mark.parametrize("kind", sorted(scenes_.GLOSSY))
def test_albedo_is_the_declared_color_of_metals_and_at_low_angles_too(truth_rendered: SmallStore, kind: str) -> None:
    spec = scenes_.GLOSSY[kind]
    floor, thing = (o.color for o in (spec.floor, spec.objects[0].material))
    render = of(truth_rendered, spec)
    assert render.albedo == pytest.approx(np.array([floor, thing]), abs=1e-3)
    found = checks.check(spec, render, MIGHTY_THYMIO)
    assert found.albedo_delta_e == pytest.approx(float(color.delta_e(floor, thing)), abs=0.1)
    assert found.reflection_px == render.reflection.sum() > 0
