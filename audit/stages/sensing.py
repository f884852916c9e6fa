"""Sensing: does the map of one sensor lie on what this sensor's own cone holds of the object, and not its neighbour's?

For proximity networks. A cell is one sensor at one distance of travel; an occupied cell has a map of its own, judged
against the object's pixels inside the sensor's cone at that travel (scenes.cones). Beside it the map of the sensor
opposite at the same travel, judged against this cone: a map that cannot tell sensors apart scores the same. Single
cells are judged at every second distance, which halves the cost; a sensor as a whole by all of its occupied cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from audit import parts
from audit.analysis.intervals import Intervals, mean_intervals
from audit.attention import null_maps
from audit.attention.cone_overlap import enrichment
from audit.attribution.jacobian import BATCHED, maps_of_sums
from audit.attribution.methods import INPUT, METHODS
from audit.attribution.passes import LAYER_GRADIENT
from audit.config import AuditConfig
from audit.metrics.cells import SENSORS
from audit.models.adapter import Adapter
from audit.models.proximity_task import ProximityTask
from audit.models.randomised import randomised
from audit.progress import Progress
from audit.stages.predicting import stacked
from audit.tables import LABELS, SENSOR_ATTENTION
from scenes import cones
from scenes.design import derive_seed
from scenes.manifest import SCENES
from scenes.proximity import Robot
from scenes.scene_spec import CameraSpec
from scenes.store import Render

ALL_DISTANCES = -1
EVERY = 2  # cm of travel from one judged cell to the next
NO_NETWORK = "-"
OTHER, NO_OPPOSITE = "other_sensor", "no_opposite"
NULLS = ("edges", "gaussian", "random")
CHUNK = 12  # scenes at once: each has some 25 judged cells, and as many maps
DECIMALS = 6  # the last bits of a sum depend on where memory lies

Column = tuple[str, str]  # method, source


@dataclass(frozen=True)
class Asked:
    """What is asked of scenes in which the same cells are occupied, a region of the picture each.

    cells: (C,) the occupied ones. sensor, distance: (R,) of each region: cells at every EVERY-th distance, then for
    each sensor with some all of its cells together, at distance ALL_DISTANCES. member: (R, C) bool, the cells whose
    cones make up the region.
    sums: (T, K) bool, targets. own, other: (R,), which target is the region's own, and which that of the sensor
    opposite; -1 where there is none.
    """

    cells: np.ndarray
    sensor: np.ndarray
    distance: np.ndarray
    member: np.ndarray
    sums: np.ndarray
    own: np.ndarray
    other: np.ndarray


def sense(config: AuditConfig, adapters: Mapping[str, Adapter], folder: Path) -> None:
    """Write `sensor_attention`: rows for proximity networks, of the configured methods that live on a layer's grid.

    All scenes with an object count, whatever their condition: a block's value is the mean over its scenes.
    """
    scenes, labels = SCENES.read(folder), LABELS.read(folder).set_index("scene_id")["label"]
    shown = scenes[(scenes["status"] == "ok") & (scenes["presence"] == "object") & (scenes["object_px"] > 0)]
    asked = {n: a for n, a in adapters.items() if isinstance(a.task, ProximityTask) and _methods(config, a)}
    frames = []
    with Progress("sensors") as progress:
        for number, (name, adapter) in enumerate(asked.items() if config.attribution.sensors else (), 1):
            mine = shown[shown["scene_set"] == adapter.task.scene_set].drop_duplicates("scene_id")
            blocks = mine.set_index("scene_id")["block_id"]
            measured = _of_model(config, adapter, blocks, labels)
            if len(measured):
                frames.append(_summarised(measured, _columns(config, adapter)).assign(model=name))
            progress.step(number, len(asked))
    table = pd.concat(frames, ignore_index=True) if frames else SENSOR_ATTENTION.empty()
    SENSOR_ATTENTION.write(table, folder, csv=True)


def opposite(robot: Robot) -> list[int]:
    """Of each sensor the one that is its mirror image across the robot's axis; -1 for one on the axis, or without."""
    places = [(round(s.x, 6), round(s.y, 6), round(s.yaw, 6)) for s in robot.sensors]
    mirrored = [(x, -y, -yaw) for x, y, yaw in places]
    found = [places.index(m) if m in places else -1 for m in mirrored]
    return [-1 if f == i else f for i, f in enumerate(found)]


