"""A comparison ends clearly: beside another, killed, on a full disk, or with a run taken away."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_regression import CopyingAuditor, suite, write_checkpoint

from audit import cli
from audit.regression.auditing import with_checkpoint


@dataclass(frozen=True)
class Pair:
    """Two finished runs, the candidate's answers all wrong."""

    baseline: Path
    candidate: Path
    store: Path

    def command(self, outputs: Path) -> list[str]:
        words = [f"baseline={self.baseline}", f"candidate={self.candidate}", "confirm=false"]
        paths = [f"paths.outputs={outputs}", f"paths.store={self.store}"]
        return [sys.executable, "-m", "audit", "compare", *words, *paths]


@pytest.fixture(scope="module")
def pair(small_run: Path, small_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    root = tmp_path_factory.mktemp("pair")
    auditor = CopyingAuditor(small_run, faulty=("wrong.safetensors",))
    config = suite(auditor, root).config
    runs = [
        auditor.audited(with_checkpoint(config, "proximity", str(write_checkpoint(root / name, seed))))
        for seed, name in enumerate(("good.safetensors", "wrong.safetensors"))
    ]
    return Pair(runs[0].folder, runs[1].folder, small_store)


def compared(pair: Pair, outputs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(pair.command(outputs), capture_output=True, text=True, check=False)


def finished(outputs: Path) -> list[Path]:
    """Comparisons that stand under their name."""
    return sorted(f for f in (outputs / "comparisons").glob("2*") if f.is_dir())


def test_two_comparisons_at_once_each_have_a_directory_and_the_same_numbers(pair: Pair, tmp_path: Path) -> None:
    both = [subprocess.Popen(pair.command(tmp_path), stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [p.wait() for p in both] == [3, 3]
    first, second = finished(tmp_path)
    for name in ("gates.parquet", "gates.csv", "finding_states.parquet"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_kill_leaves_no_comparison_that_could_be_taken_for_whole(pair: Pair, tmp_path: Path) -> None:
    process = subprocess.Popen(pair.command(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(tmp_path.glob("comparisons/.*.partial/gates.parquet")):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() in (-signal.SIGKILL, 3)
    for folder in finished(tmp_path):
        assert (folder / "verdict.json").is_file()
    assert compared(pair, tmp_path).returncode == 3
    assert not list(tmp_path.glob("comparisons/.*.partial"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_one_line_and_leaves_nothing(pair: Pair, small_disk: Path) -> None:
    found = compared(pair, small_disk)
    assert found.returncode == 2, found.stderr
    assert found.stderr.count("\n") == 1
    assert "No space left on device" in found.stderr
    assert finished(small_disk) == []


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("run.json", "it has no run.json, so it is no finished run"),
        ("config.yaml", "config.yaml cannot be read"),
        ("verdict.json", "verdict.json cannot be read"),
        ("predictions.parquet", "predictions.parquet is not there"),
        ("responses.parquet", "responses.parquet is not there"),
        ("effects.parquet", "effects.parquet is not there"),
    ],
)
def test_a_run_that_lost_a_file_is_one_line(
    pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str], lost: str, said: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(pair.candidate, copy)
    (copy / lost).unlink()
    capsys.readouterr()
    assert cli.main(Pair(pair.baseline, copy, pair.store).command(tmp_path)[3:]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert said in told
    assert finished(tmp_path) == []
