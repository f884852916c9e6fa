"""Shadows from outside the frame that fall on the object or the floor alone: two linked lights that look like one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import truth_scenes as scenes_
from closed_form import SmallStore
from test_ground_truth import linear, of, outline

from scenes import shadow
from scenes.renderer import WorkerSettings, render
from scenes.scene_spec import SceneError
from scenes.store import Store

rendering = pytest.mark.blender
SHADED = scenes_.SHADED
AWAY = np.zeros((64, 80), dtype=bool)
AWAY[52:] = True  # rows of floor before the object, which its own light reaches least


@rendering
def test_shading_the_object_leaves_the_floor_its_light_and_the_object_s_shadow(truth_rendered: SmallStore) -> None:
    shaded, plain = (of(truth_rendered, SHADED[s]) for s in ("object", "none"))
    floor = (plain.floor > 0) & AWAY
    assert linear(shaded)[floor].mean() == pytest.approx(linear(plain)[floor].mean(), rel=0.002)
    umbra = (plain.shadow > 0.99) & (plain.floor > 0)
    assert umbra.sum() > 200
    assert linear(shaded)[umbra].mean() < 0.25 * linear(shaded)[floor].mean()
    assert shaded.outside.max() == 0


@rendering
def test_shading_the_floor_leaves_the_object_its_light(truth_rendered: SmallStore) -> None:
    by = {s: of(truth_rendered, SHADED[s]) for s in SHADED}
    lit = (by["none"].object > 0) & ~outline(by["none"].object > 0) & (linear(by["none"]) > 0.2)
    assert lit.sum() > 50
    lost = {s: (linear(by["none"]) - linear(r))[lit].mean() / linear(by["none"])[lit].mean() for s, r in by.items()}
    assert 0 < lost["floor"] < 0.15  # what the floor sends on to the object is less
    assert lost["object"] > max(0.2, 2 * lost["floor"])
    assert lost["both"] == pytest.approx(lost["object"] + lost["floor"], abs=0.02)


@rendering
@pytest.mark.parametrize("shades", ["both", "object", "floor"])
def test_the_truth_is_where_the_floor_gets_darker(truth_rendered: SmallStore, shades: str) -> None:
    dark, lit = of(truth_rendered, SHADED[shades]), of(truth_rendered, SHADED["none"])
    counted = (lit.floor > 0) & (lit.shadow == 0) & (np.arange(64)[:, None] > 20)  # above, a strip is a pixel or two
    strong = dark.outside > 0.5
    wrong = ((linear(dark) / linear(lit) < 0.6) != strong) & counted
    assert not (wrong & ~outline(strong) & ~outline(lit.object > 0)).any()
    assert (strong & counted).any() == (shades != "object")


@rendering
def test_the_light_is_as_strong_and_as_noisy_as_one_light(truth_rendered: SmallStore) -> None:
    """On the floor both and floor are the same shadow, one light or two; so is an empty scene, which has but one."""
    split, one = (linear(of(truth_rendered, SHADED[s])) for s in ("floor", "both"))
    open_ = (of(truth_rendered, SHADED["both"]).outside == 0) & AWAY
    shut = (of(truth_rendered, SHADED["both"]).outside == 1) & AWAY
    for where in (open_ & ~outline(open_), shut & ~outline(shut)):
        assert split[where].mean() == pytest.approx(one[where].mean(), rel=0.03)  # the object sends more light on
        assert split[where].std() == pytest.approx(one[where].std(), rel=0.1)
    bare = {s: of(truth_rendered, scenes_.BARE[s]) for s in scenes_.BARE}
    assert np.array_equal(bare["floor"].rgb, bare["both"].rgb)
    assert np.array_equal(bare["floor"].outside, bare["both"].outside)
    assert bare["object"].outside.max() == 0


@rendering
def test_nothing_of_a_split_light_is_left_for_the_next_scene(
    truth_rendered: SmallStore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    order = [SHADED["object"], SHADED["both"], SHADED["floor"], SHADED["none"]]
    again = Store(tmp_path_factory.mktemp("order"))
    alone = Store(tmp_path_factory.mktemp("alone"))
    render(order, again, WorkerSettings(count=1))
    render([SHADED["none"]], alone, WorkerSettings(count=1))
    for spec in order:
        assert np.array_equal(again.read(spec.scene_id).rgb, of(truth_rendered, spec).rgb)
    assert np.array_equal(alone.read(SHADED["none"].scene_id).rgb, of(truth_rendered, SHADED["none"]).rgb)


def test_what_blockers_cannot_shade_is_refused_with_the_nearest_name() -> None:
    spec = SHADED["floor"]
    wrong = dataclasses.replace(spec, blockers=(dataclasses.replace(spec.blockers[0], shades="flor"),))
    with pytest.raises(SceneError, match="did you mean 'floor'"):
        shadow.outside_shadow(wrong)
