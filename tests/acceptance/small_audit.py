"""A small audit, run as a user would, on scenes that are rendered once for all acceptance tests."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

from audit import cli, tables
from scenes.manifest import SCENES

PLANTED = "tests.models.planted"
DESIGN = (
    "experiment=smoke",
    "design.name=acceptance",
    "design.seeds=16",
    "design.factors.relation=[distinct]",
    "design.factors.light=[front,back,right_low]",
    "design.factors.cast_shadow=[soft]",
    "design.samples=2",
)
PLAIN = ("model.preprocessing.normalisation=fixed", "model.checkpoint=null")  # the planted networks read [0, 1]


@dataclass(frozen=True)
class Finished:
    """A run directory and its tables."""

    folder: Path
    exit_code: int

    def table(self, name: str):
        known = {t.name: t for t in (*tables.ALL, SCENES)}
        return known[name].read(self.folder)


def planted(name: str, *settings: str) -> tuple[str, ...]:
    """The settings that audit a planted network."""
    return ("model=user", f"model.architecture={PLANTED}.{name}", *PLAIN, *settings)


def audited(store: Path, outputs: Path, *settings: str) -> Finished:
    """Run the small audit in this process."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        code = cli.main(["run", *DESIGN, *settings, f"paths.store={store}", f"paths.outputs={outputs}"])
    assert code in (0, 5), said.getvalue()
    return Finished((outputs / "latest").resolve(), code)
