"""Design of experiments: factors crossed into conditions, conditions crossed with scene seeds into cells.

Seeds are hashes of (design seed, block, purpose), never of a condition or of a list of levels, and are never drawn:
adding a level or a factor redraws nothing that was there before.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


class DesignError(ValueError):
    """A design that names something unknown; the message names the nearest valid one."""


OBJECT = "object"  # the factor of a design with several objects: which one stands there
PRESENCE = "presence"
CROSSINGS = ("full", "one_at_a_time")


@dataclass(frozen=True)
class Condition:
    """A level for every factor, in the design's order of factors.

    values: the exact settings of sampled factors, whose level names the bin that the value lies in.
    """

    levels: tuple[tuple[str, str], ...]
    values: tuple[tuple[str, float], ...] = ()

    def __getitem__(self, factor: str) -> str:
        return dict(self.levels)[factor]

    def get(self, factor: str) -> str | None:
        return dict(self.levels).get(factor)

    def setting(self, factor: str) -> str | None:
        """What the factor is set to: the exact value where it was sampled, else the level; None without it."""
        value = dict(self.values).get(factor)
        return self.get(factor) if value is None else f"{value:.6g}"

    @property
    def key(self) -> str:
        """'light=back,relation=equal': factors sorted, so equal conditions have equal keys."""
        return ",".join(f"{f}={self.setting(f)}" for f, _ in sorted(self.levels))


@dataclass(frozen=True)
class Cell:
    """A condition on one scene seed; with several objects the seed is a pose of the condition's object."""

    condition: Condition
    number: int  # the scene seed, the pose

    @property
    def block(self) -> str:
        """The unit of replication: '3', or 'lemon.3'."""
        thing = self.condition.get(OBJECT)
        return str(self.number) if thing is None else f"{thing}.{self.number}"

    def cell_id(self, design: str) -> str:
        """Hash of (design, condition, block), 16 hex digits."""
        return hashlib.sha256(f"{design}|{self.condition.key}|{self.block}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Design:
    """Factors crossed into conditions, blocked by scene seed.

    factors: name -> levels. control: name -> control level. crossing: full, every combination of levels; or
    one_at_a_time, every level with all other factors at control. objects: what is looked at, a block each and pose;
    none where the scene seed draws the object. arms: also the ghost and empty arms of factor presence. keep: factor ->
    levels to keep; seeds: scene seeds to keep, or all. What is kept is what it would be in the whole.
    """

    name: str
    factors: Mapping[str, Sequence[str]]
    control: Mapping[str, str]
    blocks: int  # scene seeds; of every object, where there are several
    seed: int = 0
    crossing: str = "full"
    objects: Sequence[str] = ()
    arms: bool = True
    keep: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seeds: Sequence[int] | None = None

    @property
    def factor_names(self) -> tuple[str, ...]:
        """Presence first, then the object, then as configured."""
        first = (PRESENCE, OBJECT) if self.objects else (PRESENCE,)
        return (*first, *(f for f in self.factors if f not in first))

    def conditions(self) -> list[Condition]:
        """Per object the crossed conditions, then the arms. What `keep` leaves out is not among them."""
        found = [c for thing in self.objects or (None,) for c in self._conditions_of(thing)]
        unique = list(dict.fromkeys(found))
        return [c for c in unique if all(c[f] in levels for f, levels in self.keep.items())]

    def cells(self) -> list[Cell]:
        """Block by block, so neighbours share geometry."""
        numbers = range(self.blocks) if self.seeds is None else self.seeds
        conditions = self.conditions()
        return [
            Cell(c, n)
            for thing in self.objects or (None,)
            for n in numbers
            for c in conditions
            if thing is None or c[OBJECT] == thing
        ]

    def _conditions_of(self, thing: str | None) -> list[Condition]:
        crossed = {f: list(v) for f, v in self.factors.items() if f not in (PRESENCE, OBJECT)}
        if self.crossing == "one_at_a_time":
            return self._one_at_a_time(crossed, thing)
        every = (dict(zip(crossed, levels, strict=True)) for levels in itertools.product(*crossed.values()))
        found = [self._condition("object", levels, thing) for levels in every]
        if self.arms:
            found += self._arm("ghost", crossed, thing, fixed=("relation",), without={"cast_shadow": ("none",)})
            found += self._arm("empty", crossed, thing, fixed=("relation", "cast_shadow"), without={})
        return found

    def _one_at_a_time(self, crossed: Mapping[str, Sequence[str]], thing: str | None) -> list[Condition]:
        """The control condition, each other level with the rest at control, and the arms of the control condition."""
        at_control = {f: self.control[f] for f in crossed}
        varied = [{**at_control, f: level} for f, levels in crossed.items() for level in levels]
        found = [self._condition("object", levels, thing) for levels in (at_control, *varied)]
        arms = ("ghost", "empty") if self.arms else ()
        return found + [self._condition(arm, at_control, thing) for arm in arms]

    def _condition(self, presence: str, levels: Mapping[str, str], thing: str | None) -> Condition:
        whole = {PRESENCE: presence, **levels} if thing is None else {PRESENCE: presence, OBJECT: thing, **levels}
        return Condition(tuple((f, whole[f]) for f in self.factor_names))

    def _arm(
        self,
        presence: str,
        crossed: Mapping[str, Sequence[str]],
        thing: str | None,
        fixed: Iterable[str],
        without: Mapping[str, Sequence[str]],
    ) -> list[Condition]:
        """Conditions of an arm: factors in `fixed` at control, since without an object they change nothing."""
        free = {
            f: [self.control[f]] if f in fixed else [v for v in levels if v not in without.get(f, ())]
            for f, levels in crossed.items()
        }
        return [
            self._condition(presence, dict(zip(free, levels, strict=True)), thing)
            for levels in itertools.product(*free.values())
        ]


def derive_seed(seed: int, *purpose: object) -> int:
    """A seed in [0, 2**31) for a purpose, by hash; equal arguments, equal seed, on any machine."""
    text = "|".join(str(p) for p in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def nearest(name: str, valid: Iterable[str]) -> str:
    """'did you mean X?' and the valid names, for an error line."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}valid: {', '.join(names)}"
