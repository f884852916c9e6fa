"""Attending: maps of every method for every scene with something to attribute, measured against what is true of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from audit import parts
from audit.attention import null_maps
from audit.attention.overlap import measure, measure_ceiling
from audit.attention.prepared_regions import prepare
from audit.attribution import attribute
from audit.attribution.targets import TRUTH, Target, all_outputs, named, outputs_where
from audit.config import AuditConfig
from audit.loading import Loaded
from audit.metrics.arrays import Mask, Pixels, Singles, Texts
from audit.models.adapter import Adapter
from audit.models.randomised import randomised
from audit.progress import Progress
from audit.stages.covering import chosen, covered
from audit.stages.predicting import stacked
from audit.tables import ATTENTION, LABELS, RESPONSES
from scenes.design import derive_seed
from scenes.manifest import SCENES, of_set

NO_NETWORK = "-"  # the method of maps that no network made
MISTAKEN = "mistaken"  # folder of the maps of what was answered although it is not true
CHUNK = 64  # scenes held at once: pictures, regions and maps of all of them would not fit at 224 px

Keep = Callable[[Texts, Mask, Mapping[str, Singles]], None]  # ids (N,), has_target (N,), method -> maps (N, h, w)


def attend(config: AuditConfig, loaded: Loaded, folder: Path) -> None:
    """Write `attention`, and the maps as attributions/<model>/<method>.npz with arrays scene_ids and maps.

    Those maps are of config.attribution.target, unless that names another of what is true: the logits of the outputs
    whose label is 1. Of each model there are the methods that it allows. Beside them, in
    attributions/<model>/mistaken/, maps of what was answered although it is not true (cells that alarm where nothing
    is, the class an object was taken for); they are pictures, not measured.
    """
    scenes, labels = SCENES.read(folder), LABELS.read(folder).set_index("scene_id")["label"]
    shown = scenes[(scenes["status"] == "ok") & (scenes["presence"] == "object")]
    frames = []
    with Progress("attributing") as progress:
        for number, (name, adapter) in enumerate(loaded.adapters.items(), 1):
            methods = loaded.methods_of(name, config)
            mine = shown[shown["scene_set"] == adapter.task.scene_set]
            ids = sorted(set(mine.loc[mine["object_px"] > 0, "scene_id"]))
            if ids:
                frames.append(_of_model(config, adapter, methods, ids, labels, folder).assign(model=name))
                frames.append(_covered(config, adapter, methods, of_set(scenes, adapter.task.scene_set), ids, labels))
                frames[-1]["model"] = name
            _keep_mistaken_maps(config, adapter, methods, sorted(set(mine["scene_id"])), labels, folder)
            progress.step(number, len(loaded.adapters))
    table = pd.concat(frames, ignore_index=True) if frames else ATTENTION.empty()
    ATTENTION.write(table, folder)


def _of_model(
    config: AuditConfig, adapter: Adapter, methods: Sequence[str], ids: Sequence[str], labels: pd.Series, folder: Path
) -> pd.DataFrame:
    """Attention overlap of one network's maps, of its randomised twin's, and of maps that need no network."""
    untrained = randomised(adapter, derive_seed(config.seed, "untrained"))
    frames = []
    with kept_maps(folder / "attributions" / adapter.name) as keep:
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            target = _target(config, adapter, labels, chunk)
            has_target = np.ones(len(chunk), dtype=bool) if callable(target) else target.any(axis=1)
            maps, rows = _of_chunk(config, adapter, untrained, methods, chunk, target, has_target)
            frames.append(rows)
            keep(np.array(chunk), has_target, maps)
    return pd.concat(frames, ignore_index=True)


def _covered(
    config: AuditConfig,
    adapter: Adapter,
    methods: Sequence[str],
    scenes: pd.DataFrame,
    ids: Sequence[str],
    labels: pd.Series,
) -> pd.DataFrame:
    """Deletion and insertion on as many scenes with a target as are configured; no rows where that is 0."""
    target = _target(config, adapter, labels, ids)
    told = [i for i, has in zip(ids, [True] * len(ids) if callable(target) else target.any(axis=1), strict=True) if has]
    control = parts.design(config, adapter.task.scene_set).control
    few = chosen(scenes, told, control, config.attribution.faithfulness.scenes)
    bound = _target(config, adapter, labels, few.ids) if few.ids else all_outputs
    return covered(config, adapter, methods, few, bound if callable(bound) else outputs_where(bound))


def _target(config: AuditConfig, adapter: Adapter, labels: pd.Series, ids: Sequence[str]) -> Mask | Target:
    """What is attributed of some scenes: a mask of the outputs that are true, or the target that was asked for."""
    if config.attribution.target == TRUTH:
        return stacked(labels.loc[list(ids)], adapter.task) == 1
    return named(config.attribution.target, adapter.task.name)


def _maps(
    config: AuditConfig, adapter: Adapter, images: Pixels, target: Mask | Target, methods: Sequence[str]
) -> dict[str, Singles]:
    how = config.attribution
    return attribute(adapter, images, target, methods, how.batch, how.settings, how.gradient_at)


def _of_chunk(
    config: AuditConfig,
    adapter: Adapter,
    untrained: Adapter,
    methods: Sequence[str],
    ids: Sequence[str],
    target: Mask | Target,
    has_target: Mask,
) -> tuple[dict[str, Singles], pd.DataFrame]:
    """The network's maps of some scenes, and the attention overlap of all maps of them."""
    height, width = adapter.preprocessing.height, adapter.preprocessing.width
    renders = [parts.store(config).read(i) for i in ids]
    images = np.stack([r.rgb for r in renders])
    regions = adapter.preprocessing.geometry(np.stack([r.regions() for r in renders]))
    prepared = prepare(regions, device=adapter.device)
    maps = _maps(config, adapter, images, target, methods)
    knowing_nothing = _maps(config, untrained, images, target, methods)
    random = [null_maps.random(height, width, derive_seed(config.seed, "random map", i)) for i in ids]
    nulls = {
        "edges": null_maps.edges(torch.from_numpy(images)),
        "gaussian": null_maps.gaussian(height, width).expand(len(ids), -1, -1),
        "random": torch.stack(random),
    }
    held: list[tuple[np.ndarray | torch.Tensor, str, str]] = [(maps[m], m, "model") for m in methods]
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


