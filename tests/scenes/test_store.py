"""The render store: what is whole is read back, what is not is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from closed_form import a_scene, an_object

from scenes.scene_spec import to_plain
from scenes.store import TRUTH, Store, StoreError

ID = "ab" + "0" * 30
OTHER = "ab" + "1" * 30


def filled(root: Path) -> Store:
    store = Store(root)
    index = np.array([[0, 1], [1, 2]], dtype=np.uint8)
    store.write_image(
        ID,
        {
            "rgb": np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
            "index": index,
            "depth": np.array([[np.inf, 1], [1, 0.5]], dtype=np.float32),
            "albedo": np.full((2, 3), 0.5, dtype=np.float32),
        },
    )
    return store


def truth(**given: np.ndarray) -> dict[str, np.ndarray]:
    return {**dict.fromkeys(TRUTH, np.zeros((2, 2), dtype=np.float32)), **given}


def test_a_scene_is_read_back_as_it_was_written(root: Path) -> None:
    store = filled(root)
    strength = np.array([[0.0, 0.5], [1.0, 0.9]], dtype=np.float32)
    store.write_truth(ID, truth(shadow=strength, outside=strength / 2))
    render = store.read(ID)
    assert render.rgb.reshape(-1).tolist() == list(range(12))
    assert render.object.tolist() == [[0, 0], [0, 1]]
    assert render.background.tolist() == [[1, 0], [0, 0]]
    assert render.shadow == pytest.approx(np.array([[0, 0.5], [1, 0]]), abs=1 / 255)  # only the floor can be shadowed


def test_the_picture_alone_is_that_of_the_whole_and_as_carefully_read(root: Path) -> None:
    store = filled(root)
    assert np.array_equal(store.picture(ID), store.read(ID).rgb)
    path = store.files(ID)[0]
    path.write_bytes(path.read_bytes()[:-1] + b"?")  # behind the picture's own bytes
    with pytest.raises(StoreError, match="corrupt"):
        store.picture(ID)


def test_regions_sum_to_one_in_every_pixel(root: Path) -> None:
    store = filled(root)
    store.write_truth(ID, truth(shadow=np.full((2, 2), 0.3, dtype=np.float32)))
    assert store.read(ID).regions().sum(axis=0) == pytest.approx(np.ones((2, 2)))


def test_without_its_shadow_a_scene_is_not_complete(root: Path) -> None:
    store = filled(root)
    assert store.has(ID, with_shadow=False)
    assert not store.has(ID)
    assert np.isnan(store.read(ID).shadow).all()


def test_a_missing_scene_is_said(root: Path) -> None:
    with pytest.raises(StoreError, match="not in the store"):
        Store(root).read(ID)


@pytest.mark.parametrize("damage", ["truncated", "flipped byte", "empty", "another scene's"])
def test_a_damaged_file_is_never_taken_for_whole(root: Path, damage: str) -> None:
    store = filled(root)
    (file,) = root.rglob("*.scene")
    content = bytearray(file.read_bytes())
    if damage == "flipped byte":
        content[len(content) // 2] ^= 1
    if damage == "another scene's":
        store.write_image(OTHER, {"rgb": np.zeros((2, 2, 3), dtype=np.uint8)})
        content = bytearray(store.files(OTHER)[0].read_bytes())
    file.write_bytes(content[: {"truncated": len(content) // 2, "empty": 0}.get(damage, len(content))])
    with pytest.raises(StoreError, match="corrupt"):
        store.read(ID)


def test_a_scene_is_found_by_the_beginning_of_its_id(root: Path) -> None:
    store = filled(root)
    assert store.find("ab") == ID
    store.write_image(OTHER, {"rgb": np.zeros((2, 2, 3), dtype=np.uint8)})
    assert list(store.ids()) == [ID, OTHER]
    assert store.find(OTHER[:4]) == OTHER
    with pytest.raises(StoreError, match="2 scenes begin so"):
        store.find("ab")
    with pytest.raises(StoreError, match="no scene's id begins so"):
        store.find("ff")


def test_a_scene_knows_what_it_was_rendered_from(root: Path) -> None:
    store = Store(root)
    spec = a_scene(an_object())
    store.write_image(spec.scene_id, {"rgb": np.zeros((2, 2, 3), dtype=np.uint8)}, spec)
    assert to_plain(store.spec(spec.scene_id)) == to_plain(spec)
    with pytest.raises(StoreError, match="does not say"):
        filled(root).spec(ID)


def test_no_partial_file_stays(root: Path) -> None:
    filled(root)
    assert [p.suffix for p in root.rglob("*") if p.is_file()] == [".scene"]
