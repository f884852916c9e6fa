"""Cropping: the interesting regions, what a map selects of a picture, cut out of it and laid beside the true box.

Reads the maps that earlier stages kept; no network is asked again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from audit import parts
from audit.attribution.methods import INPUT, METHODS
from audit.config import AuditConfig
from audit.metrics.selection import SMOOTHING, box_iou, selected
from audit.models.adapter import Adapter
from audit.tables import ANSWERS, CROPS
from scenes.design import OBJECT
from scenes.manifest import SCENES, of_set

MOST = 3  # regions of one map that are cut out
LEAST_SHARE = 0.02  # of the map, that a further region must hold to be cut out
OBSTACLE, ALARMS = "obstacle", "alarms"  # what the tabletop's maps are of, in scenes and in pictures without truth
_NO_BOX = (np.nan, np.nan, np.nan, np.nan)
_BOX = ("box_left", "box_top", "box_right", "box_bottom")


@dataclass(frozen=True)
class Shown:
    """A picture to cut from. group: folder and heading, the class or object; box: the true one, NaN where unknown."""

    name: str
    group: str
    target: str
    pixels: np.ndarray
    box: tuple[float, ...]


def crop_scenes(config: AuditConfig, adapters: Mapping[str, Adapter], folder: Path) -> None:
    """Write `crops` and crops/<model>/<method>/<object>/<scene>_<number>.png, the pixels as rendered.

    Of every object, and of the tabletop's obstacle, attribution.crops.scenes scenes that have a map: at control first,
    then spread over conditions and blocks.
    """
    scenes, store, rows = SCENES.read(folder), parts.store(config), []
    for adapter in adapters.values():
        mine = of_set(scenes, adapter.task.scene_set)
        is_there = (mine["status"] == "ok") & (mine["presence"] == "object") & (mine["object_px"] > 0)
        control = parts.design(config, adapter.task.scene_set).control
        for method, maps in _kept(config, adapter, folder):
            usable = mine[is_there & mine["scene_id"].isin(list(maps))]
            for group, of_group in usable.groupby(_group(usable), sort=True):
                for row in chosen(of_group, mine.attrs["factors"], control, config.attribution.crops.scenes):
                    scene_id, target = str(row["scene_id"]), _target(config, str(group))
                    box = tuple(float(row[side]) for side in _BOX)
                    shown = Shown(scene_id, str(group), target, store.picture(scene_id), box)
                    rows += _cut(config, adapter.name, method, shown, maps[scene_id], folder)
    _write(rows, folder)


def crop_pictures(config: AuditConfig, adapters: Mapping[str, Adapter], folder: Path) -> None:
    """The same of pictures without ground truth: of what each network answers, attribution.crops.scenes per class."""
    answers, rows = ANSWERS.read(folder), []
    for adapter in adapters.values():
        first = answers[(answers["model"] == adapter.name) & (answers["rank"] == 1)]
        named = dict(zip(first["scene_id"], first["answer"], strict=True))
        for method, maps in _kept(config, adapter, folder):
            taken: dict[str, int] = {}
            for name in sorted(maps):
                group = str(named.get(name, ALARMS))
                taken[group] = taken.get(group, 0) + 1
                if taken[group] > config.attribution.crops.scenes:
                    continue
                with Image.open(folder / "pictures" / f"{name}.png") as file:
                    pixels = np.asarray(file.convert("RGB"))
                shown = Shown(name, group, group, pixels, _NO_BOX)
                rows += _cut(config, adapter.name, method, shown, maps[name], folder)
    _write(rows, folder)


def chosen(rows: pd.DataFrame, factors: Sequence[str], control: Mapping[str, str], count: int) -> list[pd.Series]:
    """`count` rows, or all: the first at the control condition, then evenly spread conditions, each in another block.

    Equal rows give the same choice. A condition that lacks the block whose turn it is takes the next one.
    """
    if not len(rows) or count < 1:
        return []
    keys = [tuple(str(v) for v in key) for key in rows[list(factors)].itertuples(index=False, name=None)]
    conditions = sorted(set(keys))
    first = [k for k in conditions if all(control.get(f, v) == v for f, v in zip(factors, k, strict=True))]
    others = [k for k in conditions if k not in first]
    blocks = sorted(set(rows["block_id"]))
    wanted, turn = count - len(first), 0
    order = [others[i] for i in _spread(len(others), wanted)] if wanted > 0 else []
    found: dict[str, pd.Series] = {}
    by_key: dict[tuple[str, ...], list[int]] = {}
    for place, key in enumerate(keys):
        by_key.setdefault(key, []).append(place)
    while len(found) < count and turn < count * max(len(blocks), 1):
        for condition in [*first, *order]:
            held = {str(rows.iloc[p]["block_id"]): rows.iloc[p] for p in by_key[condition]}
            row = next((held[b] for b in _from(blocks, turn) if b in held), None)
            turn += 1
            if row is not None and len(found) < count:
                found.setdefault(str(row["scene_id"]), row)
    return list(found.values())


def _spread(total: int, count: int) -> list[int]:
    """`count` different places among `total`, evenly; all where there are fewer."""
    taken = min(total, count)
    return [int((2 * i + 1) * total / (2 * taken)) for i in range(taken)]


def _from(blocks: Sequence[str], turn: int) -> list[str]:
    start = turn % len(blocks)
    return [*blocks[start:], *blocks[:start]]


def _kept(config: AuditConfig, adapter: Adapter, folder: Path) -> Iterable[tuple[str, dict[str, np.ndarray]]]:
    """Method, and its maps by scene: of the methods to be cropped, those that the run has maps of."""
    for method in config.attribution.crops.methods:
        path = folder / "attributions" / adapter.name / f"{method}.npz"
        if method in config.attribution.methods and path.is_file() and config.attribution.crops.scenes:
            with np.load(path, allow_pickle=False) as held:
                maps = dict(zip(held["scene_ids"].tolist(), held["maps"], strict=True))
            yield method, {i: m for i, m in maps.items() if np.isfinite(m).all() and (m > 0).any()}


def _group(rows: pd.DataFrame) -> pd.Series:
    """The object, where objects are a factor of the design."""
    return rows[OBJECT] if OBJECT in rows else pd.Series(OBSTACLE, index=rows.index)


def _target(config: AuditConfig, group: str) -> str:
    return group if config.attribution.target == "truth" else config.attribution.target


def _cut(
    config: AuditConfig, model: str, method: str, shown: Shown, values: np.ndarray, folder: Path
) -> list[dict[str, object]]:
    """Write what one map selects of one picture; the rows of the table."""
    height, width = shown.pixels.shape[:2]
    is_noisy = METHODS[method].place == INPUT
    threshold = config.attribution.crops.threshold
    found = selected(values, height, width, threshold, SMOOTHING * min(height, width) if is_noisy else 0.0)
    rows: list[dict[str, object]] = []
    cut_out = [region for i, region in enumerate(found[:MOST]) if i == 0 or region.share >= LEAST_SHARE]
    for number, region in enumerate(cut_out, 1):
        x0, y0, x1, y1 = region.box
        file = Path("crops") / _plain(model) / method / _plain(shown.group) / f"{_plain(shown.name)}_{number}.png"
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(shown.pixels[y0:y1, x0:x1])).save(folder / file)
        key = {"model": model, "method": method, "scene_id": shown.name, "number": number, "target": shown.target}
        box = {"threshold": threshold, "x0": x0, "y0": y0, "x1": x1, "y1": y1, "share": round(region.share, 6)}
        rows.append({**key, **box, "iou": round(box_iou(region.box, shown.box), 6), "file": file.as_posix()})
    return rows


def _plain(name: str) -> str:
    """A name as part of a path: letters, digits, dots and dashes stay."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("_.") or "_"


def _write(rows: Sequence[Mapping[str, object]], folder: Path) -> None:
    CROPS.write(pd.DataFrame(list(rows)) if rows else CROPS.empty(), folder, csv=True)
