"""Sampled designs: where the points lie, what they are called, what is kept of them, and how many cells there are."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes import factors
from scenes.design import Condition, Design, DesignError
from scenes.planning import Quality
from scenes.proximity import MIGHTY_THYMIO
from scenes.sampling import Binned, association, points
from scenes.tabletop import Camera, plan

FACTORS = {
    "light_strength": ["0.2..1.8"],
    "distance": ["0.04..0.36"],
    "light": ["front", "back"],
    "cast_shadow": ["soft", "hard", "none"],
}
CONTROL = {
    "presence": "object",
    "light_strength": "1",
    "distance": "drawn",
    "light": "front",
    "cast_shadow": "soft",
}
RANGES = {"light_strength": (0.2, 1.8), "distance": (0.04, 0.36)}
SOBOL = Design("sampled", FACTORS, CONTROL, blocks=3, crossing="sobol", ranges=RANGES)
LATIN = dataclasses.replace(SOBOL, crossing="latin_hypercube")
BOTH = pytest.mark.parametrize("design", [SOBOL, LATIN], ids=["sobol", "latin_hypercube"])


def points_of(design: Design) -> list[Condition]:
    return [c for c in design.conditions() if c.values]


@BOTH
def test_the_control_condition_stands_first_then_the_points_then_its_arms(design: Design) -> None:
    conditions = design.conditions()
    assert len(conditions) == 1 + 64 + 2
    assert dict(conditions[0].levels) == CONTROL
    assert conditions[0].exact == ""
    assert all(c["presence"] == "object" and c.exact for c in conditions[1:65])
    assert [dict(c.levels) for c in conditions[65:]] == [{**CONTROL, "presence": arm} for arm in ("ghost", "empty")]


@BOTH
def test_every_block_is_shown_the_same_points(design: Design) -> None:
    of_block = [[c.condition for c in design.cells() if c.number == number] for number in range(3)]
    assert of_block[0] == of_block[1] == of_block[2] == design.conditions()


@BOTH
def test_with_points_of_their_own_blocks_are_shown_others_around_the_same_control(design: Design) -> None:
    own = dataclasses.replace(design, own_points=True)
    of_block = [[c.condition for c in own.cells() if c.number == number] for number in range(3)]
    assert [len(shown) for shown in of_block] == [67, 67, 67]
    assert len({c for shown in of_block for c in shown}) == len(own.conditions()) == 3 * 64 + 3
    assert of_block[2] == own.conditions(2)
    around = [c for c in design.conditions() if not c.values]
    assert all([c for c in shown if not c.values] == around for shown in of_block)
    one = dataclasses.replace(own, seeds=[2])
    assert [c.cell_id("sampled") for c in one.cells()] == [c.cell_id("sampled") for c in own.cells() if c.number == 2]


@BOTH
def test_a_number_lies_in_its_range_and_in_the_bin_that_it_is_called(design: Design) -> None:
    for condition in points_of(design):
        for factor, value in condition.values:
            low, high = map(float, condition[factor].split(".."))
            assert RANGES[factor][0] <= value <= RANGES[factor][1]
            assert low <= value <= high
            assert condition.setting(factor) == f"{value:.6g}"
            assert float(f"{value:.6g}") == value


@BOTH
def test_levels_and_bins_have_equal_shares_of_the_points(design: Design) -> None:
    for factor, levels in design.levels.items():
        count = Counter(c[factor] for c in points_of(design))
        names = [v for v in levels if factor not in RANGES or v != CONTROL[factor]]
        assert set(count) == set(names)
        assert all(abs(n - 64 / len(names)) <= 2 for n in count.values())


def test_of_64_points_of_sobol_any_two_bins_of_two_factors_share_four() -> None:
    """So what one factor does is the same in all bins of the others."""
    for seed in range(5):
        bins = [[int(4 * share) for share in point] for point in points("sobol", 64, 7, seed)]
        for a, b in itertools.combinations(range(7), 2):
            assert set(Counter((point[a], point[b]) for point in bins).values()) == {4}


def test_points_are_the_same_on_every_machine() -> None:
    assert points_of(SOBOL)[0].exact == "light_strength=0.610961 distance=0.0676462"
    assert points_of(LATIN)[0].exact == "light_strength=1.67468 distance=0.313139"
    assert points_of(dataclasses.replace(SOBOL, seed=1)) != points_of(SOBOL)


def test_more_points_leave_the_first_of_sobol_as_they_are_and_draw_those_of_a_latin_hypercube_anew() -> None:
    for count in (65, 100, 128):
        assert points_of(dataclasses.replace(SOBOL, points=count))[:64] == points_of(SOBOL)
    more = points_of(dataclasses.replace(LATIN, points=128))
    assert not set(more) & set(points_of(LATIN))


@pytest.mark.filterwarnings("error")
def test_any_number_of_points_will_do() -> None:
    for count in (2, 3, 63, 65):
        assert len(points_of(dataclasses.replace(SOBOL, points=count))) == count


def test_no_point_has_the_control_of_a_range_as_its_level() -> None:
    assert SOBOL.apart == {f: v for f, v in CONTROL.items() if f != "presence"}
    assert SOBOL.levels["light_strength"] == ("1", "0.2..0.6", "0.6..1", "1..1.4", "1.4..1.8")
    assert SOBOL.levels["distance"][0] == "drawn"


@pytest.mark.parametrize(
    ("control", "reference"),
    [("1.2", "1..1.4"), ("1", "1..1.4"), ("0.2", "0.2..0.6"), ("1.8", "1.4..1.8"), ("2", None), ("drawn", None)],
)
def test_the_reference_of_a_range_is_the_bin_of_its_control_if_that_is_a_number_in_it(
    control: str, reference: str | None
) -> None:
    design = dataclasses.replace(SOBOL, control={**CONTROL, "light_strength": control})
    assert design.references.get("light_strength") == reference
    assert design.references["light"] == "front"


def test_what_is_kept_is_what_it_was_in_the_whole() -> None:
    keep = {"light_strength": ["1", "0.2..0.6"], "light": ["front"]}
    kept = dataclasses.replace(SOBOL, keep=keep, seeds=[2])
    whole = {p.cell_id: p.scene_id for p in plan(SOBOL, Camera(), MIGHTY_THYMIO, Quality())}
    part = {p.cell_id: p.scene_id for p in plan(kept, Camera(), MIGHTY_THYMIO, Quality())}
    assert len(part) == 3 + 8
    assert part.items() <= whole.items()


def test_a_scene_has_the_exact_settings_of_its_point() -> None:
    found = plan(dataclasses.replace(SOBOL, points=8), Camera(), MIGHTY_THYMIO, Quality())
    control = {p.cell.block: p.spec.key.power for p in found if not p.cell.condition.values}
    of_front = [p for p in found if p.cell.condition.values and p.cell.condition["light"] == "front"]
    assert len(of_front) > 4
    for p in of_front:
        strength = dict(p.cell.condition.values)["light_strength"]
        assert p.spec.key.power == pytest.approx(strength * control[p.cell.block], rel=1e-6)


def test_objects_share_the_points() -> None:
    levels = {"light": ["key", "back"], "distance": ["1..3"]}
    control = {"presence": "object", "light": "key", "distance": "1"}
    design = Design(
        "studio",
        levels,
        control,
        2,
        crossing="sobol",
        objects=["lemon", "bucket"],
        points=8,
        ranges={"distance": (1, 3)},
    )
    exact = {thing: [c.exact for c in design.conditions() if c["object"] == thing] for thing in design.objects}
    assert exact["lemon"] == exact["bucket"]
    assert len(design.cells()) == design.size == 2 * 2 * (8 + 3)


def test_a_design_of_levels_alone_may_be_sampled_and_counts_equal_points_once() -> None:
    levels = {"light": FACTORS["light"], "cast_shadow": FACTORS["cast_shadow"]}
    design = Design("levels", levels, CONTROL, blocks=1, crossing="sobol", points=64)
    assert len(design.conditions()) == 6 + 2
    assert design.apart is None
    assert dataclasses.replace(design, points=2).size == 1 + 2 + 2


@pytest.mark.parametrize("crossing", ["full", "one_at_a_time"])
def test_a_range_to_sample_is_refused_where_levels_are_crossed_with_the_remedy(crossing: str) -> None:
    with pytest.raises(DesignError, match=r"0\.2\.\.1\.8:5; crossing=sobol samples"):
        dataclasses.replace(SOBOL, crossing=crossing)


def test_a_range_too_narrow_for_its_bins_is_refused() -> None:
    with pytest.raises(DesignError, match=r"1000\.\.1000\.001 is too narrow for 4 bins"):
        dataclasses.replace(SOBOL, ranges={"distance": (1000.0, 1000.001)})


@pytest.mark.parametrize(
    ("low", "high", "count", "names"),
    [
        (0.05, 0.45, 4, "0.05..0.15 0.15..0.25 0.25..0.35 0.35..0.45"),
        (0, 1, 3, "0..0.333 0.333..0.667 0.667..1"),
        (-0.1, 0.2, 3, "-0.1..0 0..0.1 0.1..0.2"),
        (-40, 40, 2, "-40..0 0..40"),
        (0, 26, 4, "0..6.5 6.5..13 13..19.5 19.5..26"),
        (1000, 1001, 2, "1000..1000.5 1000.5..1001"),
        (0, 3e6, 2, "0..1.5e+06 1.5e+06..3e+06"),
    ],
)
def test_bins_have_short_names(low: float, high: float, count: int, names: str) -> None:
    assert Binned(low, high, count).names == tuple(names.split())


@given(
    st.floats(-1e3, 1e3).flatmap(lambda low: st.tuples(st.just(low), st.floats(low + 0.1, low + 1e3))),
    st.integers(2, 20),
    st.floats(0, 1, exclude_max=True),
)
def test_names_are_unique_and_a_number_is_in_its_bin(ends: tuple[float, float], count: int, share: float) -> None:
    binned = Binned(*ends, count)
    if binned.is_too_narrow:
        return
    assert len(set(binned.names)) == count
    assert ends[0] <= binned.value(share) <= ends[1]
    assert binned.named(ends[0]) == binned.names[0]
    assert binned.named(ends[1]) == binned.names[-1]
    assert all(factors.span(name) is not None for name in binned.names)


FULL = Design(
    "tabletop",
    {k: FACTORS[k] for k in ("light", "cast_shadow")} | {"relation": ["distinct", "equal"]},
    {**CONTROL, "relation": "distinct"},
    blocks=5,
)


@pytest.mark.parametrize("crossing", ["full", "one_at_a_time", "sobol"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"arms": False},
        {"seeds": [0, 3]},
        {"keep": {"light": ["back", "front"]}},
        {"keep": {"cast_shadow": ["none"]}},
        {"keep": {"presence": ["object", "ghost"], "relation": ["equal"]}},
        {"objects": ["lemon", "bucket"]},
        {"objects": ["lemon", "bucket"], "keep": {"object": ["lemon"]}},
    ],
    ids=str,
)
def test_the_size_of_a_design_is_the_number_of_its_cells(crossing: str, changes: dict) -> None:
    design = dataclasses.replace(FULL, crossing=crossing, points=512, **changes)
    cells = len(design.cells())
    assert cells == design.size if crossing != "sobol" or design.keep else cells <= design.size


@pytest.mark.parametrize("keep", [{}, {"distance": ["drawn", "0.04..0.12"]}], ids=str)
def test_the_size_of_a_design_whose_blocks_have_their_own_points_is_exact(keep: dict) -> None:
    own = dataclasses.replace(SOBOL, own_points=True, keep=keep)
    assert own.size == len(own.cells())


def test_the_size_of_a_sampled_range_is_exact() -> None:
    assert SOBOL.size == len(SOBOL.cells())
    kept = dataclasses.replace(SOBOL, keep={"distance": ["drawn", "0.04..0.12"]})
    assert kept.size == len(kept.cells()) == 3 * (3 + 16)


def test_the_size_of_a_crossing_of_milliards_is_had_without_making_it() -> None:
    levels = {f"f{i}": [str(j) for j in range(20)] for i in range(12)}
    design = Design("huge", levels, dict.fromkeys(levels, "0"), blocks=10, arms=False)
    assert design.size == 10 * 20**12


def test_even_levels_of_a_range_come_to_zero_itself_and_are_not_without_number() -> None:
    assert factors.expanded({"offset": ["-0.1..0.2:4"]}) == {"offset": ["-0.1", "0", "0.1", "0.2"]}
    for written in ("0..1:1", "0..1:0", "0..1:1001", "1..0", "0..0"):
        with pytest.raises(DesignError, match="has to rise, and to have 2 to 1000 levels"):
            factors.span(written)


def test_association_is_0_of_balanced_levels_and_1_where_one_says_the_other() -> None:
    assert association("aabb", "xyxy") == 0
    assert association("aabb", "xxyy") == pytest.approx(1)
    assert association("aabbcc", "xxyyxx") == pytest.approx(1)
    assert association("aaaa", "xyxy") == 0


def test_too_few_points_tie_factors_and_enough_do_not() -> None:
    assert SOBOL.tied == []
    assert ("light_strength", "distance") in dataclasses.replace(SOBOL, points=2).tied
    assert dataclasses.replace(SOBOL, points=2, own_points=True).tied == []
    assert dataclasses.replace(FULL, crossing="full").tied == []
