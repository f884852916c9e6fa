"""What a comparison could have found: the smallest worsening that would be called a regression."""

from __future__ import annotations

import functools

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
    return margin + _in_deviations(n, alpha, power) * spread * float(np.sqrt(n))


@functools.lru_cache(maxsize=1024)
def _in_deviations(n: int, alpha: float, power: float) -> float:
    """The same in standard deviations of one difference; the gates of a comparison ask for few different ones."""
    from statsmodels.stats.power import TTestPower  # here, since it takes a second to load

    return float(np.squeeze(TTestPower().solve_power(nobs=n, alpha=alpha, power=power, alternative="larger")))
