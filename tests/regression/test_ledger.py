"""The ledger: records are whole, found under what they are of, and held by one process at a time."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from audit.config import ComparisonConfig
from audit.regression import ledger as ledgers
from audit.regression.baselines import Baseline
from audit.regression.ledger import Held, Key, Ledger, Record, comparison_digest

PROJECT = Path(__file__).resolve().parents[2]
HOLDER = (
    "import sys, time; from pathlib import Path; from audit.regression.ledger import Key, Ledger\n"
    "with Ledger(Path(sys.argv[1])).held(Key(sys.argv[2], 's', 'c')) as mine: print(mine, flush=True); time.sleep(120)"
)


def key(weights: str = "a", settings: str = "s", comparison: str = "c") -> Key:
    return Key(weights * 64, settings, comparison)


def record(of: Key, outputs: Path | None = None, **changes: object) -> Record:
    """A record, with the run it names where `outputs` is given."""
    plain = Record(of, "epoch.safetensors", "net", "done", "pass", 0, run_id=f"run-{of.sha256[0]}")
    if outputs is not None:
        (outputs / plain.run_id).mkdir(parents=True, exist_ok=True)
        (outputs / plain.run_id / "run.json").write_text("{}")
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def test_what_is_written_is_found_again_under_its_key_alone(tmp_path: Path) -> None:
    held = Held("golden", "run-g", "b" * 64, "", "pass", 0, "All pass.", ("one alarm",), ("one cause",))
    ledger = Ledger(tmp_path)
    folder = tmp_path / "comparisons" / "x"
    folder.mkdir(parents=True)
    (folder / "verdict.json").write_text("{}")
    written = ledger.write(record(key(), tmp_path, comparisons=(dataclasses.replace(held, folder="x"),)))
    assert Ledger(tmp_path).find(key()) == written
    for other in (key("b"), key(settings="t"), key(comparison="d")):
        assert ledger.find(other) is None
    (file,) = (tmp_path / "regressions").glob("*.json")
    assert file.name.startswith("a" * 64 + "-")


def test_what_can_no_longer_be_shown_is_no_record(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.write(record(key(), tmp_path))
    assert ledger.find(key()) is not None
    (tmp_path / "run-a" / "run.json").unlink()
    assert ledger.find(key()) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": 99}', '{"schema_version": 1}'])
def test_a_damaged_record_is_none(content: str, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.write(record(key(), tmp_path))
    (file,) = (tmp_path / "regressions").glob("*.json")
    file.write_text(content)
    assert ledger.find(key()) is None
    assert ledger.all() == []
    ledger.write(record(key(), tmp_path))
    assert ledger.find(key()) is not None


def test_a_record_that_cannot_be_written_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device", str(target))

    ledger = Ledger(tmp_path)
    monkeypatch.setattr("audit.run_directory.os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        ledger.write(record(key(), tmp_path))
    monkeypatch.undo()
    assert ledger.find(key()) is None
    assert ledger.all() == []
    assert list((tmp_path / "regressions").iterdir()) == []


def test_those_before_are_other_weights_of_the_same_settings_done_earlier_newest_first(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for weights in "abc":
        ledger.write(record(key(weights), tmp_path))
    ledger.write(record(key("d", settings="t"), tmp_path))
    ledger.write(record(key("e"), tmp_path, state="broken"))
    ledger.write(record(key("b", comparison="again"), tmp_path))
    assert [r.key.sha256[0] for r in ledger.before(key("f"))] == ["c", "b", "a"]
    assert [r.key.sha256[0] for r in ledger.before(key("b", comparison="third"))] == ["a"]
    assert list(ledger.before(key("a"))) == []


def test_how_with_which_golden_weights_and_at_which_threshold_is_part_of_the_key() -> None:
    def golden(sha256: str) -> Baseline:
        return Baseline("golden", {"settings": "s", "models": {"net": {"sha256": sha256}}})

    usual, card = ComparisonConfig(), {"threshold": 0.5}
    ways = [
        comparison_digest(usual, None, card),
        comparison_digest(usual, golden("1"), card),
        comparison_digest(usual, golden("2"), card),
        comparison_digest(dataclasses.replace(usual, alpha=0.01), golden("1"), card),
        comparison_digest(usual, golden("1"), {"threshold": 0.6}),
    ]
    assert len(set(ways)) == 5
    assert comparison_digest(usual, golden("1"), card) == ways[1]


def holding(outputs: Path, sha256: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(outputs), sha256],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "True"
    return process


def test_a_checkpoint_is_held_by_one_process_and_free_once_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = holding(tmp_path, key().sha256)
    try:
        ledger, said = Ledger(tmp_path), list[str]()
        with ledger.held(key(), wait=False) as mine:
            assert not mine
        with ledger.held(key("b"), wait=False) as other:
            assert other
        monkeypatch.setattr(ledgers, "_POLL", 0.02)
        threading.Timer(0.2, process.kill).start()
        with ledger.held(key(), wait=True, say=said.append) as mine:
            assert mine
            assert process.wait() < 0, "it was waited for"
        assert said == ["waiting   another process works on aaaaaaaa"]
    finally:
        process.kill()
        process.wait()


def test_the_file_is_plain_json_with_its_schema(tmp_path: Path) -> None:
    Ledger(tmp_path).write(record(key(), tmp_path))
    (file,) = (tmp_path / "regressions").glob("*.json")
    plain = json.loads(file.read_text())
    assert plain["schema_version"] == ledgers.SCHEMA_VERSION
    assert (plain["state"], plain["verdict"], plain["exit_code"]) == ("done", "pass", 0)
    assert plain["written"].endswith("Z")
