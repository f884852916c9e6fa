"""One bad picture in a folder is named and left out; the others are audited."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.stages.picturing import readable
from scenes.design import DesignError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.fromarray(np.full((8, 10, 3), 90, np.uint8)).save(tmp_path / "good.png")
    Image.fromarray(np.full((8, 10), 90, np.uint8)).save(tmp_path / "grey.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "good.png").read_bytes()[:40])
    (tmp_path / "text.jpg").write_text("no picture")
    return tmp_path


def test_the_others_go_on_and_the_bad_ones_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = readable(sorted(folder.iterdir()))
    assert {name: image.shape for name, image in found.items()} == {"good": (8, 10, 3), "grey": (8, 10, 3)}
    said = capsys.readouterr().err.splitlines()
    assert [line.split(" cannot")[0] for line in said] == ["left out  picture text.jpg", "left out  picture torn.png"]


def test_with_none_left_there_is_one_line(folder: Path) -> None:
    with pytest.raises(DesignError, match=r"none of 2 pictures can be read: picture text\.jpg"):
        readable([folder / "text.jpg", folder / "torn.png"])
