"""Predicting: every usable scene through every network that is shown it, once, and the task's scores per cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from audit import parts
from audit.config import AuditConfig
from audit.models.adapter import Adapter
from audit.models.task import Task
from audit.tables import ANSWERS, AUC, CONDITION_AUC, LABELS, PREDICTIONS, RESPONSES, TAKEN_FOR
from scenes.manifest import SCENES, laid_together, of_set
from scenes.planning import Planned

WRITTEN = (RESPONSES, PREDICTIONS, ANSWERS, TAKEN_FOR, AUC, CONDITION_AUC)


def predict(config: AuditConfig, planned: Sequence[Planned], adapters: Mapping[str, Adapter], folder: Path) -> None:
    """Write the tables of WRITTEN: `auc` is at the control condition, `condition_auc` and `taken_for` of each."""
    scenes, labels = SCENES.read(folder), LABELS.read(folder).set_index("scene_id")
    names = scenes.attrs["factors"]
    made: dict[str, list[pd.DataFrame]] = {table.name: [] for table in WRITTEN}
    for scene_set in dict.fromkeys(a.task.scene_set for a in adapters.values()):
        shown = of_set(scenes, scene_set)
        usable = shown[shown["status"] == "ok"].reset_index(drop=True)
        usable.attrs["factors"] = shown.attrs["factors"]
        ids = sorted(set(usable["scene_id"]))
        store = parts.store(config)
        images = np.stack([store.picture(i) for i in ids]) if ids else np.empty((0, 1, 1, 3), np.uint8)
        for name, adapter in adapters.items():
            if adapter.task.scene_set == scene_set:
                target = _targets(planned, usable["cell_id"], adapter.task)
                frames = _of_model(config, adapter, usable, ids, images, labels, target)
                for written, frame in frames.items():
                    made[written].append(frame.assign(model=name))
    for table in WRITTEN:
        factors = names if table.has_factors else ()
        table.write(laid_together(table, made[table.name], factors), folder, factors=factors, csv=table.has_factors)


def _of_model(
    config: AuditConfig,
    adapter: Adapter,
    usable: pd.DataFrame,
    ids: Sequence[str],
    images: np.ndarray,
    labels: pd.DataFrame,
    target: np.ndarray,
) -> dict[str, pd.DataFrame]:
    """What one network made of the scenes `ids`, and of the cells `usable` that show them: table name -> rows."""
    task = adapter.task
    logits = adapter.logits(images, config.attribution.batch)
    probability = task.probability(logits)
    truth = stacked(labels.loc[list(ids), "label"], task)
    row_of = {scene_id: row for row, scene_id in enumerate(ids)}
    rows = usable["scene_id"].map(row_of).to_numpy(dtype=int)
    scores = task.score(logits[rows], probability[rows], truth[rows], target, adapter.threshold)
    answers = task.answers(probability, truth)
    answers = answers.assign(scene_id=np.array(ids, dtype=object)[answers.pop("row").to_numpy(dtype=int)])
    return {
        RESPONSES.name: pd.DataFrame({"scene_id": ids, "probability": list(probability)}),
        PREDICTIONS.name: scores.assign(cell_id=usable["cell_id"].to_numpy()[scores.pop("row").to_numpy(dtype=int)]),
        ANSWERS.name: answers,
        TAKEN_FOR.name: _taken_for(answers, usable),
        AUC.name: _control_table(config, usable, probability[rows], truth[rows], labels["in_view"], task),
        CONDITION_AUC.name: _condition_scores(usable, probability[rows], truth[rows], task),
    }


def stacked(labels: pd.Series, task: Task) -> np.ndarray:
    """(N, K) int8 of a column of labels."""
    return np.stack(labels.to_list()) if len(labels) else np.empty((0, task.outputs), np.int8)


def _targets(planned: Sequence[Planned], cells: pd.Series, task: Task) -> np.ndarray:
    """(N, K) bool: the outputs that are true of the block's own object, the same for all arms and conditions."""
    mine = [p for p in planned if p.scene_set == task.scene_set]
    true = {p.cell.block: p.obstacles for p in mine}
    positive = {block: task.label(objects) == 1 for block, objects in true.items()}
    block_of = {p.cell_id: p.cell.block for p in mine}
    found = [positive[block_of[c]] for c in cells]
    return np.stack(found) if found else np.empty((0, task.outputs), bool)


def _taken_for(answers: pd.DataFrame, usable: pd.DataFrame) -> pd.DataFrame:
    """What was named first in how many scenes of each condition with an object; no rows for a task without names."""
    names = list(usable.attrs["factors"])
    first = answers[answers["rank"] == 1]
    if not len(first):
        return pd.DataFrame()
    shown = usable[usable["presence"] == "object"].merge(first, on="scene_id")
    alike = shown.groupby([*names, "answer", "is_right"], sort=True)["probability"]
    counted = alike.agg(["size", "mean"]).reset_index()
    of = shown.groupby(names, sort=True)["cell_id"].size().rename("of").reset_index()
    counted = counted.merge(of, on=names).rename(columns={"size": "scenes", "mean": "mean_probability"})
    rounded = counted["mean_probability"].round(6)  # the last bits of a mean depend on where memory lies
    return counted.assign(share=counted["scenes"] / counted.pop("of"), mean_probability=rounded)


def _control_table(
    config: AuditConfig,
    usable: pd.DataFrame,
    probability: np.ndarray,
    label: np.ndarray,
    in_view: pd.Series,
    task: Task,
) -> pd.DataFrame:
    """The task's table over the scenes at control, if it has one."""
    names = list(usable.attrs["factors"])
    control = parts.design(config, task.scene_set).control
    held = {f: control[f] for f in names if f in control}
    at = np.ones(len(usable), dtype=bool)
    for factor, level in held.items():
        at &= (usable[factor] == level).to_numpy()
    shown = in_view.loc[usable.loc[at, "scene_id"]].to_list()
    seen = np.stack(shown) if shown else np.empty((0, task.outputs), bool)
    return task.control_table(probability[at], label[at], seen).assign(**held)


def _condition_scores(usable: pd.DataFrame, probability: np.ndarray, label: np.ndarray, task: Task) -> pd.DataFrame:
    """Scores that no scene has alone, of every condition with objects."""
    names = list(usable.attrs["factors"])
    rows = []
    for levels, group in usable[usable["presence"] == "object"].groupby(names, sort=True):
        where = group.index.to_numpy()
        found = task.condition_scores(probability[where], label[where])
        rows += [{**dict(zip(names, levels, strict=True)), **found}] if found else []
    return pd.DataFrame(rows)
