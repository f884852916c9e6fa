"""A classifier's five likeliest answers as horizontal bars; the right class is ticked and bold as well as coloured."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from reports.numbers import number
from reports.run_record import Answer

WIDE, NARROW = 420, 232  # px
_ROW, _BAR, _TICK, _VALUE, _PER_LETTER = 18, 11, 16, 48, 6.2
_NAMES = {WIDE: 168, NARROW: 108}  # px, of the column of names


def answer_bars(answers: Sequence[Answer], width: int = WIDE) -> Markup | None:
    """One row per answer, likeliest first: tick, name, bar from 0 to 1, probability. None without answers."""
    if not answers:
        return None
    names = _NAMES.get(width, width // 2)
    left, right = names + _TICK + 4, width - _VALUE
    parts = []
    for i, answer in enumerate(answers):
        y = i * _ROW
        kind = "right" if answer.is_right else "wrong"
        length = max(answer.probability * (right - left), 0.5)
        if answer.is_right:
            parts.append(tick(left - 15, y + 3))
        name = _short(answer.name, names)
        parts.append(f'<text class="{kind}" x="{left - _TICK - 4}" y="{y + 13}" text-anchor="end">{name}</text>')
        parts.append(f'<rect class="track" x="{left}" y="{y + 3}" width="{right - left}" height="{_BAR}"/>')
        parts.append(f'<rect class="{kind}" x="{left}" y="{y + 3}" width="{length:.1f}" height="{_BAR}"/>')
        parts.append(f'<text class="{kind}" x="{right + 6}" y="{y + 13}">{escape(number(answer.probability))}</text>')
    label = ", ".join(f"{a.name}{' (right)' if a.is_right else ''} {number(a.probability)}" for a in answers)
    height = len(answers) * _ROW
    head = f'<svg class="bars" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img"'
    return Markup(f'{head} aria-label="named: {escape(label)}">{"".join(parts)}</svg>')


def tick(x: float, y: float) -> str:
    """The sign of a right answer, 11 px wide."""
    return f'<path class="tick" d="M{x} {y + 6}l4 4l7 -9"/>'


def legend_bar(kind: str) -> Markup:
    """A bar of the right class or of another, for the legend."""
    mark = tick(1, 1) if kind == "right" else ""
    drawn = f'{mark}<rect class="track" x="16" y="1" width="40" height="11"/>'
    drawn += f'<rect class="{kind}" x="16" y="1" width="26" height="11"/>'
    return Markup(f'<svg class="bars key" width="58" height="14" aria-hidden="true">{drawn}</svg>')


def _short(name: str, width: int) -> Markup:
    """A name that fits its column; cut with an ellipsis, and the whole of it in a title, where it does not."""
    most = int(width / _PER_LETTER)
    if len(name) <= most:
        return escape(name)
    return escape(name[: most - 1].rstrip()) + Markup(f"…<title>{escape(name)}</title>")
