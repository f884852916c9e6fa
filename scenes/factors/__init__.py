"""Factors: one module each, its levels declared beside the code that applies them to a SceneSpec.

A factor module has NAME, LEVELS (level -> what it means), CONTROL, `apply(spec: SceneSpec, level: str, draw: Draw) ->
SceneSpec` and, where a level is to be compared with another level than the control, PARTNERS (level -> that level). To
add a factor, add a module and list it in REGISTRY under the scene set it is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from scenes.design import Condition, DesignError, nearest
from scenes.factors import cast_shadow, light, object_color, outside_shadow, presence, relation, studio_light

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec


class Factor(Protocol):
    NAME: str
    LEVELS: Mapping[str, str]
    CONTROL: str

    @staticmethod
    def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec: ...


# Scene set -> its factors in order of application: presence last, since it removes what the others changed.
REGISTRY: Mapping[str, Mapping[str, Factor]] = {
    scene_set: {module.NAME: cast(Factor, module) for module in modules}
    for scene_set, modules in {
        "tabletop": (light, relation, cast_shadow, presence),
        "studio": (studio_light, outside_shadow, object_color, presence),
        "pictures": (),
    }.items()
}
SCENE_SETS = tuple(REGISTRY)


def validate(scene_set: str, factors: Mapping[str, Sequence[str]]) -> None:
    """Raise DesignError for an unknown scene set, factor or level, a level that is no string, or no levels."""
    if scene_set not in REGISTRY:
        raise DesignError(f"unknown scene set {scene_set!r}: {nearest(scene_set, REGISTRY)}")
    known = REGISTRY[scene_set]
    for name, levels in factors.items():
        if name not in known:
            raise DesignError(f"unknown factor {name!r}: {nearest(name, known)}")
        if not levels:
            raise DesignError(f"factor {name!r} has no levels")
        for level in levels:
            if not isinstance(level, str):
                raise DesignError(f"level {level!r} of factor {name!r} is no string; quote it, and write none, not off")
            if level not in known[name].LEVELS:
                raise DesignError(f"unknown level {level!r} of factor {name!r}: {nearest(level, known[name].LEVELS)}")
        if len(set(levels)) != len(levels):
            raise DesignError(f"factor {name!r} names a level twice: {', '.join(levels)}")


def controls(scene_set: str, factors: Mapping[str, Sequence[str]], override: Mapping[str, str]) -> dict[str, str]:
    """The control level of each factor: as configured, else its own. Raises DesignError if not among its levels."""
    found = {}
    for name, levels in factors.items():
        level = override.get(name, REGISTRY[scene_set][name].CONTROL)
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


def partners(scene_set: str, factors: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """Factor -> level -> the level it is compared with, where that is not the control. Raises DesignError.

    A level whose partner is not in the design could only be compared with something else, and is refused.
    """
    found: dict[str, dict[str, str]] = {}
    for name, levels in factors.items():
        declared: Mapping[str, str] = getattr(REGISTRY[scene_set][name], "PARTNERS", {})
        found[name] = {level: declared[level] for level in levels if level in declared}
        for level, partner in found[name].items():
            if partner not in levels:
                raise DesignError(f"level {level!r} of factor {name!r} is compared with {partner!r}: add it too")
    return {name: pairs for name, pairs in found.items() if pairs}


def apply(scene_set: str, spec: SceneSpec, condition: Condition, draw: Draw) -> SceneSpec:
    """The block's base scene with every factor of the condition set to its level."""
    levels = dict(condition.levels)
    for name, factor in REGISTRY[scene_set].items():
        if name in levels:
            spec = factor.apply(spec, levels[name], draw)
    return spec
