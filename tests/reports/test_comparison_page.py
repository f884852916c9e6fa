"""The page of a comparison: verdict and gates first, what changed, and scenes that show it through both networks."""

from __future__ import annotations

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn_comparison import DIAGNOSIS, NOTES, SHA, DrawnComparison, make_comparison, make_comparison_of_classifiers
from page_reading import Element, Page, plain, read
from PIL import Image

from audit import tables
from audit.metrics.effect_specs import EFFECT_SPECS
from audit.regression.wording import better
from reports import write_comparison
from reports.colour_map import coloured
from reports.figures import Axis, margin_bar
from reports.pictures import overlay
from scenes.manifest import SCENES


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DrawnComparison:
    return make_comparison(tmp_path_factory.mktemp("compared"))


@pytest.fixture(scope="module")
def page(drawn: DrawnComparison) -> Page:
    return read(drawn.page)


@pytest.fixture(scope="module")
def of_classes(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return read(make_comparison_of_classifiers(tmp_path_factory.mktemp("classes")).page)


def rows_of(page: Page, kind: str) -> list[str]:
    """The text of each row of the tables of one class, in order."""
    at, found = False, []
    for element in page.elements:
        if element.tag == "table":
            at = kind in element.attributes.get("class", "")
        if element.tag == "tr" and at and "tbody" in element.inside:
            found.append(plain(element.text))
    return found


def bars(page: Page) -> list[Element]:
    return [e for e in page.all("svg") if "margin-bar" in e.attributes.get("class", "")]


def headings(page: Page) -> list[str]:
    """Of the examples."""
    return [plain(e.text) for e in page.all("h4") if "Scene seed" in e.text or "pose" in e.text]


def test_the_first_thing_said_is_the_verdict_with_its_sign_and_its_reason(page: Page) -> None:
    title = next(page.all("h1"))
    assert plain(title.text) == "Regression"
    assert any("icon-fail" in e.attributes.get("href", "") for e in page.all("use") if "h1" in e.inside)
    assert "2 of 14 gates are worse than the baseline by more than the margin: missed sensors of centre" in page.words
    assert DIAGNOSIS[0] in page.words
    assert page.words.index("Regression") < page.words.index("gates are worse") < page.words.index("Required gates")


def test_both_checkpoints_are_named_by_file_digest_and_run_and_lead_to_their_own_pages(
    drawn: DrawnComparison, page: Page
) -> None:
    facts = plain(next(e for e in page.all("dl") if e.attributes.get("class") == "facts").text)
    found = "by itself: failures found"
    assert f"proximity.safetensors {SHA['baseline'][:8]} {found} run {drawn.baseline.name}" in facts
    assert f"candidate.safetensors {SHA['candidate'][:8]} {found} run {drawn.candidate.name}" in facts
    linked = {e.attributes["href"] for e in page.all("a")}
    for run in (drawn.baseline, drawn.candidate):
        target = f"../../../{run.name}/report/index.html"
        assert target in linked
        assert (drawn.page.parent / target).is_file()


def test_what_was_shared_what_fresh_scenes_said_and_what_became_of_findings_stand_beside_them(
    drawn: DrawnComparison, page: Page
) -> None:
    cells = len(SCENES.read(drawn.candidate))
    assert f"{cells} of {cells + 10} cells" in page.words
    assert "not tried: comparison.confirm=false" in page.words
    assert "1 new · 1 persisting · 1 fixed · 1 not covered" in page.words
    assert NOTES[0] in page.words


def test_every_required_gate_has_a_row_with_the_numbers_of_its_table(page: Page) -> None:
    rows = rows_of(page, "gate-table")
    assert rows[:4] == [
        "Brier score inconclusive too wide an interval 0.061 0.069 +0.008 [0.003, 0.016] 0.010 +0.050 24",
        "sensors with a false alarm pass improved 6.0 % 4.0 % −2.0 pp [−3.0, −1.0] 1.0 pp +5.0 pp 24",
        "missed sensors regression not tried on fresh scenes 20 % 35 % +15 pp [8.0, 22] 1.0 pp +5.0 pp 24",
        "what the object adds pass identical 40 % 40 % 0 pp no cell differs 3.0 pp – 24",
    ]


def test_right_is_worse_and_a_regression_s_interval_lies_beyond_the_margin() -> None:
    axis = Axis(-2.0, 8.0, 264)
    bar = str(margin_bar(0.15, 0.08, 0.22, 0.05, axis, "bad", True))
    zero, limit = (float(x) for x in re.findall(r'<line class="(?:axis|margin)" x1="([\d.]+)"', bar))
    low, point = float(re.findall(r'd="M([\d.]+) 12H', bar)[0]), float(re.findall(r'cx="([\d.]+)"', bar)[0])
    assert zero < limit < low < point
    assert "worse by +15" in bar
    better = str(margin_bar(-0.02, -0.03, -0.01, 0.05, axis, "good", True))
    assert float(re.findall(r'cx="([\d.]+)"', better)[0]) < zero


@pytest.mark.parametrize("margin", [0.0, float("nan")])
def test_a_margin_of_zero_or_none_still_gives_a_bar_with_its_numbers_in_words(margin: float) -> None:
    bar = str(margin_bar(0.15, 0.08, 0.22, margin, Axis(-2.0, 8.0, 264), "bad", True))
    assert 'aria-label="worse by +15' in bar
    assert "nan" not in re.sub(r"aria-label=\"[^\"]*\"", "", bar)


def test_what_lies_beyond_the_axis_is_an_arrow_that_says_so(page: Page) -> None:
    bar = str(margin_bar(0.8, 0.6, 0.95, 0.05, Axis(-2.0, 8.0, 264), "bad", True))
    assert "beyond" in bar
    assert "farther right: +80" in bar
    assert "<circle" not in bar


def test_what_fresh_scenes_say_stands_beside_the_alarm(drawn: DrawnComparison, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(drawn.folder, tmp_path / "comparison", ignore=shutil.ignore_patterns("report")))
    gates = tables.GATES.read(folder)
    alarmed = (gates["verdict"] == "regression") & (gates["kind"] == "overall")
    fresh = {"confirmed": "confirmed", "fresh_difference": 0.12, "fresh_low": 0.05, "fresh_high": 0.19}
    for column, value in fresh.items():
        gates.loc[alarmed, column] = value
    tables.GATES.write(gates, folder)
    page = read(write_comparison(folder, drawn.baseline, drawn.candidate, tmp_path / "an empty store"))
    (row,) = (r for r in rows_of(page, "gate-table") if "confirmed" in r)
    assert row.startswith("missed sensors regression confirmed on fresh scenes: +12 pp [5.0, 19]")


def test_alarms_of_places_stand_open_and_what_did_not_change_behind_a_fold(page: Page) -> None:
    rows = rows_of(page, "gate-table")[4:]
    assert rows[0].startswith("missed sensors of centre regression")
    folded = [e for e in page.all("tr") if "details" in e.inside and "tbody" in e.inside and "pass" in e.text]
    assert len(rows) == 10
    assert len(folded) == 4
    assert not any("regression" in e.text for e in folded)


def rewritten(drawn: DrawnComparison, folder: Path, gates: pd.DataFrame, states: pd.DataFrame | None = None) -> Page:
    """The page of the comparison with other tables."""
    shutil.copytree(drawn.folder, folder, ignore=shutil.ignore_patterns("report"))
    tables.GATES.write(gates, folder)
    if states is not None:
        tables.FINDING_STATES.write(states, folder)
    return read(write_comparison(folder, drawn.baseline, drawn.candidate, folder.parent / "an empty store"))


def test_an_alarm_that_fresh_scenes_confirm_stands_before_larger_ones_that_they_do_not(
    drawn: DrawnComparison, tmp_path: Path
) -> None:
    gates = tables.GATES.read(drawn.folder)
    gates.loc[gates["verdict"] == "regression", "confirmed"] = "not confirmed"
    is_right = (gates["kind"] == "place") & (gates["where"] == "right")
    gates.loc[is_right, ["verdict", "confirmed", "difference"]] = ["regression", "confirmed", 0.06]
    page = rewritten(drawn, tmp_path / "comparison", gates)
    assert [row.split(" regression ")[0] for row in rows_of(page, "gate-table")[4:6]] == [
        "missed sensors of right",
        "missed sensors of centre",
    ]
    pictured = [plain(e.text) for e in page.all("h3") if "Alarm:" in e.text]
    assert pictured[0].startswith("Alarm: missed sensors of right, worse by +6.0 pp")


def test_what_is_better_is_said_to_be_so_by_its_own_interval_and_the_required_gates_by_name(
    drawn: DrawnComparison, page: Page, tmp_path: Path
) -> None:
    assert "Better by its own 95 % interval sensors with a false alarm" in page.words
    gates = tables.GATES.read(drawn.folder)
    gates.loc[gates["kind"] == "condition", "note"] = "improved"
    found = rewritten(drawn, tmp_path / "comparison", gates).words
    assert "sensors with a false alarm; 8 places or conditions" in found
    assert better(gates) == "sensors with a false alarm; 8 places or conditions"  # as the terminal says it


@pytest.mark.parametrize(
    ("verdict", "exit_code"), [("inconclusive", 0), ("inconclusive", 4), ("insufficient coverage", 5)]
)
def test_what_an_unsure_verdict_cost_is_this_comparison_s_own_exit_code(
    drawn: DrawnComparison, tmp_path: Path, verdict: str, exit_code: int
) -> None:
    folder = Path(shutil.copytree(drawn.folder, tmp_path / "comparison", ignore=shutil.ignore_patterns("report")))
    record = json.loads((folder / "verdict.json").read_text()) | {"verdict": verdict, "exit_code": exit_code}
    (folder / "verdict.json").write_text(json.dumps(record))
    page = read(write_comparison(folder, drawn.baseline, drawn.candidate, tmp_path / "an empty store"))
    assert re.findall(r"exit code of this comparison (\d)", page.words) == [str(exit_code)]
    assert "a warning" not in page.words
    assert any("icon-warn" in e.attributes.get("href", "") for e in page.all("use") if "h1" in e.inside)


def test_where_maps_lie_is_told_apart_from_the_gates_and_never_gates(page: Page) -> None:
    assert "Where the maps lie: informs, never gates" in page.words
    assert "no verdict rests on it" in page.words
    assert not any("relevance mass" in row for row in rows_of(page, "gate-table"))
    assert "relevance mass accuracy 45 % 40 % +5.0 pp [2.0, 8.0] 24 worse" in page.words
    assert "not earned: edge map does as well" in page.words


def test_findings_stand_by_state_with_both_effects(page: Page) -> None:
    rows = rows_of(page, "finding-table")
    assert [row.split()[0] for row in rows] == [f"F-aaaa000{i}" for i in (1, 2, 3, 4)]
    assert rows[0] == "F-aaaa0001 Under relation=equal the network misses more. +2 pp [0, 4] +31 pp [25, 37]"
    assert "not judged +40 pp [30, 50] the baseline has no such contrast" in rows[3]
    heads = [plain(e.text) for e in page.all("h3")]
    assert [h for h in heads if h.split()[0].isdigit()] == ["1 new", "1 persisting", "1 fixed", "1 not covered"]


def test_a_finding_of_maps_is_named_with_the_method_it_was_judged_by(drawn: DrawnComparison, tmp_path: Path) -> None:
    states = tables.FINDING_STATES.read(drawn.folder)
    twice = states[states["state"] == "not covered"].assign(metric="relevance_mass_accuracy")
    both = [twice.assign(method=method) for method in ("hires_cam", "grad_cam")]
    page = rewritten(drawn, tmp_path / "comparison", tables.GATES.read(drawn.folder), pd.concat([states, *both]))
    rows = [row for row in rows_of(page, "finding-table") if row.startswith("F-aaaa0004")]
    assert sorted(method for row in rows for method in re.findall(r"By (\S+)\.", row)) == ["Grad-CAM", "HiResCAM"]
    assert len(rows) == 3


def worst(drawn: DrawnComparison, metric: str, levels: dict[str, str]) -> pd.DataFrame:
    """Cells that show the object at some levels, with the metric's change, worst first."""
    scenes = SCENES.read(drawn.candidate)
    scenes = scenes[(scenes["status"] == "ok") & (scenes["presence"] == "object")]
    for factor, level in levels.items():
        scenes = scenes[scenes[factor] == level]
    both = [tables.PREDICTIONS.read(folder) for folder in (drawn.baseline, drawn.candidate)]
    before, after = (f[f["metric"] == metric].set_index("cell_id")["value"] for f in both)
    scenes = scenes.assign(worse=scenes["cell_id"].map(after - before))
    return scenes[scenes["worse"] > 0].sort_values("worse", ascending=False)


def test_the_scenes_shown_are_those_that_worsened_most_one_of_each_scene_seed(
    drawn: DrawnComparison, page: Page
) -> None:
    found = worst(drawn, "sensor_miss", {})
    most = found.drop_duplicates("block_id").head(4)
    article = next(e for e in page.all("article") if "Alarm: missed sensors, worse by +15" in plain(e.text))
    shown = re.findall(r"Scene seed (\d+) \([^)]*\), ([^:]*): missed sensors (\S+ %) to (\S+ %)", plain(article.text))
    assert len(shown) == len(most) >= 2
    assert len({block for block, *_ in shown}) == len(shown)
    changes = sorted((int(after.split()[0]) - int(before.split()[0]) for *_, before, after in shown), reverse=True)
    assert changes == [round(100 * w) for w in most["worse"]]


def test_a_new_finding_is_shown_at_its_own_condition(page: Page) -> None:
    title = "New failure condition: missed sensors under relation=equal"
    article = next(e for e in page.all("article") if title in plain(e.text))
    conditions = re.findall(r"Scene seed \d+ \([^)]*\), ([^:]*):", plain(article.text))
    assert conditions
    assert all("relation=equal" in c for c in conditions)


@pytest.mark.parametrize(
    ("metric", "response", "arm"),
    [
        ("object_effect", "sensors that alarm where the object is", ""),
        ("shadow_alarm", "sensors that alarm", ", its shadow alone"),
    ],
)
def test_an_intervention_that_worsened_under_a_condition_is_shown_by_its_answers_at_that_condition(
    drawn: DrawnComparison, tmp_path: Path, metric: str, response: str, arm: str
) -> None:
    sides = [Path(shutil.copytree(run, tmp_path / run.name)) for run in (drawn.baseline, drawn.candidate)]
    for side in sides:
        rows = tables.PREDICTIONS.read(side)
        hits = rows[rows["metric"] == "sensor_miss"]
        rows = rows[rows["metric"] != "target_alarm"]
        hits = hits.assign(metric="target_alarm", value=1 - hits["value"])
        tables.PREDICTIONS.write(pd.concat([rows, hits], ignore_index=True), side)
    if metric == "shadow_alarm":
        sides.reverse()  # dead sensors raise no alarm
    folder = Path(shutil.copytree(drawn.folder, tmp_path / "comparison", ignore=shutil.ignore_patterns("report")))
    gates = tables.GATES.read(folder)
    alarm = gates[(gates["kind"] == "place") & (gates["where"] == "centre")]
    alarm = alarm.assign(kind="condition", metric=metric, where="light=back")
    tables.GATES.write(pd.concat([gates, alarm]), folder)
    page = read(write_comparison(folder, *sides, tmp_path / "an empty store"))
    title = f"Alarm: {EFFECT_SPECS[metric].title} under light=back"
    article = plain(next(e for e in page.all("article") if title in plain(e.text)).text)
    shown = re.findall(r"Scene seed \d+ \([^)]*\), ([^:]*): (.*?) %", article)
    assert shown
    assert all("light=back" in levels and levels.endswith(arm) for levels, _ in shown)
    assert all(answer.startswith(response) for _, answer in shown)


def test_each_scene_is_seen_through_both_networks_with_what_each_answered(page: Page, drawn: DrawnComparison) -> None:
    scenes = len(headings(page))
    images = [e.attributes for e in page.all("img")]
    assert 3 * scenes >= len(images) > 2 * scenes
    assert sum("The baseline's map" in i["alt"] for i in images) == sum(
        "The candidate's map" in i["alt"] for i in images
    )
    assert "within 15 cm, missed:" in page.words
    assert "within 15 cm, found:" in page.words
    grids = [e for e in page.all("svg") if e.attributes.get("class") == "grid"]
    assert len(grids) == 2 * scenes
    for image in images:
        with Image.open(drawn.page.parent / image["src"]) as file:
            assert file.size == (int(image["width"]), int(image["height"]))
        assert len(image["alt"]) > 15


def test_maps_of_one_scene_share_the_scale_that_is_written_above_them(page: Page) -> None:
    """The candidate's maps are twice as strong, so the scale is theirs."""
    scales = [float(s) for s in re.findall(r"colours of both maps from 0 to ([\d.]+)", page.words)]
    captions = [e.text for e in page.all("figcaption")]
    peaks = [float(c.rpartition(" ")[2]) for c in captions if c.startswith("HiResCAM of the true obstacle, peak")]
    assert len(scales) >= 2
    assert peaks[1::2] == pytest.approx(scales, rel=0.02)
    assert peaks[0::2] == pytest.approx([s / 2 for s in scales], rel=0.05)
    files = [e.attributes["src"] for e in page.all("img") if "map" in e.attributes["alt"]]
    assert len({f for f in files if "-baseline-" in f} & {f for f in files if "-candidate-" in f}) == 0


def test_the_last_colour_stands_for_the_scale_and_not_for_the_map_s_own_peak() -> None:
    nothing, values = np.zeros((4, 4), dtype=np.float32), np.full((4, 4), 3.0, dtype=np.float32)
    black = np.zeros((4, 4, 3), dtype=np.uint8)
    drawn, peak = overlay(black, values, nothing, nothing, 1, scale_to=6.0)
    own, _ = overlay(black, values, nothing, nothing, 1)
    assert peak == 3.0
    assert drawn[0, 0] == pytest.approx(0.65 * coloured(np.array([[0.5]]))[0, 0], abs=1)
    assert own[0, 0] == pytest.approx(0.65 * coloured(np.array([[1.0]]))[0, 0], abs=1)


def test_scenes_that_the_store_no_longer_holds_are_named_in_their_place(drawn: DrawnComparison, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(drawn.folder, tmp_path / "comparison", ignore=shutil.ignore_patterns("report")))
    page = read(write_comparison(folder, drawn.baseline, drawn.candidate, tmp_path / "an empty store"))
    assert list(page.all("img")) == []
    gone = set(re.findall(r"The render store no longer holds scene (\w+)\.", page.words))
    known = set(SCENES.read(drawn.candidate)["scene_id"])
    assert gone
    assert gone <= known
    assert len([e for e in page.all("svg") if e.attributes.get("class") == "grid"]) == 2 * len(headings(page))


def test_of_classifiers_the_named_class_stands_there_with_its_probability(of_classes: Page) -> None:
    assert "taken for ‘table lamp’" in of_classes.words
    assert "named right" in of_classes.words
    drawn = [e.attributes["aria-label"] for e in of_classes.all("svg") if e.attributes.get("class") == "bars"]
    assert any(label.startswith("named: table lamp 55") for label in drawn)
    assert any("pose" in h and "top-1 accuracy 100 % to 0 %" in h for h in headings(of_classes))


def test_no_network_no_script_no_inline_style_and_every_link_leads_somewhere(
    drawn: DrawnComparison, page: Page
) -> None:
    assert list(page.all("script")) == []
    assert [e for e in page.elements if "style" in e.attributes] == []
    assert re.findall(r"""(?:src|href|url\()\s*=?\s*["']?(?:\w+:)?//""", page.source) == []
    names = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(names) == len(set(names))
    for target in (e.attributes["href"] for e in [*page.all("a"), *page.all("use")]):
        assert target[1:] in names if target.startswith("#") else (drawn.page.parent / target).is_file()
    linked = {e.attributes["href"] for e in page.all("a")}
    assert {f"../{p.name}" for p in drawn.folder.iterdir() if p.is_file()} <= linked


def test_it_can_be_read_by_ear_and_by_keyboard(page: Page, of_classes: Page) -> None:
    for read_page in (page, of_classes):
        assert next(read_page.all("html")).attributes["lang"] == "en"
        for landmark in ("main", "nav", "header", "footer", "title", "h1"):
            assert len(list(read_page.all(landmark))) == 1
        levels = [int(e.tag[1]) for e in read_page.elements if re.fullmatch("h[1-6]", e.tag)]
        assert all(b <= a + 1 for a, b in pairwise(levels)), "a heading level is skipped"
        assert all("scope" in e.attributes for e in read_page.all("th"))
        assert len(list(read_page.all("table"))) == len(list(read_page.all("caption")))
        pictured = [e for e in read_page.all("svg") if e.attributes.get("aria-hidden") != "true"]
        assert all(e.attributes.get("role") == "img" and e.attributes.get("aria-label") for e in pictured)


def test_it_is_light_enough_to_send(drawn: DrawnComparison) -> None:
    assert sum(p.stat().st_size for p in drawn.page.parent.rglob("*.*")) < 1_500_000


def test_equal_comparisons_give_equal_bytes_and_left_over_pictures_go(drawn: DrawnComparison, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(drawn.folder, tmp_path / "outputs" / "comparisons" / drawn.folder.name))
    (folder / "report" / "assets" / "stale.webp").write_bytes(b"of an earlier page")
    for run in (drawn.baseline, drawn.candidate):
        shutil.copytree(run, tmp_path / "outputs" / run.name)
    runs = (tmp_path / "outputs" / run.name for run in (drawn.baseline, drawn.candidate))
    path = write_comparison(folder, *runs, drawn.store)
    assert contents(path) == contents(drawn.page)


def contents(page: Path) -> dict[Path, bytes]:
    return {p.relative_to(page.parent): p.read_bytes() for p in page.parent.rglob("*.*")}


def test_names_that_try_to_be_markup_stay_text(drawn: DrawnComparison, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    folder = Path(shutil.copytree(drawn.folder, tmp_path / "comparison", ignore=shutil.ignore_patterns("report")))
    tables.FINDING_STATES.write(tables.FINDING_STATES.read(folder).assign(sentence=hostile), folder)
    verdict = (folder / "verdict.json").read_text().replace("candidate.safetensors", hostile.replace("/", ""))
    (folder / "verdict.json").write_text(verdict.replace(NOTES[0], hostile).replace(DIAGNOSIS[0], hostile))
    page = read(write_comparison(folder, drawn.baseline, drawn.candidate, tmp_path / "an empty store"))
    assert page.text.count(hostile) == 6
    assert "<script>alert(1)<script>" in page.text
    assert list(page.all("script")) == []
    assert all("onerror" not in e.attributes for e in page.all("img"))
