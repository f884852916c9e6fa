"""Predicting: every usable scene through every network once, and the task's scores per cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from audit import parts
from audit.config import AuditConfig
from audit.metrics import sensor_events
from audit.metrics.concordance import auc, auc_table
from audit.models.adapter import Adapter
from audit.tables import AUC, CONDITION_AUC, LABELS, PREDICTIONS, RESPONSES
from scenes import proximity
from scenes.manifest import SCENES
from scenes.tabletop import Planned


def predict(config: AuditConfig, planned: Sequence[Planned], adapters: Mapping[str, Adapter], folder: Path) -> None:
    """Write `responses`, `predictions`, `auc` at control and `condition_auc` of every condition."""
    scenes, labels = SCENES.read(folder), LABELS.read(folder).set_index("scene_id")
    usable = scenes[scenes["status"] == "ok"]
    ids = sorted(set(usable["scene_id"]))
    store = parts.store(config)
    images = np.stack([store.read(i).rgb for i in ids]) if ids else np.empty((0, 1, 1, 3), np.uint8)
    row_of = {scene_id: row for row, scene_id in enumerate(ids)}
    rows = usable["scene_id"].map(row_of).to_numpy(dtype=int)
    label = np.stack(labels.loc[usable["scene_id"], "label"].to_list()) if len(usable) else np.empty((0, 155), np.int8)
    target = _targets(config, planned, usable["cell_id"])
    responses, predictions, tables, concordances = [], [], [], []
    for name, adapter in adapters.items():
        logits = adapter.logits(images, config.attribution.batch)
        probability = expit(logits.astype(np.float64)).astype(np.float32)
        responses.append(pd.DataFrame({"model": name, "scene_id": ids, "probability": list(probability)}))
        scores = sensor_events.score(
            probability[rows], label, adapter.threshold, config.robot.horizon, target=target, logits=logits[rows]
        )
        long = sensor_events.long(scores)
        cells = usable["cell_id"].to_numpy()[long.pop("row").to_numpy()]
        predictions.append(long.assign(model=name, cell_id=cells))
        by_condition, at_control = _areas(config, usable, probability[rows], label, labels)
        concordances.append(by_condition.assign(model=name))
        tables.append(at_control.assign(model=name))
    RESPONSES.write(pd.concat(responses, ignore_index=True), folder)
    PREDICTIONS.write(pd.concat(predictions, ignore_index=True), folder)
    names = scenes.attrs["factors"]
    AUC.write(pd.concat(tables, ignore_index=True), folder, factors=names, csv=True)
    CONDITION_AUC.write(pd.concat(concordances, ignore_index=True), folder, factors=names, csv=True)


def _targets(config: AuditConfig, planned: Sequence[Planned], cells: pd.Series) -> np.ndarray:
    """(N, 155) bool: the positive cells of the block's obstacle, the same for all arms and conditions of a block."""
    robot = parts.robot(config)
    blocks = {p.cell.block: p.obstacles for p in planned}
    positive = {b: proximity.labels(o, robot)[: robot.scored].reshape(-1) == 1 for b, o in blocks.items()}
    block_of = {p.cell_id: p.cell.block for p in planned}
    found = [positive[block_of[c]] for c in cells]
    return np.stack(found) if found else np.empty((0, 155), bool)


def _areas(
    config: AuditConfig, usable: pd.DataFrame, probability: np.ndarray, label: np.ndarray, labels: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Stratified AUC of every condition with objects, and the 31 x 5 table at control."""
    names = list(usable.attrs["factors"])
    shown = usable.reset_index(drop=True)
    rows = []
    for levels, group in shown[shown["presence"] == "object"].groupby(names, sort=True):
        where = group.index.to_numpy()
        rows.append({**dict(zip(names, levels, strict=True)), "auc": auc(probability[where], label[where])})
    control = parts.design(config).control
    at = np.ones(len(shown), dtype=bool)
    for name in names:
        at &= (shown[name] == control[name]).to_numpy()
    view = np.stack(labels.loc[shown["scene_id"][at], "in_view"].to_list()) if at.any() else np.empty((0, 155), bool)
    table = auc_table(probability[at], label[at], view)
    return pd.DataFrame(rows, columns=[*names, "auc"]), table.assign(**{name: control[name] for name in names})
