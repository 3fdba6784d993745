"""Sentence: English text that remembers its message and values, so it can be translated later."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from typing import Any


class Sentence(str):
    """A message filled with values, which may be sentences too. As a string it is English."""

    __slots__ = ("message", "values")
    message: str
    values: Mapping[str, Any]


def mark(message: str, /, **values: object) -> Sentence:
    """Return a message of the catalogues as a Sentence, filled with values if there are any."""
    sentence = Sentence(message.format(**values) if values else message)
    sentence.message, sentence.values = message, values
    return sentence


def to_json(text: str) -> str:
    """Return a text as it is recorded: plain, or a Sentence with its parts."""
    return json.dumps(_to_data(text), ensure_ascii=False)


def from_json(record: str) -> str:
    """Return the text or Sentence that was recorded."""
    text: str = _from_data(json.loads(record))
    return text


def _to_data(value: object) -> Any:
    if isinstance(value, Sentence):
        values = {name: _to_data(part) for name, part in value.values.items()}
        return {"message": value.message, "values": values}
    return value if isinstance(value, int) else str(value)


def _from_data(data: Any) -> Any:
    if isinstance(data, dict):
        values = {name: _from_data(part) for name, part in data["values"].items()}
        return mark(data["message"], **values)
    return data


_REASONS = {
    errno.ENOENT: mark("it is not there"),
    errno.ENOTDIR: mark("a part of its path is no folder"),
    errno.EISDIR: mark("it is a folder"),
    errno.EACCES: mark("that is not allowed here"),
    errno.EPERM: mark("that is not allowed here"),
    errno.EROFS: mark("nothing can be written there"),
    errno.ENOSPC: mark("the disk is full"),
    errno.EDQUOT: mark("the disk is full"),
    errno.EEXIST: mark("it exists already"),
    errno.ENAMETOOLONG: mark("its name is too long"),
    errno.ELOOP: mark("it is a link"),
    errno.EIO: mark("the disk does not answer as it should"),
}


def describe_os_error(error: OSError) -> str:
    """Return the reason of a system error as a Sentence, or in the system's words if it is rare."""
    return _REASONS.get(error.errno or 0) or error.strerror or type(error).__name__
