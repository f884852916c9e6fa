"""The recipes of docs/scheduling.md work as they stand there: each is taken out of the page and tried."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from audit import cli
from audit.composition import compose
from audit.regression.verbs import taken_apart

# an interpreter that says what it was given, makes a comparison as `regress` does, and ends as the test says
FAKE = """#!/bin/sh
for a in "$@"; do echo "[$a]" >> "$CALLS"; done
echo "new.safetensors  12345678  regression  outputs/comparisons/x"
echo "old.safetensors  87654321  pass (known)  outputs/comparisons/w"
folder=outputs/comparisons/20300101T000000Z-regression
mkdir -p "$folder"
for name in verdict.json junit.xml summary.md gates.csv; do echo "of $name" > "$folder/$name"; done
echo "compared  $folder"
echo "compared  $folder"
exit ${CODE:-0}
"""


@pytest.fixture(scope="module")
def page(request: pytest.FixtureRequest) -> str:
    return (request.config.rootpath / "docs" / "scheduling.md").read_text("utf-8")


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found, language
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with `auditing` in it, and the interpreter in its environment and on the path."""
    for place in (tmp_path / "auditing" / ".venv" / "bin", tmp_path / "bin"):
        place.mkdir(parents=True)
        (place / "python").write_text(FAKE)
        (place / "python").chmod(0o755)
    return tmp_path


def environment(home: Path, **more: str) -> dict[str, str]:
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "CALLS": str(home / "calls"), **more}


def calls(home: Path) -> list[str]:
    return [line[1:-1] for line in (home / "calls").read_text().splitlines()]


def commands(page: str) -> list[list[str]]:
    """Every `python -m audit VERB ...` of the page, as words."""
    found = re.findall(r"python -m audit ((?:run|accept|regress|watch) [^\n|]+)", page)
    return [shlex.split(re.split(r"\s2?>", line)[0], comments=True) for line in found]


@pytest.mark.usefixtures("read_once")
def test_every_command_of_the_page_can_be_typed(page: str) -> None:
    found = commands(page)
    assert {words[0] for words in found} == {"run", "accept", "regress", "watch"}
    own = {"regress": ("checkpoint",), "watch": ("checkpoints_dir", "once", "every", "settle"), "accept": ("reason",)}
    for verb, *typed in found:
        assert verb in cli.VERBS
        words = taken_apart(typed, own.get(verb, ()), bare=3 if verb == "accept" else 0)
        assert compose(words.settings).experiment == "regression"


class TestCron:
    def line(self, page: str) -> str:
        (block,) = blocks(page, "cron")
        (line,) = [line for line in block.splitlines() if line and not re.match(r"#|\w+=", line)]
        return line

    def test_the_line_has_five_fields_in_range_and_no_sign_that_cron_reads_otherwise(self, page: str) -> None:
        *fields, command = self.line(page).split(maxsplit=5)
        for field, (low, high) in zip(fields, ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7)), strict=True):
            found = re.fullmatch(r"(\*|\d+(?:-\d+)?(?:,\d+)*)(?:/(\d+))?", field)
            assert found, field
            assert all(low <= int(n) <= high for n in re.findall(r"\d+", found[1]))
            assert 1 <= int(found[2] or 1) <= high
        assert "%" not in command, "cron ends a command at one"

    def test_its_command_tells_what_is_new_and_nothing_known(self, page: str, home: Path) -> None:
        command = self.line(page).split(maxsplit=5)[5]
        done = subprocess.run(
            ["sh", "-c", command], env=environment(home), cwd="/", capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        assert done.stdout.splitlines()[0] == "new.safetensors  12345678  regression  outputs/comparisons/x"
        assert "known" not in done.stdout
        assert calls(home) == ["-m", "audit", "watch", "checkpoints_dir=checkpoints", "once=true"]
        assert (home / "auditing" / "watch.log").is_file()


class TestSystemd:
    def units(self, page: str, folder: Path) -> dict[str, Path]:
        """The unit files of the page, written to a folder."""
        found = {}
        for block in blocks(page, "ini"):
            name = re.match(r"# (\S+)\n", block)
            assert name is not None
            found[name[1]] = folder / name[1]
            found[name[1]].write_text(block)
        assert set(found) == {"scene-audit.service", "scene-audit.timer"}
        return found

    def read(self, path: Path) -> configparser.ConfigParser:
        parser = configparser.ConfigParser(interpolation=None, strict=True)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(path.read_text())
        return parser

    def test_the_service_runs_the_command_in_its_folder(self, page: str, home: Path) -> None:
        service = self.read(self.units(page, home)["scene-audit.service"])["Service"]
        assert service["Type"] == "oneshot", "so that the timer never starts it twice"
        folder = service["WorkingDirectory"].replace("%h", str(home))
        words = shlex.split(service["ExecStart"].replace("%h", str(home)))
        assert Path(words[0]).is_absolute()
        done = subprocess.run(words, cwd=folder, env=environment(home, CODE="3"), capture_output=True, check=False)
        assert done.returncode == 3
        assert calls(home) == ["-m", "audit", "watch", "checkpoints_dir=checkpoints", "once=true"]

    def test_the_timer_is_installed_and_names_when(self, page: str, home: Path) -> None:
        units = self.units(page, home)
        timer = self.read(units["scene-audit.timer"])
        assert units["scene-audit.timer"].stem == units["scene-audit.service"].stem, "a timer starts its namesake"
        assert timer["Install"]["WantedBy"] == "timers.target"
        if shutil.which("systemd-analyze") is not None:
            asked = ["systemd-analyze", "calendar", timer["Timer"]["OnCalendar"]]
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert "00/10" in done.stdout

    def test_systemd_finds_no_fault_in_the_units(self, page: str, home: Path) -> None:
        if shutil.which("systemd-analyze") is None:
            pytest.skip("needs systemd-analyze")
        units = self.units(page, home)
        for unit in units.values():  # verify reads %h of whoever runs it
            unit.write_text(unit.read_text().replace("%h", str(home)))
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *map(str, units.values())],
            capture_output=True,
            text=True,
            check=False,
        )
        said = [line for line in (done.stdout + done.stderr).splitlines() if "scene-audit" in line]
        assert said == []
        assert done.returncode == 0, done.stderr


