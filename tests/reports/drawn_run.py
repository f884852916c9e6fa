"""A run directory made of drawn rectangles and plausible numbers: complete in structure, quick to make, repeatable.

Nothing here is measured; the numbers only have the shape, the gaps (NaN, rejected scene, skipped model, unearned method)
and the order of size of a real run.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from audit import tables
from scenes.manifest import SCENES
from scenes.store import FLOOR, OBJECT, Store

H, W = 64, 80
MODEL = "proximity"
SMALL: Mapping[str, Sequence[str]] = {
    "relation": ("distinct", "equal"),
    "light": ("front", "back"),
    "cast_shadow": ("soft", "none"),
}
FULL: Mapping[str, Sequence[str]] = {
    "relation": ("distinct", "near", "equal"),
    "light": ("front", "back", "right_low", "right_high"),
    "cast_shadow": ("soft", "hard", "none"),
}
CONTROL = {"relation": "distinct", "light": "front", "cast_shadow": "soft"}
METHODS = ("hires_cam", "grad_cam", "saliency")
REGIONS = ("object", "cast_shadow", "floor", "background")
_SHIFT = {"front": (0, -7), "back": (0, 9), "right_low": (-14, 3), "right_high": (-7, 2)}
_MARGINS = {"sensor_miss": 0.10, "sensor_false_alarm": 0.05, "relevance_mass_accuracy": 0.10}


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


@dataclass(frozen=True)
class SyntheticRun:
    """Where the factory wrote: `folder` is the run directory, `store` the render store's root."""

    folder: Path
    store: Path
    cells: tuple[Cell, ...] = field(default=())


def make_run(
    root: Path, levels: Mapping[str, Sequence[str]] = SMALL, blocks: int = 6, verdict: str = "failures found",
    earned: bool = False, sentence: str = "",
) -> SyntheticRun:  # fmt: skip
    """Write a whole run directory under `root` and the scenes it names into a store beside it."""
    folder, store = root / "run", root / "store"
    folder.mkdir(parents=True)
    cells = tuple(_cells(levels, blocks))
    _write_scenes(folder, store, cells)
    probability = _write_answers(folder, cells)
    values = _write_predictions(folder, cells, probability)
    _write_attention(folder, cells)
    _write_conditions(folder, cells, values, blocks)
    _write_findings(folder, levels, values, cells, blocks, verdict, sentence)
    _write_interventions(folder, levels, blocks)
    _write_earned(folder, earned)
    _write_auc(folder, levels)
    _write_records(folder, levels, blocks, verdict, len(cells))
    return SyntheticRun(folder, store, cells)


def make_pictures_run(root: Path, names: Sequence[str] = ("equal_color_1", "different_color_2")) -> SyntheticRun:
    """A run over pictures without ground truth: no effects, no failures."""
    from PIL import Image

    folder, rng = root / "run", np.random.default_rng(3)
    (folder / "pictures").mkdir(parents=True)
    maps, answers = [], []
    for i, name in enumerate(names):
        picture = np.kron(rng.integers(60, 200, (8, 10, 3)), np.ones((8, 8, 1))).astype(np.uint8)
        Image.fromarray(picture).save(folder / "pictures" / f"{name}.png")
        maps.append(rng.normal(size=(16, 20)))
        answers.append({"model": MODEL, "scene_id": name, "probability": rng.random(155).astype(np.float32) * (i + 1) / 2})
    _save_maps(folder, "hires_cam", list(names), np.array(maps))
    tables.RESPONSES.write(pd.DataFrame(answers), folder)
    rows = [
        {"model": MODEL, "picture": n, "mean_output": 0.31, "mean_output_swapped": 0.22, "mean_abs_difference": 0.17, "flipped": 0.27}
        for n in names
    ]
    tables.PICTURES.write(pd.DataFrame(rows), folder, csv=True)
    config = {"experiment": "paper_2019", "design": {"scene_set": "pictures", "factors": {}}, "attribution": {"methods": ["hires_cam"]}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "run.json").write_text(json.dumps(_run_json("paper_2019")))
    return SyntheticRun(folder, root / "store")


def _cells(levels: Mapping[str, Sequence[str]], blocks: int) -> list[Cell]:
    conditions = [{"presence": "object", **dict(zip(levels, c, strict=True))} for c in itertools.product(*levels.values())]
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


