"""The command that shows a finding again keeps its levels, their controls, and nothing of an earlier choice."""

from __future__ import annotations

from audit.composition import compose
from audit.stages.analysing import reproduce

CONFIG = compose(["experiment=smoke", "model.checkpoint=null"])


def test_it_keeps_the_level_and_its_control() -> None:
    line = reproduce(CONFIG, "python -m audit run experiment=smoke", "light=back", ["1", "4"])
    assert line == "python -m audit run experiment=smoke design.keep.light=[front,back] design.keep.seeds=[1,4]"


def test_a_pair_keeps_both_factors() -> None:
    line = reproduce(CONFIG, "python -m audit run", "light=back & relation=equal", ["0"])
    assert "design.keep.light=[front,back] design.keep.relation=[distinct,equal] design.keep.seeds=[0]" in line


def test_what_was_kept_before_is_replaced() -> None:
    line = reproduce(CONFIG, "python -m audit run design.keep.seeds=[1,2] seed=3", "light=back", ["1"])
    assert line == "python -m audit run seed=3 design.keep.light=[front,back] design.keep.seeds=[1]"


def test_folders_and_the_way_python_was_called_are_left_out() -> None:
    line = reproduce(CONFIG, "some/python -m audit run seed=3 paths.store=elsewhere --debug", "light=back", ["1"])
    assert line == "python -m audit run seed=3 design.keep.light=[front,back] design.keep.seeds=[1]"


def test_the_printed_command_composes_to_that_part_of_the_design() -> None:
    line = reproduce(CONFIG, "python -m audit run experiment=smoke model.checkpoint=null", "light=back", ["1", "4"])
    config = compose(line.split()[4:])
    assert config.design.keep == {"light": ["front", "back"], "seeds": [1, 4]}
