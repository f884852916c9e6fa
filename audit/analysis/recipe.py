"""What a checkpoint declares about its training: the yardstick for 'to be expected'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from audit.metrics.specs import SPECS


@dataclass(frozen=True)
class ModelFacts:
    """What the analysis must know of a model.

    recipe: factor -> levels its checkpoint was trained on, among them numbers and ranges low..high; a factor it does
    not name excuses nothing. threshold: the operating point in [0, 1] that its alarms and misses were counted at. task:
    what the network is asked, which says which metrics are its own.
    """

    recipe: Mapping[str, Sequence[str]]
    threshold: float
    task: str = "proximity"

    def is_scored_by(self, metric: str) -> bool:
        """Whether a metric of audit.metrics.specs is of the model's task, or of maps, which every task has."""
        return bool({self.task, "attention"} & set(SPECS[metric].tasks))

    def covers(self, levels: Iterable[tuple[str, str]]) -> bool:
        """Whether every (factor, level) lies inside the recipe."""
        return all(_is_covered(level, self.recipe[factor]) for factor, level in levels if factor in self.recipe)


def _is_covered(level: str, trained: Sequence[str]) -> bool:
    """Whether a level is among those trained on, or a number or bin inside a range that was."""
    ends = _ends(level)
    ranges = [r for r in map(_ends, trained) if r is not None]
    return level in trained or (ends is not None and any(low <= ends[0] and ends[1] <= high for low, high in ranges))


def _ends(level: str) -> tuple[float, float] | None:
    """The ends of a range low..high, of a number twice itself; None for a name."""
    low, dots, high = str(level).partition("..")
    try:
        return float(low), float(high if dots else low)
    except ValueError:
        return None


UNDECLARED = ModelFacts(recipe={}, threshold=0.5)
