"""A user's own asset: read without running anything in it, shown as it is, with a mask and a shadow as true as any."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import own_files
import pytest
from own_files import EXTENTS, in_blender

from scenes import assets, checks, factors, importing, shadow, studio
from scenes.assets import own
from scenes.assets.asset import Asset, linear
from scenes.color import delta_e
from scenes.design import Condition, Design
from scenes.importing import bring_in
from scenes.planning import Quality
from scenes.renderer import WorkerSettings, render
from scenes.scene_spec import SceneError, SceneSpec
from scenes.store import Render, Store

pytestmark = pytest.mark.blender

CONTROL = {"presence": "object", "object_color": "natural", "light": "key"}
VIEW = studio.View(size=96)


def declared(file: own.OwnAsset) -> Asset:
    return own.declared("boat", file, elevation=20.0, fill=0.6, stage="room")


def scene(asset: Asset, **levels: str) -> SceneSpec:
    base, drawn = studio.draw(0, asset, 0, VIEW, Quality(samples=1))
    known = {name: factors.REGISTRY["studio"][name] for name in CONTROL}
    return factors.apply(known, base, Condition(tuple({**CONTROL, **levels}.items())), drawn)


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@dataclass(frozen=True)
class Shelf:
    """Files of a user, and what became of them in a store."""

    folder: Path
    traces: Path  # where a script that runs would leave a file
    store: Store
    assets: Mapping[str, own.OwnAsset]  # by the name of the file

    def render(self, spec: SceneSpec) -> Render:
        outcome = render([spec], self.store, WorkerSettings(count=1))
        assert outcome.failed == {}
        return self.store.read(spec.scene_id)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    pytest.importorskip("bpy", reason="bpy is not installed: rendering needs Python 3.11")
    folder, traces, root = (tmp_path_factory.mktemp(name) for name in ("files", "traces", "store"))
    in_blender(own_files.MAKE, own_files.write_obj(folder), traces)
    for trace in traces.iterdir():
        trace.unlink()  # of the Blender that made the file
    names = ("boat.obj", "boat.glb", "boat.blend", "hostile.blend", "busy.blend")
    return Shelf(folder, traces, Store(root), {name: bring_in(folder / name, root) for name in names})


# what is read


@pytest.mark.parametrize("name", ["boat.obj", "boat.glb", "boat.blend"])
def test_it_stands_upright_with_its_front_to_the_viewer_and_its_largest_side_is_1(shelf: Shelf, name: str) -> None:
    asset = shelf.assets[name]
    assert asset.extents == pytest.approx(EXTENTS, abs=1e-6)
    assert asset.triangles == len(asset.faces) == 36
    low, high = asset.vertices.min(axis=0), asset.vertices.max(axis=0)
    assert (low[2], *(low + high)[:2]) == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)
    at_front = asset.vertices[asset.vertices[:, 1] < low[1] + 1e-6]
    assert at_front.min(axis=0) == pytest.approx((-0.18, -0.2, 0.0), abs=1e-6)  # the nose's
    assert at_front.max(axis=0) == pytest.approx((-0.02, -0.2, 0.24), abs=1e-6)
    at_right = asset.vertices[asset.vertices[:, 0] > high[0] - 1e-6]
    assert (at_right[:, 2].min(), at_right[:, 2].max()) == pytest.approx((0.16, 0.32), abs=1e-6)  # the handle's


def test_the_same_mesh_in_three_formats_has_the_same_mask_and_the_same_colour(shelf: Shelf) -> None:
    scenes = [scene(declared(shelf.assets[name])) for name in ("boat.obj", "boat.glb", "boat.blend")]
    masks = [checks.projected_mask(spec.camera, list(spec.objects)) for spec in scenes]
    assert masks[0].any()
    assert np.array_equal(masks[0], masks[1])
    assert np.array_equal(masks[0], masks[2])
    for name in ("boat.glb", "boat.blend"):
        assert delta_e(shelf.assets[name].color, shelf.assets["boat.obj"].color) < 1


def test_its_colour_lies_between_those_of_its_materials(shelf: Shelf) -> None:
    """Most of it is the body, whose red is that of a picture."""
    color = np.array(shelf.assets["boat.obj"].color)
    share = (color - own_files.RED) @ (np.array(own_files.BLUE) - own_files.RED)
    share /= np.sum((np.array(own_files.BLUE) - own_files.RED) ** 2)
    assert 0.05 < share < 0.4
    expected = (1 - share) * np.array(own_files.RED) + share * np.array(own_files.BLUE)
    assert delta_e(tuple(color), tuple(expected)) < 1  # type: ignore[arg-type]


def test_all_that_a_render_shows_is_the_object_and_nothing_else(shelf: Shelf) -> None:
    """Three cubes of a modifier, two mirrored instances and a text; no hidden cube, lamp, camera or empty."""
    busy = shelf.assets["busy.blend"]
    assert busy.triangles > 36 + 2
    width, depth, height = busy.extents
    # the text lies level at a height of 2
    assert (depth / width, height / width) == pytest.approx((5.5 / 5.5, 2 / 5.5), abs=1e-5)
    left = busy.vertices[busy.vertices[:, 0] < busy.vertices[:, 0].min() + 1e-6]
    assert len(left) == 2  # a corner of each mirrored sail, at x = -1


def test_another_axis_up_and_a_turn_are_taken_as_asked(shelf: Shelf) -> None:
    turned = bring_in(shelf.folder / "boat.obj", shelf.store.root, up="z", yaw=90.0)
    width, depth, height = EXTENTS  # y up in the file: with z up instead it lies on its back, then turned
    assert turned.extents == pytest.approx((height, width, depth), abs=1e-6)
    assert turned.file != shelf.assets["boat.obj"].file


def test_a_large_mesh_is_drawn_from_a_simpler_one_that_looks_the_same(shelf: Shelf) -> None:
    lemon = assets.named("lemon")
    (part,) = lemon.parts(lemon.natural)
    lines = [f"v {x:.6f} {z:.6f} {-y:.6f}" for x, y, z in part.vertices]
    lines += ["f " + " ".join(map(str, face + 1)) for faces in part.faces for face in faces]
    path = shelf.folder / "lemon.obj"
    path.write_text("\n".join(lines))
    found = bring_in(path, shelf.store.root)
    assert found.triangles == sum(len(faces) * (faces.shape[1] - 2) for faces in part.faces)
    assert len(found.faces) < 0.5 * found.triangles
    assert found.agreement > 0.99
    own_one, built_in = scene(declared(found)), scene(lemon)
    built_in = dataclasses.replace(built_in, camera=own_one.camera, key=own_one.key)
    thing = dataclasses.replace(built_in.objects[0], position=own_one.objects[0].position, yaw=own_one.objects[0].yaw)
    built_in = dataclasses.replace(built_in, objects=(thing,))
    masks = [checks.projected_mask(spec.camera, list(spec.objects)) for spec in (own_one, built_in)]
    assert agreement(*masks) > 0.98
    shadows = [shadow.cast_shadow(spec) for spec in (own_one, built_in)]
    assert shadows[1].max() == 1
    assert np.abs(shadows[0] - shadows[1]).mean() < 0.004


# nothing runs


def test_a_careless_blender_runs_what_is_in_the_hostile_file(shelf: Shelf) -> None:
    """So the tests below can fail."""
    in_blender(own_files.OPEN_CARELESSLY, shelf.folder / "hostile.blend")
    left = {trace.name for trace in shelf.traces.iterdir()}
    for trace in shelf.traces.iterdir():
        trace.unlink()
    assert {"text", "handler", "location", "default_value"} <= left


def test_no_script_runs_when_a_file_is_brought_in_nor_when_it_is_rendered(shelf: Shelf) -> None:
    found = bring_in(shelf.folder / "hostile.blend", shelf.store.root, yaw=1.0)
    assert list(shelf.traces.iterdir()) == []
    assert shelf.render(scene(declared(found))).object.any()
    assert list(shelf.traces.iterdir()) == []


def test_the_store_keeps_meshes_materials_and_packed_pictures_alone(shelf: Shelf) -> None:
    held = in_blender(own_files.LIST, shelf.assets["hostile.blend"].blend).splitlines()
    kinds = next(line for line in held if line.startswith("kinds"))
    assert kinds.split()[1:] == ["images", "materials", "meshes", "objects"]
    assert {"animated", "properties", "unpacked"} <= set(held)
    nodes = next(line for line in held if line.startswith("nodes")).split()
    assert "BSDF_PRINCIPLED" in nodes
    assert "SCRIPT" not in nodes


# what is shown


def test_the_rendered_mask_is_the_closed_one(shelf: Shelf) -> None:
    spec = scene(declared(shelf.assets["boat.glb"]))
    seen = shelf.render(spec)
    assert agreement(seen.object > 0, checks.projected_mask(spec.camera, list(spec.objects))) > 0.99
    assert checks.check(spec, seen, None).status == "ok"


def test_it_is_painted_over_where_its_colour_is_another(shelf: Shelf) -> None:
    asset = declared(shelf.assets["boat.obj"])
    natural, unusual = (shelf.render(scene(asset, object_color=level)) for level in ("natural", "unusual"))
    assert delta_e(asset.natural, asset.unusual) > 30
    assert np.array_equal(natural.object, unusual.object)
    assert delta_e(natural.albedo[1], asset.natural) < 8  # from one side, not from four
    assert delta_e(unusual.albedo[1], asset.unusual) < 8
    assert not np.array_equal(natural.rgb, unusual.rgb)


def test_the_colour_for_unusual_may_be_given(shelf: Shelf) -> None:
    given = own.declared("boat", shelf.assets["boat.obj"], 20.0, 0.6, "room", unusual="10a0b0")
    assert given.unusual == linear("10a0b0")


def test_as_a_ghost_it_is_not_seen(shelf: Shelf) -> None:
    assert not shelf.render(scene(declared(shelf.assets["boat.glb"]), presence="ghost")).object.any()


# the store


def test_the_second_time_no_blender_is_needed(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    for name, asset in shelf.assets.items():
        assert bring_in(shelf.folder / name, shelf.store.root).file == asset.file
    with pytest.raises(SceneError, match=r"boat\.obj: .*bpy is not installed; .*Python 3\.11"):
        bring_in(shelf.folder / "boat.obj", shelf.store.root, yaw=45.0)


@pytest.mark.parametrize("name", ["boat.mtl", "paint.png"])
def test_another_content_of_a_file_beside_it_is_another_asset(shelf: Shelf, name: str, tmp_path: Path) -> None:
    path = own_files.write_obj(tmp_path)
    before = bring_in(path, shelf.store.root)
    if name == "paint.png":
        own_files.paint(tmp_path, (0.1, 0.5, 0.1))
    else:
        (tmp_path / name).write_text((tmp_path / name).read_text().replace("map_Kd", "# map_Kd"))
    after = bring_in(path, shelf.store.root)
    assert after.file != before.file
    assert (delta_e(after.color, before.color) > 10) == (name == "paint.png")


def test_in_a_store_that_was_moved_its_scenes_keep_their_ids(shelf: Shelf, tmp_path: Path) -> None:
    spec = scene(declared(shelf.assets["boat.glb"]))
    shelf.render(spec)
    moved = tmp_path / "moved"
    shelf_root = shelf.store.root
    for path in [*shelf_root.glob("??/*"), *shelf_root.glob("assets/*")]:
        (moved / path.parent.name).mkdir(parents=True, exist_ok=True)
        (moved / path.parent.name / path.name).write_bytes(path.read_bytes())
    there = scene(declared(bring_in(shelf.folder / "boat.glb", moved)))
    assert there != spec
    assert there.scene_id == spec.scene_id
    kept = Store(moved).spec(spec.scene_id)
    assert Path(kept.objects[0].file).parent == moved / "assets"
    assert kept.scene_id == spec.scene_id


def test_a_damaged_file_in_the_store_is_said_and_not_shown(shelf: Shelf, tmp_path: Path) -> None:
    asset = shelf.assets["boat.obj"]
    for path in (asset.file, asset.blend):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / asset.blend.name).write_bytes(asset.blend.read_bytes()[:-1])
    copy = tmp_path / asset.file.name
    with pytest.raises(SceneError, match=r"damaged: delete it and .* beside it"):
        own.whole_blend(own.read(str(copy)))
    copy = copy.rename(tmp_path / "short.npz")
    copy.write_bytes(asset.file.read_bytes()[:-100])
    with pytest.raises(SceneError, match="damaged: delete it"):
        own.read(str(copy))


def test_what_is_damaged_in_the_store_is_brought_in_again(shelf: Shelf, tmp_path: Path) -> None:
    first = bring_in(shelf.folder / "boat.glb", tmp_path)
    first.blend.write_bytes(b"damaged")
    own.whole_blend.cache_clear()  # as in another process
    again = bring_in(shelf.folder / "boat.glb", tmp_path)
    assert again.file == first.file
    assert own.whole_blend(again).stat().st_size > 1000


def test_a_plan_shows_it_among_the_studio_s_own(shelf: Shelf) -> None:
    design = Design("own", {"light": ("key", "back")}, {"light": "key"}, 2, objects=("lemon", "boat"), arms=False)
    planned = studio.plan(design, VIEW, Quality(), own={"boat": declared(shelf.assets["boat.glb"])})
    shown = {p.cell.condition["object"]: p.spec.objects[0] for p in planned}
    assert shown["boat"].file == str(shelf.assets["boat.glb"].file)
    assert shown["boat"].shape == "boat"
    assert shown["lemon"].file == ""
    assert len({p.scene_id for p in planned}) == 8


# what cannot be used


def a_file(folder: Path, name: str, content: bytes | None) -> Path:
    if content is not None:
        (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("gone.obj", None, "there is no such file"),
        ("thing.fbx", b"x", r"cannot be brought in; .*valid: \.blend, \.glb, \.gltf, \.obj"),
        ("thing", b"x", r"valid: \.blend"),
        ("empty.glb", b"", "is empty; export it again"),
        ("text.glb", b"hello", r"is no \.glb file that can be read"),
        ("text.blend", b"hello", r"is no \.blend file that can be read"),
        ("text.gltf", b"hello", r"is no \.gltf file that can be read \(.*export it again"),
        ("list.gltf", b"[]", r"is no \.gltf file that can be read"),
        ("boat.gltf", b'{"buffers": [{"uri": "a%20b.bin"}]}', r"refers to a b\.bin, which cannot be read"),
        ("boat.obj", b"mtllib none.mtl\nv 0 0 0\n", r"refers to none\.mtl, which cannot be read"),
    ],
)
def test_what_cannot_be_an_asset_is_refused_before_blender_starts(
    name: str, content: bytes | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    with pytest.raises(SceneError, match=says) as refused:
        bring_in(a_file(tmp_path, name, content), tmp_path / "store")
    assert str(refused.value).startswith(str(tmp_path / name))
    assert "\n" not in str(refused.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.obj").mkdir()
    with pytest.raises(SceneError, match="cannot be read"):
        bring_in(tmp_path / "folder.obj", tmp_path / "store")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("words.obj", b"hello world\n", "holds no mesh; lights, cameras"),
        ("point.obj", b"v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", "has no extent"),
        ("cut.blend", b"BLENDER-v405 and no more", r"is no \.blend file that can be read"),
    ],
)
def test_what_blender_finds_wrong_is_one_line_too(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=says) as refused:
        bring_in(a_file(tmp_path, name, content), tmp_path / "store")
    assert "\n" not in str(refused.value)
    assert list((tmp_path / "store" / "assets").iterdir()) == []


def test_a_picture_that_is_missing_is_named(tmp_path: Path) -> None:
    path = own_files.write_obj(tmp_path)
    (tmp_path / "paint.png").unlink()
    with pytest.raises(SceneError, match=r"refers to the picture .*paint\.png, which is not there; put it there"):
        bring_in(path, tmp_path / "store")


def test_too_many_triangles_are_refused(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MOST_TRIANGLES", 35)
    with pytest.raises(SceneError, match="has more than 35 triangles; reduce it"):
        bring_in(shelf.folder / "boat.glb", tmp_path / "store")


def test_blender_is_not_waited_for_without_end(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "TIMEOUT", 0.01)
    with pytest.raises(SceneError, match=r"did not bring it in within 0\.01 s"):
        bring_in(shelf.folder / "boat.glb", tmp_path / "store")
