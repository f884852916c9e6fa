"""What each verb does with what was typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from stand_ins import Stages

from audit import cli
from audit.cli import run_verbs
from audit.composition import compose, dump
from audit.config import AuditConfig
from scenes.store import Store


def test_run_audits_writes_the_page_and_prints_verdict_and_page(
    stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "experiment=smoke", "seed=3"]) == 0
    (_, config, command), history, page = stages.calls
    assert (config.experiment, config.seed) == ("smoke", 3)
    assert command == "scene-audit run experiment=smoke seed=3"
    assert history == ("keep_history", Path("working"), Path("outputs"))
    assert page == ("write_report", Path("working"), Path("store"))
    out, err = capsys.readouterr()
    assert out.splitlines() == ["verdict   no failure found", "report    outputs/run/report/index.html"]
    assert err == ""


def test_the_command_that_is_kept_can_be_pasted(stages: Stages) -> None:
    cli.main(["run", "model=proximity", "model.checkpoint=my weights.pt", "design.keep.light=[back]"])
    typed = "model=proximity 'model.checkpoint=my weights.pt' 'design.keep.light=[back]'"
    assert stages.calls[0][2] == f"scene-audit run {typed}"


@pytest.mark.parametrize("code", [0, 5])
def test_the_exit_code_is_that_of_the_audit(code: int, stages: Stages) -> None:
    stages.exit_code = code
    assert cli.main(["run"]) == code


def test_run_makes_its_folders(stages: Stages) -> None:
    assert cli.main(["run", "paths.outputs=a/b", "paths.store=c"]) == 0
    assert Path("a/b").is_dir()
    assert Path("c").is_dir()
    assert not list(Path("a/b").iterdir())


def test_plan_prints_its_lines_and_makes_no_folder(stages: Stages, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan"]) == 0
    assert capsys.readouterr().out.splitlines() == ["3 scenes", "2 in the store"]
    assert not list(Path().iterdir())


def test_show_finds_the_scene_by_the_beginning_of_its_id_and_writes_it_out(
    stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = "ab" + 30 * "0"
    Store(Path("kept")).write_image(scene, {"rgb": np.zeros((2, 2, 3), dtype=np.uint8)})
    assert cli.main(["show", "ab0", "paths.store=kept"]) == 0
    assert stages.calls[0][2:] == (scene, Path("outputs/scenes") / scene)
    assert "picture.png" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["render", "train"])
def test_render_and_train_pass_configuration_in_and_exit_code_out(verb: str, stages: Stages) -> None:
    stages.exit_code = 5
    assert cli.main([verb, "seed=4"]) == 5
    assert stages.calls[0][0] == verb
    assert stages.calls[0][1].seed == 4


class TestBench:
    """`bench noise|assets|render` measures and prints a table."""

    @pytest.fixture
    def measured(self, stages: Stages, monkeypatch: pytest.MonkeyPatch) -> Stages:
        def measure(subject: str) -> Callable[[AuditConfig], list[str]]:
            def measured(config: AuditConfig) -> list[str]:
                stages.plan(config)
                return [f"{subject} measured"]

            return measured

        monkeypatch.setattr(run_verbs, "BENCHES", {subject: measure(subject) for subject in run_verbs.BENCHES})
        return stages

    @pytest.mark.parametrize("subject", ["noise", "assets", "render"])
    def test_it_hands_the_configuration_on_and_prints_the_lines(
        self, subject: str, measured: Stages, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["bench", subject, "experiment=imagenet_objects", "seed=4"]) == 0
        assert capsys.readouterr().out == f"{subject} measured\n"
        (_, config) = measured.calls[0]
        assert (config.experiment, config.seed) == ("imagenet_objects", 4)

    @pytest.mark.parametrize("typed", [["seed=4", "noise"], ["noise", "paths.store=there"]])
    def test_settings_may_stand_before_and_behind(self, typed: list[str], measured: Stages) -> None:
        assert cli.main(["bench", *typed]) == 0
        assert len(measured.calls) == 1

    @pytest.mark.parametrize(
        ("typed", "says"),
        [
            ([], "bench: what is to be measured? valid: noise, assets, render"),
            (["seed=4"], "bench: what is to be measured? valid: noise, assets, render"),
            (
                ["nois"],
                "bench nois: what is to be measured? did you mean 'noise'? valid: assets, attribution, noise, render",
            ),
            (["speed"], "bench speed: what is to be measured? valid: assets, attribution, noise, render"),
            (["noise", "assets"], "bench noise assets: what is to be measured? valid: noise, assets, render"),
            (["noise", "seed=abc"], "seed=abc: expected a whole number"),
            (["noise", "paths.store=/proc/nowhere"], "paths.store=/proc/nowhere: cannot be written"),
        ],
    )
    def test_what_cannot_be_measured_is_one_line_and_exit_code_2(
        self, typed: list[str], says: str, measured: Stages, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["bench", *typed]) == 2
        err = capsys.readouterr().err
        assert says in err
        assert err.count("\n") == 1
        assert measured.calls == []

    @pytest.mark.usefixtures("stages")
    @pytest.mark.parametrize("typed", ["model=proximity", "design=tabletop", "experiment=smoke"])
    def test_assets_without_a_classifier_are_told_what_to_type(
        self, typed: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Through the measurement itself: it looks before it loads anything."""
        assert cli.main(["bench", "assets", typed, *(["model=proximity"] if "design" in typed else [])]) == 2
        err = capsys.readouterr().err
        assert "bench assets needs a classifier" in err
        assert "bench assets design=studio model=" in err
        assert err.count("\n") == 1
        assert list(Path().glob("**/*.scene")) == []


