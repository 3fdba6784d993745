"""Requests to a service, and the meaning of its answers, without a connection."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from screener.arguments import is_line
from screener.errors import (
    BadAnswer,
    HashError,
    ListError,
    Refused,
    ServiceError,
    Unavailable,
    printable,
)
from screener.hashing.hash import Hash
from screener.screening.list_policy import Mode
from screener.screening.result import Result
from screener.screening.result_line import read_result
from screener.screening.screener import parse_name
from screener.service.body import Body

MAX_ANSWER_BYTES = 1 << 28
_MAX_MESSAGE_CHARACTERS = 300
_MAX_PAUSE_SECONDS = 20.0
_FIRST_PAUSE_SECONDS = 0.2
_BUSY = (429, 503)

_T = TypeVar("_T")

UPLOAD_ID = re.compile(r"[\w.:/@=+-]{1,200}", re.ASCII)
"""An id that a caller may give to an upload."""

BAD_ID = "an id has 1 to 200 letters, digits and ._:/@=+-"

TIMEOUT = "timeout"
"""The code of an Unavailable service that did not answer in time."""


@dataclass(frozen=True)
class ListInfo:
    """A hash list of a service: its generation, age, and the number of values by kind and state.

    `mode`, `ratio` and `radius` are as the policy of the service has them.
    """

    name: str
    generation: int
    stamp: str
    age_s: int
    kinds: dict[str, int]
    states: dict[str, int]
    mode: Mode
    ratio: float
    radius: dict[str, int]


class _Lists(msgspec.Struct):
    lists: tuple[ListInfo, ...]


class _Status(msgspec.Struct):
    status: str


class _Error(msgspec.Struct):
    code: str
    message: str


class _Errors(msgspec.Struct):
    error: _Error


def check_key(key: str | None) -> dict[str, str]:
    """Return the header of a key. Raises ServiceError, which does not quote it."""
    if key is None:
        return {}
    if not isinstance(key, str) or not (is_line(key) and key.isascii() and " " not in key):
        raise ServiceError("the key must be what `screener serve-key` printed, on one line")
    return {"Authorization": f"Bearer {key}"}


def encode_lists(lists: Collection[str] | None) -> list[tuple[str, str]]:
    """Return the parameters of a URL that name lists. Raises ListError for none, or other items."""
    if lists is None:
        return []
    names = frozenset(() if isinstance(lists, str) else lists)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ListError("lists must be a collection of one name or more, or None for all lists")
    return [("list", name) for name in sorted(names)]


def encode_id(id: str | None, name: object) -> list[tuple[str, str]]:
    """Return the parameter of a URL that names an upload. Raises ServiceError for another id."""
    if id is None:
        return []
    if not isinstance(id, str) or not UPLOAD_ID.fullmatch(id):
        raise ServiceError(BAD_ID)
    if name is not None:
        raise ServiceError("an item has an id or a name, not both: the id is the Result's `input`")
    return [("id", id)]


def encode_hashes(hashes: Iterable[Hash]) -> bytes:
    """Return the hashes of an item as the body of a request. Raises HashError for other items."""
    is_several = isinstance(hashes, Iterable) and not isinstance(hashes, str | bytes)
    checked = list(hashes) if is_several else []
    if not is_several or not all(isinstance(one, Hash) for one in checked):
        raise HashError("hashes must be a list of Hash objects, as [Hash.parse('pdq', text)]")
    rows = [{"kind": one.kind.name, "value": one.text, "quality": one.quality} for one in checked]
    return msgspec.json.encode({"hashes": rows})


def read_screened(answer: bytes, body: Body, id: str | None) -> Result:
    """Return the Result of an item.

    Raises BadAnswer unless it is that of all of its bytes, under its `id` if it has one.
    """
    result = _read(answer)
    if body.total is None or result.bytes != body.total:
        raise BadAnswer("the service did not screen all bytes of the item", status=200)
    if id is not None and result.input != id:
        raise BadAnswer("the answer is that of another upload", status=200)
    return body.name_result(result)


def read_matched(answer: bytes, name: object) -> Result:
    """Return the Result of hashes. Raises BadAnswer."""
    label = parse_name(name)
    return replace(_read(answer), input=label.text, input_bytes=label.raw)


def _read(answer: bytes) -> Result:
    try:
        return read_result(answer)
    except ValueError as error:
        raise BadAnswer(f"the answer is no Result: {error}", status=200) from None


def read_lists(answer: bytes) -> tuple[ListInfo, ...]:
    """Return the lists of a service. Raises BadAnswer."""
    return _decode(answer, _Lists).lists


def read_ready(answer: bytes) -> bool:
    """Return True if a service is ready. Raises BadAnswer if it is another program's answer."""
    if _decode(answer, _Status).status != "ready":
        raise BadAnswer("the answer is not that of a screener service", status=200)
    return True


