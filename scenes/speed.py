"""How fast scenes are rendered, beside two plainer ways, and where the time of a scene goes.

All ways make the same products of the same scenes in the same run of the benchmark, so that their ratios hold on a
machine that is not otherwise idle.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenes.renderer import WorkerSettings, render
from scenes.scene_spec import SceneError, SceneSpec, to_plain
from scenes.store import Store

STAGES = ("build", "trace", "read", "write", "truth")
_ALONE = 3  # scenes that are rendered in a process each: all cost nearly the same
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[1])


@dataclass(frozen=True)
class Speed:
    """What was measured on some scenes of one kind. Seconds are means per scene, of one process."""

    scenes: int
    workers: int
    rate: float  # scenes a second of all workers, their start left out
    start: float  # s until the workers were there
    plain_rate: float  # one process and all cores, everything set up anew, a second render for the masks
    plain_shadow_rate: float  # and a third one, without the shadow, for its truth
    alone_rate: float  # the plain way with a process for each scene
    sampling: float  # s of Cycles' sampling of the picture
    denoising: float  # s
    rest: float  # s of all else: building, synchronising, passes, reading, writing, ground truth
    stages: dict[str, float]  # s of each of STAGES; trace holds sampling, denoising and synchronising
    worker_memory: float  # bytes, the largest worker

    @property
    def rest_share(self) -> float:
        return self.rest / (self.sampling + self.denoising + self.rest)


def measure(specs: Sequence[SceneSpec], settings: WorkerSettings, plain: int) -> Speed:
    """Render the scenes in the project's way, and `plain` of them in the others. Raises SceneError, RenderError."""
    some = specs[:: max(len(specs) // plain, 1)][:plain]
    split = _timed("stages", some)
    stages = {name: float(np.mean([s[name] for s in split])) for name in split[0]}
    per_sample = np.mean(
        [(s["trace_noisy"] - s["trace_one"]) / max(p.samples - 1, 1) for s, p in zip(split, some, strict=True)]
    )
    sampling = float(per_sample) * float(np.mean([p.samples for p in some]))
    denoising = max(stages["trace"] - stages["trace_noisy"], 0.0)
    whole = sum(stages[name] for name in STAGES)
    rate, start, memory = _pooled(specs, settings)
    seconds = _timed("plain", some)
    plain_seconds, pair_seconds = (sum(s[name] for s in seconds) for name in ("scene", "pair"))
    begun = time.perf_counter()
    third = sum(_timed("plain", [spec])[0]["pair"] for spec in some[:_ALONE])
    alone_seconds = time.perf_counter() - begun - third
    return Speed(
        scenes=len(specs),
        workers=settings.count,
        rate=rate,
        start=start,
        plain_rate=len(some) / plain_seconds,
        plain_shadow_rate=len(some) / (plain_seconds + pair_seconds),
        alone_rate=len(some[:_ALONE]) / alone_seconds,
        sampling=sampling,
        denoising=denoising,
        rest=whole - sampling - denoising,
        stages={name: stages[name] for name in STAGES},
        worker_memory=memory,
    )


def _pooled(specs: Sequence[SceneSpec], settings: WorkerSettings) -> tuple[float, float, float]:
    """Scenes a second from the first done on, seconds until then, and bytes of the largest worker."""
    done: list[float] = []
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="scene-audit-speed-") as folder:
        outcome = render(
            specs,
            Store(Path(folder)),
            settings,
            progress=lambda finished, failed, total: done.append(time.perf_counter()) if finished else None,
        )
    if outcome.failed:
        raise SceneError(f"{len(outcome.failed)} scenes failed: {next(iter(outcome.failed.values()))}")
    return (len(done) - 1) / max(done[-1] - done[0], 1e-9), done[0] - begun, outcome.largest_worker


def _timed(mode: str, specs: Sequence[SceneSpec]) -> list[dict[str, float]]:
    """What `scenes.blender.timing` measures, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "scenes.blender.timing", mode],
        input=json.dumps([to_plain(spec) for spec in specs]).encode(),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": _PACKAGE_ROOT, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise SceneError(f"the benchmark's process ended: {said[-1] if said else 'no message'}")
    found: list[dict[str, float]] = json.loads(done.stdout)
    return found
