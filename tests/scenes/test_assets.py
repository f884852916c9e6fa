"""The studio's objects: closed geometry on the floor, one main colour each, a silhouette of convex pieces."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from scenes import assets
from scenes.assets import solids
from scenes.assets.lettering import written
from scenes.assets.solids import Part, Solid, Surface
from scenes.scene_spec import SceneError, Vector3

NAMES = sorted(assets.ASSETS)
GREY: Vector3 = (0.21, 0.22, 0.23)
# What the networks' own list calls the classes: the number is worth nothing if it names another thing.
CLASS_NAMES = {
    "granny_smith": (948, "Granny Smith"),
    "lemon": (951, "lemon"),
    "basketball": (430, "basketball"),
    "bucket": (463, "bucket"),
    "ipod": (605, "iPod"),
    "soccer_ball": (805, "soccer ball"),
    "traffic_light": (920, "traffic light"),
    "pool_table": (736, "pool table"),
    "golf_ball": (574, "golf ball"),
    "tennis_ball": (852, "tennis ball"),
    "pill_bottle": (720, "pill bottle"),
    "plunger": (731, "plunger"),
    "toilet_tissue": (999, "toilet tissue"),
    "lipstick": (629, "lipstick"),
    "digital_clock": (530, "digital clock"),
    "remote_control": (761, "remote control"),
    "loudspeaker": (632, "loudspeaker"),
    "file_cabinet": (553, "file"),
    "street_sign": (919, "street sign"),
    "analog_clock": (409, "analog clock"),
}
CLEARER = {"file": "file cabinet"}  # what a sentence says where the list's own word is ambiguous


def standing(name: str, yaw: float = 0.0, size: float = 1.0) -> list[Part]:
    return assets.placed(name, assets.named(name).natural, size, (2.0, 0.5), yaw)


def volume(thing: Solid | Part) -> float:
    """Enclosed volume; negative where faces turn inward."""
    total = 0.0
    for faces in thing.faces:
        corners = thing.vertices[faces]
        for k in range(1, faces.shape[1] - 1):
            total += float(np.linalg.det(corners[:, [0, k, k + 1]]).sum()) / 6
    return total


def assert_closed(thing: Solid | Part) -> None:
    assert np.isfinite(thing.vertices).all()
    for faces in thing.faces:
        assert faces.min() >= 0
        assert faces.max() < len(thing.vertices)
    ends = [np.stack([f, np.roll(f, -1, axis=1)], axis=-1).reshape(-1, 2) for f in thing.faces]
    start, end = np.concatenate(ends).T
    count = len(thing.vertices)
    edges = np.sort(start * count + end)
    assert (np.diff(edges) > 0).all(), "two faces turn the same way along an edge"
    assert np.array_equal(edges, np.sort(end * count + start)), "an edge has one face alone"
    assert volume(thing) > 0


def outside(points: NDArray[np.float64], pieces: Sequence[NDArray[np.float64]]) -> float:
    """How far the farthest point lies outside the union of the pieces' hulls."""
    away = np.full(len(points), np.inf)
    for piece in pieces:
        planes = ConvexHull(piece).equations
        away = np.minimum(away, (points @ planes[:, :3].T + planes[:, 3]).max(axis=1))
    return float(away.max())


# every asset


@pytest.mark.parametrize("name", NAMES)
def test_its_largest_side_is_as_asked_and_it_rests_on_the_floor_at_its_place(name: str) -> None:
    low, high = assets.extent(standing(name, size=0.7))
    assert (high - low).max() == pytest.approx(0.7)
    assert low[2] == pytest.approx(0, abs=1e-12)
    assert (low + high)[:2] / 2 == pytest.approx([2.0, 0.5])


@pytest.mark.parametrize("name", NAMES)
def test_turning_it_turns_it_about_its_place(name: str) -> None:
    by = solids.rotation("z", 30.0)
    stand = np.array([2.0, 0.5, 0.0])
    for straight, turned in zip(standing(name), standing(name, yaw=30.0), strict=True):
        assert turned.vertices == pytest.approx((straight.vertices - stand) @ by.T + stand)


@pytest.mark.parametrize("name", NAMES)
def test_its_parts_are_closed_and_face_outward(name: str) -> None:
    for part in standing(name, yaw=20.0):
        assert_closed(part)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_light_enough_to_build_for_every_scene(name: str) -> None:
    assert sum(len(part.vertices) for part in standing(name)) < 45_000
    assert max(len(piece) for piece in assets.pieces(standing(name))) < 1.1 * solids.PIECE_POINTS


