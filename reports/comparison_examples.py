"""The scenes that changed most between two runs, for each alarm and each new finding, seen through both checkpoints.

Chosen to be looked at, by sorting what the tables hold cell by cell; the gates count all scenes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.metrics.effect_specs import EFFECT_SPECS
from audit.metrics.operating_points import PLACES
from reports import words
from reports.comparison_gates import gate_name
from reports.comparison_record import CONDITION, CONFIRMED, PLACE, REGRESSION, ComparisonRecord, Pairing
from reports.levels import parse_contrast
from reports.numbers import difference, interval, number
from reports.pictures import Picture
from reports.run_record import RunRecord
from reports.scene_views import MISTAKEN, TRUE, Gallery, Pane, SceneView
from scenes.design import OBJECT, PRESENCE

MAX_QUESTIONS = 12  # alarms and findings that are pictured, most urgent first
MAX_SCENES = 4
_ALARM = "Alarm: "
_RESPONSES = {  # effect of an intervention -> what it is an effect on, of either task
    "object_effect": ("target_alarm", "target_probability"),
    "shadow_alarm": ("sensor_alarm",),
}
_FINE = {"proximity": "brier", words.CLASSIFICATION: "target_probability"}  # tells equally bad scenes apart
_FACTS = {"proximity": (), words.CLASSIFICATION: ("target_probability", "logit_margin")}


@dataclass(frozen=True)
class Question:
    """What examples are sought for. levels: which cells; presence: which arm; is_lower_better: of the metric, where it
    is asked for an effect; why: how the scenes were chosen, where not by the metric itself."""

    model: str
    title: str
    metric: str
    levels: Mapping[str, str]
    presence: str = "object"
    is_lower_better: bool = True
    place: str = ""
    target: str = TRUE
    why: str = ""


@dataclass(frozen=True)
class Chosen:
    """A scene, and the metric in it at the baseline and at the candidate."""

    row: pd.Series
    before: float
    after: float


@dataclass(frozen=True)
class Side:
    """One checkpoint's view of a scene: its map, or why there is none, and what it answered."""

    overlay: Pane | None
    note: str
    answer: SceneView


@dataclass(frozen=True)
class Example:
    """One scene through both. picture: with the true masks, or None and `note` says why; scale: of both maps."""

    heading: str
    picture: Picture | None
    note: str
    baseline: Side
    candidate: Side
    scale: str


@dataclass(frozen=True)
class Pictured:
    """One alarm or finding with its scenes. also: alarms that the same scenes show."""

    title: str
    model: str
    how: str
    examples: tuple[Example, ...]
    also: tuple[str, ...] = ()


@dataclass
class GalleryPair:
    """The pictures of one pairing, from both runs."""

    pairing: Pairing
    baseline: Gallery
    candidate: Gallery


def pictured(record: ComparisonRecord, galleries: Mapping[str, GalleryPair]) -> tuple[list[Pictured], list[str]]:
    """The alarms and new findings with scenes, at most MAX_QUESTIONS; and the titles of those beyond."""
    found: dict[tuple[str, ...], Pictured] = {}
    beyond: list[str] = []
    for question in _questions(record):
        pair = galleries[question.model]
        chosen = worst_cells(pair.pairing, question)
        key = (question.model, question.metric, question.target, *(str(scene.row["cell_id"]) for scene in chosen))
        if key in found and chosen:
            found[key] = replace(found[key], also=(*found[key].also, question.title.removeprefix(_ALARM)))
        elif len(found) >= MAX_QUESTIONS:
            beyond.append(question.title)
        else:
            examples = tuple(_example(pair, question, scene) for scene in chosen)
            found[key if chosen else (question.title,)] = Pictured(
                question.title, question.model, _how(question, chosen, pair.pairing.candidate), examples
            )
    return list(found.values()), beyond


