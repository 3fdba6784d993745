"""Asked: what a caller asks of a list, looked at before anything is done."""

from __future__ import annotations

from screener.errors import ListError
from screener.lists.line import check_line


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
    """ListError where who asks for a change of a list, or why, is said and is no line."""
    for what, text in (("by, who asks for it,", by), ("a reason", reason)):
        if text is not None:
            check_line(what, text)
