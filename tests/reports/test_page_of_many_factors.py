"""Pages of designs that set one factor at a time or sample all: short, and nothing is asked of what is not there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from page_reading import Page, Written, plain, read

from audit import tables
from reports import write_report
from reports.levels import level_order
from reports.numbers import difference, interval
from reports.pairs import Comparison, pairs_by_block
from reports.run_record import RunRecord
from scenes.manifest import SCENES

FIFTEEN = {f"factor_{i}": ("a", "b", "c", "d") for i in range(15)}  # 4^15 combinations
BLOCKS = ("0", "1", "2")


def record_of(away: list[dict[str, str]], misses: dict[tuple[int, str], float]) -> RunRecord:
    """A run that shows every block its control condition and some with levels away from it, arms at control."""
    rows, scores = [], []
    for block in BLOCKS:
        for i, levels in enumerate([{}, *away]):
            cell = f"{i}-{block}"
            held = {**dict.fromkeys(FIFTEEN, "a"), **levels, "cell_id": cell, "block_id": block}
            rows.append({**held, "presence": "object", "stratum": "near", "status": "ok", "scene_id": cell})
            scores.append(("net", cell, "sensor_miss", misses.get((i, block), 0.0), ""))
        rows.append({**rows[-1], **dict.fromkeys(FIFTEEN, "a"), "presence": "empty", "cell_id": f"e-{block}"})
    frames = {t.name: t.empty() for t in (SCENES, *tables.ALL)}
    frames["scenes"] = pd.DataFrame(rows)
    frames["predictions"] = pd.DataFrame(scores, columns=["model", "cell_id", "metric", "value", "undefined_reason"])
    design = {"factors": {f: list(levels) for f, levels in FIFTEEN.items()}, "crossing": "one_at_a_time"}
    return RunRecord(Path(), {}, {}, {"designs": {"tabletop": design}}, "", frames, "tabletop")


def test_of_fifteen_factors_the_pairs_of_a_finding_are_those_of_the_design() -> None:
    away = [{f: v} for f, levels in FIFTEEN.items() for v in levels[1:]]
    record = record_of(away, {(1, "0"): 1.0, (1, "1"): 0.5})
    found = pairs_by_block(record, Comparison("net", "sensor_miss", "-", "-", {"factor_0": "b"}, {"factor_0": "a"}))
    assert {block: pair.worse for block, pair in found.items()} == {"0": 1.0, "1": 0.5, "2": 0.0}
    for block, pair in found.items():
        assert (pair.cell["cell_id"], pair.control["cell_id"]) == (f"1-{block}", f"0-{block}")
    assert pairs_by_block(record, Comparison("net", "sensor_miss", "-", "-", {"factor_0": "e"}, {})) == {}


def test_of_pairs_alike_the_one_with_the_others_at_control_is_shown_and_else_the_worst() -> None:
    away = [{"factor_0": "b", "factor_3": "c"}, {"factor_3": "c"}, {"factor_0": "b"}]
    record = record_of(away, {(1, "0"): 0.5, (3, "0"): 0.5, (1, "1"): 0.7, (3, "1"): 0.6})
    found = pairs_by_block(record, Comparison("net", "sensor_miss", "-", "-", {"factor_0": "b"}, {"factor_0": "a"}))
    assert {block: str(pair.cell["cell_id"]) for block, pair in found.items()} == {"0": "3-0", "1": "1-1", "2": "3-2"}
    assert found["1"].control["cell_id"] == "2-1"


def test_levels_stand_in_the_order_of_their_numbers() -> None:
    shown = ["10..20", "drawn", "-5..5", "5..10", "-15..-5", "above"]
    assert sorted(shown, key=level_order) == ["above", "drawn", "-15..-5", "-5..5", "5..10", "10..20"]


def crossed_as(written: Written, folder: Path, crossing: str) -> Page:
    """The page of the run as if its design had crossed its factors otherwise."""
    copied = Path(shutil.copytree(written.run.folder, folder / "run"))
    text = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(text.replace("crossing: full", f"crossing: {crossing}"))
    return read(write_report(copied, written.run.store))


@pytest.mark.parametrize("crossing", ["one_at_a_time", "sobol"])
def test_arms_at_control_are_not_shown_by_relation_and_shadow(written: Written, tmp_path: Path, crossing: str) -> None:
    whole, part = (
        plain(p.by_id("interventions").text) for p in (written.page, crossed_as(written, tmp_path, crossing))
    )
    assert "by light, shadow and colour relation" in whole
    assert "by light, shadow and colour relation" not in part
    assert "all lights" not in part
    assert "Mean over blocks with an obstacle at the control condition" in part


def test_one_factor_at_a_time_conditions_are_told_apart_by_the_level_away_from_control(
    written: Written, tmp_path: Path
) -> None:
    page = crossed_as(written, tmp_path, "one_at_a_time")
    part = plain(page.by_id("quality").text)
    assert re.search(r"presence condition recipe blocks .* object control inside \d+ ", part)
    assert re.search(r" object light=back \w+ \d+ ", part)
    assert "cast_shadow=soft" not in part


def test_a_sampled_factor_shows_the_mean_of_each_level_beside_its_reference(written: Written, tmp_path: Path) -> None:
    part = plain(crossed_as(written, tmp_path, "sobol").by_id("factors").text)
    effects = tables.EFFECTS.read(written.run.folder).set_index(["metric", "contrast"])
    row = effects.loc["sensor_miss", "light=back"]
    beside = plain(f"{difference(row['effect'])} {interval(row['ci_low'], row['ci_high'])}")
    assert "Missed sensors: each sampled factor alone" in part
    assert re.search(rf"light front \S+ % reference back \d+ % {re.escape(beside)} n \d", part)
    assert "not in the design" not in part
