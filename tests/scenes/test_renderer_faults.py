"""Render workers that die, hang or meet a scene they cannot build: the run goes on, and says what happened."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from closed_form import a_scene, an_object

from scenes.renderer import RenderError, RenderOutcome, WorkerSettings, render
from scenes.scene_spec import SceneSpec
from scenes.store import Store

pytestmark = pytest.mark.blender

SCENES = [a_scene(an_object(yaw=float(y)), samples=1) for y in range(12)]


def workers() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if "scenes.worker" in " ".join(p.cmdline())]


def rendered_while(root: Path, settings: WorkerSettings, act: Callable[[], None]) -> RenderOutcome:
    """Render SCENES, and do something to the workers once the first scene is done."""
    done = threading.Event()

    def progress(finished: int, failed: int, total: int) -> None:
        if finished and not done.is_set():
            done.set()
            act()

    return render(SCENES, Store(root), settings, progress=progress)


def test_a_killed_worker_is_replaced_and_nothing_is_lost(root: Path) -> None:
    outcome = rendered_while(root, WorkerSettings(count=1), lambda: [p.kill() for p in workers()] and None)
    assert outcome.failed == {}
    assert outcome.restarts == 1
    assert all(Store(root).has(s.scene_id) for s in SCENES)


def test_a_worker_that_hangs_is_killed_and_its_scene_rendered_by_the_next(root: Path) -> None:
    stop = lambda: [p.send_signal(signal.SIGSTOP) for p in workers()] and None  # noqa: E731
    outcome = rendered_while(root, WorkerSettings(count=1, timeout=8.0), stop)
    assert outcome.failed == {}
    assert outcome.restarts == 1


def test_a_worker_that_grows_too_large_is_replaced(root: Path) -> None:
    outcome = render(SCENES[:3], Store(root), WorkerSettings(count=1, memory_limit=2.5e8))  # of some 3.5e8 it takes
    assert outcome.rendered == 3
    assert outcome.restarts == 3


def test_a_scene_that_cannot_be_built_is_recorded_and_the_others_go_on(root: Path) -> None:
    impossible = a_scene(dataclasses.replace(an_object(), shape="torus"))
    outcome = render([SCENES[0], impossible, SCENES[1]], Store(root), WorkerSettings(count=1))
    assert outcome.rendered == 2
    assert list(outcome.failed) == [impossible.scene_id]
    assert "torus" in outcome.failed[impossible.scene_id]


def test_a_store_that_cannot_be_written_ends_the_run_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file stands where the folder should be")
    with pytest.raises(RenderError, match="cannot be written"):
        render(SCENES[:2], Store(tmp_path / "store"), WorkerSettings(count=1))


def test_what_the_store_has_is_not_rendered_again(root: Path) -> None:
    render(SCENES[:2], Store(root), WorkerSettings(count=1))
    again = render(SCENES[:2], Store(root), WorkerSettings(count=1))
    assert (again.rendered, again.cached) == (0, 2)


OWNER = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_renderer_faults import SCENES
from scenes.renderer import WorkerSettings, render
from scenes.store import Store
print("started", flush=True)
render(SCENES, Store(Path({root!r})), WorkerSettings(count=2), progress=lambda *n: print(*n, flush=True))
"""


def test_a_killed_owner_leaves_no_worker_and_only_whole_scenes(root: Path, tmp_path: Path) -> None:
    code = OWNER.format(tests=str(Path(__file__).parent), root=str(root))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment, cwd=tmp_path)
    assert owner.stdout is not None
    for line in owner.stdout:
        if line.startswith(b"2 "):
            break
    left = [p for p in psutil.Process(owner.pid).children() if p.is_running()]
    assert left
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    _, alive = psutil.wait_procs(left, timeout=20)
    assert alive == []
    store = Store(root)
    whole = [s for s in SCENES if store.has(s.scene_id)]
    assert whole
    assert all(store.read(s.scene_id).rgb.any() for s in whole)
    rest = render(SCENES, store, WorkerSettings(count=1))
    assert rest.cached == len(whole)
    assert rest.rendered == len(SCENES) - len(whole)
    assert not list(root.rglob("*.partial"))


def test_stopping_a_run_stops_its_workers(root: Path) -> None:
    def interrupt(finished: int, failed: int, total: int) -> None:
        if finished == 1:
            threading.Timer(0.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        render([*SCENES, *_more()], Store(root), WorkerSettings(count=1), progress=interrupt)
    time.sleep(0.1)
    assert workers() == []


def _more() -> list[SceneSpec]:
    return [a_scene(an_object(yaw=float(y)), samples=64) for y in range(100, 130)]
