"""Obstacles beside the closed-form shapes: meshes, and what sensors, camera and light make of them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import truth_scenes as scenes_
from closed_form import CAMERA, GREY, SmallStore, a_scene, an_object
from scipy.spatial import ConvexHull
from test_ground_truth import linear, of, outline

from scenes import checks, footprint, obstacles, proximity, scene_spec, shadow, silhouette
from scenes.proximity import MIGHTY_THYMIO as ROBOT
from scenes.renderer import WorkerSettings, render
from scenes.scene_spec import OBSTACLES, LightSpec, ObjectSpec, SceneError
from scenes.store import Store

rendering = pytest.mark.blender

SIZES = {
    "cone": (0.1, 0.1, 0.13),
    "bin": (0.1, 0.1, 0.12),
    "ball": (0.1, 0.1, 0.1),
    "bag": (0.1, 0.12, 0.1),
    "wall": (0.04, 0.2, 0.12),
}
THINGS = {name: an_object(name, size=size) for name, size in SIZES.items()}
GHOSTS = {
    name: a_scene(dataclasses.replace(thing, is_visible=False), key=scenes_.LAMP, samples=16)
    for name, thing in THINGS.items()
}
UNSHADED = scenes_.UNSHADED
MIRRORED = {
    name: dataclasses.replace(
        scenes_.MIRRORED["box"], objects=(dataclasses.replace(thing, material=scenes_.BLACK, position=(0.34, 0.02)),)
    )
    for name, thing in THINGS.items()
}
# Taller than the lamp, so near that its upper edge is behind the camera.
LOW_LAMP = LightSpec(position=(0.9, 0.3, 0.09), target=(0.3, 0.0, 0.0), size=0.001, power=6.0)
LOOMING = a_scene(an_object("wall", size=(0.04, 0.1, 0.3), position=(0.13, 0.0), yaw=0.0), samples=1)
LOW_LIT = a_scene(
    an_object("bin", size=(0.08, 0.08, 0.14), position=(0.4, -0.04), is_visible=False), key=LOW_LAMP, samples=16
)
LOW_UNSHADED = a_scene(key=LOW_LAMP, samples=16)
PANELS = a_scene(an_object("ball", size=(0.1, 0.1, 0.1), position=(0.28, 0.0), material=GREY), samples=16)
HALF_OUT = a_scene(an_object("bin", size=(0.1, 0.1, 0.12), position=(0.4, 0.28)), camera=scenes_.LOW, samples=1)
WIDE = dataclasses.replace(HALF_OUT, camera=scenes_.WIDE.camera)
BESIDE = a_scene(
    THINGS["cone"],
    key=scenes_.LAMP,
    distractors=(an_object("bag", size=(0.06, 0.07, 0.06), position=(0.27, -0.07), material=GREY),),
    samples=16,
)
ALL = [*GHOSTS.values(), *MIRRORED.values(), LOOMING, LOW_LIT, LOW_UNSHADED, PANELS, HALF_OUT, WIDE, BESIDE, UNSHADED]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> SmallStore:
    pytest.importorskip("bpy", reason="bpy is not installed: rendering needs Python 3.11")
    store = Store(tmp_path_factory.mktemp("obstacles"))
    return SmallStore(store, render(ALL, store, WorkerSettings(count=1)))


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


# Meshes


def test_every_obstacle_that_a_scene_may_name_can_be_built() -> None:
    assert set(OBSTACLES) == set(obstacles._BUILDERS)
    with pytest.raises(SceneError, match=r"unknown obstacle 'cane'.*cone"):
        obstacles.named("cane")


@pytest.mark.parametrize("name", OBSTACLES)
def test_an_obstacle_fills_its_box_and_stands_on_the_floor(name: str) -> None:
    points = obstacles.parts(dataclasses.replace(THINGS[name], yaw=0.0, position=(0.0, 0.0)))[0].vertices
    x, y, z = SIZES[name]
    assert points.min(axis=0) == pytest.approx([-x / 2, -y / 2, 0.0], abs=3e-4)
    assert points.max(axis=0) == pytest.approx([x / 2, y / 2, z], abs=3e-4)


@pytest.mark.parametrize("name", OBSTACLES)
def test_an_obstacle_is_closed_and_its_faces_look_outward(name: str) -> None:
    solid = obstacles.named(name).solid
    edges: Counter[tuple[int, int]] = Counter()
    volume = 0.0
    for face in (f for faces in solid.faces for f in faces.tolist()):
        edges.update(itertools.pairwise([*face, face[0]]))
        first = solid.vertices[face[0]]
        for a, b in itertools.pairwise(solid.vertices[face[1:]]):
            volume += first @ np.cross(a, b) / 6
    assert all(edges[b, a] == count == 1 for (a, b), count in edges.items())
    assert 0.05 < volume <= 1.0


def test_a_turned_obstacle_is_turned_as_a_box_is() -> None:
    wall, box = (an_object(shape, size=(0.04, 0.3, 0.2), yaw=35.0) for shape in ("wall", "box"))
    corners = obstacles.parts(wall)[0].vertices
    expected = shadow.prism(box)
    assert corners[np.lexsort(corners.round(6).T)] == pytest.approx(expected[np.lexsort(expected.round(6).T)])


def test_a_changed_obstacle_changes_its_scenes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def ids() -> dict[str, str]:
        scene_spec._asset_digest.cache_clear()
        return {shape: a_scene(an_object(shape)).scene_id for shape in ("box", "lemon", "cone", "wall")}

    before, read = ids(), Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda p: read(p) + b"#" if p.name == "obstacles.py" else read(p))
    after = ids()
    monkeypatch.undo()
    assert {shape for shape in before if before[shape] != after[shape]} == {"cone", "wall"}
    assert ids() == before


# The ball's panels


def test_from_anywhere_a_ball_shows_as_much_of_its_light_panels_as_of_its_dark_ones() -> None:
    ball = obstacles.named("ball")
    assert ball.panels is not None
    corners = [ball.solid.vertices[f] for faces in ball.solid.faces for f in faces]
    area = np.array([np.cross(c[2] - c[0], c[-1] - c[1]) / 2 for c in corners])  # of a triangle too
    sign = 2 * ball.panels - 1
    for way in np.random.default_rng(0).normal(size=(20, 3)):
        facing = np.maximum(area @ way / np.linalg.norm(way), 0)
        assert abs(facing @ sign) < 0.005 * facing.sum()


@pytest.mark.parametrize("color", [(0.4, 0.3, 0.1), (0.95, 0.2, 0.2), (0.0, 0.0, 0.0)])
def test_the_two_shades_have_the_material_s_mean_and_stay_below_white(color: tuple[float, float, float]) -> None:
    material = dataclasses.replace(GREY, color=color, texture="noise", contrast=0.1)
    dark, light = obstacles.shades(an_object("ball", material=material))
    assert np.add(dark.color, light.color) / 2 == pytest.approx(color)
    assert max(light.color) * 1.1 <= max(1.0, 1.1 * max(color)) + 1e-9
    assert dataclasses.replace(dark, color=color) == dataclasses.replace(light, color=color) == material


@rendering
def test_a_ball_of_the_floor_s_material_differs_by_its_panels_and_not_on_average(shown: SmallStore) -> None:
    render_ = of(shown, PANELS)
    assert render_.albedo[1] == pytest.approx(np.array(GREY.color), abs=0.01)
    lit = linear(render_)[render_.object > 0]
    assert np.percentile(lit, 90) > 1.3 * np.percentile(lit, 10)


# Footprints and labels


def test_round_obstacles_have_the_circles_that_their_profiles_say() -> None:
    height = ROBOT.height
    radii = {
        "cone": 0.1 * (0.42 + (0.06 - 0.42) * (height / 0.13 - 0.05) / 0.95),
        "bin": 0.1 * (0.37 + (0.465 - 0.37) * (height / 0.12) / 0.9),
        "ball": math.sqrt(0.05**2 - (height - 0.05) ** 2),
    }
    for name, radius in radii.items():
        polygon = footprint.outline(THINGS[name], height)
        assert polygon is not None
        assert np.linalg.norm(polygon - THINGS[name].position, axis=1) == pytest.approx(radius, rel=0.006), name


def test_a_wall_has_the_footprint_of_a_box() -> None:
    wall, box = (footprint.outline(an_object(shape, size=(0.04, 0.3, 0.2)), 0.03) for shape in ("wall", "box"))
    assert wall is not None
    assert box is not None
    assert np.array(sorted(wall.tolist())) == pytest.approx(np.array(sorted(box.tolist())))


@pytest.mark.parametrize("name", OBSTACLES)
@pytest.mark.parametrize("height", [0.004, 0.03, 0.08])
def test_the_footprint_is_the_hull_of_the_mesh_s_section(name: str, height: float) -> None:
    part = obstacles.parts(THINGS[name])[0]
    met = []
    for face in (f for faces in part.faces for f in faces.tolist()):
        for a, b in itertools.pairwise(part.vertices[[*face, face[0]]]):
            if min(a[2], b[2]) <= height < max(a[2], b[2]):
                met.append((a + (height - a[2]) / (b[2] - a[2]) * (b - a))[:2])
    polygon = footprint.outline(THINGS[name], height)
    assert polygon is not None
    assert len(polygon) == len(ConvexHull(met).vertices)
    assert max(np.linalg.norm(np.array(met) - corner, axis=1).min() for corner in polygon) < 1e-9
    sides = [np.cross(b - a, np.array(met) - a) for a, b in footprint.segments(polygon)]
    assert np.min(sides) > -1e-9  # counter-clockwise: all the section lies left of every edge


@pytest.mark.parametrize("name", OBSTACLES)
def test_what_is_lower_than_the_sensors_has_no_footprint(name: str) -> None:
    low = an_object(name, size=(0.1, 0.1, 0.03))
    assert footprint.outline(low, 0.031) is None
    assert (proximity.labels([dataclasses.replace(low, size=(0.1, 0.1, 0.02))], ROBOT) == 0).all()
    assert proximity.distance_to_sensors(dataclasses.replace(low, size=(0.1, 0.1, 0.02)), ROBOT) == math.inf


def inside(thing: ObjectSpec, at: np.ndarray) -> np.ndarray:
    """Whether points (n, 2) at the sensors' height lie in the obstacle or its hollow: in one of its convex pieces."""
    points = np.column_stack([at, np.full(len(at), ROBOT.height)])
    faces = [ConvexHull(piece).equations for piece in obstacles.parts(thing)[0].pieces]
    return np.any([(points @ f[:, :3].T + f[:, 3] <= 0).all(axis=1) for f in faces], axis=0)


