"""What a reader of a classifier's page finds: what was named instead, where it was seen, object by condition."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from drawn_shots import CLASSIFIER, FACTORS, POSES
from page_reading import Page, Written, plain, read

from audit import tables
from reports import write_report
from reports.numbers import interval, number
from scenes.manifest import SCENES


def card(written: Written, condition: str, metric: str = "target_probability") -> str:
    """The source of one finding's card."""
    failures = tables.FAILURES.read(written.run.folder)
    row = failures[(failures["condition"] == condition) & (failures["metric"] == metric)].iloc[0]
    start = written.page.source.index(f'id="{row["finding_id"]}"')
    return written.page.source[start : written.page.source.index("</article>", start)]


def views(source: str) -> list[str]:
    return re.findall(r'<figure class="view.*?</figure>', source, flags=re.DOTALL)


def tables_of(page: Page, part: str) -> list[str]:
    return re.findall(r"<table.*?</table>", section(page, part), flags=re.DOTALL)


def section(page: Page, part: str) -> str:
    start = page.source.index(f'id="{part}"')
    return page.source[start : page.source.index("</section>", start)]


def text(source: str) -> str:
    return plain(re.sub(r"<[^>]+>", " ", source).replace("&nbsp;", " ").replace("&lt;", "<"))


def test_a_card_shows_the_true_class_s_map_and_beside_it_that_of_the_class_it_was_taken_for(studio: Written) -> None:
    shown = views(card(studio, "object_color=unusual"))
    assert len(shown) == 6, "three examples, each a scene and its control"
    for scene, control in zip(shown[::2], shown[1::2], strict=True):
        pictures, held = (re.findall(r'src="assets/([^"]*)"', view) for view in (scene, control))
        assert [name.count("mistaken") for name in pictures] == [0, 0, 1]
        assert [name.count("mistaken") for name in held] == [0, 0]
        named = re.search(r"taken for ‘([^’]*)’", scene)
        assert named is not None
        assert f"as ‘{named[1]}’: HiResCAM of that class, peak" in text(scene)
        assert "named right" in text(control)


def test_both_scenes_of_an_example_are_one_object_in_one_pose(studio: Written) -> None:
    scenes = SCENES.read(studio.run.folder).set_index("scene_id")
    source = card(studio, "outside_shadow=slats")
    pairs = zip(*(re.findall(r'src="assets/([0-9a-f]{16})-x1', v)[0:1] for v in views(source)), strict=True)
    shown = [s for pair in pairs for s in pair]
    for scene, control in zip(shown[::2], shown[1::2], strict=True):
        assert scenes.loc[scene, "block_id"] == scenes.loc[control, "block_id"]
        assert (scenes.loc[scene, "outside_shadow"], scenes.loc[control, "outside_shadow"]) == ("slats", "unblocked")
    assert len({scenes.loc[s, "object"] for s in shown}) == 2, "the worst blocks shown are of different objects"


def test_what_a_level_is_compared_with_is_said_where_it_is_not_control(studio: Written) -> None:
    assert "control: outside_shadow=unblocked" in text(card(studio, "outside_shadow=slats"))
    for part in ("taken-for", "factors"):
        assert "outside_shadow=slats is compared with unblocked; every other level with control." in text(
            section(studio.page, part)
        )


def test_a_finding_on_one_object_shows_that_object_alone(studio: Written) -> None:
    found = card(studio, "light=back & object=lemon")
    headings = re.findall(r"<h4[^>]*>(.*?)</h4>", found, flags=re.DOTALL)
    assert all(plain(h).startswith("Lemon, pose") for h in headings[:-1])
    assert "beyond the mean of the other objects" in text(found)


def test_five_bars_say_what_was_named_and_the_right_one_is_told_by_more_than_colour(studio: Written) -> None:
    source = card(studio, "object_color=unusual")
    bars = re.findall(r'<svg class="bars".*?</svg>', source, flags=re.DOTALL)
    assert len(bars) == 6
    for drawn in bars:
        label = re.search(r'aria-label="named: ([^"]*)"', drawn)
        assert label is not None
        assert label[1].count("(right)") == 1
        assert len(re.findall(r'<rect class="(?:right|wrong)"', drawn)) == 5
        assert drawn.count('class="tick"') == drawn.count('<rect class="right"') == 1


