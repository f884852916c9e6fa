"""What stands on the page is what stands in the run's tables: verdict, findings, tables, gaps and their reasons."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from drawn_run import make_run
from drawn_scores import MODEL
from page_reading import Page, Written, plain, read

from audit import tables
from audit.tables import INTERVENTIONS
from reports import arms, write_report
from reports.attention import COLUMNS, overlap
from reports.numbers import difference, interval, number
from reports.run_record import read_run
from scenes.manifest import SCENES
from scenes.table import TableError


@pytest.fixture
def copied(written: Written, tmp_path: Path) -> Path:
    """The run directory again, with its worst finding alone, for a test to change; the store stays where it is."""
    folder = tmp_path / "run"
    shutil.copytree(written.run.folder, folder, ignore=shutil.ignore_patterns("report"))
    tables.FAILURES.write(tables.FAILURES.read(folder).sort_values("rank").head(1), folder)
    return folder


def changed(copied: Path, name: str, edit: Callable[[dict], None]) -> None:
    record = json.loads((copied / name).read_text())
    edit(record)
    (copied / name).write_text(json.dumps(record))


def test_the_verdict_comes_first_in_words_and_with_a_sign(written: Written) -> None:
    page = written.page
    heading = next(page.all("h1"))
    assert plain(heading.text) == "Failures found"
    assert any(e.tag == "use" and "h1" in e.inside for e in page.elements)
    failures = tables.FAILURES.read(written.run.folder)
    inside = int((~failures["expected"]).sum())
    assert 0 < inside < len(failures)
    assert (
        f"proximity fails under {len(failures)} conditions; {inside} of them inside its training recipe." in page.words
    )
    assert page.words.index("proximity fails under") < page.words.index("Worst failure conditions")


def test_the_first_screen_names_checkpoint_date_coverage_and_the_control_gate(page: Page) -> None:
    header = plain(next(page.all("header")).text)
    for said in ("proximity.safetensors", "9f2c9f2c9f2c", "14 March 2026, 09:26 UTC", "71 of 72 cells usable"):
        assert said in header
    assert "missed sensors 12 % at most 25 %" in header
    assert "ROC-AUC 0.99 at least 0.85" in header


def test_a_skipped_model_is_named_with_reason_and_remedy(page: Page) -> None:
    header = plain(next(page.all("header")).text)
    assert "squeezenet1_0 was skipped: its weights could not be had: no network." in header
    assert "Remedy: pass models.squeezenet1_0.checkpoint=FILE." in header


def test_every_failure_condition_has_a_card_that_the_first_screen_links_to(written: Written) -> None:
    failures = tables.FAILURES.read(written.run.folder)
    assert 3 < len(failures) <= 15
    links = [e.attributes["href"] for e in written.page.all("a")]
    for _, row in failures.iterrows():
        card = plain(written.page.by_id(row["finding_id"]).text)
        assert row["sentence"] in card
        assert plain(row["reproduce"]) in card
        assert links.count(f"#{row['finding_id']}") >= 2


def test_a_card_s_numbers_are_those_of_the_tables(written: Written) -> None:
    failures = tables.FAILURES.read(written.run.folder)
    effects = tables.EFFECTS.read(written.run.folder).set_index("finding_id")
    for _, row in failures.iterrows():
        card = plain(written.page.by_id(row["finding_id"]).text)
        effect = effects.loc[row["finding_id"]]
        assert plain(f"{difference(row['effect'])} {interval(row['ci_low'], row['ci_high'])} worse") in card
        assert (
            plain(f"{difference(effect['simple_effect'])} {interval(effect['simple_low'], effect['simple_high'])}")
            in card
        )
        assert f"usable blocks {int(row['usable_n'])} of {int(effect['n'])}" in card
        assert ("to be expected" in card) == bool(row["expected"]) or "not to be expected" in card


def test_the_worst_come_first(written: Written) -> None:
    cards = [e.attributes["id"] for e in written.page.all("article")]
    failures = tables.FAILURES.read(written.run.folder).sort_values("severity", ascending=False, kind="stable")
    severity = dict(zip(failures["finding_id"], failures["severity"], strict=True))
    assert [severity[c] for c in cards] == sorted(severity.values(), reverse=True)


def test_beyond_fifteen_findings_a_list_says_what_has_no_card(copied: Path, written: Written) -> None:
    failures = tables.FAILURES.read(copied)
    copies = [failures.assign(finding_id=f"F-{k:08x}", example_blocks="") for k in range(17)]
    tables.FAILURES.write(pd.concat(copies), copied)
    page = read(write_report(copied, written.run.store))
    assert len(list(page.all("article"))) == 15
    assert "2 more, without a card" in page.words
    assert "F-00000010" in page.words


def test_an_example_stands_beside_its_control_scene_of_the_same_block(written: Written) -> None:
    """Pictures of a card come in fours: scene and overlay under the finding's levels, then under control."""
    scenes = SCENES.read(written.run.folder).set_index("scene_id")
    failures = tables.FAILURES.read(written.run.folder)
    row = failures[failures["condition"] == "light=back"].iloc[0]
    start = written.page.source.index(f'id="{row["finding_id"]}"')
    card = written.page.source[start : written.page.source.index("</article>", start)]
    shown = re.findall(r'src="assets/([0-9a-f]{16})-', card)
    assert len(shown) % 4 == 0
    assert len(shown) >= 4
    for scene, overlay, control, control_overlay in zip(*(shown[i::4] for i in range(4)), strict=True):
        assert (scene, control) == (overlay, control_overlay)
        assert scenes.loc[[scene], "light"].iloc[0] == "back"
        assert scenes.loc[[control], "light"].iloc[0] == "front"
        assert set(scenes.loc[[scene], "block_id"]) == set(scenes.loc[[control], "block_id"])


