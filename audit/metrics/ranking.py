"""How well one scene's answers are ordered, whatever their scale: a network that is fed otherwise answers on another.

Feeding changes a network's certainty as much as its aim: on neutral views SqueezeNet with per-image standardisation in
place of its own names the same classes, with half as large again a margin. Probabilities, margins, Brier score and log
loss would call that better. The order of the outputs inside a scene says what was told apart, and nothing else.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from audit.metrics.arrays import Doubles, Floats, Integers


def cell_order(logits: Floats, label: Integers) -> Doubles:
    """(N,) share of a scene's pairs of an occupied and a free cell that are in the right order, ties counting half.

    logits, label: (N, K); label 1, 0, -1 = unknown. NaN where a scene lacks either kind, or where a known logit is not
    finite. Range [0, 1], chance .5. All pairs lie in one scene, so what floor or light do to all cells alike does not
    count; what a constant answer knows of near and far does, equally for all that are compared.
    """
    found = np.full(len(logits), np.nan)
    for row in range(len(logits)):
        known = label[row] >= 0
        z, occupied = np.asarray(logits[row, known], dtype=np.float64), label[row, known] == 1
        ones, zeros = int(occupied.sum()), int((~occupied).sum())
        if ones and zeros and np.isfinite(z).all():
            found[row] = (rankdata(z)[occupied].sum() - ones * (ones + 1) / 2) / (ones * zeros)
    return found


def reciprocal_rank(logits: Floats, label: Integers) -> Doubles:
    """(N,) 1 over the place of the best right class among all: 1 where it is named first, 1/2 second (MRR's summand).

    logits, label: (N, K), label 1 for the classes that count as right. A tie counts against the network. NaN where no
    class is right or a logit is not finite. Range (0, 1].
    """
    right = label == 1
    best = np.where(right, logits, -np.inf).max(axis=1, initial=-np.inf)
    before = (~right & (logits >= best[:, None])).sum(axis=1)
    is_defined = right.any(axis=1) & np.isfinite(logits).all(axis=1)
    return np.where(is_defined, 1.0 / (1.0 + before), np.nan)