def worst_cells(pairing: Pairing, question: Question) -> list[Chosen]:
    """The scenes in which the candidate is most worse, worst first, one of each block, at most MAX_SCENES."""
    cells = pairing.shared
    if PRESENCE in cells:
        cells = cells[cells[PRESENCE] == question.presence]
    for factor, level in question.levels.items():
        if factor in cells:
            cells = cells[cells[factor].astype(str) == level]
    found = _paired(pairing, question, cells)
    fine = _FINE.get(pairing.candidate.task, question.metric)
    finer = _paired(pairing, replace(question, metric=fine, place="", is_lower_better=_is_lower_better(fine)), cells)
    by_cell = cells["cell_id"]
    ranked = cells.assign(worse=by_cell.map(found["worse"]), finer=by_cell.map(finer["worse"]).fillna(0.0))
    ranked = ranked[ranked["worse"] > 0].sort_values(
        ["worse", "finer", "cell_id"], ascending=[False, False, True], kind="stable"
    )
    shown = ranked.drop_duplicates("block_id").head(MAX_SCENES)
    ends = found.loc[list(shown["cell_id"])]
    rows = (row for _, row in shown.drop(columns=["worse", "finer"]).iterrows())
    return [Chosen(row, float(b), float(a)) for row, b, a in zip(rows, ends["before"], ends["after"], strict=True)]


def _questions(record: ComparisonRecord) -> Iterator[Question]:
    """Of the alarms, those that fresh scenes confirm and then the required ones first, then of the new findings that no
    alarm is about."""
    gates = record.gates
    alarmed = gates[gates["is_gate"] & (gates["verdict"] == REGRESSION)]
    first = ["is_confirmed", "is_required", "size"]
    ranked = alarmed.assign(
        is_confirmed=alarmed["confirmed"] == CONFIRMED, size=alarmed["difference"] / alarmed["margin"]
    ).sort_values(first, ascending=False, kind="stable")
    asked = set()
    for _, row in ranked.iterrows():
        yield _of_gate(row, record.pairings[str(row["model"])])
        asked.add((str(row["model"]), str(row["metric"]), str(row["where"])))
    for _, row in record.states[record.states["state"] == "new"].iterrows():
        if (str(row["model"]), str(row["metric"]), str(row["condition"])) in asked:
            continue
        yield _of_finding(row)


def _of_gate(row: pd.Series, pairing: Pairing) -> Question:
    metric, kind, where = str(row["metric"]), str(row["kind"]), str(row["where"])
    known = words.metric(metric)
    change = difference(row["difference"], known.percent, fine=True)
    change += f" {interval(row['ci_low'], row['ci_high'], known.percent, fine=True)}"
    question = Question(
        model=str(row["model"]),
        title=f"{_ALARM}{gate_name(row)}, worse by {change}",
        metric=metric,
        levels=parse_contrast(where) if kind == CONDITION else {},
        is_lower_better=known.lower_is_better,
        target=_target(metric),
    )
    if kind == PLACE:
        is_object = where in pairing.candidate.objects
        return replace(question, levels={OBJECT: where}) if is_object else replace(question, place=where)
    if kind == "matched":
        return replace(question, why="at each checkpoint's own threshold")
    if metric not in EFFECT_SPECS:
        return question
    predicted = set(pairing.candidate.frame("predictions")["metric"])
    response = next((m for m in _RESPONSES[metric] if m in predicted), metric)
    is_shadow = metric == "shadow_alarm"
    return replace(
        question,
        metric=response,
        presence="ghost" if is_shadow else "object",
        target=MISTAKEN if is_shadow else TRUE,
        why=f"by {words.metric(response).title}, {'at the shadow alone' if is_shadow else 'with object and shadow'}",
    )


def _of_finding(row: pd.Series) -> Question:
    metric = str(row["metric"])
    return Question(
        model=str(row["model"]),
        title=f"New failure condition: {words.metric(metric).title} under {row['condition']}",
        metric=metric,
        levels=parse_contrast(str(row["condition"])),
        is_lower_better=_is_lower_better(metric),
        target=_target(metric),
    )


def _target(metric: str) -> str:
    """Whose map is shown: of what was taken for an obstacle where false alarms are asked about."""
    return MISTAKEN if metric.startswith(("sensor_false_alarm", "scene_false_alarm")) else TRUE


def _is_lower_better(metric: str) -> bool:
    return words.metric(metric).lower_is_better


def _paired(pairing: Pairing, question: Question, cells: pd.DataFrame) -> pd.DataFrame:
    """before, after, and by how much the candidate is worse; by cell_id, of cells where both have a value."""
    before = _scores(pairing.baseline, pairing.old, question, cells)
    after = _scores(pairing.candidate, pairing.model, question, cells)
    both = pd.concat({"before": before, "after": after}, axis=1).dropna()
    sign = 1.0 if question.is_lower_better else -1.0
    return both.assign(worse=sign * (both["after"] - both["before"]))


