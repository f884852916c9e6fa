"""Ground truth of rendered scenes against closed forms that share no code with it: masks, depth, boxes, shadows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import truth_scenes as scenes_
from closed_form import CAMERA, SmallStore
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.spatial import ConvexHull

from scenes import checks, color, shadow
from scenes.proximity import MIGHTY_THYMIO, camera_axes, project
from scenes.scene_spec import CameraSpec, ObjectSpec, SceneSpec
from scenes.store import Render

pytestmark = pytest.mark.blender
CLOSED = scenes_.CLOSED


def of(store: SmallStore, spec: SceneSpec) -> Render:
    return store.store.read(spec.scene_id)


def linear(render: Render) -> np.ndarray:
    return color.srgb_decode(render.rgb / 255).mean(axis=-1)


def outline(mask: np.ndarray) -> np.ndarray:
    """Pixels that a mask's outline passes through, or that the pixel filter mixes across it: neighbours differ."""
    return maximum_filter(mask, 3) != minimum_filter(mask, 3)


def rays(camera: CameraSpec) -> np.ndarray:
    """(H, W, 3) through the pixels' centres, 1 m along the axis, written out."""
    right, up, forward = camera_axes(camera)
    focal = camera.width / (2 * math.tan(math.radians(camera.field_of_view) / 2))
    found = np.empty((camera.height, camera.width, 3))
    for i in range(camera.height):
        for j in range(camera.width):
            x, y = (j + 0.5 - camera.width / 2) / focal, (camera.height / 2 - i - 0.5) / focal
            found[i, j] = forward + x * right + y * up
    return found


def corners(box: ObjectSpec) -> np.ndarray:
    """(8, 3) of a box, written out."""
    turn = complex(math.cos(math.radians(box.yaw)), math.sin(math.radians(box.yaw)))
    found = []
    for x in (-0.5, 0.5):
        for y in (-0.5, 0.5):
            at = complex(x * box.size[0], y * box.size[1]) * turn + complex(*box.position)
            found += [(at.real, at.imag, 0.0), (at.real, at.imag, box.size[2])]
    return np.array(found)


def test_every_scene_came_into_the_store(truth_rendered: SmallStore) -> None:
    assert truth_rendered.outcome.failed == {}


@pytest.mark.parametrize("shape", CLOSED)
def test_a_white_object_on_black_is_bright_where_its_mask_is(truth_rendered: SmallStore, shape: str) -> None:
    render = of(truth_rendered, scenes_.CONTRAST[shape])
    mask = render.object > 0
    wrong = (linear(render) > 0.5) != mask
    assert mask.sum() > 200
    assert not (wrong & ~outline(mask)).any()
    assert wrong.sum() < 0.5 * outline(mask).sum()


def test_a_sphere_s_mask_is_the_ellipse_it_projects_to(truth_rendered: SmallStore) -> None:
    spec = scenes_.CONTRAST["sphere"]
    render, ray = of(truth_rendered, spec), rays(spec.camera)
    away = np.array([*spec.objects[0].position, 0.05]) - np.array(spec.camera.position)
    # a ray meets the sphere where its angle to the centre's direction is at most that of the tangent cone: a conic
    cone = (ray @ away) ** 2 - (away @ away - 0.05**2) * (ray**2).sum(axis=-1)
    assert ((render.object > 0) != (cone > 0)).sum() <= 2
    assert (render.object > 0).sum() == pytest.approx((cone > 0).sum(), abs=2)


def test_a_sphere_s_depth_is_right_at_every_pixel(truth_rendered: SmallStore) -> None:
    spec = scenes_.CONTRAST["sphere"]
    render, ray = of(truth_rendered, spec), rays(spec.camera)
    away = np.array([*spec.objects[0].position, 0.05]) - np.array(spec.camera.position)
    a, b, c = (ray**2).sum(axis=-1), ray @ away, away @ away - 0.05**2
    root = np.sqrt(np.maximum(b**2 - a * c, 0))
    depth = (b - root) / a
    slant = root / np.sqrt(a) / 0.05  # cosine between the ray and the surface's normal
    seen = (render.object > 0) & (slant > 0)
    assert np.abs(render.depth - depth)[seen & (slant > 0.3)].max() < 2e-4  # m; the sphere is 5120 triangles
    assert np.abs(render.depth - depth)[seen].max() < 3e-3


