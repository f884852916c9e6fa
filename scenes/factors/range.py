"""Range: the numbers that a continuous factor takes as levels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    low: float
    high: float
    unit: str  # as a sentence says it: 'm', 'degrees', 'times'

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} {self.unit}".strip()
