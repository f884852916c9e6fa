"""Earned or not: maps that follow the effect earn it, maps that follow something simpler do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from synthetic_run import CONTROLS, Run, jitter, planted, studio_run

from audit.analysis import ModelFacts
from audit.analysis.earned import Scenes, correlations, expanded_percentiles, usable_scenes
from audit.analysis.layout import lay_out
from audit.analysis.measurement import Measure, measured

DESIGN = {"relation": ("distinct", "near", "equal"), "light": ("front", "back"), "cast_shadow": ("soft", "none")}


def effect_of(levels, block) -> float:
    """What the object is worth to the target, by scene."""
    return (
        10 + 8 * jitter("size", block) - 5 * (levels["relation"] == "equal") + 6 * jitter("e", block, levels["light"])
    )


def target(metric, levels, block):
    if metric != "target_logit":
        return 0.1
    return effect_of(levels, block) if levels["presence"] == "object" else 0.0


def area_of(block: int) -> float:
    return 0.15 + 0.1 * jitter("size", block)


def maps(run: Run, share, untrained=None, regions=("object",), without=()) -> pd.DataFrame:
    """Mass split of one method and of the nulls; share(levels, block) is the method's."""
    shown = run.scenes[(run.scenes["presence"] == "object") & (run.scenes["stratum"] != "empty")]
    rows = []
    for record in shown.to_dict("records"):
        block, scene = int(record["block_id"]), record["scene_id"]
        area = area_of(block)
        values = {
            "model": share(record, block),
            "untrained": untrained(record, block) if untrained else 0.2 + 0.2 * jitter("untrained", scene),
            "edges": 2 * area + 0.1 * jitter("edges", scene),
            "gaussian": area + 0.05 * jitter("g", block),
            "random": area + 0.1 * jitter("random", scene),
        }
        for source, value in values.items():
            if source not in without:
                method = "hires_cam" if source in ("model", "untrained") else "-"
                rows += [("net", scene, method, source, "mass_split", region, value, area) for region in regions]
    columns = ["model", "scene_id", "method", "source", "metric", "region", "value", "chance"]
    return pd.DataFrame(rows, columns=columns).assign(undefined_reason="")


@pytest.fixture(scope="module")
def run() -> Run:
    return planted(target, DESIGN, metrics=("target_logit", "sensor_miss"))


def object_row(run: Run, attention: pd.DataFrame) -> pd.Series:
    earned = run.analysed(attention=attention).earned
    return earned[earned["region"] == "object"].iloc[0]


def test_a_map_that_follows_the_effect_earns_its_numbers(run: Run):
    row = object_row(run, maps(run, lambda v, b: 0.03 * effect_of(v, b) + 0.02 * jitter("own", v["scene_id"])))
    assert row["earned"]
    assert row["reason"] == ""
    assert row["rho"] > 0.9
    assert row["rho_low"] < row["rho"] < row["rho_high"]
    assert row["gain"] == pytest.approx(row["rho"] - row["best_null_rho"])
    assert 0 < row["gain_low"] < row["gain"]
    assert (row["scenes"], row["blocks"]) == (18 * 12, 18)


def test_a_random_map_does_not(run: Run):
    row = object_row(run, maps(run, lambda v, b: 0.3 + 0.2 * jitter("own", v["scene_id"])))
    assert not row["earned"]
    assert row["gain_low"] < 0
    assert row["reason"].endswith("does as well")


def test_a_map_that_follows_the_area_does_not(run: Run):
    row = object_row(run, maps(run, lambda v, b: 3 * area_of(b) + 0.001 * jitter("own", v["scene_id"])))
    assert not row["earned"]
    assert row["rho"] > 0.2
    assert row["best_null"] in ("area", "edges", "gaussian")


def test_a_map_that_does_no_better_than_on_the_untrained_network_does_not(run: Run):
    follow = lambda v, b: 0.03 * effect_of(v, b) + 0.02 * jitter("own", v["scene_id"])  # noqa: E731
    other = lambda v, b: 0.03 * effect_of(v, b) + 0.02 * jitter("other", v["scene_id"])  # noqa: E731
    row = object_row(run, maps(run, follow, untrained=other))
    assert (row["earned"], row["best_null"], row["reason"]) == (
        False,
        "untrained",
        "not earned: untrained does as well",
    )


def test_a_null_that_was_not_measured_is_not_beaten(run: Run):
    follow = lambda v, b: 0.03 * effect_of(v, b) + 0.02 * jitter("own", v["scene_id"])  # noqa: E731
    row = object_row(run, maps(run, follow, without=("untrained", "edges")))
    assert not row["earned"]
    assert row["reason"] == "not earned: edges, untrained not measured"