def _write_scenes(folder: Path, root: Path, cells: Sequence[Cell]) -> None:
    store, rows = Store(root), []
    for i, cell in enumerate(cells):
        rgb, index, shadow = _drawn(cell)
        rejected = i == 3
        if not rejected and not store.has(cell.scene_id):
            depth = np.full((H, W), 0.5, dtype=np.float32)
            albedo = np.full((2, 3), 0.4, dtype=np.float32)
            store.write_image(cell.scene_id, {"rgb": rgb, "index": index, "depth": depth, "albedo": albedo})
            store.write_shadow(cell.scene_id, shadow)
        seen = _is_seen(cell)
        rows.append(
            {
                **cell.levels, "cell_id": cell.cell_id, "scene_id": cell.scene_id, "scene_set": "tabletop",
                "block_id": str(cell.block), "stratum": cell.stratum, "status": "rejected" if rejected else "ok",
                "reason": "object_not_visible" if rejected else "", "shape": "box" if seen else "",
                "distance_m": cell.distance / 100 if seen else np.nan,
                "albedo_delta_e": {"equal": 0.0, "near": 6.0}.get(cell.levels["relation"], 31.0) if seen else np.nan,
                "contour_delta_e": 4.0 if cell.levels["relation"] == "equal" else 31.0,
                "object_px": float((index == OBJECT).sum()), "shadow_px": float(shadow.sum()),
                "object_clipped": 0.04 if cell.levels["light"] == "back" else 0.0,
                "floor_clipped": 0.11 if cell.levels["light"] == "back" else 0.002, "mean_luminance": float(rgb.mean() / 255),
            }
        )  # fmt: skip
    SCENES.write(pd.DataFrame(rows), folder, ["presence", *CONTROL], csv=True)


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
    if _is_seen(cell):
        index[top : top + height, left : left + width] = OBJECT
    strength *= index == FLOOR
    picture = picture * (1 - 0.6 * strength[..., None])
    colour = {"equal": floor, "near": floor + [18, 6, -8]}.get(cell.levels["relation"], np.array([60, 90, 160]))
    if _is_seen(cell):
        picture[top : top + height, left : left + width] = colour * (0.62 if cell.levels["light"] == "back" else 0.95)
        picture[top : top + height // 4, left : left + width] = colour * 1.1
    return np.clip(picture, 0, 255).astype(np.uint8), index, strength


def _is_seen(cell: Cell) -> bool:
    return cell.stratum != "empty" and cell.levels["presence"] == "object"


def _truth(cell: Cell) -> np.ndarray:
    label = np.zeros((31, 5), dtype=np.int8)
    if not _is_seen(cell):
        return label.ravel()
    first = max(0, cell.box[1] * 5 // W)
    last = min(4, (cell.box[1] + cell.box[3]) * 5 // W)
    label[max(cell.distance - 11, 0) :, first : last + 1] = 1
    label[min(cell.distance + 2, 31) :] = -1
    return label.ravel()


def _write_answers(folder: Path, cells: Sequence[Cell]) -> dict[str, np.ndarray]:
    """Answers that miss equal colours, alarm under light from behind and for shadows alone."""
    labels, responses, known = [], [], {}
    for cell in cells:
        if cell.scene_id in known:
            continue
        rng = np.random.default_rng(int(cell.scene_id[:8], 16))
        truth = _truth(cell)
        logit = rng.normal(-4, 0.8, 155) + 7.5 * (truth == 1) + 1.0 * (truth == -1)
        light = cell.levels["light"]
        if cell.levels["relation"] == "equal" and _is_seen(cell) and cell.block % 3:
            logit -= 7.0 * (truth == 1)
        if light == "back":
            logit[10:70] += rng.choice([0.0, 5.5], 60, p=[0.93, 0.07]) if cell.block % 5 else 0
        if cell.levels["presence"] == "ghost" and cell.stratum != "empty":
            logit[40:120] += 5.5 * (rng.random() < 0.8)
        known[cell.scene_id] = (1 / (1 + np.exp(-logit))).astype(np.float32)
        labels.append({"scene_id": cell.scene_id, "label": truth, "in_view": np.ones(155, dtype=bool)})
        responses.append({"model": MODEL, "scene_id": cell.scene_id, "probability": known[cell.scene_id]})
    tables.LABELS.write(pd.DataFrame(labels), folder)
    tables.RESPONSES.write(pd.DataFrame(responses), folder)
    return known


def _write_predictions(
    folder: Path, cells: Sequence[Cell], probability: Mapping[str, np.ndarray]
) -> dict[tuple[str, str], float]:
    values: dict[tuple[str, str], float] = {}
    rows = []
    for cell in cells:
        p, y = probability[cell.scene_id].reshape(31, 5)[:16], _truth(cell).reshape(31, 5)[:16]
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
            rows.append({"model": MODEL, "cell_id": cell.cell_id, "metric": metric, "value": value, "undefined_reason": reason})
    tables.PREDICTIONS.write(pd.DataFrame(rows), folder)
    return values


def _write_attention(folder: Path, cells: Sequence[Cell]) -> None:
    scenes = {c.scene_id: c for c in cells}
    names = sorted(scenes)
    attributed = [n for n in names if (_truth(scenes[n]) == 1).any()]
    for method in METHODS:
        size = (H, W) if method == "saliency" else (16, 20)
        _save_maps(folder, method, attributed, np.array([_map(scenes[n], size) for n in attributed]))
    rows = []
    for name in names:
        cell = scenes[name]
        if not _is_seen(cell):
            continue
        rng = np.random.default_rng(int(name[:8], 16))
        area = cell.box[2] * cell.box[3] / (H * W)
        for method, source in [*itertools.product(METHODS, ("model", "untrained", "ceiling")), *(("-", s) for s in ("edges", "gaussian", "random"))]:
            base = {"model": 0.42, "untrained": 0.2, "ceiling": 0.66, "edges": 0.45, "gaussian": 0.16}.get(source, area)
            share = float(np.clip(base + rng.normal(0, 0.05), 0, 1))
            common = {"model": MODEL, "scene_id": name, "method": method, "source": source}
            undefined = cell.distance > 34 and source in ("model", "untrained")
            reason = "no_positive" if undefined else ""
            for metric, value, chance in (("relevance_mass_accuracy", share, area), ("enrichment", share / area, 1.0), ("pointing_game", float(share > 0.4), 2 * area)):
                rows.append({**common, "metric": metric, "region": "object", "value": np.nan if undefined else value, "chance": chance, "undefined_reason": reason})
            parts = np.array([share, 0.15, 0.8 - 0.8 * share, 0.05])
            areas = (area, 0.08, 0.87 - area, 0.05)
            for region, part, of_area in zip(REGIONS, parts / parts.sum(), areas, strict=True):
                rows.append({**common, "metric": "mass_split", "region": region, "value": np.nan if undefined else part, "chance": of_area, "undefined_reason": reason})
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


def _save_maps(folder: Path, method: str, names: Sequence[str], maps: np.ndarray) -> None:
    path = folder / "attributions" / MODEL / f"{method}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, scene_ids=np.array(names), maps=maps.astype(np.float32))


def _interval(values: np.ndarray) -> dict[str, float]:
    mean = float(values.mean()) if len(values) else float("nan")
    half = float(2.1 * values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
    return {"mean": mean, "ci_low": mean - half, "ci_high": mean + half}


def _write_conditions(folder: Path, cells: Sequence[Cell], values: Mapping[tuple[str, str], float], blocks: int) -> None:
    rows = []
    metrics = sorted({m for _, m in values})
    for key, group in itertools.groupby(sorted(cells, key=lambda c: sorted(c.levels.items())), key=lambda c: dict(c.levels)):
        of_condition = list(group)
        in_recipe = key["light"] == "front" and key["relation"] == "distinct"
        for metric in metrics:
            if metric == "sensor_miss" and key["presence"] != "object":
                defined = np.array([])
            else:
                found = np.array([values[c.cell_id, metric] for c in of_condition])
                defined = found[~np.isnan(found)]
            task = {"model": MODEL, "metric": metric, "method": "-", "region": "-", "interval": "t", "n": blocks}
            rows.append({**key, **task, **_interval(defined), "usable_n": len(defined), "in_recipe": in_recipe, "chance": np.nan, "untrained": np.nan})
        if key["presence"] == "object":
            overlap = {"model": MODEL, "metric": "relevance_mass_accuracy", "method": "hires_cam", "region": "object", "interval": "t", "n": blocks}
            shares = np.array([0.45 - 0.22 * (key["light"] == "back") + 0.02 * (b % 5 - 2) for b in range(blocks)])
            rows.append({**key, **overlap, **_interval(shares), "usable_n": blocks, "in_recipe": in_recipe, "chance": 0.07, "untrained": 0.2})
    tables.CONDITIONS.write(pd.DataFrame(rows), folder, ["presence", *CONTROL], csv=True)


def _write_findings(
    folder: Path, levels: Mapping[str, Sequence[str]], values: Mapping[tuple[str, str], float], cells: Sequence[Cell],
    blocks: int, verdict: str, sentence: str,
) -> None:  # fmt: skip
    singles = [{f: v} for f, of_factor in levels.items() for v in of_factor if v != CONTROL[f]]
    pairs = [{**a, **b} for a, b in itertools.combinations(singles, 2) if not set(a) & set(b)]
    plan = [("sensor_miss", "-"), ("sensor_false_alarm", "-"), ("relevance_mass_accuracy", "hires_cam")]
    effects, failures = [], []
    for (metric, method), contrast in itertools.product(plan, [*singles, *pairs]):
        name = " & ".join(f"{f}={v}" for f, v in sorted(contrast.items()))
        control = " & ".join(f"{f}={CONTROL[f]}" for f in sorted(contrast))
        by_block = _paired(metric, contrast, values, cells)
        d = np.array(list(by_block.values()))
        effect, low, high = _effect_of(d)
        fails = low > _MARGINS[metric]
        sign = -1 if metric == "relevance_mass_accuracy" else 1
        held = 0.45 if sign < 0 else 0.02
        common = {
            "model": MODEL, "metric": metric, "method": method, "control": control,
            "finding_id": "F-" + hashlib.sha256(f"{MODEL}{metric}{name}".encode()).hexdigest()[:8],
            "effect": effect, "ci_low": low, "ci_high": high, "q": 0.0004 if fails else 0.4, "usable_n": len(d),
            "level_mean": held + sign * effect, "control_mean": held,
        }  # fmt: skip
        excess = effect / 3 if len(contrast) > 1 else np.nan
        effects.append({
            **common, "region": "-" if method == "-" else "object", "contrast": name, "order": len(contrast),
            "simple_effect": effect * 0.9, "simple_low": low * 0.8, "simple_high": high, "excess": excess,
            "excess_low": excess - 0.1, "excess_high": excess + 0.1, "margin": _MARGINS[metric], "test": "t",
            "p": 0.0001 if fails else 0.2, "n": blocks, "in_recipe": "light=back" not in name, "is_failure": fails,
            "reason": "",
        })  # fmt: skip
        if fails and verdict != "no failure found":
            text = sentence or _sentence(metric, name, control, common)
            worst = sorted((b for b, v in by_block.items() if v > 0), key=lambda b: (-by_block[b], b))
            failures.append({
                **common, "rank": 0, "condition": name, "severity": low / _MARGINS[metric],
                "expected": "light=back" in name, "ranked": verdict != "unfit at control",
                "example_blocks": " ".join(map(str, worst[:6])), "sentence": text,
                "reproduce": f"scene-audit run experiment=smoke design.keep.light=[front,back] design.keep.seeds=[{','.join(map(str, worst))}]",
            })  # fmt: skip
    failures.sort(key=lambda f: -f["severity"])
    failures = [{**f, "rank": i} for i, f in enumerate(failures, start=1)]
    tables.EFFECTS.write(pd.DataFrame(effects), folder, csv=True)
    frame = pd.DataFrame(failures) if failures else tables.FAILURES.empty()
    tables.FAILURES.write(frame, folder, csv=True)


def _sentence(metric: str, name: str, control: str, row: Mapping[str, object]) -> str:
    what = {"sensor_miss": "the network misses {} of occupied sensors", "sensor_false_alarm": "the network raises a false alarm on {} of clear sensors"}
    phrase = what.get(metric, "{} of the positive part of the map lies on the object").format(f"{100 * float(str(row['level_mean'])):.0f} %")
    return f"Under {name.replace(' & ', ' and ').replace('=', ' = ')} {phrase}, against {100 * float(str(row['control_mean'])):.0f} % under {control.replace(' & ', ' and ').replace('=', ' = ')}."


def _paired(
    metric: str, contrast: Mapping[str, str], values: Mapping[tuple[str, str], float], cells: Sequence[Cell]
) -> dict[int, float]:
    """Block -> level less control, positive = worse, other factors at control; blocks where it is defined."""
    blocks = sorted({c.block for c in cells})
    if metric == "relevance_mass_accuracy":
        drop = 0.22 if contrast.get("light") == "back" else 0.0
        return {b: drop + 0.01 * (b % 5 - 2) for b in blocks if b % 4 != 3}
    by = {(c.block, tuple(c.levels[f] for f in CONTROL)): c.cell_id for c in cells if c.levels["presence"] == "object"}
    level = tuple({**CONTROL, **contrast}[f] for f in CONTROL)
    out = {b: values[by[b, level], metric] - values[by[b, tuple(CONTROL.values())], metric] for b in blocks}
    return {b: d for b, d in out.items() if not np.isnan(d)}


def _effect_of(d: np.ndarray) -> tuple[float, float, float]:
    facts = _interval(d)
    return facts["mean"], facts["ci_low"], min(facts["ci_high"], 1.0)


def _write_interventions(folder: Path, levels: Mapping[str, Sequence[str]], blocks: int) -> None:
    """Every effect at every condition, and at `all` levels; ghost and empty joined to what they do not depend on."""
    rows = []
    shadow_of = {"front": 0.9, "back": 0.02, "right_low": 0.5, "right_high": 0.3}
    empty_of = {"front": 0.0, "back": 0.97, "right_low": 0.1, "right_high": 0.05}
    object_of = {"distinct": 0.9, "near": 0.8, "equal": 0.55}
    unit_of = {"scene_alarm": 1.0, "sensor_alarm": 0.6, "target_logit": 9.0}
    places = itertools.product([*levels["relation"], "all"], [*levels["light"], "all"], [*(s for s in levels["cast_shadow"] if s != "none"), "all"])
    for (relation, light, shadow), (response, unit) in itertools.product(places, unit_of.items()):
        empty, alone = empty_of.get(light, 0.28), object_of.get(relation, 0.75)
        ghost = min(empty + shadow_of.get(light, 0.43) * (1.05 if shadow == "hard" else 1), 1.0)
        full = max(alone, ghost, 0.93)
        means = {
            "arm_empty": empty, "arm_object": alone, "arm_ghost": ghost, "arm_full": full, "object": alone - empty,
            "shadow": ghost - empty, "interaction": full - alone - ghost + empty, "removal_object": full - ghost,
            "removal_shadow": full - alone,
        }  # fmt: skip
        if relation == shadow == "all" and light not in ("front", "all"):
            means["light"] = empty - empty_of["front"]
        for effect, mean in means.items():
            high = min(mean + 0.08, 1.0)
            rows.append({
                "model": MODEL, "response": response, "effect": effect, "relation": relation, "light": light,
                "cast_shadow": shadow, "mean": mean * unit, "ci_low": max(mean - 0.08, -1.0) * unit, "ci_high": high * unit,
                "n": blocks, "usable_n": blocks if effect == "light" else blocks // 2,
            })  # fmt: skip
    tables.INTERVENTIONS.write(pd.DataFrame(rows), folder, csv=True)


def _write_earned(folder: Path, earned: bool) -> None:
    rows = []
    for method, region in itertools.product(METHODS, ("object", "cast_shadow")):
        gain = 0.12 if earned else -0.1
        rows.append({
            "model": MODEL, "method": method, "region": region, "rho": 0.46, "rho_low": 0.3, "rho_high": 0.6,
            "best_null": "edges", "best_null_rho": 0.46 - gain, "gain": gain, "gain_low": gain - 0.08, "gain_high": gain + 0.08,
            "earned": earned, "scenes": 120, "blocks": 18, "reason": "" if earned else "not earned: edges does as well",
        })  # fmt: skip
    rows[-1] |= {"rho": np.nan, "rho_low": np.nan, "rho_high": np.nan, "gain": np.nan, "best_null": "", "best_null_rho": np.nan, "earned": False, "reason": "no scenes with both a map and an intervention effect"}
    tables.EARNED.write(pd.DataFrame(rows), folder, csv=True)


def _auc_rows() -> list[dict[str, object]]:
    rng = np.random.default_rng(5)
    out = []
    for d, sensor in itertools.product(range(31), ("left", "centre_left", "centre", "centre_right", "right")):
        one_class = d < 2 and sensor in ("left", "right")
        auc = np.nan if one_class else float(np.clip(0.99 - 0.002 * d + rng.normal(0, 0.01), 0, 1))
        out.append({"distance_cm": d, "sensor": sensor, "auc": auc, "ci_low": auc - 0.02, "ci_high": min(auc + 0.01, 1.0),
                    "interval": "bootstrap", "n1": 40, "n0": 90, "in_view": 0.4 if d < 5 and one_class else 1.0,
                    "undefined_reason": "one_class" if one_class else ""})  # fmt: skip
    return out


def _write_auc(folder: Path, levels: Mapping[str, Sequence[str]]) -> None:
    rows = [{"model": MODEL, **CONTROL, "presence": "object", **row} for row in _auc_rows()]
    pd.DataFrame(rows).to_csv(folder / "auc.csv", index=False)


def _run_json(experiment: str) -> dict[str, object]:
    card_rows = [{**r, "auc": None if np.isnan(float(str(r["auc"]))) else r["auc"]} for r in _auc_rows()]
    card_rows = [{k: (None if v != v else v) for k, v in row.items()} for row in card_rows]
    return {
        "schema_version": 1, "run_id": f"20260314T092653Z-{experiment}", "experiment": experiment, "created": "20260314T092653Z",
        "git": {"sha": "0123456789abcdef0123456789abcdef01234567", "dirty": True},
        "versions": {"scene-audit": "0.1.0", "torch": "2.14.1", "blender": "4.5.15"}, "device": "cpu", "seed": 0,
        "command": f"scene-audit run experiment={experiment}",
        "models": {
            MODEL: {
                "architecture": "proximity_cnn", "checkpoint": "proximity.safetensors", "sha256": "9f2c" * 16,
                "preprocessing": {"height": 64, "width": 80, "resize": "bilinear", "channels": "rgb", "normalisation": "per_image"},
                "target_layer": "features.7", "threshold": 0.5, "recipe": {"relation": ["distinct"], "light": ["front"], "cast_shadow": ["soft"]},
                "card": {"scenes": 10000, "epochs": 60, "mean_auc": 0.987, "training": {"loss": "binary cross entropy", "loss_per_epoch": [0.2 * 0.93**i + 0.01 for i in range(60)]}, "auc_table": card_rows},
            }
        },
        "skipped_models": [{"name": "squeezenet1_0", "reason": "its weights could not be had: no network.", "remedy": "pass models.squeezenet1_0.checkpoint=FILE."}],
        "stages": {"render": 120.5, "predict": 2.25, "attribute": 9.0, "analyse": 4.0}, "renders": {"rendered": 40, "cached": 8, "failed": 0, "rejected": 1},
        "peak_memory_mb": 912,
    }  # fmt: skip


def _write_records(
    folder: Path, levels: Mapping[str, Sequence[str]], blocks: int, verdict: str, cells: int
) -> None:
    config = {
        "experiment": "smoke", "seed": 0,
        "design": {"name": "tabletop", "scene_set": "tabletop", "seeds": blocks, "factors": {f: list(v) for f, v in levels.items()}, "control": {}, "arms": True},
        "robot": {"horizon": 15}, "attribution": {"methods": list(METHODS)},
        "criterion": {"margins": _MARGINS, "q": 0.05, "min_blocks": 8, "control_floor": {"sensor_miss": 0.25, "auc": 0.85}, "min_coverage": 0.95},
        "paths": {"store": "/home/someone/store", "outputs": "outputs"},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (folder / "run.json").write_text(json.dumps(_run_json("smoke"), indent=1))
    unfit = verdict == "unfit at control"
    own = {
        "verdict": verdict, "failures": 3, "ranked": not unfit, "untested": {},
        "control": [
            {"metric": "sensor_miss", "value": 0.57 if unfit else 0.12, "floor": 0.25, "ok": not unfit},
            {"metric": "auc", "value": 0.987, "floor": 0.85, "ok": True},
        ],
    }  # fmt: skip
    coverage = {"planned": cells, "usable": cells - 1, "failed": 0, "rejected": 1, "share": (cells - 1) / cells}
    whole = {"schema_version": 1, "verdict": verdict, "models": {MODEL: own}, "coverage": coverage, "exit_code": 0}
    (folder / "verdict.json").write_text(json.dumps(whole, indent=1))
