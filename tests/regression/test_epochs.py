"""A folder of checkpoints of one training: each is audited once, in the order of a person, and none stops the next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from kept_histories import FAILING, HARMLESS, MODEL, keep_run
from safetensors.torch import save_file

from audit import cli, pipeline
from audit.composition import dump
from audit.config import AuditConfig
from audit.models.checkpoint import read_checkpoint
from audit.regression.epochs import checkpoints_of, natural
from audit.run_directory import run_directory
from audit.tables import DEVELOPMENT, EPOCHS

MISSES = {"epoch_2": 0.5, "epoch_10": 0.3, "epoch_11": 0.1}


class StandIn:
    """Stands in for the audit: the weights say what share of sensors is missed. `stop`: interrupted at that one."""

    def __init__(self) -> None:
        self.audited: list[str] = []
        self.stop = ""

    def run(self, config: AuditConfig, command: str, finish: Callable[[Path], None] | None) -> pipeline.RunOutcome:
        (model,) = config.models.values()
        assert model.checkpoint is not None
        name = Path(model.checkpoint).stem
        if name == self.stop:
            raise KeyboardInterrupt
        checkpoint, weights = read_checkpoint(model.checkpoint)
        miss = float(weights["miss"])
        self.audited.append(name)
        with run_directory(Path(config.paths.outputs), config.experiment) as (folder, final):
            folder.rmdir()
            under = {FAILING: 0.05 if miss < 0.2 else 0.2, HARMLESS: 0.01}
            keep_run(folder.parent, folder.name, checkpoint.sha256, miss, text=dump(config), effects=under)
            record = (folder / "run.json").read_text()
            (folder / "run.json").write_text(record.replace(folder.name, final.name))
        return pipeline.RunOutcome(0, final, [])


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, read_once: None) -> StandIn:
    found = StandIn()
    monkeypatch.setattr(pipeline, "run", found.run)
    return found


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """Three epochs, one written by another hand, and what is no checkpoint."""
    folder = tmp_path / "my training"
    folder.mkdir()
    for name, miss in MISSES.items():
        save_file({"miss": torch.tensor(miss)}, str(folder / f"{name}.safetensors"))
    for name in (".epoch_12.safetensors", "epoch_13.safetensors.partial", "notes.txt"):
        (folder / name).write_bytes(b"unfinished")
    return folder


def typed(training: Path, *more: str) -> list[str]:
    here = training.parent
    return ["epochs", f"folder={training}", f"paths.outputs={here / 'outputs'}", f"paths.store={here / 'store'}", *more]


def written(training: Path) -> Path:
    """The directory of the newest development."""
    return (training.parent / "outputs" / "epochs" / "latest").resolve()


def test_names_are_ordered_as_a_person_counts() -> None:
    names = ["epoch_10", "epoch_9b", "Epoch_2", "last", "epoch_9", "epoch_010"]
    assert sorted(names, key=natural)[:4] == ["Epoch_2", "epoch_9", "epoch_9b", "epoch_10"]
    assert sorted(["v1.10", "v1.9"], key=natural) == ["v1.9", "v1.10"]


def test_hidden_unfinished_and_other_files_are_no_checkpoints(training: Path) -> None:
    assert [p.stem for p in checkpoints_of(training)] == list(MISSES)


def test_every_epoch_is_audited_in_order_and_its_gates_and_effects_are_kept(
    training: Path, stand_in: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(typed(training, f"model={MODEL}")) == 0
    assert stand_in.audited == list(MISSES)
    folder = written(training)
    assert folder.name.endswith("-my training")
    values = DEVELOPMENT.read(folder)
    overall = values[values["kind"] == "overall"].sort_values("position")
    assert list(overall["name"]) == list(MISSES)
    assert overall["mean"].to_list() == pytest.approx(list(MISSES.values()))
    failing = values[values["where"] == FAILING].sort_values("position")
    assert failing["effect"].to_list() == pytest.approx([0.2, 0.2, 0.05])
    assert failing["is_failure"].to_list() == [True, True, False]
    assert overall["effect"].isna().all()
    assert (folder / "development.csv").is_file()
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("1 of 3  epoch_2: failures found, ")
    assert "  missed sensors: 50 % at epoch_2 -> 10 % at epoch_11" in out
    assert "failures  1 at epoch_2, 1 at epoch_10, 0 at epoch_11" in out


def test_a_broken_file_is_listed_with_its_reason_and_the_next_one_follows(
    training: Path, stand_in: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = training / "epoch_10.safetensors"
    broken.write_bytes(broken.read_bytes()[:30])
    assert cli.main(typed(training)) == 0
    assert stand_in.audited == ["epoch_2", "epoch_11"]
    epochs = EPOCHS.read(written(training))
    assert epochs["reason"].map(bool).to_list() == [False, True, False]
    assert "truncated" in epochs.loc[1, "reason"]
    assert epochs.loc[1, "run_id"] == ""
    assert set(DEVELOPMENT.read(written(training))["position"]) == {0, 2}
    assert "left out  epoch_10.safetensors: checkpoint epoch_10.safetensors is truncated" in capsys.readouterr().out
    page = (written(training) / "report" / "index.html").read_text("utf-8")
    assert "1 file could not be audited" in page


def test_what_is_audited_is_not_audited_again_and_an_interrupted_run_goes_on(training: Path, stand_in: StandIn) -> None:
    stand_in.stop = "epoch_11"
    assert cli.main(typed(training)) == 130
    assert not (training.parent / "outputs" / "epochs").exists(), "nothing half done is shown"
    stand_in.stop = ""
    assert cli.main(typed(training)) == 0
    assert stand_in.audited == list(MISSES)
    assert cli.main(typed(training)) == 0
    assert stand_in.audited == list(MISSES)
    first, second = (pd.read_parquet(p) for p in sorted(training.parent.glob("outputs/epochs/2*/development.parquet")))
    assert first.equals(second)


def test_equal_weights_under_two_names_are_audited_once_and_shown_twice(training: Path, stand_in: StandIn) -> None:
    (training / "last.safetensors").write_bytes((training / "epoch_11.safetensors").read_bytes())
    assert cli.main(typed(training)) == 0
    assert stand_in.audited == list(MISSES)
    assert EPOCHS.read(written(training))["name"].to_list() == [*MISSES, "last"]


def test_the_page_tells_what_became_of_each_failure_condition(training: Path, stand_in: StandIn) -> None:
    cli.main(typed(training))
    page = (written(training) / "report" / "index.html").read_text("utf-8")
    assert f"Missed sensors under {FAILING}: fails up to epoch_10, and no longer from epoch_11 on" in page
    assert f"Missed sensors under {HARMLESS}: fails" not in page
    assert "1 more condition judged by a metric fails at no checkpoint" in page


@pytest.mark.parametrize("what", ["nothing there", "no folder", "no checkpoints", "none usable", "no word"])
def test_what_cannot_be_done_is_said_in_one_line(
    what: str, training: Path, stand_in: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = typed(training)
    if what == "nothing there":
        arguments[1] = f"folder={training / 'absent'}"
    elif what == "no folder":
        arguments[1] = f"folder={training / 'notes.txt'}"
    elif what == "no word":
        arguments.pop(1)
    else:
        for file in training.glob("*.safetensors"):
            file.unlink() if what == "no checkpoints" else file.write_bytes(b"short")
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err.splitlines()
    said = {
        "nothing there": "there is no such folder",
        "no folder": "is no folder",
        "no checkpoints": "no checkpoint in it",
        "none usable": "none of 3 checkpoints could be audited",
        "no word": "folder= is missing",
    }
    assert len(error) == 1
    assert said[what] in error[0]
    assert not (training.parent / "outputs" / "epochs").exists()
