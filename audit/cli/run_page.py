"""What finishes a run's folder before it is published: the checkpoints before it, and its page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from audit.config import PathsConfig


def run_page(paths: PathsConfig) -> Callable[[Path], None]:
    """Writes, into a complete folder, HISTORY and STEPS of its checkpoints among the runs in `paths.outputs`, and the
    page."""
    outputs, store = Path(paths.outputs), Path(paths.store)

    def finish(folder: Path) -> None:
        from audit.regression.history import keep_history
        from reports import write_report

        keep_history(folder, outputs)
        write_report(folder, store)

    return finish
