"""Gating: of this run alone, what the gates of a comparison are about; history over checkpoints is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from audit import parts
from audit.analysis import Sampled
from audit.analysis.gate_measures import (
    CONDITION,
    Answers,
    Gate,
    gate_measures,
    is_lower_better,
    reach,
    with_interventions,
)
from audit.analysis.layout import OBJECT, PRESENCE, Layout, lay_out, per_block
from audit.analysis.objects import over_objects
from audit.config import AuditConfig
from audit.metrics.arrays import Doubles, Integers, Texts
from audit.metrics.operating_points import MATCHED, MATCHED_METRIC, PLACES, RATE_OF
from audit.metrics.specs import SPECS
from audit.models.adapter import Adapter
from audit.tables import ATTENTION, EFFECTS, GATE_VALUES, LABELS, PREDICTIONS, RESPONSES
from scenes.design import Design
from scenes.manifest import SCENES, of_set
from scenes.table import Table

_PLACE_COLUMNS = ("cell_id", "metric", "place", "value")
ALIKE = 1e-3  # probability by which answers of one network may differ, from one precision to another
_DIGITS = 9  # the last bits of a mean depend on where memory lies


@dataclass(frozen=True)
class Asked:
    """A model of a run. threshold: its operating point; horizon: cm of travel; methods: the first is primary."""

    model: str
    task: str
    threshold: float
    horizon: int
    methods: Sequence[str]


def write_gate_values(config: AuditConfig, adapters: Mapping[str, Adapter], folder: Path) -> None:
    """Write `gate_values`: every gate a comparison could have, with its mean over blocks and interval."""
    scenes, effects = SCENES.read(folder), EFFECTS.read(folder)
    rows: list[dict[str, object]] = []
    for name, adapter in adapters.items():
        shown = of_set(scenes, adapter.task.scene_set)
        layout = layout_of(config, adapter.task.scene_set, shown)
        own = effects[(effects["model"] == name) & (effects["method"] == "-") & (effects["test"] != "none")]
        failing = set(zip(own.loc[own["is_failure"], "metric"], own.loc[own["is_failure"], "contrast"], strict=True))
        contrasts = with_interventions((str(m), str(c)) for m, c in zip(own["metric"], own["contrast"], strict=True))
        asked = Asked(name, adapter.task.name, adapter.threshold, config.robot.horizon, config.attribution.methods)
        found = gate_measures(
            name,
            answers(folder, asked, layout),
            layout,
            config.comparison.margins,
            config.comparison.local_margins,
            contrasts,
        )
        rows += [
            _row(name, gate, values, layout, (gate.metric, gate.where) in failing) for gate, values in found.items()
        ]
    table = pd.DataFrame(rows, columns=list(GATE_VALUES.columns)) if rows else GATE_VALUES.empty()
    GATE_VALUES.write(table, folder, csv=True)


def layout_of(config: AuditConfig, scene_set: str, scenes: pd.DataFrame) -> Layout:
    """The cells of one scene set, as its configured design arranges them."""
    design = parts.design(config, scene_set)
    return lay_out(scenes, design.control, parts.partners(config, scene_set), sampled_of(design))


def sampled_of(design: Design) -> Sampled | None:
    """What the analysis must know of a sampled design; None where factors are crossed."""
    return Sampled(design.references, design.apart, not design.own_points) if design.is_sampled else None


def answers(
    folder: Path,
    asked: Asked,
    layout: Layout,
    rate: float = float("nan"),
    with_maps: bool = True,
    nan_is_worst: bool = False,
) -> Answers:
    """What a run says of a model on the cells of a layout. rate: of false alarms, for what is compared at an equal one.
    nan_is_worst: an answer that is no number scores as the worst there is, so that it does not drop out of a comparison
    with one that is.

    Raises TableError where a table is not there, or of another schema.
    """
    attention = _of(ATTENTION, folder, asked.model) if with_maps else ATTENTION.empty()
    predictions = _of(PREDICTIONS, folder, asked.model)
    kept = predictions[predictions["cell_id"].isin(layout.cells["cell_id"])]
    if nan_is_worst:
        kept = kept.assign(value=_worst_where_no_number(kept))
    places, matched = _of_places(folder, asked, layout, rate)
    return Answers(kept, places, matched, attention, asked.methods)


def _worst_where_no_number(predictions: pd.DataFrame) -> pd.Series:
    """The values, and the worst of its metric where the network's answer was no number."""
    judged = {m: s for m, s in SPECS.items() if s.direction != "neither"}
    worst = predictions["metric"].map(
        {m: s.high if s.direction == "lower_is_better" else s.low for m, s in judged.items()}
    )
    is_broken = (predictions["undefined_reason"] == "nan_output") & np.isfinite(worst)
    return predictions["value"].where(~is_broken, worst)


