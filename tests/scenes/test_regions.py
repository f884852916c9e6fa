"""Regions: every pixel is shared out once, and what covers the floor counts in a fixed order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.metrics.regions import REGIONS
from scenes.store import TRUTH, Render

SIZE = (6, 7)


def a_render(kind: np.ndarray, **covers: np.ndarray) -> Render:
    """kind (H, W): 0 background, 1 floor, 2 object, 3 distractor; covers: strengths by name, else none."""
    names = ("background", "floor", "object", "distractors")
    fields = {name: (kind == i).astype(np.float32) for i, name in enumerate(names)}
    none = np.zeros(kind.shape, dtype=np.float32)
    strengths = {name: covers.get(name, none).astype(np.float32) * fields["floor"] for name in TRUTH}
    rgb, albedo = np.zeros((*kind.shape, 3), dtype=np.uint8), np.zeros((2, 3), dtype=np.float32)
    return Render(rgb=rgb, depth=none, albedo=albedo, **fields, **strengths)


@given(st.integers(0, 2**32 - 1))
def test_the_regions_share_every_pixel_out_whatever_covers_the_floor(seed: int) -> None:
    rng = np.random.default_rng(seed)
    covers = {name: rng.choice([0.0, 0.3, 1.0], SIZE) * rng.random(SIZE) ** rng.integers(0, 2) for name in TRUTH}
    regions = a_render(rng.integers(0, 4, SIZE), **covers).regions()
    assert regions.shape == (len(REGIONS), *SIZE)
    assert regions.min() >= 0
    assert regions.sum(axis=0) == pytest.approx(np.ones(SIZE), abs=1e-6)


def test_what_covers_the_floor_takes_its_share_of_what_is_left() -> None:
    """Half of the floor to the object's shadow, a quarter to the distractors', and so on."""
    half = {name: np.full((1, 1), 0.5) for name in TRUTH}
    found = dict(zip(REGIONS, a_render(np.ones((1, 1)), **half).regions()[:, 0, 0].tolist(), strict=True))
    assert found == {
        "object": 0,
        "cast_shadow": 0.5,
        "distractors": 0.25,
        "outside_shadow": 0.125,
        "reflection": 0.0625,
        "floor": 0.0625,
        "background": 0,
    }


@pytest.mark.parametrize(("kind", "region"), [(0, "background"), (1, "floor"), (2, "object"), (3, "distractors")])
def test_off_the_floor_a_pixel_is_one_region_s(kind: int, region: str) -> None:
    covers = {} if kind == 1 else {name: np.ones((1, 1)) for name in TRUTH}
    regions = a_render(np.full((1, 1), kind), **covers).regions()[:, 0, 0]
    assert regions[REGIONS.index(region)] == 1
    assert regions.sum() == 1