def test_the_shadow_is_judged_on_scenes_that_have_one_and_an_effect_that_never_varies_ranks_nothing(run: Run):
    earned = run.analysed(
        attention=maps(run, lambda v, b: 0.3 + 0.1 * jitter(v["scene_id"]), regions=("cast_shadow",))
    ).earned
    row = earned[earned["region"] == "cast_shadow"].iloc[0]
    assert row["scenes"] == 18 * 6
    assert not row["earned"]
    assert row["reason"] == "the map's share or the effect is the same in every scene"


def test_scenes_without_a_map_are_left_out(run: Run):
    attention = maps(run, lambda v, b: 0.03 * effect_of(v, b) if b != 0 else float("nan"))
    row = object_row(run, attention)
    assert (row["scenes"], row["blocks"]) == (17 * 12, 17)


def test_a_map_that_says_nothing_in_most_scenes_earns_nothing_by_the_others(run: Run):
    """It follows the effect wherever it says something; of the scenes where it does not nobody knows."""

    def without(*hard: str) -> pd.Series:
        def share(levels, block):
            says_nothing = levels["relation"] in hard
            return float("nan") if says_nothing else 0.03 * effect_of(levels, block) + 0.02 * jitter(levels["scene_id"])

        return object_row(run, maps(run, share))

    few, most = without("near", "equal"), without("equal")
    assert (few["earned"], few["scenes"]) == (False, 18 * 4)
    assert few["reason"] == "not earned: its map is undefined in 144 of 216 scenes"
    assert few["gain_low"] > 0
    assert (most["earned"], most["reason"], most["scenes"]) == (True, "", 18 * 8)


def test_an_undefined_null_map_knows_the_area_alone_and_costs_no_scene(run: Run):
    follow = lambda v, b: 0.03 * effect_of(v, b) + 0.02 * jitter("own", v["scene_id"])  # noqa: E731
    blind = lambda v, b: float("nan")  # noqa: E731
    layout = lay_out(run.scenes, CONTROLS)
    grids = measured(run.predictions, maps(run, follow, untrained=blind), layout)
    measure = Measure("net", "mass_split", "hires_cam", "object")
    scenes = usable_scenes(measure, grids, grids[Measure("net", "target_logit")], layout)
    assert len(scenes.share) == 18 * 12
    assert np.array_equal(scenes.nulls["untrained"], scenes.nulls["area"])


def test_too_few_blocks_earn_nothing():
    few = planted(target, DESIGN, blocks=8, metrics=("target_logit", "sensor_miss"))
    row = object_row(few, maps(few, lambda v, b: 0.03 * effect_of(v, b)))
    assert (row["earned"], row["reason"]) == (False, "6 usable scene seeds, 8 needed")


def test_without_arms_there_is_nothing_to_judge_by():
    plain = planted(target, DESIGN, blocks=12, metrics=("target_logit", "sensor_miss"), arms=False)
    row = object_row(plain, maps(plain, lambda v, b: 0.03 * effect_of(v, b)))
    assert (row["earned"], row["reason"]) == (False, "no interventions to judge it by")


def test_rho_is_scipys_and_weights_mean_repeated_scenes():
    rng = np.random.default_rng(5)
    effect, share = rng.integers(0, 6, 60).astype(float), rng.integers(0, 5, 60).astype(float)
    block = np.repeat(np.arange(6), 10)
    scenes = Scenes(share, effect, {"area": rng.random(60)}, block, ())
    rho, _ = correlations(scenes, np.ones((1, 6)))
    assert rho[0] == pytest.approx(stats.spearmanr(share, effect).statistic)
    weights = np.array([[2.0, 0.0, 1.0, 3.0, 0.0, 0.0]])
    drawn = np.repeat(np.arange(60), weights[0][block].astype(int))
    again, _ = correlations(scenes, weights)
    assert again[0] == pytest.approx(stats.spearmanr(share[drawn], effect[drawn]).statistic)


def test_expanded_percentiles_are_wider_than_plain_ones_and_less_so_with_more_blocks():
    drawn = np.random.default_rng(6).normal(size=2000)
    plain = np.quantile(drawn, [0.025, 0.975])
    few, many = expanded_percentiles(drawn, 10), expanded_percentiles(drawn, 1000)
    reach = np.sqrt(10 / 9) * stats.t.ppf(0.975, 9)  # in normal deviates: 2.38 where the plain interval has 1.96
    assert few == pytest.approx((-reach, reach), abs=0.15)
    assert few[0] < plain[0] - 0.2
    assert few[1] > plain[1] + 0.2
    assert many == pytest.approx(tuple(plain), abs=0.02)


