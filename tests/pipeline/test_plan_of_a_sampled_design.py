"""What `plan` says of a sampled design before anything is rendered."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from audit import estimate
from audit.composition import compose

pytestmark = pytest.mark.usefixtures("read_once")


def planned(monkeypatch: pytest.MonkeyPatch, store: Path, *typed: str) -> list[str]:
    loaded = SimpleNamespace(scene_sets=("tabletop",), adapters={"proximity": None})
    monkeypatch.setattr(estimate, "load_models", lambda config: loaded)
    given = ["design=tabletop_sampled", "model=proximity", "design.seeds=2", f"paths.store={store}"]
    return estimate.plan(compose([*given, *typed]))


def test_it_counts_the_points_of_every_scene_seed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shared = planned(monkeypatch, tmp_path, "design.own_points=false")
    own = planned(monkeypatch, tmp_path)
    assert shared[0] == "design      tabletop_sampled: 67 conditions, 134 cells"
    assert own[0] == "design      tabletop_sampled: 131 conditions, 134 cells"


def test_it_names_the_factors_that_too_few_points_tie_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    few = planned(monkeypatch, tmp_path, "design.own_points=false", "design.points=32")
    line = "points      too few to tell apart color_difference and field_of_view; take more, design.points=64"
    assert line in few
    assert not any("tell apart" in line for line in planned(monkeypatch, tmp_path, "design.points=32"))
    assert not any("tell apart" in line for line in planned(monkeypatch, tmp_path, "design.own_points=false"))
