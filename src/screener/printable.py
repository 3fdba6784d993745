"""Printable: one line of foreign text, which commands no terminal, and turns or hides no other."""

from __future__ import annotations

from collections.abc import Sequence

SOME = 20
"""How many of a kind somebody reads, where there may be thousands."""


def printable(text: object) -> str:
    """A value as text: characters that cannot be printed become U+FFFD."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 row", "1,234 rows"; `many` if it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def some(names: Sequence[object]) -> str:
    """As many of them as somebody reads, and how many more there are."""
    first = ", ".join(map(printable, names[:SOME]))
    return f"{first} and {len(names) - SOME} more" if len(names) > SOME else first
