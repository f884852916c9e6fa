"""Failure conditions: planted ones are found and named, absent ones are not, and pairs only where they say more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from synthetic_run import CONTROLS, CRITERION, FACTORS, RECIPE, Run, jitter, planted, prediction_rows, scene_rows

from audit.analysis import AnalysisError, ModelFacts
from audit.analysis.criterion import judged
from audit.analysis.earned import earned_table
from audit.analysis.layout import lay_out
from audit.analysis.measurement import Grid, Measure, measured
from audit.config import CriterionConfig

NEAR = ("near",)
SMALL = {"relation": ("distinct", "equal"), "light": ("front", "back"), "cast_shadow": ("soft", "none")}


def share(mean: float, spread: float, *key: object) -> float:
    """A planted share in [0, 1]."""
    return min(1.0, max(0.0, mean + spread * jitter(*key)))


def back_light(metric, levels, block):
    """Misses: 10 % under front light, 55 % under light from behind; nothing else matters."""
    if metric == "sensor_false_alarm":
        return 0.0
    return share(0.55 if levels["light"] == "back" else 0.10, 0.2, block, levels["light"])


def test_a_planted_level_is_found_with_its_size_and_stands_for_its_pairs():
    analysis = planted(back_light).analysed()
    assert list(analysis.failures["condition"]) == ["light=back"]
    found = analysis.failures.iloc[0]
    assert found["effect"] == pytest.approx(0.45, abs=0.05)
    assert found["ci_low"] < 0.45 < found["ci_high"]
    assert found["severity"] == pytest.approx(found["ci_low"] / 0.10)
    assert analysis.verdict["verdict"] == "failures found"
    pair = analysis.effects.query("contrast == 'light=back & relation=equal' and metric == 'sensor_miss'").iloc[0]
    assert pair["q"] < 0.05
    assert not pair["is_failure"]
    assert pair["reason"] == "says no more than light=back"


def test_a_pair_is_a_failure_of_its_own_where_the_two_together_are_worse_than_their_sum():
    def score(metric, levels, block):
        back, equal = levels["light"] == "back", levels["relation"] == "equal"
        mean = 0.1 + 0.35 * back + 0.5 * (back and equal)
        return share(mean, 0.1, metric, block, tuple(levels.items())) if metric == "sensor_miss" else 0.0

    effects = planted(score).analysed().effects
    failing = effects[effects["is_failure"]]["contrast"].tolist()
    assert "light=back & relation=equal" in failing
    assert "light=back" in failing
    assert "cast_shadow=none & light=back" not in failing
    assert effects.set_index(["metric", "contrast"]).loc[("sensor_miss", failing[-1]), "q"] < 0.05


def test_an_interaction_is_seen_with_two_levels_per_factor_too():
    def score(metric, levels, block):
        both = levels["light"] == "back" and levels["relation"] == "equal"
        return share(0.1 + 0.6 * both, 0.1, metric, block, tuple(levels.items())) if metric == "sensor_miss" else 0.0

    failures = planted(score, SMALL, strata=NEAR).analysed().failures.set_index("condition")
    found = failures.loc["light=back & relation=equal"]
    assert found["effect"] == pytest.approx(0.6, abs=0.05)
    assert "of them beyond what each alone adds up to" in found["sentence"]


def test_a_pair_no_worse_than_its_parent_is_not_told_twice_though_its_levels_interact():
    """Equal colour helps under front light and does nothing under light from behind: an interaction, and no news."""

    def score(metric, levels, block):
        mean = 0.8 if levels["light"] == "back" else 0.4 if levels["relation"] == "distinct" else 0.1
        return share(mean, 0.1, metric, block, tuple(levels.items())) if metric == "sensor_miss" else 0.0

    analysis = planted(score, SMALL, strata=NEAR).analysed()
    pair = analysis.effects.query("contrast == 'light=back & relation=equal' and metric == 'sensor_miss'").iloc[0]
    assert pair["excess_low"] > 0
    assert list(analysis.failures["condition"]) == ["light=back"]


def test_a_pair_of_harmless_levels_that_add_up_to_a_failure_is_not_lost():
    def score(metric, levels, block):
        back, equal = levels["light"] == "back", levels["relation"] == "equal"
        return share(0.1 + 0.09 * back + 0.09 * equal, 0.02, block, tuple(levels.items()))

    failures = planted(score, metrics=["sensor_miss"]).analysed().failures
    assert list(failures["condition"]) == ["light=back & relation=equal"]


def test_a_failure_that_is_the_same_in_every_block_does_not_vanish():
    def score(metric, levels, block):
        return float(levels["light"] == "back") if metric == "sensor_miss" else 0.0

    analysis = planted(score, strata=("near", "far")).analysed()
    found = analysis.failures.iloc[0]
    assert found["condition"] == "light=back"
    assert found["effect"] == 1.0
    assert found["ci_low"] < 1.0
    assert 0 < analysis.effects.query("contrast == 'light=back' and metric == 'sensor_miss'")["p"].iloc[0] < 1e-3


def test_a_difference_below_the_margin_is_no_failure_however_certain():
    def score(metric, levels, block):
        return share(0.14 if levels["light"] == "back" else 0.10, 0.001, block, levels["light"])

    assert planted(score, metrics=["sensor_miss"]).analysed().failures.empty


def test_an_interval_that_still_holds_the_margin_is_no_failure_whatever_q_says():
    """One-sided p = .035 at the margin: q passes in a family of one, the two-sided interval shown does not."""
    spread = np.tile([-1.0, 1.0], 6)
    worse = 0.10 + 0.1 * (spread / spread.std(ddof=1) + 2.0 / np.sqrt(12))
    run = planted(
        lambda m, v, b: 0.2 + (worse[b] if v["light"] == "back" else 0.0),
        {"light": ("front", "back")},
        blocks=12,
        metrics=["sensor_miss"],
        arms=False,
        strata=NEAR,
    )
    row = run.analysed(controls={"light": "front"}).effects.iloc[0]
    assert row["p"] < row["q"] + 1e-12 < 0.05
    assert row["ci_low"] < row["margin"]
    assert not row["is_failure"]


def test_fewer_than_eight_usable_blocks_are_not_judged_and_the_row_says_so():
    effects = planted(back_light, blocks=7, strata=NEAR).analysed().effects
    assert (effects["test"] == "none").all()
    assert effects["q"].isna().all()
    assert (effects["reason"] == "7 usable scene seeds, 8 needed").all()


def test_example_blocks_are_the_worst_first_and_the_command_gets_every_usable_block():
    def score(metric, levels, block):
        return 0.1 + (0.3 + 0.02 * block) * (levels["light"] == "back")

    found = planted(score, SMALL, blocks=12, metrics=["sensor_miss"], strata=NEAR).analysed().failures.iloc[0]
    assert found["example_blocks"] == "11 10 9 8 7 6"
    assert found["reproduce"] == "run light=back seeds=0,1,2,3,4,5,6,7,8,9,10,11"


def test_the_id_of_a_finding_depends_on_model_name_metric_and_levels_alone():
    def ids(run: Run) -> dict[str, str]:
        effects = run.analysed().effects
        return dict(zip(effects["metric"] + effects["contrast"], effects["finding_id"], strict=True))

    whole, other = ids(planted(back_light)), ids(planted(lambda m, v, b: share(0.3, 0.3, b, m), blocks=12))
    assert whole == other
    assert len(set(whole.values())) == len(whole)
    small = ids(planted(back_light, SMALL))
    assert small.items() <= whole.items()
    assert all(i.startswith("F-") and len(i) == 10 for i in whole.values())


def test_worse_conditions_rank_first():
    def score(metric, levels, block):
        mean = {"front": 0.05, "back": 0.75, "right_low": 0.4, "right_high": 0.05}[levels["light"]]
        return share(mean, 0.2, metric, block, tuple(levels.items())) if metric == "sensor_miss" else 0.0

    failures = planted(score).analysed().failures
    assert list(failures["condition"]) == ["light=back", "light=right_low"]
    assert list(failures["rank"]) == [1, 2]
    assert failures["severity"].is_monotonic_decreasing


def test_the_sentence_says_the_numbers_of_the_table_and_what_was_to_be_expected():
    run = planted(back_light)
    found = run.analysed().failures.iloc[0]
    level, control = round(100 * found["level_mean"]), round(100 * found["control_mean"])
    assert (
        f"Under light = back the network misses {level} % of occupied sensors, against {control} %" in found["sentence"]
    )
    assert f"+{level - control} points [" in found["sentence"]
    assert "24 scene seeds, q < .001; outside its training recipe, so to be expected." in found["sentence"]
    assert found["expected"]
    trained = {"net": ModelFacts({**RECIPE, "light": ["front", "back"]}, 0.5)}
    inside = run.analysed(models=trained).failures.iloc[0]
    assert inside["sentence"].endswith("inside its training recipe.")
    assert not inside["expected"]


def test_the_sentence_warns_where_the_level_alone_does_not_carry_the_finding():
    """Equal colour fails only under light from behind; its mean over lights fails, its simple effect is nothing."""

    def score(metric, levels, block):
        worse = levels["light"] != "front" and levels["relation"] == "equal"
        return share(0.1 + 0.6 * worse, 0.1, block, tuple(levels.items())) if metric == "sensor_miss" else 0.0

    failures = planted(score).analysed().failures.set_index("condition")
    assert "; with all else at control" in failures.loc["relation=equal", "sentence"]


def test_a_margin_on_an_unknown_metric_names_the_nearest_one():
    with pytest.raises(AnalysisError, match="sensor_miss"):
        planted(back_light, SMALL, blocks=2).analysed(criterion=CriterionConfig(margins={"sensor_mis": 0.1}))
    with pytest.raises(AnalysisError, match="no better end"):
        planted(back_light, SMALL, blocks=2).analysed(criterion=CriterionConfig(margins={"scene_alarm": 0.1}))
    with pytest.raises(AnalysisError, match="positive"):
        planted(back_light, SMALL, blocks=2).analysed(criterion=CriterionConfig(margins={"sensor_miss": 0.0}))


def _families(draw, margin: float, repeats: int) -> float:
    """Share of data sets with any failure condition; draw(rng, layout) gives shares on the layout."""
    scenes = scene_rows(SMALL, blocks=12, arms=False, strata=NEAR)
    layout = lay_out(scenes, CONTROLS)
    criterion = CriterionConfig(margins={"sensor_miss": margin})
    nothing = earned_table({}, layout, 8)
    alarms = 0
    for repeat in range(repeats):
        values = draw(np.random.default_rng(repeat), layout)
        grid = {Measure("net", "sensor_miss"): Grid(values, values * np.nan, np.isfinite(values))}
        rows = judged("net", ModelFacts({}, 0.5), grid, layout, criterion, (), nothing)
        alarms += any(row.is_failure for row in rows)
    return alarms / repeats


def _no_effect(rng: np.random.Generator, layout) -> np.ndarray:
    base = rng.beta(0.5, 1.0, size=(len(layout.blocks), 1))
    return rng.binomial(3, np.broadcast_to(base, layout.shape)) / 3


def _light_at_the_margin(rng: np.random.Generator, layout) -> np.ndarray:
    rate = np.broadcast_to(rng.beta(0.5, 2.0, size=(len(layout.blocks), 1)), layout.shape)
    lifted = rate + (1 - rate) * 0.10 / 0.8  # + .10 in the mean, as the mean rate is .2
    return rng.binomial(3, np.where(layout.where({"light": "back"}), lifted, rate)) / 3


def _one_binary_picture_per_cell(rng: np.random.Generator, layout) -> np.ndarray:
    return (rng.random(layout.shape) < 0.4).astype(float)


@pytest.mark.parametrize(
    "draw",
    [_no_effect, _light_at_the_margin, _one_binary_picture_per_cell],
    ids=["no effect", "one level at the margin itself", "binary outcomes"],
)
def test_of_200_data_sets_without_failure_at_most_alpha_show_any(draw):
    assert _families(draw, margin=0.10, repeats=200) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


def test_of_30_data_sets_with_a_failing_level_and_no_interaction_few_show_a_pair():
    scenes = scene_rows(FACTORS, blocks=12, arms=False, strata=NEAR)
    layout = lay_out(scenes, CONTROLS)
    criterion = CriterionConfig(margins={"sensor_miss": 0.10})
    back = layout.where({"light": "back"})
    with_pairs = 0
    for repeat in range(30):
        values = np.random.default_rng(repeat).normal(0.1, 0.1, layout.shape)
        values[:, back] += 0.4
        grid = {Measure("net", "sensor_miss"): Grid(values, values * np.nan, np.isfinite(values))}
        rows = judged("net", ModelFacts({}, 0.5), grid, layout, criterion, (), earned_table({}, layout, 8))
        failing = [row.effect.contrast for row in rows if row.is_failure]
        assert "light=back" in [c.name for c in failing]
        with_pairs += any(c.order == 2 for c in failing)
    assert with_pairs <= 4


def test_the_simulated_families_do_alarm_when_there_is_something():
    def worse(rng: np.random.Generator, layout) -> np.ndarray:
        values = _light_at_the_margin(rng, layout)
        return np.where(layout.where({"light": "back"}), np.minimum(1.0, values + 0.5), values)

    assert _families(worse, margin=0.10, repeats=20) > 0.9


def _attention(run: Run, own: float, untrained: float, drop: float) -> pd.DataFrame:
    """Relevance mass accuracy of a method: `own` at control, `drop` lower under light from behind; and untrained."""
    shown = run.scenes[(run.scenes["presence"] == "object") & (run.scenes["stratum"] != "empty")]
    parts = []
    for source, mean in (("model", own), ("untrained", untrained)):
        lower = np.where((shown["light"] == "back") & (source == "model"), drop, 0.0)
        value = mean - lower + [0.05 * jitter(source, s) for s in shown["scene_id"]]
        parts.append(shown[["scene_id"]].assign(source=source, value=value))
    frame = pd.concat(parts).assign(model="net", method="hires_cam", metric="relevance_mass_accuracy", region="object")
    return frame.assign(chance=0.1, undefined_reason="")


def test_no_attention_finding_without_beating_the_untrained_network():
    run = planted(lambda m, v, b: 0.0, SMALL)
    effects = run.analysed(attention=_attention(run, own=0.5, untrained=0.5, drop=0.4)).effects
    rows = effects[effects["metric"] == "relevance_mass_accuracy"]
    assert set(rows["reason"]) == {"no better than the untrained network on control scenes"}
    assert not rows["is_failure"].any()
    assert rows["p"].isna().all()
    assert rows.set_index("contrast").loc["light=back", "effect"] == pytest.approx(0.4, abs=0.05)


def test_no_attention_finding_that_was_not_earned():
    run = planted(lambda m, v, b: 0.0, SMALL)
    effects = run.analysed(attention=_attention(run, own=0.6, untrained=0.2, drop=0.4)).effects
    assert set(effects[effects["metric"] == "relevance_mass_accuracy"]["reason"]) == {"not earned"}


def test_an_earned_attention_measure_is_judged_like_any_other():
    run = planted(lambda m, v, b: 0.0, SMALL)
    layout = lay_out(run.scenes, CONTROLS)
    grids = measured(run.predictions, _attention(run, own=0.6, untrained=0.2, drop=0.4), layout)
    earned = pd.DataFrame({"model": ["net"], "method": "hires_cam", "region": "object", "earned": True, "reason": ""})
    criterion = replace(CRITERION, margins={"relevance_mass_accuracy": 0.1})
    rows = judged("net", ModelFacts(RECIPE, 0.5), grids, layout, criterion, ("hires_cam",), earned)
    assert [r.effect.contrast.name for r in rows if r.is_failure] == ["light=back"]


def test_a_model_without_recipe_gets_no_excuse():
    run = planted(back_light)
    found = run.analysed(models={"net": ModelFacts({}, 0.5)}).failures.iloc[0]
    assert not found["expected"]
    assert found["sentence"].endswith("its checkpoint declares no training recipe.")


def test_false_alarms_are_judged_on_all_blocks_and_misses_on_those_with_an_obstacle_near():
    def score(metric, levels, block):
        near = block % 4 in (0, 2)
        return float("nan") if metric == "sensor_miss" and not near else share(0.1, 0.2, metric, block, levels["light"])

    effects = planted(score).analysed().effects
    usable = effects.groupby("metric")["usable_n"].unique()
    assert list(usable["sensor_miss"]) == [12]
    assert list(usable["sensor_false_alarm"]) == [24]


def test_rows_of_cells_that_were_not_rendered_are_not_used():
    run = planted(back_light, SMALL, blocks=10, strata=NEAR)
    is_lost = (run.scenes["block_id"] == "3") & (run.scenes["light"] == "back")
    lost = run.scenes.assign(status=np.where(is_lost, "rejected", "ok"))
    back = run.analysed(scenes=lost).effects.query("contrast == 'light=back' and metric == 'sensor_miss'").iloc[0]
    assert (back["n"], back["usable_n"]) == (9, 9)


def test_prediction_rows_helper_marks_what_is_undefined():
    scenes = scene_rows(SMALL, blocks=1)
    frame = prediction_rows(scenes, lambda m, v, b: float("nan"), ["sensor_miss"])
    assert (frame["undefined_reason"] != "").all()
