"""Effects of interventions that a comparison looks at: what each is called, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class EffectSpec:
    """One effect: differences of two shares or probabilities, so within [-1, 1]."""

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
            "The answer with object and shadow less that with its shadow alone: the share of sensors that alarm, or the"
            " probability of the object.",
        ),
        EffectSpec(
            "shadow_effect",
            "what its shadow alone raises",
            True,
            "The share of sensors that alarm at the shadow alone less that on the empty floor.",
        ),
    )
}