@contextmanager
def kept_maps(into: Path) -> Iterator[Keep]:
    """A function that takes maps, some scenes at a time, of the same methods each time.

    At the end <method>.npz holds scene_ids (M,) and maps (M, h, w) float32 of the scenes that had a target. Until then
    the maps lie in plain files: those of all methods and scenes are gigabytes at 224 px.
    """
    into.mkdir(parents=True)
    taken: list[Texts] = []
    sizes: dict[str, tuple[int, ...]] = {}

    def keep(ids: Texts, has_target: Mask, maps: Mapping[str, Singles]) -> None:
        taken.append(ids[has_target])
        for method, found in maps.items():
            sizes[method] = found.shape[1:]
            with _waiting(into, method).open("ab") as file:
                found[has_target].tofile(file)

    yield keep
    for method, size in sizes.items():
        scene_ids, waiting = np.concatenate(taken), _waiting(into, method)
        shape = (len(scene_ids), *size)  # of nothing no memory can be mapped
        maps = np.memmap(waiting, np.float32, "r", shape=shape) if len(scene_ids) else np.empty(shape, np.float32)
        np.savez(into / f"{method}.npz", scene_ids=scene_ids, maps=maps)
        waiting.unlink()


def _waiting(into: Path, method: str) -> Path:
    return into / f"{method}.float32"


def _keep_mistaken_maps(
    config: AuditConfig, adapter: Adapter, methods: Sequence[str], ids: Sequence[str], labels: pd.Series, folder: Path
) -> None:
    """Maps of what was answered although it is not true, on scenes of the design's own conditions."""
    responses = RESPONSES.read(folder)
    answered = responses[responses["model"] == adapter.name].set_index("scene_id")["probability"]
    if not ids:
        return
    with kept_maps(folder / "attributions" / adapter.name / MISTAKEN) as keep:
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            probability = np.stack(answered.loc[list(chunk)].to_list())
            label = stacked(labels.loc[list(chunk)], adapter.task)
            wrong = adapter.task.mistaken(probability, label, adapter.threshold)
            images = np.stack([parts.store(config).picture(i) for i in chunk])
            maps = _maps(config, adapter, images, wrong, methods[:1])  # of the primary method, which the page shows
            keep(np.array(chunk), wrong.any(axis=1), maps)


def _grid(maps: Singles) -> tuple[int, int]:
    height, width = maps.shape[1:]
    return height, width


def _named(table: pd.DataFrame, ids: Sequence[str], method: str, source: str) -> pd.DataFrame:
    rows = table.pop("row").to_numpy()
    return table.assign(scene_id=np.array(ids)[rows], method=method, source=source)
