"""Sampled designs: contrasts of bins by the points in them, against a literal count; what is found and what is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from synthetic_run import OBJECTS, STUDIO_CRITERION, Run, control_auc, jitter

from audit.analysis import ModelFacts, Sampled
from audit.analysis.contrasts import contrasts, paired
from audit.analysis.criterion import judged
from audit.analysis.earned import earned_table
from audit.analysis.intervals import mean_intervals
from audit.analysis.layout import lay_out
from audit.analysis.measurement import Grid, Measure, measured
from audit.analysis.points import spreads, widened
from audit.config import CriterionConfig
from audit.tables import CONDITIONS, EFFECTS, FAILURES, INTERVENTIONS
from scenes.design import Design
from scenes.manifest import SCENES

# strength: its control lies in a bin; distance: its control has a name only; light: levels, not a range
FACTORS = {"strength": ["0.2..1.8"], "distance": ["0.04..0.36"], "light": ["front", "back"]}
DESIGN = Design(
    "sampled",
    FACTORS,
    {"presence": "object", "strength": "1", "distance": "drawn", "light": "front"},
    blocks=12,
    crossing="sobol",
    ranges={"strength": (0.2, 1.8), "distance": (0.04, 0.36)},
)
STRENGTHS = ("0.2..0.6", "0.6..1", "1..1.4", "1.4..1.8")

# metric, levels and exact values of the condition, block -> value
Score = Callable[[str, Mapping[str, str], Mapping[str, float], str], float]


def run_of(design: Design, score: Score, metrics: tuple[str, ...] = ("sensor_miss",)) -> Run:
    """The run of a sampled design in which the network's scores are what `score` says."""
    fixed = {c: 0.5 for c, kind in SCENES.columns.items() if kind == "float"}
    fixed |= {"scene_set": "tabletop", "stratum": "near", "status": "ok", "reason": "", "shape": "box"}
    rows, scores = [], []
    for cell in design.cells():
        levels, name = dict(cell.condition.levels), cell.cell_id(design.name)
        own = {"cell_id": name, "scene_id": f"s{name}", "block_id": cell.block, "values": cell.condition.exact}
        rows.append({**levels, **fixed, **own})
        values = dict(cell.condition.values)
        scores += [("net", name, metric, score(metric, levels, values, cell.block)) for metric in metrics]
    predictions = pd.DataFrame(scores, columns=["model", "cell_id", "metric", "value"])
    scenes = pd.DataFrame(rows)[["cell_id", *design.factor_names, *list(SCENES.columns)[1:]]]
    return Run(
        scenes,
        predictions.assign(undefined_reason=np.where(predictions["value"].isna(), "undefined", "")),
        auc=control_auc(scenes),
        models={"net": ModelFacts({}, 0.4)},
        controls=design.control,
        sampled=Sampled(design.references, design.apart, not design.own_points),
    )


def any_curve(metric, levels, values, block):
    """Something of every factor, and of two together; at the control condition it is small."""
    if not values:
        return 0.05 + 0.01 * jitter(metric, block)
    wave = 0.2 * np.sin(9 * values["strength"]) + 2 * (values["distance"] - 0.2) ** 2
    together = 0.3 * (levels["light"] == "back") * (values["strength"] < 1)
    return 0.4 + wave + together + 0.2 * jitter(metric, block, levels["light"], *values.values())


def points_of(run: Run) -> pd.DataFrame:
    """Scores of the sampled points alone, with their levels and blocks."""
    points = run.scenes[run.scenes["values"] != ""]
    return points.merge(run.predictions, on="cell_id")


def mean_of(points: pd.DataFrame, block: str, levels: Mapping[str, str]) -> float:
    kept = points[points["block_id"] == block]
    for factor, level in levels.items():
        kept = kept[kept[factor] == level]
    return float(kept["value"].mean())


