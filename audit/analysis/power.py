"""What a comparison could have found: the smallest worsening that would be called a regression."""

from __future__ import annotations

import numpy as np


def detectable(margin: float, spread: float, n: int, alpha: float, power: float) -> float:
    """The smallest true worsening that is found to be beyond `margin` with probability `power`.

    spread: standard error of the mean difference over n blocks; alpha: one-sided, after whatever correction. NaN with
    fewer than 2 blocks; the margin itself where the difference does not vary.
    """
    if n < 2 or not np.isfinite(spread):
        return float("nan")
    if spread <= 0:
        return margin
    from statsmodels.stats.power import TTestPower  # here, since it takes a second to load

    in_deviations = TTestPower().solve_power(nobs=n, alpha=alpha, power=power, alternative="larger")
    return margin + float(np.squeeze(in_deviations)) * spread * float(np.sqrt(n))
