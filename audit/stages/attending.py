"""Attending: maps of every method for every scene with something to attribute, measured against what is true of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from audit import parts
from audit.attribution import attribute
from audit.config import AuditConfig
from audit.metrics import null_maps
from audit.metrics.attention import PreparedRegions, measure, measure_ceiling, prepare
from audit.models.adapter import Adapter
from audit.models.randomised import randomised
from audit.progress import Progress
from audit.tables import ATTENTION, LABELS, RESPONSES
from scenes.design import derive_seed
from scenes.manifest import SCENES

NO_NETWORK = "-"  # the method of maps that no network made


def attend(config: AuditConfig, adapters: Mapping[str, Adapter], folder: Path) -> None:
    """Write `attention`, and the maps as attributions/<model>/<method>.npz with arrays scene_ids and maps.

    Those maps are of the true obstacle: the target is the logits of cells that hold it. Beside them, in
    attributions/<model>/false_alarm/, maps of the cells that alarm where nothing is; they are pictures, not measured.
    """
    scenes, labels = SCENES.read(folder), LABELS.read(folder).set_index("scene_id")
    shown = scenes[(scenes["status"] == "ok") & (scenes["presence"] == "object") & (scenes["object_px"] > 0)]
    ids = sorted(set(shown["scene_id"]))
    frames = []
    if ids:
        target = np.stack(labels.loc[ids, "label"].to_list()) == 1
        renders = [parts.store(config).read(i) for i in ids]
        images = np.stack([r.rgb for r in renders])
        regions = np.stack([r.regions() for r in renders])
        with Progress("attributing") as progress:
            for number, (name, adapter) in enumerate(adapters.items(), 1):
                frames.append(_of_model(config, adapter, ids, images, regions, target, folder).assign(model=name))
                _keep_false_alarm_maps(config, adapter, scenes, labels, folder)
                progress.step(number, len(adapters))
    table = pd.concat(frames, ignore_index=True) if frames else ATTENTION.empty()
    ATTENTION.write(table, folder)


def _of_model(
    config: AuditConfig,
    adapter: Adapter,
    ids: Sequence[str],
    images: np.ndarray,
    regions: np.ndarray,
    target: np.ndarray,
    folder: Path,
) -> pd.DataFrame:
    """Attention overlap of one network's maps, of its randomised twin's, and of maps that need no network."""
    methods, batch = config.attribution.methods, config.attribution.batch
    height, width = adapter.preprocessing.height, adapter.preprocessing.width
    seen = np.stack([adapter.preprocessing.geometry(regions[:, r]) for r in range(regions.shape[1])], axis=1)
    prepared = prepare(seen)
    has_target = target.any(axis=1)
    maps = attribute(adapter, images, target, methods, batch)
    untrained = attribute(randomised(adapter, derive_seed(config.seed, "untrained")), images, target, methods, batch)
    random = np.stack([null_maps.random(height, width, derive_seed(config.seed, "random map", i)) for i in ids])
    nulls = {
        "edges": null_maps.edges(images),
        "gaussian": np.broadcast_to(null_maps.gaussian(height, width), (len(ids), height, width)),
        "random": random,
    }
    frames = [
        *[_measured(maps[m], prepared, has_target, ids, m, "model") for m in methods],
        *[_measured(untrained[m], prepared, has_target, ids, m, "untrained") for m in methods],
        *[_measured(n, prepared, has_target, ids, NO_NETWORK, source) for source, n in nulls.items()],
        *[_named(measure_ceiling(prepared, _grid(maps[m])), ids, m, "ceiling") for m in methods],
    ]
    keep_maps(maps, np.array(ids), has_target, folder / "attributions" / adapter.name)
    return pd.concat(frames, ignore_index=True)


def keep_maps(maps: Mapping[str, np.ndarray], ids: np.ndarray, has_target: np.ndarray, into: Path) -> None:
    """Write <method>.npz with scene_ids (M,) and maps (M, h, w) float32 of the scenes that had a target."""
    into.mkdir(parents=True)
    for method, array in maps.items():
        np.savez(into / f"{method}.npz", scene_ids=ids[has_target], maps=array[has_target])


def _keep_false_alarm_maps(
    config: AuditConfig, adapter: Adapter, scenes: pd.DataFrame, labels: pd.DataFrame, folder: Path
) -> None:
    """Maps of the cells that alarm although they are known to be free, on scenes of the design's own conditions."""
    responses = RESPONSES.read(folder)
    answered = responses[responses["model"] == adapter.name].set_index("scene_id")["probability"]
    shown = scenes[(scenes["status"] == "ok") & (scenes["presence"] == "object")]
    ids = np.array(sorted(set(shown["scene_id"])))
    probability, label = np.stack(answered.loc[ids].to_list()), np.stack(labels.loc[ids, "label"].to_list())
    wrong = (probability >= adapter.threshold) & (label == 0)
    images = np.stack([parts.store(config).read(i).rgb for i in ids])
    maps = attribute(adapter, images, wrong, config.attribution.methods, config.attribution.batch)
    keep_maps(maps, ids, wrong.any(axis=1), folder / "attributions" / adapter.name / "false_alarm")


def _grid(maps: np.ndarray) -> tuple[int, int]:
    height, width = maps.shape[1:]
    return height, width


def _measured(
    maps: np.ndarray, prepared: PreparedRegions, has_target: np.ndarray, ids: Sequence[str], method: str, source: str
) -> pd.DataFrame:
    return _named(measure(maps, prepared, has_target), ids, method, source)


def _named(table: pd.DataFrame, ids: Sequence[str], method: str, source: str) -> pd.DataFrame:
    rows = table.pop("row").to_numpy()
    return table.assign(scene_id=np.array(ids)[rows], method=method, source=source)
