"""The effects table: contrasts of one measure with interval, test and excess, before the criterion is applied.

Numbers are means over objects (audit.analysis.objects); a design without the factor object is one object. Families:
single levels and pairs of levels, by false discovery rate; pairs of a level with one object, by step-down, since their
few blocks allow no p that a false discovery rate over all of them would let pass (audit.analysis.significance).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audit.analysis.conditions import bounds
from audit.analysis.contrasts import Contrast, contrasts, paired
from audit.analysis.intervals import Intervals
from audit.analysis.layout import Floats, Layout
from audit.analysis.measurement import Grid, Measure
from audit.analysis.objects import mean_over_objects, over_objects
from audit.analysis.points import LEAST_POINTS, Spreads, are_known, widened, with_points
from audit.analysis.recipe import ModelFacts
from audit.analysis.significance import NO_TEST, Test, exceeds_over_objects, false_discovery, step_down
from audit.metrics.specs import SPECS

ONE_POSE = "no object with two usable poses"
FEW_POINTS = f"fewer than {LEAST_POINTS} points to a side"


@dataclass(frozen=True)
class Effect:
    """One contrast of one measure; numbers as in audit.tables.EFFECTS, where positive effects are worse.

    by_block (B,): the block's paired difference, positive = worse. excess_q: of 'together worse than the sum of each
    alone', or 'worse on this object than on the others', over all pairs; NaN for singles. reason: why the criterion was
    not applied. objects, absent: of the objects the contrast is on, those with a usable block, and those without.
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
    objects: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

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
    """Every single and pair of one measure. With a `reason`, nothing is tested."""
    sign = 1.0 if SPECS[measure.metric].direction == "lower_is_better" else -1.0
    found = {c: paired(grid.values, layout, c) for c in contrasts(layout)}
    found = {c: p for c, p in found.items() if p.rendered.any()}
    if not found:
        return []
    worse = {c: sign * p.difference for c, p in found.items()}
    excess = np.stack([sign * p.excess for p in found.values()])
    width = bounds(measure.metric)[1] - bounds(measure.metric)[0]
    rows, objects = np.stack(list(worse.values())), layout.object_of
    own = [None if c.object is None else layout.objects.index(c.object) for c in found]
    main = over_objects(rows, objects, (-width, width), is_difference=True)
    simple = over_objects(np.stack([sign * p.simple for p in found.values()]), objects, (-width, width), True)
    over = over_objects(excess, objects, (-2 * width, 2 * width), True, own)
    by_points, over_by_points = [p.by_points for p in found.values()], [p.excess_by_points for p in found.values()]
    if layout.sampled is not None and layout.sampled.is_shared:
        main = widened(main, by_points, (-width, width))
        over = widened(over, over_by_points, (-2 * width, 2 * width))
    few = (_too_few(int(n), min_blocks, layout) for n in main.usable)
    reasons = [reason or why or ("" if are_known(s) else FEW_POINTS) for why, s in zip(few, by_points, strict=True)]
    tests = _tested(rows, reasons, margin, layout, width, [None] * len(rows), by_points)
    more = _tested(excess, reasons, 0.0, layout, 2 * width, own, over_by_points)
    on_one = own if len(layout.objects) != 1 else [0] * len(rows)  # a lone object is what every contrast is on
    q, excess_q = _corrected(rows, tests, margin, layout, on_one), false_discovery(np.array([test.p for test in more]))
    return [
        Effect(
            measure=measure,
            contrast=contrast,
            control=contrast.control(layout),
            level_mean=mean_over_objects(pair.level, objects),
            control_mean=mean_over_objects(pair.control, objects),
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
            reason=reasons[i] or (ONE_POSE if tests[i].name == "none" else ""),
            **_objects(contrast, rows[i], layout),
        )
        for i, (contrast, pair) in enumerate(found.items())
    ]


def _tested(
    rows: Floats,
    reasons: Sequence[str],
    margin: float,
    layout: Layout,
    reach: float,
    own: Sequence[int | None],
    by_points: Sequence[Spreads],
) -> list[Test]:
    """The tests of rows (K, B); a row with a reason not to be judged is not tested and does not count."""
    of, tests = layout.object_of, []
    for row, why, against, spreads in zip(rows, reasons, own, by_points, strict=True):
        over_blocks = NO_TEST if why else exceeds_over_objects(row, margin, of, (-reach, reach), against)
        tests.append(with_points(over_blocks, row, margin, of, against, spreads))
    return tests


def _corrected(rows: Floats, tests: Sequence[Test], margin: float, layout: Layout, own: Sequence[int | None]) -> Floats:
    """q (K,) of the tests of rows (K, B): of those on one object family-wise, of the others by false discovery."""
    p = np.array([test.p for test in tests])
    is_single = np.array([o is not None for o in own])
    q = false_discovery(np.where(is_single, np.nan, p))
    joint = np.flatnonzero(is_single & np.isfinite(p))
    if len(joint):
        of = np.array([o for o in own if o is not None], dtype=np.int64)[np.isfinite(p[is_single])]
        q[joint] = np.maximum(step_down(rows[joint], margin, layout.object_of, of), p[joint])
    return q


def _objects(contrast: Contrast, row: Floats, layout: Layout) -> dict[str, tuple[str, ...]]:
    asked = layout.objects if contrast.object is None else (contrast.object,)
    seen = {layout.objects[o] for o in np.unique(layout.object_of[np.isfinite(row)])} if layout.objects else set()
    return {
        "objects": tuple(o for o in asked if o in seen),
        "absent": tuple(o for o in asked if o not in seen),
    }


def _too_few(usable: int, least: int, layout: Layout) -> str:
    return "" if usable >= least else f"{usable} usable {layout.unit}, {least} needed"


def _row(intervals: Intervals, i: int) -> tuple[float, float, float]:
    return float(intervals.mean[i]), float(intervals.low[i]), float(intervals.high[i])
