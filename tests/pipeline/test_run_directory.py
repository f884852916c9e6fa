"""A run directory is whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from audit.run_directory import run_directory, write_json


def test_a_finished_run_stands_under_its_name_and_is_the_latest(tmp_path: Path) -> None:
    with run_directory(tmp_path, "smoke") as (folder, final):
        (folder / "table").write_text("rows")
        assert not final.exists()
    assert (final / "table").read_text() == "rows"
    assert (tmp_path / "latest").resolve() == final.resolve()
    assert final.name.endswith("Z-smoke")


def test_a_failed_run_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with run_directory(tmp_path, "smoke") as (folder, _):
            (folder / "half").write_text("a row")
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_swept_away_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    dead, living = tmp_path / ".old.4194305.partial", tmp_path / f".other.{os.getppid()}.partial"
    dead.mkdir()
    living.mkdir()
    with run_directory(tmp_path, "smoke"):
        pass
    assert not dead.exists()
    assert living.exists()


def test_two_runs_that_start_in_one_second_have_two_names(tmp_path: Path) -> None:
    with run_directory(tmp_path, "smoke") as (_, first), run_directory(tmp_path, "smoke") as (_, second):
        assert first != second
    assert first.is_dir()
    assert second.is_dir()


def test_many_that_start_at_the_same_moment_have_a_name_each(tmp_path: Path, root: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from audit.run_directory import run_directory\n"
        "for _ in range(40):\n"
        "    with run_directory(Path(sys.argv[1]), 'smoke') as (folder, final): (folder / 'of').write_text(final.name)"
    )
    started = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=root) for _ in range(3)]
    assert [process.wait(timeout=120) for process in started] == [0, 0, 0]
    found = [path for path in tmp_path.iterdir() if not path.is_symlink()]
    assert len(found) == 120
    assert all((path / "of").read_text() == path.name for path in found)


def test_json_with_a_value_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "verdict.json", {"value": float("nan")})
    assert not (tmp_path / "verdict.json").exists()
