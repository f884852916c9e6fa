"""Design of experiments: factors crossed or sampled into conditions, conditions crossed with scene seeds into cells.

Seeds are hashes of (design seed, block, purpose), never of a condition or of a list of levels, and are never drawn:
adding a level or a factor redraws nothing that was there before. Only where the points of a design are sampled is each
a setting of all its factors at once; there more points of Sobol's sequence leave the first as they are.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from scenes import sampling
from scenes.sampling import SAMPLED, Binned


class DesignError(ValueError):
    """A design that names something unknown; the message names the nearest valid one."""


OBJECT = "object"  # the factor of a design with several objects: which one stands there
PRESENCE = "presence"
CROSSINGS = ("full", "one_at_a_time", *SAMPLED)


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
    def exact(self) -> str:
        """'distance=0.137 light_strength=0.52': the settings that were sampled from a range; '' without any."""
        return " ".join(f"{f}={value:.6g}" for f, value in self.values)

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


# presence; the factors at control, since without an object they change nothing; the levels that are left out
_Arm = tuple[str, tuple[str, ...], Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Design:
    """Factors crossed or sampled into conditions, blocked by scene seed.

    factors: name -> levels. control: name -> control level. crossing: full, every combination of levels;
    one_at_a_time, every level with all other factors at control; latin_hypercube and sobol, the control condition and
    `points` settings of all factors at once, the same for every block or, with own_points, others.
    ranges: factor -> low, high, of those that are sampled from a range instead of their levels; such a factor's level
    is its control or one of `bins` even bins. objects: what is looked at, a block each and pose; none where the scene
    seed draws the object. arms: also the ghost and empty arms of factor presence; one at a time at the
    control, and at each level of the factors arms_of. keep: factor -> levels to keep;
    seeds: scene seeds to keep, or all. What is kept is what it would be in the whole.
    Raises DesignError for a range that the crossing does not sample, or that is too narrow for its bins.
    """

    name: str
    factors: Mapping[str, Sequence[str]]
    control: Mapping[str, str]
    blocks: int  # scene seeds; of every object, where there are several
    seed: int = 0
    crossing: str = "full"
    objects: Sequence[str] = ()
    arms: bool = True
    arms_of: Sequence[str] = ()
    keep: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seeds: Sequence[int] | None = None
    points: int = 64
    own_points: bool = False
    bins: int = 4
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, (low, high) in self.ranges.items():
            text = f"{low:.10g}..{high:.10g}"
            if not self.is_sampled:
                raise DesignError(
                    f"factor {name!r} has a range to sample, {text}, but crossing={self.crossing} takes levels, for"
                    f" instance {text}:5; crossing=sobol samples"
                )
            if self._binned(name).is_too_narrow:
                raise DesignError(f"factor {name!r}: the range {text} is too narrow for {self.bins} bins")

    @property
    def is_sampled(self) -> bool:
        return self.crossing in SAMPLED

    @property
    def factor_names(self) -> tuple[str, ...]:
        """Presence first, then the object, then as configured."""
        first = (PRESENCE, OBJECT) if self.objects else (PRESENCE,)
        return (*first, *(f for f in self.factors if f not in first))

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """Factor -> the levels that its cells may have: of a sampled range the control and its bins."""
        found = {f: tuple(levels) for f, levels in self._crossed.items()}
        return found | {f: tuple(dict.fromkeys((self.control[f], *self._binned(f).names))) for f in self.ranges}

    @property
    def references(self) -> dict[str, str]:
        """Factor -> the level that its others are contrasted with: the control, of a sampled range the bin in which it
        lies. A factor without such a bin is left out: its levels are contrasted with the mean over all points.
        """
        found = {f: level for f, level in self.control.items() if f not in self.ranges}
        bins = {f: self._bin_of_control(f) for f in self.ranges}
        return found | {f: name for f, name in bins.items() if name is not None}

    @property
    def apart(self) -> dict[str, str] | None:
        """The levels of a control condition that was added to the points, and so is no part of what they average over.

        None where nothing is sampled, or where it is one of the points.
        """
        control = {f: self.control[f] for f in self._crossed}
        numbers = self._numbers if self.own_points else self._numbers[:1]
        is_point = all(any(levels == control and not values for levels, values in self._points(n)) for n in numbers)
        return control if self.is_sampled and not is_point else None

    @property
    def tied(self) -> list[tuple[str, str]]:
        """Pairs of factors whose levels go together in so few points that their effects cannot be told apart; none
        where blocks have points of their own."""
        drawn = [] if self.own_points else [levels for levels, _ in self._points(0)]
        column = {f: [levels[f] for levels in drawn] for f in self._crossed} if drawn else {}
        return [(a, b) for a, b in itertools.combinations(column, 2) if sampling.are_tied(column[a], column[b])]

    @property
    def size(self) -> int:
        """The number of cells, at most: by arithmetic, since there may be more of them than memory."""
        shown = [thing for thing in self.objects or (OBJECT,) if self._is_kept(OBJECT, thing)]
        if self.crossing == "full":
            each = sum(self._crossed_size(presence, fixed, without) for presence, fixed, without in self._all_arms())
        elif self.is_sampled and not self.keep:
            each = 1 + self.points + 2 * self.arms
        elif self.own_points:
            return len(self.cells())
        else:
            each = len(self.conditions()) // max(len(shown), 1)
        return len(self._numbers) * len(shown) * each

    def conditions(self, number: int | None = None) -> list[Condition]:
        """Per object the crossed or sampled conditions, then the arms. What `keep` leaves out is not among them.

        number: of a scene seed, where blocks have points of their own; else those of all are taken together.
        """
        numbers = self._numbers if self.own_points and number is None else (number or 0,)
        found = [c for n in numbers for thing in self.objects or (None,) for c in self._conditions_of(thing, n)]
        unique = list(dict.fromkeys(found))
        return [c for c in unique if all(self._is_kept(f, c[f]) for f in self.keep)]

    def cells(self) -> list[Cell]:
        """Block by block, so neighbours share geometry."""
        shared = None if self.own_points else self.conditions()
        of_number = {n: self.conditions(n) if shared is None else shared for n in self._numbers}
        return [
            Cell(c, n)
            for thing in self.objects or (None,)
            for n, conditions in of_number.items()
            for c in conditions
            if thing is None or c[OBJECT] == thing
        ]

    @property
    def _numbers(self) -> Sequence[int]:
        return range(self.blocks) if self.seeds is None else self.seeds

    @property
    def _crossed(self) -> dict[str, Sequence[str]]:
        return {f: levels for f, levels in self.factors.items() if f not in (PRESENCE, OBJECT)}

    def _is_kept(self, factor: str, level: str) -> bool:
        return factor not in self.keep or level in self.keep[factor]

    def _conditions_of(self, thing: str | None, number: int) -> list[Condition]:
        if self.crossing != "full":
            return self._around_the_control(thing, number)
        return [
            self._condition(presence, levels, thing)
            for presence, fixed, without in self._all_arms()
            for levels in self._combinations(fixed, without)
        ]

    def _around_the_control(self, thing: str | None, number: int) -> list[Condition]:
        """The control condition; each other level with the rest at control, or the points; the control's arms."""
        at_control = {f: self.control[f] for f in self._crossed}
        found = [self._condition("object", at_control, thing)]
        if self.is_sampled:
            found += [self._condition("object", levels, thing, values) for levels, values in self._points(number)]
        else:
            varied = ({**at_control, f: level} for f, levels in self._crossed.items() for level in levels)
            found += [self._condition("object", levels, thing) for levels in varied]
        return found + [
            self._condition(arm, levels, thing)
            for arm, fixed, without in self._all_arms()[1:]
            for levels in self._around(self._free(fixed, without))
        ]

    def _around(self, free: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
        """Of an arm that can have these levels: the control, and each level of the factors arms_of."""
        at_control = {f: self.control[f] for f in self._crossed}
        return [at_control, *({**at_control, f: level} for f in self.arms_of for level in free.get(f, ()))]

    def _points(self, number: int) -> list[tuple[dict[str, str], dict[str, float]]]:
        """Levels and exact settings of the points of a scene seed; none where nothing is sampled."""
        names = list(self._crossed)
        if not self.is_sampled or not names:
            return []
        binned = {f: self._binned(f) for f in self.ranges}
        levels = {f: binned[f].names if f in binned else self.factors[f] for f in names}
        found = []
        seed = derive_seed(self.seed, "sampling", *((number,) if self.own_points else ()))
        for point in sampling.points(self.crossing, self.points, len(names), seed):
            shares = dict(zip(names, point, strict=True))
            at = {f: sampling.chosen(share, levels[f]) for f, share in shares.items()}
            found.append((at, {f: binned[f].value(shares[f]) for f in names if f in binned}))
        return found

    def _binned(self, factor: str) -> Binned:
        return Binned(*self.ranges[factor], self.bins)

    def _bin_of_control(self, factor: str) -> str | None:
        try:
            value = float(self.control[factor])
        except ValueError:
            return None
        return self._binned(factor).named(value)

    def _condition(
        self, presence: str, levels: Mapping[str, str], thing: str | None, values: Mapping[str, float] | None = None
    ) -> Condition:
        whole = {PRESENCE: presence, **levels} if thing is None else {PRESENCE: presence, OBJECT: thing, **levels}
        return Condition(tuple((f, whole[f]) for f in self.factor_names), tuple((values or {}).items()))

    def _all_arms(self) -> list[_Arm]:
        """Of a full crossing, the object's own among them."""
        ghost: _Arm = ("ghost", ("relation",), {"cast_shadow": ("none",)})
        empty: _Arm = ("empty", ("relation", "cast_shadow"), {})
        return [("object", (), {}), *((ghost, empty) if self.arms else ())]

    def _free(self, fixed: Iterable[str], without: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        return {
            f: [self.control[f]] if f in fixed else [v for v in levels if v not in without.get(f, ())]
            for f, levels in self._crossed.items()
        }

    def _combinations(self, fixed: Iterable[str], without: Mapping[str, Sequence[str]]) -> Iterable[dict[str, str]]:
        free = self._free(fixed, without)
        return (dict(zip(free, levels, strict=True)) for levels in itertools.product(*free.values()))

    def _crossed_size(self, presence: str, fixed: Iterable[str], without: Mapping[str, Sequence[str]]) -> int:
        kept = ([v for v in levels if self._is_kept(f, v)] for f, levels in self._free(fixed, without).items())
        return math.prod(len(levels) for levels in kept) * self._is_kept(PRESENCE, presence)


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
