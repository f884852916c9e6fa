"""The import contracts of pyproject.toml hold, cover every package, and would notice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

PACKAGES = ("audit", "scenes", "reports", "hydra_configs")


def settings(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    return found


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_package_of_ours_is_under_contract(root: Path) -> None:
    declared = settings(root)["tool"]["importlinter"]["root_packages"]
    folders = {path.parent.name for path in root.glob("*/__init__.py")}
    assert set(declared) == folders == set(PACKAGES)


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("scenes/store.py", "import torch", "The rendering side knows nothing"),
        ("scenes/renderer.py", "import scenes.worker", "The worker is a process"),
        ("scenes/checks.py", "import bpy", "Blender is imported by"),
        ("scenes/assets/lemon.py", "import bpy", "Blender is imported by"),
        ("audit/metrics/cells.py", "from audit import pipeline", "Analysis and metrics work on"),
        ("audit/pipeline.py", "import reports", "The page is made for the command line alone"),
        ("audit/pipeline.py", "import omegaconf", "Configuration is composed at the edge"),
        ("audit/parts.py", "from scenes.blender import build", "The audit runs without Blender"),
        ("reports/page.py", "import torch", "The page is made without"),
        ("reports/page.py", "from audit import run_directory", "Of the audit the page uses"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(file: str, line: str, broken: str, root: Path, tmp_path: Path) -> None:
    """A copy of the sources with one line more."""
    for package in PACKAGES:
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    changed = tmp_path / file
    changed.write_text(changed.read_text("utf-8") + f"\n\ndef _forbidden() -> None:\n    {line}\n", "utf-8")
    done = check(tmp_path)
    assert done.returncode != 0
    named = [text for text in done.stdout.splitlines() if "BROKEN" in text]
    assert any(text.startswith(broken) for text in named), done.stdout
