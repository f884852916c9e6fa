"""One bad picture in a folder is named and left out; the others are audited, each by its own name, as it was seen."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.composition import compose
from audit.loading import Loaded
from audit.models import build_adapter
from audit.stages import picturing
from audit.stages.attending import kept_maps
from audit.stages.picturing import audit_pictures, keep_readable, picture
from audit.tables import ANSWERS, PICTURES, RESPONSES
from scenes.design import DesignError
from tests.models.tasks import PROXIMITY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "given"
    folder.mkdir()
    Image.fromarray(np.full((8, 10, 3), 90, np.uint8)).save(folder / "good.png")
    Image.fromarray(np.full((8, 10), 90, np.uint8)).save(folder / "grey.png")
    (folder / "torn.png").write_bytes((folder / "good.png").read_bytes()[:40])
    (folder / "text.jpg").write_text("no picture")
    return folder


def with_chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk before its pixels."""
    written = io.BytesIO()
    Image.fromarray(np.full((8, 10, 3), 90, np.uint8)).save(written, "PNG")
    head, pixels = written.getvalue().split(b"IDAT")
    chunk = len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
    return head[:-4] + chunk + head[-4:] + b"IDAT" + pixels


def test_the_others_go_on_and_the_bad_ones_are_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = tmp_path / "kept"
    assert keep_readable(sorted(folder.iterdir()), into) == ["good", "grey"]
    assert {file.name: picture(file).shape for file in into.iterdir()} == {
        "good.png": (8, 10, 3),
        "grey.png": (8, 10, 3),
    }
    said = capsys.readouterr().err.splitlines()
    assert [line.split(" cannot")[0] for line in said] == ["left out  picture text.jpg", "left out  picture torn.png"]


def test_with_none_left_there_is_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DesignError, match=r"none of 2 pictures can be read: picture text\.jpg"):
        keep_readable([folder / "text.jpg", folder / "torn.png"], tmp_path / "kept")


def test_whatever_is_wrong_with_a_file_costs_that_file_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = with_chunk(b"gAMA", bytes(4))
    at = whole.index(b"IDAT")
    sound = {"chunk.png": whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :]}
    sound["text.png"] = with_chunk(b"zTXt", b"said\x00\x00" + zlib.compress(bytes(2**21)))
    sound["held.png"] = with_chunk(b"eXIf", b"MM\x00*\x00\x00")
    for name, content in sound.items():
        (folder / name).write_bytes(content)
    Image.fromarray(np.zeros((80, 100, 3), np.uint8)).save(folder / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    bad = [*sound, "large.png"]
    assert keep_readable([folder / name for name in (*bad, "good.png")], tmp_path / "kept") == ["good"]
    said = capsys.readouterr().err.splitlines()
    assert [line.split(" cannot")[0] for line in said] == [f"left out  picture {name}" for name in bad]
    assert all(line.split("be read: ")[1] for line in said)


def test_greys_of_sixteen_bits_are_scaled_and_not_cut(folder: Path) -> None:
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(deep).save(folder / "deep.png")
    assert picture(folder / "deep.png").tolist() == [[[0] * 3, [1] * 3, [128] * 3, [255] * 3]]


def test_numbers_without_a_known_white_are_no_picture(folder: Path) -> None:
    Image.fromarray(np.ones((2, 3), np.float32)).save(folder / "heights.png", "TIFF")
    with pytest.raises(ValueError, match="no known white"):
        picture(folder / "heights.png")


def test_a_photograph_stands_upright(folder: Path) -> None:
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, 8:] = 255
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned clockwise by a quarter
    Image.fromarray(pixels).save(folder / "turned.jpg", quality=100, exif=turned)
    seen = picture(folder / "turned.jpg")
    assert seen.shape == (16, 8, 3)
    assert seen[:7].max() < 20
    assert seen[9:].min() > 235


