"""`regress`: a checkpoint is judged once, against the golden baseline and the one before it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from small_regression import CopyingAuditor, shipped, suite, write_checkpoint

from audit.models.errors import ModelError
from audit.regression.baselines import accept
from audit.regression.kept_run import KeptRun, open_run
from audit.regression.ledger import Held, Ledger, Record
from audit.regression.regressing import Judged, Suite, overall, record_lines, regress
from audit.schema import ConfigError
from scenes.manifest import SCENES

pytestmark = pytest.mark.blender


@pytest.fixture
def ledger(small_suite: Suite) -> Ledger:
    return Ledger(small_suite.outputs)


def judged(path: Path, suite: Suite, ledger: Ledger) -> Judged:
    found = regress(str(path), suite, ledger)
    assert found is not None
    return found


def accepted(record: Record, ledger: Ledger, tmp_path: Path, name: str = "golden") -> KeptRun:
    run = open_run(ledger.outputs / record.run_id)
    accept(run, name, "a release", tmp_path / "baselines")
    return run


def test_the_first_checkpoint_passes_without_a_baseline_and_says_how_to_make_it_one(
    small_suite: Suite, ledger: Ledger, tmp_path: Path
) -> None:
    found = judged(write_checkpoint(tmp_path / "a.safetensors"), small_suite, ledger)
    assert (found.record.verdict, found.record.exit_code, found.record.comparisons) == ("no baseline", 0, ())
    lines = record_lines(found, ledger.outputs)
    assert lines[-1].startswith(f"accept    accept {found.record.run_id} as golden reason=")
    assert not (ledger.outputs / "comparisons").exists()


def test_a_checkpoint_is_audited_once_and_told_again(
    small_suite: Suite, ledger: Ledger, auditor: CopyingAuditor, tmp_path: Path
) -> None:
    first = judged(write_checkpoint(tmp_path / "a.safetensors"), small_suite, ledger)
    again = judged(write_checkpoint(tmp_path / "same weights.safetensors"), small_suite, ledger)
    assert (first.is_known, again.is_known) == (False, True)
    assert again.record == first.record
    assert auditor.asked == ["a.safetensors"]


def test_both_the_golden_baseline_and_the_one_before_are_compared(
    small_suite: Suite, ledger: Ledger, tmp_path: Path
) -> None:
    one, two, three = (write_checkpoint(tmp_path / f"{n}.safetensors", n) for n in (1, 2, 3))
    golden = accepted(judged(one, small_suite, ledger).record, ledger, tmp_path)
    before = judged(two, small_suite, ledger).record
    found = judged(three, small_suite, ledger).record
    against = [(h.against, h.baseline) for h in found.comparisons]
    assert against == [("golden", golden.run_id), ("previous", before.run_id)]
    folders = {ledger.outputs / "comparisons" / h.folder for h in found.comparisons}
    assert len(folders) == 2
    assert all((folder / name).is_file() for folder in folders for name in ("verdict.json", "junit.xml", "summary.md"))


def test_where_the_one_before_is_the_golden_one_they_are_compared_once(
    small_suite: Suite, ledger: Ledger, tmp_path: Path
) -> None:
    accepted(judged(write_checkpoint(tmp_path / "a.safetensors", 1), small_suite, ledger).record, ledger, tmp_path)
    found = judged(write_checkpoint(tmp_path / "b.safetensors", 2), small_suite, ledger).record
    assert len({h.folder for h in found.comparisons}) == 1


def test_a_worse_checkpoint_is_a_regression_and_names_what_alarmed(
    small_suite: Suite, ledger: Ledger, auditor: CopyingAuditor, tmp_path: Path
) -> None:
    auditor.faulty = ("bad.safetensors",)
    accepted(judged(write_checkpoint(tmp_path / "a.safetensors", 1), small_suite, ledger).record, ledger, tmp_path)
    found = judged(write_checkpoint(tmp_path / "bad.safetensors", 2), small_suite, ledger)
    assert (found.record.verdict, found.record.exit_code) == ("regression", 3)
    lines = record_lines(found, ledger.outputs)
    assert any("worse by" in line for line in lines)
    assert len(lines) <= 15
    after = judged(write_checkpoint(tmp_path / "c.safetensors", 3), small_suite, ledger).record
    golden, before = after.comparisons
    assert (golden.alarms, before.alarms, after.exit_code) == ((), (), 0), "better than the one before"


def test_what_was_judged_is_judged_again_when_the_golden_baseline_changes(
    small_suite: Suite, ledger: Ledger, auditor: CopyingAuditor, tmp_path: Path
) -> None:
    one, two = (write_checkpoint(tmp_path / f"{n}.safetensors", n) for n in (1, 2))
    first = judged(one, small_suite, ledger).record
    later = judged(two, small_suite, ledger).record
    accepted(later, ledger, tmp_path)
    again = judged(one, small_suite, ledger)
    assert not again.is_known
    assert [h.against for h in again.record.comparisons] == ["golden"], "the second came after the first"
    assert again.record.first == first.first
    assert auditor.asked == ["1.safetensors", "2.safetensors"]


def test_other_settings_are_another_record(small_suite: Suite, auditor: CopyingAuditor, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "a.safetensors")
    ledger = Ledger(small_suite.outputs)
    judged(path, small_suite, ledger)
    stricter = suite(auditor, tmp_path, "comparison.alpha=0.01")
    other_scenes = suite(auditor, tmp_path, "seed=7")
    assert not judged(path, stricter, ledger).is_known
    assert not judged(path, other_scenes, ledger).is_known
    assert auditor.asked == ["a.safetensors"] * 2, "another alpha asks for no other audit"
    assert len(list((ledger.outputs / "regressions").glob("*.json"))) == 3


def test_the_same_weights_at_another_threshold_are_judged_again(
    small_suite: Suite, ledger: Ledger, auditor: CopyingAuditor, tmp_path: Path
) -> None:
    """The threshold stands in the card beside the file."""
    path = write_checkpoint(tmp_path / "a.safetensors")
    for threshold, known in ((0.4, False), (0.4, True), (0.6, False)):
        path.with_suffix(".json").write_text(json.dumps({"threshold": threshold}))
        assert judged(path, small_suite, ledger).is_known == known
    assert len(auditor.asked) == 2


@pytest.mark.parametrize("fault", ["truncated", "NaN", "another architecture", "pickled"])
def test_a_broken_checkpoint_is_recorded_with_its_reason(
    fault: str, small_suite: Suite, ledger: Ledger, tmp_path: Path
) -> None:
    path, says = broken(tmp_path, fault)
    small_suite = dataclasses.replace(small_suite, auditor=Refusing())
    found = judged(path, small_suite, ledger)
    assert (found.record.state, found.record.verdict, found.record.exit_code) == ("broken", "broken", 2)
    assert says in found.record.reason
    (kept,) = ledger.all()
    assert kept == found.record
    assert says in record_lines(found, ledger.outputs)[-1]


class Refusing:
    """Loads the network as an audit does, and goes no further."""

    def audited(self, config: object) -> KeptRun:
        from audit.loading import load_models

        load_models(config)  # type: ignore[arg-type]
        raise AssertionError("it was loaded")


def broken(folder: Path, fault: str) -> tuple[Path, str]:
    path = folder / "broken.pt"
    weights = shipped()
    if fault == "truncated":
        path = write_checkpoint(folder / "broken.safetensors")
        path.write_bytes(path.read_bytes()[:5000])
        return path, "truncated"
    if fault == "NaN":
        torch.save({key: value * float("nan") for key, value in weights.items()}, path)
        return path, "NaN or infinite weights"
    if fault == "another architecture":
        torch.save({"layer.weight": torch.zeros(3)}, path)
        return path, "does not fit the architecture"
    torch.save(torch.nn.Linear(2, 2), path)
    return path, "pickled object"


def test_a_checkpoint_that_is_not_there_or_none_is_refused_without_a_record(
    small_suite: Suite, ledger: Ledger, tmp_path: Path
) -> None:
    write_checkpoint(tmp_path / "epoch_1.safetensors")
    with pytest.raises(ModelError, match=r"did you mean epoch_1\.safetensors"):
        regress(str(tmp_path / "epoch_2.safetensors"), small_suite, ledger)
    with pytest.raises(ModelError, match="no file of weights"):
        regress(str(tmp_path / "notes.txt"), small_suite, ledger)
    assert ledger.all() == []


def test_a_checkpoint_that_changes_while_it_is_audited_is_not_recorded(
    small_suite: Suite, ledger: Ledger, auditor: CopyingAuditor, tmp_path: Path
) -> None:
    path = write_checkpoint(tmp_path / "a.safetensors", 1)

    class Replacing:
        def audited(self, config: object) -> KeptRun:
            write_checkpoint(path, 2)
            return auditor.audited(config)  # type: ignore[arg-type]

    with pytest.raises(ConfigError, match="changed while it was being audited"):
        regress(str(path), dataclasses.replace(small_suite, auditor=Replacing()), ledger)
    assert ledger.all() == []


def test_a_run_that_was_deleted_is_made_again(
    small_suite: Suite, ledger: Ledger, auditor: CopyingAuditor, tmp_path: Path
) -> None:
    path = write_checkpoint(tmp_path / "a.safetensors")
    first = judged(path, small_suite, ledger).record
    shutil.rmtree(ledger.outputs / first.run_id)
    assert not judged(path, small_suite, ledger).is_known
    assert len(auditor.asked) == 2


def test_a_run_deleted_under_it_is_one_line_and_no_record(
    small_suite: Suite, ledger: Ledger, auditor: CopyingAuditor, tmp_path: Path
) -> None:
    class Deleting:
        def audited(self, config: object) -> KeptRun:
            run = auditor.audited(config)  # type: ignore[arg-type]
            shutil.rmtree(run.folder)
            return run

    small_suite = dataclasses.replace(small_suite, auditor=Deleting())
    with pytest.raises(ConfigError, match="run the same command again"):
        regress(str(write_checkpoint(tmp_path / "a.safetensors")), small_suite, ledger)
    assert ledger.all() == []


def test_the_one_before_whose_run_is_gone_gives_way_to_the_one_before_that(
    small_suite: Suite, ledger: Ledger, tmp_path: Path
) -> None:
    one, two, three = (write_checkpoint(tmp_path / f"{n}.safetensors", n) for n in (1, 2, 3))
    first = judged(one, small_suite, ledger).record
    shutil.rmtree(ledger.outputs / judged(two, small_suite, ledger).record.run_id)
    (held,) = judged(three, small_suite, ledger).record.comparisons
    assert (held.against, held.baseline) == ("previous", first.run_id)


def test_too_few_scenes_cost_exit_code_5(
    small_suite: Suite, ledger: Ledger, auditor: CopyingAuditor, tmp_path: Path
) -> None:
    auditor.lacking = ("a.safetensors",)
    found = judged(write_checkpoint(tmp_path / "a.safetensors"), small_suite, ledger).record
    assert (found.verdict, found.exit_code) == ("insufficient coverage", 5)


def test_so_do_too_few_of_the_run_it_is_held_against(
    small_suite: Suite, ledger: Ledger, auditor: CopyingAuditor, tmp_path: Path
) -> None:
    auditor.lacking = ("a.safetensors",)
    accepted(judged(write_checkpoint(tmp_path / "a.safetensors", 1), small_suite, ledger).record, ledger, tmp_path)
    found = judged(write_checkpoint(tmp_path / "b.safetensors", 2), small_suite, ledger)
    assert (found.record.verdict, found.record.exit_code) == ("insufficient coverage", 5)
    lines = record_lines(found, ledger.outputs)
    assert "note      In the baseline's run only 40 of 64 cells could be used." in lines
    assert not any(line.startswith("accept") for line in lines)


def lose(run: KeptRun, cells: int) -> None:
    """As if the first cells of a run had not been rendered."""
    scenes = SCENES.read(run.folder)
    factors = scenes.attrs["factors"]
    scenes.loc[scenes.index[:cells], ["status", "reason"]] = ["failed", "planted"]
    SCENES.write(scenes, run.folder, factors=factors)


def test_the_last_screen_says_how_few_cells_are_compared_and_stays_short(
    small_suite: Suite, ledger: Ledger, auditor: CopyingAuditor, tmp_path: Path
) -> None:
    auditor.faulty = ("3.safetensors",)
    one, two, three = (write_checkpoint(tmp_path / f"{n}.safetensors", n) for n in (1, 2, 3))
    golden = accepted(judged(one, small_suite, ledger).record, ledger, tmp_path)
    before = open_run(ledger.outputs / judged(two, small_suite, ledger).record.run_id)
    lose(golden, 1)
    lose(before, 2)
    found = judged(three, small_suite, ledger)
    assert all(len(h.alarms) > 2 for h in found.record.comparisons)
    explained = tuple(dataclasses.replace(h, diagnosis=("it is so",)) for h in found.record.comparisons)
    lines = record_lines(Judged(dataclasses.replace(found.record, comparisons=explained), False), ledger.outputs)
    notes = [line for line in lines if line.startswith("note      tabletop: ")]
    assert len(notes) == 2
    assert all("cells are in both runs" in note for note in notes)
    assert len(lines) <= 15


class TestTheLineThatAccepts:
    def last(self, found: Judged, ledger: Ledger) -> str:
        return record_lines(found, ledger.outputs)[-1].partition(" reason=")[0]

    def test_is_printed_of_every_checkpoint_that_passes(
        self, small_suite: Suite, ledger: Ledger, tmp_path: Path
    ) -> None:
        one, two = (write_checkpoint(tmp_path / f"{n}.safetensors", n) for n in (1, 2))
        accepted(judged(one, small_suite, ledger).record, ledger, tmp_path)
        for _ in range(2):  # and again where it is known
            found = judged(two, small_suite, ledger)
            assert self.last(found, ledger) == f"accept    accept {found.record.run_id} as golden"

    def test_is_not_of_the_one_that_is_accepted_nor_of_a_regression(
        self, small_suite: Suite, ledger: Ledger, auditor: CopyingAuditor, tmp_path: Path
    ) -> None:
        auditor.faulty = ("2.safetensors",)
        one, two = (write_checkpoint(tmp_path / f"{n}.safetensors", n) for n in (1, 2))
        accepted(judged(one, small_suite, ledger).record, ledger, tmp_path)
        for path, verdict in ((one, "pass"), (two, "regression")):
            found = judged(path, small_suite, ledger)
            assert found.record.verdict == verdict
            assert self.last(found, ledger).startswith("run  ")


def renamed(run: KeptRun, name: str, task: str = "proximity") -> KeptRun:
    """The same run of a network that was called otherwise then."""
    folder = run.folder.with_name("20200101T000000Z-renamed")
    shutil.copytree(run.folder, folder)
    record, config = json.loads((folder / "run.json").read_text()), yaml.safe_load((folder / "config.yaml").read_text())
    (was,) = record["models"]
    record["models"] = {name: {**record["models"][was], "task": task}}
    config["models"] = {name: {**config["models"][was], "name": name, "task": task}}
    (folder / "run.json").write_text(json.dumps({**record, "run_id": folder.name}))
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    for path in folder.glob("*.parquet"):
        table = pq.read_table(path)
        if "model" in table.column_names:
            at = table.column_names.index("model")
            pq.write_table(table.set_column(at, table.field(at), pa.array([name] * len(table), pa.string())), path)
    return open_run(folder)


def test_a_golden_baseline_of_another_name_is_paired_as_a_comparison_pairs(
    small_suite: Suite, ledger: Ledger, tmp_path: Path
) -> None:
    """What came before the accepted weights is settled, whatever the network was called."""
    zero, one, two = (write_checkpoint(tmp_path / f"{n}.safetensors", n) for n in (0, 1, 2))
    judged(zero, small_suite, ledger)
    golden = renamed(open_run(ledger.outputs / judged(one, small_suite, ledger).record.run_id), "released")
    accept(golden, "golden", "a release", tmp_path / "baselines")
    own, other = (judged(path, small_suite, ledger).record.comparisons for path in (one, two))
    assert [(h.against, h.baseline) for h in own] == [("golden", golden.run_id)]
    assert [h.against for h in other] == ["golden", "previous"]


def test_a_golden_baseline_that_cannot_be_compared_is_one_line_before_the_audit(
    small_suite: Suite, ledger: Ledger, auditor: CopyingAuditor, tmp_path: Path
) -> None:
    first = open_run(
        ledger.outputs / judged(write_checkpoint(tmp_path / "a.safetensors"), small_suite, ledger).record.run_id
    )
    accept(renamed(first, "proximity", "classification"), "golden", "a release", tmp_path / "baselines")
    says = r"comparison\.golden=golden is a baseline of proximity \(classification\), .*accept RUN as NAME reason="
    with pytest.raises(ConfigError, match=says) as refused:
        judged(write_checkpoint(tmp_path / "b.safetensors", 2), small_suite, ledger)
    assert "\n" not in str(refused.value)
    assert auditor.asked == ["a.safetensors"]


@pytest.mark.parametrize(
    ("held", "coverage", "worst"),
    [
        ([("pass", 0), ("regression", 3)], 5, ("regression", 3)),
        ([("inconclusive", 4), ("pass", 0)], 5, ("inconclusive", 4)),
        ([("inconclusive", 0), ("pass", 0)], 0, ("inconclusive", 0)),
        ([("inconclusive", 0)], 5, ("inconclusive", 5)),
        ([("pass", 0), ("pass", 0)], 5, ("insufficient coverage", 5)),
        ([], 0, ("no baseline", 0)),
    ],
)
def test_the_worst_decides(held: list[tuple[str, int]], coverage: int, worst: tuple[str, int]) -> None:
    found = [Held("golden", "run", "", "folder", verdict, code) for verdict, code in held]
    assert overall(found, coverage) == worst
