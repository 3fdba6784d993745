"""Charts as SVG, without a library and without scripts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from screener.reporting.pages.html import text

# In SVG units.
_BARS_WIDTH, _BARS_HEIGHT = 720, 150
_WIDTH, _HEIGHT = 460, 260
_NAME_WIDTH, _AXIS_WIDTH, _LABEL_WIDTH, _ROW_HEIGHT = 270, 520, 150, 22
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 448, 28, 220  # edges of the area of a line


def draw_bars(
    bars: Iterable[tuple[float, float, int, str]], labels: Iterable[tuple[float, str]], title: str
) -> str:
    """Return an `svg` element of bars over a labelled axis.

    A bar has an offset and a width from 0 to 1, a count and a title. A label has an offset from 0
    to 1 and a text.
    """
    bars = list(bars)
    max_count = max((count for _, _, count, _ in bars), default=1)
    rects = "".join(
        _draw_bar(left, width, count / max_count, name)
        for left, width, count, name in bars
        if count
    )
    texts = "".join(
        f'<text x="{x * _BARS_WIDTH:.1f}" y="{_BARS_HEIGHT + 16}" text-anchor="{_text_anchor(x)}">'
        f"{text(label)}</text>"
        for x, label in labels
    )
    return (
        f'<svg viewBox="0 -24 {_BARS_WIDTH} {_BARS_HEIGHT + 48}" class="chart" role="img" '
        f'aria-label="{text(title)}"><text x="0" y="-4">{max_count:,}</text>'
        f'<line x1="0" y1="{_BARS_HEIGHT}" x2="{_BARS_WIDTH}" y2="{_BARS_HEIGHT}"/>'
        f"{rects}{texts}</svg>"
    )


def _draw_bar(left: float, width: float, share: float, title: str) -> str:
    height = _BARS_HEIGHT * share
    return (
        f'<rect x="{left * _BARS_WIDTH:.1f}" y="{_BARS_HEIGHT - height:.1f}" '
        f'width="{max(1.0, width * _BARS_WIDTH - 1):.1f}" height="{height:.1f}">'
        f"<title>{text(title)}</title></rect>"
    )


def _text_anchor(x: float) -> str:
    return "start" if x < 0.05 else "end" if x > 0.95 else "middle"


@dataclass(frozen=True)
class LogBar:
    """A horizontal bar from `start`, or from the axis, to `value`, and its label in words.

    `group` is its class, and a wider gap precedes each new group.
    """

    group: str
    name: str
    value: float
    label: str
    start: float | None = None


def draw_log_bars(bars: Sequence[LogBar], title: str) -> str:
    """Return an `svg` element of horizontal bars over a logarithmic axis of powers of ten."""
    values = [value for bar in bars for value in (bar.value, bar.start) if value is not None]
    low = math.floor(math.log10(min(values, default=1.0)) - 0.01)
    high = max(low + 1, math.ceil(math.log10(max(values, default=1.0))))

    def x(value: float) -> float:
        return _NAME_WIDTH + (math.log10(value) - low) / (high - low) * _AXIS_WIDTH

    elements, y = [], 0
    for number, bar in enumerate(bars):
        y += _ROW_HEIGHT if number and bar.group == bars[number - 1].group else _ROW_HEIGHT + 8
        left = _NAME_WIDTH if bar.start is None else x(bar.start)
        elements.append(
            f'<text class="name" x="{_NAME_WIDTH - 8}" y="{y}">{text(bar.name)}</text>'
            f'<rect class="{text(bar.group)}" x="{left:.1f}" y="{y - 11}" height="14"'
            f' width="{max(2.0, x(bar.value) - left):.1f}"/>'
            f'<text x="{x(bar.value) + 6:.1f}" y="{y}">{text(bar.label)}</text>'
        )
    foot = y + 10
    ticks = "".join(
        f'<line x1="{x(10.0**power):.1f}" y1="8" x2="{x(10.0**power):.1f}" y2="{foot}"/>'
        f'<text x="{x(10.0**power):.1f}" y="{foot + 14}" text-anchor="middle">'
        f"{10.0**power:,.{max(0, -power)}f}</text>"
        for power in range(low, high + 1)
    )
    width = _NAME_WIDTH + _AXIS_WIDTH + _LABEL_WIDTH
    return (
        f'<svg viewBox="0 0 {width} {foot + 20}" class="chart" role="img" '
        f'aria-label="{text(title)}">{ticks}{"".join(elements)}</svg>'
    )


@dataclass(frozen=True)
class Line:
    """Values for integers from `first`, with their bounds; `mark` gets a vertical line."""

    values: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    mark: int | None = None
    first: int = 0


@dataclass(frozen=True)
class Scale:
    """A vertical axis, with the position and text of its ticks."""

    low: float
    high: float
    is_log: bool
    ticks: Sequence[tuple[float, str]]

    def shows(self, value: float) -> bool:
        """Return whether the axis can show a value; a logarithmic one cannot show 0."""
        return not self.is_log or value >= self.low

    def y(self, value: float) -> float:
        """Return the y coordinate of a value, which is moved onto the axis."""
        inside = min(max(value, self.low), self.high)
        if self.is_log:
            share = math.log(inside / self.low) / math.log(self.high / self.low)
        else:
            share = (inside - self.low) / (self.high - self.low)
        return _BOTTOM - share * (_BOTTOM - _TOP)


def draw_line(title: str, line: Line, scale: Scale, axis_label: str) -> str:
    """Return an `svg` element of a line in a band. The axis is the horizontal one."""
    last = max(1, len(line.values) - 1)

    def x(number: float) -> float:
        return _LEFT + number / last * (_RIGHT - _LEFT)

    def points(values: Sequence[float]) -> list[str]:
        return [f"{x(index):.1f},{scale.y(value):.1f}" for index, value in enumerate(values)]

    elements = [
        f'<svg role="img" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}">',
        f"<title>{escape(title)}</title>",
        f'<text class="title" x="{_LEFT}" y="16">{escape(title)}</text>',
    ]
    for value, tick in scale.ticks:
        y = scale.y(value)
        elements.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>')
        elements.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}">{escape(tick)}</text>')
    for number in range(0, last + 1, max(1, last // 8)):
        elements.append(
            f'<text class="foot" x="{x(number):.1f}" y="{_BOTTOM + 16}">'
            f"{line.first + number}</text>"
        )
    label = escape(axis_label)
    elements.append(
        f'<text class="foot" x="{(_LEFT + _RIGHT) / 2}" y="{_HEIGHT - 6}">{label}</text>'
    )
    band = " ".join([*points(line.high), *reversed(points(line.low))])
    elements.append(f'<polygon class="band" points="{band}"/>')
    is_shown = [scale.shows(value) for value in line.values]
    for run in _split_runs(points(line.values), is_shown):
        elements.append(f'<polyline class="line" points="{" ".join(run)}"/>')
    if line.mark is not None and line.mark - line.first <= last:
        mark_x = x(line.mark - line.first)
        elements.append(f'<path class="mark" d="M{mark_x:.1f} {_TOP}V{_BOTTOM}"/>')
    return "".join([*elements, "</svg>"])


def _split_runs(points: Sequence[str], is_shown: Sequence[bool]) -> list[list[str]]:
    runs: list[list[str]] = [[]]
    for point, shown in zip(points, is_shown, strict=True):
        if shown:
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
