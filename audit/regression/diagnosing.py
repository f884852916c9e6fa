"""Diagnosing: after an alarm, what would explain it. Asks the candidate again, fed otherwise; renders nothing.

In the order in which they are said, of each model that alarmed, and last what explains nothing:
- preprocessing: the runs feed it differently. With equal weights there is nothing else to look for.
- feeding: a single change of its preprocessing (audit.models.feeding) takes the worsening away. What is looked at are
  the task metrics over all scenes that alarmed; where none did, those that are worse for certain. A feeding explains
  them where the candidate is better so than as configured, in all of them, for certain: the largest of their paired
  one-sided p, after Holm over the feedings, is at most alpha; where no more than a third of the worsening of any is
  left; and where no other task metric lies beyond its margin. Of several the one that leaves least.
- place: all places that alarmed, while no other is worse for certain. Where it is no such matter of few places: at how
  many places, and in how many conditions, it is worse; everywhere, where that is more than half of the places for
  certain and three quarters of the conditions in the mean.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from audit import parts
from audit.analysis import gates
from audit.analysis.gate_measures import OVERALL, PLACE, Answers, Gate, gate_measures, is_lower_better, reach
from audit.analysis.gates import Compared
from audit.analysis.layout import OBJECT, PRESENCE, Floats, Ints, Layout, defined_mean, per_block
from audit.analysis.objects import mean_over_objects
from audit.analysis.sentences import PHRASES
from audit.analysis.significance import exceeds_over_objects, holm
from audit.config import AuditConfig, PreprocessingConfig
from audit.loading import load_models
from audit.metrics.arrays import Integers, Pixels, Texts
from audit.metrics.specs import SPECS
from audit.models.adapter import Adapter
from audit.models.errors import ModelError, WeightsUnavailable
from audit.models.feeding import Feeding, fed, feedings
from audit.models.preprocessing import Preprocessing
from audit.regression.auditing import Auditor, placed
from audit.regression.comparing import Comparison, asked, shared_cells
from audit.regression.wording import change, gate_name, several
from audit.stages import gating
from audit.tables import ATTENTION, LABELS
from scenes.design import DesignError
from scenes.store import StoreError

PREPROCESSING, FEEDING, NO_FEEDING, NOT_FED = "preprocessing", "feeding", "no feeding", "not fed otherwise"
PLACES, EVERYWHERE, SPREAD = "place", "everywhere", "spread"
LEFT = 1 / 3  # of a worsening, at most, under the feeding that explains it
MOST_PLACES, MOST_CONDITIONS = 1 / 2, 3 / 4

_KINDS = {"channels": "channel order", "resize": "resize kernel", "normalisation": "normalisation"}
_NOTHING = pd.DataFrame({name: pd.Series(dtype=str) for name in ("cell_id", "metric", "place")} | {"value": [] * 0})


@dataclass(frozen=True)
class Explanation:
    """kind: one of the names above. names: the feeding, or the places. sentence: for the reader, with its numbers."""

    kind: str
    names: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class _Looked:
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
        ours, theirs = self.entries
        return bool(ours.get("sha256")) and ours.get("sha256") == theirs.get("sha256")

    @property
    def entries(self) -> tuple[Mapping[str, object], Mapping[str, object]]:
        """The model in run.json of the candidate and of the baseline."""
        found = self.comparison
        return found.candidate.models[self.model], found.baseline.models[found.models[self.model]]


@dataclass(frozen=True)
class _Shown:
    """The shared scenes that show the object: images uint8 (N, H, W, 3), label (N, K). Of each cell its id, cells (M,),
    and which scene it is, rows (M,)."""

    images: Pixels
    label: Integers
    cells: Texts
    rows: Ints


def diagnose(comparison: Comparison, config: AuditConfig, auditor: Auditor) -> tuple[str, ...]:
    """What would explain the alarms, a sentence each; () without an alarm, or with comparison.diagnose=false.

    auditor is not asked: other feedings need answers to scenes that are there, and no audit.
    """
    if not config.comparison.diagnose:
        return ()
    return tuple(e.sentence for e in explanations(comparison, config))


def explanations(comparison: Comparison, config: AuditConfig) -> tuple[Explanation, ...]:
    """The same with what each is about, model by model."""
    found: list[Explanation] = []
    for model in comparison.alarms:
        looked = _looked(comparison, model, config)
        otherwise = _preprocessing(looked)
        refed = [] if otherwise and looked.is_same_network else _feeding(looked, config)
        found += sorted([*otherwise, *refed, *_places(looked)], key=lambda e: e.kind in (NO_FEEDING, NOT_FED))
    return tuple(found)


def _looked(comparison: Comparison, model: str, config: AuditConfig) -> _Looked:
    baseline, candidate = comparison.baseline, comparison.candidate
    _, cells = shared_cells(baseline, candidate, str(candidate.models[model]["scene_set"]))
    layout = gating.layout_of(candidate.config, str(candidate.models[model]["scene_set"]), cells)
    sides = []
    for run, name in ((baseline, comparison.models[model]), (candidate, model)):
        found = gating.answers(run.folder, asked(run, name), layout, with_maps=False)
        sides.append(_overall(name, found, layout, config.comparison.margins))
    return _Looked(comparison, model, layout, cells, sides[0], sides[1])


def _overall(model: str, answers: Answers, layout: Layout, margins: Mapping[str, float]) -> dict[Gate, Floats]:
    found = gate_measures(model, answers, layout, margins, {})
    return {gate: values for gate, values in found.items() if gate.kind == OVERALL}


def _preprocessing(looked: _Looked) -> list[Explanation]:
    told = [n for n in looked.comparison.notes if n.startswith(f"{looked.model} is fed otherwise than its baseline")]
    same = "; the weights are the same, so it is this that makes the difference" if looked.is_same_network else ""
    return [Explanation(PREPROCESSING, (), told[0].removesuffix(".") + same)] if told else []


def _feeding(looked: _Looked, config: AuditConfig) -> list[Explanation]:
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


def _worsened(looked: _Looked) -> list[Gate]:
    """The task metrics over all scenes that alarmed, else those that are worse for certain; worst for its margin
    first."""
    rows = sorted((c for c in looked.rows if c.gate.kind == OVERALL), key=_by_margin, reverse=True)
    alarmed = [c.gate for c in rows if c.verdict == gates.REGRESSION]
    return alarmed or [c.gate for c in rows if c.difference[1] > 0]


def _adapter(looked: _Looked, config: AuditConfig) -> Adapter:
    """The candidate's network. Raises ModelError where it cannot be had, or is another by now."""
    run, model = looked.comparison.candidate, looked.model
    settings = dataclasses.replace(placed(run.config, config.paths), models={model: run.config.models[model]})
    try:
        adapter = load_models(settings).adapters[model]
    except WeightsUnavailable as error:
        raise ModelError(error.reason) from error
    if adapter.checkpoint.sha256 != run.sha256(model):
        raise ModelError(f"{run.config.models[model].checkpoint} is no longer the checkpoint that was audited")
    return adapter