class TestReport:
    """`report [RUN]` writes the page of a finished run again."""

    @pytest.fixture
    def finished(self, stages: Stages) -> Path:
        folder = Path("outputs/latest")
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({}))
        (folder / "config.yaml").write_text(dump(compose(["paths.store=where/it/was"])))
        return folder

    @pytest.mark.usefixtures("finished")
    def test_without_a_folder_it_takes_the_latest_and_the_store_that_run_used(self, stages: Stages) -> None:
        assert cli.main(["report"]) == 0
        assert stages.calls == [("write_report", Path("outputs/latest"), Path("where/it/was"))]

    def test_a_typed_store_wins(self, stages: Stages, finished: Path) -> None:
        assert cli.main(["report", str(finished), "paths.store=moved"]) == 0
        assert stages.calls == [("write_report", finished, Path("moved"))]

    def test_a_folder_that_is_no_run_is_told(self, stages: Stages, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["report", "nowhere"]) == 2
        assert "nowhere is no finished run" in capsys.readouterr().err
        assert stages.calls == []

    @pytest.mark.usefixtures("stages")
    def test_it_takes_one_run(self) -> None:
        assert cli.main(["report", "a", "b"]) == 2


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["rnu"], "did you mean 'run'"),
        (["diff"], "there is no such verb"),
        ([], "what is to be done?"),
        (["experiment=smoke"], "the verb comes first: scene-audit run experiment=smoke"),
        (["run", "--confg-dir", "x"], "did you mean '--config-dir'"),
        (["run", "--config-dir"], "takes a folder"),
        (["run", "--config-dir", "nowhere"], "there is no such folder"),
        (["run", "-x"], "there is no such flag"),
        (["show"], "show takes the id of one scene, or its beginning"),
        (["show", "ab", "cd"], "show takes the id of one scene, or its beginning"),
        (["show", "ab", "paths.store=kept"], "no scene's id begins so"),
    ],
)
@pytest.mark.usefixtures("stages")
def test_a_mistake_in_the_command_is_one_line_and_exit_code_2(
    typed: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(typed) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_a_folder_of_the_users_own_parts_is_used(stages: Stages, tmp_path: Path) -> None:
    (tmp_path / "parts" / "experiment").mkdir(parents=True)
    (tmp_path / "parts" / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 11\n")
    for flag in (["--config-dir", "parts"], ["--config-dir=parts"]):
        assert cli.main(["plan", *flag, "experiment=mine"]) == 0
    assert [call[1].seed for call in stages.calls] == [11, 11]
