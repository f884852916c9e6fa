"""A classifier on fixed objects: planted failures are found where they were planted, and on the object."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_run import (
    OBJECTS,
    STUDIO_CONTROLS,
    STUDIO_CRITERION,
    STUDIO_FACTORS,
    STUDIO_PARTNERS,
    ModelFacts,
    Run,
    jitter,
    studio_rows,
    studio_run,
)

from audit.analysis import Analysis
from audit.analysis.contrasts import contrasts
from audit.analysis.layout import lay_out, natural
from audit.tables import CONDITIONS, EFFECTS, FAILURES, INTERVENTIONS

METRICS = ("top1", "target_probability", "logit_margin", "target_logit")
LOST = {
    ("lemon", "light", "back"): 0.9,
    ("granny_smith", "object_color", "unusual"): 0.9,
    ("granny_smith", "light", "red"): 0.9,
}


def probability(levels, thing: str, pose: int) -> float:
    """.95 less what was planted; the sun without blockers costs the bucket .7, with any no more than that."""
    lost = sum(LOST.get((thing, f, levels[f]), 0.0) for f in STUDIO_FACTORS)
    if thing == "bucket" and levels["outside_shadow"] != "none":
        lost = 0.7
    if levels["presence"] != "object":
        return 0.02 + 0.01 * jitter("arm", thing, pose, levels["presence"])
    return max(0.0, 0.95 - lost + 0.05 * jitter(thing, pose, tuple(levels.items())))


def planted_score(metric: str, levels, thing: str, pose: int) -> float:
    p = probability(levels, thing, pose)
    if metric == "top1":
        return float(p > 0.5) if levels["presence"] == "object" else float("nan")
    return p if metric == "target_probability" else 10 * (p - 0.5)


@pytest.fixture(scope="module")
def run() -> Run:
    return studio_run(planted_score, metrics=METRICS)


@pytest.fixture(scope="module")
def analysis(run: Run) -> Analysis:
    return run.analysed()


def pairs_of(analysis: Analysis, metric: str) -> set[str]:
    found = analysis.failures[analysis.failures["metric"] == metric]["condition"]
    return {c for c in found if "object=" in c}


def row(analysis: Analysis, contrast: str, metric: str = "top1") -> pd.Series:
    effects = analysis.effects
    return effects[(effects["contrast"] == contrast) & (effects["metric"] == metric)].iloc[0]


@pytest.mark.parametrize("metric", ["top1", "target_probability"])
def test_what_was_planted_on_an_object_is_found_on_that_object_and_nothing_else_is(analysis: Analysis, metric: str):
    assert pairs_of(analysis, metric) == {
        "light=back & object=lemon",
        "object=granny_smith & object_color=unusual",
        "light=red & object=granny_smith",
        "object=bucket & outside_shadow=unblocked",
    }


@pytest.mark.parametrize("metric", ["top1", "target_probability"])
def test_a_single_failure_of_one_object_in_eight_poses_is_found_among_forty_tests(metric: str):
    def score(metric, levels, thing, pose):
        is_lost = thing == "lemon" and levels["light"] == "back"
        value = (0.05 if is_lost else 0.95) + 0.05 * jitter(thing, pose, tuple(levels.items()))
        return float(value > 0.5) if metric == "top1" else value

    found = studio_run(score, metrics=(metric,)).analysed()
    assert list(found.failures["condition"]) == ["light=back & object=lemon"]


def test_what_the_sun_itself_does_is_not_charged_to_the_blockers_in_front_of_it(analysis: Analysis):
    slats, sun = row(analysis, "outside_shadow=slats"), row(analysis, "outside_shadow=unblocked")
    assert (slats["control"], sun["control"]) == ("outside_shadow=unblocked", "outside_shadow=none")
    assert slats["effect"] == pytest.approx(0.0)
    assert slats["control_mean"] == sun["level_mean"] == 0.75
    assert sun["effect"] == pytest.approx(0.25)
    assert not any("slats" in c or "half" in c for c in analysis.failures["condition"])


def test_blockers_are_charged_with_what_they_add_to_the_sun():
    def score(metric, levels, thing, pose):
        return float(not (thing == "lemon" and levels["outside_shadow"] == "slats"))

    found = studio_run(score, metrics=("top1",)).analysed()
    finding = found.failures.set_index("condition").loc["object=lemon & outside_shadow=slats"]
    assert finding["control"] == "object=lemon & outside_shadow=unblocked"
    assert "against 100 % under outside_shadow = unblocked" in finding["sentence"]


def test_an_effect_is_the_mean_over_objects_and_the_difference_of_its_two_means(analysis: Analysis):
    back = row(analysis, "light=back", "target_probability")
    own = [row(analysis, f"light=back & object={o}", "target_probability") for o in OBJECTS]
    assert back["effect"] == pytest.approx(np.mean([r["effect"] for r in own]))
    assert back["effect"] == pytest.approx(back["control_mean"] - back["level_mean"])  # positive = worse
    assert [(r["n"], r["usable_n"]) for r in own] == [(8, 8)] * 4
    assert (back["n"], back["usable_n"]) == (32, 32)


def test_the_excess_of_an_object_is_its_effect_over_the_mean_of_the_others(analysis: Analysis):
    own = {o: row(analysis, f"light=back & object={o}", "target_probability") for o in OBJECTS}
    others = np.mean([own[o]["effect"] for o in OBJECTS if o != "lemon"])
    assert own["lemon"]["excess"] == pytest.approx(own["lemon"]["effect"] - others)
    assert own["lemon"]["excess_low"] > 0.5
    assert np.isnan(row(analysis, "light=back")["excess"])


def test_an_object_that_is_no_worse_than_all_of_them_says_no_more_than_the_level():
    def score(metric, levels, thing, pose):
        return float(levels["light"] != "back")

    found = studio_run(score, metrics=("top1",)).analysed()
    assert list(found.failures["condition"]) == ["light=back"]
    assert row(found, "light=back & object=lemon")["reason"] == "says no more than light=back"
    assert "most on" not in found.failures["sentence"].iloc[0]


def test_object_has_no_contrast_of_its_own_and_pairs_with_every_level(run: Run):
    layout = lay_out(run.scenes, STUDIO_CONTROLS, STUDIO_PARTNERS)
    names = [c.name for c in contrasts(layout)]
    assert not any(c.order == 1 and c.object for c in contrasts(layout))
    assert sum("object=lemon" in name for name in names) == 8
    assert "light=back & object=lemon" in names
    assert "object=lemon & object_color=unusual" in names


def test_one_factor_at_a_time_has_no_pairs_of_levels_and_says_nothing_of_means_over_factors(analysis: Analysis):
    pairs = analysis.effects[analysis.effects["order"] == 2]["contrast"]
    assert pairs.str.contains("object=").all()
    assert not analysis.failures["sentence"].str.contains("mean over").any()
    effects = analysis.effects
    assert np.allclose(effects["effect"], effects["simple_effect"])


def test_a_classifier_that_always_says_the_same_is_unfit_at_control():
    found = studio_run(lambda m, v, o, p: float(o == "bucket"), metrics=("top1",)).analysed()
    assert found.verdict["verdict"] == "unfit at control"
    assert found.verdict["models"]["net"]["control"][0]["value"] == pytest.approx(0.25)
    assert found.failures.empty
    assert (found.effects["ci_high"] - found.effects["ci_low"] > 0.05).all()


def test_a_classifier_that_is_always_right_has_no_failure():
    found = studio_run(lambda m, v, o, p: 1.0, metrics=("top1",)).analysed()
    assert found.verdict["verdict"] == "no failure found"
    assert found.verdict["exit_code"] == 0


def test_sentences_say_on_which_objects(analysis: Analysis):
    sentences = analysis.failures.set_index(["metric", "condition"])["sentence"]
    lemon = sentences["top1", "light=back & object=lemon"]
    assert lemon.startswith(
        "Under light = back on lemon the network names the object first in 0 % of scenes, against 100 % under"
        " light = key: −100 points ["
    )
    assert "beyond the mean of the other objects, 8 object poses, q = " in lemon
    assert "gives the object a probability of" in sentences["target_probability", "light=back & object=lemon"]


def red_light(metric, levels, thing, pose):
    """Red light loses two objects."""
    return float(not (levels["light"] == "red" and thing in ("bucket", "granny_smith")))


def test_a_mean_over_objects_names_them_and_the_one_it_is_most_about():
    sentence = (
        studio_run(red_light, metrics=("top1",)).analysed().failures.set_index("condition")["sentence"]["light=red"]
    )
    assert sentence.startswith(
        "Under light = red on these 4 objects (bucket, granny_smith, lemon, soccer_ball) the network names the object"
        " first in 50 % of scenes, against 100 % under light = key: −50 points ["
    )
    assert "most on bucket and granny_smith (−100 points), 32 object poses, q = .001" in sentence


def test_many_objects_are_counted_and_not_named():
    run = studio_run(lambda m, v, o, p: float(v["light"] != "red"), [f"thing_{i}" for i in range(8)], metrics=("top1",))
    assert " on these 8 objects the network " in run.analysed().failures["sentence"].iloc[0]


def test_a_logit_margin_is_told_in_logits(run: Run):
    margins = {**STUDIO_CRITERION.margins, "logit_margin": 1.0}
    found = run.analysed(criterion=replace(STUDIO_CRITERION, margins=margins)).failures
    sentence = found[found["metric"] == "logit_margin"].set_index("condition").loc["light=back & object=lemon"]
    assert "the object's logit less that of the best other class is -4" in sentence["sentence"]
    assert " logit [" in sentence["sentence"]


def test_one_object_alone_is_named_and_its_finding_keeps_numbers_and_id(run: Run, analysis: Analysis):
    """What the command that reproduces 'lemon x back' relies on."""
    kept = run.scenes[(run.scenes["object"] == "lemon") & run.scenes["light"].isin(["key", "back"])]
    alone = run.analysed(scenes=kept)
    columns = ["effect", "ci_low", "ci_high", "level_mean", "control_mean", "finding_id", "p", "n", "usable_n"]
    pair = "light=back & object=lemon"
    pd.testing.assert_series_equal(row(alone, pair)[columns], row(analysis, pair)[columns], check_names=False)
    assert alone.failures["sentence"].str.contains("on lemon").all()
    assert len(alone.failures) > 0


def test_on_one_object_a_level_is_told_once(run: Run):
    alone = run.analysed(scenes=run.scenes[run.scenes["object"] == "lemon"])
    assert set(alone.failures["condition"]) == {"light=back"}
    assert row(alone, "light=back & object=lemon")["reason"] == "says no more than light=back"


def test_too_few_poses_of_all_objects_are_untested_and_counted_over_all_of_them():
    found = studio_run(planted_score, poses=1, metrics=("top1",)).analysed().verdict
    assert found["verdict"] == "insufficient coverage"
    assert found["models"]["net"]["untested"] == {"top1": "4 usable object poses, 8 needed"}


def test_a_level_kept_with_its_partner_alone_keeps_its_effect(run: Run, analysis: Analysis):
    kept = run.scenes[run.scenes["outside_shadow"].isin(["unblocked", "slats"])]
    found = run.analysed(scenes=kept)
    assert set(found.effects.query("order == 1")["contrast"]) == {"outside_shadow=slats"}
    assert row(found, "outside_shadow=slats")["effect"] == row(analysis, "outside_shadow=slats")["effect"]


def test_an_object_whose_scenes_were_lost_is_left_out_and_named():
    run = studio_run(red_light, metrics=("top1",))
    is_lost = (run.scenes["object"] == "lemon") & (run.scenes["light"] == "red")
    found = run.analysed(scenes=run.scenes.assign(status=np.where(is_lost, "failed", "ok")))
    red = row(found, "light=red")
    assert (red["n"], red["usable_n"]) == (24, 24)
    assert red["effect"] == pytest.approx(2 / 3)
    assert red["reason"] == "on 3 of 4 objects, without lemon"
    sentence = found.failures.set_index("condition")["sentence"]["light=red"]
    assert " on 3 of 4 objects (bucket, granny_smith, soccer_ball) " in sentence
    assert "light=red & object=lemon" not in set(found.effects["contrast"])


def test_few_poses_of_an_object_are_not_judged_on_it(run: Run):
    is_lost = (run.scenes["block_id"] == "lemon.3") & (run.scenes["light"] == "back")
    found = run.analysed(scenes=run.scenes.assign(status=np.where(is_lost, "failed", "ok")))
    pair = row(found, "light=back & object=lemon")
    assert (pair["test"], pair["reason"]) == ("none", "7 usable object poses, 8 needed")
    assert row(found, "light=back")["usable_n"] == 31


def test_conditions_have_a_row_per_object_and_one_for_all(analysis: Analysis):
    shown = analysis.conditions.query("metric == 'top1' and light == 'back' and presence == 'object'").set_index(
        "object"
    )
    assert list(shown.index) == ["all", *OBJECTS]
    assert list(shown["mean"]) == [0.75, 1.0, 1.0, 0.0, 1.0]
    assert list(shown["n"]) == [32, 8, 8, 8, 8]
    assert (shown["ci_high"] - shown["ci_low"] > 0).all()
    assert shown.loc["all", "ci_low"] < 0.75 < shown.loc["all", "ci_high"]


def test_equal_rows_give_equal_tables_whatever_their_order(tmp_path: Path, run: Run, analysis: Analysis):
    shuffled = run.analysed(
        scenes=run.scenes.sample(frac=1, random_state=1), predictions=run.predictions.sample(frac=1, random_state=2)
    )
    assert shuffled.verdict == analysis.verdict
    for table in (CONDITIONS, EFFECTS, INTERVENTIONS, FAILURES):
        factors = ["presence", "object", *STUDIO_FACTORS] if table.has_factors else ()
        texts = []
        for name, found in (("a", analysis), ("b", shuffled)):
            (tmp_path / name).mkdir(exist_ok=True)
            table.write(getattr(found, table.name), tmp_path / name, factors, csv=True)
            texts.append((tmp_path / name / f"{table.name}.csv").read_bytes())
        assert texts[0] == texts[1]


def test_a_block_is_one_object():
    scenes = studio_rows(poses=1)
    with pytest.raises(ValueError, match="one object in one pose"):
        lay_out(scenes.assign(block_id="0"), STUDIO_CONTROLS)


def test_poses_are_in_counting_order():
    assert sorted(["lemon.10", "bucket.2", "lemon.9"], key=natural) == ["bucket.2", "lemon.9", "lemon.10"]


def test_metrics_of_the_other_task_are_neither_judged_nor_listed_as_untested(analysis: Analysis):
    own = analysis.verdict["models"]["net"]
    assert [floor["metric"] for floor in own["control"]] == ["top1"]
    assert own["untested"] == {}
    assert set(analysis.effects["metric"]) == {"top1", "target_probability"}


def test_a_classifiers_recipe_may_name_objects(run: Run):
    facts = {"net": ModelFacts({"object": ["bucket"]}, 0.5, "classification")}
    found = run.analysed(models=facts)
    inside = found.conditions.groupby("object")["in_recipe"].unique().map(list).to_dict()
    assert inside == {"all": [True], "bucket": [True], **{o: [False] for o in OBJECTS if o != "bucket"}}
    assert found.failures.set_index("condition").loc["light=back & object=lemon", "expected"].all()


def _failing_at_the_margin(rng: np.random.Generator, rate_at_control: float) -> Run:
    def score(metric, levels, thing, pose):
        is_control = all(levels[f] == v for f, v in STUDIO_CONTROLS.items())
        return float(rng.random() < rate_at_control - 0.1 * (not is_control))

    return studio_run(score, metrics=("top1",), scenes=studio_rows(arms=False))


@pytest.mark.parametrize("rate", [0.95, 0.55], ids=["nearly always right", "right half of the time"])
def test_of_runs_where_every_level_is_at_the_margin_few_show_any_failure(rate: float):
    repeats = 40
    alarms = sum(len(_failing_at_the_margin(np.random.default_rng(i), rate).analysed().failures) > 0 for i in range(40))
    assert alarms / repeats <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / repeats)