class TestGitHubActions:
    @pytest.fixture
    def workflow(self, page: str) -> dict[Any, Any]:
        (block,) = blocks(page, "yaml")
        found = yaml.safe_load(block)
        assert isinstance(found, dict)
        return found

    def steps(self, workflow: dict[Any, Any]) -> dict[str, dict[str, Any]]:
        """The steps by their names, or by what they use."""
        (job,) = workflow["jobs"].values()
        return {step.get("name", step.get("uses")): step for step in job["steps"]}

    def test_every_script_is_one_that_bash_reads(self, workflow: dict[Any, Any]) -> None:
        scripts = [step["run"] for step in self.steps(workflow).values() if "run" in step]
        assert len(scripts) == 3
        for script in scripts:
            done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")

    def ran(self, workflow: dict[Any, Any], name: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
        """A step's script as the service runs it: bash that stops at the first fault."""
        files = {n: str(home / n) for n in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        told = environment(home, CHECKPOINT="checkpoints/my net.pt", **files, **more)
        script = self.steps(workflow)[name]["run"]
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return subprocess.run(command, env=told, cwd=home, capture_output=True, text=True, check=False)

    @pytest.mark.parametrize("code", ["0", "3"])
    def test_the_evidence_is_kept_and_the_verdict_ends_the_job(
        self, code: str, workflow: dict[Any, Any], home: Path
    ) -> None:
        done = self.ran(workflow, "regress", home, CODE=code)
        assert done.returncode == 0, done.stderr
        assert calls(home) == ["-m", "audit", "regress", "checkpoint=checkpoints/my net.pt"]
        assert (home / "GITHUB_STEP_SUMMARY").read_text() == "of summary.md\n", "once, though it is named twice"
        assert (home / "GITHUB_OUTPUT").read_text() == f"code={code}\n"
        kept = sorted(p.name for p in (home / "evidence").rglob("*") if p.is_file())
        assert kept == ["junit.xml", "summary.md", "verdict.json"]
        assert self.ran(workflow, "verdict", home, CODE=code).returncode == int(code)

    def test_a_checkpoint_that_was_compared_with_nothing_is_no_fault(
        self, workflow: dict[Any, Any], home: Path
    ) -> None:
        (home / "bin" / "python").write_text("#!/bin/sh\necho 'verdict   no baseline'\n")
        done = self.ran(workflow, "regress", home)
        assert done.returncode == 0, done.stderr
        assert (home / "GITHUB_OUTPUT").read_text() == "code=0\n"

    def test_the_store_and_the_evidence_are_kept_even_where_the_job_fails(self, workflow: dict[Any, Any]) -> None:
        steps = self.steps(workflow)
        names = list(steps)
        fetched, saved, kept = (
            steps[name]
            for name in (
                "fetch the render store and earlier runs",
                "keep the render store and the runs",
                "keep the evidence",
            )
        )
        assert fetched["with"]["path"] == saved["with"]["path"] == "store\noutputs\n"
        assert saved["with"]["key"].startswith(fetched["with"]["restore-keys"])
        assert saved["if"] == kept["if"] == "always()"
        assert names.index("verdict") == len(names) - 1
        assert {Path(p).name for p in kept["with"]["path"].split()} >= {"verdict.json", "junit.xml", "summary.md"}
