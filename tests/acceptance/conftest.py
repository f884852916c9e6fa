"""One store for all acceptance tests: its scenes are rendered by the first that needs them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("bpy", reason="bpy is not installed: rendering needs Python 3.11")
    return tmp_path_factory.mktemp("acceptance") / "store"
