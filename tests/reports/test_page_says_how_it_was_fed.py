"""The page says whether another preprocessing does better, on its first screen and in a section of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from drawn_scores import MODEL
from page_reading import Page, Written, read

from audit.tables import PREPROCESSING
from reports import write_report


def row(variant: str, **changes: object) -> dict[str, object]:
    numbers = {"flipped": 0.17, "mean": 0.82, "difference": 0.21, "ci_low": 0.13, "ci_high": 0.3, "p": 0.001}
    flags = {"is_judge": True, "is_better": False, "is_worse": False, "is_best": False}
    words = {"model": MODEL, "variant": variant, "pictures": "rendered", "metric": "cell_order", "reason": ""}
    return {**words, **numbers, **flags, "scenes": 96, "blocks": 17, "setting": f"preprocessing.{variant}", **changes}


def page_of(written: Written, folder: Path, rows: list[dict[str, object]]) -> Page:
    shutil.copytree(written.run.folder, folder, ignore=shutil.ignore_patterns("report"))
    PREPROCESSING.write(pd.DataFrame(rows), folder)
    return read(write_report(folder, written.run.store))


OWN = row("configured", difference=0.0, ci_low=0.0, ci_high=0.0, flipped=0.0, setting="")


def test_a_better_feeding_is_a_warning_on_the_first_screen(written: Written, tmp_path: Path) -> None:
    bgr = row("channels=bgr", pictures="warm", is_better=True, is_best=True)
    page = page_of(written, tmp_path / "run", [OWN, bgr])
    found = f"{MODEL} does better fed otherwise than configured: with models.{MODEL}.preprocessing.channels=bgr"
    assert page.words.count(found) == 2
    assert page.words.index("Preprocessing: " + found) < page.words.index("Is it fed what it was trained on?")
    assert "+21 pp [13, 30], and 17 % of its decisions flip." in page.words.replace("\u00a0", " ")
    assert "as a lamp of 5000 K would light it" in page.words


@pytest.mark.parametrize(
    ("is_worse", "sentence"),
    [
        (True, f"{MODEL} is fed best as configured: all 1 other ways to feed it do worse."),
        (False, f"Nothing is shown to feed {MODEL} better than configured: no difference is shown for red and blue"),
    ],
)
def test_a_network_that_is_fed_right_is_told_so_and_warned_of_nothing(
    is_worse: bool, sentence: str, written: Written, tmp_path: Path
) -> None:
    numbers = {"difference": -0.2, "ci_low": -0.3, "ci_high": -0.1}
    kernels = row(
        "resize", flipped=float("nan"), mean=float("nan"), scenes=0, reason="nothing is resized", is_judge=False
    )
    rows = [{**OWN, "is_best": True}, row("channels=bgr", is_worse=is_worse, **numbers), kernels]
    page = page_of(written, tmp_path / "run", rows)
    assert sentence in page.words
    assert "nothing is resized" in page.words
    assert "Preprocessing: " not in page.words.partition("Findings")[0]


def test_a_run_without_the_audit_says_so(written: Written) -> None:
    assert f"{MODEL} was not fed otherwise in this run." in written.page.words