def test_a_box_s_point_shadow_is_the_polygon_its_corners_throw(truth_rendered: SmallStore) -> None:
    spec = scenes_.POINT_LIT["box"]
    source, points = np.array(spec.key.position), corners(spec.objects[0])
    thrown = np.array([p + (p - source) * p[2] / (source[2] - p[2]) for p in points])
    u, v, _ = project(thrown, spec.camera)
    faces = ConvexHull(np.stack([u, v], axis=1)).equations
    i, j = np.indices((CAMERA.height, CAMERA.width)) + 0.5
    inside = (faces[:, 0] * j[..., None] + faces[:, 1] * i[..., None] + faces[:, 2] <= 0).all(axis=-1)
    strength = of(truth_rendered, spec).shadow
    assert 500 < inside.sum() < 2000
    assert ((strength > 0.5) != inside).sum() <= 2
    assert ((strength > 0.02) & (strength < 0.98)).mean() < 0.01


@pytest.mark.parametrize("shape", CLOSED)
def test_a_point_shadow_s_truth_and_picture_agree_to_a_pixel(truth_rendered: SmallStore, shape: str) -> None:
    render = of(truth_rendered, scenes_.POINT_LIT[shape])
    ratio = linear(render) / linear(of(truth_rendered, scenes_.UNSHADED))
    strong = render.shadow > 0.5
    wrong = (ratio < 0.65) != strong
    assert not (wrong & ~outline(strong)).any()
    assert wrong.sum() < 0.3 * outline(strong).sum()


def test_the_bounding_box_is_that_of_the_corners_as_they_project(truth_rendered: SmallStore) -> None:
    spec = scenes_.CONTRAST["box"]
    found = checks.check(spec, of(truth_rendered, spec), MIGHTY_THYMIO)
    u, v, _ = project(corners(spec.objects[0]), spec.camera)
    for edge, expected in {"left": u.min(), "right": u.max(), "top": v.min(), "bottom": v.max()}.items():
        assert getattr(found, f"box_{edge}") == pytest.approx(expected, abs=1.0)  # a corner's tip misses the centres
    columns = np.flatnonzero((of(truth_rendered, spec).object > 0).any(axis=0))
    assert found.box_right - found.box_left == columns[-1] - columns[0] + 1


def test_without_an_object_there_is_no_box_and_nothing_visible(truth_rendered: SmallStore) -> None:
    for spec in (scenes_.UNSHADED, scenes_.POINT_LIT["box"]):
        found = checks.check(spec, of(truth_rendered, spec), MIGHTY_THYMIO)
        assert np.isnan([found.box_left, found.box_right, found.visible_fraction]).all()


def test_a_whole_object_is_wholly_visible(truth_rendered: SmallStore) -> None:
    for spec in scenes_.CONTRAST.values():
        found = checks.check(spec, of(truth_rendered, spec), MIGHTY_THYMIO)
        assert found.visible_fraction == 1


def test_an_object_half_out_of_the_frame_is_visible_by_what_a_wide_picture_adds(truth_rendered: SmallStore) -> None:
    inside, whole = (of(truth_rendered, s).object.sum() for s in (scenes_.HALF_OUT, scenes_.WIDE))
    found = checks.check(scenes_.HALF_OUT, of(truth_rendered, scenes_.HALF_OUT), MIGHTY_THYMIO)
    assert found.visible_fraction == pytest.approx(inside / whole, abs=0.01)
    assert 0.4 < found.visible_fraction < 0.6
    assert found.box_left == 0
    assert found.status == "ok"


def test_what_a_distractor_hides_is_not_visible(truth_rendered: SmallStore) -> None:
    spec = scenes_.DISTRACTED
    found = checks.check(spec, of(truth_rendered, spec), MIGHTY_THYMIO)
    high = CameraSpec(80, 192, CAMERA.field_of_view, CAMERA.position, CAMERA.tilt)  # the box reaches out of the frame
    ray = rays(high).reshape(-1, 3) * 10
    start = np.broadcast_to(np.array(CAMERA.position), ray.shape)
    thing, *others = (shadow.blocks(o, start, ray).reshape(192, 80) for o in (*spec.objects, *spec.distractors))
    expected = (thing & ~np.any(others, axis=0))[64:128].sum() / thing.sum()
    assert found.visible_fraction == pytest.approx(expected, abs=0.005)
    assert found.status == "ok"


def test_an_object_behind_a_distractor_is_rejected(truth_rendered: SmallStore) -> None:
    found = checks.check(scenes_.HIDDEN, of(truth_rendered, scenes_.HIDDEN), MIGHTY_THYMIO)
    assert found.status == "rejected"
    assert found.reason.startswith("object hidden: ")


def test_in_every_scene_the_regions_share_every_pixel_out(truth_rendered: SmallStore) -> None:
    for spec in scenes_.ALL:
        regions = of(truth_rendered, spec).regions()
        assert regions.shape == (7, spec.camera.height, spec.camera.width)
        assert regions.min() >= 0
        assert regions.sum(axis=0) == pytest.approx(np.ones(regions.shape[1:]), abs=1e-6)
