"""Filled lines: those of a text that say something, for formats with a row a line and no quotes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from screener.lists.formats.content import Lines, broken
from screener.lists.store.records import BadRow

_JUDGED = 100  # lines by which a format is recognised


def filled_lines(lines: Lines, *, comments: bool = True) -> Iterator[tuple[int, str] | BadRow]:
    """Each line that is not blank, and no `#` comment where the format has them: (number, text) as
    it stands there, or a BadRow where it cannot be read, whatever the format.
    """
    for number, line in lines:
        if line is None:
            yield BadRow(number, None, "line too long")
        elif line.strip() and not (comments and line.lstrip().startswith("#")):
            reason = broken(line)
            yield (number, line) if reason is None else BadRow(number, None, reason)


def first_filled(lines: list[str]) -> list[str]:
    """Those of the first lines of a text that are filled, without white space round them."""
    return [one for line in lines[:_JUDGED] if (one := line.strip()) and not one.startswith("#")]


def half_are(lines: list[str], known: Callable[[str], object]) -> bool:
    """Whether half of the first lines that are filled are known. Not all need be, since some may be
    damaged or of another sort; one alone is not enough, since prose may have it.
    """
    filled = first_filled(lines)
    count = sum(bool(known(line)) for line in filled)
    return count > 0 and 2 * count >= len(filled)
