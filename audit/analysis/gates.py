"""Gates: is the candidate worse than its baseline by more than a margin, on identical pixels?

Per gate d_b, the block's mean over its cells of candidate - baseline where both have a value, its sign turned so that
positive is worse. Over blocks, as everywhere:
- regression: H0 'worse by no more than the margin' rejected, its p after Holm over all gates of the comparison.
- pass: H0 'worse by the margin or more' rejected at alpha (non-inferiority). A comparison passes where all required
  gates do, each at alpha: an intersection of tests needs no correction (Berger, 1982). A fault may be rare and total:
  where it takes a share `margin` of the scene seeds, n of them show none with probability (1 - margin)^n, and no spread
  tells of it. So a rate that is not shown to be better passes only with seeds enough for that to be at most alpha.
- inconclusive: neither, or too few blocks.
A network that answers as its baseline does passes as identical on any number of blocks.

A condition that fails in the candidate alone was chosen by the candidate's own answers out of all contrasts that were
judged: its p is multiplied by their number before it enters Holm with the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from audit.analysis.gate_measures import ATTENTION, CONDITION, KINDS, PLACE, REQUIRED, Gate, is_lower_better, reach
from audit.analysis.layout import Floats, Ints, Layout, per_block
from audit.analysis.objects import combine, mean_over_objects, over_objects
from audit.analysis.power import detectable
from audit.analysis.significance import exceeds_over_objects, holm
from audit.metrics.specs import is_percent

PASS, REGRESSION, INCONCLUSIVE = "pass", "regression", "inconclusive"
IDENTICAL, IMPROVED, WITHIN = "identical", "improved", "worse within the margin"


@dataclass(frozen=True)
class Policy:
    """The rules of a comparison, as in audit.config.ComparisonConfig."""

    margins: Mapping[str, float]
    local_margins: Mapping[str, float]
    alpha: float
    power: float
    min_blocks: int

    def blocks_to_pass(self, gate: Gate, margin: float) -> int:
        """Blocks of which some would show a fault in a share `margin` of all, at alpha."""
        if not is_percent(gate.metric) or not 0 < margin < 1:
            return self.min_blocks
        return max(self.min_blocks, int(np.ceil(np.log(self.alpha) / np.log1p(-margin) - 1e-9)))

    def margin(self, gate: Gate) -> float:
        """NaN where a metric has none."""
        of = self.local_margins if gate.kind in (PLACE, CONDITION) else self.margins
        return of.get(gate.metric, float("nan"))


@dataclass(frozen=True)
class Compared:
    """One gate of one model; numbers as in audit.tables.GATES. chosen_from: out of how many it was picked."""

    gate: Gate
    baseline: float
    candidate: float
    difference: tuple[float, float, float]  # mean, low, high; positive = worse
    margin: float
    p: float
    p_pass: float
    n: int
    spread: float  # standard error of the difference
    is_identical: bool  # no cell differs
    is_same_network: bool = False  # it answers as the baseline does
    least_p: float = float("nan")  # what p would be if every block were as much worse as can be
    chosen_from: int = 1
    p_holm: float = float("nan")
    detectable: float = float("nan")
    verdict: str = ""
    note: str = ""

    @property
    def is_gate(self) -> bool:
        return self.gate.kind != ATTENTION

    @property
    def is_required(self) -> bool:
        return self.gate.kind in REQUIRED


def compare(
    baseline: Mapping[Gate, Floats],
    candidate: Mapping[Gate, Floats],
    layout: Layout,
    policy: Policy,
    chosen_from: Mapping[Gate, int] | None = None,
    is_same_network: bool = False,
) -> list[Compared]:
    """The gates that both runs have, not yet judged, in the order of KINDS. baseline, candidate: from `gate_measures`
    on one layout. chosen_from: gates picked by the candidate's answers -> out of how many. is_same_network: it
    answers as the baseline does, so that a difference of zero needs no blocks to be believed."""
    picked = chosen_from or {}
    shared = sorted(set(baseline) & set(candidate), key=lambda g: (KINDS.index(g.kind), g))
    found = [_compared(g, baseline[g], candidate[g], layout, policy.margin(g)) for g in shared]
    return [replace(c, chosen_from=picked.get(c.gate, 1), is_same_network=is_same_network) for c in found]


def judged(compared: Iterable[Compared], policy: Policy) -> list[Compared]:
    """With verdicts. All gates handed over, of all models of a comparison, are one family."""
    rows = list(compared)
    is_tested = [c.is_gate and np.isfinite(c.p) and c.n >= policy.min_blocks and not c.is_identical for c in rows]
    tested = [c for c, yes in zip(rows, is_tested, strict=True) if yes]
    family = iter(holm(np.array([min(1.0, c.p * c.chosen_from) for c in tested], dtype=np.float64)))
    strictest = policy.alpha / max(len(tested), 1)
    out = []
    for c, yes in zip(rows, is_tested, strict=True):
        p_holm = float(next(family)) if yes else float("nan")
        limit = strictest / c.chosen_from
        is_reachable = yes and c.least_p <= limit
        smallest = detectable(c.margin, c.spread, c.n, limit, policy.power) if is_reachable else float("nan")
        out.append(_judged(replace(c, p_holm=p_holm, detectable=smallest), policy))
    return out


def overall(gates: Iterable[Compared]) -> str:
    """The verdict of a comparison: regression where any gate is one; pass where all required gates pass."""
    rows = [c for c in gates if c.is_gate]
    if any(c.verdict == REGRESSION for c in rows):
        return REGRESSION
    required = [c for c in rows if c.is_required]
    return PASS if required and all(c.verdict == PASS for c in required) else INCONCLUSIVE


def _compared(gate: Gate, baseline: Floats, candidate: Floats, layout: Layout, margin: float) -> Compared:
    sign = 1.0 if is_lower_better(gate.metric) else -1.0
    cells = sign * (candidate - baseline)
    worse = per_block(cells)
    both = np.isfinite(cells)
    low, high = reach(gate)
    width = high - low
    interval = over_objects(worse[None], layout.object_of, (-width, width), is_difference=True)
    found = combine(worse, layout.object_of, (-width, width), is_difference=True)
    is_tested = np.isfinite(margin)
    of = layout.object_of
    return Compared(
        gate=gate,
        baseline=mean_over_objects(per_block(np.where(both, baseline, np.nan)), of),
        candidate=mean_over_objects(per_block(np.where(both, candidate, np.nan)), of),
        difference=(float(interval.mean[0]), float(interval.low[0]), float(interval.high[0])),
        margin=margin,
        p=exceeds_over_objects(worse, margin, of, (-width, width)).p if is_tested else float("nan"),
        p_pass=exceeds_over_objects(-worse, -margin, of, (-width, width)).p if is_tested else float("nan"),
        least_p=_least_p(worse, margin, of, width) if is_tested else float("nan"),
        n=int(interval.usable[0]),
        spread=float(np.sqrt(found.variance)) if found is not None else float("nan"),
        is_identical=bool(both.any() and (cells[both] == 0).all()),
    )


def _least_p(worse: Floats, margin: float, object_of: Ints, width: float) -> float:
    """The p of every usable block being as much worse as can be: no test of so few comes below it."""
    worst = np.where(np.isfinite(worse), width, np.nan)
    return exceeds_over_objects(worst, margin, object_of, (-width, width)).p


def _judged(c: Compared, policy: Policy) -> Compared:
    """One gate's verdict and note."""
    _, low, high = c.difference
    if c.n == 0:
        return replace(c, verdict=INCONCLUSIVE if c.is_gate else "", note="no block has a value in both")
    if c.is_identical and (c.is_same_network or not c.is_gate):
        return replace(c, verdict=PASS if c.is_gate else "", note=IDENTICAL)
    direction = IMPROVED if high < 0 else ("worse" if low > 0 else "")
    if not c.is_gate:
        return replace(c, note=direction)
    if c.n < policy.min_blocks:
        return replace(c, verdict=INCONCLUSIVE, note=f"{c.n} usable blocks, {policy.min_blocks} needed")
    if c.p_holm <= policy.alpha:
        return replace(c, verdict=REGRESSION)
    needed = policy.blocks_to_pass(c.gate, c.margin)
    if c.n < needed and direction != IMPROVED:
        told = f"{c.n} usable blocks, {needed} needed to pass at this margin"
        return replace(c, verdict=INCONCLUSIVE, note=f"no cell differs; {told}" if c.is_identical else told)
    if c.is_identical:
        return replace(c, verdict=PASS, note=IDENTICAL)
    if c.p_pass <= policy.alpha:
        return replace(c, verdict=PASS, note=WITHIN if low > 0 else direction)
    if not np.isfinite(c.p):
        return replace(c, verdict=INCONCLUSIVE, note="no test")
    why = "worse, but not beyond the margin for certain" if low > 0 else "too wide an interval"
    return replace(c, verdict=INCONCLUSIVE, note=why)
