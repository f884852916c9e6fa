"""The failures table: failure conditions in plain words, worst first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from audit.analysis.criterion import Judged
from audit.analysis.effects import Effect
from audit.analysis.layout import Layout
from audit.analysis.recipe import UNDECLARED, ModelFacts
from audit.analysis.sentences import sentence
from audit.tables import FAILURES

EXAMPLES = 6  # blocks shown per failure condition

Reproduce = Callable[[str, Sequence[str]], str]


def failures_table(
    rows: Sequence[Judged],
    layout: Layout,
    models: Mapping[str, ModelFacts],
    fit: Mapping[str, bool],
    reproduce: Reproduce,
) -> pd.DataFrame:
    """FAILURES. Severity is the effect's lower bound over the margin; rank orders by it within a model.

    Where a model is unfit at control, `ranked` is False and rank only says the order of display.
    """
    records: list[dict[str, object]] = []
    for model in sorted({row.effect.measure.model for row in rows}):
        failing = [r.effect for r in rows if r.is_failure and r.effect.measure.model == model]
        worst_first = sorted(failing, key=lambda e: (-severity(e), e.measure.metric, e.contrast.name))
        facts, is_fit = models.get(model, UNDECLARED), fit.get(model, False)
        records += [_record(effect, i + 1, layout, facts, is_fit, reproduce) for i, effect in enumerate(worst_first)]
    if not records:
        return FAILURES.empty()[list(FAILURES.columns)]
    return pd.DataFrame(records)[list(FAILURES.columns)]


def severity(effect: Effect) -> float:
    """Lower confidence bound of the effect, in margins."""
    return effect.effect[1] / effect.margin


def example_blocks(effect: Effect, layout: Layout) -> list[str]:
    """Ids of the blocks with the largest paired difference, worst first; only those that are worse at all."""
    order = np.argsort(np.where(np.isfinite(effect.by_block), -effect.by_block, np.inf), kind="stable")
    return [layout.blocks[i] for i in order[:EXAMPLES] if effect.by_block[i] > 0]


def _record(
    effect: Effect, rank: int, layout: Layout, facts: ModelFacts, is_fit: bool, reproduce: Reproduce
) -> dict[str, object]:
    usable = [layout.blocks[i] for i in np.flatnonzero(np.isfinite(effect.by_block))]
    return {
        "model": effect.measure.model,
        "finding_id": effect.finding_id,
        "rank": rank,
        "metric": effect.measure.metric,
        "method": effect.measure.method,
        "condition": effect.contrast.name,
        "control": effect.control,
        "effect": effect.effect[0],
        "ci_low": effect.effect[1],
        "ci_high": effect.effect[2],
        "q": effect.q,
        "level_mean": effect.level_mean,
        "control_mean": effect.control_mean,
        "usable_n": effect.usable,
        "severity": severity(effect),
        "expected": not effect.in_recipe,
        "ranked": is_fit,
        "example_blocks": " ".join(example_blocks(effect, layout)),
        "sentence": sentence(effect, layout, facts, is_fit),
        "reproduce": reproduce(effect.contrast.name, usable),
    }
