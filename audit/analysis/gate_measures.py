"""What the gates of a comparison are about: named arrays with the blocks on axis 0, of one run.

overall: a task metric over all scenes that show the object. matched: the same once both networks give equally many
false alarms. intervention: what the object adds, what its shadow alone raises. place: one sensor, or one object.
condition: task metrics and interventions under the levels of a failure condition. attention: where maps lie, which
informs and never gates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from audit.analysis.conditions import bounds
from audit.analysis.contrasts import Contrast
from audit.analysis.criterion import REGION, primary_method
from audit.analysis.interventions import interventions_by_block
from audit.analysis.layout import Floats, Layout
from audit.analysis.measurement import MODEL, Grid, Measure, measured
from audit.metrics.effect_specs import EFFECT_SPECS
from audit.metrics.specs import ATTENTION_METRICS, SPECS

OVERALL, MATCHED, INTERVENTION = "overall", "matched", "intervention"
PLACE, CONDITION, ATTENTION = "place", "condition", "attention"
KINDS = (OVERALL, MATCHED, INTERVENTION, PLACE, CONDITION, ATTENTION)  # in the order in which they are shown
REQUIRED = (OVERALL, MATCHED, INTERVENTION)


class Gate(NamedTuple):
    """What is compared. where: of a place the sensor or object, of a condition the contrast; else empty."""

    kind: str
    metric: str
    where: str = ""


@dataclass(frozen=True)
class Answers:
    """What one run says of one model, on the cells of a layout.

    predictions: rows of PREDICTIONS. places: columns cell_id, metric, place, value. matched: columns cell_id, metric,
    value. attention: rows of ATTENTION. methods: attribution methods, the first is primary.
    """

    predictions: pd.DataFrame
    places: pd.DataFrame
    matched: pd.DataFrame
    attention: pd.DataFrame
    methods: Sequence[str]


def is_lower_better(metric: str) -> bool:
    """Whether a metric, or an intervention's effect, is better the lower it is."""
    if metric in EFFECT_SPECS:
        return EFFECT_SPECS[metric].is_lower_better
    return SPECS[metric].direction == "lower_is_better"


def reach(gate: Gate) -> tuple[float, float]:
    """What the gate's values can be; an intervention's effect is a share or a difference of two."""
    if gate.metric in EFFECT_SPECS:
        return -1.0, 1.0
    return bounds(gate.metric)


def gate_measures(
    model: str,
    answers: Answers,
    layout: Layout,
    margins: Mapping[str, float],
    local_margins: Mapping[str, float],
    contrasts: Sequence[tuple[str, str]] = (),
) -> dict[Gate, Floats]:
    """Gate -> (B, n): per block the values whose mean is the block's; NaN where undefined or of no concern.

    margins, local_margins: which metrics are gated overall, and at places and under conditions. contrasts: (metric,
    'light=back & relation=equal') of the failure conditions that get a gate; see `with_interventions`.
    """
    own = answers.attention[answers.attention["model"] == model]
    grids = measured(answers.predictions[answers.predictions["model"] == model], own, layout)
    shown = {m.metric: _shown(grid.values, layout) for m, grid in grids.items() if m.method == "-"}
    found = {Gate(OVERALL, metric): shown[metric] for metric in margins if metric in shown}
    at_equal = _by_name(answers.matched.assign(place=""), layout)
    found |= {Gate(MATCHED, metric): _shown(v, layout) for (metric, _), v in at_equal.items() if metric in margins}
    responses = {m.metric: grid.values for m, grid in grids.items() if m.method == "-"}
    effects = interventions_by_block(responses, layout)
    found |= {Gate(INTERVENTION, name): v[:, None] for name, v in effects.items() if name in margins}
    for (metric, place), values in _by_name(answers.places, layout).items():
        if metric in local_margins:
            found[Gate(PLACE, metric, place)] = _shown(values, layout)
    if len(layout.objects) > 1:
        for metric in (m for m in local_margins if m in shown):
            for number, name in enumerate(layout.objects):
                found[Gate(PLACE, metric, name)] = _of_object(shown[metric], number, layout)
    for metric, contrast in contrasts:
        if metric in shown and metric in local_margins:
            found[Gate(CONDITION, metric, contrast)] = _under(shown[metric], contrast, layout)
    caused = {c: _caused_under(responses, c, layout) for m, c in contrasts if m in EFFECT_SPECS}
    for metric, contrast in contrasts:
        if metric in local_margins and metric in caused.get(contrast, {}):
            found[Gate(CONDITION, metric, contrast)] = caused[contrast][metric]
    return found | _attention(model, grids, answers.methods, layout)


