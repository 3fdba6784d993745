"""Line: one line of printable text, such as names a source, or says who asks for a change and why.

A log shows it in a row of its own, and its line ends or controls would make others.
"""

from __future__ import annotations

from screener.errors import ListError


def is_line(text: object) -> bool:
    """Whether it is such a line, and not empty."""
    return isinstance(text, str) and text.strip() != "" and text.isprintable()


def check_line(what: str, text: object) -> None:
    """ListError, which begins with `what` is to be one, where a text is no such line."""
    if not is_line(text):
        raise ListError(f"{what} is one line of printable text")
