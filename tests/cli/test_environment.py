"""The environment of the Makefile: made once from the lock, made again when the lock changes, never taken for whole
when it is not. What is installed is a stand-in: the real one takes minutes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from audit import environment


class Installer:
    """Takes the place of subprocess.run: makes the folder that venv would make, and answers with `codes`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ran: list[str] = []
        self.fails_at: str | None = None
        self.error: BaseException | None = None

    def __call__(self, command: Sequence[str], **_: Any) -> SimpleNamespace:
        step = "venv" if "venv" in command else "pip" if "pip" in command else "probe"
        self.ran.append(step)
        if step == "venv":
            (self.folder / "bin").mkdir(parents=True)
            (self.folder / "made").write_text("")
        if step == "pip" and self.error is not None:
            raise self.error
        return SimpleNamespace(returncode=int(step == self.fails_at))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".venv"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text("a==1 --hash=sha256:00\n")
    return path


@pytest.fixture
def installer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:
    found = Installer(folder)
    monkeypatch.setattr(environment.subprocess, "run", found)
    monkeypatch.setattr(environment, "problem", lambda: None)
    return found


def test_it_is_installed_from_the_lock_and_then_left_alone(folder: Path, lock: Path, installer: Installer) -> None:
    assert environment.main(folder, lock) == 0
    assert installer.ran == ["venv", "pip"]
    assert environment.main(folder, lock) == 0
    assert installer.ran == ["venv", "pip", "probe"]


def test_a_changed_lock_makes_it_anew(folder: Path, lock: Path, installer: Installer) -> None:
    environment.main(folder, lock)
    (folder / "left over").write_text("")
    lock.write_text("a==2 --hash=sha256:01\n")
    assert environment.main(folder, lock) == 0
    assert installer.ran == ["venv", "pip"] * 2
    assert not (folder / "left over").exists()


def test_another_python_makes_it_anew(
    folder: Path, lock: Path, installer: Installer, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.main(folder, lock)
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    assert environment.main(folder, lock) == 0
    assert installer.ran == ["venv", "pip"] * 2


def test_an_interpreter_that_no_longer_runs_makes_it_anew(folder: Path, lock: Path, installer: Installer) -> None:
    environment.main(folder, lock)
    installer.fails_at = "probe"
    assert environment.main(folder, lock) == 0
    assert installer.ran == ["venv", "pip", "probe", "venv", "pip"]


def test_an_interrupted_installation_is_not_taken_for_whole(folder: Path, lock: Path, installer: Installer) -> None:
    installer.error = KeyboardInterrupt()
    assert environment.main(folder, lock) == 130
    installer.error = None
    assert environment.main(folder, lock) == 0
    assert installer.ran == ["venv", "pip", "venv", "pip"]


def test_a_failed_installation_is_one_line_more_and_not_taken_for_whole(
    folder: Path, lock: Path, installer: Installer, capsys: pytest.CaptureFixture[str]
) -> None:
    installer.fails_at = "pip"
    assert environment.main(folder, lock) == 2
    assert "failed, see above" in capsys.readouterr().err.splitlines()[-1]
    assert not (folder / environment.STAMP).exists()


def test_a_missing_system_library_is_one_line_with_the_remedy(
    folder: Path, lock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "_loads", lambda name: name not in ("libGL.so.1", "libXi.so.6"))
    assert environment.main(folder, lock) == 2
    expected = "missing system libraries libGL.so.1, libXi.so.6: as root, apt-get install libgl1 libxi6\n"
    assert capsys.readouterr().err == expected
    assert not folder.exists()


def test_a_newer_python_needs_no_library_of_blender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    monkeypatch.setattr(environment, "_loads", lambda name: name in environment.OPENCV_LIBRARIES)
    assert environment.problem() is None


def test_an_older_python_is_one_line_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    found = environment.problem()
    assert found is not None
    assert "this is 3.9.2" in found
    assert "apt-get install python3.11 python3.11-venv" in found


def test_a_missing_venv_module_is_one_line_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a Debian without python3.11-venv."""
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    found = environment.problem()
    assert found is not None
    assert found.endswith(f"apt-get install python{sys.version_info[0]}.{sys.version_info[1]}-venv")


def test_a_library_that_does_not_exist_is_missing() -> None:
    """The check itself can fail."""
    assert not environment._loads("libof-no-such-name.so.1")


def test_it_runs_before_anything_is_installed(root: Path) -> None:
    """An interpreter without any package (-S) comes as far as the lock."""
    program = "import sys; import audit.environment; print(sorted(m for m in sys.modules if m.startswith('audit')))"
    done = subprocess.run([sys.executable, "-S", "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['audit', 'audit.environment']", done.stderr