def literal_label(thing: ObjectSpec, d: int, s: int) -> int:
    """Walk along each ray of the fan in steps of .25 mm."""
    sensor = ROBOT.sensors[s]
    steps = np.arange(int(ROBOT.range / 0.00025) + 1)[:, None] * 0.00025
    for k in range(ROBOT.rays):
        angle = math.radians(sensor.yaw) - ROBOT.cone / 2 + ROBOT.cone * k / (ROBOT.rays - 1)
        ray = np.array([sensor.x + d / 100, sensor.y]) + steps * [math.cos(angle), math.sin(angle)]
        if inside(thing, ray).any():
            return 1
    return 0


@pytest.mark.parametrize("name", OBSTACLES)
def test_labels_agree_with_walking_along_every_ray(name: str) -> None:
    thing = dataclasses.replace(THINGS[name], position=(0.33, 0.05))
    label = proximity.labels([thing], ROBOT)
    known = [(d, s) for d in range(0, 31, 3) for s in range(5) if label[d, s] >= 0]
    assert {int(label[d, s]) for d, s in known} == {0, 1}
    assert {(d, s): int(label[d, s]) for d, s in known} == {(d, s): literal_label(thing, d, s) for d, s in known}


# Masks, shadows and mirror images


def test_a_wall_s_mask_and_shadow_are_those_of_a_box() -> None:
    for lamp in (scenes_.LAMP, LOW_LAMP, dataclasses.replace(scenes_.LAMP, kind="sun")):
        wall, box = (
            a_scene(an_object(shape, size=(0.04, 0.2, 0.12), position=(0.35, 0.03)), key=lamp)
            for shape in ("wall", "box")
        )
        of_wall, of_box = (shadow.cast_shadow(s) > 0.5 for s in (wall, box))
        assert of_box.any()
        assert (of_wall != of_box).sum() <= 0.02 * of_box.sum() + 1
    masks = [checks.projected_mask(CAMERA, [dataclasses.replace(THINGS["wall"], shape=s)]) for s in ("wall", "box")]
    assert (masks[0] != masks[1]).sum() <= 4


