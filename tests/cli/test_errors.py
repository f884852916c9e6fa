"""What goes wrong ends in the exit code that is documented and in one line; a traceback is shown to those who ask."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from stand_ins import Stages

from audit import cli
from audit.cli import command_line
from audit.models import ModelError
from audit.schema import ConfigError
from scenes.design import DesignError
from scenes.table import TableError


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("the key"),
        DesignError("the level"),
        ModelError("the checkpoint"),
        TableError("the table"),
        PermissionError(errno.EACCES, "Permission denied", "outputs/x"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EROFS, "Read-only file system", "store/y"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_what_the_user_can_mend_is_one_line_and_exit_code_2(
    error: Exception, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    stages.error = error
    assert cli.main(["run"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("scene-audit: ")
    assert (error.args[0] if isinstance(error, ValueError) else os.strerror(error.errno)) in err  # type: ignore[attr-defined]
    assert not Path("outputs/error.log").exists()


def test_a_message_of_several_lines_becomes_one(stages: Stages, capsys: pytest.CaptureFixture[str]) -> None:
    stages.error = ModelError("missing keys:\n  a\n  b")
    assert cli.main(["run"]) == 2
    assert capsys.readouterr().err == "scene-audit: missing keys: a b\n"


@pytest.mark.parametrize("error", [ValueError("what?"), FileNotFoundError(errno.ENOENT, "gone"), AssertionError()])
def test_what_is_our_fault_is_exit_code_1_and_a_traceback_in_a_file_that_is_named(
    error: Exception, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    stages.error = error
    assert cli.main(["run", "seed=5"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    named = re.search(r"traceback in (\S+)", err)
    assert named is not None
    text = Path(named[1]).read_text()
    assert text.startswith("scene-audit run seed=5\n")
    assert "Traceback (most recent call last)" in text
    assert type(error).__name__ in text


def test_the_log_lies_with_the_outputs_that_were_typed(stages: Stages, capsys: pytest.CaptureFixture[str]) -> None:
    stages.error = RuntimeError("no")
    assert cli.main(["run", "paths.outputs=results"]) == 1
    assert "results/error.log" in capsys.readouterr().err
    assert Path("results/error.log").is_file()


@pytest.mark.parametrize(("error", "code"), [(RuntimeError("no"), 1), (ModelError("no"), 2)])
def test_debug_shows_the_traceback_at_once(
    error: Exception, code: int, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    stages.error = error
    assert cli.main(["run", "--debug"]) == code
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_an_interruption_is_130_and_says_how_to_go_on(stages: Stages, capsys: pytest.CaptureFixture[str]) -> None:
    stages.error = KeyboardInterrupt()
    assert cli.main(["run"]) == 130
    assert capsys.readouterr().err == "scene-audit: interrupted; run the same command again to go on\n"


@pytest.mark.parametrize("verb", ["run", "render", "train"])
@pytest.mark.parametrize("folder", ["/proc/nowhere", "a-file/below"])
def test_a_folder_that_cannot_be_written_is_told_before_any_work(
    verb: str, folder: str, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a-file").write_text("")
    key = {"run": "paths.outputs", "render": "paths.store", "train": "training.checkpoint"}[verb]
    value = f"{folder}/x.safetensors" if verb == "train" else folder
    assert cli.main([verb, f"{key}={value}"]) == 2
    err = capsys.readouterr().err
    assert f"{key}={value}: cannot be written" in err
    assert err.count("\n") == 1
    assert stages.calls == []


def test_a_reader_that_stops_reading_is_no_error(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    """`scene-audit plan | head -1`."""
    stages.error = BrokenPipeError(errno.EPIPE, "Broken pipe")
    monkeypatch.setattr(command_line, "_hush", lambda: None)
    assert cli.main(["plan"]) == 0
