"""The whole analysis: declared tables, equal bytes for equal rows, and designs of other shapes."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_run import CONTROLS, FACTORS, Run, control_auc, jitter, planted, prediction_rows, scene_rows

from audit.analysis import Analysis
from audit.tables import CONDITIONS, EARNED, EFFECTS, FAILURES, INTERVENTIONS
from scenes.table import Table

TABLES = {
    "conditions": CONDITIONS,
    "effects": EFFECTS,
    "interventions": INTERVENTIONS,
    "earned": EARNED,
    "failures": FAILURES,
}
SMOKE = {"relation": ("distinct", "equal"), "light": ("front", "back"), "cast_shadow": ("soft", "none")}
METRICS = ("sensor_miss", "sensor_false_alarm", "scene_alarm", "target_logit")


def noisy(metric, levels, block):
    value = 0.1 + 0.6 * (levels["light"] == "back") + 0.2 * jitter(metric, block, tuple(levels.items()))
    return 10 * value if metric == "target_logit" else min(1.0, max(0.0, value))


def with_maps(run: Run) -> Run:
    """The run with attention rows of one method, its nulls and the untrained network."""
    shown = run.scenes[run.scenes["presence"] == "object"]
    method = {"model": "hires_cam", "untrained": "hires_cam", "edges": "-"}
    rows = [
        ("net", scene, method[source], source, metric, region, 0.3 + 0.4 * jitter(scene, source), 0.1)
        for scene in shown["scene_id"]
        for source in ("model", "untrained", "edges")
        for metric in ("relevance_mass_accuracy", "mass_split")
        for region in ("object", "cast_shadow")
    ]
    columns = ["model", "scene_id", "method", "source", "metric", "region", "value", "chance"]
    attention = pd.DataFrame(rows, columns=columns).assign(undefined_reason="")
    return Run(run.scenes, run.predictions, attention)


def tables(analysis: Analysis) -> dict[str, pd.DataFrame]:
    return {name: getattr(analysis, name) for name in TABLES}


@pytest.fixture(scope="module")
def run() -> Run:
    return with_maps(planted(noisy, metrics=METRICS))


@pytest.fixture(scope="module")
def analysis(run: Run) -> Analysis:
    return run.analysed()


def written(folder: Path, found: Analysis, factors: list[str]) -> dict[str, bytes]:
    folder.mkdir()
    for name, table in TABLES.items():
        table.write(tables(found)[name], folder, factors if table.has_factors else (), csv=True)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_table_is_as_declared_and_can_be_written_and_read(tmp_path: Path, analysis: Analysis, run: Run):
    factors = [c for c in run.scenes.columns if c in ("presence", *FACTORS)]
    written(tmp_path / "run", analysis, factors)
    for name, table in TABLES.items():
        assert len(table.read(tmp_path / "run")) == len(tables(analysis)[name])
        assert len(analysis.conditions) > 0


def test_equal_rows_give_equal_bytes_whatever_their_order(tmp_path: Path, analysis: Analysis, run: Run):
    factors = ["presence", *FACTORS]
    auc = control_auc(run.scenes)
    shuffled = Run(
        run.scenes.sample(frac=1, random_state=1),
        run.predictions.sample(frac=1, random_state=2),
        run.attention.sample(frac=1, random_state=3),
        auc=auc.sample(frac=1, random_state=4),
    ).analysed()
    assert written(tmp_path / "a", analysis, factors) == written(tmp_path / "b", shuffled, factors)
    assert shuffled.verdict == analysis.verdict
    for name, frame in tables(analysis).items():
        pd.testing.assert_frame_equal(frame, tables(shuffled)[name])


def test_unequal_copies_of_a_cell_count_by_their_mean_to_the_last_bit_in_any_order():
    run = planted(noisy, SMOKE, blocks=8, metrics=("sensor_miss",), strata=("near",))
    parts = [(0.1, "a"), (0.2, "b"), (0.3, "c")]
    scenes = pd.concat([run.scenes.assign(cell_id=run.scenes["cell_id"] + s) for _, s in parts])
    rows = pd.concat([run.predictions.assign(cell_id=run.predictions["cell_id"] + s, value=v) for v, s in parts])
    auc = control_auc(run.scenes)
    forth, back = Run(scenes, rows, auc=auc).analysed(), Run(scenes[::-1], rows[::-1], auc=auc).analysed()
    pd.testing.assert_frame_equal(forth.conditions, back.conditions, check_exact=True)


def test_no_table_holds_a_time_or_a_path(analysis: Analysis):
    for frame in tables(analysis).values():
        assert not any("time" in c or "path" in c for c in frame.columns)
        text = frame.select_dtypes("object").astype(str)
        assert not text.apply(lambda column: column.str.startswith("/")).to_numpy().any()


def test_conditions_carry_n_usable_n_recipe_chance_and_the_untrained_network(analysis: Analysis):
    task = analysis.conditions.query("metric == 'sensor_miss' and presence == 'object'")
    assert len(task) == 36
    assert set(task["n"]) == {24}
    assert task["chance"].isna().all()
    assert task["in_recipe"].sum() == 1 * 2 * 2
    maps = analysis.conditions.query("metric == 'relevance_mass_accuracy' and region == 'object'")
    assert set(maps["method"]) == {"hires_cam"}
    assert np.allclose(maps["chance"], 0.1)
    assert maps["untrained"].between(0.1, 0.5).all()


def test_the_mean_of_a_condition_is_the_mean_over_its_blocks(run: Run, analysis: Analysis):
    where = {"presence": "object", "relation": "near", "light": "back", "cast_shadow": "hard"}
    cells = run.scenes[np.logical_and.reduce([run.scenes[k] == v for k, v in where.items()])]["cell_id"]
    values = run.predictions.query("metric == 'sensor_miss'").set_index("cell_id").loc[cells, "value"]
    query = " and ".join(f"{k} == '{v}'" for k, v in where.items())
    row = analysis.conditions.query(f"metric == 'sensor_miss' and {query}").iloc[0]
    assert row["mean"] == pytest.approx(values.mean())
    assert row["interval"] == "t"


def test_conditions_take_over_the_auc_without_interval(analysis: Analysis):
    rows = analysis.conditions.query("metric == 'auc'")
    assert len(rows) == 36
    assert set(rows["interval"]) == {"none"}
    assert rows["mean"].eq(0.95).all()
    assert rows["ci_low"].isna().all()


@pytest.mark.parametrize("blocks", [4, 8])
def test_the_smoke_design_is_analysed(blocks: int):
    found = with_maps(planted(noisy, SMOKE, blocks=blocks, metrics=METRICS)).analysed()
    assert len(found.conditions) > 0
    assert len(found.effects) > 0
    assert not found.effects.query("usable_n < 8")["is_failure"].any()


def test_other_factors_are_analysed_by_their_own_names():
    factors = {"colour": ("distinct", "equal"), "lamp": ("front", "behind", "side")}
    scenes = scene_rows(factors, blocks=12, arms=False, strata=("near",))
    score = lambda m, v, b: 0.1 + 0.5 * (v["lamp"] == "behind") + 0.1 * jitter(b, v["lamp"])  # noqa: E731
    predictions = prediction_rows(scenes, score, ["sensor_miss"])
    found = Run(scenes, predictions, controls={"colour": "distinct", "lamp": "front"}).analysed()
    assert list(found.failures["condition"]) == ["lamp=behind"]
    assert found.interventions.empty


def test_keeping_a_part_of_the_design_leaves_its_effects_as_they_were():
    """What the command that reproduces a finding relies on."""
    whole = planted(noisy, metrics=("sensor_miss",), strata=("near",))
    kept = whole.scenes[whole.scenes["light"].isin(["front", "back"])]
    columns = ["effect", "ci_low", "ci_high", "level_mean", "control_mean", "finding_id", "p"]
    a = whole.analysed().effects.set_index("contrast").loc["light=back", columns]
    b = whole.analysed(scenes=kept).effects.set_index("contrast").loc["light=back", columns]
    pd.testing.assert_series_equal(a, b)
    pair, columns = "light=back & relation=equal", [*columns, "excess", "excess_low", "excess_high"]
    kept = kept[kept["relation"].isin(["distinct", "equal"])]
    a = whole.analysed().effects.set_index("contrast").loc[pair, columns]
    b = whole.analysed(scenes=kept).effects.set_index("contrast").loc[pair, columns]
    pd.testing.assert_series_equal(a, b)
    assert abs(a["excess"]) > 0.001


def test_keeping_a_level_without_its_control_gives_no_contrast_and_no_error():
    whole = planted(noisy, SMOKE, metrics=("sensor_miss",), strata=("near",))
    kept = whole.scenes[whole.scenes["light"] == "back"]
    found = whole.analysed(scenes=kept)
    assert not found.effects["contrast"].str.contains("light").any()
    assert found.verdict["verdict"] == "insufficient coverage"


def test_fifty_blocks_and_more_are_bootstrapped():
    found = planted(noisy, SMOKE, blocks=52, metrics=("sensor_miss",), strata=("near",)).analysed()
    assert set(found.conditions.query("metric == 'sensor_miss'")["interval"]) == {"bca"}
    assert list(found.failures["condition"]) == ["light=back"]


def test_undefined_values_lower_usable_n_and_nothing_else():
    def gaps(metric, levels, block):
        return float("nan") if block == 5 else noisy(metric, levels, block)

    found = planted(gaps, SMOKE, blocks=12, metrics=("sensor_miss",), strata=("near",)).analysed()
    rows = found.conditions.query("metric == 'sensor_miss' and presence == 'object'")
    assert (set(rows["n"]), set(rows["usable_n"])) == ({12}, {11})
    assert set(found.effects["usable_n"]) == {11}


def test_cells_that_share_a_picture_each_get_its_attention():
    """In a block without obstacle all conditions may be one picture; the map measured once stands for each."""
    run = with_maps(planted(noisy, SMOKE, blocks=8, metrics=("sensor_miss",)))
    shown = run.scenes["presence"] == "object"
    in_block = shown & (run.scenes["block_id"] == "3")
    one = run.scenes.loc[in_block, "scene_id"].iloc[0]
    shared = run.scenes.assign(scene_id=run.scenes["scene_id"].where(~in_block, one))
    rows = run.analysed(scenes=shared).conditions.query("metric == 'mass_split' and region == 'object'")
    assert set(rows["usable_n"]) == {8}


def test_the_analysis_is_what_its_docstring_says():
    assert [f.name for f in fields(Analysis)] == [*TABLES, "verdict"]
    assert all(isinstance(t, Table) for t in TABLES.values())
    assert set(CONTROLS) == {"presence", *FACTORS}
