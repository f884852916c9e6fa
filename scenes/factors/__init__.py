"""Factors: one module each, its levels declared beside the code that applies them to a SceneSpec.

A factor module has NAME, LEVELS (level -> what it means), CONTROL, `apply(spec: SceneSpec, level: str, draw: Draw) ->
SceneSpec` and, where they make sense,

- RANGE: a `Range`; then a number in it, written as text, is a level too, and a design may sample the range.
- PARTNERS: level -> the level it is compared with instead of the control.
- EXCLUDES: names of factors that set the same thing, so that a design cannot have both.

To add a factor, add a module and list it in REGISTRY under the scene set it is for; one outside this package is named
by its dotted path in `design.modules`.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol, cast

from scenes.design import OBJECT, PRESENCE, Condition, DesignError, nearest
from scenes.factors import (
    camera_pitch,
    cast_shadow,
    color_difference,
    distance,
    distractors,
    field_of_view,
    floor_color,
    floor_gloss,
    floor_texture,
    light,
    light_color,
    light_strength,
    object_color,
    obstacle,
    obstacle_color,
    offset,
    outside_shadow,
    presence,
    relation,
    studio_camera_pitch,
    studio_distance,
    studio_distractors,
    studio_field_of_view,
    studio_light,
    studio_offset,
    studio_yaw,
    yaw,
)
from scenes.factors.range import Range
from scenes.sampling import Binned

if TYPE_CHECKING:
    from scenes.nuisance import Draw
    from scenes.scene_spec import SceneSpec

__all__ = [
    "REGISTRY",
    "SCENE_SETS",
    "Factor",
    "Known",
    "Range",
    "Span",
    "apply",
    "check_levels",
    "controls",
    "known",
    "partners",
    "validate",
]


class Factor(Protocol):
    NAME: str
    LEVELS: Mapping[str, str]
    CONTROL: str

    @staticmethod
    def apply(spec: SceneSpec, level: str, draw: Draw) -> SceneSpec: ...


Known = Mapping[str, Factor]

_TABLETOP = (
    *(light, light_strength, light_color),
    *(floor_texture, floor_color),
    *(relation, color_difference, obstacle_color),  # which take the object's material from the floor
    floor_gloss,  # the floor's alone
    *(obstacle, yaw, offset, distance),  # each from where the one before left the object
    *(camera_pitch, field_of_view),
    *(cast_shadow, outside_shadow),  # whose sun stands for the light as it is by now
    distractors,  # which fit in with all of that
    presence,  # last, since it takes away what the others changed
)
_STUDIO = (
    *(studio_light, light_strength, light_color, outside_shadow),
    *(floor_texture, floor_color, object_color, floor_gloss),
    *(studio_yaw, studio_offset, studio_field_of_view, studio_camera_pitch, studio_distance),
    studio_distractors,
    presence,
)

# Scene set -> its factors in order of application.
REGISTRY: Mapping[str, Known] = {
    scene_set: {module.NAME: cast(Factor, module) for module in modules}
    for scene_set, modules in {"tabletop": _TABLETOP, "studio": _STUDIO, "pictures": ()}.items()
}
SCENE_SETS = tuple(REGISTRY)
MOST_LEVELS = 1000  # of a range written low..high:count


@dataclass(frozen=True)
class Span:
    """A range as a design writes it, 'low..high' to sample or 'low..high:count' for that many even levels."""

    low: float
    high: float
    count: int | None = None

    def levels(self) -> list[str]:
        """The even levels; of a range to sample none."""
        if self.count is None:
            return []
        return [f"{edge:.6g}" for edge in Binned(self.low, self.high, self.count - 1).edges]


def known(scene_set: str, modules: Sequence[str] = ()) -> Known:
    """The factors of a scene set, and those of the user's own modules, in order of application.

    Raises DesignError for an unknown scene set, and for a module that cannot be imported or is no factor.
    """
    if scene_set not in REGISTRY:
        raise DesignError(f"unknown scene set {scene_set!r}: {nearest(scene_set, REGISTRY)}")
    found = dict(REGISTRY[scene_set])
    last = {name: found.pop(name) for name in (PRESENCE,) if name in found}
    for path in modules:
        factor = _imported(path)
        if factor.NAME in {*found, *last, OBJECT} or _is_column(factor.NAME):
            raise DesignError(
                f"factor {factor.NAME!r} of {path}: a factor or a column of the scenes table has that name already;"
                " give it another NAME"
            )
        found[factor.NAME] = factor
    return {**found, **last}


def _is_column(name: str) -> bool:
    from scenes.manifest import SCENES  # which loads pandas, and few designs have factors of their own

    return name in SCENES.columns


@cache
def _imported(path: str) -> Factor:
    try:
        module = importlib.import_module(path)
    except Exception as error:  # whatever the user's module does wrong is one line for the user
        raise DesignError(f"factor module {path} cannot be imported: {type(error).__name__}: {error}") from error
    missing = [name for name in ("NAME", "LEVELS", "CONTROL", "apply") if not hasattr(module, name)]
    if missing:
        raise DesignError(f"{path} is no factor: it lacks {', '.join(missing)}")
    factor = cast(Factor, module)
    if factor.CONTROL not in factor.LEVELS:
        raise DesignError(f"{path}: CONTROL {factor.CONTROL!r} is not among its LEVELS: {', '.join(factor.LEVELS)}")
    return factor


def range_of(factor: Factor) -> Range | None:
    found: Range | None = getattr(factor, "RANGE", None)
    return found


def span(level: str) -> Span | None:
    """The range that a level is written as; None where it is a single level."""
    low, dots, rest = level.partition("..")
    if not dots:
        return None
    high, colon, count = rest.partition(":")
    try:
        found = Span(float(low), float(high), int(count) if colon else None)
    except ValueError:
        raise DesignError(f"{level!r} is no range; ranges are written low..high or low..high:count") from None
    if not found.low < found.high or (found.count is not None and not 2 <= found.count <= MOST_LEVELS):
        raise DesignError(f"range {level!r} has to rise, and to have 2 to {MOST_LEVELS} levels")
    return found


def expanded(factors: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The levels of each factor, even ranges written out; ranges to sample stay as they are."""
    found = {}
    for name, levels in factors.items():
        spans = [span(level) for level in levels]
        found[name] = [v for level, s in zip(levels, spans, strict=True) for v in ((s and s.levels()) or [level])]
    return found


