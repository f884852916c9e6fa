"""One small audit for all tests of regression runs; its scenes are rendered once."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest
from small_regression import DESIGN, CopyingAuditor, Suite, suite

from audit import cli


@pytest.fixture(scope="session")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("bpy", reason="bpy is not installed: rendering needs Python 3.11")
    return tmp_path_factory.mktemp("regression") / "store"


@pytest.fixture(scope="session")
def small_run(small_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the small suite, with the weights that are shipped."""
    outputs = tmp_path_factory.mktemp("kept")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        code = cli.main(["run", *DESIGN, f"paths.store={small_store}", f"paths.outputs={outputs}"])
    assert code == 0, said.getvalue()
    return (outputs / "latest").resolve()


@pytest.fixture
def auditor(small_run: Path) -> CopyingAuditor:
    return CopyingAuditor(small_run)


@pytest.fixture
def small_suite(auditor: CopyingAuditor, tmp_path: Path, read_once: None) -> Suite:
    """The small suite in an empty folder, with an auditor that copies."""
    return suite(auditor, tmp_path)
