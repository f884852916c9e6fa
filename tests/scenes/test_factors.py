"""Factors: at its control level each leaves the scene as it is; at any other it does what it says, and only that."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes import color, factors, framing, proximity, standing, studio, tabletop
from scenes.assets import ASSETS
from scenes.design import DesignError
from scenes.factors import light_color
from scenes.manifest import SCENES
from scenes.nuisance import Draw
from scenes.planning import Quality
from scenes.proximity import MIGHTY_THYMIO
from scenes.scene_spec import SceneSpec

TABLETOP, STUDIO = factors.REGISTRY["tabletop"], factors.REGISTRY["studio"]
BOTH = [("tabletop", name) for name in TABLETOP] + [("studio", name) for name in STUDIO]
BOX = 24  # a block with room around its box
near_blocks = st.sampled_from([b for b in range(40) if tabletop.STRATA[b % 4] == "near"])


@cache
def block(number: int) -> tuple[SceneSpec, Draw]:
    return tabletop.draw(0, number, tabletop.Camera(), MIGHTY_THYMIO, Quality(16))


@cache
def pose(name: str, number: int = 0) -> tuple[SceneSpec, Draw]:
    return studio.draw(0, ASSETS[name], number, studio.View(), Quality(8, denoise=True))


def drawn(scene_set: str) -> tuple[SceneSpec, Draw]:
    return block(BOX) if scene_set == "tabletop" else pose("bucket")


def luminance(tint: light_color.Tint) -> float:
    return tint.gain * float(np.dot(tint.color, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize(("scene_set", "name"), BOTH)
def test_the_control_level_leaves_the_scene_as_it_is(scene_set: str, name: str) -> None:
    base, draw = drawn(scene_set)
    factor = factors.REGISTRY[scene_set][name]
    if name == "color_difference":  # as a number it is the least distinct colour, and not the one that the block drew
        return
    assert factor.apply(base, factor.CONTROL, draw).scene_id == base.scene_id


@pytest.mark.parametrize(("scene_set", "name"), BOTH)
def test_every_level_and_both_ends_of_a_range_make_a_scene_of_their_own(scene_set: str, name: str) -> None:
    base, draw = drawn(scene_set)
    factor = factors.REGISTRY[scene_set][name]
    limits = factors.range_of(factor)
    numbers = [f"{limits.low:g}", f"{limits.high:g}"] if limits else []
    levels = list(dict.fromkeys([*factor.LEVELS, *numbers]))
    made = {level: factor.apply(base, level, draw).scene_id for level in levels}
    assert len(set(made.values())) == len(levels)


@settings(deadline=None, max_examples=60)
@given(number=near_blocks, distance=st.floats(0.02, 0.4))
def test_an_obstacle_stands_at_the_distance_asked_for(number: int, distance: float) -> None:
    base, draw = block(number)
    moved = TABLETOP["distance"].apply(base, str(distance), draw).objects[0]
    if math.isfinite(proximity.distance_to_sensors(base.objects[0], MIGHTY_THYMIO)):
        assert proximity.distance_to_sensors(moved, MIGHTY_THYMIO) == pytest.approx(distance, abs=1e-4)


@settings(deadline=None, max_examples=60)
@given(number=near_blocks, aside=st.floats(-0.12, 0.12), turn=st.floats(0, 180))
def test_an_obstacle_that_is_moved_or_turned_does_not_stand_in_the_robot(
    number: int, aside: float, turn: float
) -> None:
    base, draw = block(number)
    turned = TABLETOP["yaw"].apply(base, str(turn), draw)
    moved = TABLETOP["offset"].apply(turned, str(aside), draw).objects[0]
    assert moved.position[1] == pytest.approx(aside)
    assert proximity.distance_to_sensors(moved, MIGHTY_THYMIO) >= standing.GAP - 1e-6
    assert (proximity.labels((moved,), MIGHTY_THYMIO)[0] >= 0).all()  # known: the robot does not start in contact


@settings(deadline=None, max_examples=40)
@given(number=near_blocks, difference=st.floats(0.5, 26.0), floor=st.sampled_from(list(TABLETOP["floor_color"].LEVELS)))
def test_the_colour_difference_is_the_one_asked_for_on_any_floor(number: int, difference: float, floor: str) -> None:
    base, draw = block(number)
    on_floor = TABLETOP["floor_color"].apply(base, floor, draw)
    made = TABLETOP["color_difference"].apply(on_floor, str(difference), draw)
    found = float(color.delta_e(made.objects[0].material.color, made.floor.color))
    assert found == pytest.approx(difference, abs=0.06)


@pytest.mark.parametrize("floor", list(TABLETOP["floor_color"].LEVELS))
def test_relation_keeps_its_word_on_every_floor(floor: str) -> None:
    for number in (0, 1, 4, 5):
        base, draw = block(number)
        on_floor = TABLETOP["floor_color"].apply(base, floor, draw)
        apart = {
            level: float(
                color.delta_e(
                    TABLETOP["relation"].apply(on_floor, level, draw).objects[0].material.color, on_floor.floor.color
                )
            )
            for level in ("distinct", "near", "equal")
        }
        assert apart["distinct"] >= 25
        assert apart["near"] == pytest.approx(6, abs=0.5)
        assert apart["equal"] == 0


@pytest.mark.parametrize("number", range(8))
def test_distractors_change_no_label_and_one_is_the_first_of_two(number: int) -> None:
    base, draw = block(number)
    made = {level: TABLETOP["distractors"].apply(base, level, draw).distractors for level in ("one", "two", "four")}
    assert made["four"][: len(made["two"])] == made["two"]
    assert made["two"][: len(made["one"])] == made["one"]
    assert made["one"]
    rows = slice(0, MIGHTY_THYMIO.scored)
    alone = proximity.labels(base.objects, MIGHTY_THYMIO)[rows]
    beside = proximity.labels((*base.objects, *made["four"]), MIGHTY_THYMIO)[rows]
    assert np.array_equal(alone, beside)


def test_distractors_stay_in_the_arms_that_lack_the_object() -> None:
    base, draw = block(0)
    with_two = TABLETOP["distractors"].apply(base, "two", draw)
    for arm in ("ghost", "empty"):
        assert TABLETOP["presence"].apply(with_two, arm, draw).distractors == with_two.distractors


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_a_wider_lens_keeps_the_object_s_share_of_the_frame(name: str) -> None:
    base, draw = pose(name)
    half = framing.half_extent(base.objects[0])
    for level in ("20", "45", "68"):
        aim = framing.aim_of(STUDIO["field_of_view"].apply(base, level, draw))
        assert framing.fill_of(half, aim.away, aim.field_of_view) == pytest.approx(draw.fill, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(name=st.sampled_from(sorted(ASSETS)), wide=st.floats(15, 75), pitch=st.floats(0, 75), times=st.floats(0.85, 4.0))
def test_camera_factors_of_the_studio_go_together(name: str, wide: float, pitch: float, times: float) -> None:
    base, draw = pose(name)
    framed = STUDIO["field_of_view"].apply(base, str(wide), draw)
    tilted = STUDIO["camera_pitch"].apply(framed, str(pitch), draw)
    far = STUDIO["distance"].apply(tilted, str(times), draw)
    before, after = framing.aim_of(framed), framing.aim_of(far)
    assert after.away == pytest.approx(before.away * times)
    assert after.field_of_view == wide
    assert after.height == pytest.approx(before.height)
    assert after.elevation == pytest.approx(pitch, abs=1.0 if pitch < 1 else 1e-6)  # lifted where it met the floor
    assert far.camera.position[2] >= framing.LOWEST - 1e-9


def test_moving_back_does_not_take_the_camera_below_the_floor() -> None:
    base, draw = pose("traffic_light")  # which is looked at from below
    far = STUDIO["distance"].apply(base, "4", draw)
    assert far.camera.position[2] == pytest.approx(framing.LOWEST)


def test_light_strength_multiplies_all_light() -> None:
    base, draw = block(0)
    made = TABLETOP["light_strength"].apply(base, "0.25", draw)
    assert made.key.power == base.key.power / 4
    assert made.world_strength == base.world_strength / 4


@pytest.mark.parametrize("level", ["warm", "cold"])
def test_warm_and_cold_light_are_as_bright_as_white(level: str) -> None:
    assert luminance(light_color.TINTS[level]) == pytest.approx(1.0, abs=0.01)


def test_the_sun_outside_has_its_own_softness_and_shades_what_its_level_says() -> None:
    base, draw = block(0)
    hard = TABLETOP["outside_shadow"].apply(TABLETOP["cast_shadow"].apply(base, "hard", draw), "slats_floor", draw)
    soft = TABLETOP["outside_shadow"].apply(TABLETOP["cast_shadow"].apply(base, "soft", draw), "slats_floor", draw)
    assert hard == soft
    assert [b.shades for b in hard.blockers] == ["floor"]
    assert [b.shades for b in TABLETOP["outside_shadow"].apply(base, "half_object", draw).blockers] == ["object"]
    assert [b.shades for b in TABLETOP["outside_shadow"].apply(base, "half", draw).blockers] == ["both"]


def test_gloss_is_the_floor_s_alone() -> None:
    base, draw = block(0)
    mirror = TABLETOP["floor_gloss"].apply(base, "mirror", draw)
    assert mirror.objects == base.objects
    assert mirror.floor == dataclasses.replace(base.floor, roughness=0.02, specular=0.5, metallic=1.0)


@pytest.mark.parametrize(
    ("given_factors", "message"),
    [
        ({"distance": ["0.5"]}, "'0.5' of factor 'distance' is out of range: 0.02 to 0.4 m"),
        ({"distance": ["0.01..0.3"]}, "out of range: 0.02 to 0.4 m"),
        ({"distance": ["near"]}, "unknown level 'near' of factor 'distance'.*or a number, 0.02 to 0.4 m"),
        ({"light": ["0.5"]}, "unknown level '0.5' of factor 'light'"),
        ({"distance": ["0.3..0.1"]}, "has to rise"),
        ({"distance": ["0.1..0.3", "drawn"]}, "a range stands alone"),
        ({"distance": ["0.1", "0.1..0.3:3"]}, "names a level twice"),
        ({"distance": [0.1]}, "is no string; quote it"),
        ({"relation": ["near"], "color_difference": ["6"]}, "set the same thing"),
    ],
)
def test_what_cannot_be_a_level_is_said(given_factors: dict[str, list[str]], message: str) -> None:
    with pytest.raises(DesignError, match=message):
        factors.validate(TABLETOP, given_factors)


HAZE = """
import dataclasses

