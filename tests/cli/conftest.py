"""A command line whose stages are stand-ins, in an empty folder."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from stand_ins import Stages

import audit


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read_once: None) -> Stages:
    """Stand-in stages, in an empty current folder."""
    found = Stages()
    for name, verbs in {"pipeline": ("run", "render"), "estimate": ("plan",), "training": ("train",)}.items():
        module = ModuleType(f"audit.{name}")
        for verb in verbs:
            setattr(module, verb, getattr(found, verb))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(audit, name, module, raising=False)
    page = ModuleType("reports")
    page.write_report = found.write_report  # type: ignore[attr-defined]
    page.write_scene = found.write_scene  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "reports", page)
    before = ModuleType("audit.regression.history")
    before.keep_history = found.keep_history  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, before.__name__, before)
    monkeypatch.chdir(tmp_path)
    return found
