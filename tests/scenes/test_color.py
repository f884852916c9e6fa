"""Colour: CIEDE2000 against published pairs, and colours at a stated difference."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000

from scenes import color

# Sharma, Wu, Dalal 2005, table 1: pairs 1, 7, 17 and 25
PAIRS = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
]


@pytest.mark.parametrize(("a", "b", "expected"), PAIRS)
def test_the_difference_is_the_published_one(a: tuple, b: tuple, expected: float) -> None:
    assert float(deltaE_ciede2000(np.array(a), np.array(b))) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("difference", [0.0, 6.0, 26.0])
def test_a_colour_at_a_difference_lies_at_that_difference(difference: float) -> None:
    base = (0.3, 0.3, 0.3)
    found = color.at_difference(base, difference, hue=90.0, lift=0.3)
    assert found is not None
    assert float(color.delta_e(base, found)) == pytest.approx(difference, abs=0.1)


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_colour_that_forty_halvings_one_by_one_would_find(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base, difference = color.draw_floor_color(rng), rng.uniform(2, 40)
    hue, lift = rng.uniform(0, 360), rng.uniform(-0.7, 0.7)
    start, side = color.to_lab(base), np.sqrt(1 - lift**2)
    step = np.array([lift, side * np.cos(np.radians(hue)), side * np.sin(np.radians(hue))])
    low, high = 0.0, color.FARTHEST
    for _ in range(40):
        middle = (low + high) / 2
        if float(deltaE_ciede2000(start, start + middle * step)) < difference:
            low = middle
        else:
            high = middle
    expected = color.from_lab(tuple(start + high * step))
    found = color.at_difference(base, difference, hue, lift)
    assert found == pytest.approx(expected, abs=1e-12) if expected is not None else found is None


def test_outside_the_gamut_there_is_no_colour() -> None:
    assert color.at_difference((0.2, 0.2, 0.2), 120.0, hue=0.0, lift=0.0) is None


def test_encoding_and_decoding_undo_each_other() -> None:
    values = np.linspace(0, 1, 101)
    assert color.srgb_decode(color.srgb_encode(values)) == pytest.approx(values, abs=1e-9)
    assert float(color.srgb_encode(np.array(0.5))) == pytest.approx(0.735357, abs=1e-5)