def test_factor_tables_show_every_condition_with_interval_and_n(written: Written) -> None:
    conditions = tables.CONDITIONS.read(written.run.folder)
    part = plain(written.page.by_id("factors").text)
    for metric in ("sensor_miss", "sensor_false_alarm", "relevance_mass_accuracy"):
        rows = conditions[(conditions["metric"] == metric) & (conditions["presence"] == "object")]
        assert len(rows) == 8
        for _, row in rows.iterrows():
            n = f"n {row['n']}" if row["n"] == row["usable_n"] else f"n {row['usable_n']} of {row['n']}"
            assert plain(f"{number(row['mean'])} {interval(row['ci_low'], row['ci_high'])} {n}") in part


def test_an_undefined_number_is_called_so_with_its_reason_and_is_never_a_zero(copied: Path, written: Written) -> None:
    conditions = tables.CONDITIONS.read(copied)
    chosen = (conditions["metric"] == "sensor_miss") & (conditions["presence"] == "object")
    conditions.loc[chosen, ["mean", "ci_low", "ci_high"]] = float("nan")
    conditions.loc[chosen, "usable_n"] = 0
    tables.CONDITIONS.write(conditions, copied, conditions.attrs["factors"])
    predictions = tables.PREDICTIONS.read(copied)
    missed = predictions["metric"] == "sensor_miss"
    predictions.loc[missed, "value"] = float("nan")
    predictions.loc[missed, "undefined_reason"] = "no_occupied_sensor"
    tables.PREDICTIONS.write(predictions, copied)
    page = read(write_report(copied, written.run.store))
    part = plain(page.by_id("factors").text)
    assert part.count("undefined no occupied sensor n 0 of 6") == 8
    assert not re.search(r"\bnan\b|\bNone\b", page.words)


def test_interventions_are_told_in_plain_sentences_with_intervals(page: Page) -> None:
    part = plain(page.by_id("interventions").text)
    assert "Under front light the shadow alone raises an alarm in 90 % [82, 98] of scenes" in part
    assert "the empty floor in 0 % [−8, 8]" in part
    for arm in ("object + shadow", "object alone", "shadow alone", "empty floor"):
        assert part.count(arm) > 3


def test_maps_that_did_not_earn_their_numbers_are_stamped(page: Page, tmp_path: Path) -> None:
    stamped = [e for e in page.all("img") if "not earned: edge map does as well" in e.attributes["alt"]]
    assert len(stamped) > 4
    assert "HiResCAM has not earned numeric claims about the object (edge map does as well)" in page.words
    trusted = make_run(tmp_path, blocks=4, earned=True)
    other = read(write_report(trusted.folder, trusted.store))
    assert not any("not earned" in e.attributes["alt"] for e in other.all("img"))
    assert any("a picture: not judged by interventions" in e.attributes["alt"] for e in other.all("img"))
    assert "HiResCAM has earned numeric claims about the object" in other.words


