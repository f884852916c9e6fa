"""The verdict: control gate, coverage, and what was found, as written to verdict.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from audit.analysis.conditions import AUC, auc_levels
from audit.analysis.criterion import Judged
from audit.analysis.layout import PRESENCE, Layout
from audit.analysis.measurement import Grid, Measure
from audit.analysis.objects import mean_over_objects
from audit.analysis.recipe import ModelFacts
from audit.config import CriterionConfig
from audit.metrics.specs import SPECS

SCHEMA_VERSION = 1
NONE_FOUND, FOUND = "no failure found", "failures found"
UNFIT, UNCOVERED = "unfit at control", "insufficient coverage"
WORST_LAST = (NONE_FOUND, FOUND, UNFIT, UNCOVERED)
EXIT_UNCOVERED = 5


@dataclass(frozen=True)
class Floor:
    """One metric at the control condition against its floor; value NaN where it was not measured."""

    metric: str
    value: float
    floor: float

    @property
    def is_measured(self) -> bool:
        return bool(np.isfinite(self.value))

    @property
    def is_ok(self) -> bool:
        is_lower_better = SPECS[self.metric].direction == "lower_is_better"
        return self.is_measured and (self.value <= self.floor if is_lower_better else self.value >= self.floor)


def control_gate(
    model: str,
    facts: ModelFacts,
    grids: Mapping[Measure, Grid],
    auc: pd.DataFrame,
    layout: Layout,
    criterion: CriterionConfig,
) -> list[Floor]:
    """Each metric of the control floor that is of the model's task, at the control condition: the mean over blocks (of
    several objects over objects), or the AUC of the condition."""
    found = []
    for metric, floor in sorted(criterion.control_floor.items()):
        if not facts.is_scored_by(metric):
            continue
        grid = grids.get(Measure(model, metric))
        value = _control_auc(model, auc, layout) if metric == AUC else float("nan")
        if metric != AUC and grid is not None:
            value = mean_over_objects(layout.at_control(grid.values), layout.object_of)
        found.append(Floor(metric, value, floor))
    return found


@dataclass(frozen=True)
class Coverage:
    """Counts of cells: planned, usable, failed (no render), rejected (a render check said no)."""

    planned: int
    usable: int
    failed: int
    rejected: int

    @property
    def share(self) -> float:
        return self.usable / self.planned if self.planned else 0.0

    @property
    def record(self) -> dict[str, float]:
        return {**asdict(self), "share": self.share}


def coverage(scenes: pd.DataFrame, predictions: pd.DataFrame, models: Sequence[str]) -> Coverage:
    """Planned cells against those that were rendered and on which every model gave a usable answer."""
    is_ok = scenes["status"] == "ok"
    usable = set(scenes.loc[is_ok, "cell_id"])
    answered = predictions[np.isfinite(predictions["value"].to_numpy(dtype=np.float64))]
    for model in models:
        usable &= set(answered.loc[answered["model"] == model, "cell_id"])
    return Coverage(
        planned=len(scenes),
        usable=len(usable),
        failed=int((scenes["status"] == "failed").sum()),
        rejected=int((scenes["status"] == "rejected").sum()),
    )


def verdict(
    gates: Mapping[str, Sequence[Floor]],
    rows: Sequence[Judged],
    covered: Coverage,
    criterion: CriterionConfig,
) -> dict[str, object]:
    """verdict.json. Exit code 5 where coverage is below its floor, else 0: finding failures is the tool's job."""
    is_covered = covered.share >= criterion.min_coverage
    models = {model: _of_model(model, gate, rows, is_covered) for model, gate in sorted(gates.items())}
    reached = [str(found["verdict"]) for found in models.values()] + ([] if is_covered and models else [UNCOVERED])
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": max(reached, key=WORST_LAST.index),
        "models": models,
        "coverage": covered.record,
        "exit_code": 0 if is_covered else EXIT_UNCOVERED,
    }


def merged(verdicts: Mapping[str, Mapping[str, Any]], criterion: CriterionConfig) -> dict[str, object]:
    """verdict.json of several scene sets: scene set -> what `verdict` says of it alone.

    Models stand side by side, cells add up, `scene_sets` of the coverage holds each set's own. The verdict is the
    worst; the exit code 5 where the coverage of a set or of the whole is below its floor.
    """
    sets = {name: dict(verdicts[name]["coverage"]) for name in sorted(verdicts)}
    counts = {k: sum(int(c[k]) for c in sets.values()) for k in ("planned", "usable", "failed", "rejected")}
    whole = Coverage(**counts)
    is_covered = bool(sets) and all(float(c["share"]) >= criterion.min_coverage for c in (*sets.values(), whole.record))
    reached = [str(found["verdict"]) for found in verdicts.values()] + ([] if is_covered else [UNCOVERED])
    models = {model: own for found in verdicts.values() for model, own in found["models"].items()}
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": max(reached, key=WORST_LAST.index),
        "models": dict(sorted(models.items())),
        "coverage": {**whole.record, "scene_sets": sets},
        "exit_code": 0 if is_covered else EXIT_UNCOVERED,
    }


def is_fit(gate: Sequence[Floor]) -> bool:
    """Whether findings may be ranked: every floor measured and reached."""
    return all(floor.is_ok for floor in gate)


def _of_model(model: str, gate: Sequence[Floor], rows: Sequence[Judged], is_covered: bool) -> dict[str, object]:
    own = [row for row in rows if row.effect.measure.model == model]
    failures = sum(row.is_failure for row in own)
    tested = {row.effect.measure.metric for row in own if row.effect.test.name != "none"}
    over_all_last = sorted(own, key=lambda row: row.effect.contrast.object is None)  # they say more than one object's
    untested = {r.effect.measure.metric: r.reason for r in over_all_last if r.effect.measure.metric not in tested}
    untested |= {floor.metric: "not measured at control" for floor in gate if not floor.is_measured}
    if not is_covered:
        reached = UNCOVERED
    elif any(floor.is_measured and not floor.is_ok for floor in gate):
        reached = UNFIT
    elif not tested or any(not floor.is_measured for floor in gate):
        reached = UNCOVERED  # too few blocks to say anything is not 'no failure found'
    else:
        reached = FOUND if failures else NONE_FOUND
    control = [
        {"metric": f.metric, "value": f.value if f.is_measured else None, "floor": f.floor, "ok": f.is_ok} for f in gate
    ]
    return {
        "verdict": reached,
        "control": control,
        "failures": failures,
        "ranked": is_fit(gate),
        "untested": dict(sorted(untested.items())),
    }


def _control_auc(model: str, auc: pd.DataFrame, layout: Layout) -> float:
    values = []
    for record in auc.to_dict("records"):
        levels = auc_levels(record, layout)
        is_control = all(level == layout.controls.get(f, level) for f, level in levels.items() if f != PRESENCE)
        if str(record["model"]) == model and is_control and levels.get(PRESENCE, "object") == "object":
            values.append(float(record["auc"]))
    defined = [v for v in values if np.isfinite(v)]
    return float(np.mean(defined)) if defined else float("nan")
