"""Progress on stderr: a live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

_EVERY = 15.0  # s between plain lines


class Progress:
    """`with Progress("rendering") as progress: progress.step(done, total)`."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._bar: Bar | None = None
        self._last = time.monotonic()
        self._start = self._last
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(title, total=None)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def step(self, done: int, total: int, note: str = "") -> None:
        if self._bar:
            self._bar.start()  # with the first step, when the total is known
            self._bar.update(self._task, completed=done, total=total, description=f"{self.title} {note}".strip())
            return
        now = time.monotonic()
        if now - self._last >= _EVERY:
            self._last = now
            rate = done / max(now - self._start, 1e-9)
            left = (total - done) / rate if rate > 0 else 0.0
            print(f"{self.title}: {done}/{total} {note} ({rate:.1f}/s, {left:.0f} s left)", file=sys.stderr, flush=True)

    def render(self, done: int, failed: int, total: int) -> None:
        """The callback that scenes.renderer takes."""
        self.step(done, total, f"{failed} failed" if failed else "")
