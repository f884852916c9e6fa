"""Answers, scores and maps for drawn scenes: plausible numbers with the gaps of real ones, none of them measured."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from drawn_scenes import CONTROL, Cell, H, W, is_seen, truth

from audit import tables
from audit.tables import AUC

MODEL = "proximity"
METHODS = ("hires_cam", "grad_cam", "saliency")
REGIONS = ("object", "cast_shadow", "floor", "background")


def write_answers(folder: Path, cells: Sequence[Cell]) -> dict[str, np.ndarray]:
    """Answers that miss equal colours, alarm under light from behind and for shadows alone."""
    labels, responses, known = [], [], {}
    for cell in cells:
        if cell.scene_id in known:
            continue
        rng = np.random.default_rng(int(cell.scene_id[:8], 16))
        label = truth(cell)
        logit = rng.normal(-4, 0.8, 155) + 7.5 * (label == 1) + 1.0 * (label == -1)
        light = cell.levels["light"]
        if cell.levels["relation"] == "equal" and is_seen(cell) and cell.block % 3:
            logit -= 7.0 * (label == 1)
        if light == "back":
            logit[10:70] += rng.choice([0.0, 5.5], 60, p=[0.93, 0.07]) if cell.block % 5 else 0
        if cell.levels["presence"] == "ghost" and cell.stratum != "empty":
            logit[40:120] += 5.5 * (rng.random() < 0.8)
        known[cell.scene_id] = (1 / (1 + np.exp(-logit))).astype(np.float32)
        labels.append({"scene_id": cell.scene_id, "label": label, "in_view": np.ones(155, dtype=bool)})
        responses.append({"model": MODEL, "scene_id": cell.scene_id, "probability": known[cell.scene_id]})
    tables.LABELS.write(pd.DataFrame(labels), folder)
    tables.RESPONSES.write(pd.DataFrame(responses), folder)
    return known


def write_predictions(
    folder: Path, cells: Sequence[Cell], probability: Mapping[str, np.ndarray]
) -> dict[tuple[str, str], float]:
    values: dict[tuple[str, str], float] = {}
    rows = []
    for cell in cells:
        p, y = probability[cell.scene_id].reshape(31, 5)[:16], truth(cell).reshape(31, 5)[:16]
        occupied = (y == 1).any(axis=0)
        clear = (y == 0).any(axis=0) & ~occupied
        hit = ((p >= 0.5) & (y == 1)).any(axis=0)
        alarm = ((p >= 0.5) & (y == 0)).any(axis=0)
        miss = float((~hit[occupied]).mean()) if occupied.any() else float("nan")
        false_alarm = float(alarm[clear].mean()) if clear.any() else float("nan")
        found = {
            "sensor_miss": (miss, "no_occupied_sensor"),
            "sensor_false_alarm": (false_alarm, "no_clear_sensor"),
            "scene_alarm": (float((p >= 0.5).any()), ""),
            "sensor_alarm": (float((p >= 0.5).any(axis=0).mean()), ""),
            "brier": (float(((p - (y == 1)) ** 2)[y >= 0].mean()), ""),
            "target_logit": (float(np.log(p / (1 - p))[4:12].sum()), ""),
        }
        for metric, (value, why) in found.items():
            values[cell.cell_id, metric] = value
            reason = why if np.isnan(value) else ""
            rows.append(
                {"model": MODEL, "cell_id": cell.cell_id, "metric": metric, "value": value, "undefined_reason": reason}
            )
    tables.PREDICTIONS.write(pd.DataFrame(rows), folder)
    return values


def write_attention(folder: Path, cells: Sequence[Cell]) -> None:
    scenes = {c.scene_id: c for c in cells}
    names = sorted(scenes)
    attributed = [n for n in names if (truth(scenes[n]) == 1).any()]
    alarmed = [n for n in names if scenes[n].levels["light"] == "back"]
    save_maps(folder, "mistaken/hires_cam", alarmed, np.array([_map(scenes[n], (16, 20)) for n in alarmed]))
    for method in METHODS:
        size = (H, W) if method == "saliency" else (16, 20)
        save_maps(folder, method, attributed, np.array([_map(scenes[n], size) for n in attributed]))
    rows = []
    for name in names:
        cell = scenes[name]
        if not is_seen(cell):
            continue
        rng = np.random.default_rng(int(name[:8], 16))
        area = cell.box[2] * cell.box[3] / (H * W)
        for method, source in [
            *itertools.product(METHODS, ("model", "untrained", "ceiling")),
            *(("-", s) for s in ("edges", "gaussian", "random")),
        ]:
            base = {"model": 0.42, "untrained": 0.2, "ceiling": 0.66, "edges": 0.45, "gaussian": 0.16}.get(source, area)
            share = float(np.clip(base + rng.normal(0, 0.05), 0, 1))
            common = {"model": MODEL, "scene_id": name, "method": method, "source": source}
            undefined = cell.distance > 34 and source in ("model", "untrained")
            reason = "no_positive" if undefined else ""
            for metric, value, chance in (
                ("relevance_mass_accuracy", share, area),
                ("enrichment", share / area, 1.0),
                ("pointing_game", float(share > 0.4), 2 * area),
            ):
                rows.append(
                    {
                        **common,
                        "metric": metric,
                        "region": "object",
                        "value": np.nan if undefined else value,
                        "chance": chance,
                        "undefined_reason": reason,
                    }
                )
            parts = np.array([share, 0.15, 0.8 - 0.8 * share, 0.05])
            areas = (area, 0.08, 0.87 - area, 0.05)
            for region, part, of_area in zip(REGIONS, parts / parts.sum(), areas, strict=True):
                rows.append(
                    {
                        **common,
                        "metric": "mass_split",
                        "region": region,
                        "value": np.nan if undefined else part,
                        "chance": of_area,
                        "undefined_reason": reason,
                    }
                )
    tables.ATTENTION.write(pd.DataFrame(rows), folder)


def _map(cell: Cell, size: tuple[int, int]) -> np.ndarray:
    """(h, w) float32: a bump on the object, beside it under light from behind, over noise."""
    rng = np.random.default_rng(int(cell.scene_id[:8], 16))
    y, x = np.indices(size) / np.array(size)[:, None, None]
    top, left, height, width = cell.box
    drift = 0.22 if cell.levels["light"] == "back" else 0.03
    cy, cx = (top + height / 2) / H + drift, (left + width / 2) / W
    bump = np.exp(-(((y - cy) / 0.12) ** 2 + ((x - cx) / 0.12) ** 2))
    return (2.4 * bump + rng.normal(0, 0.12, size)).astype(np.float32)


def save_maps(folder: Path, method: str, names: Sequence[str], maps: np.ndarray, model: str = MODEL) -> None:
    path = folder / "attributions" / model / f"{method}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, scene_ids=np.array(names), maps=maps.astype(np.float32))


def auc_rows() -> list[dict[str, object]]:
    rng = np.random.default_rng(5)
    out = []
    for d, sensor in itertools.product(range(31), ("left", "centre_left", "centre", "centre_right", "right")):
        one_class = d < 2 and sensor in ("left", "right")
        auc = np.nan if one_class else float(np.clip(0.99 - 0.002 * d + rng.normal(0, 0.01), 0, 1))
        out.append(
            {
                "distance_cm": d,
                "sensor": sensor,
                "auc": auc,
                "ci_low": auc - 0.02,
                "ci_high": min(auc + 0.01, 1.0),
                "interval": "bootstrap",
                "n1": 40,
                "n0": 90,
                "in_view": 0.4 if d < 5 and one_class else 1.0,
                "undefined_reason": "one_class" if one_class else "",
            }
        )
    return out


def write_auc(folder: Path, levels: Mapping[str, Sequence[str]]) -> None:
    rows = [{"model": MODEL, **CONTROL, "presence": "object", **row} for row in auc_rows()]
    AUC.write(pd.DataFrame(rows), folder, factors=[*CONTROL, "presence"], csv=True)
