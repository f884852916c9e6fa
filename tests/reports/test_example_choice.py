"""Which scenes stand for a finding: its worst blocks and the one in the middle, each beside its own control."""

from __future__ import annotations

import math

import pandas as pd
from page_reading import Written

from reports.levels import parse_contrast
from reports.pairs import Comparison, Pair, choose, pairs_by_block
from reports.run_record import read_run


def pair(worse: float) -> Pair:
    return Pair(pd.Series(dtype=object), pd.Series(dtype=object), worse)


def test_two_of_the_named_blocks_are_shown_and_the_one_in_the_middle() -> None:
    pairs = {str(b): pair(b / 10) for b in range(7)}
    assert choose(pairs, ["6", "5", "4"]) == [
        ("6", "among the worst blocks"),
        ("5", "among the worst blocks"),
        ("3", "the block in the middle"),
    ]


def test_of_several_objects_the_worst_of_two_are_shown() -> None:
    pairs = {f"{thing}.{pose}": pair(0.5) for thing in ("lemon", "bucket") for pose in range(3)}
    named = [b for b, _ in choose(pairs, ["lemon.2", "lemon.0", "bucket.1", "bucket.0"])][:2]
    assert named == ["lemon.2", "bucket.1"]
    assert [b for b, _ in choose(pairs, ["lemon.2", "lemon.0"])][:2] == ["lemon.2", "lemon.0"]


def test_a_named_block_without_a_usable_pair_gives_way_to_the_next() -> None:
    pairs = {"0": pair(0.1), "2": pair(0.5)}
    assert [b for b, _ in choose(pairs, ["1", "2", "0"])] == ["2", "0"]


def test_blocks_where_the_metric_is_undefined_are_never_the_middle() -> None:
    pairs = {"0": pair(math.nan), "1": pair(0.2), "2": pair(math.nan)}
    assert choose(pairs, []) == [("1", "the block in the middle")]


def test_both_scenes_of_a_pair_differ_in_the_finding_s_levels_alone(written: Written) -> None:
    record = read_run(written.run.folder)
    comparison = Comparison("proximity", "sensor_miss", "-", "-", {"relation": "equal"}, {"relation": "distinct"})
    found = pairs_by_block(record, comparison)
    assert set(found) <= set(record.blocks)
    assert len(found) >= 4
    for held in found.values():
        assert (held.cell["relation"], held.control["relation"]) == ("equal", "distinct")
        for factor in ("light", "cast_shadow", "presence", "block_id"):
            assert held.cell[factor] == held.control[factor]
    assert any(p.worse > 0 for p in found.values())


def test_a_contrast_is_read_back_into_levels() -> None:
    assert parse_contrast("light=back & relation=equal") == {"light": "back", "relation": "equal"}
    assert parse_contrast("grand mean") == {}
