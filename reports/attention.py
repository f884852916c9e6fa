"""Attention overlap: the model's maps beside maps that know nothing of it, and whether a method earned its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from audit.metrics.specs import SPECS
from reports import figures, words
from reports.levels import ordered
from reports.numbers import difference, interval, number
from reports.run_record import RunRecord
from scenes.design import PRESENCE

NULLS = ("untrained", "edges", "gaussian", "random")
COLUMNS = ("model", *NULLS, "ceiling", "chance")
REGION_ORDER = ("object", "cast_shadow", "outside_shadow", "reflection", "distractors", "floor", "background")
_METRICS = (  # of a region; the table has more
    *("relevance_mass_accuracy", "enrichment", "pointing_game", "pointing_game_exact"),
    *("relevance_rank_accuracy", "iou", "roc_auc", "average_precision"),
)
_OF_MAP = (  # of the whole map
    *("gini", "entropy"),
    *("deletion_blurred", "insertion_blurred", "deletion_removed", "insertion_removed"),
)
_LINE_WIDTH = 220
_BAR_WIDTH = 640


@dataclass(frozen=True)
class OverlapRow:
    """One method on one metric and region. values: in the order of COLUMNS, as text; best: index of the best null."""

    metric: words.Metric
    region: str
    first: bool
    span: int
    method: str
    values: tuple[str, ...]
    line: Markup
    usable: str
    undefined: tuple[str, ...]
    beats: bool


@dataclass(frozen=True)
class EarnedRow:
    """Whether one method earned numeric claims on one region, and in words why. question: of what, where and how."""

    method: str
    region: str
    earned: bool
    rho: str
    null: str
    gain: str
    size: str
    sentence: str
    is_primary: bool
    question: str


@dataclass(frozen=True)
class Split:
    """Share of positive relevance per region, for one map."""

    label: str
    bar: Markup


@dataclass(frozen=True)
class MassSplit:
    """Where positive relevance lies, map by map. regions: those that are in some picture."""

    regions: tuple[str, ...]
    splits: tuple[Split, ...]


def overlap(record: RunRecord, model: str) -> list[OverlapRow]:
    """Means over blocks (of the block's mean over its scenes with an object), per metric, region and method.

    All of a row are over the scenes where the method's own number is defined.
    """
    frame = _mine(record, model)
    told = (*_METRICS, *_OF_MAP)
    frame = frame[frame["metric"].isin(told)]
    rows: list[OverlapRow] = []
    for metric in ordered(list(frame["metric"]), told):
        of_metric = frame[frame["metric"] == metric]
        for region in ordered(list(of_metric["region"]), REGION_ORDER):
            group = of_metric[of_metric["region"] == region]
            methods = ordered([m for m in group["method"] if m != "-"], _methods(record))
            axis = figures.Axis(*_reach(group, metric), _LINE_WIDTH)
            for i, method in enumerate(methods):
                row = _row(group, metric, region, method, axis, len(methods) if i == 0 else 0, record.task)
                rows.append(row)
    return rows


def earned(record: RunRecord, model: str) -> list[EarnedRow]:
    """The rows of the earned table in words."""
    frame = record.frame("earned")
    frame = frame[frame["model"] == model]
    rows = [row for _, row in frame.iterrows()]
    order = {m: i for i, m in enumerate(_methods(record))}
    rows.sort(key=lambda r: (order.get(r["method"], 99), REGION_ORDER.index(r["region"])))
    return [_earned(row, row["method"] == record.primary_method) for row in rows]


def mass_split(record: RunRecord, model: str) -> MassSplit | None:
    """Mass split of every method for the model and for untrained weights, of the edge map, and the regions' areas; None
    where none was measured."""
    frame = _mine(record, model)
    frame = frame[frame["metric"] == "mass_split"]
    there = set(frame.loc[(frame["value"] > 0) | (frame["chance"] > 0), "region"])
    regions = tuple(r for r in REGION_ORDER if r in there)
    out: list[Split] = []
    for method in ordered([m for m in frame["method"] if m != "-"], _methods(record)):
        for source in ("model", "untrained"):
            part = frame[(frame["method"] == method) & (frame["source"] == source)]
            if len(part):
                out.append(_split(f"{words.method(method)}, {words.source(source)}", part, "value", regions))
    plain = frame[frame["source"] == "edges"]
    if len(plain):
        out.append(_split("edge map", plain, "value", regions))
    areas = frame[frame["source"] == "model"]
    if len(areas) and areas["chance"].notna().any():
        out.append(_split("area of the regions (chance)", areas, "chance", regions))
    return MassSplit(regions, tuple(out)) if out else None


def undefined_reasons(rows: Sequence[OverlapRow]) -> list[str]:
    """Why scenes are left out, each reason once."""
    return sorted({reason for row in rows for reason in row.undefined})


def _mine(record: RunRecord, model: str) -> pd.DataFrame:
    """Attention rows of one model on scenes with an object, each with its block."""
    frame, scenes = record.frame("attention"), record.frame("scenes")
    frame = frame[frame["model"] == model]
    if PRESENCE in scenes:
        scenes = scenes[scenes[PRESENCE] == "object"]
    blocks = scenes.drop_duplicates("scene_id")[["scene_id", "block_id"]]
    return frame.merge(blocks, on="scene_id", how="inner")


def _row(
    group: pd.DataFrame, metric: str, region: str, method: str, axis: figures.Axis, span: int, task: str
) -> OverlapRow:
    mine = group[(group["method"] == method) & (group["source"] == "model")]
    # where the method says nothing is hard for the others too, so they stand on its scenes
    alike = group[group["scene_id"].isin(mine.loc[mine["value"].notna(), "scene_id"])]
    means = {"model": _mean(alike, method, "model"), "chance": _chance(alike, method)}
    means.update({s: _mean(alike, method, s) for s in (*NULLS, "ceiling")})
    marks = [figures.Mark(s, means[s], words.source(s)) for s in ("chance", "ceiling", *NULLS, "model")]
    reasons = mine.loc[mine["undefined_reason"] != "", "undefined_reason"]
    nulls = [means[s] for s in NULLS if not math.isnan(means[s])]
    return OverlapRow(
        metric=words.metric(metric),
        region=words.region(region) or "whole map",
        first=span > 0,
        span=span,
        method=words.method(method),
        values=tuple(number(means[c], False) for c in COLUMNS),
        line=figures.comparison(marks, axis),
        usable=f"{int(mine['value'].notna().sum())} of {len(mine)}",
        undefined=tuple(words.reason(str(r), task) for r in sorted(reasons.unique())),
        beats=_beats(metric, means["model"], nulls),
    )


def _mean(group: pd.DataFrame, method: str, source: str) -> float:
    """Mean over blocks. Maps that need no network stand under method '-' unless a method's grid matters to them."""
    rows = group[(group["source"] == source) & (group["method"] == method)]
    rows = rows if len(rows) else group[(group["source"] == source) & (group["method"] == "-")]
    return _over_blocks(rows, "value")


def _chance(group: pd.DataFrame, method: str) -> float:
    return _over_blocks(group[(group["source"] == "model") & (group["method"] == method)], "chance")


def _over_blocks(rows: pd.DataFrame, column: str) -> float:
    means = rows.groupby("block_id", sort=True)[column].mean().dropna()
    return float(means.mean()) if len(means) else float("nan")


def _reach(group: pd.DataFrame, metric: str) -> tuple[float, float]:
    """The ends of a metric's line: 0 to 1, or as far as its means go; a curve may lie beyond both of its ends."""
    means = group.groupby(["method", "source"])["value"].mean().dropna()
    if not len(means) or (metric != "enrichment" and means.between(0, 1).all()):
        return 0.0, 1.0
    return min(0.0, float(means.min())), float(means.max()) * 1.05


def _beats(metric: str, own: float, nulls: Sequence[float]) -> bool:
    """Whether the method does better than every null; true of what has no better end."""
    direction = SPECS[metric].direction
    if direction == "neither":
        return True
    sign = -1 if direction == "lower_is_better" else 1
    return not math.isnan(own) and all(sign * own > sign * v for v in nulls)


def _earned(row: pd.Series, is_primary: bool) -> EarnedRow:
    method, region, null = words.method(row["method"]), words.region(row["region"]), words.source(row["best_null"])
    why = words.why_not_earned(str(row["reason"]))
    asked = _question(row)
    text = f"{method} has earned numeric claims about the {region}"
    if not row["earned"]:
        text = f"{method} has not earned numeric claims about the {region} ({why})"
    if math.isnan(row["rho"]):
        text += "."
        return EarnedRow(
            method, region, bool(row["earned"]), "undefined", "–", "undefined", _size(row), text, is_primary, asked
        )
    rho = f"{number(row['rho'], False)} {interval(row['rho_low'], row['rho_high'], False)}"
    gain = f"{difference(row['gain'], False)} {interval(row['gain_low'], row['gain_high'], False)}"
    best = number(row["best_null_rho"], False)
    text += f": over scenes, its share on the {region} goes with the {region}'s true effect by a rank correlation of"
    text += f" {rho}; the best map that knows nothing of these weights ({null}) reaches {best}; gain {gain}."
    return EarnedRow(
        method, region, bool(row["earned"]), rho, f"{null} {best}", gain, _size(row), text, is_primary, asked
    )


def _question(row: pd.Series) -> str:
    """What was attributed, where, and how channels became one map: another choice may earn where this does not."""
    place = "the input" if row["layer"] == "input" else f"layer {row['layer']}"
    through = ", the gradient through the standardisation per image" if row["through_standardisation"] else ""
    reduced = f"; channels: {row['reduction']}" if row["reduction"] else ""
    return f"target {row['target']}, at {place}{through}{reduced}"


def _size(row: pd.Series) -> str:
    return f"{int(row['scenes'])} scenes, {int(row['blocks'])} blocks"


def _split(label: str, rows: pd.DataFrame, column: str, regions: Sequence[str]) -> Split:
    parts = [(r, _over_blocks(rows[rows["region"] == r], column)) for r in regions]
    return Split(label, figures.shares(parts, _BAR_WIDTH))


def _methods(record: RunRecord) -> list[str]:
    configured = record.config.get("attribution") or {}
    return [str(m) for m in configured.get("methods") or ()]