def rows_of(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_index("contrast")


@pytest.fixture(scope="module")
def run() -> Run:
    return run_of(DESIGN, any_curve)


@pytest.fixture(scope="module")
def effects(run: Run) -> pd.DataFrame:
    return rows_of(run.analysed().effects)


def test_a_bin_is_contrasted_with_the_bin_of_the_control_by_the_means_over_their_points(run: Run, effects):
    points = points_of(run)
    for name in ("0.2..0.6", "0.6..1", "1.4..1.8"):
        sides = [[mean_of(points, b, {"strength": v}) for b in map(str, range(12))] for v in (name, "1..1.4")]
        row = effects.loc[f"strength={name}"]
        assert row["level_mean"] == pytest.approx(np.mean(sides[0]))
        assert row["effect"] == pytest.approx(np.mean(np.subtract(*sides)))
        assert row["control"] == "strength=1..1.4"
        assert (row["n"], row["usable_n"]) == (12, 12)
    assert "strength=1..1.4" not in effects.index


def test_a_control_that_has_only_a_name_leaves_the_mean_over_all_points(run: Run, effects):
    points = points_of(run)
    for name in DESIGN.levels["distance"][1:]:
        differences = [mean_of(points, b, {"distance": name}) - mean_of(points, b, {}) for b in map(str, range(12))]
        row = effects.loc[f"distance={name}"]
        assert row["effect"] == pytest.approx(np.mean(differences))
        assert row["control"] == "distance=mean of all levels"
    assert "distance=drawn" not in effects.index


def test_a_pair_is_contrasted_with_both_at_their_references_and_its_excess_is_of_four_means(run: Run, effects):
    points, blocks = points_of(run), [str(b) for b in range(12)]
    corners = [
        np.array([mean_of(points, b, {"light": light, "strength": strength}) for b in blocks])
        for light in ("back", "front")
        for strength in ("0.2..0.6", "1..1.4")
    ]
    row = effects.loc["light=back & strength=0.2..0.6"]
    assert row["effect"] == pytest.approx(np.mean(corners[0] - corners[3]))
    assert row["excess"] == pytest.approx(np.mean(corners[0] - corners[1] - corners[2] + corners[3]))
    assert row["excess"] == pytest.approx(0.3, abs=0.12)
    assert row["control"] == "light=front & strength=1..1.4"
    named = effects.loc["distance=0.04..0.12 & strength=0.2..0.6"]
    both = [mean_of(points, b, {"distance": "0.04..0.12", "strength": "0.2..0.6"}) for b in blocks]
    beside = [mean_of(points, b, {"strength": "1..1.4"}) for b in blocks]
    assert named["effect"] == pytest.approx(np.mean(np.subtract(both, beside)))


def test_there_are_contrasts_of_every_bin_and_pair_of_bins_but_those_of_the_references(run: Run):
    found = contrasts(lay_out(run.scenes, run.controls, sampled=run.sampled))
    assert sum(c.order == 1 for c in found) == 3 + 4 + 1
    assert sum(c.order == 2 for c in found) == 3 * 4 + 3 * 1 + 4 * 1


def test_the_control_condition_serves_its_gate_alone(run: Run, effects):
    def other(metric, levels, values, block):
        return any_curve(metric, levels, values, block) if values else 0.9

    worse = run_of(DESIGN, other).analysed()
    pd.testing.assert_frame_equal(rows_of(worse.effects), effects)
    gate = [floor for floor in worse.verdict["models"]["net"]["control"] if floor["metric"] == "sensor_miss"]
    assert gate[0]["value"] == pytest.approx(0.9)
    assert worse.verdict["verdict"] == "unfit at control"
    assert run.analysed().verdict["models"]["net"]["control"][1]["value"] == pytest.approx(0.05, abs=0.01)


def test_where_no_point_has_all_else_at_control_there_is_no_simple_effect(effects):
    """Of a pair of ranges all else is the light, whose control half of the points have."""
    has_simple = effects["simple_effect"].notna()
    assert set(has_simple.index[has_simple]) == {c for c in effects.index if "distance" in c and "strength" in c}
    assert effects.loc[~has_simple, ["simple_low", "simple_high"]].isna().all(axis=None)


def test_keeping_a_bin_beside_its_reference_leaves_its_effect_as_it_was(effects):
    """What the command that reproduces a finding relies on. Its interval may differ, by the spread of other bins."""
    keep = {"strength": ["1", "0.2..0.6", "1..1.4"]}
    kept = rows_of(run_of(dataclasses.replace(DESIGN, keep=keep), any_curve).analysed().effects)
    for name in ("strength=0.2..0.6", "light=back & strength=0.2..0.6"):
        same = ["level_mean", "control_mean", "effect", "excess", "n", "usable_n"]
        pd.testing.assert_series_equal(kept.loc[name, same], effects.loc[name, same])
    assert not [c for c in kept.index if "1.4..1.8" in c]


def step(metric, levels, values, block):
    dark = values.get("strength", 1.0) < 0.6
    return min(1.0, max(0.0, 0.1 + 0.5 * dark + 0.3 * jitter(metric, block, *values.values(), *levels.values())))


@pytest.mark.parametrize(("crossing", "points"), [("sobol", 32), ("sobol", 64), ("latin_hypercube", 64)])
def test_a_step_in_one_factor_is_found_in_its_bin_and_nowhere_else(crossing: str, points: int):
    found = run_of(dataclasses.replace(DESIGN, crossing=crossing, points=points), step).analysed()
    assert list(found.failures["condition"]) == ["strength=0.2..0.6"]
    assert found.failures["effect"].iloc[0] == pytest.approx(0.5, abs=0.05)
    singles = found.effects[found.effects["order"] == 1].set_index("contrast")["effect"].drop("strength=0.2..0.6")
    assert singles.abs().max() < (0.05 if crossing == "sobol" else 0.2)  # its bins are not balanced against each other


def test_what_two_factors_do_together_is_found_as_a_pair():
    def score(metric, levels, values, block):
        both = values.get("strength", 1.0) < 0.6 and levels["light"] == "back"
        return 0.05 + 0.8 * both + 0.1 * jitter(metric, block, *values.values())

    found = run_of(dataclasses.replace(DESIGN, points=128), score).analysed()
    assert "light=back & strength=0.2..0.6" in set(found.failures["condition"])
    assert rows_of(found.effects).loc["light=back & strength=0.2..0.6", "excess"] == pytest.approx(0.8, abs=0.05)


def test_the_sentence_says_the_bin_and_that_the_other_factors_were_sampled():
    sentence = run_of(DESIGN, step).analysed().failures["sentence"].iloc[0]
    assert sentence.startswith("Under strength = 0.2..0.6 the network misses ")
    assert "under strength = 1..1.4 (means over what was sampled of the other factors): +" in sentence
    assert sentence.endswith(", 12 scene seeds, q = .001; its checkpoint declares no training recipe.")


def test_a_block_with_less_than_half_of_the_points_of_a_bin_says_nothing_of_it():
    def score(metric, levels, values, block):
        is_lost = block == "3" and levels["strength"] == "0.2..0.6" and values["distance"] > 0.1
        return float("nan") if is_lost else any_curve(metric, levels, values, block)

    effects = rows_of(run_of(DESIGN, score).analysed().effects)
    assert effects.loc["strength=0.2..0.6", "usable_n"] == 11
    assert effects.loc["strength=0.6..1", "usable_n"] == 12


def test_a_bin_in_which_the_metric_is_nowhere_defined_is_told_and_not_judged():
    """Of an obstacle that is too far off nothing can be missed."""

    def score(metric, levels, values, block):
        return float("nan") if values.get("distance", 0) > 0.28 else any_curve(metric, levels, values, block)

    far = rows_of(run_of(DESIGN, score).analysed().effects).loc["distance=0.28..0.36"]
    assert (far["n"], far["usable_n"], far["test"]) == (12, 0, "none")
    assert far["reason"] == "0 usable scene seeds, 8 needed"


def test_bins_inside_a_range_of_the_recipe_are_inside_the_recipe(run: Run):
    facts = ModelFacts({"strength": ["0.5..2"], "distance": ["drawn", "0.04..0.4"]}, 0.4)
    effects = rows_of(run.analysed(models={"net": facts}).effects)
    assert effects.loc["strength=0.6..1", "in_recipe"]
    assert not effects.loc["strength=0.2..0.6", "in_recipe"]
    assert effects.loc["distance=0.28..0.36", "in_recipe"]
    conditions = run.analysed(models={"net": facts}).conditions.groupby("strength")["in_recipe"].unique()
    assert {level: list(inside) for level, inside in conditions.items()} == {
        "1": [True],
        **{name: [name != "0.2..0.6"] for name in STRENGTHS},
    }


def test_arms_are_those_of_the_control_condition():
    def score(metric, levels, values, block):
        return {"object": 0.6, "ghost": 0.4, "empty": 0.1}[levels["presence"]] + 0.01 * jitter(block, *values.values())

    found = run_of(DESIGN, score, ("sensor_alarm",)).analysed().interventions
    at = found[found["light"] == "front"].set_index("effect")
    assert set(found["light"]) == {"front", "all"}
    assert at.loc["shadow", "mean"] == pytest.approx(0.3)
    assert at.loc["removal_object", "mean"] == pytest.approx(0.2, abs=0.01)
    assert at.loc["shadow", "n"] == 12


def test_equal_rows_give_equal_bytes_whatever_their_order(tmp_path: Path, run: Run):
    shuffled = run.analysed(
        scenes=run.scenes.sample(frac=1, random_state=1), predictions=run.predictions.sample(frac=1, random_state=2)
    )
    for table in (CONDITIONS, EFFECTS, INTERVENTIONS, FAILURES):
        texts = []
        for name, found in (("a", run.analysed()), ("b", shuffled)):
            (tmp_path / name).mkdir(exist_ok=True)
            factors = DESIGN.factor_names if table.has_factors else ()
            texts.append(table.write(getattr(found, table.name), tmp_path / name, factors).read_bytes())
        assert texts[0] == texts[1]


def test_points_in_the_same_bins_are_one_condition_by_their_mean(run: Run):
    conditions = run.analysed().conditions.query("metric == 'sensor_miss' and presence == 'object'")
    bins = {"strength": "1..1.4", "distance": "0.04..0.12", "light": "back"}
    points = points_of(run).query("strength == '1..1.4' and distance == '0.04..0.12' and light == 'back'")
    row = conditions[np.logical_and.reduce([conditions[f] == v for f, v in bins.items()])]
    assert len(points) == 2 * 12
    assert row["mean"].iloc[0] == pytest.approx(points["value"].mean())
    assert row["n"].iloc[0] == 12


def test_a_design_that_samples_levels_alone_counts_its_control_where_it_is_a_point():
    factors = {"light": ["front", "back", "side"], "relation": ["distinct", "equal"]}
    control = {"presence": "object", "light": "front", "relation": "distinct"}
    many = Design("levels", factors, control, blocks=8, crossing="sobol", points=32)
    assert many.apart is None
    assert len(many.conditions()) == 6 + 2

    def score(metric, levels, values, block):
        return 0.3 * (levels["light"] == "back") + 0.2 * (levels["relation"] == "equal") + 0.01 * jitter(block)

    effects = rows_of(run_of(many, score).analysed().effects)
    assert effects.loc["light=back", "effect"] == pytest.approx(0.3)
    assert effects.loc["relation=equal", "effect"] == pytest.approx(0.2)
    assert effects.loc["light=back", "simple_effect"] == pytest.approx(0.3)
    few = dataclasses.replace(many, points=2, seed=2)
    assert few.apart == {"light": "front", "relation": "distinct"}


def test_of_several_objects_each_is_sampled_and_their_mean_is_the_effect():
    design = dataclasses.replace(DESIGN, objects=OBJECTS, blocks=6, points=16)

    def score(metric, levels, values, block):
        lost = 0.6 * (values.get("strength", 1.0) < 0.6) * (levels["object"] in ("lemon", "bucket"))
        return 0.9 - lost + 0.05 * jitter(block, *values.values(), *levels.values())

    run = dataclasses.replace(
        run_of(design, score, ("target_probability",)),
        auc=pd.DataFrame(columns=["model", "auc"]),
        models={"net": ModelFacts({}, 0.5, "classification")},
        criterion=dataclasses.replace(STUDIO_CRITERION, min_blocks=6),
    )
    effects = rows_of(run.analysed().effects)
    assert effects.loc["strength=0.2..0.6", "effect"] == pytest.approx(0.3, abs=0.05)
    assert effects.loc["object=lemon & strength=0.2..0.6", "effect"] == pytest.approx(0.6, abs=0.05)
    assert effects.loc["object=soccer_ball & strength=0.2..0.6", "effect"] == pytest.approx(0.0, abs=0.05)


def test_a_design_of_many_factors_is_laid_out_by_its_conditions_and_not_by_all_combinations():
    """Fourteen factors of five levels have six milliards of combinations."""
    factors = {f"f{i:02d}": [f"l{j}" for j in range(5)] for i in range(14)}
    control = {"presence": "object", **dict.fromkeys(factors, "l0")}
    design = Design("wide", factors, control, blocks=16, crossing="one_at_a_time")
    run = run_of(design, lambda m, v, x, b: 0.1 + 0.7 * (v["f03"] == "l2") + 0.05 * jitter(b, *v.values()))
    run = dataclasses.replace(run, sampled=None)
    assert lay_out(run.scenes, run.controls).shape == (16, 1 + 14 * 4 + 2)
    assert list(run.analysed().failures["condition"]) == ["f03=l2"]


def near_or_far(metric, levels, values, block):
    """A steep curve of the distance, and nothing of the other factors."""
    rate = 1 / (1 + np.exp(-(values.get("distance", 0.1) - 0.16) / 0.03))
    return float(np.clip(rate + 0.3 * jitter(metric, block) + 0.3 * jitter(metric, block, *values.values()), 0, 1))


SIX = {"distance": (0.04, 0.36), **dict.fromkeys(("offset", "difference", "strength", "pitch", "field"), (0.0, 1.0))}
WIDE = Design(
    "wide",
    {f: [f"{low}..{high}"] for f, (low, high) in SIX.items()},
    {"presence": "object", **dict.fromkeys(SIX, "0.6"), "distance": "drawn"},
    blocks=12,
    crossing="sobol",
    arms=False,
    ranges=SIX,
)


@pytest.mark.parametrize("seed", range(3))
def test_a_steep_curve_of_one_factor_is_not_taken_for_an_effect_of_others(seed: int):
    """Four points to a pair of bins are nearer than four others by chance, and so in every block: over blocks alone
    some such pairs are significant."""
    found = run_of(dataclasses.replace(WIDE, seed=seed), near_or_far).analysed()
    assert set(found.failures["condition"]) == {"distance=0.2..0.28", "distance=0.28..0.36"}
    blocks_alone = _over_blocks_alone(found.effects, run_of(dataclasses.replace(WIDE, seed=seed), near_or_far))
    assert sum(blocks_alone[c] < 0.001 for c in blocks_alone.index if "distance" not in c) >= 3


def _over_blocks_alone(effects: pd.DataFrame, run: Run) -> pd.Series:
    """contrast -> p of t over blocks, as if the points were all there is."""
    layout = lay_out(run.scenes, run.controls, sampled=run.sampled)
    values = measured(run.predictions, run.attention, layout)[Measure("net", "sensor_miss")].values
    rows = {c.name: paired(values, layout, c).difference for c in contrasts(layout)}
    return pd.Series({name: stats.ttest_1samp(row, 0.1, alternative="greater").pvalue for name, row in rows.items()})


def test_points_are_a_second_unit_of_which_the_wider_estimate_counts():
    means = np.array([0.1, 0.2, 0.4, 0.1, 0.5, 0.9, 0.6, 0.8, 0.3, 0.2, np.nan])
    cell = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 0])
    sides = [np.array([0, 1, 2, 3, 10]), np.array([4, 5, 6, 7])]
    own, pooled = spreads(means, cell, sides, (1.0, -1.0))
    low, high, rest = means[:4], means[4:8], means[8:10]
    assert own.variance == pytest.approx(low.var(ddof=1) / 4 + high.var(ddof=1) / 4)
    assert own.degrees == pytest.approx(stats.ttest_ind(low, high, equal_var=False).df)
    squares = sum(((part - part.mean()) ** 2).sum() for part in (low, high, rest))
    assert (pooled.variance, pooled.degrees) == (pytest.approx(squares / 7 * (1 / 4 + 1 / 4)), 7)
    plain = mean_intervals(np.array([[0.3, 0.5, 0.4, 0.6]]), (-1.0, 1.0), is_difference=True)
    half = max(stats.t.ppf(0.975, s.degrees) * np.sqrt(s.variance) for s in (own, pooled))
    wide = widened(plain, [(own, pooled)], (-1.0, 1.0))
    assert wide.low[0] == pytest.approx(plain.mean[0] - np.hypot(plain.mean[0] - plain.low[0], half))
    assert widened(plain, [()], (-1.0, 1.0)).low[0] == plain.low[0]


