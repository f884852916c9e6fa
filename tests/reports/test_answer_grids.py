"""The 31 x 5 grid: every cell has its state, stands in its place, and is told by shape as well as colour."""

from __future__ import annotations

import re

import numpy as np

from reports.grids import CELL_HEIGHT, CELL_WIDTH, STATES, legend_cell, output_grid, states


def answers(**at: float) -> np.ndarray:
    """Probabilities that are 0 but at the named cells, `d3s2=.9` for distance 3 cm, sensor 2."""
    probability = np.zeros(155, dtype=np.float32)
    for name, value in at.items():
        d, s = re.fullmatch(r"d(\d+)s(\d)", name).groups()  # type: ignore[union-attr]
        probability[int(d) * 5 + int(s)] = value
    return probability


def test_a_cell_is_hit_miss_false_alarm_clear_or_unknown() -> None:
    label = np.zeros(155, dtype=np.int8)
    label[[0, 1]], label[[3, 4]] = 1, -1
    found = states(label, answers(d0s0=0.9, d0s2=0.9, d0s3=0.9), 0.5)
    assert found[:5].tolist() == ["hit", "miss", "alarm", "unknown-alarm", "unknown"]
    assert set(found[5:]) == {"clear"}


def test_the_threshold_itself_is_an_alarm() -> None:
    assert states(None, answers(d0s0=0.5), 0.5)[0] == "alarm"
    assert states(None, answers(d0s0=0.49), 0.5)[0] == "clear"


def test_near_is_at_the_foot_and_left_on_the_left() -> None:
    def place(**at: float) -> tuple[float, float]:
        grid = output_grid(np.zeros(155, dtype=np.int8), answers(**at), 0.5, 15)
        x, y = re.search(r'class="alarm" d="M(\d+) (\d+)', grid).groups()  # type: ignore[union-attr]
        return float(x), float(y)

    near_left, far_left, near_right = place(d0s0=1), place(d30s0=1), place(d0s4=1)
    assert near_left[1] - far_left[1] == 30 * CELL_HEIGHT
    assert near_right[0] - near_left[0] == 4 * CELL_WIDTH


def test_the_label_counts_what_is_drawn() -> None:
    label = np.zeros(155, dtype=np.int8)
    label[:10], label[150:] = 1, -1
    grid = output_grid(label, answers(d0s0=1, d9s3=1), 0.5, 15)
    assert "1 hits, 9 misses, 1 false alarms, 139 clear, 5 unknown" in grid


def test_without_truth_nothing_is_called_hit_or_miss() -> None:
    grid = output_grid(None, answers(d0s0=1), 0.5, 15)
    assert "1 of 155 cells predicted occupied; no truth to compare with" in grid
    assert 'class="hit"' not in grid
    assert 'class="miss"' not in grid


def test_no_two_states_share_a_shape() -> None:
    shapes = {re.sub(r'class="[^"]*"', "", legend_cell(s)) for s in STATES}
    plain = {"hit", "clear", "unknown"}  # filled boxes: dark, pale and hatched
    assert len(shapes) == len(STATES) - len(plain) + 1
