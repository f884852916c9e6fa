"""Distractors: things beside the object, with pixels and a shadow that are never the object's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import truth_scenes as scenes_
from closed_form import SmallStore
from test_ground_truth import linear, of, outline

from scenes import checks, shadow
from scenes.factors import presence
from scenes.proximity import MIGHTY_THYMIO

pytestmark = pytest.mark.blender
SPEC = scenes_.DISTRACTED


def test_a_distractor_s_pixels_are_its_own(truth_rendered: SmallStore) -> None:
    render = of(truth_rendered, SPEC)
    beside = checks.projected_mask(SPEC.camera, list(SPEC.distractors))
    thing = checks.projected_mask(SPEC.camera, list(SPEC.objects))
    assert np.array_equal(render.distractors > 0, beside)
    assert np.array_equal(render.object > 0, thing & ~beside)
    assert checks.check(SPEC, render, MIGHTY_THYMIO).distractor_px == beside.sum()


def test_the_object_s_shadow_is_as_if_the_distractors_were_not_there(truth_rendered: SmallStore) -> None:
    alone = shadow.cast_shadow(dataclasses.replace(SPEC, distractors=()))
    render = of(truth_rendered, SPEC)
    assert render.shadow == pytest.approx(alone * render.floor, abs=1 / 255)
    assert (render.shadow > 0.5).any()


def test_the_distractors_shadow_is_where_the_floor_gets_darker(truth_rendered: SmallStore) -> None:
    empty = of(truth_rendered, scenes_.DISTRACTED_EMPTY)
    strong = empty.distractor_shadow > 0.5
    ratio = linear(empty) / linear(of(truth_rendered, scenes_.UNSHADED))
    wrong = ((ratio < 0.65) != strong) & (empty.floor > 0)
    assert strong.sum() > 150
    assert not (wrong & ~outline(strong) & ~outline(empty.distractors > 0)).any()


def test_their_region_is_their_pixels_and_what_the_object_s_shadow_leaves_of_theirs(truth_rendered: SmallStore) -> None:
    render = of(truth_rendered, SPEC)
    regions = render.regions()
    theirs = render.floor * render.distractor_shadow * (1 - render.shadow)
    assert regions[4] == pytest.approx(render.distractors + theirs)
    assert (regions[4] * render.object).max() == 0
    assert regions[1] == pytest.approx(render.floor * render.shadow)


def test_every_arm_keeps_the_distractors(truth_rendered: SmallStore) -> None:
    arms = {"ghost": scenes_.DISTRACTED_GHOST, "empty": scenes_.DISTRACTED_EMPTY}
    for level, spec in arms.items():
        assert presence.apply(SPEC, level, None).distractors == SPEC.distractors  # type: ignore[arg-type]
        render = of(truth_rendered, spec)
        assert np.array_equal(render.distractors, of(truth_rendered, SPEC).distractors)
        assert render.object.max() == 0
        assert checks.check(spec, render, MIGHTY_THYMIO).status == "ok"
    ghost = of(truth_rendered, arms["ghost"])
    both = ghost.floor * of(truth_rendered, SPEC).floor > 0
    assert np.array_equal(ghost.shadow[both], of(truth_rendered, SPEC).shadow[both])