def test_a_flat_piece_that_a_plane_cuts_keeps_what_lies_before_it() -> None:
    square = np.array([(x, y, 0.0) for x in (-1.0, 1.0) for y in (-1.0, 1.0)])
    kept = silhouette._beyond(square, square[:, 0] - 0.5)
    assert kept.min(axis=0) == pytest.approx([0.5, -1, 0])
    assert kept.max(axis=0) == pytest.approx([1, 1, 0])


@rendering
def test_every_scene_came_into_the_store(shown: SmallStore) -> None:
    assert shown.outcome.failed == {}


@rendering
@pytest.mark.parametrize("name", OBSTACLES)
def test_the_rendered_mask_is_the_projected_one_to_a_pixel(shown: SmallStore, name: str) -> None:
    spec = MIRRORED[name]
    seen = of(shown, spec).object > 0
    expected = checks.projected_mask(spec.camera, list(spec.objects))
    assert seen.sum() > 150
    assert not ((seen != expected) & ~outline(expected)).any()
    assert agreement(seen, expected) > 0.97
    assert checks.check(spec, of(shown, spec), ROBOT).status == "ok"


@rendering
@pytest.mark.parametrize("name", OBSTACLES)
def test_a_point_shadow_s_truth_and_picture_agree_to_a_pixel(shown: SmallStore, name: str) -> None:
    ghost = of(shown, GHOSTS[name])
    strong = ghost.shadow > 0.5
    dark = linear(ghost) / linear(of(shown, UNSHADED)) < 0.65
    assert strong.sum() > 300
    assert not ((dark != strong) & ~outline(strong)).any()
    assert agreement(dark, strong) > 0.95


