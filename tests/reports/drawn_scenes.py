"""Scenes drawn as rectangles: cells of a small design, their pictures, masks and labels, and the table of them."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scenes.checks import bounding_box
from scenes.manifest import SCENES
from scenes.store import FLOOR, OBJECT, TRUTH, Store

H, W = 64, 80
CONTROL = {"relation": "distinct", "light": "front", "cast_shadow": "soft"}
_SHIFT = {"front": (0, -7), "back": (0, 9), "right_low": (-14, 3), "right_high": (-7, 2)}


@dataclass(frozen=True)
class Cell:
    """One scene of the synthetic design, drawn and answered."""

    levels: Mapping[str, str]  # presence and every factor
    block: int
    stratum: str
    box: tuple[int, int, int, int]  # top, left, height, width in px
    distance: int  # cm; -1 without obstacle
    scene_id: str
    cell_id: str


def plan_cells(levels: Mapping[str, Sequence[str]], blocks: int) -> list[Cell]:
    conditions = [
        {"presence": "object", **dict(zip(levels, c, strict=True))} for c in itertools.product(*levels.values())
    ]
    shadows = [s for s in levels["cast_shadow"] if s != "none"]
    for light in levels["light"]:
        conditions += [{"presence": "ghost", **CONTROL, "light": light, "cast_shadow": s} for s in shadows]
        conditions.append({"presence": "empty", **CONTROL, "light": light})
    out = []
    for block, condition in itertools.product(range(blocks), conditions):
        rng = np.random.default_rng(block)
        stratum = ("near", "near", "far", "empty")[block % 4]
        distance = {"near": int(rng.integers(8, 22)), "far": int(rng.integers(24, 38)), "empty": -1}[stratum]
        size = max(8, 26 - distance // 2)
        box = (max(2, 40 - distance), int(rng.integers(8, W - size - 8)), size, size)
        content = {**condition, "light": condition["light"]} if stratum != "empty" else {"light": condition["light"]}
        scene = hashlib.sha256(json.dumps([block, content], sort_keys=True).encode()).hexdigest()[:16]
        cell = hashlib.sha256(json.dumps([block, condition], sort_keys=True).encode()).hexdigest()[:16]
        out.append(Cell(condition, block, stratum, box, distance, scene, cell))
    return out


def write_scenes(folder: Path, root: Path, cells: Sequence[Cell]) -> None:
    store, rows = Store(root), []
    for i, cell in enumerate(cells):
        rgb, index, shadow = _drawn(cell)
        rejected = i == 3
        if not rejected and not store.has(cell.scene_id):
            depth = np.full((H, W), 0.5, dtype=np.float32)
            albedo = np.full((2, 3), 0.4, dtype=np.float32)
            store.write_image(cell.scene_id, {"rgb": rgb, "index": index, "depth": depth, "albedo": albedo})
            store.write_truth(cell.scene_id, drawn_truth(shadow, np.zeros_like(shadow)))
        seen = is_seen(cell)
        rows.append(
            {
                **cell.levels,
                "cell_id": cell.cell_id,
                "scene_id": cell.scene_id,
                "scene_set": "tabletop",
                "block_id": str(cell.block),
                "stratum": cell.stratum,
                "values": "",
                "status": "rejected" if rejected else "ok",
                "reason": "object_not_visible" if rejected else "",
                "shape": "box" if seen else "",
                "distance_m": cell.distance / 100 if seen else np.nan,
                "albedo_delta_e": {"equal": 0.0, "near": 6.0}.get(cell.levels["relation"], 31.0) if seen else np.nan,
                "contour_delta_e": 4.0 if cell.levels["relation"] == "equal" else 31.0,
                **measures(index == OBJECT, seen),
                "object_px": float((index == OBJECT).sum()),
                "shadow_px": float(shadow.sum()),
                "outside_px": 0.0,
                "object_clipped": 0.04 if cell.levels["light"] == "back" else 0.0,
                "floor_clipped": 0.11 if cell.levels["light"] == "back" else 0.002,
                "mean_luminance": float(rgb.mean() / 255),
            }
        )
    SCENES.write(pd.DataFrame(rows), folder, ["presence", *CONTROL], csv=True)


def drawn_truth(shadow: np.ndarray, outside: np.ndarray) -> dict[str, np.ndarray]:
    """The truth of a drawn scene, which has neither distractors nor a glossy floor."""
    return {**dict.fromkeys(TRUTH, np.zeros_like(shadow)), "shadow": shadow, "outside": outside}


def measures(mask: np.ndarray, is_seen: bool) -> dict[str, float]:
    """What the table of scenes says of an object that nothing hides, whose mask (H, W) is drawn."""
    left, top, right, bottom = bounding_box(mask)
    box = {"box_left": left, "box_top": top, "box_right": right, "box_bottom": bottom}
    return {**box, "visible_fraction": 1.0 if is_seen else np.nan, "reflection_px": 0.0, "distractor_px": 0.0}


def _drawn(cell: Cell) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 picture, (H, W) uint8 index, (H, W) float32 shadow strength."""
    rng = np.random.default_rng(1000 + cell.block)
    floor = np.array([150, 120, 95]) + rng.integers(-25, 25, 3)
    ramp = np.linspace(1.25, 0.75, H) if cell.levels["light"] == "back" else np.linspace(0.85, 1.1, H)
    picture = floor[None, None] * ramp[:, None, None] + rng.normal(0, 5, (H, W, 1))
    index = np.full((H, W), FLOOR, dtype=np.uint8)
    index[:3], picture[:3] = 0, 190
    top, left, height, width = cell.box
    strength = np.zeros((H, W), dtype=np.float32)
    if cell.stratum != "empty" and cell.levels["presence"] != "empty" and cell.levels["cast_shadow"] != "none":
        dx, dy = _SHIFT[cell.levels["light"]]
        soft = 0.7 if cell.levels["cast_shadow"] == "soft" else 0.95
        for step in range(max(abs(dx), abs(dy)) + 1):
            share = step / max(abs(dx), abs(dy), 1)
            y, x = top + height // 2 + round(dy * share), left + round(dx * share)
            strength[max(y, 0) : y + height // 2, max(x, 0) : x + width] = soft
    if is_seen(cell):
        index[top : top + height, left : left + width] = OBJECT
    strength *= index == FLOOR
    picture = picture * (1 - 0.6 * strength[..., None])
    colour = {"equal": floor, "near": floor + np.array([18, 6, -8])}.get(
        cell.levels["relation"], np.array([60, 90, 160])
    )
    if is_seen(cell):
        picture[top : top + height, left : left + width] = colour * (0.62 if cell.levels["light"] == "back" else 0.95)
        picture[top : top + height // 4, left : left + width] = colour * 1.1
    return np.clip(picture, 0, 255).astype(np.uint8), index, strength


def is_seen(cell: Cell) -> bool:
    return cell.stratum != "empty" and cell.levels["presence"] == "object"


def truth(cell: Cell) -> np.ndarray:
    label = np.zeros((31, 5), dtype=np.int8)
    if not is_seen(cell):
        return label.ravel()
    first = max(0, cell.box[1] * 5 // W)
    last = min(4, (cell.box[1] + cell.box[3]) * 5 // W)
    label[max(cell.distance - 11, 0) :, first : last + 1] = 1
    label[min(cell.distance + 2, 31) :] = -1
    return label.ravel()
