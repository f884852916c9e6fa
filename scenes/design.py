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


@dataclass(frozen=True)
class Condition:
    """A level for every factor, in the design's order of factors."""

    levels: tuple[tuple[str, str], ...]

    def __getitem__(self, factor: str) -> str:
        return dict(self.levels)[factor]

    @property
    def key(self) -> str:
        """'light=back,relation=equal': factors sorted, so equal conditions have equal keys."""
        return ",".join(f"{f}={v}" for f, v in sorted(self.levels))


@dataclass(frozen=True)
class Cell:
    condition: Condition
    block: int  # the scene seed

    def cell_id(self, design: str) -> str:
        """Hash of (design, condition, block), 16 hex digits."""
        return hashlib.sha256(f"{design}|{self.condition.key}|{self.block}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Design:
    """A full factorial blocked by scene seed.

    factors: name -> levels. control: name -> control level. arms: also the ghost and empty arms of factor presence.
    keep: factor -> levels to keep; seeds: block numbers to keep, or all. What is kept is what it would be in the whole.
    """

    name: str
    factors: Mapping[str, Sequence[str]]
    control: Mapping[str, str]
    blocks: int
    seed: int = 0
    arms: bool = True
    keep: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seeds: Sequence[int] | None = None

    @property
    def factor_names(self) -> tuple[str, ...]:
        """Presence first, then as configured."""
        return ("presence", *(f for f in self.factors if f != "presence"))

    def conditions(self) -> list[Condition]:
        """The crossed conditions, then the arms: ghost per light and shadow kind, empty per light."""
        crossed = {f: list(v) for f, v in self.factors.items() if f != "presence"}
        found = [
            self._condition("object", dict(zip(crossed, levels, strict=True)))
            for levels in itertools.product(*crossed.values())
        ]
        if self.arms:
            found += self._arm("ghost", crossed, fixed=("relation",), without={"cast_shadow": ("none",)})
            found += self._arm("empty", crossed, fixed=("relation", "cast_shadow"), without={})
        unique = list(dict.fromkeys(found))
        return [c for c in unique if all(c[f] in levels for f, levels in self.keep.items())]

    def cells(self) -> list[Cell]:
        """Block by block, so neighbours share geometry."""
        blocks = range(self.blocks) if self.seeds is None else self.seeds
        return [Cell(c, b) for b in blocks for c in self.conditions()]

    def _condition(self, presence: str, levels: Mapping[str, str]) -> Condition:
        whole = {"presence": presence, **levels}
        return Condition(tuple((f, whole[f]) for f in self.factor_names))

    def _arm(
        self,
        presence: str,
        crossed: Mapping[str, Sequence[str]],
        fixed: Iterable[str],
        without: Mapping[str, Sequence[str]],
    ) -> list[Condition]:
        """Conditions of an arm: factors in `fixed` at control, since without an object they change nothing."""
        free = {
            f: [self.control[f]] if f in fixed else [v for v in levels if v not in without.get(f, ())]
            for f, levels in crossed.items()
        }
        return [
            self._condition(presence, dict(zip(free, levels, strict=True)))
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
