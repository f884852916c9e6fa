"""What every test shares: one thread per library, and the flag that rewrites configuration snapshots."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before numpy and torch are loaded
    os.environ.setdefault(_variable, "1")

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="rewrite tests/golden/configs")


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return ROOT


_read: dict[str, Any] = {}  # what was chosen of each group -> the composed configuration


@pytest.fixture
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Composing takes a fifth of a second, nearly all of it reading files: each choice of ours is read once."""
    from audit import composition

    compose = composition._composed

    def once(selected: Mapping[str, Sequence[str]], config_dir: Path | None) -> Any:
        if config_dir is not None:
            return compose(selected, config_dir)
        key = repr(sorted(selected.items()))
        if key not in _read:
            _read[key] = compose(selected, None)
        return copy.deepcopy(_read[key])

    monkeypatch.setattr(composition, "_composed", once)
