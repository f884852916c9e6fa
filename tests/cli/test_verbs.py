"""What each verb does with what was typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stand_ins import Stages

from audit import cli
from audit.composition import compose, dump


def test_run_audits_writes_the_page_and_prints_verdict_and_page(
    stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "experiment=smoke", "seed=3"]) == 0
    (_, config, command), page = stages.calls
    assert (config.experiment, config.seed) == ("smoke", 3)
    assert command == "scene-audit run experiment=smoke seed=3"
    assert page == ("write_report", Path("working"), Path("store"))
    out, err = capsys.readouterr()
    assert out.splitlines() == ["verdict   no failure found", "report    outputs/run/report/index.html"]
    assert err == ""


def test_the_command_that_is_kept_can_be_pasted(stages: Stages) -> None:
    cli.main(["run", "model.checkpoint=my weights.pt", "design.keep.light=[back]"])
    assert stages.calls[0][2] == "scene-audit run 'model.checkpoint=my weights.pt' 'design.keep.light=[back]'"


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


@pytest.mark.parametrize("verb", ["render", "train"])
def test_render_and_train_pass_configuration_in_and_exit_code_out(verb: str, stages: Stages) -> None:
    stages.exit_code = 5
    assert cli.main([verb, "seed=4"]) == 5
    assert stages.calls[0][0] == verb
    assert stages.calls[0][1].seed == 4


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
        (["compare"], "there is no such verb"),
        ([], "what is to be done?"),
        (["experiment=smoke"], "the verb comes first: scene-audit run experiment=smoke"),
        (["run", "--confg-dir", "x"], "did you mean '--config-dir'"),
        (["run", "--config-dir"], "takes a folder"),
        (["run", "--config-dir", "nowhere"], "there is no such folder"),
        (["run", "-x"], "there is no such flag"),
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
