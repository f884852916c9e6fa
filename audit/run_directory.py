"""The run directory: built aside, put in its place whole, never touched again.

While a run is under way its folder is `<outputs>/.<run id>.<pid>.partial`. A killed run leaves that folder, and the
next run removes it: what was worth keeping, the renders, is in the store.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

RUN_SCHEMA = 1  # of run.json


@contextmanager
def run_directory(outputs: Path, name: str) -> Iterator[tuple[Path, Path]]:
    """Yield (the folder to write to, the folder it will be); publish it when the block ends without an exception."""
    outputs.mkdir(parents=True, exist_ok=True)
    _sweep(outputs)
    working, final = _reserved(outputs / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}")
    try:
        yield working, final
    except BaseException:
        shutil.rmtree(working, ignore_errors=True)
        raise
    os.rename(working, final)
    _point_latest(outputs, final)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON atomically; NaN is refused, since it is no JSON."""
    text = json.dumps(content, indent=1, allow_nan=False, default=str) + "\n"
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text)
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _reserved(path: Path) -> tuple[Path, Path]:
    """The folder to write to and the one it will be: `path`, or with a number behind it where that is taken.

    Two runs may start at the same moment: whoever sees another's folder for the name that it just took leaves it.
    """
    final, number = path, 2
    while True:
        working = path.parent / f".{final.name}.{os.getpid()}.partial"
        if not final.exists() and not list(path.parent.glob(f".{final.name}.*.partial")):
            working.mkdir()
            # in this order: whoever is no longer under way when the folders are listed has its place by then
            if list(path.parent.glob(f".{final.name}.*.partial")) == [working] and not final.exists():
                return working, final
            working.rmdir()
        final, number = path.with_name(f"{path.name}-{number}"), number + 1


def _sweep(outputs: Path) -> None:
    """Remove what runs left that no longer live."""
    for folder in outputs.glob(".*.partial"):
        owner = folder.name.split(".")[-2]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _point_latest(outputs: Path, final: Path) -> None:
    link = outputs / f".latest.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(final.name)
    os.replace(link, outputs / "latest")
