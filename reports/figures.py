"""Small figures drawn as inline SVG: effects with intervals, comparisons on one line, stacked shares, curves.

Every figure carries a label that says its numbers in words; colours come from the page's classes, so dark mode and
print follow. Functions return Markup; text in it is escaped here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from reports.numbers import difference, interval, number


@dataclass(frozen=True)
class Axis:
    """A horizontal scale: values low..high lie on x = 0..width px, `pad` px in from both sides."""

    low: float
    high: float
    width: int
    pad: int = 6

    def x(self, value: float) -> float:
        """Position of a value, clipped to the axis."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return round(self.pad + min(max(share, 0.0), 1.0) * (self.width - 2 * self.pad), 1)


@dataclass(frozen=True)
class Mark:
    """One value on a comparison line. kind: the css class that gives it its shape and colour."""

    kind: str
    value: float
    label: str


def effect_axis(rows: Sequence[tuple[float, float, float, float]], width: int) -> Axis:
    """A common axis for (effect, low, high, margin) rows: from zero or below to a little past the farthest end."""
    ends = [v for row in rows for v in row if not math.isnan(v)] or [0.0, 1.0]
    return Axis(min(0.0, *ends), max(ends) * 1.04 or 1.0, width)


def effect_bar(
    effect: float, low: float, high: float, margin: float, axis: Axis, percent: bool, labelled: bool = True
) -> Markup:
    """An effect as a bar from zero, its interval as a whisker, the criterion's margin as a dashed line."""
    height, mid = (38, 13) if labelled else (22, 11)
    label = f"effect {difference(effect, percent)}, interval {interval(low, high, percent)}, margin "
    label += difference(margin, percent)
    zero, tip, limit = (axis.x(0.0 if math.isnan(v) else v) for v in (0.0, effect, margin))
    parts = [f'<line class="axis" x1="{zero}" x2="{zero}" y1="2" y2="{mid + 9}"/>']
    if not math.isnan(effect):
        left, length = min(zero, tip), abs(tip - zero)
        parts.append(f'<rect class="effect" x="{left}" y="{mid - 6}" width="{length:.1f}" height="12"/>')
    parts.append(_whisker(low, high, axis, mid, 4))
    if not math.isnan(margin):
        parts.append(f'<line class="margin" x1="{limit}" x2="{limit}" y1="1" y2="{mid + 10}"/>')
    if labelled:
        parts.append(_text(zero, mid + 21, "0"))
        if not math.isnan(margin):
            parts.append(_text(max(limit, zero + 8), mid + 21, f"margin {number(margin, percent)}", "start"))
    return _svg(axis.width, height, label, parts, "bar")


def forest(effect: float, low: float, high: float, axis: Axis, kind: str, percent: bool) -> Markup:
    """One effect as a point with its interval, and a line at zero."""
    label = f"{difference(effect, percent)} {interval(low, high, percent)}"
    zero = axis.x(0.0)
    parts = [f'<line class="axis" x1="{zero}" x2="{zero}" y1="0" y2="18"/>', _whisker(low, high, axis, 9, 0)]
    if not math.isnan(effect):
        parts.append(f'<circle class="{escape(kind)}" cx="{axis.x(effect)}" cy="9" r="4"/>')
    return _svg(axis.width, 18, label, parts, "forest")


def margin_bar(effect: float, low: float, high: float, margin: float, axis: Axis, kind: str, percent: bool) -> Markup:
    """A candidate's worsening with its interval against the margin. axis: in margins, so that zero and the margin stand
    in one place in every row; ends that lie beyond it become arrows. kind: css class of the point."""
    label = f"worse by {difference(effect, percent, fine=True)}, interval {interval(low, high, percent, fine=True)}, "
    label += f"margin {number(margin, percent, fine=True)}"
    unit = margin if margin > 0 else max(map(abs, (low, high)), default=1.0) or 1.0
    if not all(map(math.isfinite, (effect, low, high, unit))):
        return _svg(axis.width, 24, label, _margin_lines(axis, 24), "bar margin-bar")
    a, b, at = (axis.x(v / unit) for v in (low, high, effect))
    parts = [*_margin_lines(axis, 24), f'<path class="whisker" d="M{a} 12H{b}"/>']
    parts.append(_arrow(axis, a, -1) if low / unit < axis.low else f'<path class="whisker" d="M{a} 8v8"/>')
    parts.append(_arrow(axis, b, 1) if high / unit > axis.high else f'<path class="whisker" d="M{b} 8v8"/>')
    if axis.low <= effect / unit <= axis.high:
        parts.append(f'<circle class="point {escape(kind)}" cx="{at}" cy="12" r="4.5"/>')
    elif low / unit > axis.high:
        parts.append(_text(b - 10, 16, f"farther right: {difference(effect, percent)}", "end"))
    elif high / unit < axis.low:
        parts.append(_text(a + 10, 16, f"farther left: {difference(effect, percent)}", "start"))
    return _svg(axis.width, 24, label, parts, "bar margin-bar")


