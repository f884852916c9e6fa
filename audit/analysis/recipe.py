"""What a checkpoint declares about its training: the yardstick for 'to be expected'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelFacts:
    """What the analysis must know of a model.

    recipe: factor -> levels its checkpoint was trained on; a factor it does not name excuses nothing. threshold: the
    operating point in [0, 1] that its alarms and misses were counted at.
    """

    recipe: Mapping[str, Sequence[str]]
    threshold: float

    def covers(self, levels: Iterable[tuple[str, str]]) -> bool:
        """Whether every (factor, level) lies inside the recipe."""
        return all(level in self.recipe[factor] for factor, level in levels if factor in self.recipe)


UNDECLARED = ModelFacts(recipe={}, threshold=0.5)
