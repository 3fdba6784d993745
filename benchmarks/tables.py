"""Tables in Markdown, and the parts of a page that a benchmark writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a Markdown table that ends with a newline."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def number(value: float | None) -> str:
    """Return three digits, or all that stand before the point; a dash for None."""
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def count(value: float) -> str:
    """Return 10⁶ for a million, and digits for a number that is no power of ten."""
    digits = str(int(value))
    if digits.strip("0") == "1":
        return f"10{str(len(digits) - 1).translate(_SUPERSCRIPT)}"
    return f"{int(value):,}"


def replace(page: Path, benchmark: str, text: str) -> None:
    """Replace what stands between a benchmark's two marks in a page."""
    begin = f"<!-- figures: made by benchmarks/{benchmark} -->\n"
    end = "<!-- end of figures -->\n"
    before, rest = page.read_text(encoding="utf-8").split(begin)
    after = rest.split(end, 1)[1]
    page.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}", encoding="utf-8")


def save(figure: Any, path: Path) -> None:
    """Save a Matplotlib figure as SVG, with the same bytes for the same figures."""
    import matplotlib as mpl

    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "screener"}):
        figure.savefig(path, metadata={"Date": None})
