"""From measurements to verdict: effects of conditions, interventions, failure conditions.

The unit is the block: a scene seed, or a pose of an object. Objects were chosen, so they are fixed, not a sample.

Works on tables alone (pandas, numpy, scipy); imports neither torch nor a renderer, and of scenes only its tables.
Equal tables give equal results, in whatever order their rows come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from audit.analysis.conditions import AUC, conditions_table
from audit.analysis.criterion import AnalysisError, check, effects_table, judged
from audit.analysis.earned import earned_table, of_another_target, with_sanity
from audit.analysis.failures import Reproduce, failures_table
from audit.analysis.interventions import interventions_table
from audit.analysis.layout import Sampled, lay_out
from audit.analysis.measurement import measured
from audit.analysis.recipe import ModelFacts
from audit.analysis.verdict import control_gate, coverage, is_fit, merged, verdict
from audit.config import AttributionConfig, CriterionConfig

__all__ = ["Analysis", "AnalysisError", "ModelFacts", "Sampled", "analyse", "merged"]

_NO_PARTNERS: Mapping[str, Mapping[str, str]] = {}


@dataclass(frozen=True)
class Analysis:
    """The tables of the analyse stage, as audit.tables declares them, and the content of verdict.json."""

    conditions: pd.DataFrame
    effects: pd.DataFrame
    interventions: pd.DataFrame
    earned: pd.DataFrame
    failures: pd.DataFrame
    verdict: dict[str, object]


def analyse(
    scenes: pd.DataFrame,
    predictions: pd.DataFrame,
    attention: pd.DataFrame,
    models: Mapping[str, ModelFacts],
    criterion: CriterionConfig,
    controls: Mapping[str, str],
    reproduce: Reproduce,
    auc: pd.DataFrame | None = None,
    methods: Sequence[str] | None = None,
    partners: Mapping[str, Mapping[str, str]] = _NO_PARTNERS,
    sampled: Sampled | None = None,
    sanity: pd.DataFrame | None = None,
    target: str = AttributionConfig().target,
) -> Analysis:
    """Analyse one scene set of a run, with the models that were shown it.

    scenes, predictions, attention: rows of SCENES, PREDICTIONS and ATTENTION; columns of scenes that SCENES does not
    declare are the factors. controls: factor -> control level; a factor without one is contrasted with the mean over
    its levels. reproduce: contrast and usable blocks -> the command that shows it again. auc: columns model, factors,
    auc, one row per condition; factors left out are at control. methods: attribution methods, the first is primary.
    partners: factor -> level -> the level it is contrasted with, where that is not the control. sampled: of a design
    whose points are sampled, what its levels are contrasted with. sanity: SANITY_VERDICT, where methods were checked;
    one that fails earns nothing, and no finding rests on it. target: what the maps are of; of another than the truth
    none earns anything.
    Raises AnalysisError where the criterion names a metric that does not exist or has no better end.
    """
    check(criterion)
    scores = pd.DataFrame(columns=["model", AUC]) if auc is None else auc
    layout = lay_out(scenes, controls, partners, sampled)
    grids = measured(predictions, attention, layout)
    earned = earned_table(grids, layout, criterion.min_blocks)
    if target != AttributionConfig().target:
        earned = of_another_target(earned, target)
    if sanity is not None:
        earned = with_sanity(earned, sanity)
    order = AttributionConfig().methods if methods is None else methods
    gates = {model: control_gate(model, models[model], grids, scores, layout, criterion) for model in sorted(models)}
    rows = [
        row for model in sorted(models) for row in judged(model, models[model], grids, layout, criterion, order, earned)
    ]
    covered = coverage(scenes, predictions, sorted(models))
    return Analysis(
        conditions=conditions_table(grids, scores, layout, models),
        effects=effects_table(rows),
        interventions=interventions_table(grids, layout),
        earned=earned,
        failures=failures_table(rows, layout, models, {m: is_fit(gate) for m, gate in gates.items()}, reproduce),
        verdict=verdict(gates, rows, covered, criterion),
    )