OWN = dataclasses.replace(DESIGN, own_points=True)


def test_where_blocks_have_their_own_points_contrasts_are_of_each_blocks_own_means():
    run = run_of(OWN, any_curve)
    points, row = points_of(run), rows_of(run.analysed().effects).loc["light=back & strength=0.2..0.6"]
    both, neither = {"light": "back", "strength": "0.2..0.6"}, {"light": "front", "strength": "1..1.4"}
    differences = [mean_of(points, b, both) - mean_of(points, b, neither) for b in map(str, range(12))]
    plain = mean_intervals(np.array([differences]), (-1.0, 1.0), is_difference=True)
    assert row["effect"] == pytest.approx(np.mean(differences))
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((plain.low[0], plain.high[0]))
    assert len(points) == 64 * 12
    assert (row["n"], row["usable_n"]) == (12, 12)


def test_points_of_their_own_tell_more_of_a_curve_than_the_same_for_all_blocks():
    def score(metric, levels, values, block):
        return 0.8 * near_or_far(metric, levels, values, block) + 0.2 * (values.get("strength", 1.0) < 0.25)

    found, width = {}, {}
    for own in (False, True):
        control = {**WIDE.control, "distance": "0.1"}
        found[own] = run_of(dataclasses.replace(WIDE, own_points=own, control=control), score).analysed()
        dark = rows_of(found[own].effects).loc["strength=0..0.25"]
        width[own] = dark["ci_high"] - dark["ci_low"]
    assert width[True] < width[False] / 3
    assert "strength=0..0.25" in set(found[True].failures["condition"])
    assert "strength=0..0.25" not in set(found[False].failures["condition"])
    assert not any("offset" in c or "pitch" in c for c in found[True].failures["condition"])


