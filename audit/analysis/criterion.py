"""The failure criterion: which contrasts are failure conditions.

A contrast fails where it is worse than control by more than the margin: q at most the false discovery rate within its
family (one model, one measure, singles and pairs together; pairs of a level with one object are a family of their own),
its interval beyond the margin, usable blocks enough.
A pair is a failure condition of its own where it says more than its parents: it is worse than either, and the interval
of its excess over the sum of each alone excludes 0 on the worse side, also among all pairs of the family (false
discovery again, or every failing level would bring a pair or so by chance); or neither parent fails and the pair would
otherwise be lost. Else the failing parent stands for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audit.analysis.contrasts import Contrast
from audit.analysis.effects import Effect, effects
from audit.analysis.layout import Layout
from audit.analysis.measurement import NO_METHOD, UNTRAINED, Grid, Measure, of_model
from audit.analysis.recipe import ModelFacts
from audit.analysis.significance import exceeds_over_objects
from audit.config import CriterionConfig
from audit.metrics.specs import ATTENTION_METRICS, SPECS
from audit.tables import EFFECTS
from scenes.design import nearest

REGION = "object"  # where an attention metric is held to its margin
_ALPHA = 0.05  # of 'beats the untrained network on control scenes'


class AnalysisError(ValueError):
    """A criterion that names what is not measured; the message names the nearest valid name."""


@dataclass(frozen=True)
class Judged:
    """An effect and what the criterion says of it. reason: why it is no failure although worse, or was not judged."""

    effect: Effect
    is_failure: bool
    reason: str


def check(criterion: CriterionConfig) -> None:
    """Raise AnalysisError for margins or floors on unknown metrics, or on metrics without a better end."""
    for metric in (*criterion.margins, *criterion.control_floor):
        if metric not in SPECS:
            raise AnalysisError(f"criterion names the unknown metric {metric!r}: {nearest(metric, SPECS)}")
        if SPECS[metric].direction == "neither":
            raise AnalysisError(f"criterion names {metric!r}, which describes and has no better end")
    for metric, margin in criterion.margins.items():
        if not margin > 0:
            raise AnalysisError(f"the margin of {metric!r} is {margin}, but must be positive")


def judged(
    model: str,
    facts: ModelFacts,
    grids: Mapping[Measure, Grid],
    layout: Layout,
    criterion: CriterionConfig,
    methods: Sequence[str],
    earned: pd.DataFrame,
) -> list[Judged]:
    """Every contrast of the metrics of the model's task that have a margin, judged. Attention is judged on the object,
    by the primary method."""
    found: list[Judged] = []
    own = of_model(grids, model)
    for metric, margin in sorted(criterion.margins.items()):
        if not facts.is_scored_by(metric):
            continue
        measure = Measure(model, metric)
        reason = ""
        if metric in ATTENTION_METRICS:
            measure = Measure(model, metric, primary_method(own, methods), REGION)
            reason = _ineligible(measure, own, layout, criterion, earned)
        if measure in own:
            family = effects(measure, own[measure], layout, facts, margin, criterion.min_blocks, reason)
            found += _judge(family, criterion)
    return found


def primary_method(grids: Mapping[Measure, Grid], methods: Sequence[str]) -> str:
    """The first of `methods` that was measured, else the first measured by name, else '-'."""
    measured = sorted({m.method for m in grids if m.method != NO_METHOD})
    return next((m for m in methods if m in measured), measured[0] if measured else NO_METHOD)


def left_out(effect: Effect) -> str:
    """Which objects a contrast says nothing about, in words; '' where it is on all that it asks about."""
    if not effect.objects or not effect.absent:
        return ""
    both = len(effect.objects) + len(effect.absent)
    return f"on {len(effect.objects)} of {both} objects, without {', '.join(effect.absent)}"


def effects_table(rows: Sequence[Judged]) -> pd.DataFrame:
    """EFFECTS of judged contrasts."""
    if not rows:
        return EFFECTS.empty()[list(EFFECTS.columns)]
    frame = pd.DataFrame([_record(row) for row in rows])[list(EFFECTS.columns)]
    return frame.sort_values(list(EFFECTS.key), kind="stable").reset_index(drop=True)


def _judge(family: Sequence[Effect], criterion: CriterionConfig) -> list[Judged]:
    worse = {e.contrast: e for e in family if np.isfinite(e.q) and e.q <= criterion.q and e.effect[1] > e.margin}
    return [_verdict(e, worse, criterion.q) for e in family]


def _verdict(effect: Effect, worse: Mapping[Contrast, Effect], q: float) -> Judged:
    if effect.contrast not in worse:
        return Judged(effect, False, effect.reason)
    failing = [worse[p] for p in effect.contrast.parents() if p in worse]
    if not failing:
        return Judged(effect, True, "")
    parent = max(failing, key=lambda e: e.effect[0])
    if effect.effect[0] > parent.effect[0] and effect.excess[1] > 0 and effect.excess_q <= q:
        return Judged(effect, True, "")
    return Judged(effect, False, f"says no more than {parent.contrast.name}")


def _ineligible(
    measure: Measure, grids: Mapping[Measure, Grid], layout: Layout, criterion: CriterionConfig, earned: pd.DataFrame
) -> str:
    """Why no finding may rest on an attention measure, or ''."""
    untrained = grids.get(measure._replace(source=UNTRAINED))
    if measure not in grids or untrained is None:
        return "not measured on the untrained network"
    sign = 1.0 if SPECS[measure.metric].direction == "higher_is_better" else -1.0
    gain = sign * (layout.at_control(grids[measure].values) - layout.at_control(untrained.values))
    usable = int(np.isfinite(gain).sum())
    if usable < criterion.min_blocks:
        return f"{usable} usable control scenes, {criterion.min_blocks} needed"
    width = SPECS[measure.metric].high - SPECS[measure.metric].low
    if not exceeds_over_objects(gain, 0.0, layout.object_of, (-width, width)).p <= _ALPHA:
        return "no better than the untrained network on control scenes"
    row = earned[(earned["model"] == measure.model) & (earned["method"] == measure.method)]
    row = row[row["region"] == measure.region]
    if row.empty or not bool(row["earned"].iloc[0]):
        return "not earned" if row.empty else str(row["reason"].iloc[0])
    return ""


def _record(row: Judged) -> dict[str, object]:
    e = row.effect
    return {
        "model": e.measure.model,
        "metric": e.measure.metric,
        "method": e.measure.method,
        "region": e.measure.region,
        "contrast": e.contrast.name,
        "control": e.control,
        "order": e.contrast.order,
        "finding_id": e.finding_id,
        "level_mean": e.level_mean,
        "control_mean": e.control_mean,
        **dict(zip(("effect", "ci_low", "ci_high"), e.effect, strict=True)),
        **dict(zip(("simple_effect", "simple_low", "simple_high"), e.simple, strict=True)),
        **dict(zip(("excess", "excess_low", "excess_high"), e.excess, strict=True)),
        "margin": e.margin,
        "test": e.test.name,
        "p": e.test.p,
        "q": e.q,
        "n": e.n,
        "usable_n": e.usable,
        "in_recipe": e.in_recipe,
        "is_failure": row.is_failure,
        "reason": "; ".join(part for part in (row.reason, left_out(e)) if part),
    }
