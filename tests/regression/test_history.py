"""History is what the finished runs of a folder say about one suite; it keeps nothing of its own but its page."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from kept_histories import FAILING, MODEL, config_text, keep_run, sha, stamp, suite

from audit import cli
from audit.regression.history import History, history, keep_history
from audit.schema import ConfigError
from audit.tables import GATE_VALUES, HISTORY, STEPS

MISSES = (0.30, 0.31, 0.29, 0.30, 0.31, 0.30, 0.12, 0.11, 0.12, 0.10, 0.11, 0.12)  # better from the seventh on


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve checkpoints, one a day; from the seventh on the condition that failed is no failure any more."""
    outputs = tmp_path_factory.mktemp("history")
    for day, miss in enumerate(MISSES, start=1):
        effects = {FAILING: 0.2 if day < 7 else 0.02}
        keep_run(outputs, stamp(day), sha(day), miss, effects=effects, checkpoint=f"night_{day}.safetensors")
    return outputs


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """Three checkpoints of one suite."""
    for day in (1, 2, 3):
        keep_run(tmp_path, stamp(day), sha(day), 0.1 * day)
    return tmp_path


def read(outputs: Path, model: str | None = None) -> History:
    return history(outputs, suite(outputs), model, False)


def misses(found: History) -> list[tuple[str, float]]:
    """(run, missed sensors) over all scenes, in order."""
    rows = found.values[(found.values["kind"] == "overall")].sort_values("position")
    return [(str(r), round(float(m), 3)) for r, m in zip(rows["run_id"], rows["mean"], strict=True)]


def test_a_gate_is_a_series_over_checkpoints_with_what_run_json_says_of_each(outputs: Path) -> None:
    found = read(outputs)
    assert misses(found) == [(stamp(1), 0.1), (stamp(2), 0.2), (stamp(3), 0.3)]
    last = found.values[found.values["position"] == 2].iloc[0]
    assert (last["sha256"], last["name"], last["checkpoint"]) == (sha(3), "proximity 00000003", "proximity.safetensors")
    assert last["created"] == "20261103T120000Z"
    assert list(found.values.columns) == list(HISTORY.columns)
    assert found.left_out == ()


def test_of_several_runs_of_a_checkpoint_the_newest_counts_and_stands_where_the_first_did(outputs: Path) -> None:
    keep_run(outputs, stamp(9), sha(1), 0.15)
    assert misses(read(outputs)) == [(stamp(9), 0.15), (stamp(2), 0.2), (stamp(3), 0.3)]


def test_runs_of_other_settings_scenes_or_experiments_are_not_compared_and_named_with_the_reason(outputs: Path) -> None:
    keep_run(outputs, stamp(4), sha(4), 0.9, text=config_text("seed=7"))
    keep_run(outputs, stamp(5), sha(5), 0.9, shown=("a", "another"))
    keep_run(
        outputs,
        stamp(6, "smoke"),
        sha(6),
        0.9,
        text=config_text().replace("experiment: regression", "experiment: smoke"),
    )
    keep_run(outputs, stamp(7), sha(7), 0.4)
    found = read(outputs)
    assert [run for run, _ in misses(found)] == [stamp(n) for n in (1, 2, 3, 7)]
    reasons = {o.folder: o.reason for o in found.left_out}
    assert "other settings" in reasons[stamp(4)]
    assert "other scenes" in reasons[stamp(5)]
    assert reasons[stamp(6, "smoke")] == "not comparable: experiment smoke"
    assert len(reasons) == 3


def test_only_finished_runs_count(outputs: Path) -> None:
    """One under way, the link to the newest, and folders that are no runs are nothing to speak of."""
    shutil.copytree(outputs / stamp(3), outputs / f".{stamp(8)}.4711.partial")
    (outputs / "latest").symlink_to(stamp(3))
    (outputs / "comparisons").mkdir()
    halved = outputs / stamp(9)
    shutil.copytree(outputs / stamp(3), halved)
    (halved / "run.json").unlink()
    found = read(outputs)
    assert len(misses(found)) == 3
    assert [o.folder for o in found.left_out] == [stamp(9)]
    assert "run.json" in found.left_out[0].reason


def test_files_that_cannot_be_read_are_passed_over_and_named(outputs: Path) -> None:
    name = f"{GATE_VALUES.name}.parquet"
    for day in (4, 5, 6, 7):
        keep_run(outputs, stamp(day), sha(day), 0.4)
    (outputs / stamp(4) / name).write_bytes(b"no parquet")
    whole = (outputs / stamp(5) / name).read_bytes()
    (outputs / stamp(5) / name).write_bytes(whole[:4] + 400 * b"\xff" + whole[404:])  # head and foot are in order
    frame = pd.read_parquet(outputs / stamp(6) / name)
    frame.to_parquet(outputs / stamp(6) / name)  # without its schema version
    (outputs / stamp(7) / name).unlink()
    found = read(outputs)
    assert [run for run, _ in misses(found)] == [stamp(1), stamp(2), stamp(3)]
    reasons = {o.folder: o.reason for o in found.left_out}
    assert sorted(reasons) == [stamp(day) for day in (4, 5, 6, 7)]
    assert "schema" in reasons[stamp(6)]
    assert "not there" in reasons[stamp(7)]
    assert all("\n" not in reason and str(outputs) not in reason for reason in reasons.values())


