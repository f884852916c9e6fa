"""An alarm is tried again on fresh scenes: shown again, refuted, left open, or not to be tried, and said as such."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tiny_runs import BLOCKS, MODEL, Says, TinyRun, other, settings, well

from audit.analysis.gate_measures import PLACE, Gate
from audit.analysis.gates import REGRESSION
from audit.config import AuditConfig
from audit.models.errors import ModelError
from audit.regression.comparing import Comparison, compare_runs
from audit.regression.confirming import CONFIRMED, NOT_CONFIRMED, NOT_TRIED, UNDECIDED, confirm
from audit.regression.kept_run import KeptRun, open_run
from audit.regression.outcome import gate_table, outcome_of, verdict_record

pytestmark = pytest.mark.usefixtures("read_once")
OLD, NEW = "old.safetensors", "new.safetensors"


def blind_at_centre_left(sensor: str, light: str, block: int) -> tuple[float, float]:
    hit, clear = well(sensor, light, block)
    return (0.2 if sensor == "centre_left" else hit), clear


@dataclass
class FreshAuditor:
    """Audits whose answers the test decides. says: checkpoint -> answers; asked: the configurations, in order."""

    root: Path
    says: Mapping[str, Says]
    digests: Mapping[str, str] = field(default_factory=lambda: {OLD: "0" * 64, NEW: "1" * 64})
    asked: list[AuditConfig] = field(default_factory=list)

    def audited(self, config: AuditConfig) -> KeptRun:
        self.asked.append(config)
        checkpoint = str(config.models[MODEL].checkpoint)
        if checkpoint not in self.says:
            raise ModelError(f"checkpoint {checkpoint} is gone")
        run = TinyRun(
            config,
            self.says[checkpoint],
            blocks=config.designs["tabletop"].seeds,
            prefix="fresh",
            entry={"sha256": self.digests[checkpoint]},
        )
        return open_run(run.write(self.root / f"fresh-{len(self.asked)}"))


def alarmed(root: Path) -> Comparison:
    """A candidate that sees nothing with one sensor."""
    old = TinyRun(settings(f"model.checkpoint={OLD}"))
    new = replace(other(old, says=blind_at_centre_left), config=settings(f"model.checkpoint={NEW}"))
    sides = [open_run(run.write(root / name)) for name, run in (("baseline", old), ("candidate", new))]
    found = compare_runs(sides[0], sides[1], old.config.comparison)
    assert found.alarms
    return found


def tried(root: Path, says: Mapping[str, Says], *typed: str, **more: object) -> tuple[Comparison, str, str, int]:
    """The first comparison, what fresh scenes say and why, and the exit code."""
    found, config = alarmed(root), settings(f"paths.outputs={root / 'outputs'}", *typed)
    auditor = FreshAuditor(root, says, **more)  # type: ignore[arg-type]
    second = confirm(found, config, auditor)  # type: ignore[arg-type]
    return found, second.state, second.reason, outcome_of(found, second, config.comparison).exit_code


def test_what_fresh_scenes_show_again_is_confirmed_and_stops_a_release(tmp_path: Path) -> None:
    _, state, reason, code = tried(tmp_path, {OLD: well, NEW: blind_at_centre_left})
    assert (state, reason, code) == (CONFIRMED, "", 3)


def test_what_they_show_to_be_within_the_margin_is_refuted(tmp_path: Path) -> None:
    _, state, _, code = tried(tmp_path, {OLD: well, NEW: well})
    assert (state, code) == (NOT_CONFIRMED, 0)


def test_too_few_of_them_tell_neither_and_nothing_is_waved_through(tmp_path: Path) -> None:
    _, state, reason, code = tried(tmp_path, {OLD: well, NEW: blind_at_centre_left}, "comparison.confirm_seeds=4")
    assert (state, code) == (UNDECIDED, 4)
    assert reason.endswith("scene seeds tell neither; more by comparison.confirm_seeds")


def test_an_alarm_that_fresh_scenes_do_not_speak_of_is_not_refuted(tmp_path: Path) -> None:
    found, config = alarmed(tmp_path), settings(f"paths.outputs={tmp_path / 'outputs'}")
    unseen = Gate(PLACE, "sensor_miss", "a sensor that is never occupied")
    first = next(c for c in found.all_gates if c.verdict == REGRESSION)
    more = replace(found, compared={MODEL: [*found.all_gates, replace(first, gate=unseen)]})
    second = confirm(more, config, FreshAuditor(tmp_path, {OLD: well, NEW: well}))  # type: ignore[arg-type]
    assert second.state == UNDECIDED


@pytest.mark.parametrize(
    ("says", "more", "reason"),
    [
        ({OLD: well}, {}, f"checkpoint {NEW} is gone"),
        ({OLD: well, NEW: well}, {"digests": {OLD: "0" * 64, NEW: "2" * 64}}, "is no longer the one that was audited"),
    ],
)
def test_what_cannot_be_tried_again_says_why_and_costs_exit_code_4(
    tmp_path: Path, says: Mapping[str, Says], more: Mapping[str, object], reason: str
) -> None:
    _, state, told, code = tried(tmp_path, says, **more)
    assert (state, code) == (NOT_TRIED, 4)
    assert reason in told


def test_switched_off_the_alarm_counts_as_it_stands(tmp_path: Path) -> None:
    _, state, _, code = tried(tmp_path, {}, "comparison.confirm=false")
    assert (state, code) == (NOT_TRIED, 3)


def test_both_checkpoints_see_the_same_fresh_scenes_as_many_as_the_design_has(tmp_path: Path) -> None:
    found, config = alarmed(tmp_path), settings(f"paths.outputs={tmp_path / 'outputs'}")
    auditor = FreshAuditor(tmp_path, {OLD: well, NEW: well})
    second = confirm(found, config, auditor)  # type: ignore[arg-type]
    assert [a.models[MODEL].checkpoint for a in auditor.asked] == [OLD, NEW]
    assert {a.seed for a in auditor.asked} == {second.seed}
    assert second.seed != config.seed
    assert {a.designs["tabletop"].seeds for a in auditor.asked} == {BLOCKS}
    again = confirm(found, config, auditor)  # type: ignore[arg-type]
    assert again.seed == second.seed, "trying again renders nothing"


def test_verdict_json_says_of_every_alarm_what_fresh_scenes_gave(tmp_path: Path) -> None:
    found, config = alarmed(tmp_path), settings(f"paths.outputs={tmp_path / 'outputs'}")
    second = confirm(found, config, FreshAuditor(tmp_path, {OLD: well, NEW: blind_at_centre_left}))  # type: ignore[arg-type]
    outcome = outcome_of(found, second, config.comparison)
    record = verdict_record(outcome, gate_table(outcome), "id")
    alarm = next(a for a in record["alarms"] if a["where"] == "centre_left")
    assert alarm["gate"] == "missed sensors of centre left"
    assert alarm["confirmed"] == CONFIRMED
    assert alarm["fresh_low"] <= alarm["fresh_difference"] <= alarm["fresh_high"]
    assert alarm["difference"] > alarm["margin"]