def test_one_range_alone_is_judged_by_all_points_in_its_bins():
    design = dataclasses.replace(
        DESIGN,
        factors={"strength": FACTORS["strength"]},
        control={"presence": "object", "strength": "1"},
        ranges={"strength": (0.2, 1.8)},
    )
    found = run_of(design, step).analysed()
    assert list(found.failures["condition"]) == ["strength=0.2..0.6"]
    shown = found.conditions.query("metric == 'sensor_miss' and presence == 'object'")
    assert sorted(shown["strength"]) == sorted([*STRENGTHS, "1"])


def test_below_four_points_to_a_side_nothing_is_judged():
    few = rows_of(run_of(dataclasses.replace(DESIGN, points=8), step).analysed().effects)
    assert few.loc["strength=0.2..0.6", "reason"] == "fewer than 4 points to a side"
    assert (few.loc["strength=0.2..0.6", "ci_low"], few.loc["strength=0.2..0.6", "ci_high"]) == (-1, 1)
    assert few.loc["light=back", "reason"] == ""
    assert not few["is_failure"].any()


SIMULATED = dataclasses.replace(DESIGN, points=32, arms=False)


def _alarms(
    draw: Callable[[np.random.Generator, pd.DataFrame], np.ndarray], repeats: int, own_points: bool = False
) -> float:
    """Share of data sets with any failure condition; draw(rng, levels) gives the scores (B, N) of N conditions."""
    run = run_of(dataclasses.replace(SIMULATED, own_points=own_points), lambda m, v, x, b: 0.0)
    layout = lay_out(run.scenes, run.controls, sampled=run.sampled)
    levels = pd.DataFrame({f: np.array(layout.levels[f])[layout.codes[:, i]] for i, f in enumerate(layout.factors)})
    criterion, nothing = CriterionConfig(margins={"sensor_miss": 0.10}), earned_table({}, layout, 8)
    alarms = 0
    for repeat in range(repeats):
        values = np.where(layout.rendered, draw(np.random.default_rng(repeat), levels), np.nan)
        grid = {Measure("net", "sensor_miss"): Grid(values, values * np.nan, np.isfinite(values))}
        rows = judged("net", ModelFacts({}, 0.5), grid, layout, criterion, (), nothing)
        alarms += any(row.is_failure for row in rows)
    return alarms / repeats


