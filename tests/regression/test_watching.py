"""`watch`: every checkpoint of a folder is judged once, and none that is still being written."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_regression import CopyingAuditor, settings, write_checkpoint

from audit import cli
from audit.regression.ledger import Ledger
from audit.regression.regressing import Suite
from audit.regression.watching import Schedule, checkpoints, watch

pytestmark = pytest.mark.blender

PROJECT = Path(__file__).resolve().parents[2]
AT_ONCE = Schedule(once=True, settle=0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that is watched, with two checkpoints: the later one by name was written first."""
    found = tmp_path / "checkpoints"
    for seed, name in ((1, "b.safetensors"), (2, "a.safetensors")):
        os.utime(write_checkpoint(found / name, seed), (seed, seed))
    return found


def watched(folder: Path, suite: Suite, schedule: Schedule = AT_ONCE) -> tuple[int, list[str]]:
    said: list[str] = []
    return watch(folder, suite, schedule, said.append), said


def records(outputs: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted((outputs / "regressions").glob("*.json"))]


def test_checkpoints_are_judged_in_the_order_in_which_they_were_written(
    folder: Path, small_suite: Suite, auditor: CopyingAuditor
) -> None:
    code, said = watched(folder, small_suite)
    assert code == 0
    assert auditor.asked == ["b.safetensors", "a.safetensors"]
    assert [line.split("  ")[0] for line in said] == ["b.safetensors", "a.safetensors"]
    name, sha256, verdict, place = said[1].split("  ")
    assert sha256 == hashlib.sha256((folder / name).read_bytes()).hexdigest()[:8]
    assert json.loads((Path(place) / "verdict.json").read_text())["verdict"] == verdict


def test_watching_again_audits_nothing(folder: Path, small_suite: Suite, auditor: CopyingAuditor) -> None:
    watched(folder, small_suite)
    code, said = watched(folder, small_suite)
    assert code == 0
    assert all("(known)" in line for line in said)
    assert len(auditor.asked) == 2


def test_what_is_hidden_unfinished_or_no_checkpoint_is_left_alone(folder: Path) -> None:
    for name in (".a.pt", "c.pt.tmp", "c.partial", "c.tmp.pt", "c.safetensors.part", "notes.txt", "a.json"):
        (folder / name).write_bytes(b"x")
    (folder / "sub.pt").mkdir()
    (folder / "nowhere.pt").symlink_to(folder / "gone.pt")
    assert [path.name for path, _ in checkpoints(folder)] == ["b.safetensors", "a.safetensors"]


def test_a_broken_checkpoint_does_not_stop_the_next(folder: Path, small_suite: Suite, auditor: CopyingAuditor) -> None:
    os.truncate(folder / "b.safetensors", 4000)
    os.utime(folder / "b.safetensors", (1, 1))
    code, said = watched(folder, small_suite)
    assert code == 2
    assert "  broken  checkpoint b.safetensors is truncated" in said[0]
    assert "  no baseline  " in said[1]
    assert sorted(str(r["state"]) for r in records(small_suite.outputs)) == ["broken", "done"]