def _shown(looked: _Looked, config: AuditConfig) -> _Shown:
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


def _answers(looked: _Looked, adapter: Adapter, shown: _Shown, config: AuditConfig) -> dict[Gate, Floats]:
    """The task metrics over all scenes of a network that is asked anew."""
    task, rows = adapter.task, shown.rows
    logits = adapter.logits(shown.images, config.attribution.batch)
    probability, label = task.probability(logits)[rows], shown.label[rows]
    scores = task.score(logits[rows], probability, label, label == 1, adapter.threshold)
    predictions = scores.assign(model=looked.model, cell_id=shown.cells[scores["row"].to_numpy(dtype=int)])
    said = Answers(predictions, _NOTHING, _NOTHING.drop(columns="place"), ATTENTION.empty(), ("-",))
    return _overall(looked.model, said, looked.layout, config.comparison.margins)


def _others(looked: _Looked, adapter: Adapter, size: Sequence[int]) -> list[Feeding]:
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
    looked: _Looked, tried: Sequence[Gate], answers: Mapping[str, Mapping[Gate, Floats]], config: AuditConfig
) -> str | None:
    """The feeding that explains the worsening, by the rule above."""
    of = looked.layout.object_of
    p, left = [], {}
    for name, found in answers.items():
        gains = {g: per_block(_worse(g, found[g], looked.candidate[g])) for g in tried}
        tests = [exceeds_over_objects(gain, 0.0, of, _width(g)).p for g, gain in gains.items()]
        p.append(max(t if np.isfinite(t) else 1.0 for t in tests))
        now = {g: mean_over_objects(per_block(_worse(g, looked.baseline[g], v)), of) for g, v in found.items()}
        was = {g: mean_over_objects(per_block(_worse(g, looked.baseline[g], looked.candidate[g])), of) for g in tried}
        beyond = any(now[g] > config.comparison.margins[g.metric] for g in now if g not in tried)
        left[name] = float("inf") if beyond else max(now[g] / was[g] for g in tried)
    held = dict(zip(answers, holm(np.array(p, dtype=np.float64)), strict=True))
    explain = [n for n in answers if held[n] <= config.comparison.alpha and left[n] <= LEFT]
    return min(explain, key=lambda n: left[n], default=None)