def test_a_map_no_better_than_its_best_null_seldom_earns_anything():
    """Share and null are the same signal with noise of the same size: of 40 data sets few may call it earned."""
    earned = 0
    for repeat in range(40):
        rng = np.random.default_rng(repeat)
        block = np.repeat(np.arange(18), 12)
        signal = rng.normal(size=18)[block] + rng.normal(size=len(block))
        share, null = (signal + 0.8 * rng.normal(size=18)[block] + rng.normal(size=len(block)) for _ in range(2))
        scenes = Scenes(share, signal, {"area": null}, block, ())
        weights = rng.multinomial(18, np.full(18, 1 / 18), size=300).astype(float)
        rho, nulls = correlations(scenes, weights)
        earned += expanded_percentiles(rho - nulls.max(axis=0), 18)[0] > 0
    assert earned <= 4


def test_earned_needs_no_facts_of_the_model(run: Run):
    attention = maps(run, lambda v, b: 0.03 * effect_of(v, b) + 0.02 * jitter("own", v["scene_id"]))
    first = run.analysed(attention=attention).earned
    second = run.analysed(attention=attention, models={"net": ModelFacts({}, 0.9)}).earned
    pd.testing.assert_frame_equal(first, second)


WORTH = {"bucket": 2.0, "granny_smith": 4.0, "lemon": 6.0, "soccer_ball": 8.0}  # objects differ more than poses


def studio_effect(thing: str, pose: int) -> float:
    return WORTH[thing] + jitter("pose", thing, pose)


@pytest.fixture(scope="module")
def studio() -> Run:
    def score(metric, levels, thing, pose):
        return studio_effect(thing, pose) if levels["presence"] == "object" else 0.0

    return studio_run(score, metrics=("target_logit",))


def studio_maps(run: Run, share, regions=("object",)) -> pd.DataFrame:
    shown = run.scenes[run.scenes["presence"] == "object"]
    rows = []
    for record in shown.to_dict("records"):
        thing, pose = record["object"], int(record["block_id"].rsplit(".", 1)[1])
        null = {s: 0.2 + 0.1 * jitter(s, thing, pose) for s in ("untrained", "edges", "gaussian", "random")}
        for source, value in {"model": share(thing, pose), **null}.items():
            method = "hires_cam" if source in ("model", "untrained") else "-"
            rows += [
                ("net", record["scene_id"], method, source, "mass_split", region, value, 0.2) for region in regions
            ]
    columns = ["model", "scene_id", "method", "source", "metric", "region", "value", "chance"]
    return pd.DataFrame(rows, columns=columns).assign(undefined_reason="")


def test_a_map_that_follows_the_effect_over_the_poses_of_each_object_earns_its_numbers(studio: Run):
    row = object_row(studio, studio_maps(studio, lambda o, p: 0.3 + 0.2 * jitter("pose", o, p) - 0.02 * WORTH[o]))
    assert row["earned"]
    assert row["rho"] == pytest.approx(1.0)
    assert (row["scenes"], row["blocks"]) == (32, 32)


def test_a_map_that_ranks_objects_alone_earns_nothing(studio: Run):
    """Its share goes with the effect by .97 over all scenes, and by nothing within any object."""
    share = lambda o, p: 0.05 * WORTH[o] + 0.01 * jitter("own", o, p)  # noqa: E731
    blocks = [(o, p) for o in WORTH for p in range(8)]
    over_all = stats.spearmanr([share(*b) for b in blocks], [studio_effect(*b) for b in blocks]).statistic
    row = object_row(studio, studio_maps(studio, share))
    assert over_all > 0.9
    assert abs(row["rho"]) < 0.5
    assert not row["earned"]


def test_without_scenes_of_the_object_alone_there_is_nothing_to_judge_a_shadows_share_by(studio: Run):
    earned = studio.analysed(attention=studio_maps(studio, lambda o, p: 0.3, regions=("cast_shadow",))).earned
    assert list(earned["reason"]) == ["no scenes of the object without its shadow to judge it by"]


def test_ranks_within_objects_are_spearmans_where_there_is_one_object():
    rng = np.random.default_rng(7)
    share, effect, block = rng.normal(size=24), rng.normal(size=24), np.repeat(np.arange(8), 3)
    one = Scenes(share, effect, {"area": rng.random(24)}, block, (), np.zeros(24, dtype=np.int64))
    two = Scenes(share, effect, one.nulls, block, (), (block >= 4).astype(np.int64))
    assert correlations(one, np.ones((1, 8)))[0][0] == pytest.approx(stats.spearmanr(share, effect).statistic)
    ranks = [np.concatenate([stats.rankdata(x[:12]), stats.rankdata(x[12:])]) for x in (share, effect)]
    within = stats.pearsonr(ranks[0], ranks[1]).statistic  # equal numbers, so the mean ranks are equal
    assert correlations(two, np.ones((1, 8)))[0][0] == pytest.approx(within)
