"""Triangles drawn and cut by the thousand do what one drawn or cut by hand does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from closed_form import CAMERA, LIGHT

from scenes import shadow, silhouette, triangles
from scenes.assets.solids import icosphere
from scenes.scene_spec import LightSpec

HEIGHT, WIDTH = 30, 40


def slowly_filled(corners: np.ndarray) -> np.ndarray:
    """Pixel by pixel: a centre lies in a triangle where it is on one side of all three edges."""
    found = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for a, b, c in corners:
        for row in range(HEIGHT):
            for column in range(WIDTH):
                p = np.array([column + 0.5, row + 0.5])
                sides = [float(np.linalg.det(np.stack([q - o, p - o]))) for o, q in ((a, b), (b, c), (c, a))]
                found[row, column] |= all(s >= 0 for s in sides) or all(s <= 0 for s in sides)
    return found


@pytest.mark.parametrize("size", [1.0, 6.0, 60.0])
def test_a_pixel_is_filled_where_its_centre_lies_in_a_triangle(size: float) -> None:
    rng = np.random.default_rng(int(size))
    corners = rng.uniform([-5, -5], [WIDTH + 5, HEIGHT + 5], (12, 1, 2)) + rng.normal(0, size, (12, 3, 2))
    expected = slowly_filled(corners)
    assert expected.any()
    assert np.array_equal(triangles.filled(corners, HEIGHT, WIDTH), expected)


def test_level_edges_and_corners_on_centres_count() -> None:
    corners = np.array([[[2.5, 3.5], [9.5, 3.5], [2.5, 8.5]], [[12.5, 8.5], [19.5, 8.5], [19.5, 3.5]]])
    assert np.array_equal(triangles.filled(corners, HEIGHT, WIDTH), slowly_filled(corners))


def test_no_pixel_is_lost_between_triangles_that_share_an_edge() -> None:
    """A square cut into 2 x 17 x 17, its inner corners anywhere, some edges through centres."""
    rng = np.random.default_rng(3)
    x, y = np.meshgrid(np.linspace(2, 36, 18), np.linspace(1, 29, 18))
    inner = np.zeros(x.shape, dtype=bool)
    inner[1:-1, 1:-1] = rng.random((16, 16)) < 0.7
    x, y = (v + inner * rng.normal(0, 0.4, v.shape) for v in (x, y))
    p = np.stack([x, y], axis=-1)
    a, b, c, d = p[:-1, :-1], p[:-1, 1:], p[1:, 1:], p[1:, :-1]
    cut = np.concatenate([np.stack([a, b, c], axis=2), np.stack([a, c, d], axis=2)]).reshape(-1, 3, 2)
    filled = triangles.filled(cut, HEIGHT, WIDTH)
    assert filled[1:29, 2:36].all()
    assert filled.sum() == 28 * 34


def test_triangles_out_of_the_picture_and_none_at_all_fill_nothing() -> None:
    beside = np.array([[[50.0, 5.0], [60.0, 5.0], [50.0, 20.0]], [[5.0, -9.0], [9.0, -9.0], [5.0, -2.0]]])
    assert not triangles.filled(beside, HEIGHT, WIDTH).any()
    assert not triangles.filled(np.empty((0, 3, 2)), HEIGHT, WIDTH).any()


def area(corners: np.ndarray) -> float:
    return float(np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum())


def test_a_plane_cuts_triangles_into_what_lies_above_and_what_lies_below() -> None:
    corners = np.random.default_rng(5).normal(size=(200, 3, 3))
    height = corners @ np.array([0.3, -0.5, 0.8]) - 0.2
    above, below = triangles.beyond(corners, height), triangles.beyond(corners, -height)
    assert (above @ np.array([0.3, -0.5, 0.8]) - 0.2).min() > -1e-12
    assert (below @ np.array([0.3, -0.5, 0.8]) - 0.2).max() < 1e-12
    assert min(len(above), len(below)) > 100
    assert area(above) + area(below) == pytest.approx(area(corners))


# a ball of triangles, and the same as one convex piece

BALL = icosphere(4, 0.06)
MIDDLE = np.array([0.35, 0.02, 0.06])
LOW = LightSpec(position=(1.5, 0.0, 0.25), target=(0.35, 0.0, 0.0), size=0.01, power=1.0)


def differing(a: np.ndarray, b: np.ndarray) -> int:
    assert a.any()
    return int((a != b).sum())


@pytest.mark.parametrize("middle", [MIDDLE, np.array([0.05, 0.0, 0.1])], ids=["before", "around the camera's foot"])
def test_they_are_seen_as_their_hull_is(middle: np.ndarray) -> None:
    ball = BALL.vertices + middle
    seen = silhouette.seen([ball[BALL.faces[0]]], CAMERA)
    assert differing(seen, silhouette.seen([ball], CAMERA)) <= 2


@pytest.mark.parametrize(
    ("lamp", "size"),
    [
        (LIGHT, 1.0),
        (dataclasses.replace(LIGHT, kind="sun"), 1.0),
        (LOW, 1.0),  # thrown below the camera and beyond
        (LOW, 2.5),  # reaches higher than the light
    ],
    ids=["area", "sun", "behind the camera", "higher than the light"],
)
def test_they_throw_the_shadow_of_their_hull(lamp: LightSpec, size: float) -> None:
    ball = size * (BALL.vertices + MIDDLE)
    source = silhouette.Source(shadow.light_samples(lamp)[0][0], is_direction=lamp.kind == "sun")
    thrown = silhouette.on_floor([ball[BALL.faces[0]]], source, CAMERA)
    assert differing(thrown, silhouette.on_floor([ball], source, CAMERA)) <= 2
