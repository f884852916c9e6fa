"""Synthetic runs: the tables a real run would hand over, with effects that are known because they were planted."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from audit.analysis import Analysis, ModelFacts, Sampled, analyse
from audit.config import CriterionConfig
from scenes.manifest import SCENES

FACTORS = {
    "relation": ("distinct", "near", "equal"),
    "light": ("front", "back", "right_low", "right_high"),
    "cast_shadow": ("soft", "hard", "none"),
}
CONTROLS = {"presence": "object", "relation": "distinct", "light": "front", "cast_shadow": "soft"}
RECIPE = {"relation": ["distinct"], "light": ["front", "right_high"], "cast_shadow": ["soft", "none"]}
CRITERION = CriterionConfig(
    margins={"sensor_miss": 0.10, "sensor_false_alarm": 0.05, "relevance_mass_accuracy": 0.10},
    control_floor={"sensor_miss": 0.25, "auc": 0.85},
)
STRATA = ("near", "far", "near", "empty")

# metric, levels of the condition (presence among them), block -> value
Score = Callable[[str, Mapping[str, str], int], float]


def conditions(factors: Mapping[str, Sequence[str]], arms: bool) -> list[dict[str, str]]:
    """The conditions of a design with its arms, as scenes.design crosses them."""
    crossed = [dict(zip(factors, levels, strict=True)) for levels in itertools.product(*factors.values())]
    found = [{"presence": "object", **levels} for levels in crossed]
    if arms:
        control = {f: CONTROLS.get(f, levels[0]) for f, levels in factors.items()}
        ghosts = [{**c, "relation": control["relation"]} for c in crossed if c["cast_shadow"] != "none"]
        empty = [{**c, "relation": control["relation"], "cast_shadow": control["cast_shadow"]} for c in crossed]
        found += [{"presence": "ghost", **c} for c in ghosts] + [{"presence": "empty", **c} for c in empty]
    return [dict(c) for c in dict.fromkeys(tuple(c.items()) for c in found)]


def scene_rows(
    factors: Mapping[str, Sequence[str]] = FACTORS, blocks: int = 24, arms: bool = True, strata: Sequence[str] = STRATA
) -> pd.DataFrame:
    """A scenes table, every cell rendered."""
    every = conditions(factors, arms)
    cells = pd.DataFrame(every * blocks)
    cells.insert(0, "block_id", np.repeat([str(b) for b in range(blocks)], len(every)))
    names = [f"{i}-{b}" for b in range(blocks) for i in range(len(every))]
    fixed = {"scene_set": "tabletop", "values": "", "status": "ok", "reason": "", "shape": "box"}
    fixed |= {c: 0.5 for c, kind in SCENES.columns.items() if kind == "float"}
    drawn = [strata[b % len(strata)] for b in range(blocks) for _ in every]
    cells = cells.assign(cell_id=[f"c{n}" for n in names], scene_id=[f"s{n}" for n in names], stratum=drawn, **fixed)
    return cells[["cell_id", *every[0], *list(SCENES.columns)[1:]]]


def prediction_rows(scenes: pd.DataFrame, score: Score, metrics: Sequence[str], model: str = "net") -> pd.DataFrame:
    """A predictions table of one model; a score of NaN is undefined."""
    factors = [c for c in scenes.columns if c not in SCENES.columns]
    shown = scenes[scenes["status"] == "ok"]
    cells = zip(shown["cell_id"], shown["block_id"].astype(int), shown[factors].to_dict("records"), strict=True)
    rows = [(model, cell, metric, score(metric, levels, block)) for cell, block, levels in cells for metric in metrics]
    frame = pd.DataFrame(rows, columns=["model", "cell_id", "metric", "value"])
    return frame.assign(undefined_reason=np.where(frame["value"].isna(), "undefined", ""))


def no_attention() -> pd.DataFrame:
    columns = ["model", "scene_id", "method", "source", "metric", "region", "value", "chance", "undefined_reason"]
    frame = pd.DataFrame({c: pd.Series(dtype="float64" if c in ("value", "chance") else "object") for c in columns})
    return frame


def control_auc(scenes: pd.DataFrame, value: float = 0.95, models: Sequence[str] = ("net",)) -> pd.DataFrame:
    """AUC of every object condition, the same everywhere."""
    factors = [c for c in scenes.columns if c not in SCENES.columns]
    shown = scenes.loc[scenes["presence"] == "object", factors].drop_duplicates()
    return pd.concat([shown.assign(model=model, auc=value) for model in models], ignore_index=True)


def command(contrast: str, blocks: Sequence[str]) -> str:
    return f"run {contrast} seeds={','.join(blocks)}"


@dataclass(frozen=True)
class Run:
    """The input of one analysis."""

    scenes: pd.DataFrame
    predictions: pd.DataFrame
    attention: pd.DataFrame = field(default_factory=no_attention)
    auc: pd.DataFrame | None = None
    models: Mapping[str, ModelFacts] = field(default_factory=lambda: {"net": ModelFacts(RECIPE, 0.4)})
    criterion: CriterionConfig = CRITERION
    controls: Mapping[str, str] = field(default_factory=lambda: dict(CONTROLS))
    methods: Sequence[str] = ("hires_cam", "grad_cam", "saliency")
    partners: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sampled: Sampled | None = None
    sanity: pd.DataFrame | None = None
    target: str = "truth"

    def analysed(self, **changes: object) -> Analysis:
        run = replace(self, **changes)  # type: ignore[arg-type]
        auc = control_auc(run.scenes) if run.auc is None else run.auc
        return analyse(
            run.scenes,
            run.predictions,
            run.attention,
            run.models,
            run.criterion,
            run.controls,
            command,
            auc=auc,
            methods=run.methods,
            partners=run.partners,
            sampled=run.sampled,
            sanity=run.sanity,
            target=run.target,
        )


def planted(
    score: Score,
    factors: Mapping[str, Sequence[str]] = FACTORS,
    blocks: int = 24,
    metrics: Sequence[str] = ("sensor_miss", "sensor_false_alarm"),
    arms: bool = True,
    strata: Sequence[str] = STRATA,
) -> Run:
    """A run in which the network's scores are what `score` says."""
    scenes = scene_rows(factors, blocks, arms, strata)
    return Run(scenes, prediction_rows(scenes, score, metrics))


