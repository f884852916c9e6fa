"""A gate over checkpoints as inline SVG: its course, the interval as a band, steps, and failures as filled points.

The label of each drawing says its numbers in words; colours come from the page's classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from reports.numbers import MINUS, NBSP, difference, interval, number

WIDTH, HEIGHT = 584, 206  # px
_LEFT, _RIGHT, _TOP, _FOOT = 54, 16, 26, 30
_LETTER = 6.2  # px, of a small text
_TICKS = 4  # steps of the vertical scale, about


@dataclass(frozen=True)
class Point:
    """A gate at one checkpoint; NaN where it is undefined or was not measured."""

    name: str
    mean: float
    low: float
    high: float
    is_failure: bool = False


@dataclass(frozen=True)
class StepMark:
    """A change of level. index: of the first point after it."""

    index: int
    before: float
    after: float
    is_better: bool


@dataclass(frozen=True)
class _Scale:
    """Where things lie: points 0..count-1 from left to right, values low..high from the foot up."""

    count: int
    low: float
    high: float

    def x(self, index: float) -> float:
        inner = WIDTH - _LEFT - _RIGHT - 16
        share = index / (self.count - 1) if self.count > 1 else 0.5
        return round(_LEFT + 8 + share * inner, 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(HEIGHT - _FOOT - min(max(share, 0.0), 1.0) * (HEIGHT - _TOP - _FOOT), 1)


def trend_chart(
    points: Sequence[Point], steps: Sequence[StepMark], title: str, percent: bool, lower_is_better: bool
) -> Markup:
    """The course of one gate. title: for the label alone; percent: values are shares."""
    ends = [v for p in points for v in (p.mean, p.low, p.high) if not math.isnan(v)]
    ticks = scale_ticks(min(ends, default=0.0), max(ends, default=1.0))
    scale = _Scale(len(points), ticks[0], ticks[-1])
    parts = [
        *_axis(scale, ticks, percent),
        *_names(scale, [p.name for p in points]),
        *_band(scale, points),
        *_course(scale, points, percent),
        *_steps(scale, points, steps, percent),
        _text(_LEFT, 12, f"{'↓ lower' if lower_is_better else '↑ higher'} is better", "start", "way"),
    ]
    label = f"{title}: {_told(points, percent)}"
    head = f'<svg class="trend" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
    return Markup(f'{head} aria-label="{escape(label)}">{"".join(parts)}</svg>')


def scale_ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` or below to `high` or above; from zero where that costs little room."""
    if 0 < low < 0.5 * high:
        low = 0.0
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / _TICKS))
    step = next(power * k for k in (1, 2, 5, 10) if span / (power * k) <= _TICKS + 0.5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def legend_mark(kind: str) -> Markup:
    """A sign of the charts for their legend: point, failure, band, step."""
    shapes = {
        "point": '<path class="trend-line" d="M0 8h28"/><circle class="trend-point" cx="14" cy="8" r="3.5"/>',
        "failure": '<path class="trend-line" d="M0 8h28"/><circle class="trend-point fails" cx="14" cy="8" r="4"/>',
        "band": '<rect class="trend-band" x="0" y="2" width="28" height="12"/>',
        "step": '<path class="trend-step" d="M14 0v16"/><path class="trend-level" d="M0 12h14M14 4h14"/>',
    }
    return Markup(f'<svg class="key" width="28" height="16" aria-hidden="true">{shapes[kind]}</svg>')


def _axis(scale: _Scale, ticks: Sequence[float], percent: bool) -> Iterator[str]:
    for tick in ticks:
        y = scale.y(tick)
        yield f'<path class="trend-grid{" zero" if tick == 0 else ""}" d="M{_LEFT} {y}H{WIDTH - _RIGHT}"/>'
        yield _text(_LEFT - 6, y + 3.5, _tick(tick, ticks[1] - ticks[0], percent), "end")


def _tick(value: float, step: float, percent: bool) -> str:
    """A number of the scale, with as many digits as its steps need."""
    scaled, apart = (100 * value, 100 * step) if percent else (value, step)
    decimals = max(0, -math.floor(math.log10(apart) + 1e-9))
    text = f"{abs(scaled):.{decimals}f}"
    sign = MINUS if scaled < 0 and float(text) else ""
    return f"{sign}{text}{NBSP}%" if percent else f"{sign}{text}"


def _names(scale: _Scale, names: Sequence[str]) -> Iterator[str]:
    """Names below the axis, as many as find room, the last one always."""
    room = (max(map(len, names), default=0) + 4) * _LETTER
    apart = scale.x(1) - scale.x(0) if len(names) > 1 else room
    every = max(1, math.ceil(room / apart))
    last = len(names) - 1
    for i, name in enumerate(names):
        if i == last or (i % every == 0 and last - i >= every):
            anchor = "end" if i == last and i else "start" if i == 0 and last else "middle"
            at = scale.x(i) + {"end": 8, "start": -8, "middle": 0}[anchor]
            yield f'<path class="trend-tick" d="M{scale.x(i)} {HEIGHT - _FOOT}v4"/>'
            yield _text(at, HEIGHT - _FOOT + 16, name, anchor)


def _band(scale: _Scale, points: Sequence[Point]) -> Iterator[str]:
    """The intervals, as a band over neighbours that have one and as a bar where one stands alone."""
    for run in _stretches([not math.isnan(p.low) and not math.isnan(p.high) for p in points]):
        top = [f"{scale.x(i)},{scale.y(points[i].high)}" for i in run]
        foot = [f"{scale.x(i)},{scale.y(points[i].low)}" for i in reversed(run)]
        if len(run) == 1:
            x, p = scale.x(run[0]), points[run[0]]
            yield f'<path class="whisker" d="M{x} {scale.y(p.low)}V{scale.y(p.high)}"/>'
        else:
            yield f'<polygon class="trend-band" points="{" ".join([*top, *foot])}"/>'


def _course(scale: _Scale, points: Sequence[Point], percent: bool) -> Iterator[str]:
    for run in _stretches([not math.isnan(p.mean) for p in points]):
        places = " ".join(f"{scale.x(i)},{scale.y(points[i].mean)}" for i in run)
        yield f'<polyline class="trend-line" points="{places}"/>'
        for i in run:
            p, radius = points[i], 4 if points[i].is_failure else 3 if len(points) < 60 else 2
            hint = f"{p.name}: {number(p.mean, percent)} {interval(p.low, p.high, percent)}"
            yield (
                f'<circle class="trend-point{" fails" if p.is_failure else ""}" cx="{scale.x(i)}"'
                f' cy="{scale.y(p.mean)}" r="{radius}"><title>{escape(hint)}</title></circle>'
            )


def _steps(scale: _Scale, points: Sequence[Point], steps: Sequence[StepMark], percent: bool) -> Iterator[str]:
    """A dashed line between the checkpoints of a step, the levels on both sides, and how far apart they are."""
    bounds = [0, *(s.index for s in steps), len(points)]
    levels = [steps[0].before, *(s.after for s in steps)] if steps else []
    for (start, end), level in zip(pairwise(bounds), levels, strict=False):
        yield f'<path class="trend-level" d="M{scale.x(start)} {scale.y(level)}H{scale.x(end - 1)}"/>'
    for step in steps:
        x = round((scale.x(step.index) + scale.x(step.index - 1)) / 2, 1)
        told = f"{difference(step.after - step.before, percent)} {'better' if step.is_better else 'worse'}"
        anchor = "end" if x > WIDTH - 90 else "start"
        yield f'<path class="trend-step" d="M{x} {_TOP - 8}V{HEIGHT - _FOOT}"/>'
        yield _text(x + (-4 if anchor == "end" else 4), _TOP - 2, told, anchor, "good" if step.is_better else "bad")


def _stretches(there: Sequence[bool]) -> Iterator[list[int]]:
    """Runs of neighbouring indices that are there."""
    run: list[int] = []
    for i, yes in enumerate([*there, False]):
        if yes:
            run.append(i)
        elif run:
            yield run
            run = []


def _told(points: Sequence[Point], percent: bool) -> str:
    """Every value in words; of many checkpoints the first, the last and every tenth part between."""
    every = max(1, len(points) // 12)
    shown = [p for i, p in enumerate(points) if i % every == 0 or i == len(points) - 1]
    return ", ".join(
        f"{p.name} {number(p.mean, percent)} {interval(p.low, p.high, percent)}{' fails' if p.is_failure else ''}"
        for p in shown
    )


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