def test_pictures_that_differ_by_suffix_alone_keep_it(folder: Path, tmp_path: Path) -> None:
    for name, grey in (("a.jpg", 10), ("a.png", 200), ("a.png.webp", 90)):
        Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(folder / name)
    files = [folder / name for name in ("a.jpg", "a.png", "a.png.webp", "good.png")]
    names = keep_readable(files, tmp_path / "kept")
    assert names == ["a.jpg", "a.png", "a.png.webp", "good"]
    greys = [int(picture(tmp_path / "kept" / f"{name}.png").mean().round(-1)) for name in names]
    assert greys == [10, 200, 90, 90]


def test_pictures_are_read_a_batch_at_a_time_and_none_is_lost(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_once: None
) -> None:
    (folder / "torn.png").unlink()
    (folder / "text.jpg").unlink()
    for grey in range(5):
        Image.fromarray(np.full((64, 80, 3), 40 * grey, np.uint8)).save(folder / f"flat_{grey}.png")
    typed = ["model=user", "design=pictures", f"design.pictures={folder}", "attribution.batch=3"]
    typed += ["attribution.target=sum", "attribution.methods=[hires_cam,saliency]"]
    network = [
        "model.architecture=tests.models.planted.FloorBrightnessNet",
        "model.checkpoint=null",
        "model.preprocessing.normalisation=fixed",
    ]
    config = compose([*typed, *network])
    adapter = build_adapter(next(iter(config.models.values())), "cpu", PROXIMITY)
    sizes, attribute = [], picturing.attribute
    monkeypatch.setattr(
        picturing, "attribute", lambda a, images, *rest: sizes.append(len(images)) or attribute(a, images, *rest)
    )
    run = tmp_path / "run"
    run.mkdir()
    audit_pictures(config, picturing.find_pictures(config), Loaded({adapter.name: adapter}, (), ()), run)
    names = [*(f"flat_{grey}" for grey in range(5)), "good", "grey"]
    assert sizes == [3, 3, 1]
    assert list(PICTURES.read(run)["picture"]) == list(RESPONSES.read(run)["scene_id"]) == names
    assert len(ANSWERS.read(run)) == 0
    with np.load(run / "attributions" / adapter.name / "saliency.npz") as kept:
        assert kept["scene_ids"].tolist() == names
        assert np.isfinite(kept["maps"]).all()


def test_maps_that_wait_in_files_are_kept_as_if_all_had_been_held(tmp_path: Path) -> None:
    rng, chunks = np.random.default_rng(0), []
    for start, has in ((0, [True, False, True]), (3, [False, False]), (5, [True])):
        ids = np.array([f"scene {start + i}" for i in range(len(has))])
        maps = {m: rng.normal(size=(len(has), *size)).astype(np.float32) for m, size in (("a", (2, 3)), ("b", (5, 4)))}
        chunks.append((ids, np.array(has), maps))
    with kept_maps(tmp_path / "kept") as keep:
        for ids, has, maps in chunks:
            keep(ids, has, maps)
    assert sorted(file.name for file in (tmp_path / "kept").iterdir()) == ["a.npz", "b.npz"]
    for method in "ab":
        held = np.concatenate([maps[method][has] for _, has, maps in chunks])
        np.savez(tmp_path / "held.npz", scene_ids=np.concatenate([i[has] for i, has, _ in chunks]), maps=held)
        assert (tmp_path / "kept" / f"{method}.npz").read_bytes() == (tmp_path / "held.npz").read_bytes()


def test_no_scene_with_a_target_leaves_files_without_maps(tmp_path: Path) -> None:
    with kept_maps(tmp_path / "kept") as keep:
        keep(np.array(["one"]), np.array([False]), {"a": np.zeros((1, 2, 3), np.float32)})
    with np.load(tmp_path / "kept" / "a.npz") as kept:
        assert kept["maps"].shape == (0, 2, 3)
        assert len(kept["scene_ids"]) == 0
