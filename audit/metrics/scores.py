"""What the scores of all tasks have in common: values with their reasons, the long form, the target."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import logit

from audit.metrics.arrays import Doubles, Floats, Mask, Texts

REASON = ":reason"  # suffix of the column that says why a metric is NaN
# as far from 0 and 1 as float32 probabilities can tell logits apart
PROBABILITY_EPSILON = 1e-6

Column = tuple[Floats, Texts]  # values (N,), and why each is undefined: '' where it is not


def wide(columns: Mapping[str, Column], broken: Mask) -> pd.DataFrame:
    """One row per scene, a column per metric and one `<metric>:reason` beside it.

    broken (N,): scenes whose answer is no number; everything about them is undefined, nan_output. A value is NaN
    exactly where its reason is not empty.
    """
    frame: dict[str, Floats | Texts] = {}
    for metric, (value, why) in columns.items():
        reason = np.where(broken, "nan_output", why)
        frame[metric] = np.where(reason == "", value, np.nan)
        frame[metric + REASON] = reason
    return pd.DataFrame(frame)


def long(scores: pd.DataFrame) -> pd.DataFrame:
    """The `wide` frame, one row per (scene, metric): columns row, metric, value, undefined_reason."""
    metrics = [column for column in scores.columns if not column.endswith(REASON)]
    parts = [
        pd.DataFrame(
            {
                "row": np.arange(len(scores)),
                "metric": metric,
                "value": scores[metric].to_numpy(),
                "undefined_reason": scores[metric + REASON].to_numpy(),
            }
        )
        for metric in metrics
    ]
    return pd.concat(parts, ignore_index=True)


def target_logit(probability: Floats, target: Mask, logits: Floats | None = None) -> tuple[Doubles, Texts]:
    """Sum of logits over the target outputs, and the reason where there are none. (N,), (N,).

    logits: default logit(probability), cut at +-13.8.
    """
    if logits is None:
        kept = np.clip(probability, PROBABILITY_EPSILON, 1 - PROBABILITY_EPSILON)
        logits = logit(np.asarray(kept, dtype=np.float64))
    total = np.where(target, np.asarray(logits, dtype=np.float64), 0.0).sum(axis=1)
    return total, np.where(target.any(axis=1), "", "no_positive")
