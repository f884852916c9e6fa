"""What is declared of every number that the audit reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricSpec:
    """A number the audit reports.

    direction: lower_is_better, higher_is_better, or neither (descriptive: never a criterion). low, high: its range,
    infinities allowed. unit: share, probability, logit, ratio, index (of a scale of its own). chance: what an
    uninformed answer scores, in words.
    undefined_when: the reasons that stand in `undefined_reason`. sentence: what the number says, one plain sentence.
    tasks: the tasks it scores; 'attention' where it is about where maps lie, 'faithfulness' about what they name.
    """

    name: str
    title: str
    direction: str
    low: float
    high: float
    unit: str
    chance: str
    undefined_when: tuple[str, ...]
    sentence: str
    tasks: tuple[str, ...]


PROXIMITY, CLASSIFICATION, ATTENTION = ("proximity",), ("classification",), ("attention",)
FAITHFULNESS = ("faithfulness",)