def test_an_example_s_numbers_are_those_of_its_cell(studio: Written) -> None:
    predictions = tables.PREDICTIONS.read(studio.run.folder)
    scenes = SCENES.read(studio.run.folder).set_index("scene_id")
    for view in views(card(studio, "outside_shadow=slats")):
        scene = re.findall(r'src="assets/([0-9a-f]{16})-x1', view)[0]
        cell = predictions[predictions["cell_id"] == scenes.loc[scene, "cell_id"]].set_index("metric")["value"]
        assert plain(f"probability of the object {number(cell['target_probability'])}") in text(view)
        assert f"logit margin {number(cell['logit_margin'], percent=False)}" in text(view)


def test_no_recipe_declared_is_said_and_nothing_is_called_unexpected(studio: Written) -> None:
    assert "no training recipe declared" in studio.page.words
    assert "inside the training recipe" not in studio.page.words
    assert "inside its training recipe" not in studio.page.words


def test_what_it_was_taken_for_stands_per_object_and_condition(studio: Written) -> None:
    part = text(section(studio.page, "taken-for"))
    assert "margin shows what the probability hides" in part
    frame = tables.TAKEN_FOR.read(studio.run.folder)
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", section(studio.page, "taken-for"), flags=re.DOTALL)
    assert [text(r).split()[0] for r in rows] == ["lemon", "bucket"]
    for row, thing in zip(rows, ("lemon", "bucket"), strict=True):
        cells = re.findall(r"<td.*?</td>", row, flags=re.DOTALL)
        assert len(cells) == 1 + sum(len(levels) - 1 for levels in FACTORS.values())
        assert all(cell.count("<img") == 1 for cell in cells)
        assert "100 % right" in text(cells[0])
        slats = frame[(frame["object"] == thing) & (frame["outside_shadow"] == "slats")]
        assert "0 % right" in text(cells[-1])
        for _, found in slats.iterrows():
            assert plain(f"{found['answer']} {number(found['share'])}") in text(cells[-1])


@pytest.mark.parametrize("metric", ["top1", "target_probability", "logit_margin"])
def test_every_object_and_their_mean_stand_under_every_condition(metric: str, studio: Written) -> None:
    conditions = tables.CONDITIONS.read(studio.run.folder)
    mine = conditions[(conditions["metric"] == metric) & (conditions["presence"] == "object")]
    shown = text(tables_of(studio.page, "factors")[["top1", "target_probability", "logit_margin"].index(metric)])
    percent = metric != "logit_margin"
    assert len(mine) == 3 * 5
    for _, row in mine.iterrows():
        assert plain(f"{number(row['mean'], percent)} {interval(row['ci_low'], row['ci_high'], percent)} n") in shown
    assert "mean over these 2 objects" in shown
    assert f"n {2 * POSES}" in shown
    assert "not in the design" not in shown


def test_what_the_object_and_its_shadow_cause_is_told_for_all_and_for_each(studio: Written) -> None:
    part = text(section(studio.page, "interventions"))
    assert "On these objects the right class has a probability of 95 % [95, 95]" in part
    assert "with the object taken away and its shadow left, 0.2 %" in part
    assert "‘lemon’ has a probability of" in part
    assert "‘bucket’ has a probability of" in part
    assert "Its logit margin falls from +6.10 to −5.70" in part
    assert "alarm" not in part
    assert "object alone" not in part
    assert part.count("(8 object poses)") == 1


def test_arms_are_shown_with_what_is_named_in_each(studio: Written) -> None:
    source = section(studio.page, "interventions")
    groups = re.findall(r'<div class="arms three">(.*?)</div></div>', source, flags=re.DOTALL)
    assert len(groups) >= 2
    arms = re.findall(r'<p class="title">([^<]*)</p>', source)
    assert set(arms) == {"object + shadow", "shadow alone", "empty floor"}
    assert "named first: ‘" in text(source)


def test_what_concerns_the_proximity_network_alone_is_left_out(studio: Written) -> None:
    for said in ("flatten and dense layers", "ROC-AUC", "false alarm", "sensor", "cm of travel", "hit: obstacle"):
        assert said not in studio.page.words, said


