"""A studio run made of drawn discs and pails, with a classifier that some levels mislead.

Written into a run directory of its own or beside what a drawn tabletop run left there; nothing in it is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import drawn_studio_analysis
import numpy as np
import pandas as pd
from drawn_scenes import drawn_truth, measures
from drawn_scores import save_maps
from drawn_shots import CLASSES, CLASSIFIER, FACTORS, POSES, SIDE, Shot, share, shots

from audit import tables
from scenes.manifest import SCENES
from scenes.store import FLOOR, OBJECT, Store
from scenes.table import Table

DESIGN = {
    "name": "studio",
    "seeds": POSES,
    "objects": list(CLASSES),
    "crossing": "one_at_a_time",
    "factors": {f: list(v) for f, v in FACTORS.items()},
    "control": {},
    "arms": True,
}
RECORD = {
    "task": "classification",
    "scene_set": "studio",
    "architecture": "squeezenet1_0",
    "checkpoint": "squeezenet1_0.safetensors",
    "sha256": "d35c" * 16,
    "preprocessing": {"height": 224, "width": 224, "channels": "rgb", "normalisation": "fixed"},
    "target_layer": "features.12",
    "threshold": 0.5,
    "recipe": None,
    "card": {},
}
VERDICT = {
    "verdict": "failures found",
    "failures": 4,
    "ranked": True,
    "untested": {},
    "control": [{"metric": "top1", "value": 1.0, "floor": 0.6, "ok": True}],
}


def write_studio(folder: Path, store: Path) -> None:
    """Add the studio's scenes and tables to a run directory, whatever of another set stands there already."""
    folder.mkdir(parents=True, exist_ok=True)
    made = shots()
    _write_scenes(folder, store, made)
    _add(tables.LABELS, pd.DataFrame([_label(s) for s in made]), folder)
    _add(tables.RESPONSES, pd.DataFrame([_response(s) for s in made]), folder)
    _add(tables.ANSWERS, pd.DataFrame(list(_answers(made))), folder)
    _add(tables.TAKEN_FOR, _taken_for(made), folder, ["presence", "object", *FACTORS])
    scores = pd.DataFrame([row for s in made for row in _scores(s)])
    _add(tables.PREDICTIONS, scores[list(tables.PREDICTIONS.columns)], folder)
    _add(tables.CONDITIONS, drawn_studio_analysis.conditions(scores, made), folder, ["presence", "object", *FACTORS])
    _add(tables.ATTENTION, pd.DataFrame([row for s in made for row in _attention(s)]), folder)
    effects = drawn_studio_analysis.effects(scores, made)
    _add(tables.EFFECTS, effects, folder)
    _add(tables.FAILURES, drawn_studio_analysis.failures(effects), folder)
    _add(tables.INTERVENTIONS, pd.DataFrame(list(drawn_studio_analysis.interventions())), folder)
    _add(tables.EARNED, pd.DataFrame([drawn_studio_analysis.earned()]), folder)
    shown = [s for s in made if s.presence == "object"]
    wrong = [s for s in shown if not s.is_right]
    save_maps(folder, "hires_cam", [s.scene_id for s in shown], np.array([_map(s, 0.0) for s in shown]), CLASSIFIER)
    mistaken = np.array([_map(s, 0.25) for s in wrong])
    save_maps(folder, "mistaken/hires_cam", [s.scene_id for s in wrong], mistaken, CLASSIFIER)


def _add(table: Table, frame: pd.DataFrame, folder: Path, factors: Sequence[str] = ()) -> None:
    """Write `frame`, below the rows that are there; a factor that one of the two lacks is '-'."""
    frames, names = [frame], list(factors)
    if (folder / f"{table.name}.parquet").is_file():
        held = table.read(folder)
        frames, names = [held, frame], list(dict.fromkeys([*held.attrs["factors"], *factors]))
    whole = pd.concat(frames, ignore_index=True)
    whole = whole.assign(**{f: whole[f].fillna("-") if f in whole else "-" for f in names})
    table.write(whole, folder, names, csv=table is not tables.LABELS)


def _write_scenes(folder: Path, root: Path, made: Sequence[Shot]) -> None:
    store, rows = Store(root), []
    for shot in made:
        rgb, index, shadow, outside = _drawn(shot)
        depth, albedo = np.full((SIDE, SIDE), 2.0, np.float32), np.full((2, 3), 0.4, np.float32)
        store.write_image(shot.scene_id, {"rgb": rgb, "index": index, "depth": depth, "albedo": albedo})
        store.write_truth(shot.scene_id, drawn_truth(shadow, outside))
        is_seen = shot.presence == "object"
        rows.append(
            {
                "presence": shot.presence,
                "object": shot.thing,
                **shot.levels,
                "cell_id": shot.cell_id,
                "scene_id": shot.scene_id,
                "scene_set": "studio",
                "block_id": shot.block,
                "stratum": shot.thing,
                "values": "",
                "status": "ok",
                "reason": "",
                "shape": shot.thing if is_seen else "none",
                "distance_m": np.nan,
                "albedo_delta_e": 40.0 if is_seen else np.nan,
                "contour_delta_e": 25.0 if is_seen else np.nan,
                **measures(index == OBJECT, is_seen),
                "object_px": float((index == OBJECT).sum()),
                "shadow_px": float(shadow.sum()),
                "outside_px": float(outside.sum()),
                "object_clipped": 0.02 if is_seen else np.nan,
                "floor_clipped": 0.001,
                "mean_luminance": float(rgb.mean() / 255),
            }
        )
    _add(SCENES, pd.DataFrame(rows), folder, ["presence", "object", *FACTORS])


