"""Sentences: English texts that can be translated later, from their message and values."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from typing import Any


class Sentence(str):
    """An English string that keeps its message and values, which may be sentences too."""

    __slots__ = ("message", "values")
    message: str
    values: Mapping[str, Any]


def mark(message: str, /, **values: object) -> Sentence:
    """Return a message as a Sentence, filled with the values if there are any.

    Marks the message for the catalogues.
    """
    sentence = Sentence(message.format(**values) if values else message)
    sentence.message, sentence.values = message, values
    return sentence


def to_json(text: str) -> str:
    """Return the stored form of a text, or of a Sentence with its message and values."""
    return json.dumps(_to_data(text), ensure_ascii=False)


def from_json(record: str) -> str:
    """Return a stored text or Sentence."""
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


_ERROR_SENTENCES = {
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
    """Return the reason of a system error, as a Sentence if it is a common one."""
    return _ERROR_SENTENCES.get(error.errno or 0) or error.strerror or type(error).__name__
