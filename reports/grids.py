"""The network's 31 x 5 answers as a small grid: distances upwards from near to far, sensors from left to right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from markupsafe import Markup

SENSORS = 5
CELL_WIDTH, CELL_HEIGHT = 14, 6
_LEFT, _TOP, _RIGHT, _BOTTOM = 24, 5, 4, 15
STATES: Mapping[str, str] = {  # state -> what it is called in the legend
    "hit": "hit: obstacle, predicted",
    "miss": "miss: obstacle, not predicted",
    "alarm": "false alarm: predicted, no obstacle",
    "clear": "clear: none, none predicted",
    "unknown": "truth unknown (robot already touches)",
    "unknown-alarm": "truth unknown, predicted",
}


def states(label: np.ndarray | None, probability: np.ndarray, threshold: float) -> np.ndarray:
    """(155,) int8 truth {1, 0, -1} or None, (155,) probabilities -> (155,) names of STATES; without truth the
    predicted cells are 'alarm' and the others 'clear'."""
    predicted = probability >= threshold
    if label is None:
        return np.where(predicted, "alarm", "clear")
    names = np.where(predicted, "alarm", "clear").astype(object)
    names[label == 1] = np.where(predicted, "hit", "miss")[label == 1]
    names[label == -1] = np.where(predicted, "unknown-alarm", "unknown")[label == -1]
    return names.astype(str)


def output_grid(label: np.ndarray | None, probability: np.ndarray, threshold: float, horizon: int) -> Markup:
    """Predicted against true answers of one scene, near at the foot as in the picture beside it."""
    names = states(label, probability, threshold)
    rows = len(names) // SENSORS
    width, height = _LEFT + SENSORS * CELL_WIDTH + _RIGHT, _TOP + rows * CELL_HEIGHT + _BOTTOM
    parts = [_layer(state, np.flatnonzero(names == state), rows) for state in STATES]
    if label is None:
        parts = [_probability_layers(probability, rows), _layer("outline", np.flatnonzero(names == "alarm"), rows)]
    return _svg(width, height, _counts(names, label is not None), "".join(parts) + _axes(rows, horizon))


def legend_cell(state: str) -> Markup:
    """One cell of the grid, for its legend."""
    mark = _layer(state, np.array([0]), 1)
    box = f"{_LEFT - 1} {_TOP - 1} {CELL_WIDTH + 1} {CELL_HEIGHT + 1}"
    size = f'width="{2 * CELL_WIDTH}" height="{2 * CELL_HEIGHT}"'
    return Markup(f'<svg class="grid key" {size} viewBox="{box}" aria-hidden="true">{mark}</svg>')


def _layer(state: str, cells: np.ndarray, rows: int) -> str:
    """All cells of one state as one path; shape as well as colour tells the state."""
    if not len(cells):
        return ""
    w, h = CELL_WIDTH - 1, CELL_HEIGHT - 1
    box = f"h{w}v{h}h-{w}z"
    inset = f"m.5 .5h{w - 1}v{h - 1}h-{w - 1}z"
    marks = {
        "hit": [("hit", box)],
        "miss": [("miss", inset), ("miss-cross", f"m1 .5l{w - 2} {h - 1}m0 -{h - 1}l-{w - 2} {h - 1}")],
        "alarm": [("alarm", box), ("alarm-hole", f"m3 {h / 2}h{w - 6}")],
        "clear": [("clear", box)],
        "unknown": [("unknown", box)],
        "unknown-alarm": [("unknown", box), ("unknown-dot", f"m{w / 2 - 2} 1h4v{h - 2}h-4z")],
        "outline": [("outline", inset)],
    }
    at = [(_LEFT + (c % SENSORS) * CELL_WIDTH, _TOP + (rows - 1 - c // SENSORS) * CELL_HEIGHT) for c in cells.tolist()]
    return "".join(f'<path class="{k}" d="{"".join(f"M{x} {y}{shape}" for x, y in at)}"/>' for k, shape in marks[state])


def _probability_layers(probability: np.ndarray, rows: int) -> str:
    """Shades in five steps of probability, for pictures without truth."""
    step = np.minimum((probability * 5).astype(int), 4)
    layers = (_layer("clear", np.flatnonzero(step == s), rows).replace('"clear"', f'"p{s}"') for s in range(5))
    return "".join(layers)


def _axes(rows: int, horizon: int) -> str:
    foot = _TOP + rows * CELL_HEIGHT
    right = _LEFT + SENSORS * CELL_WIDTH
    ticks = [d for d in (0, 10, 20, 30) if d < rows]
    labels = "".join(f'<text x="{_LEFT - 4}" y="{foot - d * CELL_HEIGHT}" text-anchor="end">{d}</text>' for d in ticks)
    edge = foot - (horizon + 1) * CELL_HEIGHT - 0.5
    line = f'<path class="horizon" d="M{_LEFT - 16} {edge}H{right}"/>' if horizon + 1 < rows else ""
    sides = f'<text x="{_LEFT}" y="{foot + 10}">left</text>'
    sides += f'<text x="{right}" y="{foot + 10}" text-anchor="end">right</text>'
    return labels + line + sides + f'<text x="2" y="{foot + 10}">cm</text>'


def _counts(names: np.ndarray, has_truth: bool) -> str:
    found = Counter(names.tolist())
    if not has_truth:
        return f"{found['alarm']} of {len(names)} cells predicted occupied; no truth to compare with"
    unknown = found["unknown"] + found["unknown-alarm"]
    return (
        f"predicted against true: {found['hit']} hits, {found['miss']} misses, {found['alarm']} false alarms, "
        f"{found['clear']} clear, {unknown} unknown"
    )


def _svg(width: int, height: int, label: str, body: str) -> Markup:
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return Markup(f'<svg class="grid" {size} role="img" aria-label="{label}">{body}</svg>')
