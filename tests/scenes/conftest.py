"""Shared by the tests of scenes: a visible skip where there is no Blender, and one small rendered store."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import studio_scenes
import truth_scenes
from closed_form import EMPTY, GHOSTS, LIT, NEAR, SHAPES, SmallStore

from scenes.renderer import WorkerSettings, render
from scenes.store import Store


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("bpy") is None:
        for item in items:
            if item.get_closest_marker("blender"):
                item.add_marker(pytest.mark.skip(reason="bpy is not installed: rendering needs Python 3.11"))


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> SmallStore:
    """Every scene named above, rendered by two workers into one store."""
    pytest.importorskip("bpy", reason="bpy is not installed: rendering needs Python 3.11")
    store = Store(tmp_path_factory.mktemp("store"))
    specs = [*SHAPES.values(), *GHOSTS.values(), *LIT.values(), EMPTY, NEAR]
    return SmallStore(store, render(specs, store, WorkerSettings(count=2)))


@pytest.fixture(scope="session")
def studio_rendered(tmp_path_factory: pytest.TempPathFactory) -> SmallStore:
    """The studio scenes named in studio_scenes, likewise."""
    pytest.importorskip("bpy", reason="bpy is not installed: rendering needs Python 3.11")
    store = Store(tmp_path_factory.mktemp("studio"))
    return SmallStore(store, render(studio_scenes.ALL, store, WorkerSettings(count=2)))


@pytest.fixture(scope="session")
def truth_rendered(tmp_path_factory: pytest.TempPathFactory) -> SmallStore:
    """The scenes named in truth_scenes, likewise, by one worker in the order they stand there."""
    pytest.importorskip("bpy", reason="bpy is not installed: rendering needs Python 3.11")
    store = Store(tmp_path_factory.mktemp("truth"))
    return SmallStore(store, render(truth_scenes.ALL, store, WorkerSettings(count=1)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"