def what_is_asked(label: np.ndarray, robot: Robot) -> Asked:
    """Of a label (K,): its occupied cells at the judged distances, and per sensor all occupied ones together."""
    cells, count = np.flatnonzero(label == 1), len(robot.sensors)
    sensor, distance = cells % count, cells // count
    some, judged = np.unique(sensor), distance % EVERY == 0
    member = np.concatenate([np.eye(len(cells), dtype=bool)[judged], sensor[None] == some[:, None]])
    of = np.concatenate([sensor[judged], some])
    mirror = np.array(opposite(robot))[of]
    own, other = np.zeros((2, len(of), len(label)), dtype=bool)
    for region, its in enumerate(member):
        travel = distance[its]
        own[region, travel * count + of[region]] = True
        other[region, travel * count + max(mirror[region], 0)] = mirror[region] >= 0
    sums, place = np.unique(np.concatenate([own, other]), axis=0, return_inverse=True)
    own_place, other_place = place.reshape(2, -1)
    return Asked(
        cells=cells,
        sensor=of,
        distance=np.concatenate([distance[judged], np.full(len(some), ALL_DISTANCES)]),
        member=member,
        sums=sums,
        own=own_place,
        other=np.where(mirror >= 0, other_place, -1),
    )


def _methods(config: AuditConfig, adapter: Adapter) -> list[str]:
    """Closed forms on the layer's gradient: with passes per cell this would cost more than all the rest of an audit."""
    found = [METHODS[name] for name in config.attribution.methods if adapter.grid is not None]
    found = [m for m in found if m.place != INPUT and LAYER_GRADIENT in m.needs and not m.needs - BATCHED]
    return [m.name for m in found if not m.cost]


def _columns(config: AuditConfig, adapter: Adapter) -> list[Column]:
    of_networks = [(m, s) for m in _methods(config, adapter) for s in ("model", OTHER, "untrained")]
    return [*of_networks, *((NO_NETWORK, s) for s in NULLS)]


def _of_model(config: AuditConfig, adapter: Adapter, blocks: pd.Series, labels: pd.Series) -> pd.DataFrame:
    """A row per scene, sensor and distance: columns scene_id, block_id, sensor, distance, and (column, value or
    reason) of every map judged there."""
    untrained = randomised(adapter, derive_seed(config.seed, "untrained"))
    frames = []
    for ids, label in _alike(list(blocks.index), labels, adapter):
        robot = parts.robot(config)
        asked = what_is_asked(label, robot)
        if not len(asked.cells):
            continue
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            frames.append(_of_chunk(config, adapter, untrained, chunk, asked))
    if not frames:
        return pd.DataFrame()
    whole = pd.concat(frames, ignore_index=True)
    return whole.assign(block_id=whole["scene_id"].map(blocks))


def _alike(ids: Sequence[str], labels: pd.Series, adapter: Adapter) -> Iterator[tuple[list[str], np.ndarray]]:
    """Scenes in which the same is true, so the same is asked: those of a block, unless factors move the obstacle."""
    truth = stacked(labels.loc[list(ids)], adapter.task)
    groups: dict[bytes, list[str]] = {}
    for scene_id, label in sorted(zip(ids, truth, strict=True), key=lambda pair: pair[0]):
        groups.setdefault(label.tobytes(), []).append(scene_id)
    for key, found in groups.items():
        yield found, np.frombuffer(key, dtype=truth.dtype)


def _of_chunk(
    config: AuditConfig, adapter: Adapter, untrained: Adapter, ids: Sequence[str], asked: Asked
) -> pd.DataFrame:
    store, methods = parts.store(config), _methods(config, adapter)
    renders = [store.read(i) for i in ids]
    images = np.stack([r.rgb for r in renders])
    robot = parts.robot(config)
    held = [_regions(r, store.spec(i).camera, robot, asked) for r, i in zip(renders, ids, strict=True)]
    regions = torch.from_numpy(adapter.preprocessing.geometry(np.stack(held))).to(adapter.device)
    found: dict[Column, tuple[np.ndarray, np.ndarray]] = {}
    own = torch.from_numpy(asked.own).to(regions.device)
    other = torch.from_numpy(np.maximum(asked.other, 0)).to(regions.device)
    for source, network in (("model", adapter), ("untrained", untrained)):
        judges = [own, other] if source == "model" else [own]
        for method, maps in maps_of_sums(network, images, asked.sums, methods, CHUNK).items():
            judged = enrichment(torch.from_numpy(maps).to(regions.device), regions, judges)
            found[method, source] = judged[0]
            if source == "model":
                found[method, OTHER] = _without(judged[1], asked.other < 0)
    height, width = regions.shape[2:]
    random = [null_maps.random(height, width, derive_seed(config.seed, "random map", i)) for i in ids]
    plain = {
        "edges": null_maps.edges(torch.from_numpy(images)),
        "gaussian": null_maps.gaussian(height, width).expand(len(ids), height, width),
        "random": torch.stack(random),
    }
    only = torch.zeros(len(asked.sensor), dtype=torch.int64, device=regions.device)
    for source, kept in plain.items():
        found[NO_NETWORK, source] = enrichment(kept[:, None].to(regions.device), regions, [only])[0]
    return _rows(ids, asked, found)


