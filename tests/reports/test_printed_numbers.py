"""Numbers as printed: enough figures, honest at both ends, undefined where there is none."""

from __future__ import annotations

import math

import pytest

from reports.numbers import count, difference, interval, number, small_p

NAN = math.nan


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.0, "0 %"),
        (0.423, "42 %"),
        (0.004, "0.4 %"),
        (0.0002, "<0.1 %"),
        (1.0, "100 %"),
        (0.9996, "99.9 %"),
        (NAN, "undefined"),
    ],
)
def test_a_share_is_a_percentage_that_calls_neither_nearly_all_all_nor_hardly_any_none(
    value: float, printed: str
) -> None:
    assert number(value).replace("\u00a0", " ") == printed


@pytest.mark.parametrize(
    ("value", "printed"),
    [(0.0, "0"), (0.0031, "0.003"), (0.56, "0.56"), (12.34, "12.3"), (-165.2, "−165"), (NAN, "undefined")],
)
def test_other_numbers_keep_two_or_three_figures(value: float, printed: str) -> None:
    assert number(value, percent=False) == printed


def test_differences_of_shares_are_points_with_a_sign() -> None:
    assert [difference(v).replace("\u00a0", " ") for v in (0.23, -0.1, 0.0, NAN)] == [
        "+23 pp",
        "−10 pp",
        "0 pp",
        "undefined",
    ]


def test_intervals_stand_in_brackets_or_are_said_to_be_missing() -> None:
    assert interval(0.15, 0.31) == "[15, 31]"
    assert interval(-0.04, 0.08) == "[−4, 8]"
    assert interval(NAN, NAN) == "no interval"


def test_n_says_how_many_of_how_many() -> None:
    assert count(12, 12).replace("\u00a0", " ") == "n 12"
    assert count(9, 12).replace("\u00a0", " ") == "n 9 of 12"


@pytest.mark.parametrize(
    ("value", "printed"), [(0.0004, "<.001"), (0.0324, ".032"), (0.41, ".41"), (1.0, "1"), (NAN, "undefined")]
)
def test_small_probabilities_are_printed_without_the_nought(value: float, printed: str) -> None:
    assert small_p(value) == printed