@rendering
@pytest.mark.parametrize("name", OBSTACLES)
def test_in_a_mirror_the_picture_s_image_and_its_mask_agree_to_a_pixel(shown: SmallStore, name: str) -> None:
    render_ = of(shown, MIRRORED[name])
    dark = (render_.object + render_.reflection) > 0
    assert render_.reflection.sum() > 80
    assert not (((linear(render_) < 0.5) != dark) & ~outline(dark)).any()


@rendering
def test_a_lamp_lower_than_the_obstacle_shows_the_shadow_that_is_said(shown: SmallStore) -> None:
    ghost, empty = of(shown, LOW_LIT), of(shown, LOW_UNSHADED)
    strong = ghost.shadow > 0.5
    dark = linear(ghost) / linear(empty) < 0.65
    assert strong.sum() > 300
    assert not ((dark != strong) & ~outline(strong)).any()


@rendering
def test_an_obstacle_that_reaches_behind_the_camera_is_seen_as_far_as_it_is_in_front(shown: SmallStore) -> None:
    seen = of(shown, LOOMING).object > 0
    _, _, depth = proximity.project(obstacles.parts(LOOMING.objects[0])[0].vertices, CAMERA)
    assert depth.min() < silhouette.NEAREST
    assert agreement(seen, checks.projected_mask(CAMERA, list(LOOMING.objects))) > 0.97
    assert checks.check(LOOMING, of(shown, LOOMING), ROBOT).status == "ok"


@rendering
def test_an_obstacle_may_leave_the_frame_and_is_visible_by_what_a_wide_picture_adds(shown: SmallStore) -> None:
    part, whole = (of(shown, s).object.sum() for s in (HALF_OUT, WIDE))
    found = checks.check(HALF_OUT, of(shown, HALF_OUT), ROBOT)
    assert found.status == "ok"
    assert 0.2 < found.visible_fraction < 0.8
    assert found.visible_fraction == pytest.approx(part / whole, abs=0.02)


@rendering
def test_an_obstacle_can_be_a_distractor(shown: SmallStore) -> None:
    render_ = of(shown, BESIDE)
    expected = checks.projected_mask(CAMERA, list(BESIDE.distractors))
    assert agreement(render_.distractors > 0, expected & (render_.object == 0)) > 0.95
    assert render_.distractor_shadow.sum() > 20
    assert checks.check(BESIDE, render_, ROBOT).status == "ok"
