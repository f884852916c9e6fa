"""Attending: maps of every method for every scene with something to attribute, measured against what is true of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from audit import parts
from audit.attribution import attribute
from audit.config import AuditConfig
from audit.metrics import null_maps
from audit.metrics.attention import measure, measure_ceiling, prepare
from audit.models.adapter import Adapter
from audit.models.randomised import randomised
from audit.progress import Progress
from audit.stages.predicting import stacked
from audit.tables import ATTENTION, LABELS, RESPONSES
from scenes.design import derive_seed
from scenes.manifest import SCENES

NO_NETWORK = "-"  # the method of maps that no network made
MISTAKEN = "mistaken"  # folder of the maps of what was answered although it is not true
CHUNK = 64  # scenes held at once: pictures, regions and maps of all of them would not fit at 224 px


def attend(config: AuditConfig, adapters: Mapping[str, Adapter], folder: Path) -> None:
    """Write `attention`, and the maps as attributions/<model>/<method>.npz with arrays scene_ids and maps.

    Those maps are of what is true: the target is the logits of the outputs whose label is 1. Beside them, in
    attributions/<model>/mistaken/, maps of what was answered although it is not true (cells that alarm where nothing
    is, the class an object was taken for); they are pictures, not measured.
    """
    scenes, labels = SCENES.read(folder), LABELS.read(folder).set_index("scene_id")["label"]
    shown = scenes[(scenes["status"] == "ok") & (scenes["presence"] == "object")]
    frames = []
    with Progress("attributing") as progress:
        for number, (name, adapter) in enumerate(adapters.items(), 1):
            mine = shown[shown["scene_set"] == adapter.task.scene_set]
            ids = sorted(set(mine.loc[mine["object_px"] > 0, "scene_id"]))
            if ids:
                frames.append(_of_model(config, adapter, ids, labels, folder).assign(model=name))
            _keep_mistaken_maps(config, adapter, sorted(set(mine["scene_id"])), labels, folder)
            progress.step(number, len(adapters))
    table = pd.concat(frames, ignore_index=True) if frames else ATTENTION.empty()
    ATTENTION.write(table, folder)


def _of_model(
    config: AuditConfig, adapter: Adapter, ids: Sequence[str], labels: pd.Series, folder: Path
) -> pd.DataFrame:
    """Attention overlap of one network's maps, of its randomised twin's, and of maps that need no network."""
    untrained = randomised(adapter, derive_seed(config.seed, "untrained"))
    frames, kept = [], []
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        target = stacked(labels.loc[list(chunk)], adapter.task) == 1
        maps, rows = _of_chunk(config, adapter, untrained, chunk, target)
        frames.append(rows)
        kept.append((np.array(chunk), target.any(axis=1), maps))
    _keep_maps(kept, folder / "attributions" / adapter.name)
    return pd.concat(frames, ignore_index=True)


def _of_chunk(
    config: AuditConfig, adapter: Adapter, untrained: Adapter, ids: Sequence[str], target: np.ndarray
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """The network's maps of some scenes, and the attention overlap of all maps of them."""
    methods, batch = config.attribution.methods, config.attribution.batch
    height, width = adapter.preprocessing.height, adapter.preprocessing.width
    renders = [parts.store(config).read(i) for i in ids]
    images = np.stack([r.rgb for r in renders])
    prepared = prepare(adapter.preprocessing.geometry(np.stack([r.regions() for r in renders])))
    has_target = target.any(axis=1)
    maps = attribute(adapter, images, target, methods, batch)
    knowing_nothing = attribute(untrained, images, target, methods, batch)
    random = np.stack([null_maps.random(height, width, derive_seed(config.seed, "random map", i)) for i in ids])
    nulls = {
        "edges": null_maps.edges(images),
        "gaussian": np.broadcast_to(null_maps.gaussian(height, width), (len(ids), height, width)),
        "random": random,
    }
    held = [(maps[m], m, "model") for m in methods]
    held += [(knowing_nothing[m], m, "untrained") for m in methods]
    held += [(found, NO_NETWORK, source) for source, found in nulls.items()]
    grids = {m: _grid(maps[m]) for m in methods}
    with ThreadPoolExecutor(config.renderer.workers) as threads:  # the sums run outside Python's lock
        measured = threads.map(lambda found: measure(found[0], prepared, has_target), held)
        best = threads.map(lambda grid: measure_ceiling(prepared, grid), dict.fromkeys(grids.values()))
        ceilings = dict(zip(dict.fromkeys(grids.values()), best, strict=True))
        frames = [_named(table, ids, method, source) for table, (_, method, source) in zip(measured, held, strict=True)]
    frames += [_named(ceilings[grids[m]].copy(), ids, m, "ceiling") for m in methods]
    return maps, pd.concat(frames, ignore_index=True)


def keep_maps(maps: Mapping[str, np.ndarray], ids: np.ndarray, has_target: np.ndarray, into: Path) -> None:
    """Write <method>.npz with scene_ids (M,) and maps (M, h, w) float32 of the scenes that had a target."""
    _keep_maps([(ids, has_target, maps)], into)


def _keep_maps(chunks: Sequence[tuple[np.ndarray, np.ndarray, Mapping[str, np.ndarray]]], into: Path) -> None:
    into.mkdir(parents=True)
    ids = np.concatenate([i[has] for i, has, _ in chunks])
    for method in chunks[0][2]:
        np.savez(into / f"{method}.npz", scene_ids=ids, maps=np.concatenate([m[method][has] for _, has, m in chunks]))


def _keep_mistaken_maps(
    config: AuditConfig, adapter: Adapter, ids: Sequence[str], labels: pd.Series, folder: Path
) -> None:
    """Maps of what was answered although it is not true, on scenes of the design's own conditions."""
    responses = RESPONSES.read(folder)
    answered = responses[responses["model"] == adapter.name].set_index("scene_id")["probability"]
    kept = []
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        probability = np.stack(answered.loc[list(chunk)].to_list())
        wrong = adapter.task.mistaken(probability, stacked(labels.loc[list(chunk)], adapter.task), adapter.threshold)
        images = np.stack([parts.store(config).read(i).rgb for i in chunk])
        primary = config.attribution.methods[:1]  # the one that the page shows
        maps = attribute(adapter, images, wrong, primary, config.attribution.batch)
        kept.append((np.array(chunk), wrong.any(axis=1), maps))
    if kept:
        _keep_maps(kept, folder / "attributions" / adapter.name / MISTAKEN)


def _grid(maps: np.ndarray) -> tuple[int, int]:
    height, width = maps.shape[1:]
    return height, width


def _named(table: pd.DataFrame, ids: Sequence[str], method: str, source: str) -> pd.DataFrame:
    rows = table.pop("row").to_numpy()
    return table.assign(scene_id=np.array(ids)[rows], method=method, source=source)
