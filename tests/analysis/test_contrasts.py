"""Paired contrasts: hand-computed numbers, partners inside the block, what is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from synthetic_run import CONTROLS, FACTORS, Run, control_auc, jitter, planted, prediction_rows, scene_rows

from audit.analysis.contrasts import Contrast, contrasts, paired
from audit.analysis.layout import lay_out, natural

SMALL = {"relation": ("distinct", "equal"), "light": ("front", "back"), "cast_shadow": ("soft", "none")}


def row_of(frame: pd.DataFrame, contrast: str, metric: str = "sensor_miss") -> pd.Series:
    return frame[(frame["contrast"] == contrast) & (frame["metric"] == metric)].iloc[0]


def test_there_is_one_contrast_per_level_and_pair_of_levels_away_from_control():
    layout = lay_out(scene_rows(blocks=1), CONTROLS)
    found = contrasts(layout)
    assert sum(c.order == 1 for c in found) == 2 + 3 + 2
    assert sum(c.order == 2 for c in found) == 2 * 3 + 2 * 2 + 3 * 2
    assert "light=back & relation=equal" in [c.name for c in found]
    assert not any("presence" in c.name or "=front" in c.name for c in found)


def test_effect_simple_effect_and_excess_are_those_worked_out_by_hand():
    """Back light: +.2; equal colour: +.1; both: .3 more; no shadow: .05 less; the same in every block but for noise."""

    def score(metric, levels, block):
        back, equal = levels["light"] == "back", levels["relation"] == "equal"
        shift = 0.2 * back + 0.1 * equal + 0.3 * (back and equal) - 0.05 * (levels["cast_shadow"] == "none")
        return 0.1 + shift + 0.1 * (jitter(block) + 0.5) * back

    effects = planted(score, SMALL, blocks=16, strata=("near",)).analysed().effects
    share = np.mean([jitter(b) + 0.5 for b in range(16)]) * 0.1
    back, both = row_of(effects, "light=back"), row_of(effects, "light=back & relation=equal")
    equal = row_of(effects, "relation=equal")
    assert back["effect"] == pytest.approx(0.2 + share + 0.3 / 2)
    assert back["simple_effect"] == pytest.approx(0.2 + share)
    assert back["level_mean"] - back["control_mean"] == pytest.approx(back["effect"])
    assert back["control_mean"] == pytest.approx(0.1 + 0.1 / 2 - 0.05 / 2)
    assert both["effect"] == pytest.approx(0.6 + share)
    assert equal["effect"] == pytest.approx(0.1 + 0.3 / 2)
    assert both["excess"] == pytest.approx(0.3)
    assert np.isnan(back["excess"])
    assert back["control"] == "light=front"
    assert both["control"] == "light=front & relation=distinct"


def test_excess_is_nothing_where_effects_add_up_whatever_the_levels():
    lift = {"front": 0.0, "back": 0.3, "right_low": 0.2, "right_high": 0.1, "distinct": 0.0, "near": 0.1, "equal": 0.2}

    def score(metric, levels, block):
        return 0.1 * jitter(block) + lift[levels["light"]] + lift[levels["relation"]]

    effects = planted(score, blocks=8, metrics=["sensor_miss"], strata=("near",)).analysed().effects
    pairs = effects[effects["order"] == 2]
    assert len(pairs) == 16
    assert np.abs(pairs["excess"]).max() < 1e-12


def test_worse_is_positive_also_where_higher_is_better():
    def score(metric, levels, block):
        return 0.9 - 0.3 * (levels["light"] == "back") + 0.02 * jitter(metric, block, levels["light"])

    run = planted(score, SMALL, blocks=16, metrics=["brier"], strata=("near",))
    layout = lay_out(run.scenes, CONTROLS)
    values = np.full(layout.shape, 0.9)
    values[:, layout.where({"light": "back"})] = 0.6
    difference = paired(values, layout, Contrast((("light", "back"),))).difference
    assert difference == pytest.approx(np.full(16, -0.3))  # the metric's own sign; the criterion turns it


def test_a_missing_partner_drops_the_cell_on_both_sides():
    def score(metric, levels, block):
        if block == 0 and levels["light"] == "front" and levels["relation"] == "equal":
            return float("nan")
        return (0.5 if levels["light"] == "back" else 0.2) + (0.3 if levels["relation"] == "equal" else 0.0)

    back = row_of(planted(score, SMALL, blocks=12, strata=("near",)).analysed().effects, "light=back")
    assert back["effect"] == pytest.approx(0.3)
    assert back["level_mean"] - back["control_mean"] == pytest.approx(0.3)
    assert back["level_mean"] == pytest.approx((11 * 0.65 + 0.5) / 12)


def test_a_block_with_less_than_half_of_its_cells_says_nothing_about_the_mean_over_them():
    def score(metric, levels, block):
        if block == 0 and not (levels["relation"] == "distinct" and levels["cast_shadow"] == "soft"):
            return float("nan")
        return 0.2 + 0.1 * jitter(block, levels["light"])

    back = row_of(planted(score, SMALL, blocks=12, strata=("near",)).analysed().effects, "light=back")
    assert (back["n"], back["usable_n"]) == (12, 11)


def test_copies_of_a_picture_inside_a_block_do_not_narrow_the_interval():
    def score(metric, levels, block):
        return 0.3 + 0.5 * jitter(metric, block, levels["light"])

    run = planted(score, SMALL, blocks=12, strata=("near",))
    suffix = [run.scenes.assign(cell_id=run.scenes["cell_id"] + s, scene_id=run.scenes["scene_id"] + s) for s in "abc"]
    copies = pd.concat(suffix, ignore_index=True)
    predictions = pd.concat(
        [run.predictions.assign(cell_id=run.predictions["cell_id"] + s) for s in "abc"], ignore_index=True
    )
    copied = Run(copies, predictions, auc=control_auc(run.scenes)).analysed()
    pd.testing.assert_frame_equal(run.analysed().effects, copied.effects)
    pd.testing.assert_frame_equal(run.analysed().conditions, copied.conditions)


def test_a_factor_that_changes_nothing_does_not_narrow_the_interval():
    def score(metric, levels, block):
        return 0.3 + 0.5 * jitter(metric, block, levels["light"])

    wide = planted(score, {**SMALL, "cast_shadow": ("soft", "hard", "none")}, blocks=12, strata=("near",)).analysed()
    narrow = planted(score, {**SMALL, "cast_shadow": ("soft",)}, blocks=12, strata=("near",)).analysed()
    a, b = row_of(wide.effects, "light=back"), row_of(narrow.effects, "light=back")
    assert (a["ci_low"], a["ci_high"], a["usable_n"]) == pytest.approx((b["ci_low"], b["ci_high"], b["usable_n"]))


def test_a_factor_without_control_is_contrasted_with_the_mean_of_its_levels():
    factors = {"floor_hue": ("red", "green", "blue"), "light": ("front", "back")}

    def score(metric, levels, block):
        return 0.2 + 0.3 * (levels["floor_hue"] == "red") + 0.01 * jitter(block, levels["floor_hue"], metric)

    scenes = scene_rows(factors, blocks=12, arms=False, strata=("near",))
    run = Run(scenes, prediction_rows(scenes, score, ["sensor_miss"]), controls={"light": "front"})
    red = row_of(run.analysed(auc=pd.DataFrame(columns=["model", "auc"])).effects, "floor_hue=red")
    assert red["effect"] == pytest.approx(0.3 - 0.1, abs=0.01)
    assert red["control"] == "floor_hue=mean of all levels"


def test_a_design_that_crosses_no_pairs_has_no_pairs():
    scenes = scene_rows(SMALL, blocks=10, arms=False, strata=("near",))
    away = (
        (scenes["light"] != "front").astype(int)
        + (scenes["relation"] != "distinct")
        + (scenes["cast_shadow"] != "soft")
    )
    one_at_a_time = scenes[away <= 1].reset_index(drop=True)
    predictions = prediction_rows(
        one_at_a_time, lambda m, v, b: 0.1 + 0.1 * jitter(m, b, tuple(v.items())), ["sensor_miss"]
    )
    effects = Run(one_at_a_time, predictions).analysed().effects
    assert set(effects["contrast"]) == {"light=back", "relation=equal", "cast_shadow=none"}


def test_blocks_are_in_natural_order():
    assert sorted(["10", "9", "b2", "1"], key=natural) == ["1", "9", "10", "b2"]


def test_the_levels_of_a_factor_start_with_its_control():
    layout = lay_out(scene_rows(FACTORS, blocks=1), CONTROLS)
    assert layout.levels["light"] == ("front", "back", "right_high", "right_low")