def margin_scale(axis: Axis) -> Markup:
    """The head of a column of `margin_bar`s: where zero and the margin stand, and which way is worse."""
    zero, limit = axis.x(0.0), axis.x(1.0)
    parts = [
        *_margin_lines(axis, 32, 18),
        _text(zero, 14, "0"),
        _text(limit, 14, "margin", "start"),
        _text(zero - 5, 28, "← better", "end"),
        _text(axis.width - 2, 28, "worse →", "end"),
    ]
    return _svg(axis.width, 32, "zero, and the margin to its right; right is worse", parts, "bar margin-bar")


def two_effects(before: Sequence[float], after: Sequence[float], axis: Axis, percent: bool) -> Markup:
    """(effect, low, high) of a baseline above that of its candidate, as points with intervals, and a line at zero."""
    told, zero = [], axis.x(0.0)
    parts = [f'<line class="axis" x1="{zero}" x2="{zero}" y1="0" y2="30"/>']
    for name, (effect, low, high), y in (("baseline", before, 8), ("candidate", after, 22)):
        if math.isnan(effect):
            told.append(f"{name} not judged")
            continue
        told.append(f"{name} {difference(effect, percent)} {interval(low, high, percent)}")
        parts.append(_whisker(low, high, axis, y, 3))
        parts.append(f'<circle class="of-{name}" cx="{axis.x(effect)}" cy="{y}" r="4"/>')
    return _svg(axis.width, 30, ", ".join(told), parts, "bar")


def side_mark(name: str) -> Markup:
    """The point of a baseline or candidate in `two_effects`, for a legend."""
    dot = f'<circle class="of-{escape(name)}" cx="8" cy="8" r="4"/>'
    return Markup(f'<svg class="key" width="16" height="16" aria-hidden="true">{dot}</svg>')


def comparison(marks: Sequence[Mark], axis: Axis) -> Markup:
    """Values of one metric on one line: the model's against the nulls', told apart by shape as well as colour."""
    shown = [m for m in marks if not math.isnan(m.value)]
    label = ", ".join(f"{m.label} {m.value:.2f}" for m in shown) or "undefined"
    parts = [f'<line class="axis" x1="{axis.pad}" x2="{axis.width - axis.pad}" y1="10" y2="10"/>']
    parts += [glyph(m.kind, axis.x(m.value), 10) for m in shown]
    return _svg(axis.width, 20, label, parts, "comparison")


def glyph(kind: str, x: float, y: float) -> str:
    """The shape of a source of maps, centred at (x, y)."""
    shapes = {
        "model": f'<circle class="g-model" cx="{x}" cy="{y}" r="4.5"/>',
        "untrained": f'<circle class="g-untrained" cx="{x}" cy="{y}" r="4"/>',
        "edges": f'<rect class="g-edges" x="{x - 3:.1f}" y="{y - 3}" width="6" height="6"/>',
        "gaussian": f'<path class="g-gaussian" d="M{x} {y - 4}l4 7h-8z"/>',
        "random": f'<path class="g-random" d="M{x - 3:.1f} {y - 3}l6 6m0 -6l-6 6"/>',
        "ceiling": f'<path class="g-ceiling" d="M{x} {y - 8}v16"/>',
        "chance": f'<path class="g-chance" d="M{x} {y - 8}v16"/>',
    }
    return shapes.get(kind, shapes["random"])


def legend_glyph(kind: str) -> Markup:
    """One shape of `comparison` for its legend."""
    return Markup(f'<svg class="key" width="16" height="16" aria-hidden="true">{glyph(kind, 8, 8)}</svg>')


def shares(parts: Sequence[tuple[str, float]], width: int) -> Markup:
    """Shares that sum to 1 as one stacked bar: (region, share); the number stands inside where it fits."""
    label = ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in parts)
    drawn, x = [], 0.0
    for name, value in parts:
        length = 0.0 if math.isnan(value) else value * width
        drawn.append(f'<rect class="m-{escape(name)}" x="{x:.1f}" y="0" width="{length:.1f}" height="20"/>')
        if length >= 28:
            drawn.append(
                f'<text class="m-{escape(name)}-text" x="{x + length / 2:.1f}" y="14" text-anchor="middle">'
                f"{escape(number(value))}</text>"
            )
        x += length
    return _svg(width, 20, label, drawn, "shares")


