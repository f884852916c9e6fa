"""The candidate fed otherwise: whether one change of its preprocessing takes the worsening away. Renders nothing.

A feeding explains the task metrics over all scenes that alarmed, or, where none did, those that are worse for certain:
- the candidate is better so than as configured, in all of them, for certain: the largest of their paired one-sided p,
  after Holm over the feedings, is at most alpha;
- no more than a third of the worsening of any is left;
- no other task metric lies beyond its margin.
Of several the one that leaves least.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audit import parts
from audit.analysis import gates
from audit.analysis.gate_measures import OVERALL, Answers, Gate, reach
from audit.analysis.layout import OBJECT, PRESENCE, Floats, Ints, per_block
from audit.analysis.objects import mean_over_objects
from audit.analysis.sentences import PHRASES
from audit.analysis.significance import exceeds_over_objects, holm
from audit.config import AuditConfig, PreprocessingConfig
from audit.loading import load_models
from audit.metrics.arrays import Integers, Pixels, Texts
from audit.metrics.specs import SPECS
from audit.models.adapter import Adapter
from audit.models.errors import ModelError
from audit.models.feeding import Feeding, fed, feedings
from audit.models.preprocessing import Preprocessing
from audit.regression.auditing import placed
from audit.regression.worsening import FEEDING, NO_FEEDING, NOT_FED, Explanation, Looked, by_margin, overall, worse
from audit.tables import ATTENTION, LABELS
from scenes.design import DesignError
from scenes.store import StoreError

LEFT = 1 / 3  # of a worsening, at most, under the feeding that explains it

_KINDS = {"channels": "channel order", "resize": "resize kernel", "normalisation": "normalisation"}
_NOTHING = pd.DataFrame(
    {name: pd.Series(dtype=str) for name in ("cell_id", "metric", "place")} | {"value": pd.Series(dtype=float)}
)


@dataclass(frozen=True)
class _Shown:
    """The shared scenes that show the object: images uint8 (N, H, W, 3), label (N, K). Of each cell its id, cells (M,),
    and which scene it is, rows (M,)."""

    images: Pixels
    label: Integers
    cells: Texts
    rows: Ints


def other_feedings(looked: Looked, config: AuditConfig) -> list[Explanation]:
    """Whether one change of the preprocessing takes the worsening away, or why that cannot be said."""
    tried = _worsened(looked)
    if not tried:
        return []
    try:
        adapter, shown = _adapter(looked, config), _shown(looked, config)
    except (ModelError, DesignError, StoreError) as error:
        return [Explanation(NOT_FED, (), f"{looked.model} was not fed otherwise: {error}")]
    others = _others(looked, adapter, shown.images.shape[1:3])
    answers = {o.name: _answers(looked, fed(adapter, o.preprocessing), shown, config) for o in others}
    best = _best(looked, tried, answers, config)
    if best is None:
        told = f"{looked.model}: no other feeding takes the worsening away (tried: {', '.join(answers)})"
        return [Explanation(NO_FEEDING, (), told)]
    return [_told(looked, tried[0], next(o for o in others if o.name == best), answers[best])]


def _worsened(looked: Looked) -> list[Gate]:
    """The task metrics over all scenes that alarmed, else those that are worse for certain; worst for its margin
    first."""
    rows = sorted((c for c in looked.rows if c.gate.kind == OVERALL), key=by_margin, reverse=True)
    alarmed = [c.gate for c in rows if c.verdict == gates.REGRESSION]
    return alarmed or [c.gate for c in rows if c.difference[1] > 0]


def _adapter(looked: Looked, config: AuditConfig) -> Adapter:
    """The candidate's network. Raises ModelError where it cannot be had, or is another by now."""
    run, model = looked.comparison.candidate, looked.model
    settings = dataclasses.replace(placed(run.config, config.paths), models={model: run.config.models[model]})
    adapter = load_models(settings).adapters[model]
    if adapter.checkpoint.sha256 != run.sha256(model):
        raise ModelError(f"{run.config.models[model].checkpoint} is no longer the checkpoint that was audited")
    return adapter


def _shown(looked: Looked, config: AuditConfig) -> _Shown:
    """Raises StoreError where the store has lost a picture."""
    cells = looked.cells[looked.cells[PRESENCE] == OBJECT]
    ids = sorted(set(cells["scene_id"]))
    labels = LABELS.read(looked.comparison.candidate.folder).set_index("scene_id")["label"]
    store = parts.store(config)
    row_of = {scene_id: row for row, scene_id in enumerate(ids)}
    return _Shown(
        images=np.stack([store.picture(i) for i in ids]),
        label=np.stack(labels.loc[ids].to_list()),
        cells=cells["cell_id"].to_numpy(),
        rows=cells["scene_id"].map(row_of).to_numpy(dtype=np.int64),
    )