def _no_effect(rng: np.random.Generator, levels: pd.DataFrame) -> np.ndarray:
    """Blocks differ in how hard they are, and in what each point does to them."""
    rate = np.clip(rng.beta(0.5, 1.0, size=(12, 1)) + rng.normal(0, 0.1, size=(12, len(levels))), 0, 1)
    return rng.binomial(3, rate) / 3


def _one_bin_at_the_margin(rng: np.random.Generator, levels: pd.DataFrame) -> np.ndarray:
    rate = np.broadcast_to(rng.beta(0.5, 2.0, size=(12, 1)), (12, len(levels)))
    lifted = rate + (1 - rate) * 0.10 / 0.8  # + .10 in the mean, as the mean rate is .2
    return rng.binomial(3, np.where(levels["strength"] == "0.2..0.6", lifted, rate)) / 3


def _one_bin_far_beyond(rng: np.random.Generator, levels: pd.DataFrame) -> np.ndarray:
    return np.where(levels["strength"] == "0.2..0.6", 0.9, 0.1) + rng.normal(0, 0.1, (12, len(levels)))


@pytest.mark.parametrize("own_points", [False, True], ids=["shared points", "own points"])
@pytest.mark.parametrize("draw", [_no_effect, _one_bin_at_the_margin], ids=["no effect", "a bin at the margin itself"])
def test_of_60_data_sets_without_failure_at_most_alpha_show_any(draw, own_points: bool):
    assert _alarms(draw, 60, own_points) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 60)


def test_the_simulated_data_sets_do_alarm_when_there_is_something():
    assert _alarms(_one_bin_far_beyond, 10) == 1.0
    assert _alarms(_one_bin_far_beyond, 5, own_points=True) == 1.0
