"""The page of a run that is not the first of its kind shows what the gates did over the checkpoints before it."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest
from drawn_history import drawn_step, drawn_values
from drawn_scores import MODEL
from page_reading import Page, Written, read

from audit.tables import HISTORY, STEPS
from reports import write_report

NAMES = ["first", "second", "third"]
ENDS_FAILING = {"light=back": [False, False, True]}


@pytest.fixture(scope="module")
def later(written: Written, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The third checkpoint, under which one condition begins to fail."""
    folder = tmp_path_factory.mktemp("later") / "run"
    shutil.copytree(written.run.folder, folder, ignore=shutil.ignore_patterns("report"))
    values = drawn_values(NAMES, fall=0.05, fails=ENDS_FAILING, model=MODEL)
    HISTORY.write(values[list(HISTORY.columns)], folder, csv=True)
    STEPS.write(pd.DataFrame([drawn_step(1, 0.3, 0.25, model=MODEL)]), folder, csv=True)
    return read(write_report(folder, written.run.store))


def charts(page: Page) -> list[str]:
    return [e.attributes["aria-label"] for e in page.elements if "trend" in e.attributes.get("class", "").split()]


def test_it_draws_the_required_gates_and_the_conditions_that_fail_at_one_of_them(later: Page) -> None:
    drawn = [label.partition(":")[0] for label in charts(later)]
    assert drawn == [
        "Missed sensors",
        "Brier score",
        "What the object adds",
        "Missed sensors under light=back",
    ]
    assert "third" in later.words
    assert "Over checkpoints" in later.words


def test_a_step_is_marked_and_said(later: Page) -> None:
    assert "step after first: −5\u00a0pp, better" in later.text


def test_the_contents_lead_to_it(later: Page) -> None:
    links = {e.attributes.get("href") for e in later.elements if e.tag == "a"}
    ids = {e.attributes.get("id") for e in later.elements}
    assert "#checkpoints" in links
    assert "checkpoints" in ids


def test_the_first_run_of_its_kind_says_nothing_of_it(page: Page) -> None:
    assert "Over checkpoints" not in page.words
    assert charts(page) == []