def _answers(looked: Looked, adapter: Adapter, shown: _Shown, config: AuditConfig) -> dict[Gate, Floats]:
    """The task metrics over all scenes of a network that is asked anew."""
    task, rows = adapter.task, shown.rows
    logits = adapter.logits(shown.images, config.attribution.batch)
    probability, label = task.probability(logits)[rows], shown.label[rows]
    scores = task.score(logits[rows], probability, label, label == 1, adapter.threshold)
    predictions = scores.assign(model=looked.model, cell_id=shown.cells[scores["row"].to_numpy(dtype=int)])
    said = Answers(predictions, _NOTHING, _NOTHING.drop(columns="place"), ATTENTION.empty(), ("-",))
    return overall(looked.model, said, looked.layout, config.comparison.margins)


def _others(looked: Looked, adapter: Adapter, size: Sequence[int]) -> list[Feeding]:
    """Single changes, those that change something: without resizing a kernel is of no matter."""
    own = adapter.preprocessing
    is_resized = tuple(size) != (own.height, own.width)
    found = [f for f in feedings(own) if is_resized or f.kind != "resize"]
    was = looked.entries[1].get("preprocessing")
    if isinstance(was, Mapping):
        before = Preprocessing.from_config(PreprocessingConfig(**was))
        if before not in (own, *(f.preprocessing for f in found)):
            found.append(Feeding("as the baseline is", "baseline", "", before))
    return found


def _best(
    looked: Looked, tried: Sequence[Gate], answers: Mapping[str, Mapping[Gate, Floats]], config: AuditConfig
) -> str | None:
    """The feeding that explains the worsening, by the rule above."""
    of = looked.layout.object_of
    p, left = [], {}
    for name, found in answers.items():
        gains = {g: per_block(worse(g, found[g], looked.candidate[g])) for g in tried}
        tests = [exceeds_over_objects(gain, 0.0, of, _width(g)).p for g, gain in gains.items()]
        p.append(max(t if np.isfinite(t) else 1.0 for t in tests))
        now = {g: mean_over_objects(per_block(worse(g, looked.baseline[g], v)), of) for g, v in found.items()}
        was = {g: mean_over_objects(per_block(worse(g, looked.baseline[g], looked.candidate[g])), of) for g in tried}
        beyond = any(now[g] > config.comparison.margins[g.metric] for g in now if g not in tried)
        left[name] = float("inf") if beyond else max(now[g] / was[g] for g in tried)
    held = dict(zip(answers, holm(np.array(p, dtype=np.float64)), strict=True))
    explain = [n for n in answers if held[n] <= config.comparison.alpha and left[n] <= LEFT]
    return min(explain, key=lambda n: left[n], default=None)


def _told(looked: Looked, gate: Gate, feeding: Feeding, answers: Mapping[Gate, Floats]) -> Explanation:
    of = looked.layout.object_of
    was, now, baseline = (
        mean_over_objects(per_block(values[gate]), of) for values in (looked.candidate, answers, looked.baseline)
    )
    phrase = PHRASES.get(gate.metric, f"{SPECS[gate.metric].title} is {{value}}").removeprefix("the network ")
    told = phrase.format(value=_value(now, gate.metric))
    what = _KINDS.get(feeding.kind, "preprocessing")
    who = "it " if phrase != PHRASES.get(gate.metric) else ""
    settings = " ".join(f"models.{looked.model}.{text}" for text in feeding.setting.split())
    return Explanation(
        FEEDING,
        (feeding.name,),
        f"{looked.model}: fed with {feeding.name} {who}{told} instead of {_value(was, gate.metric)} (baseline"
        f" {_value(baseline, gate.metric)}): its {what} is probably not the configured one"
        + (f"; setting: {settings}" if settings else ""),
    )


def _width(gate: Gate) -> tuple[float, float]:
    low, high = reach(gate)
    return low - high, high - low


def _value(value: float, metric: str) -> str:
    """With a decimal more than elsewhere: what is compared here may be close together."""
    is_share = SPECS[metric].unit in ("share", "probability") and metric != "brier"
    return f"{100 * value:.1f} %" if is_share else f"{value:.3f}"
