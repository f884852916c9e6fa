"""The pairs of scenes behind a finding: the same block under the finding's levels and under their control."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from reports import words
from reports.levels import counting_order, ordered
from reports.run_record import RunRecord
from scenes.design import OBJECT, PRESENCE


@dataclass(frozen=True)
class Comparison:
    """What a finding compares: a metric of a model at `levels` with the same at the control levels `partner`."""

    model: str
    metric: str
    method: str
    region: str
    levels: Mapping[str, str]
    partner: Mapping[str, str]


@dataclass(frozen=True)
class Pair:
    """A cell, its control cell, and how much worse the metric is in it (positive = worse; may be NaN)."""

    cell: pd.Series
    control: pd.Series
    worse: float


def pairs_by_block(record: RunRecord, comparison: Comparison) -> dict[str, Pair]:
    """Block -> its pair of cells that differs most, the other factors equal in both.

    Ties go to the other factors at control. Blocks without a usable pair are left out.
    """
    shown = _others(record, comparison)
    out: dict[str, Pair] = {}
    for block in record.blocks_of(comparison.levels.get(OBJECT)):
        for others in shown.get(block, ()):
            pair = _pair(record, comparison, others, block)
            best = out.get(block)
            if pair is not None and (best is None or (not math.isnan(pair.worse) and not best.worse >= pair.worse)):
                out[block] = pair
    return out


def choose(pairs: Mapping[str, Pair], named: Sequence[str]) -> list[tuple[str, str]]:
    """(block, why it is shown): two of the named worst blocks, and the block in the middle of all.

    The two are the first, and the next of another object where there is one.
    """
    worst = [b for b in named if b in pairs]
    others = [b for b in worst[1:] if b.rpartition(".")[0] != worst[0].rpartition(".")[0]]
    worst = [*worst[:1], *(others or worst[1:])[:1]]
    chosen = [(b, "among the worst blocks") for b in worst]
    ranked = sorted((p.worse, counting_order(b), b) for b, p in pairs.items() if not math.isnan(p.worse))
    middle = ranked[(len(ranked) - 1) // 2][2] if ranked else None
    if middle is not None and middle not in worst:
        chosen.append((middle, "the block in the middle"))
    return chosen


def _others(record: RunRecord, comparison: Comparison) -> dict[str, list[dict[str, str]]]:
    """Block -> the levels of the other factors in its cells at the finding's levels, at control first.

    Only cells of the design: with many factors those are next to none of all combinations.
    """
    rank = {f: {v: i for i, v in enumerate(ordered(vs, [record.control[f]]))} for f, vs in record.levels.items()}
    out: dict[str, list[dict[str, str]]] = {}
    for *of_cell, presence, block in record.cells:
        levels = dict(zip(record.levels, of_cell, strict=True))
        if presence == record.control[PRESENCE] and all(comparison.levels.get(f, v) == v for f, v in levels.items()):
            out.setdefault(block, []).append({f: v for f, v in levels.items() if f not in comparison.levels})
    return {block: sorted(of, key=lambda o: [rank[f][v] for f, v in o.items()]) for block, of in out.items()}


def _pair(record: RunRecord, comparison: Comparison, rest: Mapping[str, str], block: str) -> Pair | None:
    cell = record.cell({**rest, **comparison.levels}, block)
    control = record.cell({**rest, **comparison.partner}, block)
    if cell is None or control is None or cell["status"] != "ok" or control["status"] != "ok":
        return None
    at = (comparison.model, comparison.metric, comparison.method, comparison.region)
    here, there = record.value(*at, cell), record.value(*at, control)
    return Pair(cell, control, here - there if words.metric(comparison.metric).lower_is_better else there - here)
