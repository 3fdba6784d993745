"""A chart of bars as SVG, drawn without a library, shown without a script."""

from __future__ import annotations

from collections.abc import Iterable

from screener.report.html_page import text

_WIDTH, _HEIGHT = 720, 150  # in units of its own


def draw_bars(
    bars: Iterable[tuple[float, float, int, str]], labels: Iterable[tuple[float, str]], title: str
) -> str:
    """An `svg` element, to stand in a page: bars (left and width from 0 to 1, height as a count,
    what it says) over a labelled axis.
    """
    drawn = list(bars)
    top = max((count for _, _, count, _ in drawn), default=1)
    rects = "".join(
        f'<rect x="{left * _WIDTH:.1f}" y="{_HEIGHT - _HEIGHT * count / top:.1f}" '
        f'width="{max(1.0, width * _WIDTH - 1):.1f}" height="{_HEIGHT * count / top:.1f}">'
        f"<title>{text(said)}</title></rect>"
        for left, width, count, said in drawn
        if count
    )
    texts = "".join(
        f'<text x="{x * _WIDTH:.1f}" y="{_HEIGHT + 16}" text-anchor="{_anchor(x)}">'
        f"{text(label)}</text>"
        for x, label in labels
    )
    return (
        f'<svg viewBox="0 -24 {_WIDTH} {_HEIGHT + 48}" class="chart" role="img" '
        f'aria-label="{text(title)}"><text x="0" y="-4">{top:,}</text>'
        f'<line x1="0" y1="{_HEIGHT}" x2="{_WIDTH}" y2="{_HEIGHT}"/>{rects}{texts}</svg>'
    )


def _anchor(x: float) -> str:
    """To which side of its place a label stands, so that it is not cut off."""
    return "start" if x < 0.05 else "end" if x > 0.95 else "middle"
