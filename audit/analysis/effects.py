"""The effects table: contrasts of one measure with interval, test and excess, before the criterion is applied."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audit.analysis.conditions import bounds
from audit.analysis.contrasts import Contrast, contrasts, paired
from audit.analysis.intervals import Intervals, mean_intervals
from audit.analysis.layout import Floats, Layout
from audit.analysis.measurement import Grid, Measure
from audit.analysis.recipe import ModelFacts
from audit.analysis.significance import NO_TEST, Test, exceeds, false_discovery
from audit.metrics.specs import SPECS


@dataclass(frozen=True)
class Effect:
    """One contrast of one measure; numbers as in audit.tables.EFFECTS, where positive effects are worse.

    by_block (B,): the block's paired difference, positive = worse. excess_q: of 'together worse than the sum of each
    alone', over the pairs of the family; NaN for singles. reason: why the criterion was not applied.
    """

    measure: Measure
    contrast: Contrast
    control: str
    level_mean: float
    control_mean: float
    effect: tuple[float, float, float]  # mean, low, high
    simple: tuple[float, float, float]
    excess: tuple[float, float, float]
    excess_q: float
    by_block: Floats
    margin: float
    test: Test
    q: float
    n: int
    usable: int
    in_recipe: bool
    reason: str

    @property
    def finding_id(self) -> str:
        return finding_id(self.measure, self.contrast)


def finding_id(measure: Measure, contrast: Contrast) -> str:
    """F- and eight hex digits of the hash of model name, metric and sorted levels: the same for every checkpoint."""
    text = "|".join([measure.model, measure.metric, *(f"{f}={level}" for f, level in contrast.levels)])
    return f"F-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def effects(
    measure: Measure, grid: Grid, layout: Layout, facts: ModelFacts, margin: float, min_blocks: int, reason: str = ""
) -> list[Effect]:
    """Every single and pair of one measure: one family of tests. With a `reason`, nothing is tested."""
    sign = 1.0 if SPECS[measure.metric].direction == "lower_is_better" else -1.0
    found = {c: paired(grid.values, layout, c) for c in contrasts(layout)}
    found = {c: p for c, p in found.items() if p.rendered.any()}  # designs need not cross every pair
    if not found:
        return []
    worse = {c: sign * p.difference for c, p in found.items()}
    excess = np.stack([sign * p.excess for p in found.values()])
    width = bounds(measure.metric)[1] - bounds(measure.metric)[0]
    main = mean_intervals(np.stack(list(worse.values())), (-width, width), is_difference=True)
    simple = mean_intervals(np.stack([sign * p.simple for p in found.values()]), (-width, width), is_difference=True)
    over = mean_intervals(excess, (-2 * width, 2 * width), is_difference=True)
    reasons = [reason or _too_few(int(n), min_blocks) for n in main.usable]
    tests, q = _tested(list(worse.values()), reasons, margin)
    _, excess_q = _tested(list(excess), reasons, 0.0)
    return [
        Effect(
            measure=measure,
            contrast=contrast,
            control=contrast.control(layout),
            level_mean=_mean(pair.level),
            control_mean=_mean(pair.control),
            effect=_row(main, i),
            simple=_row(simple, i),
            excess=_row(over, i),
            excess_q=float(excess_q[i]),
            by_block=worse[contrast],
            margin=margin,
            test=tests[i],
            q=float(q[i]),
            n=int(pair.rendered.sum()),
            usable=int(main.usable[i]),
            in_recipe=facts.covers(contrast.levels),
            reason=reasons[i],
        )
        for i, (contrast, pair) in enumerate(found.items())
    ]


def _tested(rows: Sequence[Floats], reasons: Sequence[str], margin: float) -> tuple[list[Test], Floats]:
    """The tests of a family, and their q; a row with a reason not to be judged is not tested and does not count."""
    tests = [NO_TEST if why else exceeds(row, margin) for row, why in zip(rows, reasons, strict=True)]
    return tests, false_discovery(np.array([test.p for test in tests]))


def _too_few(usable: int, least: int) -> str:
    return "" if usable >= least else f"{usable} usable scene seeds, {least} needed"


def _mean(values: Floats) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _row(intervals: Intervals, i: int) -> tuple[float, float, float]:
    return float(intervals.mean[i]), float(intervals.low[i]), float(intervals.high[i])
