"""Effects of interventions that a comparison looks at: what each is called, and which way is better.

Chosen so that no better answer makes one worse. The shadow's effect over the empty floor, ghost - empty, is no such
number: it grows when false alarms on the empty floor go away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class EffectSpec:
    """One effect: a share or a difference of two, so within [-1, 1]."""

    name: str
    title: str
    is_lower_better: bool
    sentence: str


EFFECT_SPECS: Mapping[str, EffectSpec] = {
    spec.name: spec
    for spec in (
        EffectSpec(
            "object_effect",
            "what the object adds",
            False,
            "The answer with object and shadow less that with its shadow alone: the share of the sensors it occupies"
            " that alarm where it is, or the probability of the object.",
        ),
        EffectSpec(
            "shadow_alarm",
            "alarms at its shadow alone",
            True,
            "The share of sensors that alarm where the object's shadow lies on the floor without the object.",
        ),
    )
}
