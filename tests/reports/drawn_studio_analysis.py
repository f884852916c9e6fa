"""The analysis tables of a drawn studio run: plausible numbers in the shape of real ones, none of them analysed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from drawn_shots import CLASSES, CLASSIFIER, FACTORS, POSES, STUDIO_CONTROL, Shot, share

from audit import tables

_PARTNERS = {"slats": "unblocked"}
_MARGINS = {"top1": 0.10, "target_probability": 0.15}


def _spread(values: pd.Series) -> tuple[float, float, float]:
    held = values.dropna()
    mean = float(held.mean()) if len(held) else float("nan")
    half = 0.02 + float(held.std(ddof=0)) if len(held) else float("nan")
    return mean, mean - half, mean + half


def conditions(scores: pd.DataFrame, made: Sequence[Shot]) -> pd.DataFrame:
    overlap = [
        {"thing": s.thing, "presence": s.presence, **s.levels, "value": share(s)}
        for s in made
        if s.presence == "object"
    ]
    frames = {(m, "-", "-"): rows for m, rows in scores.groupby("metric", sort=True)}
    frames["relevance_mass_accuracy", "hires_cam", "object"] = pd.DataFrame(overlap)
    rows = []
    for (metric, method, region), frame in frames.items():
        for name in (*CLASSES, "all"):
            of = frame if name == "all" else frame[frame["thing"] == name]
            for key, group in of.groupby(["presence", *FACTORS], sort=True):
                mean, low, high = _spread(group["value"])
                levels = dict(zip(["presence", *FACTORS], key, strict=True))
                numbers = {"mean": mean, "ci_low": low, "ci_high": high, "interval": "t", "n": len(group)}
                beside = {"usable_n": int(group["value"].notna().sum()), "in_recipe": True, "chance": np.nan}
                what = {"model": CLASSIFIER, "metric": metric, "method": method, "region": region, "object": name}
                rows.append({**what, **levels, **numbers, **beside, "untrained": np.nan})
    return pd.DataFrame(rows)


def effects(scores: pd.DataFrame, made: Sequence[Shot]) -> pd.DataFrame:
    """Every level against its partner, over both objects and on each alone."""
    rows = []
    singles = [(f, v) for f, levels in FACTORS.items() for v in levels if v != STUDIO_CONTROL[f]]
    for metric, margin in _MARGINS.items():
        values = scores[(scores["metric"] == metric) & (scores["presence"] == "object")]
        for (factor, level), name in ((s, o) for s in singles for o in (None, *CLASSES)):
            partner = _PARTNERS.get(level, STUDIO_CONTROL[factor])
            mine = values if name is None else values[values["thing"] == name]
            at, held = (_by_block(mine, {**STUDIO_CONTROL, factor: v}) for v in (level, partner))
            effect, low, high = _spread(held - at)
            on = "" if name is None else f" & object={name}"
            rows.append(
                {
                    "model": CLASSIFIER,
                    "metric": metric,
                    "method": "-",
                    "region": "-",
                    "contrast": f"{factor}={level}{on}",
                    "control": f"{factor}={partner}{on}",
                    "order": 1 if name is None else 2,
                    "finding_id": "F-" + hashlib.sha256(f"{metric}{factor}{level}{on}".encode()).hexdigest()[:8],
                    "level_mean": float(at.mean()),
                    "control_mean": float(held.mean()),
                    "effect": effect,
                    "ci_low": low,
                    "ci_high": high,
                    "simple_effect": effect,
                    "simple_low": low,
                    "simple_high": high,
                    "excess": np.nan if name is None else effect / 2,
                    "excess_low": np.nan,
                    "excess_high": np.nan,
                    "margin": margin,
                    "test": "sign_flip",
                    "p": 0.001,
                    "q": 0.002,
                    "n": len(at),
                    "usable_n": len(at),
                    "in_recipe": True,
                    "is_failure": low > margin,
                    "reason": "",
                }
            )
    return pd.DataFrame(rows)


def _by_block(values: pd.DataFrame, levels: Mapping[str, str]) -> pd.Series:
    chosen = values
    for factor, level in levels.items():
        chosen = chosen[chosen[factor] == level]
    return chosen.set_index(["thing", "pose"])["value"].sort_index()


def failures(effects: pd.DataFrame) -> pd.DataFrame:
    """One card per single level that fails on both, and the lemon's light from behind."""
    failing = effects[effects["is_failure"]]
    is_mean, is_lemon = failing["order"] == 1, failing["contrast"] == "light=back & object=lemon"
    kept = failing[(is_mean & ~failing["contrast"].str.startswith("light")) | is_lemon].reset_index(drop=True)
    lemons = [f"lemon.{p}" for p in range(POSES)]
    both = ["lemon.1", "lemon.0", "bucket.2", "bucket.1", "lemon.2"]
    return pd.DataFrame(
        [
            {
                **{c: row[c] for c in tables.FAILURES.columns if c in row},
                "rank": i,
                "condition": row["contrast"],
                "severity": row["ci_low"] / row["margin"],
                "expected": False,
                "ranked": True,
                "example_blocks": " ".join(lemons if "lemon" in row["contrast"] else both),
                "sentence": f"Under {row['contrast']} {row['metric']} is {row['level_mean']:.2f}.",
                "reproduce": "python -m audit run design=studio",
            }
            for i, (_, row) in enumerate(kept.iterrows(), start=1)
        ]
    )


def interventions() -> Iterator[dict[str, object]]:
    units = {"target_probability": (0.95, 0.002, 0.001), "logit_margin": (6.1, -5.7, -4.5)}
    for response, (full, ghost, empty) in units.items():
        means = {"arm_full": full, "arm_ghost": ghost, "arm_empty": empty, "shadow": ghost - empty}
        means |= {"removal_object": full - ghost, "removal_both": full - empty}
        for effect, mean in means.items():
            for name in (*CLASSES, "all"):
                for light in ("key", "all"):
                    place = {"relation": "-", "light": light, "cast_shadow": "-", "object": name}
                    blocks = POSES * (len(CLASSES) if name == "all" else 1)
                    numbers = {"mean": mean, "ci_low": mean - 0.001, "ci_high": mean + 0.001}
                    numbers |= {"n": blocks, "usable_n": blocks}
                    yield {"model": CLASSIFIER, "response": response, "effect": effect, **place, **numbers}


def earned() -> dict[str, object]:
    numbers = {c: np.nan for c, kind in tables.EARNED.columns.items() if kind == "float"}
    held = {"model": CLASSIFIER, "method": "hires_cam", "region": "object", "best_null": "random", "earned": False}
    asked = {"target": "truth", "layer": "features.12", "reduction": "sum", "through_standardisation": False}
    return {**numbers, **held, **asked, "scenes": 8, "blocks": 8, "reason": "not earned: random does as well"}
