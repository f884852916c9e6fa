"""doctor says what is there and what is lacking, each lack with its remedy."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from stand_ins import Stages

from audit import cli, doctor, environment
from audit.config import AuditConfig, PathsConfig


def test_a_missing_library_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_loads", lambda name: name != "libGL.so.1")
    line = doctor._libraries().line()
    assert line.startswith("LACK")
    assert line.endswith("missing libGL.so.1; as root, apt-get install libgl1")


def test_a_module_that_cannot_be_loaded_is_told_in_its_own_words() -> None:
    finding = doctor._imported("thing", "import no_such_module", "pip install thing")
    assert not finding.ok
    assert finding.detail == "ModuleNotFoundError: No module named 'no_such_module'"
    assert finding.remedy == "pip install thing"


def test_a_module_that_ends_its_process_does_not_end_this_one() -> None:
    assert not doctor._imported("thing", "import os; os.abort()", "").ok


def test_a_folder_is_tried_without_leaving_anything(tmp_path: Path) -> None:
    assert doctor._writable("store", "paths.store", str(tmp_path / "a" / "b")).ok
    assert list(tmp_path.iterdir()) == []
    assert not doctor._writable("store", "paths.store", "/proc/nowhere").ok


def test_more_workers_than_cores_are_advised_against() -> None:
    finding = doctor._machine(10_000)
    assert not finding.ok
    assert "renderer.workers=" in finding.remedy


def test_a_checkpoint_that_is_not_the_one_of_its_card_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    monkeypatch.setattr(doctor, "files", lambda _: tmp_path)
    assert "not there" in doctor._checkpoint().detail
    (folder / "proximity.safetensors").write_bytes(b"weights")
    (folder / "proximity.json").write_text(json.dumps({"sha256": hashlib.sha256(b"weights").hexdigest()}))
    assert doctor._checkpoint().ok
    (folder / "proximity.safetensors").write_bytes(b"others")
    assert not doctor._checkpoint().ok


@pytest.mark.usefixtures("stages")
@pytest.mark.parametrize("ok", [True, False])
def test_the_exit_code_says_whether_anything_lacks(
    ok: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = doctor.Finding("thing", ok, "is so", "" if ok else "mend it")
    monkeypatch.setattr(doctor, "examine", lambda _: [finding])
    assert cli.main(["doctor"]) == (0 if ok else 2)
    assert capsys.readouterr().out == finding.line() + "\n"


@pytest.mark.blender
@pytest.mark.skipif(not environment.renders(), reason="Blender exists for Python 3.11 alone")
def test_everything_is_looked_at_on_this_machine(tmp_path: Path) -> None:
    """The real thing: processes that import OpenCV and Blender."""
    paths = PathsConfig(str(tmp_path / "store"), str(tmp_path / "outputs"))
    findings = {f.name: f for f in doctor.examine(replace(AuditConfig(), device="cpu", paths=paths))}
    assert list(findings) == [
        "Python", "libraries", "OpenCV", "Blender", "torch", "machine", "store", "outputs", "checkpoint"
    ]  # fmt: skip
    assert findings["Blender"].detail.startswith("4.5")
    for name in ("Python", "libraries", "OpenCV", "torch", "store", "outputs"):
        assert findings[name].ok, findings[name].line()


def test_the_stand_ins_do_not_hide_the_real_configuration(stages: Stages) -> None:
    """The verbs' tests compose for real: only the stages are replaced."""
    assert cli.main(["plan", "seed=abc"]) == 2
    assert stages.calls == []
