"""The filled lines of a text, for formats with one row per line."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from screener.lists.formats.content import Lines, find_text_fault
from screener.lists.store.records import BadRow

_SNIFFED_LINES = 100  # first lines that decide the format


def read_filled_lines(lines: Lines, *, comments: bool = True) -> Iterator[tuple[int, str] | BadRow]:
    """Yield the number and text of each non-blank line that is not a `#` comment.

    A line that no format can read becomes a BadRow. `comments` is False for formats without
    comments.
    """
    for number, line in lines:
        if line is None:
            yield BadRow(number, None, "line too long")
        elif line.strip() and not (comments and line.lstrip().startswith("#")):
            fault = find_text_fault(line)
            yield (number, line) if fault is None else BadRow(number, None, fault)


def find_filled(lines: list[str]) -> list[str]:
    """Return the filled lines among the first ones, stripped."""
    return [
        text
        for line in lines[:_SNIFFED_LINES]
        if (text := line.strip()) and not text.startswith("#")
    ]


def is_half_known(lines: list[str], is_known: Callable[[str], object]) -> bool:
    """Return whether at least half of the first filled lines are known.

    Some lines may be damaged or of another type. A single known line is not enough, since prose may
    contain one.
    """
    filled = find_filled(lines)
    count = sum(bool(is_known(line)) for line in filled)
    return count > 0 and 2 * count >= len(filled)