def are_alike(first: tuple[Path, str], second: tuple[Path, str], layout: Layout) -> bool:
    """Whether two runs' answers, (folder, model) each, are the same but for rounding in every cell of a layout."""
    one, other = (_responses(folder, model, layout)[0] for folder, model in (first, second))
    return bool(one.shape == other.shape and np.allclose(one, other, rtol=0.0, atol=ALIKE, equal_nan=True))


def false_alarm_rate(folder: Path, asked: Asked, layout: Layout) -> float:
    """At the model's own threshold, over the cells that show the object; NaN of a task without operating points."""
    if asked.task not in RATE_OF:
        return float("nan")
    probability, label, _ = _responses(folder, asked.model, layout, OBJECT)
    return RATE_OF[asked.task](probability, label, asked.threshold, asked.horizon)


def matched_threshold(folder: Path, asked: Asked, layout: Layout, rate: float) -> float:
    """At which the model gives false alarms at `rate`; NaN of a task without operating points."""
    if asked.task not in MATCHED:
        return float("nan")
    probability, label, _ = _responses(folder, asked.model, layout, OBJECT)
    return MATCHED[asked.task](probability, label, rate, asked.horizon)


def _of_places(folder: Path, asked: Asked, layout: Layout, rate: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores place by place, and at the threshold that gives false alarms at `rate`; none of a task without."""
    nothing = pd.DataFrame(columns=list(_PLACE_COLUMNS)).astype({"value": float})
    if asked.task not in PLACES:
        return nothing, nothing.drop(columns="place")
    scored = PLACES[asked.task]
    probability, label, cells = _responses(folder, asked.model, layout)
    places = scored(probability, label, asked.threshold, asked.horizon)
    matched = nothing.drop(columns="place")
    if np.isfinite(rate):
        equal = scored(probability, label, matched_threshold(folder, asked, layout, rate), asked.horizon)
        equal = equal[equal["metric"] == MATCHED_METRIC[asked.task]]
        matched = equal.groupby(["row", "metric"], sort=True)["value"].mean().reset_index()
        matched = matched.assign(cell_id=cells[matched["row"].to_numpy(dtype=int)])
    return places.assign(cell_id=cells[places["row"].to_numpy(dtype=int)]), matched


def _responses(
    folder: Path, model: str, layout: Layout, presence: str | None = None
) -> tuple[Doubles, Integers, Texts]:
    """Probability (N, K), label (N, K) and cell_id (N,) of the cells of a layout, or of one arm."""
    cells = layout.cells
    if presence is not None:
        cells = cells[layout.where({PRESENCE: presence})[cells["position"].to_numpy(dtype=int) % layout.shape[1]]]
    given = _of(RESPONSES, folder, model).set_index("scene_id")["probability"]
    labels = LABELS.read(folder).set_index("scene_id")["label"]
    probability = np.stack(given.loc[cells["scene_id"]].to_list()).astype(np.float64)
    return probability, np.stack(labels.loc[cells["scene_id"]].to_list()), cells["cell_id"].to_numpy()


def _of(table: Table, folder: Path, model: str) -> pd.DataFrame:
    frame = table.read(folder)
    return frame[frame["model"] == model]


def _row(model: str, gate: Gate, values: Doubles, layout: Layout, is_failure: bool) -> dict[str, object]:
    found = over_objects(per_block(values)[None], layout.object_of, reach(gate))
    return {
        "model": model,
        "kind": gate.kind,
        "metric": gate.metric,
        "where": gate.where,
        "mean": round(float(found.mean[0]), _DIGITS),
        "ci_low": round(float(found.low[0]), _DIGITS),
        "ci_high": round(float(found.high[0]), _DIGITS),
        "n": int(found.usable[0]),
        "is_lower_better": is_lower_better(gate.metric),
        "is_failure": gate.kind == CONDITION and is_failure,
    }
