"""Every mistake in a setting ends in exit code 2 and one line that names the key and what would be valid."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

import audit
from audit import cli
from audit.cli import run_verbs

pytestmark = pytest.mark.usefixtures("read_once")

# what is typed -> what the line has to say
MISTAKES = {
    "experiment=smok": [
        "experiment=smok",
        "did you mean 'smoke'",
        "default, imagenet_objects, paper_2019, regression, smoke",
    ],
    "comparison.margins.sensor_mis=0.1": ["comparison.margins.sensor_mis", "did you mean 'sensor_miss'"],
    "comparison.margins.sensor_miss=0": ["comparison.margins.sensor_miss=0", "more than 0"],
    "comparison.inconclusive=stop": ["comparison.inconclusive=stop", "warn"],
    "experiment=": ["takes one name", "smoke"],
    "experiment=[default,smoke]": ["takes one name"],
    "model=proximty": ["model=proximty", "did you mean 'proximity'"],
    "model=[]": ["takes one name or several", "resnet18"],
    "design=[]": ["takes one name or several", "studio"],
    "~design": ["design cannot be left out"],
    "design={seeds: 3}": ["there is no such design", "tabletop"],
    "studio=bright": ["studio=bright", "there is no such studio", "default"],
    "modle=proximity": ["modle", "did you mean 'model'"],
    "models.proximty.checkpoint=x": ["no such model is chosen", "did you mean 'proximity'"],
    "designs.studoi.samples=4": ["no such design is chosen", "did you mean 'studio'"],
    "designs={studoi: {seeds: 9}}": ["designs.studoi", "named by its scene set", "did you mean 'studio'"],
    "designs.studio=big": ["designs.studio=big", "a group of settings"],
    "seeds=3": ["did you mean design.seeds"],
    "samples=3": ["did you mean design.samples or training.samples"],
    "renderer.samples=3": ["there is no such setting", "did you mean design.samples"],
    "light=[front]": ["did you mean design.factors.light"],
    "outside_shadow=[half]": ["did you mean design.factors.outside_shadow"],
    "hydra.run.dir=x": ["there is no such setting", "`help`"],
    "paths.store.x=1": ["did you mean paths.store"],
    "paths.outputs=": ["paths.outputs", "empty"],
    "design=pictures": ["design.pictures has to be given"],
    "seed=abc": ["seed=abc", "expected a whole number"],
    "seed=1.5": ["seed=1.5", "expected a whole number"],
    "seed=": ["seed=", "expected a whole number"],
    "seed=-1": ["seed=-1", "0 to 2147483647"],
    "device=tpu": ["device=tpu", "cpu"],
    "designs.tabletop.samples=0": ["designs.tabletop.samples=0", "1 to 65536"],
    "designs.studio.denoise=1": ["designs.studio.denoise=1", "expected true or false"],
    "training.samples=0": ["training.samples=0", "1 to 65536"],
    "renderer.timeout=0": ["more than 0"],
    "renderer.workers=two": ["expected a whole number"],
    "camera.position=[0,1]": ["expected 3 numbers, got 2"],
    "camera.tilt=nan": ["finite"],
    "studio.size=16": ["studio.size=16", "32 to 4096"],
    "studio.fill_range=.5": ["0 to 0.2"],
    "robot.horizon=31": ["below robot.scored"],
    "robot.rays=3": ["9 to"],
    "attribution.methods=[gradcam]": ["did you mean 'grad_cam'"],
    "attribution.methods=[]": ["at least one method"],
    "criterion.q=1": ["between 0 and 1"],
    "criterion.margins.sensor_mis=.1": ["did you mean 'sensor_miss'"],
    "criterion.margins.top_1=.1": ["did you mean 'top1'"],
    "criterion.control_floor.acu=.1": ["did you mean 'auc'"],
    "foo": ["'foo' is not a setting", "key=value"],
}
# the same of the only design and the only model, on the tabletop
OF_THE_ONLY_ONE = {
    "model.checkpint=x": ["model.checkpint", "did you mean model.checkpoint"],
    "model.name=other": ["a model is named by its key"],
    "model.checkpoint=": ["model.checkpoint", "empty"],
    "model.task=clasification": ["model.task=clasification", "did you mean 'classification'"],
    "model.outputs=logit": ["did you mean 'logits'"],
    "model.threshold=1": ["between 0 and 1"],
    "model.preprocessing.channels=grb": ["valid: bgr, rgb"],
    "model.preprocessing.std=[0,1,1]": ["more than 0"],
    "model.recipe={light: [bak]}": ["model.recipe", "did you mean 'back'"],
    "design.scene_set=studio": ["design.scene_set", "there is no such setting"],
    "design.factors.light=[fron]": ["unknown level 'fron'", "did you mean 'front'"],
    "design.factors.ligth=[front]": ["unknown factor 'ligth'", "did you mean 'light'"],
    "design.factors.object_colour=[red]": [
        "unknown factor 'object_colour'",
        "did you mean 'object_color'",
    ],
    "design.factors.light=[front,off]": ["unknown level 'off'"],
    "design.factors.light=[front,false]": ["quote it ('false')", "none, never off"],
    "design.factors.light=[front,3]": ["quote it ('3')"],
    "design.factors.light=front": ["expected a list, [front]"],
    "design.factors.light=front,back": ["lists are written [front,back]"],
    "design.factors.light=[front": ["cannot be read", "lists are written [a,b]"],
    "design.factors.light=[]": ["no levels"],
    "design.factors.light=[front,front]": ["twice"],
    "design.factors.presence=[object,ghost]": ["design.factors.presence", "design.arms=false leaves them out"],
    "~design.factors.foo": ["no design.factors.foo to take away"],
    "design.control.light=left": ["design.control", "not among its levels"],
    "design.control.ligth=front": ["design.control", "did you mean 'light'"],
    "design.keep.light=[nope]": ["design.keep.light", "front"],
    "design.keep.ligth=[back]": ["design.keep.ligth", "did you mean 'light'"],
    "design.keep.light=[]": ["nothing would be left"],
    "design.keep.light=[false]": ["levels are text"],
    "design.keep.seeds=[8]": ["scene seeds are whole numbers, 0 to 7"],
    "design.keep.seeds=[1,1]": ["design.keep.seeds=[1, 1]", "named twice"],
    "design.keep.light=[back,back]": ["design.keep.light", "named twice"],
    "design.keep.seeds=[a]": ["scene seeds are whole numbers"],
    "design.keep.object=[lemon]": ["design.keep.object", "the design has no such factor"],
    "design.seeds=8,16": ["takes one value"],
    "design.arms=1": ["expected true or false"],
    "design.crossing=one_by_one": ["design.crossing=one_by_one", "full, latin_hypercube, one_at_a_time, sobol"],
    "design.points=1": ["design.points=1", "2 to 100000"],
    "design.bins=1": ["design.bins=1", "2 to 100"],
    "design.max_scenes=0": ["design.max_scenes=0", "1 or more"],
    "design.max_scenes=90": ["design.max_scenes=90: the design has 96 cells", "design.max_scenes=96"],
    "design.factors.light_strength=[1,2]": ["design.factors.light_strength[0]=1", "quote it ('1')"],
    "design.factors.light_strength=[0.2..1.8]": ["'light_strength'", "crossing=full", "0.2..1.8:5", "crossing=sobol"],
    "design.factors.light_strength=[0.2..1.8:0]": ["'0.2..1.8:0'", "2 to 1000 levels"],
    "design.factors.light_strength=[0.2..9:5]": ["'0.2..9:5'", "'light_strength'", "out of range: 0.05 to 4 times"],
    "design.factors.light_strength=['7']": ["level '7'", "'light_strength'", "out of range: 0.05 to 4 times"],
    "design.factors.light=[0.2..1.8]": ["unknown level '0.2..1.8'", "'light'"],
    "design.objects=[lemon]": ["design.objects=[lemon]", "the scene seed draws the objects of this set"],
    "design.classes.lemon=[lemon]": ["design.classes", "only objects of the studio have classes"],
    "design.assets.my_mug.path=mug.glb": ["design.assets", "shown in the studio alone"],
    "model.classes.lemon=[lemon]": ["model.classes", "did you mean design.classes"],
    "design.pictures=folder": ["design.pictures=folder", "design=pictures"],
}
OF_SAMPLED = {
    "design.crossing=full": ["'distance' has a range to sample, 0.04..0.36", "0.04..0.36:5", "crossing=sobol samples"],
    "design.factors.distance=[0.05..0.45]": ["'0.05..0.45'", "'distance'", "out of range: 0.02 to 0.4 m"],
    "design.factors.distance=[0.3..0.1]": ["'0.3..0.1'", "has to rise"],
    "design.factors.distance=[0.1..far]": ["'0.1..far' is no range", "low..high or low..high:count"],
    "design.factors.distance=[0.1..0.100001]": ["'distance'", "0.1..0.100001 is too narrow for 4 bins"],
    "design.factors.distance=[0.1..0.2,'0.3']": ["'distance'", "a range stands alone"],
    "design.control.camera_pitch=90": ["level '90'", "'camera_pitch'", "52 to 72 degrees"],
    "design.keep.distance=[0.04..0.13]": ["design.keep.distance=[0.04..0.13]", "did you mean '0.04..0.12'", "drawn"],
    "design.keep.distance=[0.1]": ["design.keep.distance=[0.1]", "levels are text"],
    "design.points=100000": ["design.max_scenes=20000: the design has 1600048 cells", "design.max_scenes=1600048"],
}
IN_THE_STUDIO = {
    "design.objects=[lemn]": ["design.objects=[lemn]", "there is no such object", "did you mean 'lemon'", "bucket"],
    "design.objects=[lemon,bucket,lemon]": ["design.objects", "named twice"],
    "design.objects=[]": ["at least one object is needed", "granny_smith"],
    "design.objects=lemon": ["expected a list, [lemon]"],
    "design.objects=[lemon,3]": ["expected text", "quote it ('3')"],
    "design.factors.light=[key,bak]": ["unknown level 'bak'", "did you mean 'back'"],
    "design.factors.light=[key,front]": ["unknown level 'front' of factor 'light'", "back, dim, key, red"],
    "design.factors.relation=[equal]": ["unknown factor 'relation'", "light, light_color"],
    "design.factors.object_colour=[natural]": ["unknown factor 'object_colour'", "did you mean 'object_color'"],
    "design.factors.object=[lemon,bucket]": ["design.factors.object", "name them in design.objects"],
    "design.factors.light=[back,dim]": ["design.control", "'key'", "not among its levels: back, dim"],
    "design.factors.outside_shadow=[none,half]": ["'half'", "is compared with 'unblocked'", "add it too"],
    "design.factors.outside_shadow=[none,slats]": ["'slats'", "is compared with 'unblocked'", "add it too"],
    "design.control.outside_shadow=slats": ["design.control.outside_shadow=slats", "with 'unblocked'; take that one"],
    "design.control.object=lemon": ["design.control", "'object'", "the design does not have"],
    "design.keep.object=[lemn]": ["design.keep.object=[lemn]", "did you mean 'lemon'"],
    "design.keep.object=[ipod]": ["not a level of this design", "bucket, granny_smith, lemon, soccer_ball"],
    "design.keep.object=[lemon,lemon]": ["design.keep.object", "named twice"],
    "design.keep.object=[]": ["nothing would be left"],
    "design.keep.seeds=[8]": ["scene seeds are whole numbers, 0 to 7"],
    "design.classes.lemn=[lemon]": ["design.classes.lemn", "there is no such object", "did you mean 'lemon'"],
    "design.classes.lemon=lemon": ["expected a list, [lemon]"],
    "design.classes.lemon=[]": ["design.classes.lemon=[]", "at least one class"],
    "design.classes.lemon=[951,true]": ["design.classes.lemon=[true]", "a name or an index"],
    "design.classes.lemon=[95.1]": ["design.classes.lemon=[95.1]", "a name or an index"],
    "design.classes.lemon=[null]": ["design.classes.lemon=[null]", "a name or an index"],
    "design.assets.my_mug.path=mug.glb": ["design.assets.my_mug.classes has to be given", "by name or index"],
    "design.assets.my_mug.classes=[504]": ["design.assets.my_mug.path has to be given", ".blend, .glb, .gltf or .obj"],
    "design.assets={my_mug: {path: mug.glb, class: [504]}}": ["design.assets.my_mug.class", "did you mean"],
    "design.assets={my_mug: {path: mug.stl, classes: [504]}}": ["path=mug.stl", "valid: .blend, .glb, .gltf, .obj"],
    "design.assets={my_mug: {path: mug.glb, classes: [1.5]}}": ["my_mug.classes=[1.5]", "a name or an index"],
    "design.assets={my_mug: {path: mug.glb, classes: []}}": ["design.assets.my_mug.classes has to be given"],
    "design.assets={lemon: {path: mug.glb, classes: [504]}}": ["design.assets.lemon", "already", "my_lemon"],
    "design.assets={box: {path: mug.glb, classes: [504]}}": ["design.assets.box", "already"],
    "design.assets={my mug: {path: mug.glb, classes: [504]}}": ["my mug", "letters, digits and _"],
    "design.assets={my_mug: {path: mug.glb, classes: [504]}}": ["design.objects", "soccer_ball,my_mug]"],
    "design.assets={my_mug: {path: mug.glb, classes: [504], up: w}}": ["my_mug.up=w", "valid: -x, -y, -z, auto, x, y"],
    "design.assets={my_mug: {path: mug.glb, classes: [504], stage: rom}}": ["stage=rom", "did you mean 'room'"],
    "design.assets={my_mug: {path: mug.glb, classes: [504], fill: 1}}": ["my_mug.fill=1", "0.1 to 0.9"],
    "design.assets={my_mug: {path: mug.glb, classes: [504], elevation: 90}}": ["elevation=90", "-30 to 85"],
    "design.assets={my_mug: {path: mug.glb, classes: [504], unusual: blue}}": [
        "unusual=blue",
        "six hexadecimal digits",
    ],
    "design.samples=0": ["design.samples=0", "1 to 65536"],
    "model.recipe={light: [front]}": ["model.recipe", "unknown level 'front'", "back, dim, key, red"],
}
SEVERAL = {
    # what is said of the only model or design, where there are several
    ("model.checkpoint=x",): [
        "model.checkpoint: 3 models are chosen",
        "models.proximity.checkpoint or models.squeezenet1_0.checkpoint or models.resnet18.checkpoint",
    ],
    ("model=[proximity,proximity_2019]", "model.checkpoint=x"): ["2 models", "models.proximity_2019.checkpoint"],
    ("experiment=imagenet_objects", "model.checkpoint=x"): ["2 models", "models.squeezenet1_0.checkpoint"],
    ("design.seeds=12",): ["2 designs are chosen", "designs.tabletop.seeds or designs.studio.seeds"],
    ("design.keep.light=[back]",): ["2 designs", "designs.tabletop.keep.light or designs.studio.keep.light"],
    ("~design.factors.light",): ["2 designs", "designs.studio.factors.light"],
    ("design.sedes=12",): ["design.sedes", "there is no such setting", "did you mean design.seeds"],
    ("model.checkpint=x",): ["model.checkpint", "there is no such setting", "did you mean model.checkpoint"],
    # what does not go together
    ("design=[studio,studio_all]",): ["design=[studio,studio_all]", "the same '# @package' line", "leave one out"],
    ("design=[tabletop,tabletop_smoke]", "model=proximity"): ["design=[tabletop,tabletop_smoke]", "leave one out"],
    ("design=[tabletop,pictures]",): ["design=[tabletop,pictures]", "audited alone, design=pictures"],
    ("design=[pictures,studio]", "designs.pictures.pictures=p"): ["no ground truth", "alone, design=pictures"],
    # a model without a design
    ("experiment=smoke", "model=resnet18"): ["model.task=classification", "no chosen design", "design=studio"],
    ("model=proximity", "design=studio"): ["model.task=proximity", "add one of the set tabletop", "design=tabletop"],
    ("design=studio_all",): ["models.proximity.task=proximity", "no chosen design", "design=[studio_all,tabletop]"],
    ("model=[proximity,resnet18]", "design=tabletop"): ["models.resnet18.task", "design=[tabletop,studio]"],
    ("~designs.studio",): ["models.squeezenet1_0.task=classification", "design=[tabletop,studio]"],
    ("model=proximity", "model.task=proximty", "design.seeds=9"): ["model.task=proximty", "did you mean 'proximity'"],
    ("models.resnet18.task=studio",): ["models.resnet18.task=studio", "classification, proximity"],
    # other pairs
    ("model=user", "model.checkpoint=x"): ["model.architecture has to be given"],
    ("model=torchvision",): ["model.architecture has to be given"],
    ("experiment=paper_2019", "design.pictures=p"): ["model.checkpoint has to be given"],
    ("experiment=smoke", "design.factors.light=[front]", "design.control.light=back"): ["not among its levels: front"],
    ("experiment=smoke", "design.arms=false", "design.keep.presence=[ghost]"): ["not a level of this design"],
}
CASES = [
    *(((typed,), says) for typed, says in MISTAKES.items()),
    *((("experiment=smoke", typed), says) for typed, says in OF_THE_ONLY_ONE.items()),
    *((("design=tabletop_sampled", "model=proximity", typed), says) for typed, says in OF_SAMPLED.items()),
    *((("design=studio", "model=resnet18", typed), says) for typed, says in IN_THE_STUDIO.items()),
    *SEVERAL.items(),
]


@pytest.fixture(autouse=True)
def no_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake that gets as far as the pipeline fails the test."""
    pipeline = ModuleType("audit.pipeline")
    monkeypatch.setitem(sys.modules, "audit.pipeline", pipeline)
    monkeypatch.setattr(audit, "pipeline", pipeline, raising=False)
    monkeypatch.setattr(run_verbs, "check_writable", lambda *_: pytest.fail("the configuration was accepted"))


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
