"""Interventions: the four arms, with numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from synthetic_run import (
    CONTROLS,
    FACTORS,
    OBJECTS,
    STUDIO_FACTORS,
    Run,
    control_auc,
    jitter,
    planted,
    prediction_rows,
    scene_rows,
    studio_rows,
    studio_run,
)

METRICS = ("scene_alarm", "sensor_alarm", "target_logit")
SMOKE = {"relation": ("distinct", "equal"), "light": ("front", "back"), "cast_shadow": ("soft", "none")}


def arms(metric, levels, block):
    """Logits: floor 1 (4 lit from behind), object + 10 (+ 6 in the floor's colour), shadow + 3 (hard + 5), both + 2."""
    object_, shadow = levels["presence"] == "object", levels["presence"] != "empty" and levels["cast_shadow"] != "none"
    value = 4.0 if levels["light"] == "back" else 1.0
    value += (6.0 if levels["relation"] == "equal" else 10.0) * object_
    value += (5.0 if levels["cast_shadow"] == "hard" else 3.0) * shadow + 2.0 * (object_ and shadow)
    return value if metric == "target_logit" else float(value > 3.5)


def cell(frame: pd.DataFrame, effect: str, where: str, response: str = "target_logit") -> float:
    relation, light, shadow = where.split()
    key = {"effect": effect, "response": response, "relation": relation, "light": light, "cast_shadow": shadow}
    row = frame[np.logical_and.reduce([frame[k] == v for k, v in key.items()])]
    assert len(row) == 1
    return float(row["mean"].iloc[0])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return planted(arms, metrics=METRICS).analysed().interventions


@pytest.mark.parametrize(
    ("effect", "where", "expected"),
    [
        ("arm_full", "distinct front soft", 1 + 10 + 3 + 2),
        ("arm_object", "distinct front soft", 1 + 10),
        ("arm_ghost", "distinct front soft", 1 + 3),
        ("arm_empty", "distinct front soft", 1),
        ("arm_ghost", "equal back hard", 4 + 5),
        ("object", "distinct front soft", 10),
        ("object", "equal back hard", 6),
        ("shadow", "distinct front soft", 3),
        ("shadow", "equal right_low hard", 5),
        ("interaction", "equal back hard", 2),
        ("removal_object", "equal front soft", 6 + 2),
        ("removal_shadow", "equal front hard", 5 + 2),
        ("light", "all back all", 3),
        ("light", "all right_low all", 0),
        ("object", "all front soft", (10 + 10 + 6) / 3),
        ("shadow", "equal front all", (3 + 5) / 2),
        ("arm_empty", "all all all", (1 + 4 + 1 + 1) / 4),
        ("removal_object", "all all all", 26 / 3 + 2),
    ],
)
def test_arms_and_effects_are_those_worked_out_by_hand(table: pd.DataFrame, effect: str, where: str, expected: float):
    assert cell(table, effect, where) == pytest.approx(expected)


def test_alarms_say_whether_it_is_the_shadow_or_the_light_on_the_floor(table: pd.DataFrame):
    assert cell(table, "arm_ghost", "distinct front soft", "scene_alarm") == 1.0
    assert cell(table, "shadow", "distinct front soft", "scene_alarm") == 1.0
    assert cell(table, "shadow", "distinct back soft", "scene_alarm") == 0.0  # the empty floor alarms already
    assert cell(table, "light", "all back all", "scene_alarm") == 1.0


def test_alarms_count_near_blocks_targets_near_and_far_and_light_all_blocks(table: pd.DataFrame):
    n = table[table["effect"] == "object"].groupby("response")["usable_n"].unique()
    assert [list(n[r]) for r in METRICS] == [[12], [12], [18]]
    assert set(table[table["effect"] == "light"]["usable_n"]) == {24}


def test_no_alarm_rate_has_an_interval_of_width_zero(table: pd.DataFrame):
    alarms = table[table["response"] != "target_logit"]
    assert (alarms["ci_high"] - alarms["ci_low"] > 0.05).all()
    assert ((alarms["ci_low"] >= -2) & (alarms["ci_high"] <= 2)).all()


def test_a_missing_arm_is_nan_with_fewer_usable_blocks_and_no_error():
    run = planted(arms, metrics=METRICS)
    is_lost = (run.scenes["presence"] == "ghost") & (run.scenes["block_id"] == "0") & (run.scenes["light"] == "front")
    lost = run.analysed(scenes=run.scenes.assign(status=np.where(is_lost, "failed", "ok"))).interventions
    of = lost[(lost["light"] == "front") & (lost["relation"] == "equal") & (lost["response"] == "scene_alarm")]
    usable = of[of["cast_shadow"] == "soft"].set_index("effect")["usable_n"]
    assert (usable["shadow"], usable["removal_object"], usable["object"]) == (11, 11, 12)
    without = run.analysed(scenes=run.scenes[run.scenes["presence"] != "ghost"]).interventions
    assert without[without["effect"] == "shadow"]["mean"].isna().all()
    assert without[without["effect"] == "shadow"]["usable_n"].eq(0).all()
    assert without[without["effect"] == "object"]["mean"].notna().all()


def test_the_smoke_design_has_its_table():
    table = planted(arms, SMOKE, blocks=4, metrics=METRICS).analysed().interventions
    assert cell(table, "removal_shadow", "equal back soft") == pytest.approx(5)
    assert set(table["cast_shadow"]) == {"soft", "all"}


def test_a_design_without_the_factors_or_without_arms_has_an_empty_table():
    renamed = {"colour": ("distinct", "equal"), "lamp": ("front", "back")}
    scenes = scene_rows(renamed, blocks=8, arms=False)
    score = lambda m, v, b: 0.1 * jitter(m, b)  # noqa: E731
    run = Run(scenes, prediction_rows(scenes, score, METRICS), controls={"colour": "distinct", "lamp": "front"})
    assert run.analysed(auc=control_auc(scenes)).interventions.empty
    assert planted(score, SMOKE, blocks=4, metrics=METRICS, arms=False).analysed().interventions.empty


def test_a_further_factor_is_averaged_over():
    factors = {**SMOKE, "gloss": ("matt", "shiny")}

    def score(metric, levels, block):
        return arms(metric, levels, block) + (
            4.0 if levels["gloss"] == "shiny" and levels["presence"] == "object" else 0
        )

    scenes = scene_rows(factors, blocks=4)
    run = Run(scenes, prediction_rows(scenes, score, ["target_logit"]), controls={**CONTROLS, "gloss": "matt"})
    assert cell(run.analysed().interventions, "object", "distinct front soft") == pytest.approx(10 + 2)


def test_every_pooled_row_is_the_mean_over_the_levels_it_pools(table: pd.DataFrame):
    one = table[(table["response"] == "target_logit") & (table["effect"] == "interaction")]
    for relation in (*FACTORS["relation"], "all"):
        rows = one[(one["relation"] == relation) & (one["cast_shadow"] == "soft")].set_index("light")["mean"]
        assert rows["all"] == pytest.approx(rows[list(FACTORS["light"])].mean())


WORTH = {"bucket": 2.0, "granny_smith": 8.0, "lemon": 6.0, "soccer_ball": 4.0}


def studio_arms(metric, levels, thing, pose):
    """Logits: floor 1, ghost + .5, object and shadow + its worth; back light, colours and the sun cost 3."""
    away = sum(levels[f] != names[0] for f, names in STUDIO_FACTORS.items())
    worth = {"empty": 0.0, "ghost": 0.5, "object": WORTH[thing] - 3.0 * away}[levels["presence"]]
    value = 1.0 + worth + 0.2 * jitter(thing, pose, levels["presence"])
    return value / 10 if metric == "target_probability" else value


@pytest.fixture(scope="module")
def studio() -> pd.DataFrame:
    return (
        studio_run(studio_arms, metrics=("target_probability", "logit_margin", "target_logit")).analysed().interventions
    )


def studio_cell(frame: pd.DataFrame, effect: str, thing: str, response: str = "logit_margin") -> pd.Series:
    found = frame[(frame["effect"] == effect) & (frame["object"] == thing) & (frame["response"] == response)]
    return found[found["light"] == "key"].iloc[0]


def test_the_studio_has_its_arms_at_control_and_no_object_without_its_shadow(studio: pd.DataFrame):
    names = {"arm_full", "arm_ghost", "arm_empty", "shadow", "removal_object", "removal_both"}
    assert set(studio["effect"]) == names
    assert (set(studio["relation"]), set(studio["cast_shadow"]), set(studio["light"])) == ({"-"}, {"-"}, {"key", "all"})
    assert set(studio["object"]) == {"all", *OBJECTS}
    assert studio["mean"].notna().all()


def test_arms_and_effects_of_an_object_are_of_its_control_scenes_alone(studio: pd.DataFrame):
    for thing, worth in WORTH.items():
        assert studio_cell(studio, "arm_full", thing)["mean"] == pytest.approx(1 + worth, abs=0.1)
        assert studio_cell(studio, "removal_object", thing)["mean"] == pytest.approx(worth - 0.5, abs=0.2)
        assert studio_cell(studio, "removal_both", thing)["mean"] == pytest.approx(worth, abs=0.2)
        assert studio_cell(studio, "shadow", thing)["mean"] == pytest.approx(0.5, abs=0.2)
        assert (studio_cell(studio, "shadow", thing)[["n", "usable_n"]] == 8).all()


def test_over_all_objects_poses_give_the_interval_and_not_how_objects_differ(studio: pd.DataFrame):
    whole = studio_cell(studio, "removal_object", "all")
    own = [studio_cell(studio, "removal_object", thing) for thing in OBJECTS]
    assert whole["mean"] == pytest.approx(np.mean([row["mean"] for row in own]))
    assert (whole["n"], whole["usable_n"]) == (32, 32)
    assert whole["ci_high"] - whole["ci_low"] < min(row["ci_high"] - row["ci_low"] for row in own)


def test_a_studio_without_arms_has_no_interventions():
    scenes = studio_rows(arms=False)
    assert studio_run(studio_arms, metrics=("logit_margin",), scenes=scenes).analysed().interventions.empty


def test_the_tabletop_names_no_object(table: pd.DataFrame):
    assert set(table["object"]) == {"-"}
    assert "removal_both" not in set(table["effect"])
