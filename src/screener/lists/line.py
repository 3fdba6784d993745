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


def check_texts(**said: object) -> None:
    """ListError where one that is said, None aside, is no text, or none that a list could hold."""
    for what, text in said.items():
        if text is not None and not isinstance(text, str):
            raise ListError(f"{what} is a text, and not {type(text).__name__}")
        try:
            (text or "").encode()
        except UnicodeEncodeError:
            raise ListError(f"{what} holds half a character, which no text in UTF-8 does") from None


def check_flags(**given: object) -> None:
    """ListError where one that is given is no yes or no: the word "no" would be a yes."""
    for what, flag in given.items():
        if not isinstance(flag, bool):
            raise ListError(f"{what} is true or false")


def check_asked(by: object, reason: object = None) -> None:
    """The same of who asks for a change of a list, and why, where that is said at all."""
    for what, text in (("by, who asks for it,", by), ("a reason", reason)):
        if text is not None:
            check_line(what, text)
