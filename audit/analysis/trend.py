"""Gates over checkpoints: each gate's course, and the steps in it.

A step is looked for with PELT (Killick et al., 2012; `ruptures`), which finds the partition of the series into
stretches of one level that costs least. What was chosen, and why:
- Cost: squared distance from the stretch's weighted mean, each checkpoint weighted by 1 / error^2, its error from its
  own interval. So the cost has no unit, and a checkpoint with few usable blocks pulls less.
- Penalty per step: 2 ln(n) + 3 for n checkpoints. The more places a step may have, the farther chance gets, hence the
  logarithm; the constant was set by simulation: of series of noise as large as the errors say, at most 5 % show a step,
  from 8 checkpoints to 100. A step of 3 standard errors is found in most, at the right place or one beside it.
- One checkpoint alone is no step: a stretch has at least 2, and a value that lies beyond both its neighbours by more
  than 3 errors of the difference counts as the nearer of them. So a step is told once a second checkpoint bears it out.
- Below 8 checkpoints nothing is looked for: a step would have to be as long as the series.
- Checkpoints are audited on the same scenes, so what the draw of scenes adds is common to all of them and steps are
  rather missed than made up. On the other hand training anew moves a gate by more than scenes explain. Where
  neighbours differ clearly more than their errors allow, the errors are raised to what the neighbours show: a gate that
  jumps with each checkpoint has no steps, it is unsteady.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from audit.analysis.layout import Floats
from audit.tables import STEPS

MIN_RUNS = 8
MIN_STRETCH = 2
GATE = ("model", "kind", "metric", "where")  # the columns that name a gate
_CONFIDENCE = 0.95
_OUTLYING = 3  # errors of a difference
_OF_NORMAL = 0.6745  # median of |x| over its deviation
TREND_COLUMNS = (
    *(*GATE, "runs", "first", "last", "best", "best_position", "is_lower_better", "failures"),
    *("steps", "note", "interest"),
)


@dataclass(frozen=True)
class Step:
    """A change of level. position: of the first value after it; size: in standard errors of one value."""

    position: int
    before: float
    after: float
    size: float


@dataclass(frozen=True)
class Changes:
    """The steps of a series, in order; or why none could be looked for."""

    steps: tuple[Step, ...] = ()
    reason: str = ""


def standard_errors(mean: Floats, low: Floats, high: Floats, n: Floats) -> Floats:
    """Standard errors behind 95 % intervals of means over n blocks, (R,) each; NaN where there is no interval.

    Intervals are cut at the bounds of a metric, so the wider side tells.
    """
    side = np.maximum(mean - low, high - mean)
    quantile = stats.t.ppf((1 + _CONFIDENCE) / 2, np.maximum(np.asarray(n, dtype=np.float64) - 1, 1))
    found: Floats = np.where(np.isfinite(side), side / quantile, np.nan)
    return found


def change_points(mean: Floats, error: Floats) -> Changes:
    """Where the level of a series (R,) changes; values that are NaN are left out. error: standard errors (R,)."""
    there = np.flatnonzero(np.isfinite(mean))
    if len(there) < MIN_RUNS:
        return Changes(reason=f"{len(there)} run{'' if len(there) == 1 else 's'}, {MIN_RUNS} needed")
    values = np.asarray(mean, dtype=np.float64)[there]
    if np.ptp(values) == 0:
        return Changes()
    known = _filled(np.asarray(error, dtype=np.float64)[there])
    if known is None:
        return Changes(reason="no interval, so no step can be told from chance")
    errors = known * _unrest(values, known)
    values = _without_outliers(values, errors)
    ends = _partition(values, 1 / errors**2, penalty(len(values)))
    levels = [
        float(np.average(values[a:b], weights=1 / errors[a:b] ** 2)) for a, b in zip([0, *ends], ends, strict=False)
    ]
    size = float(np.median(errors))
    return Changes(
        tuple(
            Step(int(there[end]), before, after, abs(after - before) / size)
            for end, before, after in zip(ends, levels, levels[1:], strict=False)
        )
    )


def penalty(n: int) -> float:
    """What a step must save, in squared errors, to be believed in a series of n values."""
    return float(2 * np.log(n) + 3)


def trends(values: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Per gate its course, most interesting first, with columns TREND_COLUMNS; and STEPS.

    values: HISTORY or DEVELOPMENT. best: over all positions; failures: at how many a condition is a failure condition;
    note: why no step could be looked for; interest: the largest step, else the way from first to last, both in standard
    errors; gates with a step come first.
    """
    rows: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    for gate, group in values.groupby(list(GATE), sort=True):
        named = dict(zip(GATE, gate, strict=True))
        course, found = _trend(group.sort_values("position"))
        rows.append({**named, **course})
        steps += [{**named, **step} for step in found]
    table = pd.DataFrame(rows, columns=list(TREND_COLUMNS)).sort_values(
        ["steps", "interest"], ascending=False, kind="stable", key=lambda c: c > 0 if c.name == "steps" else c
    )
    return table.reset_index(drop=True), pd.DataFrame(steps, columns=list(STEPS.columns)) if steps else STEPS.empty()


