"""Every experiment, resolved, is what its snapshot says: a change that reaches an experiment is seen and meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.composition import compose, dump, groups

pytestmark = pytest.mark.usefixtures("read_once")

# what an experiment leaves to the user
GIVEN = {"paper_2019": ["design.pictures=pictures", "model.checkpoint=weights.safetensors"]}
EXPERIMENTS = sorted(groups()["experiment"])


@pytest.fixture
def golden(root: Path) -> Path:
    return root / "tests" / "golden" / "configs"


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_resolves_to_its_snapshot(experiment: str, golden: Path, request: pytest.FixtureRequest) -> None:
    """`make snapshots` rewrites them; the diff is then what changed for the user."""
    found = dump(compose([f"experiment={experiment}", *GIVEN.get(experiment, [])]))
    path = golden / f"{experiment}.yaml"
    if request.config.getoption("--update-snapshots"):
        path.write_text(found, "utf-8")
    assert path.is_file(), f"no snapshot of {experiment}: `make snapshots` writes it"
    assert path.read_text("utf-8") == found, f"{experiment} has changed: if that was meant, `make snapshots`"


def test_no_snapshot_is_left_of_an_experiment_that_is_gone(golden: Path) -> None:
    assert sorted(path.stem for path in golden.glob("*.yaml")) == EXPERIMENTS


def test_what_make_audit_runs_is_the_default_experiment() -> None:
    """`experiment=default` may be typed or left out."""
    assert compose() == compose(["experiment=default"])
    assert compose().experiment == "default"


def test_the_smoke_experiment_is_small_and_of_the_full_size_of_picture() -> None:
    """Under a minute: at most 100 scenes, but the pictures the network was made for."""
    smoke, default = compose(["experiment=smoke"]), compose()
    assert (list(smoke.models), list(smoke.designs)) == (["proximity"], ["tabletop"])
    design = smoke.designs["tabletop"]
    assert [len(levels) for levels in design.factors.values()] == [2, 2, 2]
    assert design.seeds == 8
    assert (design.samples, design.denoise) == (default.designs["tabletop"].samples, False)
    assert smoke.camera == default.camera
    assert smoke.renderer == default.renderer
