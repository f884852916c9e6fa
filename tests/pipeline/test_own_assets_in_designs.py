"""A design that shows an object of the user's own plans, labels and refuses it as it does those of the studio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit import loading, parts
from audit.composition import compose
from audit.config import AuditConfig
from audit.models.classification_task import ClassificationTask
from scenes.assets import own
from scenes.assets.own import OwnAsset
from scenes.design import DesignError
from scenes.scene_spec import SceneError

pytestmark = pytest.mark.usefixtures("read_once")

MINE = ["design.assets.my_mug.path=there/mug.glb", "design.assets.my_mug.classes=[coffee mug,968]"]


def configured(*typed: str) -> AuditConfig:
    return compose(["design=studio_smoke", "model=squeezenet1_0", *MINE, "design.objects=[lemon,my_mug]", *typed])


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What was to be brought in; every file is a tetrahedron, and no Blender is there to read it."""
    calls: list[tuple[object, ...]] = []
    file = tmp_path / "tetrahedron.npz"
    points = np.array([[-0.5, -0.3, 0.0], [0.5, -0.3, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 0.8]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
    colors = {"color": np.array([0.5, 0.1, 0.1]), "agreement": 1.0, "triangles": 4, "content": "0" * 64}
    np.savez(file, vertices=points, faces=faces, **colors)

    def bring_in(path: Path, root: Path, up: str, yaw: float) -> OwnAsset:
        calls.append((path, root, up, yaw))
        return own.read(str(file))

    monkeypatch.setattr(parts, "bring_in", bring_in)
    return calls


def test_it_is_planned_in_every_pose_and_condition(asked: list[tuple[object, ...]]) -> None:
    config = configured("paths.store=kept", "design.assets.my_mug.yaw=90", "design.assets.my_mug.up=z")
    planned = parts.plan(config, ["studio"])
    assert asked == [(Path("there/mug.glb"), Path("kept"), "z", 90.0)]
    of = {name: [p for p in planned if p.cell.condition["object"] == name] for name in ("lemon", "my_mug")}
    assert len(of["my_mug"]) == len(of["lemon"]) > 0
    assert {o.shape for p in of["my_mug"] for o in p.spec.objects} == {"my_mug"}
    assert all(o.file.endswith("tetrahedron.npz") for p in of["my_mug"] for o in p.spec.objects)


def test_what_no_design_shows_is_not_brought_in(asked: list[tuple[object, ...]]) -> None:
    other = ["design.assets.my_hat.path=hat.obj", "design.assets.my_hat.classes=[sombrero]"]
    parts.plan(configured(*other), ["studio"])
    assert [call[0] for call in asked] == [Path("there/mug.glb")]


def test_its_classes_are_right_for_it(asked: list[tuple[object, ...]]) -> None:
    config = configured()
    task = ClassificationTask({thing: tuple(right) for thing, right in loading._classes(config).items()})
    planned = parts.plan(config, ["studio"])
    labels = {p.cell.condition["object"]: task.label(p.obstacles) for p in planned}
    assert np.flatnonzero(labels["my_mug"]).tolist() == [504, 968]
    assert np.flatnonzero(labels["lemon"]).tolist() == [951]


def test_a_file_that_cannot_be_used_is_named_by_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    def bring_in(path: Path, *_: object) -> OwnAsset:
        raise SceneError(f"{path}: there is no such file")

    monkeypatch.setattr(parts, "bring_in", bring_in)
    with pytest.raises(DesignError, match=r"designs\.studio\.assets\.my_mug\.path=there/mug\.glb: there is no such"):
        parts.plan(configured(), ["studio"])
