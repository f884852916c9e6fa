"""The Makefile: what it lists, what it passes on, and which exit code it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def make(root: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")} | variables
    command = ["make", "-C", str(root), "--no-print-directory", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_help_lists_every_target_that_one_would_type(root: Path) -> None:
    listed = {line.split()[0] for line in make(root, "help").stdout.splitlines()}
    phony = re.search(r"^\.PHONY: (.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert listed == set(phony[1].split()) - {"environment"}
    assert make(root).stdout == make(root, "help").stdout


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Path:
    """The Makefile beside an interpreter that prints what it is given and ends as the test says."""
    shutil.copy(root / "Makefile", tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\nfor a in "$@"; do echo "[$a]"; done\nexit ${CODE:-0}\n')
    python.chmod(0o755)
    return tmp_path


def test_audit_passes_settings_on_with_their_quotes(folder: Path) -> None:
    done = make(folder, "audit", "-o", "environment", """ARGS=experiment=smoke 'model.checkpoint=~/my weights.pt'""")
    assert done.stdout.splitlines() == [
        "[-m]",
        "[audit]",
        "[run]",
        "[experiment=smoke]",
        "[model.checkpoint=~/my weights.pt]",
    ]
    assert done.returncode == 0


def test_regress_passes_the_checkpoint_on_and_shows_the_real_exit_code(folder: Path) -> None:
    asked = ("regress", "-o", "environment", "CHECKPOINT=my nets/epoch=3.pt", "ARGS=seed=1 confirm=false")
    done = make(folder, *asked, CODE="3")
    words = ["-m", "audit", "regress", "checkpoint=my nets/epoch=3.pt", "seed=1", "confirm=false"]
    assert done.stdout.splitlines() == [f"[{word}]" for word in words]
    assert "exit code 3" in done.stderr.splitlines()[0]


def test_audit_shows_the_real_exit_code(folder: Path) -> None:
    """make turns every one into 2."""
    done = make(folder, "audit", "-o", "environment", CODE="5")
    assert done.returncode == 2
    assert "exit code 5" in done.stderr.splitlines()[0]


def test_test_lints_first(root: Path) -> None:
    shown = make(root, "-n", "test", "-o", "environment").stdout
    order = [shown.index(tool) for tool in ("ruff check", "ruff format --check", "mypy", "lint-imports", "pytest")]
    assert order == sorted(order)


def test_a_machine_without_python_3_11_is_one_line_with_the_remedy(folder: Path, tmp_path: Path) -> None:
    """The lookup runs each candidate: a name that does not start a 3.11 does not count."""
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in ("sh", "make"):
        os.symlink(shutil.which(tool) or "", bare / tool)
    (bare / "python3").write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.13.5 && exit\nexit 1\n')
    (bare / "python3").chmod(0o755)
    done = make(folder, "audit", PATH=str(bare), CODE="1")
    assert done.returncode == 2
    assert "Python 3.11 is needed and was not found (python3 is Python 3.13.5)" in done.stderr.splitlines()[0]
    assert "apt-get install python3.11 python3.11-venv" in done.stderr


def test_continuous_integration_runs_make_test(root: Path) -> None:
    path = root / ".ci" / "run"
    assert os.access(path, os.X_OK)
    assert path.read_text().splitlines()[-1] == "exec make test"
