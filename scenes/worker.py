"""`python -m scenes.worker STORE`: the process that holds Blender. It reads jobs from stdin, answers on the old stdout.

Cycles prints from C to file descriptor 1, so the protocol moves off it before bpy is imported. When stdin ends (the
owner is gone, killed or done) the worker ends too, so no worker outlives its owner by more than one scene.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path


def main(root: str) -> None:
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    # Blender sizes its thread pool by the cores it sees while loading; a pool larger than the one render thread spins
    # on sched_yield and takes a core from the next worker (measured: 1.7 times fewer scenes a second with two workers).
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})

    import psutil

    from scenes import shadow
    from scenes.blender.session import session
    from scenes.scene_spec import from_plain
    from scenes.store import Store
    from scenes.worker_protocol import Reply, decode_job, encode

    store, process = Store(Path(root)), psutil.Process()
    with session() as blender:
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), cores)
        answers.write(encode(Reply("ready", memory=process.memory_info().rss)))
        for line in sys.stdin.buffer:
            job = decode_job(line)
            start = time.perf_counter()
            try:
                spec = from_plain(job.spec)
                if not store.has(job.scene_id, with_shadow=False):
                    store.write_image(job.scene_id, blender.render(spec))
                if job.with_shadow:
                    store.write_shadow(job.scene_id, shadow.cast_shadow(spec), shadow.outside_shadow(spec))
                reply = Reply("done", job.scene_id)
            except OSError as error:
                reply = Reply("failed", job.scene_id, f"disk: {error.strerror or error}")
            except Exception as error:  # a scene's fault is that scene's record, not the worker's end
                reply = Reply("failed", job.scene_id, f"{type(error).__name__}: {error}")
            seconds, memory = time.perf_counter() - start, process.memory_info().rss
            answers.write(encode(Reply(reply.kind, reply.scene_id, reply.reason, seconds, memory)))


if __name__ == "__main__":
    main(sys.argv[1])