def test_shadow_from_outside_has_its_own_share_and_only_where_there_is_one(studio: Written, written: Written) -> None:
    assert "shadow from outside the frame" in text(section(studio.page, "attention"))
    assert "shadow from outside the frame" not in written.page.words


def test_what_no_picture_has_is_no_column(studio: Written) -> None:
    part = text(section(studio.page, "quality"))
    assert "distance" not in part
    assert "albedo difference" in part
    assert "undefined no object in the picture, so no class is right" in part


def test_an_answer_that_is_no_number_is_undefined(studio: Written, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(studio.run.folder, folder, ignore=shutil.ignore_patterns("report"))
    tables.ANSWERS.write(tables.ANSWERS.empty(), folder)
    frame = tables.PREDICTIONS.read(folder)
    tables.PREDICTIONS.write(frame.assign(value=float("nan"), undefined_reason="nan_output"), folder)
    page = read(write_report(folder, studio.run.store))
    assert "answer undefined" in page.words or "the network's output is not a number" in page.words
    assert not re.search(r"\bnan\b|\bNone\b(?! declared)", page.words)


@pytest.mark.parametrize(
    "name",
    ["effects", "attention", "predictions", "answers", "taken_for", "labels", "scenes", "conditions", "interventions"],
)
def test_a_table_that_was_not_written_leaves_a_page_without_it(name: str, studio: Written, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(studio.run.folder, folder, ignore=shutil.ignore_patterns("report"))
    (folder / f"{name}.parquet").unlink()
    page = read(write_report(folder, studio.run.store))
    assert plain(next(page.all("h1")).text) == "Failures found"
    assert not re.search(r"\bnan\b|\bNone\b(?! declared)", page.words)


def test_pictures_without_truth_have_bars_and_no_right_answer(pictures_of_classes: Written) -> None:
    page = pictures_of_classes.page
    bars = [e.attributes["aria-label"] for e in page.all("svg") if e.attributes.get("class") == "bars"]
    assert [label.split(" 30")[0] for label in bars] == [
        "named: kind 1 of cat_on_a_chair",
        "named: kind 1 of dog_at_the_door",
    ]
    assert not any("(right)" in label for label in bars)
    assert "In 1 of these 2 pictures another class is named first in the other channel order." in page.words
    assert "decisions at .5" not in page.words
    assert "mean output" not in page.words


def test_two_classifiers_are_told_apart(studio: Written, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(studio.run.folder, folder, ignore=shutil.ignore_patterns("report"))
    for table in tables.ALL:
        if "model" in table.columns and (folder / f"{table.name}.parquet").is_file():
            frame = table.read(folder)
            table.write(pd.concat([frame, frame.assign(model="second")]), folder, frame.attrs["factors"])
    for name in ("run.json", "verdict.json"):
        record = (folder / name).read_text()
        copies = f'"second": {record[record.index(CLASSIFIER) + len(CLASSIFIER) + 3 :]}'
        depth, end = 0, 0
        for i, letter in enumerate(copies):
            depth += (letter == "{") - (letter == "}")
            if letter == "}" and depth == 0:
                end = i + 1
                break
        (folder / name).write_text(record.replace(f'"{CLASSIFIER}": {{', f'{copies[:end]}, "{CLASSIFIER}": {{', 1))
    page = read(write_report(folder, studio.run.store))
    names = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(names) == len(set(names))
    headings = [plain(e.text) for e in page.all("h3")]
    assert headings.count("second") == headings.count(CLASSIFIER) >= 6


def test_what_the_maps_are_of_is_what_was_configured(studio: Written, tmp_path: Path) -> None:
    assert "Maps are of the logits of the right classes, class activation maps at" in studio.page.words
    folder = tmp_path / "run"
    shutil.copytree(studio.run.folder, folder, ignore=shutil.ignore_patterns("report"))
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace("attribution:\n", "attribution:\n  target: class:tabby_cat\n"))
    page = read(write_report(folder, studio.run.store))
    assert "Maps are of the logit of the class ‘tabby cat’, class activation maps at" in page.words
    assert "The positive part of the attribution of the logit of the class ‘tabby cat’ (beside it" in page.words
    assert any(
        "HiResCAM of the logit of the class ‘tabby cat’ over the scene" in e.attributes["alt"] for e in page.all("img")
    )
    assert "the logits of the right classes" not in page.words
    assert "HiResCAM of ‘" not in page.source
