"""Runs the page is written for: made once, read by many tests."""

from __future__ import annotations

import pytest
from drawn_run import make_pictures_run, make_run
from page_reading import Page, Written, read

from reports import write_report


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A run that found failures: 2 x 2 x 2 conditions with arms, 6 blocks, one scene rejected, one model skipped."""
    run = make_run(tmp_path_factory.mktemp("found"))
    path = write_report(run.folder, run.store)
    return Written(run, path, read(path))


@pytest.fixture(scope="session")
def page(written: Written) -> Page:
    return written.page


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A run over pictures without ground truth."""
    run = make_pictures_run(tmp_path_factory.mktemp("pictures"))
    path = write_report(run.folder, run.store)
    return Written(run, path, read(path))
