"""Two runs of one checkpoint, and a run that was killed on its way, give the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from small_audit import DESIGN, audited, planted

pytestmark = [pytest.mark.blender, pytest.mark.slow]

SETTINGS = planted("LeftBorderNet", "+model.arguments.pivot=0.44", "+model.arguments.gain=-40.0")
SEEDS = "design.seeds=8"


def bytes_of(run: Path) -> dict[str, bytes]:
    """Everything in a run directory but run.json, config.yaml and what the page shows of them."""
    left_out = {"run.json", "config.yaml"}
    files = (p for p in sorted(run.rglob("*")) if p.is_file())
    return {str(p.relative_to(run)): p.read_bytes() for p in files if p.name not in left_out and p.suffix != ".html"}


def test_two_runs_of_one_checkpoint_are_byte_equal(shared_store: Path, tmp_path: Path) -> None:
    first = bytes_of(audited(shared_store, tmp_path / "a", *SETTINGS).folder)
    second = bytes_of(audited(shared_store, tmp_path / "b", *SETTINGS).folder)
    assert len(first) > 15
    assert first == second


def start(tmp_path: Path, store: Path, outputs: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).resolve().parents[2]
    settings = [*DESIGN, *SETTINGS, SEEDS, f"paths.store={store}", f"paths.outputs={outputs}"]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "audit", "run", *settings]
    log = (tmp_path / "log").open("ab")
    return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=tmp_path)


def wait_for_scenes(store: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while len(list(store.rglob("*.scene"))) < count:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_killed_in_the_middle_of_rendering_goes_on_to_the_same_bytes(tmp_path: Path, shared_store: Path) -> None:
    store, outputs = tmp_path / "store", tmp_path / "outputs"
    killed = start(tmp_path, store, outputs)
    wait_for_scenes(store, 3, killed)
    worker = next(p for p in psutil.Process(killed.pid).children() if "scenes.worker" in " ".join(p.cmdline()))
    worker.kill()  # first a worker, which is replaced, then the whole run
    before = len(list(store.rglob("*.scene")))
    wait_for_scenes(store, before + 3, killed)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (outputs / "latest").exists()
    kept = len(list(store.rglob("*.scene")))
    again = start(tmp_path, store, outputs)
    assert again.wait(timeout=300) == 0, (tmp_path / "log").read_text()
    assert kept > 5
    finished = [p for p in outputs.iterdir() if not p.is_symlink()]
    assert len(finished) == 1, "the killed run's folder is swept away"
    whole = audited(shared_store, tmp_path / "whole", *SETTINGS, SEEDS).folder
    assert bytes_of(finished[0]) == bytes_of(whole)
