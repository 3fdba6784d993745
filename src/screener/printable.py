"""Printable: one line of foreign text, which commands no terminal, and turns or hides no other."""

from __future__ import annotations


def printable(text: object) -> str:
    """A value as text: characters that cannot be printed become U+FFFD."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))
