"""What a diagnosis looks at: one model of a comparison that alarmed, its task metrics over all scenes, gate by gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from audit.analysis.gate_measures import OVERALL, Answers, Gate, gate_measures, is_lower_better
from audit.analysis.gates import Compared
from audit.analysis.layout import Floats, Layout
from audit.config import AuditConfig
from audit.regression.comparing import Comparison, asked, shared_cells
from audit.stages import gating

# What an explanation is about.
PREPROCESSING, FEEDING, NO_FEEDING, NOT_FED = "preprocessing", "feeding", "no feeding", "not fed otherwise"
PLACES, EVERYWHERE, SPREAD = "place", "everywhere", "spread"


@dataclass(frozen=True)
class Explanation:
    """kind: one of the names above. names: the feeding, or the places. sentence: for the reader, with its numbers."""

    kind: str
    names: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Looked:
    """One model of a comparison. baseline, candidate: the task metrics over all scenes, from the runs' tables; (B, n)
    each, a column per condition that shows the object."""

    comparison: Comparison
    model: str
    layout: Layout
    cells: pd.DataFrame
    baseline: Mapping[Gate, Floats]
    candidate: Mapping[Gate, Floats]

    @property
    def rows(self) -> Sequence[Compared]:
        return self.comparison.compared[self.model]

    @property
    def is_same_network(self) -> bool:
        """However it is fed."""
        ours, theirs = self.entries
        decides = ("sha256", "architecture", "threshold")
        return bool(ours.get("sha256")) and all(ours.get(k) == theirs.get(k) for k in decides)

    @property
    def entries(self) -> tuple[Mapping[str, object], Mapping[str, object]]:
        """The model in run.json of the candidate and of the baseline."""
        found = self.comparison
        return found.candidate.models[self.model], found.baseline.models[found.models[self.model]]


def looked_at(comparison: Comparison, model: str, config: AuditConfig) -> Looked:
    baseline, candidate = comparison.baseline, comparison.candidate
    _, cells = shared_cells(baseline, candidate, str(candidate.models[model]["scene_set"]))
    layout = gating.layout_of(candidate.config, str(candidate.models[model]["scene_set"]), cells)
    sides = []
    for run, name in ((baseline, comparison.models[model]), (candidate, model)):
        found = gating.answers(run.folder, asked(run, name), layout, with_maps=False)
        sides.append(overall(name, found, layout, config.comparison.margins))
    return Looked(comparison, model, layout, cells, sides[0], sides[1])


def overall(model: str, answers: Answers, layout: Layout, margins: Mapping[str, float]) -> dict[Gate, Floats]:
    found = gate_measures(model, answers, layout, margins, {})
    return {gate: values for gate, values in found.items() if gate.kind == OVERALL}


def worse(gate: Gate, was: Floats, now: Floats) -> Floats:
    """By how much `now` is worse than `was`, in the metric's unit."""
    return (1.0 if is_lower_better(gate.metric) else -1.0) * (now - was)


def by_margin(c: Compared) -> float:
    """How much worse a gate is, in margins."""
    return c.difference[0] / max(c.margin, 1e-6)