def jitter(*key: object) -> float:
    """A number in [-.5, .5) that depends on its key alone."""
    return int(hashlib.sha256(repr(key).encode()).hexdigest()[:8], 16) / 16**8 - 0.5


# The studio: objects that were chosen, one factor at a time around the control, arms at control alone.
STUDIO_FACTORS = {
    "object_color": ("natural", "unusual", "equal"),
    "light": ("key", "back", "dim", "red"),
    "outside_shadow": ("none", "unblocked", "half", "slats"),
}
STUDIO_CONTROLS = {"presence": "object", "object_color": "natural", "light": "key", "outside_shadow": "none"}
STUDIO_PARTNERS = {"outside_shadow": {"half": "unblocked", "slats": "unblocked"}}
OBJECTS = ("bucket", "granny_smith", "lemon", "soccer_ball")
STUDIO_CRITERION = CriterionConfig(
    margins={
        **CRITERION.margins,
        "top1": 0.10,
        "target_probability": 0.15,
    },
    control_floor={**CRITERION.control_floor, "top1": 0.6},
)


def studio_rows(objects: Sequence[str] = OBJECTS, poses: int = 8, arms: bool = True) -> pd.DataFrame:
    """A scenes table of the studio, every cell rendered."""
    control = {f: STUDIO_CONTROLS[f] for f in STUDIO_FACTORS}
    varied = [{**control, f: level} for f, levels in STUDIO_FACTORS.items() for level in levels]
    shown = dict.fromkeys(tuple(levels.items()) for levels in (control, *varied))
    every = [{"presence": "object", **dict(levels)} for levels in shown]
    every += [{"presence": arm, **control} for arm in ("ghost", "empty")] if arms else []
    rows = []
    fixed = {c: 0.5 for c, kind in SCENES.columns.items() if kind == "float"} | {"values": ""}
    for thing, pose, (i, levels) in itertools.product(objects, range(poses), enumerate(every)):
        name = f"{i}-{thing}.{pose}"
        own = {"cell_id": f"c{name}", "scene_id": f"s{name}", "block_id": f"{thing}.{pose}", "stratum": thing}
        row = {"presence": levels["presence"], "object": thing, **levels, **own}
        rows.append({**row, "scene_set": "studio", "status": "ok", "reason": "", "shape": thing, **fixed})
    factors = ["presence", "object", *STUDIO_FACTORS]
    return pd.DataFrame(rows)[["cell_id", *factors, *list(SCENES.columns)[1:]]]


def studio_run(
    score: Callable[[str, Mapping[str, str], str, int], float],
    objects: Sequence[str] = OBJECTS,
    poses: int = 8,
    metrics: Sequence[str] = ("top1", "target_probability"),
    scenes: pd.DataFrame | None = None,
) -> Run:
    """A run of one classifier whose scores are what `score` says, from metric, levels, object and pose."""
    shown = studio_rows(objects, poses) if scenes is None else scenes
    factors = [c for c in shown.columns if c not in SCENES.columns]
    rows = []
    for record in shown[shown["status"] == "ok"].to_dict("records"):
        levels, pose = {f: record[f] for f in factors}, int(record["block_id"].rsplit(".", 1)[1])
        rows += [("net", record["cell_id"], m, score(m, levels, record["object"], pose)) for m in metrics]
    frame = pd.DataFrame(rows, columns=["model", "cell_id", "metric", "value"])
    return Run(
        shown,
        frame.assign(undefined_reason=np.where(frame["value"].isna(), "undefined", "")),
        auc=pd.DataFrame(columns=["model", "auc"]),
        models={"net": ModelFacts({}, 0.5, "classification")},
        criterion=STUDIO_CRITERION,
        controls=dict(STUDIO_CONTROLS),
        partners=STUDIO_PARTNERS,
    )
