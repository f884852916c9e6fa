"""Every mistake in a setting ends in exit code 2 and one line that names the key and what would be valid."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

import audit
from audit import cli

pytestmark = pytest.mark.usefixtures("read_once")

# what is typed -> what the line has to say
MISTAKES = {
    "experiment=smok": ["experiment=smok", "did you mean 'smoke'", "default, paper_2019, smoke"],
    "experiment=": ["takes one name", "smoke"],
    "experiment=[default,smoke]": ["takes one name"],
    "model=proximty": ["model=proximty", "did you mean 'proximity'"],
    "model=[]": ["takes one name"],
    "~design": ["design cannot be left out"],
    "design={seeds: 3}": ["there is no such design", "tabletop"],
    "modle=proximity": ["modle", "did you mean 'model'"],
    "model.checkpint=x": ["model.checkpint", "did you mean model.checkpoint"],
    "models.proximty.checkpoint=x": ["no such model is chosen", "did you mean 'proximity'"],
    "model.name=other": ["a model is named by its key"],
    "model.checkpoint=": ["model.checkpoint", "empty"],
    "seeds=3": ["did you mean design.seeds"],
    "light=[front]": ["did you mean design.factors.light"],
    "hydra.run.dir=x": ["there is no such setting", "`help`"],
    "paths.store.x=1": ["did you mean paths.store"],
    "paths.outputs=": ["paths.outputs", "empty"],
    "design.factors.light=[fron]": ["unknown level 'fron'", "did you mean 'front'"],
    "design.factors.ligth=[front]": ["unknown factor 'ligth'", "did you mean 'light'"],
    "design.factors.light=[front,off]": ["unknown level 'off'"],
    "design.factors.light=[front,false]": ["quote it ('false')", "none, never off"],
    "design.factors.light=[front,3]": ["quote it ('3')"],
    "design.factors.light=front": ["expected a list, [front]"],
    "design.factors.light=front,back": ["lists are written [front,back]"],
    "design.factors.light=[front": ["cannot be read", "lists are written [a,b]"],
    "design.factors.light=[]": ["no levels"],
    "design.factors.light=[front,front]": ["twice"],
    "~design.factors.foo": ["no design.factors.foo to take away"],
    "design.control.light=left": ["design.control", "not among its levels"],
    "design.control.ligth=front": ["design.control", "did you mean 'light'"],
    "design.keep.light=[nope]": ["design.keep.light", "front"],
    "design.keep.ligth=[back]": ["design.keep.ligth", "did you mean 'light'"],
    "design.keep.light=[]": ["nothing would be left"],
    "design.keep.light=[false]": ["levels are text"],
    "design.keep.seeds=[24]": ["scene seeds are whole numbers, 0 to 23"],
    "design.keep.seeds=[a]": ["scene seeds are whole numbers"],
    "design=pictures": ["design.pictures has to be given"],
    "design.scene_set=studioo": ["design.scene_set=studioo", "tabletop"],
    "seed=abc": ["seed=abc", "expected a whole number"],
    "seed=1.5": ["seed=1.5", "expected a whole number"],
    "seed=": ["seed=", "expected a whole number"],
    "seed=-1": ["seed=-1", "0 to 2147483647"],
    "design.seeds=8,16": ["takes one value"],
    "design.arms=1": ["expected true or false"],
    "device=tpu": ["device=tpu", "cpu"],
    "renderer.samples=0": ["renderer.samples=0", "1 to 65536"],
    "renderer.timeout=0": ["more than 0"],
    "renderer.workers=two": ["expected a whole number"],
    "camera.position=[0,1]": ["expected 3 numbers, got 2"],
    "camera.tilt=nan": ["finite"],
    "robot.horizon=31": ["below robot.scored"],
    "robot.rays=3": ["9 to"],
    "model.outputs=logit": ["did you mean 'logits'"],
    "model.threshold=1": ["between 0 and 1"],
    "model.preprocessing.channels=grb": ["valid: bgr, rgb"],
    "model.preprocessing.std=[0,1,1]": ["more than 0"],
    "model.recipe={light: [bak]}": ["model.recipe", "did you mean 'back'"],
    "attribution.methods=[gradcam]": ["did you mean 'grad_cam'"],
    "attribution.methods=[]": ["at least one method"],
    "criterion.q=1": ["between 0 and 1"],
    "criterion.margins.sensor_mis=.1": ["did you mean 'sensor_miss'"],
    "criterion.control_floor.acu=.1": ["did you mean 'auc'"],
    "foo": ["'foo' is not a setting", "key=value"],
}
PAIRS = {
    ("model=[proximity,proximity_2019]", "model.checkpoint=x"): ["2 models", "models.proximity_2019.checkpoint"],
    ("model=user", "model.checkpoint=x"): ["model.architecture has to be given"],
    ("experiment=paper_2019", "design.pictures=p"): ["model.checkpoint has to be given"],
    ("design.factors.light=[front]", "design.control.light=back"): ["not among its levels: front"],
    ("design.arms=false", "design.keep.presence=[ghost]"): ["not a level of this design"],
}
CASES = [((typed,), says) for typed, says in MISTAKES.items()] + list(PAIRS.items())


@pytest.fixture(autouse=True)
def no_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake that gets as far as the pipeline fails the test."""
    pipeline = ModuleType("audit.pipeline")
    monkeypatch.setitem(sys.modules, "audit.pipeline", pipeline)
    monkeypatch.setattr(audit, "pipeline", pipeline, raising=False)
    monkeypatch.setattr(cli, "_check_writable", lambda *_: pytest.fail("the configuration was accepted"))


@pytest.mark.parametrize(("typed", "says"), CASES, ids=[" ".join(typed) for typed, _ in CASES])
def test_a_mistake_is_one_line_and_exit_code_2(
    typed: tuple[str, ...], says: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", *typed]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    for words in says:
        assert words in err