def test_one_that_cannot_be_judged_or_breaks_our_own_code_does_not_stop_the_next(
    folder: Path, small_suite: Suite, auditor: CopyingAuditor, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing:
        def __init__(self, error: Exception) -> None:
            self.error = error

        def audited(self, config: object) -> object:
            if "b.safetensors" in str(config):
                raise self.error
            return auditor.audited(config)  # type: ignore[arg-type]

    full = OSError(28, "No space left on device", "outputs")
    for error, worst in ((full, 2), (RuntimeError("shapes do not match"), 1)):
        found = dataclasses.replace(small_suite, auditor=Failing(error))
        code, said = watched(folder, found)
        assert code == worst
        assert "not judged" in said[0]
        assert str(error) in said[0]
        assert "a.safetensors" in said[1]
        assert len(records(small_suite.outputs)) == 1
    assert "RuntimeError: shapes do not match" in capsys.readouterr().err


def test_a_checkpoint_taken_away_meanwhile_is_no_fault(
    folder: Path, small_suite: Suite, auditor: CopyingAuditor
) -> None:
    class Rotating:
        def audited(self, config: object) -> object:
            (folder / "a.safetensors").unlink(missing_ok=True)
            return auditor.audited(config)  # type: ignore[arg-type]

    code, said = watched(folder, dataclasses.replace(small_suite, auditor=Rotating()))
    assert code == 0
    assert [line.split("  ")[0] for line in said] == ["b.safetensors"]


def test_the_worst_exit_code_is_returned(folder: Path, small_suite: Suite, auditor: CopyingAuditor) -> None:
    auditor.faulty = ("a.safetensors",)
    code, said = watched(folder, small_suite)
    assert code == 3
    assert "  regression  " in said[1]


def test_a_file_replaced_under_its_name_is_a_new_checkpoint(
    folder: Path, small_suite: Suite, auditor: CopyingAuditor
) -> None:
    """The loop goes on until it is interrupted."""
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            os.replace(write_checkpoint(folder.parent / "new.safetensors", 3), folder / "a.safetensors")
        if len(said) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(folder, small_suite, Schedule(every=0.1, settle=0.0), say)
    assert auditor.asked == ["b.safetensors", "a.safetensors", "a.safetensors"]


def test_a_file_that_is_being_written_is_not_touched(folder: Path, small_suite: Suite, auditor: CopyingAuditor) -> None:
    whole = (folder / "a.safetensors").read_bytes()
    program = (
        "import sys, time\n"
        "with open(sys.argv[1], 'wb', buffering=0) as file:\n"
        "    for byte in sys.stdin.buffer.read():\n"
        "        file.write(bytes([byte])); print(flush=True); time.sleep(0.05)"
    )
    writer = [sys.executable, "-c", program, str(folder / "a.safetensors")]
    with subprocess.Popen(writer, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(whole)
        process.stdin.close()
        process.stdout.readline()
        code, said = watched(folder, small_suite, Schedule(once=True, settle=1.0))
        assert process.poll() is None, "it is still at it"
        process.kill()
    assert code == 0
    assert "a.safetensors  --------  still being written  left for the next time" in said
    assert auditor.asked == ["b.safetensors"]
    (folder / "a.safetensors").write_bytes(whole)
    watched(folder, small_suite, Schedule(once=True, settle=0.1))
    assert auditor.asked == ["b.safetensors", "a.safetensors"]


def test_a_card_that_comes_later_makes_its_checkpoint_another(
    folder: Path, small_suite: Suite, auditor: CopyingAuditor
) -> None:
    """The threshold stands in the card. The loop goes on until it is interrupted."""
    said: list[str] = []
    card = folder / "a.json"

    def say(line: str) -> None:
        said.append(line)
        if len(said) in (2, 3):
            card.write_text(json.dumps({"threshold": 0.1 * len(said)}))
        if len(said) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(folder, small_suite, Schedule(every=0.1, settle=0.0), say)
    assert auditor.asked == ["b.safetensors", *["a.safetensors"] * 3]
    assert not any("(known)" in line for line in said)


def test_a_checkpoint_waits_for_its_card_to_be_written(
    folder: Path, small_suite: Suite, auditor: CopyingAuditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep = time.sleep

    def written_meanwhile(seconds: float) -> None:
        sleep(seconds)
        (folder / "a.json").write_text('{"thres')

    monkeypatch.setattr("audit.regression.watching.time.sleep", written_meanwhile)
    code, said = watched(folder, small_suite, Schedule(once=True, settle=0.2))
    assert code == 0
    assert said[-1] == "a.safetensors  --------  still being written  left for the next time"
    assert auditor.asked == ["b.safetensors"]


@pytest.mark.parametrize(("of", "is_written"), [("weights", False), ("card", False), ("neither", True)])
def test_what_was_written_a_moment_ago_may_not_be_whole(of: str, is_written: bool, folder: Path) -> None:
    """Seen for long enough or not: a watch that has just begun has seen nothing."""
    (folder / "a.json").write_text("{}")
    for path in (folder / "a.safetensors", folder / "a.json"):
        now = (path.suffix == ".json") == (of == "card") and of != "neither"
        os.utime(path, None if now else (1, 1))
    look = dict(checkpoints(folder))[folder / "a.safetensors"]
    assert look.is_written(60.0) is is_written
    ahead = dataclasses.replace(look.weights, modified=time.time_ns() + 10**12)
    assert dataclasses.replace(look, weights=ahead).is_written(60.0) is (of != "card"), "another clock says nothing"


@pytest.mark.usefixtures("small_suite")
@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ([], "checkpoints_dir= is missing: watch checkpoints_dir=DIR"),
        (["checkpoints_dir=nowhere"], "checkpoints_dir=nowhere: there is no such folder"),
        (["checkpoints_dir=.", "once=maybe"], "once=maybe: expected true or false"),
        (["checkpoints_dir=.", "every=often"], "every=often: expected seconds, 0 or more"),
        (["checkpoints_dir=.", "settle=-1"], "settle=-1: expected seconds, 0 or more"),
        (
            ["checkpoints_dir=.", "model=[proximity,resnet18]", "design=[tabletop_regression,studio]"],
            "of which model is the checkpoint?",
        ),
    ],
)
def test_what_cannot_be_watched_is_one_line_and_exit_code_2(
    typed: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = [f"paths.outputs={tmp_path / 'outputs'}", f"paths.store={tmp_path / 'store'}"]
    assert cli.main(["watch", *typed, *places]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


# -- in real processes ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def running(store: Path, root: Path, *typed: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "audit", *typed, *settings(root, f"paths.store={store}")]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=root, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def runs(outputs: Path) -> list[Path]:
    return [path for path in outputs.glob("[0-9]*") if not path.is_symlink()]


@pytest.mark.slow
def test_two_watchers_at_once_audit_each_checkpoint_once(folder: Path, small_store: Path, small_run: Path) -> None:
    root = folder.parent
    typed = ("watch", f"checkpoints_dir={folder}", "once=true", "settle=0")
    with running(small_store, root, *typed) as one, running(small_store, root, *typed) as other:
        told = [process.communicate(timeout=300) for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0], told
    lines = [out.splitlines() for out, _ in told]
    for name in ("a.safetensors", "b.safetensors"):
        own = [line for said in lines for line in said if line.startswith(name)]
        assert len(own) == 2, "each says what it came to"
        assert sum("(known)" in line for line in own) == 1, "one has done it"
    assert len(runs(root / "outputs")) == 2
    assert len(records(root / "outputs")) == 2
    rendered = [json.loads((run / "run.json").read_text())["renders"]["rendered"] for run in runs(root / "outputs")]
    assert rendered == [0, 0], "the store was warm"


@pytest.mark.slow
def test_a_regress_that_is_killed_leaves_no_record_and_the_next_one_does_it(
    tmp_path: Path, small_store: Path, small_run: Path
) -> None:
    path, outputs = write_checkpoint(tmp_path / "a.safetensors"), tmp_path / "outputs"
    with running(small_store, tmp_path, "regress", f"checkpoint={path}") as killed:
        deadline = time.monotonic() + 300
        while not list(outputs.glob(".*.partial")):
            assert killed.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert Ledger(outputs).all() == []
    assert runs(outputs) == []
    with running(small_store, tmp_path, "regress", f"checkpoint={path}") as again:
        out, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    assert out.startswith("verdict   no baseline")
    (record,) = Ledger(outputs).all()
    assert [run.name for run in runs(outputs)] == [record.run_id]
    assert not list(outputs.glob(".*.partial"))


@pytest.mark.slow
@pytest.mark.parametrize("size", ["40k", "400k"])  # full at the first table, and at the page
def test_a_full_disk_is_one_line_and_no_half_record(
    size: str, tmp_path: Path, small_store: Path, small_run: Path
) -> None:
    path, outputs = write_checkpoint(tmp_path / "a.safetensors"), tmp_path / "outputs"
    outputs.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(outputs)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here: that takes root")
    try:
        with running(small_store, tmp_path, "regress", f"checkpoint={path}") as process:
            out, err = process.communicate(timeout=300)
        assert (process.returncode, out) == (2, ""), err
        assert "No space left on device" in err.splitlines()[-1]
        assert "Traceback" not in err
        assert Ledger(outputs).all() == []
        assert not list((outputs / "regressions").glob("*.json*"))
        assert runs(outputs) == []
    finally:
        subprocess.run(["umount", "-l", str(outputs)], check=True)
