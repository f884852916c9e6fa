"""One store, several audits: nothing is rendered twice, nothing is spoilt, and whoever dies leaves the rest whole."""

from __future__ import annotations

import ast
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from closed_form import a_scene, an_object

from scenes import rates
from scenes.claims import Claims
from scenes.renderer import RenderError, WorkerSettings, render
from scenes.store import Store

SHARED = [a_scene(an_object(yaw=float(y)), samples=1) for y in range(200, 220)]
LONG = a_scene(an_object(yaw=300.0), samples=20_000)
PROJECT = Path(__file__).resolve().parents[2]

OWNER = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_shared_store import SHARED
from scenes.renderer import WorkerSettings, render
from scenes.store import Store
found = render(SHARED, Store(Path(sys.argv[1])), WorkerSettings(count=1), progress=lambda *n: print(*n, flush=True))
print((found.rendered, found.cached, found.waited, found.failed), flush=True)
"""


@contextlib.contextmanager
def an_audit(root: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that brings SHARED into the store; its last line is (rendered, cached, waited, failed)."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(root)], stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def outcome(process: subprocess.Popen[str]) -> tuple[int, int, int, dict[str, str]]:
    said, _ = process.communicate(timeout=120)
    found = ast.literal_eval(said.strip().splitlines()[-1])
    assert isinstance(found, tuple)
    return found


@pytest.mark.blender
def test_two_audits_at_once_render_no_scene_twice(root: Path) -> None:
    with an_audit(root) as one, an_audit(root) as other:
        found = [outcome(one), outcome(other)]
    assert sum(rendered for rendered, _, _, _ in found) == len(SHARED)
    assert all(rendered + cached + waited == len(SHARED) for rendered, cached, waited, _ in found)
    assert all(failed == {} for _, _, _, failed in found)
    assert all(Store(root).read(s.scene_id).rgb.any() for s in SHARED)


@pytest.mark.blender
def test_when_one_audit_is_killed_the_other_renders_what_it_held(root: Path) -> None:
    with an_audit(root) as one, an_audit(root) as other:
        assert one.stdout is not None
        for line in one.stdout:
            if line.startswith("2 "):
                break
        for process in [*psutil.Process(one.pid).children(recursive=True), psutil.Process(one.pid)]:
            process.send_signal(signal.SIGKILL)
        _, _, _, failed = outcome(other)
    assert failed == {}
    assert all(Store(root).has(s.scene_id) for s in SHARED)


def test_a_claim_is_held_by_one_process_and_gone_with_it(root: Path) -> None:
    scene = SHARED[0].scene_id
    holder = (
        "import sys, time; from pathlib import Path; from scenes.claims import Claims\n"
        "with Claims(Path(sys.argv[1])).held(sys.argv[2]) as mine: print(mine, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(root), scene],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"
        claims = Claims(root)
        with claims.held(scene) as mine:
            assert not mine
        with claims.held(SHARED[1].scene_id) as other:
            assert other
        process.kill()
        process.wait()
        with claims.held(scene) as now:
            assert now


@pytest.mark.blender
def test_a_scene_that_takes_too_much_memory_is_recorded_with_that_reason(root: Path) -> None:
    settings = WorkerSettings(count=1, memory_limit=5e7, retries=0)  # a worker needs some 350 MB
    found = render([LONG], Store(root), settings)
    assert found.failed == {LONG.scene_id: "took more than 0.1 GB of memory"}
    assert found.restarts == 1


@pytest.mark.blender
def test_a_worker_killed_from_outside_is_said_so_once_it_was_tried_again(root: Path) -> None:
    stop = threading.Event()

    def killing() -> None:
        claims = Claims(root)
        while not stop.wait(0.1):
            with claims.held(LONG.scene_id) as free:
                amid_it = not free  # a worker has the scene: it is past loading
            for worker in psutil.Process().children():
                if amid_it and "scenes.worker" in " ".join(worker.cmdline()):
                    worker.kill()

    thread = threading.Thread(target=killing, daemon=True)
    thread.start()
    try:
        found = render([LONG], Store(root), WorkerSettings(count=1, retries=1))
    finally:
        stop.set()
        thread.join()
    assert "killed from outside" in found.failed[LONG.scene_id]
    assert found.restarts == 2


@pytest.mark.blender
@pytest.mark.parametrize("retries", [0, 2])
def test_a_worker_killed_while_it_loads_is_started_again_as_often_as_a_scene_is(root: Path, retries: int) -> None:
    kills = iter(range(1 if retries else 10))
    stop = threading.Event()

    def killing() -> None:
        seen: set[int] = set()
        while not stop.wait(0.02):
            for worker in psutil.Process().children():
                if worker.pid not in seen and "scenes.worker" in " ".join(worker.cmdline()):
                    seen.add(worker.pid)
                    if next(kills, None) is not None:
                        worker.kill()

    thread = threading.Thread(target=killing, daemon=True)
    thread.start()
    settings = WorkerSettings(count=1, retries=retries)
    try:
        if retries:
            found = render(SHARED[:1], Store(root), settings)
            assert (found.rendered, found.restarts) == (1, 1)
        else:
            with pytest.raises(RenderError, match=r"does not start .the worker was killed from outside"):
                render(SHARED[:1], Store(root), settings)
    finally:
        stop.set()
        thread.join()


@pytest.mark.blender
def test_a_full_disk_ends_the_run_with_one_line_and_leaves_whole_scenes_alone(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here: that takes root")
    try:
        with pytest.raises(RenderError, match="cannot be written: No space left"):
            render(SHARED, Store(small), WorkerSettings(count=1))
        store = Store(small)
        whole = [s for s in SHARED if store.has(s.scene_id)]
        assert 0 < len(whole) < len(SHARED)
        assert all(store.read(s.scene_id).rgb.any() for s in whole)
        assert not list(small.rglob("*.partial"))
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_what_writers_left_half_written_is_swept_away_once_it_is_old(root: Path) -> None:
    folder = root / "ab"
    folder.mkdir(parents=True)
    old, new = folder / "x.scene.1.partial", folder / "y.scene.2.partial"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    Store(root).sweep()
    assert not old.exists()
    assert new.exists()


@pytest.mark.blender
def test_rates_are_learned_and_survive_damage(root: Path) -> None:
    render(SHARED[:4], Store(root), WorkerSettings(count=1))
    known = rates.seconds_of(root)
    assert list(known) == ["80x64, 1 samples"]
    assert 0 < known["80x64, 1 samples"] < 5
    (root / rates.FILE).write_text("{ damaged")
    assert rates.seconds_of(root) == {}
    rates.record(root, {"80x64, 1 samples": (3.0, 2)})
    assert rates.seconds_of(root) == {"80x64, 1 samples": 1.5}


def test_older_rates_fade(root: Path) -> None:
    root.mkdir()
    rates.record(root, {"kind": (1000.0, 1000)})
    rates.record(root, {"kind": (1500.0, 500)})
    assert rates.seconds_of(root)["kind"] == pytest.approx(2.0)
