"""`scene-audit doctor`: what this machine has and lacks for an audit, each with its remedy."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from audit import environment
from audit.config import AuditConfig

PACKAGED = "proximity.safetensors"
WORKER_MEMORY = 0.6e9  # bytes a rendering worker takes at the start
RUN_MEMORY = 3e9  # bytes the largest process of a run may take


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `remedy` says what to do where `ok` is false."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""

    def line(self) -> str:
        return f"{'ok  ' if self.ok else 'LACK'}  {self.name:<12}{self.detail}" + (
            f"; {self.remedy}" if self.remedy else ""
        )


def examine(config: AuditConfig) -> list[Finding]:
    """Everything an audit needs of this machine, in the order in which it would be missed."""
    return list(_examined(config))


def _examined(config: AuditConfig) -> Iterator[Finding]:
    yield _python()
    yield _libraries()
    yield _imported("OpenCV", "import cv2; print(cv2.__version__)", "pip install opencv-python")
    yield _blender()
    yield _torch(config.device)
    yield _machine(config.renderer.workers)
    yield _writable("store", "paths.store", config.paths.store)
    yield _writable("outputs", "paths.outputs", config.paths.outputs)
    yield _checkpoint()


def _python() -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", sys.version_info[:2] >= environment.OLDEST, text)


def _libraries() -> Finding:
    missing = environment.missing_libraries()
    if not missing:
        return Finding("libraries", True, "every shared library that OpenCV and Blender load is there")
    return Finding(
        "libraries", False, f"missing {', '.join(missing)}", f"as root, apt-get install {' '.join(missing.values())}"
    )


def _blender() -> Finding:
    if not environment.renders():
        text = "not for this Python: scenes that were rendered elsewhere can be audited, new ones need Python 3.11"
        return Finding("Blender", True, text)
    return _imported("Blender", "import bpy; print(bpy.app.version_string)", "pip install 'bpy>=4.5,<4.6'")


def _imported(name: str, program: str, remedy: str) -> Finding:
    """What `program` prints last, in a process of its own: a broken library takes that one down, not this."""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Finding(name, True, done.stdout.strip().splitlines()[-1])
    last = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
    return Finding(name, False, last, "see libraries" if "cannot open shared object" in last else remedy)


def _torch(device: str) -> Finding:
    import torch

    from audit.models import ModelError, pick_device

    try:
        picked = pick_device(device)
    except ModelError as error:
        return Finding("torch", False, f"{torch.__version__}; {error}")
    cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return Finding(
        "torch", True, f"{torch.__version__}, runs on {picked}" + (f" ({', '.join(cards)})" if cards else "")
    )


def _machine(workers: int) -> Finding:
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = psutil.virtual_memory().available
    text = f"{cores} cores, {memory / 1e9:.1f} GB of memory free, renderer.workers={workers}"
    if memory < RUN_MEMORY + workers * WORKER_MEMORY:
        return Finding("machine", False, text, "close other programs, or renderer.workers=1")
    if workers > cores:
        return Finding("machine", False, text, f"renderer.workers={cores} suits this machine")
    return Finding("machine", True, text)


def _writable(name: str, key: str, folder: str) -> Finding:
    """Whether the folder, or the nearest one above it that exists, takes a file. Nothing is left behind."""
    path = Path(folder).absolute()
    existing = next(p for p in (path, *path.parents) if p.is_dir())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Finding(name, False, f"{folder} cannot be written ({error.strerror})", f"{key}=DIR takes another folder")
    return Finding(name, True, f"{folder} can be written")


def _checkpoint() -> Finding:
    """The packaged checkpoint against the digest in its card."""
    folder = files("audit") / "checkpoints"
    weights, card = folder / PACKAGED, folder / PACKAGED.replace(".safetensors", ".json")
    if not weights.is_file() or not card.is_file():
        return Finding("checkpoint", False, f"{PACKAGED} or its card is not there", "`train` makes one")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    declared = json.loads(card.read_text("utf-8")).get("sha256")
    if declared != digest:
        return Finding("checkpoint", False, f"{PACKAGED} is not the file of its card", "install again")
    return Finding("checkpoint", True, f"{PACKAGED} sha256 {digest[:12]}")
