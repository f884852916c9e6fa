"""`python -m scenes.worker STORE`: the process that holds Blender. It reads jobs from stdin, answers on the old stdout.

Cycles prints from C to file descriptor 1, so the protocol moves off it before bpy is imported. When stdin ends (the
owner is gone, killed or done) the worker ends too, so no worker outlives its owner by more than one scene.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scenes.claims import Claims
from scenes.store import Store
from scenes.worker_protocol import Job, Reply, decode_job, encode

if TYPE_CHECKING:
    from scenes.blender.session import Session


def main(root: str) -> None:
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    # Blender sizes its thread pool by the cores it sees while loading; a pool larger than the one render thread spins
    # on sched_yield and takes a core from the next worker (measured: 1.7 times fewer scenes a second with two workers).
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})

    import psutil

    from scenes.blender.session import session

    store, claims, process = Store(Path(root)), Claims(Path(root)), psutil.Process()
    with session() as blender:
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), cores)
        answers.write(encode(Reply("ready", memory=process.memory_info().rss)))
        for line in sys.stdin.buffer:
            start = time.perf_counter()
            reply = _answer(decode_job(line), blender, store, claims)
            spent = {"seconds": time.perf_counter() - start, "memory": process.memory_info().rss}
            answers.write(encode(dataclasses.replace(reply, **spent)))


def _answer(job: Job, blender: Session, store: Store, claims: Claims) -> Reply:
    """Bring the job's scene into the store; whatever goes wrong is said, and the worker goes on."""
    try:
        with claims.held(job.scene_id) as is_mine:
            if not is_mine:
                return Reply("claimed", job.scene_id)
            if store.has(job.scene_id, job.with_shadow):
                return Reply("found", job.scene_id)
            return _rendered(job, blender, store)
    except OSError as error:
        return Reply("unwritable", job.scene_id, error.strerror or str(error))


def _rendered(job: Job, blender: Session, store: Store) -> Reply:
    """Raises OSError where the store cannot be written, and for nothing else."""
    from scenes import truth
    from scenes.scene_spec import from_plain

    try:
        spec = from_plain(job.spec)
        arrays = None if store.has(job.scene_id, with_shadow=False) else blender.render(spec)
        true = truth.of(spec) if job.with_shadow else None
    except Exception as error:  # a scene's fault is that scene's record, not the worker's end
        return Reply("failed", job.scene_id, f"{type(error).__name__}: {error}")
    if arrays is not None:
        store.write_image(job.scene_id, arrays, spec)
    if true is not None:
        store.write_truth(job.scene_id, true)
    return Reply("done", job.scene_id)


if __name__ == "__main__":
    main(sys.argv[1])