def _regions(render: Render, camera: CameraSpec, robot: Robot, asked: Asked) -> np.ndarray:
    """(R, H, W): what each region's cones hold of the object."""
    of_cells = cones.object_inside(render.object, render.depth, camera, robot, asked.cells)
    return np.stack([of_cells[its].max(axis=0) for its in asked.member])


def _without(found: tuple[np.ndarray, np.ndarray], where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    value, reason = found
    return np.where(where, np.nan, value), np.where(where, NO_OPPOSITE, reason)


def _rows(ids: Sequence[str], asked: Asked, found: Mapping[Column, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    regions = len(asked.sensor)
    columns: dict[object, object] = {
        "scene_id": np.repeat(np.array(ids, dtype=object), regions),
        "sensor": np.tile(asked.sensor, len(ids)),
        "distance": np.tile(asked.distance, len(ids)),
    }
    for column, (value, reason) in found.items():
        columns[column, "value"], columns[column, "reason"] = value.reshape(-1), reason.reshape(-1)
    return pd.DataFrame(columns)


def _summarised(rows: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """A row per column, sensor and distance: means over blocks of the block's mean over its scenes."""
    frames = []
    for method, source in columns:
        values = rows[(method, source), "value"]
        frame = _over_blocks(rows, values, (0.0, np.inf))
        # of maps that no network made every method has the lead; the first method is the primary one
        against = columns[0][0] if method == NO_NETWORK else method
        lead = _over_blocks(rows, rows[(against, "model"), "value"] - values, (-np.inf, np.inf))
        is_model = source == "model"
        frame = frame.assign(
            **{f"lead{end}": np.nan if is_model else lead[of] for end, of in _LEAD.items()},
            undefined_reason=_reasons(rows, rows[(method, source), "reason"]),
            method=method,
            source=source,
        )
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


_LEAD = {"": "enrichment", "_low": "ci_low", "_high": "ci_high"}


def _over_blocks(rows: pd.DataFrame, values: pd.Series, bounds: tuple[float, float]) -> pd.DataFrame:
    """Columns sensor, distance_cm, enrichment, ci_low, ci_high, n, usable_n, in the order of sensor and distance."""
    keys = [rows["sensor"], rows["distance"]]
    wide = values.groupby([*keys, rows["block_id"]], sort=True).mean().unstack("block_id")
    occupied = rows.groupby(["sensor", "distance"], sort=True)["block_id"].nunique()
    found: Intervals = mean_intervals(wide.to_numpy(dtype=np.float64), bounds)
    index = wide.index
    return pd.DataFrame(
        {
            "sensor": [SENSORS[s] for s in index.get_level_values(0)],
            "distance_cm": index.get_level_values(1).to_numpy(dtype=int),
            "enrichment": found.mean.round(DECIMALS),
            "ci_low": found.low.round(DECIMALS),
            "ci_high": found.high.round(DECIMALS),
            "n": occupied.loc[index].to_numpy(dtype=int),
            "usable_n": found.usable,
        }
    )


def _reasons(rows: pd.DataFrame, reasons: pd.Series) -> list[str]:
    """Why scenes are left out of each sensor and distance: the commonest reason, '' where none is."""
    left_out = reasons.where(reasons != "")

    def commonest(group: pd.Series) -> str:
        counted = group.dropna().value_counts()
        return "" if not len(counted) else str(min(counted[counted == counted.max()].index))

    return list(left_out.groupby([rows["sensor"], rows["distance"]], sort=True).agg(commonest))
