"""ROC-AUC of the proximity task: per cell with intervals, and pooled over cells.

AUC is the share of (positive, negative) pairs of scenes that the probability puts in the right order, ties counting
half. Pairs are formed within a cell only: a near cell's higher base rate must not pass for discrimination.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from audit.metrics.arrays import Doubles, Floats, Integers, Mask
from audit.metrics.cells import DISTANCES, SENSORS

LEVEL_Z = 1.959963984540054  # two-sided 95 %


def auc(probability: Floats, label: Integers, in_view: Mask | None = None) -> float:
    """Cell-stratified concordance: sum of U over sum of n1 * n0 over the cells; NaN where no cell has both classes.

    probability, label, in_view: (N, K); label 1, 0, -1 = unknown; cells out of view are left out where in_view is
    given. Range [0, 1], chance .5.
    """
    known = _known(label, in_view)
    total, pairs = 0.0, 0.0
    for cell in range(probability.shape[1]):
        rows = known[:, cell]
        one = np.ones((1, int(rows.sum())))
        u, n1, n0 = _pairs(probability[rows, cell], label[rows, cell] == 1, one)
        total += float(u[0])
        pairs += float(n1[0] * n0[0])
    return total / pairs if pairs > 0 else float("nan")


def auc_table(
    probability: Floats,
    label: Integers,
    in_view: Mask | None = None,
    rounds: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """ROC-AUC per distance and sensor: 155 rows, distance-major.

    Columns: distance_cm, sensor, auc, ci_low, ci_high, interval, n1, n0, in_view, undefined_reason. All known cells
    count; in_view is the share of scenes in which the cell lies inside the picture (1 where in_view is not given), to
    be shown beside the value. The interval is the 95 % percentile bootstrap over scenes, one draw of scenes for all
    cells; where that has no width (perfect order) it is Newcombe's score interval, and `interval` says which.
    """
    n = len(probability)
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=rounds) if n else np.zeros((rounds, 0))
    known = _known(label, None)
    rows = []
    for cell in range(DISTANCES * len(SENSORS)):
        kept = known[:, cell]
        facts = _cell(probability[kept, cell], label[kept, cell] == 1, draws[:, kept].astype(np.float64))
        seen = 1.0 if in_view is None or n == 0 else float(in_view[:, cell].mean())
        place = {"distance_cm": cell // len(SENSORS), "sensor": SENSORS[cell % len(SENSORS)]}
        rows.append({**place, **facts, "in_view": seen})
    columns = ["distance_cm", "sensor", "auc", "ci_low", "ci_high", "interval", "n1", "n0", "in_view"]
    return pd.DataFrame(rows)[[*columns, "undefined_reason"]]


def newcombe(area: float, n1: int, n0: int) -> tuple[float, float]:
    """95 % score interval of an AUC (Newcombe, Statistics in Medicine 25, 2006, method 5): never of width 0."""
    half = (n1 + n0) / 2 - 1

    def excess(theta: float) -> float:
        spread = 1 + half * (1 - theta) / (2 - theta) + half * theta / (1 + theta)
        return (theta - area) ** 2 - LEVEL_Z**2 * theta * (1 - theta) * spread / (n1 * n0)

    low = 0.0 if area <= 0 else float(brentq(excess, 0.0, area)) if area < 1 else float(brentq(excess, 0.0, 1 - 1e-12))
    high = 1.0 if area >= 1 else float(brentq(excess, area, 1.0)) if area > 0 else float(brentq(excess, 1e-12, 1.0))
    return low, high


def _cell(p: Floats, positive: Mask, draws: Doubles) -> dict[str, object]:
    u, n1, n0 = _pairs(p, positive, np.ones((1, len(p))))
    counts = {"n1": int(n1[0]), "n0": int(n0[0])}
    if not n1[0] * n0[0]:
        nothing = {"auc": np.nan, "ci_low": np.nan, "ci_high": np.nan, "interval": "none"}
        return {**nothing, **counts, "undefined_reason": "one_class"}
    area = float(u[0] / (n1[0] * n0[0]))
    u, drawn1, drawn0 = _pairs(p, positive, draws)
    usable = drawn1 * drawn0 > 0
    areas = u[usable] / (drawn1 * drawn0)[usable]
    low, high = (float(q) for q in np.quantile(areas, [0.025, 0.975])) if usable.any() else (area, area)
    interval = "bootstrap"
    if high - low <= 0:
        (low, high), interval = newcombe(area, counts["n1"], counts["n0"]), "newcombe"
    facts = {"auc": area, "ci_low": low, "ci_high": high, "interval": interval}
    return {**facts, **counts, "undefined_reason": ""}


def _pairs(p: Floats, positive: Mask, weight: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Concordant pairs U, positives and negatives, for R weightings (R, n) of the scenes at once; each (R,)."""
    if len(p) == 0:
        zero = np.zeros(len(weight))
        return zero, zero, zero
    order = np.argsort(p, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(p[order]) != 0])  # first of each group of equal probabilities
    weight, positive = weight[:, order], positive[order]
    ones = np.add.reduceat(weight * positive, starts, axis=1)
    zeros = np.add.reduceat(weight * ~positive, starts, axis=1)
    below = np.cumsum(zeros, axis=1) - zeros
    u = (ones * (below + 0.5 * zeros)).sum(axis=1)
    return u, ones.sum(axis=1), zeros.sum(axis=1)


def _known(label: Integers, in_view: Mask | None) -> Mask:
    known: Mask = label >= 0
    return known if in_view is None else known & in_view