def _trend(group: pd.DataFrame) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The course of one gate, its rows in order, and its steps."""
    positions = group["position"].to_numpy()
    mean, low, high, n = (group[c].to_numpy(dtype=np.float64) for c in ("mean", "ci_low", "ci_high", "n"))
    is_lower = bool(group["is_lower_better"].iloc[0])
    error = standard_errors(mean, low, high, n)
    changes = change_points(mean, error)
    there = mean[np.isfinite(mean)]
    best = (np.nanargmin(mean) if is_lower else np.nanargmax(mean)) if len(there) else 0
    course = {
        "runs": len(there),
        "first": there[0] if len(there) else np.nan,
        "last": there[-1] if len(there) else np.nan,
        "best": mean[best],
        "best_position": int(positions[best]),
        "is_lower_better": is_lower,
        "failures": int(group["is_failure"].sum()),
        "steps": len(changes.steps),
        "note": changes.reason,
        "interest": max((s.size for s in changes.steps), default=_way(there, error)),
    }
    return course, [
        {
            "position": int(positions[s.position]),
            "before": s.before,
            "after": s.after,
            "size": s.size,
            "is_better": (s.after < s.before) == is_lower,
        }
        for s in changes.steps
    ]


def _way(there: Floats, error: Floats) -> float:
    """From the first value to the last, in standard errors of one value."""
    known = _filled(error)
    return float(abs(there[-1] - there[0]) / np.median(known)) if len(there) > 1 and known is not None else 0.0


def _filled(error: Floats) -> Floats | None:
    """Errors with those that are unknown, or zero, as the others' median; None where none is known."""
    is_known = np.isfinite(error) & (error > 0)
    if not is_known.any():
        return None
    filled: Floats = np.where(is_known, error, np.median(error[is_known]))
    return filled


def _unrest(values: Floats, error: Floats) -> float:
    """By how much neighbours differ more than their errors say; 1 where that may be chance.

    The median of the differences, which a few steps do not move; over so few it scatters by about 1 / sqrt(n).
    """
    apart = np.abs(np.diff(values)) / np.hypot(error[1:], error[:-1])
    found = float(np.median(apart)) / _OF_NORMAL
    return found if found > 1 + 2 / np.sqrt(len(values)) else 1.0


def _without_outliers(values: Floats, errors: Floats) -> Floats:
    """Values that lie beyond both neighbours, at the ends beyond the one, for certain: replaced by the nearer one."""
    before, after = np.r_[values[1], values[:-1]], np.r_[values[1:], values[-2]]
    spread = np.hypot(errors, np.maximum(np.r_[errors[1], errors[:-1]], np.r_[errors[1:], errors[-2]]))
    highest, lowest = np.maximum(before, after), np.minimum(before, after)
    kept = np.where(values - highest > _OUTLYING * spread, highest, values)
    found: Floats = np.where(lowest - values > _OUTLYING * spread, lowest, kept)
    return found


def _partition(values: Floats, weights: Floats, price: float) -> list[int]:
    """Where stretches of one level end, the last end included."""
    import ruptures  # here, since it takes a second to load
    from ruptures.base import BaseCost

    class Weighted(BaseCost):  # type: ignore[misc]
        """Weighted squared distance from the weighted mean, of columns value, weight; from running sums."""

        model = "weighted"
        min_size = 1

        def fit(self, signal: Floats) -> Weighted:
            value, weight = signal[:, 0], signal[:, 1]
            sums = np.cumsum(np.stack([weight, weight * value, weight * value**2]), axis=1)
            self.signal, self.sums = signal, np.pad(sums, ((0, 0), (1, 0)))
            return self

        def error(self, start: int, end: int) -> float:
            weight, first, second = self.sums[:, end] - self.sums[:, start]
            return float(second - first * first / weight)

    search = ruptures.Pelt(custom_cost=Weighted(), min_size=MIN_STRETCH, jump=1)
    return [int(end) for end in search.fit_predict(np.column_stack([values - values.mean(), weights]), pen=price)]
