"""The pages over many checkpoints say in words and drawings how each gate went, and stand alone."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn_history import drawn_courses, drawn_epochs, drawn_step, drawn_values
from page_reading import Page, read

from reports import write_epochs, write_history
from reports.development import fate, matrix
from reports.trend_charts import Point, StepMark, scale_ticks, trend_chart

NAMES = [f"{i:08x}" for i in range(12)]
EPOCHS = ["epoch_1", "epoch_2", "epoch_10", "epoch_20"]
FAILS = {"light=back": [True, True, True, False], "relation=equal": [False, False, False, True]}
STEPS = [drawn_step(6, 0.30, 0.21), drawn_step(9, 0.08, 0.10, "brier")]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve checkpoints with two steps; one run has a page of its own."""
    outputs = tmp_path_factory.mktemp("outputs")
    (outputs / "run-3" / "report").mkdir(parents=True)
    (outputs / "run-3" / "report" / "index.html").write_text("<p>")
    folder = outputs / "history"
    folder.mkdir()
    for name in ("history", "steps"):
        for suffix in ("csv", "parquet"):
            (folder / f"{name}.{suffix}").write_bytes(b"")
    return write(folder, NAMES)


def write(folder: Path, names: list[str], left_out: list[tuple[str, str]] | None = None, note: str = "") -> Path:
    values, steps = drawn_values(names, fall=0.05), pd.DataFrame(STEPS if len(names) > 9 else [])
    courses = drawn_courses(values, steps, note)
    return write_history(folder, "regression", values, courses, steps, left_out or [("odd", "it has no run.json")])


