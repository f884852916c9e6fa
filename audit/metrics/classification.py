"""Scores of the classification task, per scene: top-1, top-5, target probability, logit margin, target.

Several classes may count as right, near-synonyms of one object. Ties count against the network: a class that is as
likely as the best right one stands before it, so a network that cannot decide is never right. Definitions in
`audit.metrics.specs`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from audit.metrics.arrays import Doubles, Floats, Integers, Mask, Texts
from audit.metrics.scores import target_logit, wide

TOP = 5  # classes that count for top-5 and are listed as answers

NO_ANSWERS = pd.DataFrame(
    {
        "row": pd.Series(dtype=np.int64),
        "rank": pd.Series(dtype=np.int64),
        "output": pd.Series(dtype=np.int64),
        "probability": pd.Series(dtype=np.float64),
        "is_right": pd.Series(dtype=bool),
    }
)


def score(logits: Floats, probability: Floats, label: Integers, target: Mask) -> pd.DataFrame:
    """Every per-scene metric: one row per scene, a column per metric and one `<metric>:reason` beside it.

    logits, probability, label: (N, K), label 1 for the classes that count as right; target (N, K) bool: the classes of
    the block's own object, given also where it was taken away. top1 and top5 are undefined, no_object, where no class
    is right; target_probability, logit_margin and target_logit, no_positive, where the target is empty, and the margin,
    no_other_class, where the target is all there is. Raises ValueError on shapes that do not agree.
    """
    shapes = {logits.shape, probability.shape, label.shape, target.shape}
    if len(shapes) != 1 or logits.ndim != 2:
        raise ValueError(f"logits, probability, label and target must all be (N, K), got {sorted(shapes)}")
    broken = ~(np.isfinite(probability) & np.isfinite(logits)).all(axis=1)
    before = _standing_before(probability, label == 1)
    empty = np.where((label == 1).any(axis=1), "", "no_object")
    columns = {
        "top1": ((before < 1).astype(np.float64), empty),
        "top5": ((before < TOP).astype(np.float64), empty),
        "target_probability": _target_probability(probability, target),
        "logit_margin": _logit_margin(logits, target),
        "target_logit": target_logit(probability, target, logits),
    }
    return wide(columns, broken)


def mistaken(probability: Floats, label: Integers) -> Mask:
    """(N, K) bool: the top class where it is not right; none where it is, or where the answer is no number.

    Among equally likely wrong classes the one with the lowest index.
    """
    right = label == 1
    wrong = np.where(right, -np.inf, probability)
    taken_for = wrong.argmax(axis=1) if wrong.shape[1] else np.zeros(len(wrong), dtype=int)
    is_wrong = (_standing_before(probability, right) > 0) & np.isfinite(probability).all(axis=1)
    marked: Mask = is_wrong[:, None] & (np.arange(probability.shape[1]) == taken_for[:, None])
    return marked


def answers(probability: Floats, label: Integers) -> pd.DataFrame:
    """The TOP likeliest classes of every scene: columns row, rank (from 1), output, probability, is_right.

    Equally likely classes: wrong ones first, then by index, so that rank 1 is right exactly where top1 is 1. A scene
    whose answer is no number has no rows.
    """
    parts = [NO_ANSWERS]
    for row in np.flatnonzero(np.isfinite(probability).all(axis=1)):
        p, right = np.asarray(probability[row], dtype=np.float64), label[row] == 1
        order = np.lexsort((np.arange(len(p)), right, -p))[:TOP]
        found = {"row": row, "rank": np.arange(1, len(order) + 1), "output": order, "probability": p[order]}
        parts.append(pd.DataFrame({**found, "is_right": right[order]}))
    return pd.concat(parts[1:], ignore_index=True) if len(parts) > 1 else NO_ANSWERS.copy()


def _standing_before(probability: Floats, right: Mask) -> Doubles:
    """(N,) how many wrong classes are at least as likely as the best right one; all of them where none is right."""
    best = np.where(right, probability, -np.inf).max(axis=1, initial=-np.inf)
    count: Doubles = (~right & (probability >= best[:, None])).sum(axis=1).astype(np.float64)
    return count


def _target_probability(probability: Floats, target: Mask) -> tuple[Doubles, Texts]:
    total = np.where(target, np.asarray(probability, dtype=np.float64), 0.0).sum(axis=1)
    return np.minimum(total, 1.0), np.where(target.any(axis=1), "", "no_positive")


def _logit_margin(logits: Floats, target: Mask) -> tuple[Doubles, Texts]:
    z = np.asarray(logits, dtype=np.float64)
    has_target, has_other = target.any(axis=1), (~target).any(axis=1)
    largest = np.where(target, z, -np.inf).max(axis=1, initial=-np.inf)
    other = np.where(target, -np.inf, z).max(axis=1, initial=-np.inf)
    defined = has_target & has_other & np.isfinite(z).all(axis=1)
    margin = np.subtract(largest, other, out=np.full(len(z), np.nan), where=defined)
    return margin, np.where(~has_target, "no_positive", np.where(has_other, "", "no_other_class"))