def test_nulls_stand_on_the_scenes_where_the_method_says_something(copied: Path, written: Written) -> None:
    """Where Grad-CAM has no positive part, the edges do badly too."""
    frame = tables.ATTENTION.read(copied)
    mine = (frame["metric"] == "relevance_mass_accuracy") & (frame["region"] == "object")
    blocks = SCENES.read(copied).drop_duplicates("scene_id").set_index("scene_id")["block_id"]
    hard = frame["scene_id"].isin(sorted(set(frame.loc[mine, "scene_id"]))[::3])
    nulls = mine & frame["source"].isin(["edges", "gaussian", "random", "untrained", "ceiling"])
    frame.loc[nulls, "value"] = np.where(hard[nulls], 0.01, 0.61)
    own = mine & (frame["method"] == "grad_cam") & (frame["source"] == "model")
    frame.loc[own & hard, ["value", "undefined_reason"]] = (float("nan"), "zero_map")
    tables.ATTENTION.write(frame, copied)
    rows = {r.method: r for r in overlap(read_run(copied), MODEL) if r.metric.name == "relevance_mass_accuracy"}
    usable = frame[own & frame["value"].notna()]
    chance = usable.groupby(usable["scene_id"].map(blocks))["chance"].mean().mean()
    assert dict(zip(COLUMNS, rows["Grad-CAM"].values, strict=True)) | {"model": ""} == {
        **dict.fromkeys(("untrained", "edges", "gaussian", "random", "ceiling"), "0.61"),
        "model": "",
        "chance": number(chance, False),
    }
    assert float(dict(zip(COLUMNS, rows["HiResCAM"].values, strict=True))["edges"]) < 0.55


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("truth", "the summed logits of the truly occupied cells"),
        ("runner_up", "the second largest logit of each picture"),
        ("sensor:centre_left", "the summed logits of the centre left sensor"),
        ("cell:4/right", "the logit of the right sensor at 4 cm of travel"),
    ],
)
def test_what_the_maps_are_of_is_what_was_configured(target: str, said: str, copied: Path, written: Written) -> None:
    config = yaml.safe_load((copied / "config.yaml").read_text())
    config["attribution"]["target"] = target
    (copied / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    failures = tables.FAILURES.read(written.run.folder)
    tables.FAILURES.write(failures[failures["metric"] == "sensor_miss"], copied)
    page = read(write_report(copied, written.run.store))
    assert f"Maps are of {said}, class activation maps at each network's own target layer" in page.words
    assert f"The positive part of the attribution of {said} (on cards about false alarms" in page.words
    shown = "the true obstacle" if target == "truth" else said
    assert any(e.attributes["alt"].startswith(f"HiResCAM of {shown} over the scene") for e in page.all("img"))
    if target != "truth":
        assert "truly occupied cells" not in page.words
        assert "of the true obstacle" not in page.source


def test_an_untested_metric_has_its_reason_with_the_null_by_its_name(copied: Path, written: Written) -> None:
    why = {"relevance_mass_accuracy": "not earned: random does as well", "enrichment": "fails the randomisation check"}
    changed(copied, "verdict.json", lambda verdict: verdict["models"][MODEL].update(untested=why))
    header = plain(next(read(write_report(copied, written.run.store)).all("header")).text)
    assert "relevance mass accuracy (not earned: random map does as well)" in header
    assert "enrichment (fails the randomisation check)" in header


def test_a_card_on_false_alarms_shows_maps_of_the_false_alarms(written: Written) -> None:
    failures = tables.FAILURES.read(written.run.folder)
    for metric, said in (
        ("sensor_false_alarm", "HiResCAM of the false alarms, peak"),
        ("sensor_miss", "of the true obstacle"),
    ):
        finding = failures[failures["metric"] == metric].iloc[0]["finding_id"]
        assert said in plain(written.page.by_id(finding).text)


def test_a_missing_map_is_explained_by_what_is_true_of_the_scene(written: Written) -> None:
    """Under control light nothing alarms; in an empty block there is no obstacle to attribute."""
    failures = tables.FAILURES.read(written.run.folder)
    finding = failures[failures["condition"] == "light=back"].iloc[0]["finding_id"]
    assert "no false alarm, so nothing to attribute" in plain(written.page.by_id(finding).text)


def test_what_grad_cam_cannot_do_is_said(page: Page) -> None:
    assert "averages gradients over the layer, and so cannot localise through flatten and dense layers" in page.words


def test_unfit_at_control_is_said_first_and_nothing_is_ranked(copied: Path, written: Written) -> None:
    def unfit(verdict: dict) -> None:
        verdict["verdict"] = verdict["models"][MODEL]["verdict"] = "unfit at control"
        verdict["models"][MODEL]["ranked"] = False
        verdict["models"][MODEL]["control"][0] |= {"value": 0.57, "ok": False}

    changed(copied, "verdict.json", unfit)
    tables.FAILURES.write(tables.FAILURES.read(copied).assign(ranked=False), copied)
    page = read(write_report(copied, written.run.store))
    header = plain(next(page.all("header")).text)
    assert "Unfit at control proximity is unfit already at the control condition: missed sensors 57 %" in header
    assert "shown, not ranked" in page.words
    assert not any(re.match(r"\d+\. ", plain(e.text)) for e in page.all("h3"))


def test_a_gate_that_was_not_measured_is_undefined_not_met(copied: Path, written: Written) -> None:
    def unmeasured(verdict: dict) -> None:
        verdict["verdict"] = verdict["models"][MODEL]["verdict"] = "insufficient coverage"
        verdict["models"][MODEL]["control"][0] |= {"value": None, "ok": False}
        verdict["models"][MODEL]["untested"] = {"sensor_miss": "4 usable scene seeds, 8 needed"}

    changed(copied, "verdict.json", unmeasured)
    header = plain(next(read(write_report(copied, written.run.store)).all("header")).text)
    assert "Insufficient coverage Too little was measured to judge proximity" in header
    assert "missed sensors undefined at most 25 %" in header
    assert "missed sensors (4 usable scene seeds, 8 needed)" in header


def test_two_models_are_told_apart_everywhere(copied: Path, written: Written) -> None:
    for table in tables.ALL:
        if "model" in table.columns and (copied / f"{table.name}.parquet").is_file():
            frame = table.read(copied)
            both = pd.concat([frame, frame.assign(model="second")])
            table.write(both, copied, frame.attrs["factors"])
    changed(copied, "run.json", lambda run: run["models"].update(second=run["models"][MODEL]))
    changed(copied, "verdict.json", lambda held: held["models"].update(second=held["models"][MODEL]))
    page = read(write_report(copied, written.run.store))
    names = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(names) == len(set(names))
    for part in ("factors", "interventions", "attention", "quality", "provenance"):
        headings = [plain(e.text) for e in page.all("h3")]
        assert headings.count("second") == headings.count(MODEL) >= 5, part


def test_a_design_that_sets_one_factor_at_a_time_has_no_empty_cells(copied: Path, written: Written) -> None:
    text = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(text.replace("crossing: full", "crossing: one_at_a_time"))
    part = plain(read(write_report(copied, written.run.store)).by_id("factors").text)
    assert "Missed sensors: one factor at a time" in part
    cells = r"control \d+ % .*relation equal \d+ % .*light back \d+ % .*cast_shadow none \d+ % "
    assert re.search(cells, part)
    assert "not in the design" not in part


def test_a_scene_the_store_has_lost_is_named_in_its_place(copied: Path, tmp_path: Path) -> None:
    page = read(write_report(copied, tmp_path / "empty store"))
    assert "The render store no longer holds scene" in page.words
    assert list(page.all("img")) == []


def test_only_run_and_verdict_still_make_a_page(tmp_path: Path, written: Written) -> None:
    for name in ("run.json", "verdict.json", "config.yaml"):
        shutil.copy(written.run.folder / name, tmp_path)
    page = read(write_report(tmp_path, written.run.store))
    assert plain(next(page.all("h1")).text) == "Failures found"


@pytest.mark.parametrize("name", ["effects", "attention", "predictions", "responses", "labels", "scenes", "conditions"])
def test_a_table_that_was_not_written_leaves_a_page_without_it(name: str, copied: Path, written: Written) -> None:
    (copied / f"{name}.parquet").unlink()
    page = read(write_report(copied, written.run.store))
    assert plain(next(page.all("h1")).text) == "Failures found"
    assert not re.search(r"\bnan\b|\bNone\b", page.words)


def test_a_table_of_another_schema_is_refused_not_guessed(copied: Path, written: Written) -> None:
    frame = tables.FAILURES.read(copied)
    newer = tables.FAILURES.__class__("failures", 99, tables.FAILURES.columns, tables.FAILURES.key)
    newer.write(frame, copied)
    with pytest.raises(TableError, match="expected failures v1"):
        write_report(copied, written.run.store)


def test_pictures_without_truth_are_shown_and_nothing_is_inferred(pictures: Written) -> None:
    text = pictures.page.words
    assert "There is no ground truth for these pictures, so nothing is inferred" in text
    for name in ("equal_color_1", "different_color_2"):
        assert name in text
    assert "decisions at .5 that flip" in text
    assert "Over these 2 pictures 27 % of the decisions change with the channel order." in text
    grids = [
        e.attributes["aria-label"] for e in pictures.page.all("svg") if "no truth" in e.attributes.get("aria-label", "")
    ]
    assert len(grids) == 2
    assert not re.search("miss rate|false alarms,|failure conditions found", text)


def test_of_a_light_without_an_object_alone_nothing_is_said_of_it(written: Written, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(written.run.folder, folder, ignore=shutil.ignore_patterns("report"))
    table = INTERVENTIONS.read(folder)
    gone = (table["effect"] == "arm_object") & (table["light"] == "back")
    INTERVENTIONS.write(table.assign(mean=table["mean"].mask(gone)), folder)
    said = [line for line in arms.sentences(read_run(folder), MODEL) if "back light" in line]
    assert said
    assert not any("without it" in line or "undefined" in line for line in said)
