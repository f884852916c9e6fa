"""A method whose maps outlive the weights earns nothing, and no finding rests on it; the finding's row says why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from synthetic_run import Run, jitter, planted

from audit.analysis import Analysis

DESIGN = {"relation": ("distinct", "equal"), "light": ("front", "back"), "cast_shadow": ("soft", "none")}
REASON = "fails the randomisation check"


def effect_of(levels, block) -> float:
    return 10 + 8 * jitter("size", block) + 6 * jitter("e", block, levels["light"], levels["relation"])


def target(metric, levels, block) -> float:
    if metric != "target_logit":
        return 0.1
    return effect_of(levels, block) if levels["presence"] == "object" else 0.0


def maps(run: Run) -> pd.DataFrame:
    """Maps whose share on the object follows its effect, and lies elsewhere under light from behind."""
    shown = run.scenes[(run.scenes["presence"] == "object") & (run.scenes["stratum"] != "empty")]
    rows = []
    for levels in shown.to_dict("records"):
        block, scene = int(levels["block_id"]), levels["scene_id"]
        share = 0.03 * effect_of(levels, block) + 0.01 * jitter("own", scene)
        overlap = 0.8 - 0.5 * (levels["light"] == "back") + 0.05 * jitter("overlap", scene)
        for source in ("model", "untrained", "edges", "gaussian", "random"):
            method = "hires_cam" if source in ("model", "untrained") else "-"
            noise = 0.2 + 0.1 * jitter(source, scene)
            value = {"mass_split": share, "relevance_mass_accuracy": overlap}
            for metric, own in value.items():
                row = ("net", scene, method, source, metric, "object", own if source == "model" else noise, 0.2)
                rows.append(row)
    columns = ["model", "scene_id", "method", "source", "metric", "region", "value", "chance"]
    return pd.DataFrame(rows, columns=columns).assign(undefined_reason="")


def checked(passes: bool, similarity: float, method: str = "hires_cam", model: str = "net") -> pd.DataFrame:
    return pd.DataFrame([{"model": model, "method": method, "passes": passes, "similarity": similarity}])


@pytest.fixture(scope="module")
def run() -> Run:
    found = planted(target, DESIGN, metrics=("target_logit", "sensor_miss"))
    return Run(found.scenes, found.predictions, maps(found))


def on_the_object(analysis: Analysis) -> pd.Series:
    return analysis.earned[analysis.earned["region"] == "object"].iloc[0]


def on_attention(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["metric"] == "relevance_mass_accuracy"]


@pytest.mark.parametrize(
    "sanity",
    [
        None,
        checked(True, 0.2),
        checked(False, np.nan),
        checked(False, 0.9, method="saliency"),
        checked(False, 0.9, model="another"),
    ],
    ids=["not checked", "passes", "could not be judged", "another method fails", "another model's fails"],
)
def test_a_method_that_does_not_fail_keeps_what_it_earned(run: Run, sanity: pd.DataFrame | None) -> None:
    analysis = run.analysed(sanity=sanity)
    assert on_the_object(analysis)["earned"]
    assert list(on_attention(analysis.failures)["condition"]) == ["light=back"]


def test_a_method_that_fails_earns_nothing_and_carries_no_finding(run: Run) -> None:
    analysis = run.analysed(sanity=checked(False, 0.9))
    row = on_the_object(analysis)
    assert not row["earned"]
    assert row["reason"] == REASON
    assert row["rho"] == on_the_object(run.analysed())["rho"]
    assert on_attention(analysis.failures).empty
    effects = on_attention(analysis.effects)
    assert set(effects["reason"]) == {REASON}
    assert not effects["is_failure"].any()


def test_task_metrics_do_not_mind(run: Run) -> None:
    with_it, without = run.analysed(sanity=checked(False, 0.9)), run.analysed()
    pd.testing.assert_frame_equal(with_it.interventions, without.interventions)
    task = [e.effects[e.effects["metric"] == "sensor_miss"].reset_index(drop=True) for e in (with_it, without)]
    pd.testing.assert_frame_equal(*task)


def test_maps_of_another_target_than_the_truth_earn_nothing(run: Run) -> None:
    """The intervention says what the object does to the truth's score; a map of the runner-up is about another."""
    analysis = run.analysed(target="runner_up")
    assert not analysis.earned["earned"].any()
    assert "not of runner_up" in on_the_object(analysis)["reason"]
    assert on_attention(analysis.failures).empty