def _told(looked: _Looked, gate: Gate, feeding: Feeding, answers: Mapping[Gate, Floats]) -> Explanation:
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


def _places(looked: _Looked) -> list[Explanation]:
    """Few places, or everywhere."""
    rows = [c for c in looked.rows if c.gate.kind == PLACE]
    every = list(dict.fromkeys(c.gate.where for c in rows))
    alarmed = [w for w in every if any(c.verdict == gates.REGRESSION for c in rows if c.gate.where == w)]
    certain = [w for w in every if any(c.difference[1] > 0 for c in rows if c.gate.where == w)]
    words = ("object", "objects") if looked.layout.objects else ("sensor", "sensors")
    if alarmed and len(alarmed) < len(every) and set(certain) <= set(alarmed):
        return [_confined(looked, rows, alarmed, words)]
    condition, of = _worse_conditions(looked)
    spread = f"in {condition} of {several(of, ('condition', 'conditions'))}"
    if not every:
        return [Explanation(SPREAD, (), f"{looked.model}: worse {spread}")]
    names = f" ({', '.join(w.replace('_', ' ') for w in certain)})" if 0 < len(certain) < len(every) else ""
    at = f"at {len(certain)} of {several(len(every), words)} for certain{names}"
    is_all = len(certain) > MOST_PLACES * len(every) and condition >= MOST_CONDITIONS * of
    kind, said = (EVERYWHERE, "worse everywhere, no one place:") if is_all else (SPREAD, "worse")
    return [Explanation(kind, tuple(certain), f"{looked.model}: {said} {at}, and {spread}")]


def _confined(looked: _Looked, rows: Sequence[Compared], at: list[str], words: tuple[str, str]) -> Explanation:
    worst = [max((c for c in rows if c.gate.where == w), key=_by_margin) for w in at]
    others = [c for c in rows if c.gate.where not in at]
    if all(c.note == gates.IDENTICAL for c in others):
        rest = "the others answer as before"
    elif all(c.verdict == gates.PASS for c in others):
        rest = "the others are within their margins"
    else:
        rest = "of the others none is worse for certain"
    told = ", ".join(f"{gate_name(_row(c))} {change(_row(c))}" for c in worst)
    named = " and ".join(w.replace("_", " ") for w in at)
    is_are = f"{words[0]} {named} is" if len(at) == 1 else f"{words[1]} {named} are"
    return Explanation(PLACES, tuple(at), f"{looked.model}: only {is_are} worse: {told}; {rest}")


def _worse_conditions(looked: _Looked) -> tuple[int, int]:
    """In how many conditions the task metric that suffers most is worse in the mean, and of how many."""
    rows = [c for c in looked.rows if c.gate.kind == OVERALL and c.gate in looked.baseline]
    if not rows:
        return 0, 0
    gate = max(rows, key=_by_margin).gate
    mean = defined_mean(_worse(gate, looked.baseline[gate], looked.candidate[gate]), (0,))
    return int((mean > 0).sum()), int(np.isfinite(mean).sum())


def _by_margin(c: Compared) -> float:
    """How much worse a gate is, in margins."""
    return c.difference[0] / max(c.margin, 1e-6)


def _worse(gate: Gate, was: Floats, now: Floats) -> Floats:
    """By how much `now` is worse than `was`, in the metric's unit."""
    return (1.0 if is_lower_better(gate.metric) else -1.0) * (now - was)


def _width(gate: Gate) -> tuple[float, float]:
    low, high = reach(gate)
    return low - high, high - low


def _value(value: float, metric: str) -> str:
    """With a decimal more than elsewhere: what is compared here may be close together."""
    is_share = SPECS[metric].unit in ("share", "probability") and metric != "brier"
    return f"{100 * value:.1f} %" if is_share else f"{value:.3f}"


def _row(c: Compared) -> dict[str, object]:
    """What `audit.regression.wording` reads of a row of GATES."""
    mean, low, high = c.difference
    gate = {"kind": c.gate.kind, "metric": c.gate.metric, "where": c.gate.where}
    return {**gate, "difference": mean, "ci_low": low, "ci_high": high}
