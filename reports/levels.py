"""Levels, contrasts and blocks as the tables write them, and the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

ALL = "all"  # the level of a factor that stands for the mean over its levels; of `object`, over the objects
PRESENCES = ("object", "ghost", "empty")


def parse_contrast(text: str) -> dict[str, str]:
    """'light=back & relation=equal' -> {'light': 'back', 'relation': 'equal'}; parts without '=' are left out."""
    pairs = (part.split("=", 1) for part in text.split("&") if "=" in part)
    return {factor.strip(): level.strip() for factor, level in pairs}


def counting_order(block: str) -> tuple[str, int, str]:
    """Sort key of block ids: '9' before '10', and 'lemon.9' before 'lemon.10'."""
    thing, _, number = block.rpartition(".")
    return (thing, len(number), number)


def level_order(level: str) -> tuple[bool, float, str]:
    """Sort key of levels: names, then numbers and bins 'low..high' from low to high."""
    try:
        return (True, float(level.partition("..")[0]), level)
    except ValueError:
        return (False, 0.0, level)


def ordered(values: Iterable[str], order: Sequence[str]) -> list[str]:
    """Unique `values`, those named in `order` first and in its order, the rest sorted."""
    unique = set(values)
    return [v for v in order if v in unique] + sorted(unique - set(order))
