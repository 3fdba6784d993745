"""The filled lines of a text, for formats with one row a line and no quotes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from screener.lists.formats.content import Lines, find_text_fault
from screener.lists.store.records import BadRow

_JUDGED = 100  # lines by which a format is recognised


def filled_lines(lines: Lines, *, comments: bool = True) -> Iterator[tuple[int, str] | BadRow]:
    """Yield the number and text of each non-blank line that is not a `#` comment.

    A line that no format could read becomes a BadRow. `comments` is false for formats without
    comments.
    """
    for number, line in lines:
        if line is None:
            yield BadRow(number, None, "line too long")
        elif line.strip() and not (comments and line.lstrip().startswith("#")):
            reason = find_text_fault(line)
            yield (number, line) if reason is None else BadRow(number, None, reason)


def first_filled(lines: list[str]) -> list[str]:
    """Return the filled lines among the first ones, stripped."""
    return [one for line in lines[:_JUDGED] if (one := line.strip()) and not one.startswith("#")]


def half_are(lines: list[str], is_known: Callable[[str], object]) -> bool:
    """Return whether half of the first filled lines are known.

    Not all need be, since some may be damaged or of another type; one is not enough, since prose
    may contain it.
    """
    filled = first_filled(lines)
    count = sum(bool(is_known(line)) for line in filled)
    return count > 0 and 2 * count >= len(filled)