@pytest.mark.parametrize("name", NAMES)
def test_a_shared_vertex_value_is_a_share(name: str) -> None:
    for part in standing(name):
        assert part.rest.shape == part.vertices.shape
        assert (part.mix is not None) == (part.surface.accent is not None)
        if part.mix is not None:
            assert part.mix.shape == (len(part.vertices),)
            assert part.mix.min() >= 0
            assert part.mix.max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_another_colour_changes_its_main_colour_alone(name: str) -> None:
    asset = assets.named(name)
    changed = 0
    for before, after in zip(asset.parts(asset.natural), asset.parts(GREY), strict=True):
        assert np.array_equal(before.vertices, after.vertices)
        if before.surface != after.surface:
            changed += 1
            assert before.surface.color == asset.natural
            assert after.surface.color == GREY
            assert before.surface.accent == after.surface.accent
    assert changed >= 1


@pytest.mark.parametrize("name", NAMES)
def test_its_pieces_hold_all_of_it(name: str) -> None:
    for part in standing(name):
        assert outside(part.vertices[:: 1 + len(part.vertices) // 5000], part.pieces) < 0.005


@pytest.mark.parametrize("name", NAMES)
def test_its_pieces_have_its_silhouette_from_anywhere(name: str) -> None:
    parts = standing(name)
    rng = np.random.default_rng(0)
    for _ in range(3):
        axes = np.linalg.qr(rng.normal(size=(3, 3)))[0][:, :2]

        def drawn(points: NDArray[np.float64], axes: NDArray[np.float64] = axes) -> NDArray[np.int32]:
            """Pixels of 1/150 m, with 4 fractional bits."""
            return np.rint(((points - [2.0, 0.5, 0.5]) @ axes * 150 + 128) * 16).astype(np.int32)

        true, closed_form = np.zeros((256, 256), np.uint8), np.zeros((256, 256), np.uint8)
        for part in parts:
            flat = drawn(part.vertices)
            for faces in part.faces:
                for face in faces:
                    cv2.fillConvexPoly(true, flat[face], 1, shift=4)
            for piece in part.pieces:
                cv2.fillConvexPoly(closed_form, cv2.convexHull(drawn(piece)), 1, shift=4)
        either, both = (true | closed_form).sum(), (true & closed_form).sum()
        assert both / either > 0.98


def test_yaw_0_shows_the_front_to_a_camera_that_looks_along_x() -> None:
    case, screen = standing("ipod")[:2]
    assert screen.vertices[:, 0].min() < case.vertices[:, 0].min()
    on_the_left, on_the_right = (
        p.vertices[:, 1].mean() for p in (standing("pool_table")[-1], standing("pool_table")[3])
    )
    assert on_the_left > on_the_right  # the cue and the racked balls, as the viewer sees them


# names and classes


def test_every_asset_names_its_own_imagenet_class() -> None:
    from torchvision.models import SqueezeNet1_0_Weights

    titles = SqueezeNet1_0_Weights.IMAGENET1K_V1.meta["categories"]
    assert set(CLASS_NAMES) == set(assets.ASSETS)
    for name, (own, title) in CLASS_NAMES.items():
        asset = assets.named(name)
        right = (own, *assets.NEAR_SYNONYMS.get(own, ()))
        assert (asset.name, asset.imagenet, asset.title) == (name, right, CLEARER.get(title, title))
        assert titles[own] == title


def test_the_near_synonyms_are_those_that_share_a_thing() -> None:
    from torchvision.models import SqueezeNet1_0_Weights

    titles = SqueezeNet1_0_Weights.IMAGENET1K_V1.meta["categories"]
    pairs = {titles[own]: [titles[n] for n in also] for own, also in assets.NEAR_SYNONYMS.items()}
    assert pairs == {"analog clock": ["wall clock"], "coffee mug": ["cup"]}


def test_an_unknown_object_gives_the_nearest_names() -> None:
    with pytest.raises(SceneError, match="unknown object 'grany_smith': did you mean 'granny_smith'"):
        assets.named("grany_smith")


@pytest.mark.parametrize("name", NAMES)
def test_unusual_is_far_from_natural(name: str) -> None:
    from scenes.color import delta_e

    asset = assets.named(name)
    assert float(delta_e(asset.natural, asset.unusual)) > 30


# primitives


@pytest.mark.parametrize("level", [0, 1, 3])
def test_an_icosphere_lies_on_its_sphere(level: int) -> None:
    ball = solids.icosphere(level, radius=0.4)
    assert len(ball.vertices) == 10 * 4**level + 2
    assert np.linalg.norm(ball.vertices, axis=1) == pytest.approx(0.4)
    assert_closed(ball)


def test_a_fine_icosphere_encloses_nearly_its_ball() -> None:
    assert volume(solids.icosphere(5)) == pytest.approx(4 / 3 * np.pi, rel=2e-3)


def test_a_lathe_turns_its_profile_round() -> None:
    profile = [(0.0, 0.0), (0.3, 0.1), (0.5, 0.4), (0.0, 0.6)]
    turned = solids.lathe(profile, segments=12)
    radius = np.hypot(*turned.vertices.T[:2])
    for r, z in profile:
        assert radius[np.isclose(turned.vertices[:, 2], z)] == pytest.approx(r)
    assert_closed(turned)


def test_a_lathe_wants_its_ends_on_the_axis() -> None:
    with pytest.raises(ValueError, match="starts and ends on the axis"):
        solids.lathe([(0.1, 0.0), (0.2, 1.0), (0.0, 1.0)])


def test_cuts_part_a_waisted_silhouette() -> None:
    profile = [(0.0, 0.0), (1.0, 0.0), (0.2, 1.0), (1.0, 2.0), (0.0, 2.0)]
    waist = np.array([[0.5, 0.0, 1.0]])
    assert outside(waist, solids.lathe(profile).pieces) < 0
    assert outside(waist, solids.lathe(profile, cuts=(1.0,)).pieces) > 0.1


@pytest.mark.parametrize("radius", [0.0, 0.1])
def test_a_box_has_its_extent_whether_rounded_or_not(radius: float) -> None:
    made = solids.box((0.4, 0.6, 1.0), radius)
    assert made.vertices.max(axis=0) == pytest.approx([0.2, 0.3, 0.5])
    assert made.vertices.min(axis=0) == pytest.approx([-0.2, -0.3, -0.5])
    assert_closed(made)


def test_a_rounded_box_keeps_its_radius_from_its_core() -> None:
    made = solids.box((0.4, 0.6, 1.0), 0.1)
    core = np.clip(made.vertices, [-0.1, -0.2, -0.4], [0.1, 0.2, 0.4])
    assert np.linalg.norm(made.vertices - core, axis=1) == pytest.approx(0.1)


def test_a_box_refuses_a_radius_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        solids.box((0.2, 1.0, 1.0), 0.1)


def test_a_tube_keeps_its_radius_from_its_path() -> None:
    path = [(0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.7, 1.7)]
    made = solids.tube(path, 0.1, sides=8)
    rings = made.vertices.reshape(3, 8, 3)
    assert np.linalg.norm(rings - np.array(path)[:, None], axis=-1) == pytest.approx(0.1)
    assert_closed(made)


def test_a_spline_passes_through_its_points() -> None:
    points = np.array([(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)])
    assert solids.spline(points, 9)[[0, 4, 8]] == pytest.approx(points)


def test_joined_solids_keep_their_volumes_and_their_pieces() -> None:
    one, other = solids.box((1.0, 1.0, 1.0)), solids.icosphere(1).moved(3.0, 0.0, 0.0)
    both = solids.joined([one, other])
    assert volume(both) == pytest.approx(volume(one) + volume(other))
    assert len(both.pieces) == 2


def test_turning_and_moving_keep_faces_outward() -> None:
    made = solids.cylinder(0.3, 1.0, 0.05).turned("x", 70).turned("y", 20).moved(1.0, 2.0, 3.0)
    assert_closed(made)
    assert made.vertices.mean(axis=0) == pytest.approx([1.0, 2.0, 3.0], abs=1e-9)


def test_letters_keep_to_their_line() -> None:
    word = written("MENU", 0.1)
    assert np.abs(word.vertices[:, 2]).max() == pytest.approx(0.05, abs=0.02)
    assert_closed(word)


# in Blender

BUILD = """
import json, sys
import bpy, numpy as np
from scenes import assets
from scenes.blender import meshes

bpy.ops.wm.read_factory_settings(use_empty=True)
found = {}
for name, asset in assets.ASSETS.items():
    parts = assets.placed(name, asset.natural, 0.5, (2.0, 0.0), 25.0)
    things = meshes.add(name, parts)
    shaders = [t.data.materials[0].node_tree.nodes["Principled BSDF"] for t in things]
    colors = [tuple(s.inputs["Base Color"].default_value)[:3] for s in shaders]
    off = 0.0
    for thing, part in zip(things, parts, strict=True):
        at = np.empty(len(thing.data.vertices) * 3, np.float32)
        thing.data.vertices.foreach_get("co", at)
        off = max(off, float(np.abs(at.reshape(-1, 3) - part.vertices).max()))
    found[name] = {
        "off": off,
        "faces": [[len(t.data.polygons), sum(map(len, p.faces))] for t, p in zip(things, parts)],
        "invalid": sum(t.data.validate() for t in things),
        "linked": all(t.name in bpy.context.scene.objects for t in things),
        "color": min(float(np.abs(np.array(c) - asset.natural).max()) for c in colors),
    }
print("RESULT" + json.dumps(found))
"""


@pytest.mark.blender
def test_every_asset_becomes_blender_meshes_vertex_by_vertex() -> None:
    done = subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True, timeout=120, check=True)
    found = json.loads(done.stdout.split("RESULT")[1].splitlines()[0])
    assert set(found) == set(assets.ASSETS)
    for built in found.values():
        assert built["off"] < 1e-6
        assert all(made == given for made, given in built["faces"])
        assert built["invalid"] == 0
        assert built["linked"]
        assert built["color"] < 1e-6


def test_a_surface_tells_materials_apart() -> None:
    assert Surface(GREY) == Surface(GREY)
    assert Surface(GREY) != Surface(GREY, coat=0.1)
