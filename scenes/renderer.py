"""Worker processes: scenes in, products in the store out, one clear record per scene that failed.

Each worker is a process that lives for hundreds of scenes. It is killed when a scene takes too long or too much memory,
replaced when it has grown past a limit or died; a scene that keeps failing is recorded with its reason, never dropped.
What was rendered stays in the store, so a killed run goes on where it was; what another run renders now is waited for.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from scenes import rates
from scenes.scene_spec import SceneSpec, to_plain
from scenes.store import Store
from scenes.worker_protocol import Job, Reply, decode_reply, encode

START_TIMEOUT = 120.0  # s for a worker to load Blender
HARD_LIMIT = 2.0  # times the memory limit at which a worker is killed amid a scene; at the limit itself, after it
_LISTEN = 0.2  # s between looks at whether a worker is stopped, late, or too large
_AGAIN = 0.5  # s until a scene that another process renders is asked for again
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
    waited: int = 0  # scenes that another process rendered meanwhile
    failed: dict[str, str] = field(default_factory=dict)  # scene_id -> reason
    seconds: float = 0.0  # of workers' time spent on scenes
    restarts: int = 0
    largest_worker: int = 0  # bytes


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
        self.queue = deque((scene_id, 0.0) for scene_id in missing)  # and from when on it may be asked for
        self.specs, self.store, self.settings = missing, store, settings
        self.with_shadow, self.outcome, self.progress = with_shadow, outcome, progress
        self.attempts = dict.fromkeys(missing, 0)
        self.taken: dict[str, tuple[float, int]] = {}  # kind of scene -> seconds, scenes
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.fatal: str | None = None

    def run(self) -> None:
        self.store.sweep()
        count = min(self.settings.count, len(self.specs))
        threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        if self.progress:
            self.progress(0, 0, len(self.specs))
        try:
            while any(t.is_alive() for t in threads):
                for thread in threads:
                    thread.join(_LISTEN)
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join(10)
            rates.record(self.store.root, self.taken)
        if self.fatal:
            raise RenderError(self.fatal)

    def _serve(self) -> None:
        """One worker after another, until the queue is empty. Nothing that happens here may end the thread unsaid."""
        worker: _Worker | None = None
        try:
            while (scene_id := self._next()) is not None:
                if worker is None:
                    worker = self._start(scene_id)
                    if worker is None:
                        return
                job = Job(scene_id, to_plain(self.specs[scene_id]), self.with_shadow)
                reply = worker.ask(job, self.settings, self.stopping)
                self._record(scene_id, reply)
                if reply.kind == "lost" or reply.memory > self.settings.memory_limit:
                    worker.close()
                    worker = None
                    with self.lock:
                        self.outcome.restarts += 1
        except Exception as error:
            self._stop(f"rendering cannot go on: {type(error).__name__}: {error}")
        finally:
            if worker is not None:
                worker.close()

    def _start(self, scene_id: str) -> _Worker | None:
        for attempt in range(self.settings.retries + 1):
            worker = _Worker(self.store.root)
            reply = worker.hear(START_TIMEOUT, math.inf, self.stopping)
            if reply.kind == "ready":
                return worker
            killed = worker.process.poll() == -signal.SIGKILL  # where memory is short, another one may get through
            worker.close()
            if not killed or attempt == self.settings.retries or self.stopping.is_set():
                break
            with self.lock:
                self.outcome.restarts += 1
        with self.lock:
            self.queue.appendleft((scene_id, 0.0))
        self._stop(f"a render worker does not start ({reply.reason}): run 'python -m audit doctor'")
        return None

    def _stop(self, reason: str) -> None:
        with self.lock:
            self.fatal = self.fatal or reason
        self.stopping.set()

    def _next(self) -> str | None:
        """A scene to ask for; None when there is none left. Waits where all that are left are rendered elsewhere."""
        while not self.stopping.is_set():
            with self.lock:
                if not self.queue:
                    return None
                for _ in range(len(self.queue)):
                    scene_id, due = self.queue.popleft()
                    if due <= time.monotonic():
                        return scene_id
                    self.queue.append((scene_id, due))
            self.stopping.wait(_LISTEN)
        return None

    def _record(self, scene_id: str, reply: Reply) -> None:
        if reply.kind == "unwritable":
            self._stop(f"the render store {self.store.root} cannot be written: {reply.reason}")
        with self.lock:
            if self.stopping.is_set() and reply.kind in ("lost", "unwritable"):
                return
            outcome = self.outcome
            outcome.seconds += reply.seconds
            outcome.largest_worker = max(outcome.largest_worker, reply.memory)
            if reply.kind == "done":
                outcome.rendered += 1
                kind = rates.kind(self.specs[scene_id])
                seconds, scenes = self.taken.get(kind, (0.0, 0))
                self.taken[kind] = (seconds + reply.seconds, scenes + 1)
            elif reply.kind == "found":
                outcome.waited += 1
            elif reply.kind == "claimed":
                self.queue.append((scene_id, time.monotonic() + _AGAIN))
                return
            elif self.attempts[scene_id] < self.settings.retries and reply.kind == "lost":
                self.attempts[scene_id] += 1
                self.queue.append((scene_id, 0.0))
                return
            else:
                outcome.failed[scene_id] = reply.reason
            if self.progress:
                done = outcome.rendered + outcome.waited + len(outcome.failed)
                self.progress(done, len(outcome.failed), len(self.specs))


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

    def ask(self, job: Job, settings: WorkerSettings, stopping: threading.Event) -> Reply:
        """Send a job and wait for its reply; 'lost' when the worker dies, is stopped, or takes too long or too much."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(encode(job))
            self.process.stdin.flush()
        except BrokenPipeError:
            return self._lost()
        return self.hear(settings.timeout, HARD_LIMIT * settings.memory_limit, stopping)

    def hear(self, timeout: float, most: float, stopping: threading.Event) -> Reply:
        """The next reply within `timeout` s, while the process holds at most `most` bytes; else one of kind lost."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if stopping.is_set():
                    return Reply("lost", reason="stopped")
                if time.monotonic() > deadline:
                    return Reply("lost", reason=f"no answer within {timeout:g} s")
                if not selector.select(_LISTEN):
                    if self._memory() > most:
                        return Reply("lost", reason=f"took more than {most / 1e9:.3g} GB of memory")
                    continue
                chunk = os.read(self.process.stdout.fileno(), 65536)
                if not chunk:
                    return self._lost()
                self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        try:
            return decode_reply(line)
        except ValueError:
            return Reply("lost", reason="the worker said something that cannot be read")

    def _memory(self) -> int:
        """Bytes that the process holds; 0 when it is gone."""
        try:
            return int(psutil.Process(self.process.pid).memory_info().rss)
        except psutil.Error:
            return 0

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
        if code == -signal.SIGKILL:
            return Reply("lost", reason="the worker was killed from outside, perhaps for want of memory")
        return Reply("lost", reason=f"the worker ended with code {code}: {said}")

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                text = line.decode(errors="replace").strip()
                if text:
                    self.errors.append(text)