NAME = "haze"
CONTROL = "none"
LEVELS = {"none": "clear air", "thick": "four times the light from all around"}


def apply(spec, level, draw):
    return spec if level == "none" else dataclasses.replace(spec, world_strength=4 * spec.world_strength)
"""


def test_a_factor_of_the_user_s_own_is_applied_before_presence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "haze_of_mine.py").write_text(HAZE)
    monkeypatch.syspath_prepend(str(tmp_path))
    known = factors.known("tabletop", ["haze_of_mine"])
    assert list(known)[-2:] == ["haze", "presence"]
    base, draw = block(0)
    assert known["haze"].apply(base, "thick", draw).world_strength == 4 * base.world_strength


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import nothing_like_it", "cannot be imported: ModuleNotFoundError"),
        ("NAME = 'x'", "is no factor: it lacks LEVELS, CONTROL, apply"),
        (HAZE.replace('CONTROL = "none"', 'CONTROL = "clear"'), "CONTROL 'clear' is not among its LEVELS"),
        (HAZE.replace('"haze"', '"light"'), "'light' of .* has that name already"),
        (HAZE.replace('"haze"', '"shape"'), "'shape' of .* a column of the scenes table"),
    ],
)
def test_a_module_that_is_no_factor_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    name = f"no_factor_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DesignError, match=message):
        factors.known("tabletop", [name])


@pytest.mark.parametrize(("scene_set", "name"), BOTH)
def test_no_factor_has_the_name_of_a_column_of_the_scenes_table(scene_set: str, name: str) -> None:
    """It would be that column's values, and no factor."""
    assert name not in SCENES.columns, scene_set
