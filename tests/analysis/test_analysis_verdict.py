"""The verdict: control gate first, coverage before everything, and networks that are what they were planted to be."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from synthetic_run import (
    CRITERION,
    FACTORS,
    STUDIO_CRITERION,
    ModelFacts,
    Run,
    control_auc,
    jitter,
    planted,
    prediction_rows,
    studio_run,
)

from audit.analysis import merged

SMALL = {"relation": ("distinct", "equal"), "light": ("front", "back"), "cast_shadow": ("soft", "none")}
NEAR = ("near",)


def good(metric, levels, block):
    return 0.05 + 0.04 * jitter(metric, block, tuple(levels.items()))


def test_a_good_network_has_no_failure():
    analysis = planted(good, SMALL).analysed()
    assert analysis.verdict["verdict"] == "no failure found"
    assert analysis.verdict["exit_code"] == 0
    assert analysis.failures.empty


@pytest.mark.parametrize("misses", [0.0, 1.0], ids=["it always alarms", "it never alarms"])
def test_a_network_of_constant_output_is_unfit_at_control_and_has_no_level_finding(misses: float):
    def constant(metric, levels, block):
        return misses if "miss" in metric else 1 - misses

    run = planted(constant, metrics=("sensor_miss", "sensor_false_alarm", "scene_miss"))
    analysis = run.analysed(auc=control_auc(run.scenes, 0.5))
    assert analysis.verdict["verdict"] == "unfit at control"
    assert analysis.failures.empty
    assert not analysis.effects["is_failure"].any()
    assert (analysis.effects["effect"] == 0).all()
    assert (analysis.conditions["ci_high"] - analysis.conditions["ci_low"])[
        analysis.conditions["metric"] != "auc"
    ].min() > 0


def test_findings_of_an_unfit_network_are_shown_but_not_ranked():
    def score(metric, levels, block):
        return min(1.0, 0.4 + 0.5 * (levels["light"] == "back") + 0.1 * jitter(block, levels["light"]))

    analysis = planted(score, SMALL, strata=NEAR).analysed()
    assert analysis.verdict["verdict"] == "unfit at control"
    assert len(analysis.failures) > 0
    assert not analysis.failures["ranked"].any()
    assert analysis.failures["sentence"].str.endswith("unfit at control already.").all()
    assert analysis.verdict["models"]["net"]["ranked"] is False


def test_the_gate_shows_value_floor_and_answer_of_each_metric():
    run = planted(good, SMALL)
    gate = {
        row["metric"]: row
        for row in run.analysed(auc=control_auc(run.scenes, 0.80)).verdict["models"]["net"]["control"]
    }
    assert (gate["auc"]["value"], gate["auc"]["floor"], gate["auc"]["ok"]) == (0.80, 0.85, False)
    assert gate["sensor_miss"]["value"] == pytest.approx(0.05, abs=0.02)
    assert gate["sensor_miss"]["ok"] is True


def test_the_gate_looks_at_the_control_condition_alone():
    def score(metric, levels, block):
        return 0.05 if levels["light"] == "front" else 0.9

    run = planted(score, SMALL, strata=NEAR)
    auc = control_auc(run.scenes)
    auc.loc[auc["light"] != "front", "auc"] = 0.4
    analysis = run.analysed(auc=auc)
    assert analysis.verdict["verdict"] == "failures found"


def test_coverage_below_its_floor_ends_with_code_5_whatever_else_was_found():
    run = planted(good, SMALL, strata=NEAR)
    is_lost = np.arange(len(run.scenes)) % 10 == 0
    status = np.where(is_lost, np.where(np.arange(len(run.scenes)) % 20 == 0, "failed", "rejected"), "ok")
    verdict = run.analysed(scenes=run.scenes.assign(status=status)).verdict
    assert (verdict["verdict"], verdict["exit_code"]) == ("insufficient coverage", 5)
    covered = verdict["coverage"]
    assert covered["planned"] == covered["usable"] + covered["failed"] + covered["rejected"] == len(run.scenes)
    assert covered["share"] == covered["usable"] / covered["planned"]


def test_a_cell_without_any_usable_answer_does_not_count_as_covered():
    run = planted(good, SMALL, blocks=10, strata=NEAR)
    block = set(run.scenes.loc[run.scenes["block_id"] == "0", "cell_id"])
    silent = run.predictions.assign(value=run.predictions["value"].where(~run.predictions["cell_id"].isin(block)))
    assert run.analysed(predictions=silent).verdict["coverage"]["share"] == pytest.approx(0.9)


def test_too_few_scene_seeds_are_not_called_no_failure_found():
    verdict = planted(good, SMALL, blocks=4).analysed().verdict
    assert (verdict["verdict"], verdict["exit_code"]) == ("insufficient coverage", 0)
    assert verdict["models"]["net"]["untested"]["sensor_miss"] == "4 usable scene seeds, 8 needed"


def test_a_floor_that_was_not_measured_is_not_passed():
    run = planted(good, SMALL)
    verdict = run.analysed(auc=pd.DataFrame(columns=["model", "auc"])).verdict
    gate = {row["metric"]: row for row in verdict["models"]["net"]["control"]}
    assert (gate["auc"]["value"], gate["auc"]["ok"]) == (None, False)
    assert verdict["verdict"] == "insufficient coverage"
    assert verdict["models"]["net"]["untested"]["auc"] == "not measured at control"


def test_the_worst_model_decides_the_verdict_of_the_run():
    run = planted(good, SMALL)

    def bad(metric, levels, block):
        return 0.9

    predictions = pd.concat([run.predictions, prediction_rows(run.scenes, bad, ["sensor_miss"], model="bad")])
    both = {"net": ModelFacts({}, 0.5), "bad": ModelFacts({}, 0.5)}
    auc = control_auc(run.scenes, models=("net", "bad"))
    verdict = run.analysed(predictions=predictions, models=both, auc=auc).verdict
    assert verdict["models"]["net"]["verdict"] == "no failure found"
    assert verdict["models"]["bad"]["verdict"] == verdict["verdict"] == "unfit at control"


def test_the_verdict_is_plain_json():
    assert json.loads(json.dumps(planted(good, SMALL).analysed().verdict, allow_nan=False))["schema_version"] == 1


def test_a_run_of_nothing_is_insufficient_coverage():
    run = planted(good, SMALL, blocks=1)
    nothing = Run(run.scenes.iloc[:0], run.predictions.iloc[:0], auc=pd.DataFrame(columns=["model", "auc"]))
    analysis = nothing.analysed()
    assert (analysis.verdict["verdict"], analysis.verdict["exit_code"]) == ("insufficient coverage", 5)
    assert analysis.conditions.empty


def test_a_network_that_reads_the_light_is_found_for_what_it_is():
    """It alarms wherever the floor is lit from behind: false alarms there, and the arms say it is the light."""

    def reads_light(metric, levels, block):
        alarms = 1.0 if levels["light"] == "back" else float(levels["presence"] == "object" and block % 4 in (0, 2))
        if metric == "sensor_miss":
            return 0.0
        return alarms if metric != "sensor_false_alarm" else float(levels["light"] == "back")

    analysis = planted(reads_light, FACTORS, metrics=("sensor_miss", "sensor_false_alarm", "scene_alarm")).analysed()
    assert list(analysis.failures["condition"]) == ["light=back"]
    assert list(analysis.failures["metric"]) == ["sensor_false_alarm"]
    light = analysis.interventions.query("effect == 'light' and light == 'back' and response == 'scene_alarm'").iloc[0]
    shadow = analysis.interventions.query("effect == 'shadow' and light == 'back' and response == 'scene_alarm'")
    assert light["mean"] == 1.0
    assert (shadow["mean"] == 0).all()


def test_a_floor_of_the_criterion_may_be_any_metric_with_a_better_end():
    run = planted(good, metrics=("sensor_miss", "brier"))
    verdict = run.analysed(criterion=replace(CRITERION, control_floor={"brier": 0.01})).verdict
    assert verdict["verdict"] == "unfit at control"


def right(metric, levels, thing, pose):
    return 1.0


def lost(run: Run, share: float) -> Run:
    """The run with a share of its scenes not rendered."""
    is_lost = np.arange(len(run.scenes)) < share * len(run.scenes)
    return replace(run, scenes=run.scenes.assign(status=np.where(is_lost, "failed", "ok")))


def test_scene_sets_are_laid_together_into_one_verdict():
    tabletop = planted(good, SMALL).analysed().verdict
    studio = studio_run(lambda m, v, o, p: float(v["light"] != "back"), metrics=("top1",)).analysed().verdict
    studio["models"]["classifier"] = studio["models"].pop("net")
    both = merged({"tabletop": tabletop, "studio": studio}, STUDIO_CRITERION)
    assert (both["verdict"], both["exit_code"], both["schema_version"]) == ("failures found", 0, 1)
    assert list(both["models"]) == ["classifier", "net"]
    assert both["models"]["net"] == tabletop["models"]["net"]
    sets = both["coverage"].pop("scene_sets")
    assert sets == {"studio": studio["coverage"], "tabletop": tabletop["coverage"]}
    assert both["coverage"]["planned"] == sum(covered["planned"] for covered in sets.values())
    assert both["coverage"]["share"] == 1.0
    assert merged({"studio": studio, "tabletop": tabletop}, STUDIO_CRITERION)["models"] == both["models"]


def test_one_set_below_its_coverage_decides_though_the_whole_is_above():
    tabletop = planted(good, SMALL, blocks=48).analysed().verdict
    studio = lost(studio_run(right, ["lemon"], metrics=("top1",)), 0.1).analysed().verdict
    both = merged({"tabletop": tabletop, "studio": studio}, STUDIO_CRITERION)
    assert both["coverage"]["share"] > 0.95
    assert (both["verdict"], both["exit_code"]) == ("insufficient coverage", 5)


def test_one_set_alone_stays_what_it_was():
    alone = planted(good, SMALL).analysed().verdict
    whole = merged({"tabletop": alone}, CRITERION)
    assert whole["coverage"].pop("scene_sets") == {"tabletop": alone["coverage"]}
    assert whole == alone


def test_no_set_at_all_is_insufficient_coverage():
    nothing = merged({}, CRITERION)
    assert (nothing["verdict"], nothing["exit_code"], nothing["coverage"]["share"]) == ("insufficient coverage", 5, 0.0)


def test_the_merged_verdict_is_plain_json():
    studio = studio_run(right, metrics=("top1",)).analysed().verdict
    assert json.loads(json.dumps(merged({"studio": studio}, STUDIO_CRITERION), allow_nan=False))["exit_code"] == 0


def test_a_floor_of_the_other_task_is_not_asked_of_a_model():
    run = planted(good, SMALL)
    gate = run.analysed(criterion=STUDIO_CRITERION).verdict["models"]["net"]["control"]
    assert [floor["metric"] for floor in gate] == ["auc", "sensor_miss"]
