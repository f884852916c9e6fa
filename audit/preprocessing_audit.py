"""The preprocessing audit: the same scenes, fed otherwise. Is a network fed what it was trained on?

What is compared, and how it is judged:
- The judge is the order of a network's outputs inside each scene (`audit.metrics.ranking`): of a robot's cells the
  share of pairs, of classes the reciprocal rank. Scores of certainty, and AUC over scenes, stand beside it.
- Differences to the configured feeding are paired by scene, averaged in each block, and blocks are the replicates.
- A change is better, or worse, where the one-sided test of `audit.analysis.significance` says so at 2.5 % and its 95 %
  interval leaves out 0. The channel order is a question of its own; over all other single changes p is held by Holm
  (1979). So where nothing differs, some change is called better in at most 5 % of audits.
- Changes of the channel order are judged on `warm` pictures where the scenes' colours were drawn from all hues: there
  exchanging red and blue gives as good a scene, and scores over the scenes as rendered cannot tell.
- Greedy: only where a single change is better, those of each kind that gain most are tried together as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.analysis.intervals import mean_intervals
from audit.analysis.significance import exceeds, holm
from audit.metrics.arrays import Doubles, Floats, Integers, Pixels
from audit.metrics.ranking import cell_order, reciprocal_rank
from audit.metrics.specs import SPECS
from audit.metrics.warm_light import warm
from audit.models.adapter import Adapter
from audit.models.feeding import Feeding, fed, feedings, flipped, together
from audit.models.preprocessing import Preprocessing
from audit.tables import PREPROCESSING

CONFIGURED = "configured"
RENDERED, WARM = "rendered", "warm"
LEVEL = 0.025  # one-sided
JUDGES = {"proximity": "cell_order", "classification": "reciprocal_rank"}
BESIDE = {"proximity": ("brier",), "classification": ("top1", "target_probability", "logit_margin")}
NOTHING_RESIZED = "nothing is resized: pictures have the network's size"
OF_ALL = "of all scenes together, so no interval"
NO_BLOCK = "no scene has what the score needs"

Blocks = npt.NDArray[np.object_]
Row = dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """The scenes: images uint8 (N, H, W, 3); label (N, K); block (N,), ids as text.

    has_even_colours: red and blue could as well be exchanged, as in scenes whose colours are drawn from all hues.
    """

    images: Pixels
    label: Integers
    block: Blocks
    has_even_colours: bool


@dataclass(frozen=True)
class Reading:
    """What one feeding gives. probability (N, K): of the pictures as rendered. scores: (pictures, metric) -> per block
    (B,), NaN where it has none. means: over them. joint: scores that scenes only have together, AUC among them."""

    probability: Floats
    scores: Mapping[tuple[str, str], Doubles]
    means: Mapping[tuple[str, str], float]
    joint: Mapping[str, float]


def preprocessing_table(adapter: Adapter, shown: Shown, batch: int = 64) -> pd.DataFrame:
    """The rows of audit.tables.PREPROCESSING of one network; no rows without scenes."""
    if not len(shown.images):
        return PREPROCESSING.empty()
    configured = Feeding(CONFIGURED, CONFIGURED, "", adapter.preprocessing)
    is_resized = shown.images.shape[1:3] != (adapter.preprocessing.height, adapter.preprocessing.width)
    single = [f for f in feedings(adapter.preprocessing) if is_resized or f.kind != "resize"]
    readings = {f.name: _read(adapter, f.preprocessing, shown, batch) for f in (configured, *single)}
    rows = {f.name: _rows(f, readings, adapter, shown) for f in (configured, *single)}
    judged = [r for f in single for r in rows[f.name] if r["is_judge"]]
    for family in (True, False):
        _judge_together([r for r in judged if r["variant"].startswith("channels=") is family])
    best = max((r for r in judged if r["is_better"]), key=lambda r: r["difference"], default={"variant": CONFIGURED})
    chosen = str(best["variant"])
    if combined := _combined(adapter.preprocessing, single, judged):
        readings[combined.name] = _read(adapter, combined.preprocessing, shown, batch)
        rows[combined.name] = _rows(combined, readings, adapter, shown)
        mine = [r for r in rows[combined.name] if r["is_judge"]]
        _judge_together(mine)
        at = mine[0]["pictures"], mine[0]["metric"]
        gain = readings[combined.name].scores[at] - readings[chosen].scores[at]
        chosen = combined.name if mine[0]["is_better"] and exceeds(gain, 0.0).p <= LEVEL else chosen
    every = [r for found in rows.values() for r in found]
    if not is_resized:
        every.append(_without_numbers("resize", _judge(adapter), NOTHING_RESIZED))
    return pd.DataFrame([{**r, "model": adapter.name, "is_best": r["variant"] == chosen} for r in every])


def spread(blocks: Sequence[str], is_control: Sequence[bool], order: Sequence[str], most: int) -> list[int]:
    """Which scenes to take, at most `most` of them: as many of each block as of any other, those at control first.

    blocks, is_control, order: of each scene; beyond control scenes come by `order`, a hash that says nothing of their
    condition. Blocks too: where there are more than `most`, it says which are left out. Indices rise.
    """
    of_block: dict[str, list[int]] = {}
    for i in sorted(range(len(blocks)), key=lambda i: (not is_control[i], order[i])):
        of_block.setdefault(blocks[i], []).append(i)
    turns = [(turn, order[i], i) for mine in of_block.values() for turn, i in enumerate(mine)]
    return sorted(i for _, _, i in sorted(turns)[:most])


def _judge(adapter: Adapter) -> str:
    return JUDGES[adapter.task.name]


def _read(adapter: Adapter, preprocessing: Preprocessing, shown: Shown, batch: int) -> Reading:
    other, task, label = fed(adapter, preprocessing), adapter.task, shown.label
    order = {"cell_order": cell_order, "reciprocal_rank": reciprocal_rank}[_judge(adapter)]
    logits = other.logits(shown.images, batch)
    probability = task.probability(logits)
    of_scenes = {(RENDERED, _judge(adapter)): order(logits, label)}
    if shown.has_even_colours:
        of_scenes[WARM, _judge(adapter)] = order(other.logits(warm(shown.images), batch), label)
    found = task.score(logits, probability, label, label == 1, adapter.threshold)
    wide = found.pivot(index="row", columns="metric", values="value").reindex(range(len(label)))
    of_scenes |= {(RENDERED, m): wide[m].to_numpy(dtype=float) for m in BESIDE[task.name]}
    scores = {k: pd.Series(v).groupby(shown.block).mean().to_numpy(dtype=float) for k, v in of_scenes.items()}
    means = {k: float(np.nanmean(v)) if np.isfinite(v).any() else np.nan for k, v in scores.items()}
    return Reading(probability, scores, means, task.condition_scores(probability, label))


def _rows(feeding: Feeding, readings: Mapping[str, Reading], adapter: Adapter, shown: Shown) -> list[Row]:
    """A row per kind of pictures and metric, without verdict."""
    configured, found = readings[CONFIGURED], readings[feeding.name]
    share = float(flipped(adapter.task, configured.probability, found.probability).mean())
    judged_on = WARM if shown.has_even_colours and "channels=" in feeding.name else RENDERED
    rows = []
    for (pictures, metric), values in found.scores.items():
        spec = SPECS.get(metric)
        gain = values - configured.scores[pictures, metric]
        gain = -gain if spec is not None and spec.direction == "lower_is_better" else gain
        reach = 1.0 if spec is None else spec.high - spec.low
        numbers = {"flipped": share, "mean": found.means[pictures, metric], "scenes": len(shown.images)}
        tested = _compared(gain, reach) if feeding.kind != CONFIGURED else _same(gain)
        row = _without_numbers(feeding.name, metric, "" if tested["blocks"] else NO_BLOCK)
        is_judge = metric == _judge(adapter) and pictures == judged_on
        rows.append(
            {**row, **numbers, **tested, "pictures": pictures, "setting": feeding.setting, "is_judge": is_judge}
        )
    for metric, value in found.joint.items():
        numbers = {"flipped": share, "mean": value, "difference": value - configured.joint[metric]}
        of_all = {"scenes": len(shown.images), "setting": feeding.setting}
        rows.append({**_without_numbers(feeding.name, metric, OF_ALL), **numbers, **of_all})
    return rows


def _compared(gain: Doubles, reach: float) -> Row:
    """Mean, interval and the smaller of both one-sided p of paired gains (B,)."""
    at = mean_intervals(gain[None], (-reach, reach), is_difference=True)
    p = min(exceeds(gain, 0.0).p, exceeds(-gain, 0.0).p)
    ends = {"ci_low": float(at.low[0]), "ci_high": float(at.high[0])}
    return {"difference": float(at.mean[0]), **ends, "p": p, "blocks": int(at.usable[0])}


def _same(gain: Doubles) -> Row:
    """The configured beside itself: no difference, by definition."""
    blocks = int(np.isfinite(gain).sum())
    zero = 0.0 if blocks else np.nan
    return {"difference": zero, "ci_low": zero, "ci_high": zero, "blocks": blocks}


def _without_numbers(variant: str, metric: str, reason: str) -> Row:
    nothing = dict.fromkeys(("flipped", "mean", "difference", "ci_low", "ci_high", "p"), np.nan)
    verdict = dict.fromkeys(("is_judge", "is_better", "is_worse"), False)
    words = {"variant": variant, "pictures": RENDERED, "metric": metric, "setting": "", "reason": reason}
    return {**words, **nothing, **verdict, "scenes": 0, "blocks": 0}


def _judge_together(rows: Sequence[Row]) -> None:
    """Set the verdicts of these rows, and their p after Holm, in place: they are one family."""
    tested = [r for r in rows if np.isfinite(r["p"])]
    for row, p in zip(tested, holm(np.array([r["p"] for r in tested])), strict=True):
        row["p"] = float(p)
        row["is_better"] = bool(p <= LEVEL and row["ci_low"] > 0)
        row["is_worse"] = bool(p <= LEVEL and row["ci_high"] < 0)


def _combined(configured: Preprocessing, single: Sequence[Feeding], judged: Sequence[Row]) -> Feeding | None:
    """Where one change is better: the one of each kind that gains most, together; None where that is one or none."""
    if not any(r["is_better"] for r in judged):
        return None
    gain = {r["variant"]: r["difference"] for r in judged if r["difference"] > 0}
    kinds = dict.fromkeys(f.kind for f in single if f.name in gain)
    best = [max((f for f in single if f.kind == k and f.name in gain), key=lambda f: gain[f.name]) for k in kinds]
    return together(configured, best) if len(best) > 1 else None
