"""The randomisation check on the page: a table with lines per model, and a stamp where a failing method is listed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from drawn_scores import METHODS, MODEL
from page_reading import Page, Written, read

from audit import tables
from reports import words, write_report

STAMP = "fails the randomisation check"
CASCADE = {"hires_cam": (0.5, 0.3, 0.1), "grad_cam": (0.9, 0.8, 0.7), "saliency": (0.4, np.nan, 0.2)}
VERDICTS = {
    "hires_cam": (True, 0.3, ""),
    "grad_cam": (False, 0.8, STAMP),
    "saliency": (False, np.nan, "undefined in 2 of 3 comparisons: a map is the same everywhere"),
}


def write_sanity(folder: Path) -> None:
    """Three methods, three steps: one passes, one fails, one could not be judged."""
    rows = []
    for method, values in CASCADE.items():
        for kind in ("cascading", "independent"):
            for k, value in enumerate(values):
                row = {"model": MODEL, "method": method, "randomisation": kind, "position": k + 1}
                row |= {"layers": f"layer.{2 - k}", "scenes": 8, "usable_n": 8, "undefined_reason": ""}
                for name in ("rank_correlation", "rank_correlation_absolute", "ssim"):
                    row |= {name: value, f"{name}_low": value - 0.1, f"{name}_high": value + 0.1}
                rows.append(row)
    tables.SANITY.write(pd.DataFrame(rows), folder, csv=True)
    verdicts = []
    for method, (passes, similarity, reason) in VERDICTS.items():
        row = {"model": MODEL, "method": method, "passes": passes, "similarity": similarity, "limit": 0.5}
        row |= {"low": similarity - 0.1, "high": similarity + 0.1, "other_scenes": 0.6, "scenes": 8, "blocks": 8}
        verdicts.append({**row, "reason": reason})
    tables.SANITY_VERDICT.write(pd.DataFrame(verdicts), folder, csv=True)


def with_target(folder: Path, target: str) -> None:
    """The run's configuration with another target of attribution."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["attribution"]["target"] = target
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


@pytest.fixture(scope="module")
def checked(written: Written, tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("checked") / "run"
    shutil.copytree(written.run.folder, folder, ignore=shutil.ignore_patterns("report"))
    write_sanity(folder)
    return read(write_report(folder, written.run.store))


def test_every_method_has_its_verdict_with_interval_and_lines(checked: Page) -> None:
    assert "What is left when weights are taken away" in checked.words
    assert "0.80 [0.70, 0.90]" in checked.words
    assert "undefined in 2 of 3 comparisons: a map is the same everywhere" in checked.words
    lines = [e.attributes["aria-label"] for e in checked.all("svg") if e.attributes.get("class") == "course"]
    assert len(lines) == 2 * len(METHODS)
    assert "from the output to the input: 0.90, 0.80, 0.70; limit 0.50" in lines
    assert "from the output to the input: 0.40, undefined, 0.20; limit 0.50" in lines


def test_a_failing_method_is_stamped_wherever_it_is_listed_and_no_other_is(checked: Page) -> None:
    heads = [e.text for e in checked.all("th") if e.attributes.get("scope") == "row"]
    stamped = [text for text in heads if STAMP in text or "fails check" in text]
    listed = [text for text in heads if "Grad-CAM" in text]
    assert stamped
    assert all("Grad-CAM" in text for text in stamped)
    assert len(stamped) == len(listed) - 1  # in the check's own table the verdict says it


def test_what_could_not_be_judged_neither_passes_nor_fails(checked: Page) -> None:
    cells = {e.text.strip(): e.attributes.get("class") for e in checked.all("td")}
    assert cells["passes"] == "good"
    assert cells[STAMP] == "bad"
    assert cells[VERDICTS["saliency"][2]] == "warn"


def test_a_reason_that_holds_a_null_s_name_by_chance_stays_as_it_is(written: Written, tmp_path: Path) -> None:
    """'random' begins 'randomisation'."""
    folder = tmp_path / "run"
    shutil.copytree(written.run.folder, folder, ignore=shutil.ignore_patterns("report"))
    tables.EARNED.write(tables.EARNED.read(folder).assign(best_null="random", reason=STAMP), folder)
    page = read(write_report(folder, written.run.store))
    assert f"HiResCAM has not earned numeric claims about the object ({STAMP})" in page.words
    assert any(f"not earned: {STAMP}" in e.attributes["alt"] for e in page.all("img"))
    assert "mapisation" not in page.source


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        ("not earned: random does as well", "random map does as well"),
        ("not earned: edges, untrained not measured", "edges, untrained not measured"),
        ("fails the randomisation check", "fails the randomisation check"),
        ("6 usable scene seeds, 8 needed", "6 usable scene seeds, 8 needed"),
        ("", "no reason recorded"),
    ],
)
def test_only_a_null_that_does_as_well_is_called_by_its_name(recorded: str, said: str) -> None:
    assert words.why_not_earned(recorded) == said


@pytest.mark.parametrize("target", ["truth", "sensor:centre_left"])
def test_checked_are_maps_of_what_is_true_and_it_is_said_where_the_others_are_not(
    target: str, written: Written, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(written.run.folder, folder, ignore=shutil.ignore_patterns("report"))
    write_sanity(folder)
    with_target(folder, target)
    page = read(write_report(folder, written.run.store))
    assert "On 8 scenes at control, maps of the summed logits of the truly occupied cells" in page.words
    assert ("whatever the target of the maps above" in page.words) == (target != "truth")


def test_a_run_without_the_check_has_neither_section_nor_stamp(page: Page) -> None:
    assert "weights are taken away" not in page.words
    assert STAMP not in page.words
