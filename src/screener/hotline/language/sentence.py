"""Sentence: English text that knows what it is made of, so that it can be said in any language,
also long after it was recorded.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from typing import Any


class Sentence(str):
    """A message filled with values; as a string it is English. Values may be sentences as well."""

    __slots__ = ("message", "values")
    message: str
    values: Mapping[str, Any]


def marked(message: str, /, **values: object) -> Sentence:
    """A message as it stands in the code, which the catalogues translate, filled with the values if
    there are any.
    """
    made = Sentence(message.format(**values) if values else message)
    made.message, made.values = message, values
    return made


def to_json(text: str) -> str:
    """A text as it is recorded: what somebody wrote, or a sentence with what it is made of."""
    return json.dumps(_facts(text), ensure_ascii=False)


def from_json(record: str) -> str:
    """The text, or the sentence, that was recorded."""
    found: str = _told(json.loads(record))
    return found


def _facts(value: object) -> Any:
    if isinstance(value, Sentence):
        values = {name: _facts(one) for name, one in value.values.items()}
        return {"message": value.message, "values": values}
    return value if isinstance(value, int) else str(value)


def _told(facts: Any) -> Any:
    if isinstance(facts, dict):
        return marked(facts["message"], **{n: _told(one) for n, one in facts["values"].items()})
    return facts


_REASONS = {
    errno.ENOENT: marked("it is not there"),
    errno.ENOTDIR: marked("a part of its path is no folder"),
    errno.EISDIR: marked("it is a folder"),
    errno.EACCES: marked("that is not allowed here"),
    errno.EPERM: marked("that is not allowed here"),
    errno.EROFS: marked("nothing can be written there"),
    errno.ENOSPC: marked("the disk is full"),
    errno.EDQUOT: marked("the disk is full"),
    errno.EEXIST: marked("it exists already"),
    errno.ENAMETOOLONG: marked("its name is too long"),
    errno.ELOOP: marked("it is a link"),
    errno.EIO: marked("the disk does not answer as it should"),
}


def why(error: OSError) -> str:
    """What the system says is wrong, as a sentence; in its own words where that is seldom."""
    return _REASONS.get(error.errno or 0) or error.strerror or type(error).__name__
