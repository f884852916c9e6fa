"""How much hangs on the channel order: the fault the study of 2019 had, measured on any pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from audit.metrics.arrays import Pixels
from audit.models.adapter import Adapter
from audit.models.feeding import fed, flipped, swapped


def flips(adapter: Adapter, images: Pixels | Sequence[Pixels], batch: int = 64) -> pd.DataFrame:
    """What changes when red and blue are exchanged before the network.

    images: uint8 RGB, (N, H, W, 3) or a sequence of (H, W, 3). One row per picture, in order: mean_output (mean of the
    probabilities of all outputs, channels as the adapter declares them), mean_output_swapped (the other order),
    mean_abs_difference between the two, flipped (share of the task's decisions that change: of the cells at .5; of a
    classifier's one, its top class), all in [0, 1]. Of classes the probabilities share out 1: their mean says nothing.
    """
    readings = (adapter, fed(adapter, swapped(adapter.preprocessing)))
    task = adapter.task
    declared, exchanged = (task.probability(a.logits(images, batch)).astype(np.float64) for a in readings)
    return pd.DataFrame(
        {
            "mean_output": declared.mean(axis=1),
            "mean_output_swapped": exchanged.mean(axis=1),
            "mean_abs_difference": np.abs(declared - exchanged).mean(axis=1),
            "flipped": flipped(task, declared, exchanged),
        }
    )