def _scores(record: RunRecord, model: str, question: Question, cells: pd.DataFrame) -> pd.Series:
    """cell_id -> the metric in one run: of one sensor, of the whole scene, or of its map on the object."""
    if question.place:
        return _of_place(record, model, question, cells)
    frame = record.frame("predictions")
    mine = frame[(frame["model"] == model) & (frame["metric"] == question.metric)]
    if len(mine):
        return mine.set_index("cell_id")["value"].reindex(cells["cell_id"])
    values = [record.value(model, question.metric, record.primary_method, "object", row) for _, row in cells.iterrows()]
    return pd.Series(values, index=cells["cell_id"], dtype=float)


def _of_place(record: RunRecord, model: str, question: Question, cells: pd.DataFrame) -> pd.Series:
    known = []
    for _, row in cells.iterrows():
        answer, truth = record.response(model, str(row["scene_id"])), record.label(str(row["scene_id"]))
        if answer is not None and truth is not None:
            known.append((str(row["cell_id"]), answer, truth))
    if not known or record.task not in PLACES:
        return pd.Series(dtype=float)
    names = [name for name, _, _ in known]
    probability, label = (np.stack([entry[i] for entry in known]) for i in (1, 2))
    scored = PLACES[record.task]
    rows = scored(probability.astype(np.float64), label, record.threshold(model), record.horizon)
    mine = rows[(rows["metric"] == question.metric) & (rows["place"] == question.place)]
    return pd.Series(mine["value"].to_numpy(), index=[names[i] for i in mine["row"]], dtype=float)


def _example(pair: GalleryPair, question: Question, scene: Chosen) -> Example:
    pairing, row = pair.pairing, scene.row
    before = pairing.rows_before[str(row["cell_id"])]
    views = (
        ("baseline", pair.baseline, pairing.old, before),
        ("candidate", pair.candidate, pairing.model, row),
    )
    picture, note = pair.candidate.outlined(row)
    top = max(gallery.peak(model, at, question.target) for _, gallery, model, at in views)
    metrics = _FACTS.get(pairing.candidate.task, ())
    sides = {}
    for side, gallery, model, at in views:
        overlay, why = gallery.compared(model, at, side, question.target, top)
        sides[side] = Side(overlay, why, gallery.answered(model, at, metrics))
    return Example(
        heading=_heading(pairing.candidate, question, scene),
        picture=picture,
        note=note,
        baseline=sides["baseline"],
        candidate=sides["candidate"],
        scale=f"both maps from 0 to {top:.2g}" if top > 0 else "",
    )


def _heading(record: RunRecord, question: Question, scene: Chosen) -> str:
    """'Scene seed 72 (box at 19 cm), light=back: missed sensors 0 % to 50 %'."""
    row, known = scene.row, words.metric(question.metric)
    levels = {f: str(row[f]) for f in record.levels if f in row}
    arm = {"ghost": ", its shadow alone", "empty": ", empty floor"}.get(str(row.get(PRESENCE, "object")), "")
    block = words.block(str(row["block_id"]))
    at = words.capital(block) if record.objects else f"Scene seed {row['block_id']} ({_seen(row)})"
    ends = f"{number(scene.before, known.percent)} to {number(scene.after, known.percent)}"
    if question.place:
        ends = "no to yes" if scene.after > scene.before else "yes to no"
    title = f"{known.title}, {words.thing(question.place)} only:" if question.place else known.title
    return f"{at}, {record.told_apart(levels)}{arm}: {title} {ends}"


def _seen(row: pd.Series) -> str:
    distance = float(row["distance_m"])
    return f"{row['shape']} at {100 * distance:.0f} cm" if not math.isnan(distance) else "no obstacle in the picture"


def _how(question: Question, chosen: list[Chosen], record: RunRecord) -> str:
    why = f", {question.why}" if question.why else ""
    if not chosen:
        return f"No single scene that both runs hold is worse{why}."
    told = "The scene that worsened most" if len(chosen) == 1 else f"The {len(chosen)} scenes that worsened most"
    return f"{told}, one of each {'pose' if record.objects else 'scene seed'}{why}."
