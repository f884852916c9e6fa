"""What is drawn over a scene is where it is said to be: outlines on pixel edges, heat where the attribution is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reports.colour_map import coloured
from reports.pictures import OBJECT_LINE, OUTSIDE_LINE, SHADOW_LINE, Assets, edge, enlarged, outlined, overlay

H, W, SCALE = 8, 10, 4


def nothing() -> np.ndarray:
    return np.zeros((H, W), dtype=np.float32)


def block(top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = nothing()
    mask[top : top + height, left : left + width] = 1.0
    return mask


def grey() -> np.ndarray:
    return np.full((H, W, 3), 90, dtype=np.uint8)


def test_the_outline_of_one_pixel_is_a_ring_just_inside_its_edges() -> None:
    drawn = outlined(grey(), block(3, 4, 1, 1), nothing(), SCALE)
    line = (drawn == OBJECT_LINE).all(axis=2)
    inside = np.zeros_like(line)
    inside[12:16, 16:20] = True
    ring = inside.copy()
    ring[13:15, 17:19] = False
    assert np.array_equal(line, ring)
    casing = (drawn == 0).all(axis=2)
    assert casing[11, 16:20].all()
    assert casing[16, 16:20].all()
    assert not casing[inside].any()
    untouched = ~line & ~casing
    assert (drawn[untouched] == 90).all()


def test_the_frame_of_the_picture_is_no_edge_of_an_object_it_cuts() -> None:
    mask = block(0, 0, 3, 3) > 0
    assert not edge(mask)[0, 0]
    assert edge(mask)[2, 0]
    assert edge(mask)[0, 2]


def test_masks_are_outlined_where_they_pass_one_half() -> None:
    drawn = outlined(grey(), nothing(), block(2, 2, 3, 3) * 0.5, SCALE)
    assert np.array_equal(drawn, enlarged(grey(), SCALE))
    assert (outlined(grey(), nothing(), block(2, 2, 3, 3) * 0.51, SCALE) == SHADOW_LINE).all(axis=2).any()


def test_the_shadow_s_outline_is_broken_so_that_the_two_differ_by_more_than_colour() -> None:
    drawn = outlined(grey(), nothing(), block(2, 2, 4, 6), SCALE)
    line = (drawn == SHADOW_LINE).all(axis=2)
    edges = edge(enlarged(block(2, 2, 4, 6) > 0, SCALE))
    assert 0.3 < line.sum() / edges.sum() < 0.7
    assert not (line & ~edges).any()


def test_shadow_from_outside_is_dotted_thinly_enough_to_see_the_heat_beneath() -> None:
    outside = block(2, 1, 5, 8)
    drawn = outlined(grey(), nothing(), nothing(), SCALE, outside)
    dots = (drawn == OUTSIDE_LINE).all(axis=2)
    edges = edge(enlarged(outside > 0, SCALE))
    assert 0.1 < dots.sum() / edges.sum() < 0.4
    assert not (dots & ~edges).any()
    assert (drawn[~dots] == 90).all()


def test_heat_lies_where_the_attribution_is_and_negative_parts_are_not_shown() -> None:
    values = np.zeros((4, 5), dtype=np.float32)
    values[1, 3], values[3, 0] = 2.5, -9.0
    drawn, peak = overlay(grey(), values, nothing(), nothing(), 1)
    yellowness = drawn[..., 0].astype(int) - drawn[..., 2]
    row, column = np.unravel_index(yellowness.argmax(), yellowness.shape)
    assert (row // 2, column // 2) == (1, 3)
    assert np.array_equal(drawn[6:, :2], np.broadcast_to(drawn[7, 0], (2, 2, 3)))
    assert peak == pytest.approx(2.5, rel=0.5)


def test_an_attribution_without_positive_part_has_peak_zero_and_still_a_picture() -> None:
    drawn, peak = overlay(grey(), -np.ones((4, 5), dtype=np.float32), nothing(), nothing(), SCALE)
    assert peak == 0
    assert drawn.shape == (H * SCALE, W * SCALE, 3)


def test_a_stamp_adds_a_strip_and_covers_nothing() -> None:
    values = np.ones((4, 5), dtype=np.float32)
    plain, _ = overlay(grey(), values, block(1, 1, 2, 2), nothing(), SCALE)
    stamped, _ = overlay(grey(), values, block(1, 1, 2, 2), nothing(), SCALE, "not earned: edge map does as well")
    assert np.array_equal(stamped[: plain.shape[0]], plain)
    assert stamped.shape[0] > plain.shape[0]
    assert (stamped[plain.shape[0] :] > 200).all(axis=2).any(), "the strip holds text"


def test_colours_rise_evenly_in_lightness() -> None:
    """CIE L* of cividis over its range: always up, and no step over twice the mean step."""
    rgb = coloured(np.linspace(0, 1, 65)[None])[0] / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    lightness = np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)
    steps = np.diff(lightness)
    assert (steps > 0).all()
    assert steps.max() < 2 * steps.mean()


def test_large_pictures_may_lose_what_nobody_sees(tmp_path: Path) -> None:
    """A smooth picture stays within a few levels, in a fraction of the space."""
    ramp = np.linspace(40, 220, 224)
    pixels = np.stack([np.add.outer(ramp, ramp) / 2] * 3, axis=2).astype(np.uint8)
    assets = Assets(tmp_path)
    pictures = [assets.save(name, pixels, "a ramp", lossless) for name, lossless in (("all", True), ("most", False))]
    kept, most = (tmp_path / Path(p.src).name for p in pictures)
    with Image.open(most) as held:
        assert np.abs(np.asarray(held).astype(int) - pixels).max() < 12
    assert most.stat().st_size < kept.stat().st_size


def test_pictures_are_kept_without_loss_and_written_once(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 20, 3)).astype(np.uint8)
    assets = Assets(tmp_path / "assets")
    picture = assets.save("scene/../of a model", pixels, "noise")
    assert assets.save("scene/../of a model", np.zeros_like(pixels), "noise").src == picture.src
    files = list((tmp_path / "assets").iterdir())
    assert [f.name for f in files] == [Path(picture.src).name]
    with Image.open(files[0]) as held:
        assert np.array_equal(np.asarray(held), pixels)