def test_without_runs_it_says_what_would_give_some(tmp_path: Path, outputs: Path) -> None:
    with pytest.raises(ConfigError, match="no finished run of experiment=regression"):
        read(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="of another_model"):
        read(outputs, "another_model")


def test_settings_that_no_run_has_are_not_replaced_by_others(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["history", f"paths.outputs={outputs}", "seed=5"]) == 2
    assert "with these settings" in capsys.readouterr().err


def test_the_verb_prints_a_line_per_gate_the_one_with_a_step_first(
    twelve: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["history", f"paths.outputs={twelve}", f"model={MODEL}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 25
    assert lines[0].startswith("history   12 checkpoints, experiment regression, 2 gates; attention")
    assert "missed sensors" in lines[1]
    assert "step after night_6: -" in lines[1]
    assert "better" in lines[1]
    overall = next(line for line in lines if line.startswith("  missed sensors  "))
    assert "30 % -> 12 %" in overall
    assert "best 10 % at night_10" in overall
    assert overall.count("step after") == 1
    attention = next(line for line in lines if "IoU" in line)
    assert "step" not in attention
    assert lines.index(attention) == 3, "below the gates"
    assert lines[-1] == f"page      {twelve / 'history' / 'index.html'}"


def test_it_leaves_a_page_and_its_tables_and_no_database(twelve: Path) -> None:
    cli.main(["history", f"paths.outputs={twelve}"])
    folder = twelve / "history"
    kept = {"index.html", "history.parquet", "history.csv", "steps.parquet", "steps.csv"}
    assert {p.name for p in folder.iterdir()} == kept
    steps = STEPS.read(folder)
    assert set(steps["position"]) == {6}
    assert {p.name for p in twelve.iterdir()} == {"history", *(stamp(day) for day in range(1, 13))}


def test_few_runs_are_shown_without_looking_for_steps(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["history", f"paths.outputs={outputs}"]) == 0
    assert "steps     not looked for: 3 runs, 8 needed" in capsys.readouterr().out.splitlines()


def test_what_is_left_out_is_named_on_the_terminal(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is left out for one reason is told in one line."""
    for day in range(4, 10):
        keep_run(outputs, stamp(day), sha(day), 0.9, shown=("a", "moved" if day < 6 else f"other{day}"))
    keep_run(outputs, stamp(10), sha(10), 0.4)
    assert cli.main(["history", f"paths.outputs={outputs}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if line.startswith("left out  ")]
    assert told[0].startswith("left out  2 folders: not comparable: other scenes")
    assert told[1].startswith(f"left out  {stamp(6)}: not comparable: other scenes")
    assert len(told) == 3
    assert "  and 2 more reasons, on the page" in lines
    assert len(lines) <= 25


@pytest.mark.slow
def test_two_at_once_leave_one_whole_history(outputs: Path) -> None:
    """Real processes, which write the same files."""
    command = [sys.executable, "-m", "audit", "history", f"paths.outputs={outputs}"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert told[0] == told[1]
    assert len(HISTORY.read(outputs / "history")) == 3 * 4
    assert [p.name for p in outputs.glob(".*")] == []


class TestOfOneRun:
    """What a run keeps for its page, before it is published."""

    @pytest.fixture
    def under_way(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return keep_run(tmp_path_factory.mktemp("aside"), stamp(4), sha(4), 0.4, checkpoint="new.safetensors")

    def test_it_is_the_last_of_the_checkpoints_before_it(self, outputs: Path, under_way: Path) -> None:
        keep_history(under_way, outputs)
        kept = HISTORY.read(under_way)
        rows = kept[kept["kind"] == "overall"].sort_values("position")
        assert list(rows["run_id"]) == [stamp(day) for day in (1, 2, 3, 4)]
        assert rows["name"].iloc[-1] == "new"
        assert STEPS.read(under_way).empty

    def test_the_first_of_its_settings_keeps_nothing(self, tmp_path: Path, outputs: Path, under_way: Path) -> None:
        keep_history(under_way, tmp_path / "none yet")
        other = keep_run(tmp_path, stamp(5), sha(5), 0.4, text=config_text("seed=5"))
        keep_history(other, outputs)
        for folder in (under_way, other):
            assert not (folder / "history.parquet").exists()

    def test_the_same_checkpoint_again_is_not_a_second_one(self, tmp_path: Path) -> None:
        outputs, aside = tmp_path / "outputs", tmp_path / "aside"
        keep_run(outputs, stamp(1), sha(1), 0.1)
        again = keep_run(aside, stamp(2), sha(1), 0.1)
        keep_history(again, outputs)
        assert not (again / "history.parquet").exists()

    def test_an_unreadable_run_beside_it_spoils_nothing(self, outputs: Path, under_way: Path) -> None:
        (outputs / stamp(2) / f"{GATE_VALUES.name}.parquet").write_bytes(b"no parquet")
        keep_history(under_way, outputs)
        assert HISTORY.read(under_way)["position"].max() == 2

    def test_a_run_over_pictures_has_none(self, outputs: Path, under_way: Path) -> None:
        (under_way / f"{GATE_VALUES.name}.parquet").unlink()
        (under_way / "scenes.parquet").unlink()
        keep_history(under_way, outputs)
        assert not (under_way / "history.parquet").exists()
