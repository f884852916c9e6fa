"""`verify` says whether the store holds what is rendered now; `plan` says what would be, and how long it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit import estimate, parts
from audit.composition import compose
from audit.config import AuditConfig
from audit.schema import ConfigError
from audit.stages import rendering
from audit.verification import verification_table

pytestmark = pytest.mark.blender
FEW = ["design.keep.light=[front]", "design.keep.seeds=[0]", "design.samples=1", "renderer.workers=1"]


def config(root: Path, *typed: str) -> AuditConfig:
    return compose(["experiment=smoke", *FEW, f"paths.store={root}", *typed])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("bpy", reason="bpy is not installed: rendering needs Python 3.11")
    root = tmp_path_factory.mktemp("store")
    rendering.render_scenes(config(root), parts.plan(config(root), ["tabletop"]))
    return root


def test_a_store_that_this_machine_filled_is_the_same_to_the_byte(filled: Path) -> None:
    table = verification_table(config(filled, "renderer.verify=3"))
    assert list(table["result"]) == ["same"] * 3
    assert (table["changed"] == 0).all()


def test_a_whole_scene_of_another_picture_is_found(filled: Path) -> None:
    store = parts.store(config(filled))
    planned = parts.plan(config(filled), ["tabletop"])
    victim = planned[0]
    before = [path.read_bytes() for path in store.files(victim.scene_id)]
    render = store.read(victim.scene_id)
    changed = render.rgb.copy()
    changed[:32, :, 0] ^= 16
    index = np.where(render.object > 0, 2, np.where(render.floor > 0, 1, 0)).astype(np.uint8)
    arrays = {"rgb": changed, "index": index, "depth": render.depth, "albedo": render.albedo}
    try:
        store.write_image(victim.scene_id, arrays, victim.spec)
        table = verification_table(config(filled, "renderer.verify=100")).set_index("scene_id")
        assert table.loc[victim.scene_id, "result"] == "differs"
        assert table.loc[victim.scene_id, "changed"] == pytest.approx(0.5)
        assert table.loc[victim.scene_id, "most"] == 16
        assert (table.drop(victim.scene_id)["result"] == "same").all()
    finally:
        for path, content in zip(store.files(victim.scene_id), before, strict=True):
            path.write_bytes(content)


def test_an_empty_store_cannot_be_verified(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds none of these scenes; `render` fills it"):
        verification_table(config(tmp_path))


def test_the_plan_counts_what_the_store_has_and_what_it_lacks(filled: Path, tmp_path: Path) -> None:
    (full,) = estimate.estimates(config(filled), ["tabletop"])
    assert (full.missing, full.seconds, full.bytes) == (0, 0, 0)
    (none,) = estimate.estimates(config(tmp_path), ["tabletop"])
    assert none.missing == none.scenes == full.scenes
    assert none.seconds > 0
    assert not none.is_measured


def test_the_plan_estimates_from_what_scenes_of_that_kind_took_here(filled: Path) -> None:
    (more,) = estimate.estimates(config(filled, "design.keep.seeds=[0,1]"), ["tabletop"])
    assert 0 < more.missing < more.scenes
    assert more.is_measured
    lines = estimate.plan(config(filled, "design.keep.seeds=[0,1]"))
    assert any("as measured on this store" in line for line in lines)
