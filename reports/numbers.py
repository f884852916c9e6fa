"""How a number is printed: percent or plain, interval in brackets, NaN as 'undefined' with its reason, never as 0."""

from __future__ import annotations

import math

NBSP = "\u00a0"
MINUS = "\u2212"
UNDEFINED = "undefined"


def number(value: float, percent: bool = True, signed: bool = False, fine: bool = False) -> str:
    """`value` as text. Percent: 0.42 -> '42 %', 0.004 -> '0.4 %', hardly any -> '<0.1 %'; else up to three figures.
    fine: one figure more below 10 % and below 1, to be read against a small margin. NaN -> 'undefined'."""
    if math.isnan(value):
        return UNDEFINED
    sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
    return f"{sign}{_bare(value, percent, fine)}{NBSP}%" if percent else f"{sign}{_bare(value, percent, fine)}"


def difference(value: float, percent: bool = True, fine: bool = False) -> str:
    """A signed difference; shares differ by percentage points: 0.23 -> '+23 pp'."""
    text = number(value, percent, signed=True, fine=fine)
    return text.replace("%", "pp") if percent else text


def interval(low: float, high: float, percent: bool = True, fine: bool = False) -> str:
    """'[15, 31]' in the unit of the number it follows; 'no interval' where there is none."""
    if math.isnan(low) or math.isnan(high):
        return "no interval"
    texts = [_bare(v, percent, fine) for v in (low, high)]
    ends = (f"{MINUS if v < 0 and t != '0' else ''}{t}" for v, t in zip((low, high), texts, strict=True))
    return "[{}, {}]".format(*ends)


def count(usable: int, total: int) -> str:
    """'n 12' or, where some blocks are undefined, 'n 9 of 12'."""
    return f"n{NBSP}{total}" if usable == total else f"n{NBSP}{usable}{NBSP}of{NBSP}{total}"


def small_p(value: float) -> str:
    """A p or q value: '.032', '<.001' below that."""
    if math.isnan(value):
        return UNDEFINED
    if value < 0.001:
        return "<.001"
    return "1" if value >= 0.995 else f"{value:.3f}"[1:] if value < 0.0995 else f"{value:.2f}"[1:]


def _bare(value: float, percent: bool, fine: bool = False) -> str:
    size = abs(value)
    if fine and percent and 0.0095 <= size < 0.0995:
        return f"{100 * size:.1f}"
    if fine and not percent and 0 < size < 0.9995:
        return f"{size:.3f}"
    return _percent(size) if percent else _plain(size)


def _percent(value: float) -> str:
    scaled = 100 * value
    if 99.5 <= scaled < 100:  # nearly all is not all
        return f"{min(scaled, 99.9):.1f}"
    if 0 < scaled < 0.05:  # hardly any is not none
        return "<0.1"
    return f"{scaled:.0f}" if scaled == 0 or scaled >= 0.95 else f"{scaled:.1f}"


def _plain(value: float) -> str:
    if value == 0:
        return "0"
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2 if value >= 0.00995 else 3
    return f"{value:.{decimals}f}"
