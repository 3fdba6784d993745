"""Charts as SVG, drawn without a library and shown without a script."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from screener.reporting.pages.html import text

_BARS_WIDE, _BARS_HIGH = 720, 150  # SVG units


def draw_bars(
    bars: Iterable[tuple[float, float, int, str]], labels: Iterable[tuple[float, str]], title: str
) -> str:
    """Return an `svg` element of bars over a labelled axis.

    A bar has left and width from 0 to 1, a count and a title; a label has a place and a text.
    """
    drawn = list(bars)
    top = max((count for _, _, count, _ in drawn), default=1)
    rects = "".join(
        f'<rect x="{left * _BARS_WIDE:.1f}" y="{_BARS_HIGH - _BARS_HIGH * count / top:.1f}" '
        f'width="{max(1.0, width * _BARS_WIDE - 1):.1f}" height="{_BARS_HIGH * count / top:.1f}">'
        f"<title>{text(name)}</title></rect>"
        for left, width, count, name in drawn
        if count
    )
    texts = "".join(
        f'<text x="{x * _BARS_WIDE:.1f}" y="{_BARS_HIGH + 16}" text-anchor="{_anchor(x)}">'
        f"{text(label)}</text>"
        for x, label in labels
    )
    return (
        f'<svg viewBox="0 -24 {_BARS_WIDE} {_BARS_HIGH + 48}" class="chart" role="img" '
        f'aria-label="{text(title)}"><text x="0" y="-4">{top:,}</text>'
        f'<line x1="0" y1="{_BARS_HIGH}" x2="{_BARS_WIDE}" y2="{_BARS_HIGH}"/>{rects}{texts}</svg>'
    )


def _anchor(x: float) -> str:
    return "start" if x < 0.05 else "end" if x > 0.95 else "middle"


_WIDTH, _HEIGHT = 460, 260  # SVG units
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 28, 40


@dataclass(frozen=True)
class Line:
    """Values over integers from 0, each with its bounds; `mark` has a vertical line."""

    values: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    mark: int | None = None


@dataclass(frozen=True)
class Scale:
    """A vertical axis from `least` to `most`, logarithmic if `log`."""

    least: float
    most: float
    log: bool
    ticks: Sequence[tuple[float, str]]

    def shows(self, value: float) -> bool:
        """Return whether the axis can show a value: a logarithmic one cannot show 0."""
        return not self.log or value >= self.least

    def y(self, value: float) -> float:
        """Return the y coordinate of a value; one off the axis is moved to its end."""
        inside = min(max(value, self.least), self.most)
        if self.log:
            share = math.log(inside / self.least) / math.log(self.most / self.least)
        else:
            share = (inside - self.least) / (self.most - self.least)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def line_chart(title: str, line: Line, scale: Scale, across: str) -> str:
    """Return an `svg` element of a line in a band, with `across` under the horizontal axis."""
    last = max(1, len(line.values) - 1)

    def x(place: float) -> float:
        return _LEFT + place / last * (_WIDTH - _LEFT - _RIGHT)

    def points(values: Sequence[float]) -> list[str]:
        return [f"{x(n):.1f},{scale.y(value):.1f}" for n, value in enumerate(values)]

    drawn = [
        f'<svg role="img" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}">',
        f"<title>{escape(title)}</title>",
        f'<text class="title" x="{_LEFT}" y="16">{escape(title)}</text>',
    ]
    for value, label in scale.ticks:
        y = scale.y(value)
        drawn.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        drawn.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}">{escape(label)}</text>')
    step = max(1, last // 8)
    for place in range(0, last + 1, step):
        drawn.append(
            f'<text class="foot" x="{x(place):.1f}" y="{_HEIGHT - _BOTTOM + 16}">{place}</text>'
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    drawn.append(f'<text class="foot" x="{middle}" y="{_HEIGHT - 6}">{escape(across)}</text>')
    band = " ".join([*points(line.high), *reversed(points(line.low))])
    drawn.append(f'<polygon class="band" points="{band}"/>')
    for run in _runs(points(line.values), [scale.shows(value) for value in line.values]):
        drawn.append(f'<polyline class="line" points="{" ".join(run)}"/>')
    if line.mark is not None and line.mark <= last:
        down = f"M{x(line.mark):.1f} {_TOP}V{_HEIGHT - _BOTTOM}"
        drawn.append(f'<path class="mark" d="{down}"/>')
    return "".join([*drawn, "</svg>"])


def _runs(points: Sequence[str], shown: Sequence[bool]) -> list[list[str]]:
    """Return the shown points in runs without a gap."""
    runs: list[list[str]] = [[]]
    for point, is_shown in zip(points, shown, strict=True):
        if is_shown:
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