def curve(values: Sequence[float], width: int = 260, height: int = 64) -> Markup:
    """A series (a loss per epoch) as a line, its first and last value written."""
    top, bottom = max(values), min(values)
    span = (top - bottom) or 1.0
    step = (width - 8) / max(len(values) - 1, 1)
    points = " ".join(f"{4 + i * step:.1f},{4 + (top - v) / span * (height - 22):.1f}" for i, v in enumerate(values))
    parts = [f'<polyline class="curve" points="{points}"/>']
    parts.append(_text(4, height - 3, f"first {values[0]:.3g}", "start"))
    parts.append(_text(width - 4, height - 3, f"last {values[-1]:.3g}", "end"))
    return _svg(width, height, f"{len(values)} values from {values[0]:.3g} to {values[-1]:.3g}", parts, "curve-figure")


def course(values: Sequence[float], limit: float, width: int = 200, height: int = 56) -> Markup:
    """Correlations from step to step as a line from -1 to 1, with lines at 0 and at `limit`; gaps where undefined."""
    step = (width - 8) / max(len(values) - 1, 1)

    def y(value: float) -> float:
        return 4 + (1 - value) / 2 * (height - 8)

    there = [None if math.isnan(v) else (4 + i * step, y(v)) for i, v in enumerate(values)]
    dots = [place for place in there if place is not None]
    lines = [(a, b) for a, b in itertools.pairwise(there) if a is not None and b is not None]
    parts = [
        f'<line class="zero-line" x1="0" x2="{width}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>',
        f'<line class="floor-line" x1="0" x2="{width}" y1="{y(limit):.1f}" y2="{y(limit):.1f}"/>',
        *(f'<polyline class="curve" points="{a[0]:.1f},{a[1]:.1f} {b[0]:.1f},{b[1]:.1f}"/>' for a, b in lines),
        *(f'<circle class="curve-dot" cx="{cx:.1f}" cy="{cy:.1f}" r="2"/>' for cx, cy in dots),
    ]
    told = ", ".join("undefined" if math.isnan(v) else f"{v:.2f}" for v in values)
    return _svg(width, height, f"from the output to the input: {told}; limit {limit:.2f}", parts, "course")


def gauge(value: float, floor: float, lower_is_better: bool, width: int = 120) -> Markup:
    """A share against its floor: the bar is the value, the line the floor."""
    axis = Axis(0.0, 1.0, width, 1)
    length = axis.x(0.0 if math.isnan(value) else value) - 1
    good = not math.isnan(value) and (value <= floor if lower_is_better else value >= floor)
    parts = [
        f'<rect class="track" x="1" y="4" width="{width - 2}" height="6"/>',
        f'<rect class="{"good-fill" if good else "bad-fill"}" x="1" y="4" width="{length:.1f}" height="6"/>',
        f'<line class="floor-line" x1="{axis.x(floor)}" x2="{axis.x(floor)}" y1="0" y2="14"/>',
    ]
    shown = "undefined" if math.isnan(value) else f"{value:.2f}"
    return _svg(width, 14, f"{shown} against a floor of {floor:.2f}", parts, "gauge")


def _whisker(low: float, high: float, axis: Axis, mid: int, cap: int) -> str:
    if math.isnan(low) or math.isnan(high):
        return ""
    a, b = axis.x(low), axis.x(high)
    caps = f"M{a} {mid - cap}v{2 * cap}M{b} {mid - cap}v{2 * cap}" if cap else ""
    return f'<path class="whisker" d="M{a} {mid}H{b}{caps}"/>'


def _margin_lines(axis: Axis, height: int, top: int = 0) -> list[str]:
    """What is allowed as a band, zero as a line, the margin as a dashed one."""
    zero, limit = axis.x(0.0), axis.x(1.0)
    return [
        f'<rect class="allowed" x="{axis.pad}" y="{top}" width="{limit - axis.pad:.1f}" height="{height - top}"/>',
        f'<line class="axis" x1="{zero}" x2="{zero}" y1="{top}" y2="{height}"/>',
        f'<line class="margin" x1="{limit}" x2="{limit}" y1="{top}" y2="{height}"/>',
    ]


def _arrow(axis: Axis, x: float, way: int) -> str:
    """The head of an interval that goes on beyond the axis."""
    return f'<path class="beyond" d="M{x + 5 * way:.1f} 12l{-7 * way} -4.5v9z"/>'


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: int, height: int, label: str, parts: Sequence[str], kind: str) -> Markup:
    head = f'<svg class="{kind}" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img"'
    return Markup(f'{head} aria-label="{escape(label)}">{"".join(parts)}</svg>')
