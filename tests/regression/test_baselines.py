"""Accepted baselines: what is kept of them, and how their runs are found again."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_regression import CopyingAuditor, settings, write_checkpoint

from audit import cli
from audit.composition import compose
from audit.config import AuditConfig
from audit.regression import baselines, comparing
from audit.regression.auditing import with_checkpoint
from audit.regression.baselines import Baseline, accept, read_baseline, run_of
from audit.regression.kept_run import KeptRun, open_run
from audit.regression.sides import sides
from audit.schema import ConfigError

pytestmark = pytest.mark.blender


@pytest.fixture
def config(tmp_path: Path, read_once: None) -> AuditConfig:
    return compose(settings(tmp_path))


@pytest.fixture
def run(config: AuditConfig, auditor: CopyingAuditor, tmp_path: Path) -> KeptRun:
    """The run of a checkpoint that lies in a folder."""
    path = write_checkpoint(tmp_path / "released.safetensors", 1)
    return auditor.audited(with_checkpoint(config, "proximity", str(path)))


@pytest.fixture
def golden(run: KeptRun, tmp_path: Path) -> Baseline:
    return accept(run, "golden", "the first release", tmp_path / "baselines")


def test_it_says_which_weights_which_run_when_and_why(run: KeptRun, golden: Baseline, tmp_path: Path) -> None:
    kept = json.loads((tmp_path / "baselines" / "golden.json").read_text())
    assert kept["schema_version"] == 1
    assert (kept["name"], kept["run_id"], kept["reason"]) == ("golden", run.run_id, "the first release")
    assert kept["models"]["proximity"]["sha256"] == run.sha256("proximity")
    assert kept["models"]["proximity"]["checkpoint"] == "released.safetensors"
    assert kept["models"]["proximity"]["path"] == run.config.models["proximity"].checkpoint
    assert kept["scenes"] == run.scenes_digest
    assert kept["accepted"].endswith("Z")
    assert kept["former"] == []
    assert read_baseline(tmp_path / "baselines", "golden") is not None
    assert [p.name for p in (tmp_path / "baselines").iterdir()] == ["golden.json"]


def test_what_it_replaces_is_kept_with_its_reason(run: KeptRun, golden: Baseline, tmp_path: Path) -> None:
    folder = tmp_path / "baselines"
    accept(run, "golden", "the second", folder)
    found = accept(run, "golden", "the third", folder).entry
    assert [e["reason"] for e in (found, *found["former"])] == ["the third", "the second", "the first release"]
    assert all(e["run_id"] == run.run_id and e["models"] for e in found["former"])
    assert list(found["configs"]) == [found["settings"]], "equal settings are kept once"


def test_a_damaged_file_is_said_so_and_not_written_over(run: KeptRun, golden: Baseline, tmp_path: Path) -> None:
    path = tmp_path / "baselines" / "golden.json"
    path.write_text(path.read_text()[:200])
    for use in (lambda: read_baseline(path.parent, "golden"), lambda: accept(run, "golden", "again", path.parent)):
        with pytest.raises(ConfigError, match=r"cannot be read: .*; restore it from version control"):
            use()
    assert len(path.read_text()) == 200


@pytest.mark.parametrize("name", ["", "a/b", "../up", ".hidden", "latest", "previous", "best.pt"])
def test_a_name_is_a_plain_file_name_that_means_nothing_else(name: str, run: KeptRun, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot name a baseline"):
        accept(run, name, "because", tmp_path / "baselines")
    assert not (tmp_path / "baselines").exists()


@pytest.mark.slow
def test_many_that_accept_at_once_lose_no_reason(run: KeptRun, root: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from audit.regression.baselines import accept\n"
        "from audit.regression.kept_run import open_run\n"
        "run = open_run(Path(sys.argv[1]))\n"
        "for i in range(5): accept(run, 'golden', f'{sys.argv[3]}{i}', Path(sys.argv[2]))"
    )
    arguments = [sys.executable, "-c", program, str(run.folder), str(tmp_path / "baselines")]
    processes = [subprocess.Popen([*arguments, who], cwd=root) for who in "ab"]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    found = read_baseline(tmp_path / "baselines", "golden")
    assert found is not None
    reasons = {e["reason"] for e in (found.entry, *found.entry["former"])}
    assert reasons == {f"{who}{i}" for who in "ab" for i in range(5)}


class TestFindingItsRun:
    def test_it_is_the_run_that_was_accepted(
        self, run: KeptRun, golden: Baseline, config: AuditConfig, auditor: CopyingAuditor
    ) -> None:
        assert run_of(golden, config.paths, auditor).folder == run.folder
        assert len(auditor.asked) == 1

    def test_else_another_of_equal_settings_and_weights(
        self, run: KeptRun, golden: Baseline, config: AuditConfig, auditor: CopyingAuditor
    ) -> None:
        other = run.folder.with_name("20300101T000000Z-other")
        run.folder.rename(other)
        assert run_of(golden, config.paths, auditor).folder == other
        assert len(auditor.asked) == 1

    def test_else_its_checkpoint_is_audited_again(
        self, run: KeptRun, golden: Baseline, config: AuditConfig, auditor: CopyingAuditor
    ) -> None:
        shutil.rmtree(run.folder)
        again = run_of(golden, config.paths, auditor)
        assert again.sha256("proximity") == golden.digests["proximity"]
        assert auditor.asked == ["released.safetensors"] * 2

    @pytest.mark.parametrize("fault", ["gone", "replaced"])
    def test_else_it_is_one_line_with_the_remedy(
        self,
        fault: str,
        run: KeptRun,
        golden: Baseline,
        config: AuditConfig,
        auditor: CopyingAuditor,
        tmp_path: Path,
    ) -> None:
        shutil.rmtree(run.folder)
        path = tmp_path / "released.safetensors"
        path.unlink() if fault == "gone" else write_checkpoint(path, 9)
        says = "is not there" if fault == "gone" else "has other weights than those accepted"
        with pytest.raises(ConfigError, match=rf"baseline golden: .*{says}.*accept RUN as golden reason=") as caught:
            run_of(golden, config.paths, auditor)
        assert "\n" not in str(caught.value)
        assert len(auditor.asked) == 1

    def test_on_other_scenes_its_checkpoint_is_audited_on_those_fed_as_it_was(
        self, run: KeptRun, golden: Baseline, auditor: CopyingAuditor, tmp_path: Path
    ) -> None:
        now = compose(settings(tmp_path, "seed=5", "model.preprocessing.channels=bgr"))
        found = run_of(golden, now.paths, auditor, like=now)
        assert found.folder != run.folder
        assert (found.config.seed, found.config.models["proximity"].preprocessing.channels) == (5, "rgb")
        assert found.sha256("proximity") == golden.digests["proximity"]

    @pytest.mark.parametrize(
        ("held", "asked", "pairs"),
        [
            ({"a": "proximity", "b": "classification"}, {"b": "classification"}, {"b": "b"}),
            ({"a": "proximity"}, {"mine": "proximity"}, {"mine": "a"}),
            ({"a": "proximity"}, {"mine": "classification"}, {}),
            ({"a": "proximity"}, {"a": "classification"}, {}),
            ({"a": "proximity", "b": "proximity"}, {"mine": "proximity"}, {}),
        ],
    )
    def test_models_are_paired_as_a_comparison_pairs_them(
        self, held: dict[str, str], asked: dict[str, str], pairs: dict[str, str]
    ) -> None:
        """By name, or those that are alone; never one task with another, which is shown other scenes."""
        assert comparing.paired(held, asked) == pairs

    def test_a_network_of_another_task_is_not_asked_about_its_scenes(
        self, run: KeptRun, golden: Baseline, auditor: CopyingAuditor, tmp_path: Path
    ) -> None:
        now = compose(settings(tmp_path, "seed=5"))
        other = dataclasses.replace(now.models["proximity"], task="classification")
        like = dataclasses.replace(now, models={"proximity": other})
        assert run_of(golden, now.paths, auditor, like=like).folder == run.folder
        assert len(auditor.asked) == 1

    def test_without_its_checkpoint_it_is_given_on_the_scenes_it_has(
        self, run: KeptRun, golden: Baseline, auditor: CopyingAuditor, tmp_path: Path
    ) -> None:
        (tmp_path / "released.safetensors").unlink()
        now = compose(settings(tmp_path, "seed=5"))
        assert run_of(golden, now.paths, auditor, like=now).folder == run.folder


def test_compare_takes_the_name_of_a_baseline(
    run: KeptRun, golden: Baseline, config: AuditConfig, auditor: CopyingAuditor, tmp_path: Path
) -> None:
    new = str(write_checkpoint(tmp_path / "new.safetensors", 2))
    baseline, candidate = sides("golden", new, config, None, auditor)  # type: ignore[arg-type]
    assert baseline.folder == run.folder
    assert candidate.models["proximity"]["checkpoint"] == "new.safetensors"
    with pytest.raises(ConfigError, match=r"silver: neither a run directory.* nor an accepted baseline"):
        sides("silver", new, config, None, auditor)  # type: ignore[arg-type]


def test_a_run_directory_comes_before_a_baseline_and_any_other_folder_behind_it(
    run: KeptRun, golden: Baseline, config: AuditConfig, auditor: CopyingAuditor, tmp_path: Path
) -> None:
    new = str(write_checkpoint(tmp_path / "new.safetensors", 2))
    folder = tmp_path / "outputs" / "golden"
    folder.mkdir()
    assert sides("golden", new, config, None, auditor)[0].folder == run.folder  # type: ignore[arg-type]
    shutil.copytree(run.folder, folder, dirs_exist_ok=True)
    assert sides("golden", new, config, None, auditor)[0].folder == folder.resolve()  # type: ignore[arg-type]


class TestTheVerb:
    def said(self, capsys: pytest.CaptureFixture[str], tmp_path: Path, *typed: str) -> tuple[int, str, str]:
        paths = [f"paths.outputs={tmp_path / 'outputs'}", f"paths.baselines={tmp_path / 'baselines'}"]
        code = cli.main(["accept", *typed, *paths])
        out, err = capsys.readouterr()
        return code, out, err

    def test_accept_takes_a_run_by_folder_by_name_or_the_latest(
        self, run: KeptRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for i, typed in enumerate((str(run.folder), run.run_id, "latest")):
            code, out, _ = self.said(capsys, tmp_path, typed, "as", f"b{i}", "reason=it is good enough")
            assert code == 0
            assert f"{run.run_id} as b{i}: proximity released.safetensors {run.sha256('proximity')[:8]}" in out
            found = read_baseline(tmp_path / "baselines", f"b{i}")
            assert found is not None
            assert found.entry["reason"] == "it is good enough"

    def test_it_says_what_it_replaces(
        self, golden: Baseline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _, out, _ = self.said(capsys, tmp_path, "latest", "as", "golden", "reason=better")
        assert f"replaced  {golden.run_id}" in out
        assert "the first release" in out

    @pytest.mark.parametrize(
        ("typed", "says"),
        [
            (["latest", "as", "golden"], 'why is it accepted? accept RUN as golden reason="..."'),
            (["latest", "as", "golden", "reason= "], "why is it accepted?"),
            (["latest", "golden", "reason=x"], 'which run, as which baseline? accept RUN as NAME reason="..."'),
            (["latest", "as", "reason=x"], "which run, as which baseline?"),
            (["nothing", "as", "golden", "reason=x"], "nothing: neither a run directory, nor the name of one in"),
            (["latest", "as", "a/b", "reason=x"], "'a/b' cannot name a baseline"),
            (["latest", "as", "golden", "reason=x", "seed=3"], "accept takes a run, a name, a reason and paths alone"),
        ],
    )
    def test_what_cannot_be_accepted_is_one_line_and_exit_code_2(
        self, typed: list[str], says: str, run: KeptRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, out, err = self.said(capsys, tmp_path, *typed)
        assert (code, out) == (2, "")
        assert says in err
        assert err.count("\n") == 1
        assert not (tmp_path / "baselines").exists()


def test_a_folder_that_cannot_be_written_is_one_line(run: KeptRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"paths\.baselines=.*file/below: cannot be written \(Not a directory\)"):
        accept(run, "golden", "because", tmp_path / "file" / "below")


def test_a_run_without_ground_truth_is_refused(run: KeptRun, tmp_path: Path) -> None:
    path = run.folder / "config.yaml"
    path.write_text(path.read_text().replace("tabletop:", "pictures:", 1))
    with pytest.raises(ConfigError, match="no ground truth"):
        accept(open_run(run.folder), "golden", "because", tmp_path / "baselines")


def test_its_settings_are_the_runs_without_what_is_of_here_and_now(run: KeptRun, golden: Baseline) -> None:
    kept = golden.entry["configs"][golden.entry["settings"]]
    assert not {"paths", "comparison", "renderer", "training"} & set(kept)
    assert golden.config.designs == run.config.designs
    assert golden.config.models == run.config.models
    assert baselines.SCHEMA_VERSION == 1