def with_interventions(contrasts: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """(metric, condition) and, for each condition once, the effects of the interventions under it."""
    given = list(contrasts)
    return given + [(effect, c) for c in dict.fromkeys(c for _, c in given) for effect in EFFECT_SPECS]


def parsed(contrast: str) -> Contrast:
    """'light=back & relation=equal' as a contrast."""
    pairs = (level.partition("=") for level in contrast.split(" & "))
    return Contrast(tuple((factor, level) for factor, _, level in pairs))


def _attention(model: str, grids: Mapping[Measure, Grid], methods: Sequence[str], layout: Layout) -> dict[Gate, Floats]:
    """The primary method's maps on the object, over all scenes."""
    primary = primary_method(grids, methods)
    found = {}
    for metric in ATTENTION_METRICS:
        grid = grids.get(Measure(model, metric, primary, REGION, MODEL))
        if grid is not None and SPECS[metric].direction != "neither":
            found[Gate(ATTENTION, metric, primary)] = _shown(grid.values, layout)
    return found


def _shown(values: Floats, layout: Layout) -> Floats:
    """The cells that show the object, of a sampled design without a control condition apart."""
    return layout.of_objects(values).values


def _of_object(values: Floats, number: int, layout: Layout) -> Floats:
    return np.where((layout.object_of == number)[:, None], values, np.nan)


def _under(values: Floats, contrast: str, layout: Layout) -> Floats:
    """Of values (B, n) of the cells that show the object, those at the levels of a contrast."""
    condition = parsed(contrast)
    at = _shown(np.broadcast_to(layout.where(dict(condition.varied.levels)), layout.shape).astype(np.float64), layout)
    kept = np.where(at == 1, values, np.nan)
    if condition.object is None:
        return kept
    number = layout.objects.index(condition.object) if condition.object in layout.objects else -1
    return _of_object(kept, number, layout)


def _caused_under(responses: Mapping[str, Floats], contrast: str, layout: Layout) -> dict[str, Floats]:
    """Effect -> (B, 1) at the levels of a contrast; without those that no block shows."""
    condition = parsed(contrast)
    number = layout.objects.index(condition.object) if condition.object in layout.objects else -1
    found = {}
    for name, values in interventions_by_block(responses, layout, dict(condition.varied.levels)).items():
        own = values[:, None] if condition.object is None else _of_object(values[:, None], number, layout)
        if np.isfinite(own).any():
            found[name] = own
    return found


def _by_name(rows: pd.DataFrame, layout: Layout) -> dict[tuple[str, str], Floats]:
    """(metric, place) -> (B, C) of rows with columns cell_id, metric, place, value."""
    placed = rows.merge(layout.cells[["cell_id", "position"]], on="cell_id")
    found: dict[tuple[str, str], Floats] = {}
    for (metric, place), group in placed.groupby(["metric", "place"], sort=True):
        flat = np.full(int(np.prod(layout.shape)), np.nan)
        flat[group["position"].to_numpy(dtype=np.int64)] = group["value"].to_numpy(dtype=np.float64)
        found[str(metric), str(place)] = flat.reshape(layout.shape)
    return found
