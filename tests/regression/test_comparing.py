"""Two finished runs held against each other: what they share, what they do not, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from tiny_runs import BLOCKS, MODEL, TinyRun, other, settings, well

from audit.analysis.gate_measures import CONDITION, MATCHED, OVERALL, PLACE, Gate
from audit.analysis.gates import IDENTICAL, PASS, REGRESSION
from audit.config import AuditConfig
from audit.regression.comparing import Comparison, compare_runs, gate_rows
from audit.regression.kept_run import open_run
from audit.schema import ConfigError
from audit.stages.gating import write_gate_values
from audit.tables import ATTENTION, EFFECTS, FAILURES, GATE_VALUES, GATES

pytestmark = pytest.mark.usefixtures("read_once")
MISS, ALARM = "sensor_miss", "sensor_false_alarm"


@pytest.fixture
def config() -> AuditConfig:
    return settings()


@pytest.fixture
def run(config: AuditConfig) -> TinyRun:
    return TinyRun(config)


def compared(baseline: TinyRun, candidate: TinyRun, root: Path) -> Comparison:
    sides = [open_run(r.write(root / name)) for name, r in (("baseline", baseline), ("candidate", candidate))]
    return compare_runs(sides[0], sides[1], baseline.config.comparison)


def of(found: Comparison, kind: str, metric: str, where: str = "") -> object:
    return next(c for c in found.all_gates if c.gate == Gate(kind, metric, where))


def blind_at_centre_left(sensor: str, light: str, block: int) -> tuple[float, float]:
    """Nothing that the centre-left sensor meets is seen."""
    hit, clear = well(sensor, light, block)
    return (0.2 if sensor == "centre_left" else hit), clear


class TestTheSameAnswers:
    def test_of_the_same_weights_every_difference_is_zero_and_the_verdict_pass(
        self, run: TinyRun, tmp_path: Path
    ) -> None:
        found = compared(run, run, tmp_path)
        assert found.verdict == PASS
        assert {c.note for c in found.all_gates} == {IDENTICAL}
        assert {c.difference[0] for c in found.all_gates} == {0.0}
        assert found.alarms == {}
        assert found.notes == ()

    def test_of_other_weights_too(self, run: TinyRun, tmp_path: Path) -> None:
        found = compared(run, other(run), tmp_path)
        assert found.verdict == PASS
        assert {c.difference[0] for c in found.all_gates} == {0.0}

    def test_another_threshold_is_said_and_at_equal_false_alarms_it_is_of_no_matter(
        self, run: TinyRun, tmp_path: Path
    ) -> None:
        found = compared(run, other(run, entry={"threshold": 0.95}), tmp_path)
        assert f"{MODEL}: operating threshold 0.500 became 0.950." in found.notes
        assert of(found, OVERALL, MISS).candidate == 1.0  # at its own threshold it sees nothing
        assert of(found, MATCHED, MISS).difference[0] == 0.0


class TestAWorseCheckpoint:
    def test_is_a_regression_at_the_sensor_that_suffers_and_at_no_other(self, run: TinyRun, tmp_path: Path) -> None:
        found = compared(run, other(run, says=blind_at_centre_left), tmp_path)
        alarmed = [c for c in found.all_gates if c.verdict == REGRESSION]
        assert {c.gate.where for c in found.all_gates if c.gate.kind == PLACE and c.difference[0] > 0} == {
            "centre_left"
        }
        assert found.verdict == REGRESSION or not alarmed

    def test_every_row_of_gates_says_what_was_compared(self, run: TinyRun, tmp_path: Path) -> None:
        found = compared(run, other(run, says=blind_at_centre_left), tmp_path)
        table = gate_rows(found)
        GATES.write(table, tmp_path)  # refuses what the table does not declare
        assert len(table) == len(found.all_gates)
        row = table[(table["kind"] == PLACE) & (table["metric"] == MISS) & (table["where"] == "centre_left")].iloc[0]
        assert row["candidate"] - row["baseline"] == pytest.approx(row["difference"])
        assert row["ci_low"] <= row["difference"] <= row["ci_high"]
        assert (row["n"], row["margin"]) == (BLOCKS // 2, 0.1)

    def test_only_the_gates_that_are_asked_for_are_judged(self, run: TinyRun, tmp_path: Path) -> None:
        baseline = open_run(run.write(tmp_path / "baseline"))
        candidate = open_run(other(run, says=blind_at_centre_left).write(tmp_path / "candidate"))
        gate = Gate(OVERALL, MISS)
        found = compare_runs(baseline, candidate, run.config.comparison, only={MODEL: [gate]})
        (c,) = found.all_gates
        assert (c.gate, c.p_holm) == (gate, c.p)


class TestAnswersThatAreNoNumbers:
    def test_count_as_the_worst_there_is_and_not_as_scenes_that_are_not_there(
        self, run: TinyRun, tmp_path: Path
    ) -> None:
        def breaks_in_back_light(sensor: str, light: str, block: int) -> tuple[float, float]:
            return (np.nan, np.nan) if light == "back" else well(sensor, light, block)

        found = compared(run, other(run, says=breaks_in_back_light), tmp_path)
        miss = of(found, OVERALL, MISS)
        assert (miss.n, miss.verdict) == (BLOCKS // 2, REGRESSION)
        assert miss.candidate > 0.5


class TestAtEqualFalseAlarms:
    def test_one_stray_alarm_of_a_candidate_whose_baseline_has_none_is_no_catastrophe(
        self, run: TinyRun, tmp_path: Path
    ) -> None:
        def quiet(sensor: str, light: str, block: int) -> tuple[float, float]:
            return 0.9, 0.1

        def stray(sensor: str, light: str, block: int) -> tuple[float, float]:
            return 0.9, (0.99 if (sensor, light, block) == ("right", "front", 0) else 0.1)

        found = compared(replace(run, says=quiet), other(run, says=stray), tmp_path)
        assert of(found, MATCHED, MISS).difference[0] == 0.0


class TestFailureConditions:
    def tables(self, *failing: str) -> dict[str, pd.DataFrame]:
        """Effects of both contrasts, and those of `failing` as failure conditions."""
        every = ["light=back", "light=front"]
        effects = pd.DataFrame([_row(EFFECTS, contrast=c, test="t", is_failure=c in failing) for c in every])
        failures = pd.DataFrame([_row(FAILURES, condition=c, finding_id=f"F-{c}") for c in failing])
        return {"effects": effects, "failures": failures if failing else FAILURES.empty()}

    def test_of_either_run_get_a_gate_and_a_state(self, run: TinyRun, tmp_path: Path) -> None:
        baseline = replace(run, **self.tables("light=front"))
        found = compared(baseline, other(run, **self.tables("light=back")), tmp_path)
        assert {c.gate.where for c in found.all_gates if c.gate.kind == CONDITION} == {"light=back", "light=front"}
        states = found.states.set_index("condition")["state"].to_dict()
        assert states == {"light=back": "new", "light=front": "fixed"}

    def test_those_that_the_candidates_answers_picked_pay_for_all_that_were_judged(
        self, run: TinyRun, tmp_path: Path
    ) -> None:
        baseline = replace(run, **self.tables("light=front"))
        found = compared(baseline, other(run, **self.tables("light=back")), tmp_path)
        assert of(found, CONDITION, MISS, "light=back").chosen_from == 2
        assert of(found, CONDITION, MISS, "light=front").chosen_from == 1  # the baseline's was known before

    def test_one_that_alarmed_is_judged_on_fresh_scenes_where_it_fails_in_neither(
        self, run: TinyRun, tmp_path: Path
    ) -> None:
        baseline = open_run(replace(run, **self.tables()).write(tmp_path / "baseline"))
        blind = other(run, says=blind_at_centre_left, **self.tables())
        candidate = open_run(blind.write(tmp_path / "candidate"))
        gate = Gate(CONDITION, MISS, "light=back")
        found = compare_runs(baseline, candidate, run.config.comparison, only={MODEL: [gate]})
        (c,) = found.all_gates
        assert (c.gate, c.chosen_from, c.verdict) == (gate, 1, REGRESSION)


class TestWhatIsNotShared:
    def test_other_seeds_are_left_out_and_counted(self, run: TinyRun, tmp_path: Path) -> None:
        found = compared(run, other(run, blocks=BLOCKS - 4), tmp_path)
        (shared,) = found.shared
        assert (shared.shared, shared.baseline, shared.candidate) == (56, 64, 56)
        assert any("only those are compared" in note for note in found.notes)
        assert of(found, OVERALL, ALARM).n == BLOCKS - 4

    def test_cells_that_one_run_could_not_render_are_left_out_of_both(self, run: TinyRun, tmp_path: Path) -> None:
        lost = [c for c in run.scenes()["cell_id"] if c.startswith("c1-")]  # all of one light
        found = compared(run, other(run, lost=lost, says=blind_at_centre_left), tmp_path)
        assert found.shared[0].shared == BLOCKS
        half = compared(replace(run, lost=lost), other(run, lost=lost, says=blind_at_centre_left), tmp_path / "both")
        numbers = [[(c.gate, c.baseline, c.difference) for c in f.all_gates] for f in (found, half)]
        assert numbers[0] == numbers[1]

    def test_maps_in_another_schema_are_left_out_with_the_reason(self, run: TinyRun, tmp_path: Path) -> None:
        sides = [run.write(tmp_path / "baseline"), other(run).write(tmp_path / "candidate")]
        path = sides[0] / f"{ATTENTION.name}.parquet"
        table = pq.read_table(path)
        pq.write_table(table.replace_schema_metadata({"table": ATTENTION.name, "schema_version": "1"}), path)
        found = compare_runs(*(open_run(side) for side in sides), run.config.comparison)
        assert any(note.startswith("attention is not compared") and "schema" in note for note in found.notes)
        assert found.verdict == PASS

    def test_other_preprocessing_is_said(self, run: TinyRun, tmp_path: Path) -> None:
        fed = settings("model.preprocessing.channels=bgr")
        found = compared(run, other(run, config=fed), tmp_path)
        assert f"{MODEL} is fed otherwise than its baseline: channels rgb became bgr." in found.notes

    def test_runs_without_a_common_scene_end_in_one_line(self, run: TinyRun, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="share no scene") as refused:
            compared(run, other(run, prefix="other-"), tmp_path)
        assert "\n" not in str(refused.value)

    def test_a_model_alone_in_either_run_is_compared_whatever_it_is_called(self, run: TinyRun, tmp_path: Path) -> None:
        found = compared(run, other(run, model="mine"), tmp_path)
        assert found.models == {"mine": MODEL}
        assert f"mine is compared with {MODEL}, the only model of the baseline." in found.notes

    def test_models_of_other_tasks_end_in_one_line(self, run: TinyRun, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="share no model") as refused:
            compared(run, other(run, model="mine", entry={"task": "classification"}), tmp_path)
        assert "\n" not in str(refused.value)


def test_every_gate_value_is_the_mean_over_blocks_that_a_plain_double_loop_gives(
    run: TinyRun, config: AuditConfig, tmp_path: Path
) -> None:
    effects = pd.DataFrame([_row(EFFECTS, contrast="light=back", test="t", is_failure=True)])
    folder = replace(run, effects=effects).write(tmp_path / "run")
    adapter = SimpleNamespace(task=SimpleNamespace(name="proximity", scene_set="tabletop"), threshold=0.5)
    write_gate_values(config, {MODEL: adapter}, folder)  # type: ignore[dict-item]
    table = GATE_VALUES.read(folder)
    assert set(table["kind"]) == {OVERALL, PLACE, CONDITION}
    for row in table[table["metric"].isin([MISS, ALARM])].itertuples():
        lights = [row.where.partition("=")[2]] if row.kind == CONDITION else ["front", "back"]
        sensors = [row.where] if row.kind == PLACE else list(_SENSORS)
        blocks = []
        for block in range(BLOCKS):
            cells = []
            for light in lights:
                said = [_event(row.metric, s, light, block) for s in sensors]
                counted = [v for v in said if v is not None]
                cells += [sum(counted) / len(counted)] if counted else []
            blocks += [sum(cells) / len(cells)] if cells else []
        assert row.n == len(blocks), row
        assert row.mean == pytest.approx(sum(blocks) / len(blocks), abs=1e-9), row


_SENSORS = ("left", "centre_left", "centre", "centre_right", "right")


def _event(metric: str, sensor: str, light: str, block: int) -> float | None:
    """Whether a sensor is missed, or gives a false alarm; None where it cannot."""
    hit, clear = well(sensor, light, block)
    is_occupied = block % 4 in (0, 2) and sensor in _SENSORS[:3]
    if metric == MISS:
        return float(hit < 0.5) if is_occupied else None
    return None if is_occupied else float(clear >= 0.5)


def _row(table: object, **values: object) -> dict[str, object]:
    """A row of a table: of one model's missed sensors, with what it does not matter to say filled in."""
    fill = {"str": "", "int": 1, "float": 0.1, "bool": False}
    row = {column: fill[kind] for column, kind in table.columns.items()}  # type: ignore[attr-defined]
    usual = {"model": MODEL, "metric": MISS, "method": "-", "region": "-"}
    return {**row, **{k: v for k, v in usual.items() if k in row}, **values}
