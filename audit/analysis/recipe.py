"""What a checkpoint declares about its training: the yardstick for 'to be expected'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from audit.metrics.specs import SPECS


@dataclass(frozen=True)
class ModelFacts:
    """What the analysis must know of a model.

    recipe: factor -> levels its checkpoint was trained on; a factor it does not name excuses nothing. threshold: the
    operating point in [0, 1] that its alarms and misses were counted at. task: what the network is asked, which says
    which metrics are its own.
    """

    recipe: Mapping[str, Sequence[str]]
    threshold: float
    task: str = "proximity"

    def is_scored_by(self, metric: str) -> bool:
        """Whether a metric of audit.metrics.specs is of the model's task, or of maps, which every task has."""
        return bool({self.task, "attention"} & set(SPECS[metric].tasks))

    def covers(self, levels: Iterable[tuple[str, str]]) -> bool:
        """Whether every (factor, level) lies inside the recipe."""
        return all(level in self.recipe[factor] for factor, level in levels if factor in self.recipe)


UNDECLARED = ModelFacts(recipe={}, threshold=0.5)
