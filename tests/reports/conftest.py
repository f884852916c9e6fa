"""Runs the page is written for: made once, read by many tests."""

from __future__ import annotations

import pytest
from drawn_run import make_both_run, make_pictures_of_classes, make_pictures_run, make_run, make_studio_run
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


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A classifier that some levels mislead, in the studio alone."""
    run = make_studio_run(tmp_path_factory.mktemp("studio"))
    path = write_report(run.folder, run.store)
    return Written(run, path, read(path))


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A proximity network on the tabletop and a classifier in the studio, in one run."""
    run = make_both_run(tmp_path_factory.mktemp("both"))
    path = write_report(run.folder, run.store)
    return Written(run, path, read(path))


@pytest.fixture(scope="session")
def pictures_of_classes(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A classifier over pictures without ground truth."""
    run = make_pictures_of_classes(tmp_path_factory.mktemp("classes"))
    path = write_report(run.folder, run.store)
    return Written(run, path, read(path))


@pytest.fixture(scope="session")
def every_page(
    written: Written, pictures: Written, studio: Written, both: Written, pictures_of_classes: Written
) -> list[Written]:
    """A page of each kind."""
    return [written, pictures, studio, both, pictures_of_classes]