def sampled(factors: Mapping[str, Sequence[str]]) -> dict[str, tuple[float, float]]:
    """Factor -> low, high, of those whose range is to be sampled."""
    spans = {name: span(levels[0]) for name, levels in factors.items() if len(levels) == 1}
    return {name: (s.low, s.high) for name, s in spans.items() if s is not None and s.count is None}


def validate(factors_known: Known, factors: Mapping[str, Sequence[str]]) -> None:
    """Raise DesignError for what `check_levels` refuses, levels named twice, and factors that set the same thing."""
    check_levels(factors_known, factors)
    for name, levels in factors.items():
        whole = expanded({name: levels})[name]
        if len(set(whole)) != len(whole):
            raise DesignError(f"factor {name!r} names a level twice: {', '.join(whole)}")
        if len(levels) > 1 and any((s := span(v)) is not None and s.count is None for v in levels):
            raise DesignError(f"factor {name!r} has a range to sample beside other levels: a range stands alone")
        for other in getattr(factors_known[name], "EXCLUDES", ()):
            if other in factors:
                raise DesignError(f"factors {name!r} and {other!r} set the same thing; leave one of them out")


def check_levels(factors_known: Known, factors: Mapping[str, Sequence[str]]) -> None:
    """Raise DesignError for an unknown factor or level, one out of range or no string, or a factor without levels."""
    for name, levels in factors.items():
        if name not in factors_known:
            raise DesignError(f"unknown factor {name!r}: {nearest(name, factors_known)}")
        if not levels:
            raise DesignError(f"factor {name!r} has no levels")
        for level in levels:
            if not isinstance(level, str):
                raise DesignError(f"level {level!r} of factor {name!r} is no string; quote it, and write none, not off")
            _check_level(factors_known[name], level)


def _check_level(factor: Factor, level: str) -> None:
    """Raise DesignError unless the level is named by the factor, or a number or range within its own."""
    limits = range_of(factor)
    if level in factor.LEVELS:
        return
    whole = span(level) if limits else None
    numbers = [whole.low, whole.high] if whole else [_number(level)]
    if limits is None or any(math.isnan(n) for n in numbers):
        beside = f"; or a number, {limits}" if limits else ""
        raise DesignError(f"unknown level {level!r} of factor {factor.NAME!r}: {nearest(level, factor.LEVELS)}{beside}")
    for number in numbers:
        if not limits.low <= number <= limits.high:
            raise DesignError(f"level {level!r} of factor {factor.NAME!r} is out of range: {limits}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def controls(factors_known: Known, factors: Mapping[str, Sequence[str]], override: Mapping[str, str]) -> dict[str, str]:
    """The control level of each factor: as configured, else its own.

    Raises DesignError where it is not among the levels; of a factor whose range is sampled it need not be.
    """
    found = {}
    for name, levels in expanded(factors).items():
        level = override.get(name, factors_known[name].CONTROL)
        if name in sampled(factors):
            _check_level(factors_known[name], level)
        elif level not in levels:
            raise DesignError(
                f"control level {level!r} of factor {name!r} is not among its levels: {', '.join(levels)};"
                " add it, or take one of them as control"
            )
        found[name] = level
    unknown = [name for name in override if name not in factors]
    if unknown:
        raise DesignError(
            f"control of factor {unknown[0]!r}, which the design does not have: {nearest(unknown[0], factors)}"
        )
    return found


def partners(factors_known: Known, factors: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """Factor -> level -> the level it is compared with, where that is not the control. Raises DesignError.

    A level whose partner is not in the design could only be compared with something else, and is refused.
    """
    found: dict[str, dict[str, str]] = {}
    for name, levels in factors.items():
        declared: Mapping[str, str] = getattr(factors_known[name], "PARTNERS", {})
        found[name] = {level: declared[level] for level in levels if level in declared}
        for level, partner in found[name].items():
            if partner not in levels:
                raise DesignError(f"level {level!r} of factor {name!r} is compared with {partner!r}: add it too")
    return {name: pairs for name, pairs in found.items() if pairs}


def apply(factors_known: Known, spec: SceneSpec, condition: Condition, draw: Draw) -> SceneSpec:
    """The block's base scene with every factor of the condition at its setting."""
    for name, factor in factors_known.items():
        setting = condition.setting(name)
        if setting is not None:
            spec = factor.apply(spec, setting, draw)
    return spec
