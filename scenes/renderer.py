"""Worker processes: scenes in, products in the store out, one clear record per scene that failed.

Each worker is a process that lives for hundreds of scenes. It is killed when a scene takes too long, replaced when its
memory grows past a limit or it dies; a scene that keeps failing is recorded with its reason, never dropped.
What was rendered stays in the store, so a killed run goes on where it was.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scenes.scene_spec import SceneSpec, to_plain
from scenes.store import Store
from scenes.worker_protocol import Job, Reply, decode_reply, encode

START_TIMEOUT = 120.0  # s for a worker to load Blender
Progress = Callable[[int, int, int], None]  # done, failed, total


class RenderError(RuntimeError):
    """Rendering cannot go on at all: no Blender, or a full disk."""


@dataclass(frozen=True)
class WorkerSettings:
    count: int = 2
    timeout: float = 60.0  # s for one scene
    memory_limit: float = 1.5e9  # bytes
    retries: int = 2


@dataclass
class RenderOutcome:
    rendered: int = 0
    cached: int = 0
    failed: dict[str, str] = field(default_factory=dict)  # scene_id -> reason
    seconds: float = 0.0  # of workers' time spent on scenes
    restarts: int = 0


def render(
    specs: Sequence[SceneSpec],
    store: Store,
    settings: WorkerSettings,
    with_shadow: bool = True,
    progress: Progress | None = None,
) -> RenderOutcome:
    """Bring every scene into the store, in the order given; what is there already is not rendered."""
    outcome = RenderOutcome()
    wanted = {spec.scene_id: spec for spec in specs}
    missing = {i: s for i, s in wanted.items() if not store.has(i, with_shadow)}
    outcome.cached = len(wanted) - len(missing)
    if missing:
        _Pool(missing, store, settings, with_shadow, outcome, progress).run()
    return outcome


class _Pool:
    """One thread per worker process; the queue and the outcome are shared under a lock."""

    def __init__(
        self,
        missing: Mapping[str, SceneSpec],
        store: Store,
        settings: WorkerSettings,
        with_shadow: bool,
        outcome: RenderOutcome,
        progress: Progress | None,
    ) -> None:
        self.queue = deque(missing)
        self.specs, self.store, self.settings = missing, store, settings
        self.with_shadow, self.outcome, self.progress = with_shadow, outcome, progress
        self.attempts = dict.fromkeys(missing, 0)
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.fatal: str | None = None

    def run(self) -> None:
        count = min(self.settings.count, len(self.specs))
        threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        if self.progress:
            self.progress(0, 0, len(self.specs))
        try:
            while any(t.is_alive() for t in threads):
                for thread in threads:
                    thread.join(0.2)
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join(10)
        if self.fatal:
            raise RenderError(self.fatal)

    def _serve(self) -> None:
        worker: _Worker | None = None
        try:
            while not self.stopping.is_set() and (scene_id := self._next()) is not None:
                if worker is None:
                    worker = self._start(scene_id)
                    if worker is None:
                        return
                job = Job(scene_id, to_plain(self.specs[scene_id]), self.with_shadow)
                reply = worker.ask(job, self.settings.timeout, self.stopping)
                self._record(scene_id, reply)
                if reply.kind == "lost" or reply.memory > self.settings.memory_limit:
                    worker.close()
                    worker = None
                    with self.lock:
                        self.outcome.restarts += 1
        finally:
            if worker is not None:
                worker.close()

    def _start(self, scene_id: str) -> _Worker | None:
        worker = _Worker(self.store.root)
        reply = worker.hear(START_TIMEOUT, self.stopping)
        if reply.kind == "ready":
            return worker
        worker.close()
        with self.lock:
            self.queue.appendleft(scene_id)
            self.fatal = self.fatal or f"a render worker does not start ({reply.reason}): run 'python -m audit doctor'"
        self.stopping.set()
        return None

    def _next(self) -> str | None:
        with self.lock:
            return self.queue.popleft() if self.queue else None

    def _record(self, scene_id: str, reply: Reply) -> None:
        with self.lock:
            if self.stopping.is_set() and reply.kind == "lost":
                return
            self.outcome.seconds += reply.seconds
            if reply.kind == "done":
                self.outcome.rendered += 1
            elif reply.reason.startswith("disk:"):
                self.fatal = f"the render store {self.store.root} cannot be written: {reply.reason[6:]}"
                self.stopping.set()
            elif self.attempts[scene_id] < self.settings.retries and reply.kind == "lost":
                self.attempts[scene_id] += 1
                self.queue.append(scene_id)
                return
            else:
                self.outcome.failed[scene_id] = reply.reason
            if self.progress:
                done = self.outcome.rendered + len(self.outcome.failed)
                self.progress(done, len(self.outcome.failed), len(self.specs))


class _Worker:
    """A `scenes.worker` process and the two ends of its pipes."""

    def __init__(self, root: Path) -> None:
        package_root = str(Path(__file__).resolve().parents[1])
        # -P and an explicit path: a folder named scenes/ or reports/ in the user's own directory must not shadow ours.
        environment = {**os.environ, "PYTHONPATH": package_root, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "scenes.worker", str(root.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is the owner's to handle
        )
        self.errors: deque[str] = deque(maxlen=5)
        self._drain = threading.Thread(target=self._read_errors, daemon=True)
        self._drain.start()
        self._buffer = b""

    def ask(self, job: Job, timeout: float, stopping: threading.Event) -> Reply:
        """Send a job and wait for its reply; kind 'lost' when the worker dies, is stopped, or takes too long."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(encode(job))
            self.process.stdin.flush()
        except BrokenPipeError:
            return self._lost()
        return self.hear(timeout, stopping)

    def hear(self, timeout: float, stopping: threading.Event) -> Reply:
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if stopping.is_set():
                    return Reply("lost", reason="stopped")
                if time.monotonic() > deadline:
                    return Reply("lost", reason=f"no answer within {timeout:g} s")
                if not selector.select(0.2):
                    continue
                chunk = os.read(self.process.stdout.fileno(), 65536)
                if not chunk:
                    return self._lost()
                self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        return decode_reply(line)

    def close(self) -> None:
        """Kill the process: it holds nothing that is not in the store, and a partial file is never renamed."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._drain.join(1)

    def _lost(self) -> Reply:
        code = self.process.wait()
        self._drain.join(1)
        said = self.errors[-1] if self.errors else "no message"
        return Reply("lost", reason=f"the worker ended with code {code}: {said}")

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                text = line.decode(errors="replace").strip()
                if text:
                    self.errors.append(text)