def _drawn(shot: Shot) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 picture, (H, W) uint8 index, (H, W) float32 strengths of the cast and of the outside shadow."""
    y, x = np.indices((SIDE, SIDE))
    middle, radius = (118, 104 + 5 * shot.pose), 52
    disc = (y - middle[0]) ** 2 + (x - middle[1]) ** 2 < radius**2
    if shot.thing == "bucket":
        disc = (abs(y - middle[0]) < radius) & (abs(x - middle[1]) < radius * (0.75 + 0.002 * (y - middle[0])))
    index = np.where(y < 70, 0, FLOOR).astype(np.uint8)
    shadow = ((y - 168) / 14) ** 2 + ((x - middle[1] - 40) / 60) ** 2 < 1
    if shot.presence == "object":
        index[disc] = OBJECT
    cast = (shadow & (index == FLOOR) & (shot.presence != "empty")).astype(np.float32) * 0.8
    slats = ((y + x // 3) % 24 < 12) & (shot.levels["outside_shadow"] == "slats")
    outside = (slats & (index == FLOOR)).astype(np.float32)
    own = {"lemon": (235, 205, 40), "bucket": (150, 155, 165)}[shot.thing]
    color = (60, 80, 200) if shot.levels["object_color"] == "unusual" else own
    picture = np.where((index == OBJECT)[..., None], np.array(color), np.array((176, 170, 160)))
    light = np.linspace(1.15, 0.5, SIDE) if shot.levels["light"] == "back" else np.linspace(0.9, 1.05, SIDE)
    picture = picture * light[:, None, None] * (1 - 0.5 * np.maximum(cast, slats * 0.9))[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8), index, cast, outside


def _label(shot: Shot) -> dict[str, object]:
    label = np.zeros(1000, dtype=np.int8)
    label[CLASSES[shot.thing][0]] = shot.presence == "object"
    return {"scene_id": shot.scene_id, "label": label, "in_view": np.ones(1000, dtype=bool)}


def _response(shot: Shot) -> dict[str, object]:
    probability = np.full(1000, 1e-5, dtype=np.float32)
    probability[CLASSES[shot.thing][0]] = shot.probability
    return {"model": CLASSIFIER, "scene_id": shot.scene_id, "probability": probability}


def _answers(made: Sequence[Shot]) -> Iterator[dict[str, object]]:
    for shot in made:
        for rank, (name, probability, is_right) in enumerate(shot.answers, start=1):
            found = {"rank": rank, "output": rank, "answer": name, "probability": probability, "is_right": is_right}
            yield {"model": CLASSIFIER, "scene_id": shot.scene_id, **found}


def _taken_for(made: Sequence[Shot]) -> pd.DataFrame:
    rows = [
        {"object": s.thing, **s.levels, "answer": s.answers[0][0], "p": s.answers[0][1], "is_right": s.answers[0][2]}
        for s in made
        if s.presence == "object"
    ]
    by = ["object", *FACTORS, "answer", "is_right"]
    counted = pd.DataFrame(rows).groupby(by, sort=True)["p"].agg(["size", "mean"]).reset_index()
    counted = counted.rename(columns={"size": "scenes", "mean": "mean_probability"})
    return counted.assign(model=CLASSIFIER, presence="object", share=counted["scenes"] / POSES)


def _scores(shot: Shot) -> Iterator[dict[str, object]]:
    p = shot.probability
    margin = 6.5 - 0.3 * shot.pose if shot.is_right else -1.5 - 0.2 * shot.pose
    margin -= 3.0 * (shot.presence == "empty") + 4.2 * (shot.presence == "ghost")
    right = float(shot.is_right) if shot.presence == "object" else np.nan
    top5 = 1.0 if shot.presence == "object" else np.nan
    found = {"top1": right, "top5": top5, "target_probability": p, "logit_margin": margin, "target_logit": 12 * p}
    for metric, value in found.items():
        reason = "no_object" if np.isnan(value) else ""
        place = {"thing": shot.thing, "pose": shot.pose, "presence": shot.presence, **shot.levels}
        row = {"cell_id": shot.cell_id, "metric": metric, "value": value, "undefined_reason": reason}
        yield {"model": CLASSIFIER, **row, **place}


def _attention(shot: Shot) -> Iterator[dict[str, object]]:
    if shot.presence != "object":
        return
    slats = shot.levels["outside_shadow"] == "slats"
    split = {"object": share(shot), "cast_shadow": 0.08, "outside_shadow": 0.1 * slats, "background": 0.02}
    split["floor"] = 1 - sum(split.values())
    for source, method in (("model", "hires_cam"), ("untrained", "hires_cam"), ("edges", "-"), ("random", "-")):
        common = {"model": CLASSIFIER, "scene_id": shot.scene_id, "method": method, "source": source}
        for region, value in split.items():
            yield {
                **common,
                "metric": "mass_split",
                "region": region,
                "value": value,
                "chance": value,
                "undefined_reason": "",
            }
        found = {"metric": "relevance_mass_accuracy", "region": "object", "value": share(shot), "chance": 0.16}
        yield {**common, **found, "undefined_reason": ""}


def _map(shot: Shot, aside: float) -> np.ndarray:
    """(13, 13) float32: a bump on the object, or beside it."""
    y, x = np.indices((13, 13)) / 13
    place = (118 / SIDE, (104 + 5 * shot.pose) / SIDE + aside)
    return np.exp(-(((y - place[0]) / 0.15) ** 2 + ((x - place[1]) / 0.15) ** 2)).astype(np.float32)
