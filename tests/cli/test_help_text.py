"""The help shows all there is, and shows it fast."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from audit import cli, help_text, schema
from audit.composition import compose, groups
from scenes.assets import ASSETS
from scenes.factors import REGISTRY


@pytest.fixture(scope="module")
def text() -> str:
    return "\n".join(help_text.lines("scene-audit"))


def test_examples_come_first(text: str) -> None:
    assert text.index("\nexamples\n") < text.index("\nverbs\n") < text.index("\nsettings")


def test_every_verb_part_factor_level_and_setting_is_there(text: str) -> None:
    assert set(cli.VERBS) - {"version"} <= {line.split()[0] for line in text.splitlines() if line.startswith("  ")}
    for group, options in groups().items():
        for name in options:
            assert f"{group}={name}" in text
    for scene_set, factors in REGISTRY.items():
        for factor in factors.values():
            for level in factor.LEVELS:
                assert f"  {scene_set}, {factor.NAME}: {level} " in text
    for name in ASSETS:
        assert name in text.partition("\nobjects of the studio")[2].partition("\n\n")[0]
    for key, comment in schema.fields():
        if key not in ("experiment", "model.name"):
            assert f"  {key}=" in text, key
            assert not comment or comment.split()[0] in text


def test_a_setting_is_shown_with_its_default_its_comment_and_its_range(text: str) -> None:
    line = next(line for line in text.splitlines() if line.startswith("  design.samples="))
    assert line.startswith("  design.samples=16 ")
    assert line.endswith("  Cycles samples per pixel, one number within a design [1 to 65536]")


def test_a_level_that_is_not_compared_with_the_control_says_with_which(text: str) -> None:
    assert "that sun through a blind; compared with unblocked\n" in text


# verb -> its own words, which are no settings
OWN = {
    "accept": ("latest", "as", "golden", "reason"),
    "epochs": ("folder",),
    "regress": ("checkpoint",),
    "watch": ("checkpoints_dir", "once"),
}


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize("example", [typed for typed, _ in help_text._EXAMPLES if not typed.startswith("report")])
def test_every_example_can_be_typed_as_it_stands(example: str) -> None:
    verb, *typed = shlex.split(example)
    assert verb in cli.VERBS
    assert compose([word for word in typed if word.partition("=")[0] not in OWN.get(verb, ())]).models


def test_lines_fit_a_terminal(text: str) -> None:
    too_long = [line for line in text.splitlines() if len(line) > 120 and "={" not in line]
    assert too_long == []


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize("typed", [["help"], ["--help"], ["run", "-h"], ["run", "seed=abc", "--help"]])
def test_help_is_given_wherever_it_is_asked_for(typed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(typed) == 0
    assert "examples" in capsys.readouterr().out


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.strip()


def test_help_loads_neither_torch_nor_pandas(root: Path, tmp_path: Path) -> None:
    """In a real process, from another folder, with the name it can be called by."""
    program = "import sys, runpy\nsys.argv = ['audit', 'help']\nfrom audit.cli import main\ncode = main()\n"
    program += "assert not {'torch', 'pandas', 'bpy'} & set(sys.modules), 'heavy'\nsys.exit(code)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "scene-audit run experiment=smoke" in done.stdout


def test_a_mistake_on_the_real_command_line_is_exit_code_2(root: Path) -> None:
    """`python -m audit`, as the Makefile calls it."""
    command = [sys.executable, "-m", "audit", "run", "experiment=smok"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "did you mean 'smoke'" in done.stderr
