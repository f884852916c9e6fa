"""Factors: one module each, its levels declared beside the code that applies them to a SceneSpec.

A factor module has NAME, LEVELS (level -> what it means), CONTROL, and
`apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec`. To add a factor, add a module and list it in REGISTRY.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from scenes.design import Condition, DesignError, nearest
from scenes.factors import cast_shadow, light, presence, relation

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec


class Factor(Protocol):
    NAME: str
    LEVELS: Mapping[str, str]
    CONTROL: str

    @staticmethod
    def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec: ...


# In order of application: presence last, since it removes what the others changed.
REGISTRY: Mapping[str, Factor] = {f.NAME: f for f in (light, relation, cast_shadow, presence)}  # type: ignore[misc]


def validate(scene_set: str, factors: Mapping[str, Sequence[str]]) -> None:
    """Raise DesignError for an unknown scene set, factor or level, a level that is no string, or no levels."""
    if scene_set not in ("tabletop", "pictures"):
        raise DesignError(f"unknown scene set {scene_set!r}: {nearest(scene_set, ('tabletop', 'pictures'))}")
    for name, levels in factors.items():
        if name not in REGISTRY:
            raise DesignError(f"unknown factor {name!r}: {nearest(name, REGISTRY)}")
        if not levels:
            raise DesignError(f"factor {name!r} has no levels")
        for level in levels:
            if not isinstance(level, str):
                raise DesignError(f"level {level!r} of factor {name!r} is no string; quote it, and write none, not off")
            if level not in REGISTRY[name].LEVELS:
                raise DesignError(
                    f"unknown level {level!r} of factor {name!r}: {nearest(level, REGISTRY[name].LEVELS)}"
                )
        if len(set(levels)) != len(levels):
            raise DesignError(f"factor {name!r} names a level twice: {', '.join(levels)}")


def controls(factors: Mapping[str, Sequence[str]], override: Mapping[str, str]) -> dict[str, str]:
    """The control level of each factor: as configured, else its own. Raises DesignError if not among its levels."""
    found = {}
    for name, levels in factors.items():
        level = override.get(name, REGISTRY[name].CONTROL)
        if level not in levels:
            raise DesignError(
                f"control level {level!r} of factor {name!r} is not among its levels: {', '.join(levels)}"
            )
        found[name] = level
    unknown = [name for name in override if name not in factors]
    if unknown:
        raise DesignError(
            f"control of factor {unknown[0]!r}, which the design does not have: {nearest(unknown[0], factors)}"
        )
    return found


def apply(spec: SceneSpec, condition: Condition, draw: Draw) -> SceneSpec:
    """The block's base scene with every factor of the condition set to its level."""
    for name, factor in REGISTRY.items():
        levels = dict(condition.levels)
        if name in levels:
            spec = factor.apply(spec, levels[name], draw)
    return spec
