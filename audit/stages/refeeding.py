"""Preprocessing: some scenes of each network, fed otherwise; what is found goes into `preprocessing`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from audit import parts
from audit.config import AuditConfig
from audit.loading import Loaded
from audit.models.adapter import Adapter
from audit.preprocessing_audit import CONFIGURED, Shown, preprocessing_table, spread
from audit.schema import ConfigError
from audit.stages import rendering
from audit.stages.predicting import stacked
from audit.tables import LABELS, PREPROCESSING
from scenes.design import PRESENCE
from scenes.manifest import SCENES, of_set

OTHER = {"channels=bgr": "rgb", "channels=rgb": "bgr"}  # what is configured where this is another variant
EVEN_COLOURS = ("tabletop",)  # sets whose colours are drawn from all hues; the studio's objects have their own


@dataclass(frozen=True)
class _Candidate:
    scene_id: str
    block: str
    is_control: bool


def refeed(config: AuditConfig, adapters: Mapping[str, Adapter], folder: Path) -> None:
    """Write `preprocessing` from scenes that were rendered; without rows where preprocessing_audit.scenes is 0."""
    scenes, labels = SCENES.read(folder), LABELS.read(folder).set_index("scene_id")["label"]
    found = []
    for adapter in adapters.values():
        shown = of_set(scenes, adapter.task.scene_set)
        usable = shown[shown["status"] == "ok"]
        levels = [{str(f): str(v) for f, v in row.items()} for row in usable[shown.attrs["factors"]].to_dict("records")]
        at = zip(usable["scene_id"], usable["block_id"], levels, strict=True)
        chosen = _chosen(config, adapter.task.scene_set, at)
        truth = stacked(labels.loc[[c.scene_id for c in chosen]], adapter.task)
        found.append(_table(config, adapter, chosen, truth))
    PREPROCESSING.write(_laid_together(found), folder, csv=True)


def render_and_refeed(config: AuditConfig, loaded: Loaded) -> pd.DataFrame:
    """The table of PREPROCESSING; renders the scenes that it needs into the store and no others.

    Raises ConfigError where no scenes are asked for, DesignError for pictures.
    """
    if config.preprocessing_audit.scenes == 0:
        raise ConfigError("preprocessing_audit.scenes=0: there is nothing to compare; give a number of scenes")
    planned = {p.scene_id: p for p in parts.plan(config, loaded.scene_sets)}
    found = []
    for adapter in loaded.adapters.values():
        mine = [p for p in planned.values() if p.scene_set == adapter.task.scene_set]
        at = [(p.scene_id, p.cell.block, dict(p.cell.condition.levels)) for p in mine]
        chosen = _chosen(config, adapter.task.scene_set, at)
        failed = rendering.render_scenes(config, [planned[c.scene_id] for c in chosen]).failed
        there = [c for c in chosen if c.scene_id not in failed]
        truth = [adapter.task.label(planned[c.scene_id].spec.objects) for c in there]
        label = np.stack(truth) if truth else np.empty((0, adapter.task.outputs), np.int8)
        found.append(_table(config, adapter, there, label))
    return _laid_together(found)


def conclusions(table: pd.DataFrame) -> list[str]:
    """A sentence per model: which feeding is best, and by how much."""
    return [_conclusion(str(name), rows) for name, rows in table.groupby("model", sort=False)]


def better(table: pd.DataFrame) -> list[str]:
    """The same of the models alone that are better fed otherwise than configured."""
    is_else = table["is_best"] & (table["variant"] != CONFIGURED)
    return conclusions(table[table["model"].isin(table.loc[is_else, "model"])])


def printed(table: pd.DataFrame) -> str:
    """The table for the terminal: what each model is judged by, a line per variant, the reasons of those without
    numbers below."""
    judges = set(table.loc[table["is_judge"], "metric"])
    lines = table[table["is_judge"] | ((table["variant"] == CONFIGURED) & table["metric"].isin(judges))].copy()
    lines["verdict"] = np.select([lines["is_better"], lines["is_worse"]], ["better", "worse"], "-")
    shown = ["model", "variant", "pictures", "metric", "flipped", "mean", "difference", "ci_low", "ci_high", "blocks"]
    text = lines[[*shown, "verdict"]].to_string(index=False, na_rep="-", float_format=lambda v: f"{v:.3f}")
    bare = table[table["scenes"] == 0]
    return "\n".join([text, *(f"{r.model}, {r.variant}: {r.reason}" for r in bare.itertuples())])


def _chosen(
    config: AuditConfig, scene_set: str, cells: Iterable[tuple[str, str, Mapping[str, str]]]
) -> list[_Candidate]:
    """Of cells (scene_id, block, levels) those with an object that are shown: each block's control condition first."""
    control = parts.design(config, scene_set).control
    found: dict[str, _Candidate] = {}
    for scene_id, block, levels in cells:
        if levels.get(PRESENCE, "object") == "object":
            at_control = all(levels[f] == level for f, level in control.items() if f in levels)
            found.setdefault(scene_id, _Candidate(scene_id, block, at_control))
    candidates = list(found.values())
    order = [hashlib.sha256(f"{config.seed}|preprocessing|{c.scene_id}".encode()).hexdigest() for c in candidates]
    blocks, is_control = [c.block for c in candidates], [c.is_control for c in candidates]
    return [candidates[i] for i in spread(blocks, is_control, order, config.preprocessing_audit.scenes)]


def _table(config: AuditConfig, adapter: Adapter, chosen: Sequence[_Candidate], label: np.ndarray) -> pd.DataFrame:
    store = parts.store(config)
    images = np.stack([store.picture(c.scene_id) for c in chosen]) if chosen else np.empty((0, 1, 1, 3), np.uint8)
    block = np.array([c.block for c in chosen], dtype=object)
    shown = Shown(images, label, block, adapter.task.scene_set in EVEN_COLOURS)
    return preprocessing_table(adapter, shown, config.attribution.batch)


def _laid_together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [t for t in tables if len(t)]
    return pd.concat(filled, ignore_index=True) if filled else PREPROCESSING.empty()


def _conclusion(name: str, rows: pd.DataFrame) -> str:
    judged = rows[rows["is_judge"] & (rows["variant"] != CONFIGURED)]
    best = judged[judged["is_best"]]
    if len(best):
        row = best.iloc[0]
        other = OTHER.get(row["variant"], "as configured")
        share = f"{100 * row['flipped']:.0f} % of decisions flip"
        return f"{name}: {row['setting']} is better than {other} ({_gain(row)}); {share}"
    worse, undecided = list(_worse(judged)), list(judged.loc[~judged["is_worse"], "variant"])
    if not undecided:
        return f"{name}: configured is best; worse: {', '.join(worse)}"
    told = f"; worse: {', '.join(worse)}" if worse else ""
    return f"{name}: none is shown to be better than configured{told}; no difference shown: {', '.join(undecided)}"


def _gain(row: pd.Series) -> str:
    title = str(row["metric"]).replace("_", " ")
    pictures = " in warm light" if row["pictures"] == "warm" else ""
    return f"{title}{pictures} {row['difference']:+.2f} [{row['ci_low']:+.2f}, {row['ci_high']:+.2f}]"


def _worse(judged: pd.DataFrame) -> Iterator[str]:
    for _, row in judged[judged["is_worse"]].sort_values("difference").iterrows():
        yield f"{row['variant']} ({row['difference']:+.2f}, {100 * row['flipped']:.0f} % flip)"
