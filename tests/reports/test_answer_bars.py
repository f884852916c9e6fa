"""Bars of a classifier's answers: as long as their probability, in order, and small but present at the low end."""

from __future__ import annotations

import re

from reports.answer_bars import NARROW, WIDE, answer_bars
from reports.run_record import Answer

ANSWERS = (Answer("tennis ball", 0.5, False), Answer("lemon", 0.25, True), Answer("<b>orange</b>", 0.0002, False))


def lengths(bars: str) -> list[float]:
    return [float(w) for w in re.findall(r'<rect class="(?:right|wrong)"[^>]*width="([\d.]+)"', bars)]


def test_a_bar_is_as_long_as_its_probability() -> None:
    bars = str(answer_bars(ANSWERS))
    track = float(re.findall(r'<rect class="track"[^>]*width="([\d.]+)"', bars)[0])
    first, second, last = lengths(bars)
    assert first == round(track / 2, 1)
    assert second == round(track / 4, 1)
    assert 0 < last < 1


def test_hardly_any_is_not_printed_as_none() -> None:
    assert "&lt;0.1\u00a0%" in str(answer_bars(ANSWERS))


def test_names_stay_text_and_long_ones_are_cut_but_kept_whole_in_a_title() -> None:
    assert "<b>" not in str(answer_bars(ANSWERS))
    long = Answer("West Highland White Terrier", 0.9, False)
    narrow = str(answer_bars([long], NARROW))
    assert "…<title>West Highland White Terrier</title>" in narrow
    assert "…" not in str(answer_bars([Answer("Granny Smith", 0.9, True)], WIDE))


def test_without_answers_there_is_nothing_to_draw() -> None:
    assert answer_bars(()) is None
