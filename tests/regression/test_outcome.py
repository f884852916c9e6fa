"""What a comparison comes to: its exit code where scenes lack, what its last screen says first, and the way back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import BLOCKS, MODEL, TinyRun, other, settings, well

from audit import help_text
from audit.composition import compose
from audit.regression.auditing import Auditor
from audit.regression.verbs import compare

pytestmark = pytest.mark.usefixtures("read_once")


def blind(sensor: str, light: str, block: int) -> tuple[float, float]:
    """Nothing is seen."""
    return 0.2, well(sensor, light, block)[1]


@pytest.fixture
def run() -> TinyRun:
    return TinyRun(settings())


def compared(
    baseline: TinyRun, candidate: TinyRun, root: Path, *typed: str, lacking: str = ""
) -> tuple[list[str], int, dict[str, Any]]:
    """Lines, exit code and verdict.json of `compare`. lacking: the side of which 40 of 64 cells could be used."""
    words = ["confirm=false", "comparison.diagnose=false", f"paths.outputs={root / 'outputs'}", *typed]
    for side, of in (("baseline", baseline), ("candidate", candidate)):
        folder = of.write(root / side)
        verdict = {"exit_code": 5 if side == lacking else 0, "coverage": {"planned": 64, "usable": 40}}
        (folder / "verdict.json").write_text(json.dumps(verdict))
        words.append(f"{side}={folder}")
    lines, code = compare(words, compose, Auditor(), None)
    (folder,) = (f for f in (root / "outputs" / "comparisons").iterdir() if f.is_dir() and not f.is_symlink())
    return lines, code, json.loads((folder / "verdict.json").read_text())


class TestARunThatLacksScenes:
    @pytest.mark.parametrize("side", ["baseline", "candidate"])
    def test_costs_exit_code_5_and_is_named(self, side: str, run: TinyRun, tmp_path: Path) -> None:
        lines, code, record = compared(run, other(run), tmp_path, lacking=side)
        assert (code, record["exit_code"], record["verdict"]) == (5, 5, "insufficient coverage")
        assert record["notes"] == [f"In the {side}'s run only 40 of 64 cells could be used."]
        assert lines[0] == "verdict   insufficient coverage: the gates pass, but too few scenes of a run could be used"
        assert f"note      {record['notes'][0]}" in lines

    def test_leaves_what_could_not_be_told_inconclusive(self, run: TinyRun, tmp_path: Path) -> None:
        few = "comparison.min_blocks=100"
        _, code, record = compared(run, other(run, says=blind), tmp_path, few, lacking="candidate")
        assert (code, record["verdict"]) == (5, "inconclusive")

    def test_does_not_hide_a_regression(self, run: TinyRun, tmp_path: Path) -> None:
        _, code, record = compared(run, other(run, says=blind), tmp_path, lacking="candidate")
        assert (code, record["verdict"]) == (3, "regression")
        assert record["notes"][0].startswith("In the candidate's run only")

    def test_whole_runs_cost_nothing(self, run: TinyRun, tmp_path: Path) -> None:
        _, code, record = compared(run, other(run), tmp_path)
        assert (code, record["verdict"], record["notes"]) == (0, "pass", [])


def test_how_few_cells_are_compared_is_said_before_what_else_differs(run: TinyRun, tmp_path: Path) -> None:
    candidate = other(run, blocks=BLOCKS - 4, entry={"architecture": "other", "threshold": 0.6})
    candidate = replace(candidate, config=settings("model.preprocessing.channels=bgr"))
    lines, _, record = compared(run, candidate, tmp_path)
    notes = [line.removeprefix("note      ") for line in lines if line.startswith("note")]
    assert notes == record["notes"][:3]
    assert notes[0].startswith("tabletop: 56 cells are in both runs")
    assert len(record["notes"]) == 4, "each once"
    assert len(lines) <= 15


@pytest.mark.parametrize(
    "typed",
    [
        [],
        ["comparison.margins.sensor_miss=0.2", "comparison.local_margins.sensor_miss=0.3"],
        ["comparison.alpha=0.01", "comparison.margins.brier=0.5", "~comparison.local_margins.top1"],
    ],
)
def test_the_same_again_is_typed_with_every_rule_that_was(typed: list[str], run: TinyRun, tmp_path: Path) -> None:
    _, _, record = compared(run, other(run), tmp_path, *typed)
    sides, rules = record["again"][:2], record["again"][2:]
    assert sides == ["baseline=baseline", "candidate=candidate"]
    assert sorted(rules) == sorted([*typed, "comparison.confirm=false", "comparison.diagnose=false"])
    again = compose(["experiment=regression", *rules]).comparison
    assert (dict(again.margins), dict(again.local_margins), again.alpha) == (
        record["rules"]["margins"],
        record["rules"]["local_margins"],
        record["rules"]["alpha"],
    )
    assert MODEL in record["models"]


def test_the_help_says_all_that_costs_exit_codes_4_and_5() -> None:
    told = " ".join(" ".join(help_text.lines("audit")).split())
    assert "an alarm that fresh scenes neither confirm nor refute or that could not be tried on them" in told
    assert "compare, regress, watch: in either run" in told