def _decode(answer: bytes, of: type[_T]) -> _T:
    try:
        return msgspec.json.decode(answer, type=of)
    except (ValueError, RecursionError):
        raise BadAnswer("the answer is not that of a screener service", status=200) from None


class Answer:
    """An answer that arrives in pieces."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self._status = status
        self._headers = headers
        self._body = bytearray()

    def add(self, piece: bytes) -> None:
        """Add a piece of the body. Raises BadAnswer if it becomes too large."""
        self._body += piece
        if len(self._body) > MAX_ANSWER_BYTES:
            raise BadAnswer("the answer is too large", status=self._status)

    def finish(self) -> bytes:
        """Return the body of a complete answer 200. Raises RemoteError for any other."""
        status = self._status
        if status == 200:
            kind = self._headers.get("content-type", "").partition(";")[0].strip().lower()
            encoding = self._headers.get("content-encoding", "identity")
            if kind != "application/json" or encoding != "identity":
                raise BadAnswer("the answer is not plain JSON", status=status)
            return bytes(self._body)
        code, text = self._find_error()
        if status in _BUSY or status >= 500:
            raise Unavailable(text, status=status, code=code, seconds=self._find_pause())
        if 300 <= status < 400:
            raise BadAnswer(f"{text}: a redirect, which is not followed", status=status, code=code)
        raise (Refused if status >= 400 else BadAnswer)(text, status=status, code=code)

    def _find_error(self) -> tuple[str | None, str]:
        """Return code and message of an error of the service, or of any other server."""
        start = f"the service answered {self._status}"
        try:
            error = msgspec.json.decode(bytes(self._body), type=_Errors).error
        except (ValueError, RecursionError):
            return None, start
        message = printable(error.message[:_MAX_MESSAGE_CHARACTERS])
        return printable(error.code[:_MAX_MESSAGE_CHARACTERS]), f"{start}: {message}"

    def _find_pause(self) -> float | None:
        text = self._headers.get("retry-after", "")
        return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


class Attempts:
    """The attempts of one call: how many, and until when."""

    def __init__(self, count: int, seconds: float) -> None:
        self._left = count
        self._next_pause = _FIRST_PAUSE_SECONDS
        self._deadline = time.monotonic() + seconds

    @property
    def seconds(self) -> float:
        """The seconds that are left. Raises Unavailable if there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise out_of_time()
        return left

    def pause_after(self, failure: Unavailable, *, is_repeatable: bool = True) -> float:
        """Return the seconds to wait before the next attempt.

        Raises the failure if there is none: another attempt is only for a service that is busy or
        cannot be reached, not for one that did not answer in time.
        """
        self._left -= 1
        is_passing = failure.status in _BUSY or (failure.status is None and failure.code is None)
        if not (self._left > 0 and is_passing and is_repeatable):
            raise failure
        pause = self._next_pause * random.uniform(0.5, 1)
        self._next_pause = min(2 * self._next_pause, _MAX_PAUSE_SECONDS)
        pause = max(pause, failure.seconds or 0.0)
        if pause > _MAX_PAUSE_SECONDS or pause >= self._deadline - time.monotonic():
            raise failure
        return pause


def out_of_time() -> Unavailable:
    """Return the error of a service that did not answer in time."""
    return Unavailable("the service did not answer in time", code=TIMEOUT)