@pytest.fixture(scope="module")
def epochs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four epochs, and one that is broken."""
    folder = tmp_path_factory.mktemp("outputs") / "epochs" / "now"
    folder.mkdir(parents=True)
    for name in ("development", "epochs"):
        for suffix in ("csv", "parquet"):
            (folder / f"{name}.{suffix}").write_bytes(b"")
    listed = drawn_epochs([*EPOCHS, "torn"], {"torn": "checkpoint torn.safetensors is truncated"})
    return write_epochs(folder, "night run", drawn_values(EPOCHS, 0.1, FAILS), listed)


@pytest.fixture(scope="module")
def pages(history: Path, epochs: Path) -> list[tuple[Path, Page]]:
    return [(history, read(history)), (epochs, read(epochs))]


def test_they_need_no_network_and_no_script(pages: list[tuple[Path, Page]]) -> None:
    for _, page in pages:
        assert list(page.all("script")) == []
        assert [e for e in page.elements if "style" in e.attributes] == []
        assert re.findall(r"https?:|@import", page.source) == []
        policy = next(e for e in page.all("meta") if e.attributes.get("http-equiv") == "Content-Security-Policy")
        assert "default-src 'none'" in policy.attributes["content"]


def test_every_link_leads_somewhere(pages: list[tuple[Path, Page]]) -> None:
    for path, page in pages:
        names = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
        assert len(names) == len(set(names))
        targets = [e.attributes["href"] for e in [*page.all("a"), *page.all("use")]]
        assert len(targets) > 4
        for target in targets:
            assert target[1:] in names if target.startswith("#") else (path.parent / target).is_file(), target


def test_a_checkpoint_leads_to_its_run_where_that_has_a_page(history: Path) -> None:
    page = read(history)
    assert [e.attributes["href"] for e in page.all("a") if "run-" in e.attributes["href"]] == [
        "../run-3/report/index.html"
    ]


def test_every_drawing_says_its_numbers_in_words(pages: list[tuple[Path, Page]]) -> None:
    for _, page in pages:
        drawings = [e for e in page.all("svg") if e.attributes.get("class") == "trend"]
        assert len(drawings) == 8
        for drawing in drawings:
            assert drawing.attributes["role"] == "img"
            assert len(drawing.attributes["aria-label"]) > 60
        miss = next(d for d in drawings if d.attributes["aria-label"].startswith("Missed sensors: "))
        assert "30\u00a0% [26, 34]" in miss.attributes["aria-label"]


def test_equal_input_gives_equal_bytes(history: Path, epochs: Path) -> None:
    before = history.read_bytes()
    assert write(history.parent, NAMES).read_bytes() == before
    assert list(history.parent.glob("*.partial")) == []


def test_a_step_is_said_first_and_marked_where_it_is(history: Path) -> None:
    page = read(history)
    assert "Missed sensors went from 30 % to 21 % after 00000005: better." in page.words
    assert "Brier score went from 0.08 to 0.10 after 00000008: worse." in page.words
    assert "step after 00000005: −9 pp, better" in page.words
    assert page.source.count('<path class="trend-step" d="M') == 3  # two steps, and the legend


def test_the_direction_of_better_stands_on_every_chart(pages: list[tuple[Path, Page]]) -> None:
    for _, page in pages:
        assert page.text.count("↓ lower is better") == 5
        assert page.text.count("↑ higher is better") == 3


def test_few_checkpoints_are_drawn_and_it_says_why_no_step_is_looked_for(tmp_path: Path) -> None:
    page = read(write(tmp_path, NAMES[:1], note="1 runs, 8 needed"))
    assert "1 checkpoint on the same scenes" in page.words
    assert "Steps were not looked for: 1 runs, 8 needed." in page.words


def test_what_is_left_out_is_listed_and_names_from_outside_are_escaped(tmp_path: Path) -> None:
    page = read(write(tmp_path, NAMES, [("<b>run</b>", "/home/someone/x has schema 9")]))
    assert "<b>run</b>" in page.text
    assert "~/x has schema 9" in page.text
    assert "someone" not in page.source


def test_models_stand_apart(tmp_path: Path) -> None:
    both = pd.concat([drawn_values(NAMES), drawn_values(NAMES[:9], model="squeezenet1_0")])
    page = read(write_history(tmp_path, "two", both, drawn_courses(both, pd.DataFrame()), pd.DataFrame(), []))
    assert [e.text for e in page.all("h2")][:2] == ["proximity", "squeezenet1_0"]
    names = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(names) == len(set(names))


def test_a_broken_epoch_is_named_with_its_reason(epochs: Path) -> None:
    page = read(epochs)
    assert "1 file could not be audited: torn.safetensors" in page.words
    assert "could not be audited: checkpoint torn.safetensors is truncated" in page.words


def test_the_first_screen_says_how_accuracy_and_attention_went(epochs: Path) -> None:
    page = read(epochs)
    assert "Missed sensors: 30 % at epoch_1 to 20 % at epoch_20." in page.words
    assert "Relevance mass accuracy on the object, HiResCAM: 35 % at epoch_1 to 25 % at epoch_20." in page.words


def test_the_matrix_is_filled_where_a_condition_fails_and_every_number_can_be_read(epochs: Path) -> None:
    page = read(epochs)
    cells = [e for e in page.all("td") if e.inside[-2:] == ("tbody", "tr") and "title" in e.attributes]
    told = [c.text.replace("\u00a0", " ") for c in cells]  # the condition with the largest effect first
    assert told == ["+1 pp", "+1 pp", "+1 pp", "+16 pp", "+10 pp", "+12 pp", "+14 pp", "+1 pp"]
    is_filled = [c.attributes["class"].startswith("shade-") for c in cells]
    assert is_filled == [*FAILS["relation=equal"], *FAILS["light=back"]]
    assert [", a failure condition" in c.attributes["title"] for c in cells] == is_filled
    assert "no failure condition" in cells[0].attributes["title"]


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        ([1, 1, 1, 1], "fails from the first checkpoint to the last"),
        ([1, 1, 0, 0], "fails up to epoch_2, and no longer from epoch_10 on"),
        ([0, 0, 1, 1], "appears at epoch_10 and stays"),
        ([0, 0, 0, 1], "appears at epoch_20, the last checkpoint"),
        ([0, 1, 1, 0], "appears at epoch_2 and is gone from epoch_20 on"),
        ([1, 0, 1, 0], "comes and goes: fails at epoch_1, epoch_10, 2 of 4 checkpoints"),
    ],
)
def test_each_failure_condition_gets_one_sentence(fails: list[int], told: str) -> None:
    assert fate([bool(f) for f in fails], EPOCHS) == told


def test_a_condition_that_was_not_judged_at_a_checkpoint_is_neither_failing_nor_fine_there() -> None:
    values = drawn_values(EPOCHS, fails={"light=back": [True, True, True, True]})
    values.loc[(values["where"] == "light=back") & (values["position"] == 1), "effect"] = np.nan
    values = values[~((values["where"] == "light=back") & (values["position"] == 2))]
    (row,) = matrix(values, EPOCHS).rows
    assert [c.text for c in row.cells[1:3]] == ["–", "–"]
    assert "fails from the first checkpoint to the last" in row.sentence
    assert "not judged at 2" in row.sentence


def test_without_a_failure_condition_the_page_says_so(tmp_path: Path) -> None:
    page = read(write_epochs(tmp_path, "calm", drawn_values(EPOCHS), drawn_epochs(EPOCHS)))
    assert "No condition met the failure criterion at any checkpoint" in page.words
    assert "2 more conditions" in page.words


def test_names_below_a_chart_never_lie_over_each_other() -> None:
    for count in (2, 9, 30, 200):
        drawn = trend_chart(points(count), [], "x", True, True)
        placed = re.findall(r'<text x="([\d.]+)" y="192" text-anchor="(\w+)">(\w+)<', drawn)
        spans = [(float(x) - {"start": 0, "middle": 24, "end": 48}[anchor]) for x, anchor, _ in placed]
        assert placed[-1][2] == f"{count - 1:08x}"
        assert all(b - a > 48 for a, b in itertools.pairwise(spans))


def points(count: int) -> list[Point]:
    return [Point(f"{i:08x}", 0.3, 0.25, 0.35) for i in range(count)]


def test_a_gap_in_a_series_is_a_gap_in_its_line_and_band() -> None:
    nan = float("nan")
    series = [*points(3), Point("undefined", nan, nan, nan), *points(3)]
    drawn = trend_chart(series, [], "x", True, True)
    assert drawn.count('<polyline class="trend-line"') == 2
    assert drawn.count('<polygon class="trend-band"') == 2
    assert "nan" not in drawn.replace("undefined", "")


def test_a_step_near_the_right_edge_keeps_its_number_inside() -> None:
    drawn = trend_chart(points(12), [StepMark(11, 0.3, 0.35, False)], "x", True, True)
    assert re.search(r'text-anchor="end">\+5.{0,3}pp worse<', drawn)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.02, 0.31, [0.0, 0.1, 0.2, 0.3, 0.4]),
        (0.82, 0.94, [0.8, 0.85, 0.9, 0.95]),
        (-0.1, 0.05, [-0.1, -0.05, 0.0, 0.05]),
    ],
)
def test_scales_have_round_numbers_and_begin_at_zero_where_that_costs_little(
    low: float, high: float, ticks: list[float]
) -> None:
    assert scale_ticks(low, high) == pytest.approx(ticks)


def test_a_scale_of_one_value_can_be_drawn() -> None:
    assert len(scale_ticks(0.0, 0.0)) >= 2
    assert len(scale_ticks(0.3, 0.3)) >= 2
