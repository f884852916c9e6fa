"""The analysis tables of a drawn run: plausible numbers in the shape of real ones, none of them analysed."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from drawn_scenes import CONTROL, Cell
from drawn_scores import METHODS, MODEL

from audit import tables

MARGINS = {"sensor_miss": 0.10, "sensor_false_alarm": 0.05, "relevance_mass_accuracy": 0.10}


def _interval(values: np.ndarray) -> dict[str, float]:
    mean = float(values.mean()) if len(values) else float("nan")
    half = float(2.1 * values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
    return {"mean": mean, "ci_low": mean - half, "ci_high": mean + half}


def write_conditions(folder: Path, cells: Sequence[Cell], values: Mapping[tuple[str, str], float], blocks: int) -> None:
    rows = []
    metrics = sorted({m for _, m in values})
    for key, group in itertools.groupby(
        sorted(cells, key=lambda c: sorted(c.levels.items())), key=lambda c: dict(c.levels)
    ):
        of_condition = list(group)
        in_recipe = key["light"] == "front" and key["relation"] == "distinct"
        for metric in metrics:
            if metric == "sensor_miss" and key["presence"] != "object":
                defined = np.array([])
            else:
                found = np.array([values[c.cell_id, metric] for c in of_condition])
                defined = found[~np.isnan(found)]
            task = {"model": MODEL, "metric": metric, "method": "-", "region": "-", "interval": "t", "n": blocks}
            rows.append(
                {
                    **key,
                    **task,
                    **_interval(defined),
                    "usable_n": len(defined),
                    "in_recipe": in_recipe,
                    "chance": np.nan,
                    "untrained": np.nan,
                }
            )
        if key["presence"] == "object":
            overlap = {
                "model": MODEL,
                "metric": "relevance_mass_accuracy",
                "method": "hires_cam",
                "region": "object",
                "interval": "t",
                "n": blocks,
            }
            shares = np.array([0.45 - 0.22 * (key["light"] == "back") + 0.02 * (b % 5 - 2) for b in range(blocks)])
            rows.append(
                {
                    **key,
                    **overlap,
                    **_interval(shares),
                    "usable_n": blocks,
                    "in_recipe": in_recipe,
                    "chance": 0.07,
                    "untrained": 0.2,
                }
            )
    tables.CONDITIONS.write(pd.DataFrame(rows), folder, ["presence", *CONTROL], csv=True)


def write_findings(
    folder: Path,
    levels: Mapping[str, Sequence[str]],
    values: Mapping[tuple[str, str], float],
    cells: Sequence[Cell],
    blocks: int,
    verdict: str,
    sentence: str,
) -> None:
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
        fails = low > MARGINS[metric]
        sign = -1 if metric == "relevance_mass_accuracy" else 1
        held = 0.45 if sign < 0 else 0.02
        common = {
            "model": MODEL,
            "metric": metric,
            "method": method,
            "control": control,
            "finding_id": "F-" + hashlib.sha256(f"{MODEL}{metric}{name}".encode()).hexdigest()[:8],
            "effect": effect,
            "ci_low": low,
            "ci_high": high,
            "q": 0.0004 if fails else 0.4,
            "usable_n": len(d),
            "level_mean": held + sign * effect,
            "control_mean": held,
        }
        excess = effect / 3 if len(contrast) > 1 else np.nan
        effects.append(
            {
                **common,
                "region": "-" if method == "-" else "object",
                "contrast": name,
                "order": len(contrast),
                "simple_effect": effect * 0.9,
                "simple_low": low * 0.8,
                "simple_high": high,
                "excess": excess,
                "excess_low": excess - 0.1,
                "excess_high": excess + 0.1,
                "margin": MARGINS[metric],
                "test": "t",
                "p": 0.0001 if fails else 0.2,
                "n": blocks,
                "in_recipe": "light=back" not in name,
                "is_failure": fails,
                "reason": "",
            }
        )
        if fails and verdict != "no failure found":
            text = sentence or _sentence(metric, name, control, common)
            worst = sorted((b for b, v in by_block.items() if v > 0), key=lambda b: (-by_block[b], b))
            failures.append(
                {
                    **common,
                    "rank": 0,
                    "condition": name,
                    "severity": low / MARGINS[metric],
                    "expected": "light=back" in name,
                    "ranked": verdict != "unfit at control",
                    "example_blocks": " ".join(map(str, worst[:6])),
                    "sentence": text,
                    "reproduce": "scene-audit run experiment=smoke design.keep.light=[front,back] design.keep.seeds="
                    f"[{','.join(map(str, worst))}]",
                }
            )
    failures.sort(key=lambda f: -f["severity"])
    failures = [{**f, "rank": i} for i, f in enumerate(failures, start=1)]
    tables.EFFECTS.write(pd.DataFrame(effects), folder, csv=True)
    frame = pd.DataFrame(failures) if failures else tables.FAILURES.empty()
    tables.FAILURES.write(frame, folder, csv=True)


def _sentence(metric: str, name: str, control: str, row: Mapping[str, object]) -> str:
    phrase = {
        "sensor_miss": "the network misses {} of occupied sensors",
        "sensor_false_alarm": "the network raises a false alarm on {} of clear sensors",
    }.get(metric, "{} of the positive part of the map lies on the object")
    at, held = (f"{100 * float(str(row[k])):.0f} %" for k in ("level_mean", "control_mean"))
    return f"Under {_spoken(name)} {phrase.format(at)}, against {held} under {_spoken(control)}."


def _spoken(contrast: str) -> str:
    return contrast.replace(" & ", " and ").replace("=", " = ")


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


def write_interventions(folder: Path, levels: Mapping[str, Sequence[str]], blocks: int) -> None:
    """Every effect at every condition, and at `all` levels; ghost and empty joined to what they do not depend on."""
    rows = []
    shadow_of = {"front": 0.9, "back": 0.02, "right_low": 0.5, "right_high": 0.3}
    empty_of = {"front": 0.0, "back": 0.97, "right_low": 0.1, "right_high": 0.05}
    object_of = {"distinct": 0.9, "near": 0.8, "equal": 0.55}
    unit_of = {"scene_alarm": 1.0, "sensor_alarm": 0.6, "target_logit": 9.0}
    places = itertools.product(
        [*levels["relation"], "all"],
        [*levels["light"], "all"],
        [*(s for s in levels["cast_shadow"] if s != "none"), "all"],
    )
    for (relation, light, shadow), (response, unit) in itertools.product(places, unit_of.items()):
        empty, alone = empty_of.get(light, 0.28), object_of.get(relation, 0.75)
        ghost = min(empty + shadow_of.get(light, 0.43) * (1.05 if shadow == "hard" else 1), 1.0)
        full = max(alone, ghost, 0.93)
        means = {
            "arm_empty": empty,
            "arm_object": alone,
            "arm_ghost": ghost,
            "arm_full": full,
            "object": alone - empty,
            "shadow": ghost - empty,
            "interaction": full - alone - ghost + empty,
            "removal_object": full - ghost,
            "removal_shadow": full - alone,
        }
        if relation == shadow == "all" and light not in ("front", "all"):
            means["light"] = empty - empty_of["front"]
        for effect, mean in means.items():
            high = min(mean + 0.08, 1.0)
            rows.append(
                {
                    "model": MODEL,
                    "response": response,
                    "effect": effect,
                    "relation": relation,
                    "light": light,
                    "cast_shadow": shadow,
                    "object": "-",
                    "mean": mean * unit,
                    "ci_low": max(mean - 0.08, -1.0) * unit,
                    "ci_high": high * unit,
                    "n": blocks,
                    "usable_n": blocks if effect == "light" else blocks // 2,
                }
            )
    tables.INTERVENTIONS.write(pd.DataFrame(rows), folder, csv=True)


def write_earned(folder: Path, earned: bool) -> None:
    rows = []
    for method, region in itertools.product(METHODS, ("object", "cast_shadow")):
        gain = 0.12 if earned else -0.1
        rows.append(
            {
                "model": MODEL,
                "method": method,
                "region": region,
                "target": "truth",
                "layer": "input" if method == "saliency" else "encoder.7",
                "reduction": "sum over the layer's channels",
                "through_standardisation": False,
                "rho": 0.46,
                "rho_low": 0.3,
                "rho_high": 0.6,
                "best_null": "edges",
                "best_null_rho": 0.46 - gain,
                "gain": gain,
                "gain_low": gain - 0.08,
                "gain_high": gain + 0.08,
                "earned": earned,
                "scenes": 120,
                "blocks": 18,
                "reason": "" if earned else "not earned: edges does as well",
            }
        )
    rows[-1] |= {
        "rho": np.nan,
        "rho_low": np.nan,
        "rho_high": np.nan,
        "gain": np.nan,
        "best_null": "",
        "best_null_rho": np.nan,
        "earned": False,
        "reason": "no scenes with both a map and an intervention effect",
    }
    tables.EARNED.write(pd.DataFrame(rows), folder, csv=True)
