"""Answers and errors in HMA's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from starlette.responses import Response

from screener.lists.redaction import may_hold_hash
from screener.service.problems import json_bytes

_MAX_QUOTED = 100  # characters of what a client sent

_PAGE = (
    "<!doctype html>\n<html lang=en>\n<title>{status} {title}</title>\n<h1>{title}</h1>\n"
    "<p>{text}</p>\n"
)
_PAGES = {
    404: (
        "Not Found",
        "The requested URL was not found on the server. If you entered the URL manually please"
        " check your spelling and try again.",
    ),
    405: ("Method Not Allowed", "The method is not allowed for the requested URL."),
}


_CODES = {
    400: "bad_request", 403: "forbidden", 404: "not_found", 413: "too_large", 415: "not_json",
    422: "bad_fields", 500: "internal", 503: "unavailable",
}  # fmt: skip


class HmaError(Exception):
    """A request that is answered with HMA's `{"message": …}`.

    `code` is for log and metrics; by default, it follows from the status.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or _CODES[status]
        self.headers = dict(headers or {})


class InvalidFields(HmaError):
    """Missing or ill-typed fields: 422, with an array of what is wrong with each.

    HMA's array also repeats the fields. Here it does not, since one may be a listed hash.
    """

    def __init__(self, faults: Sequence[tuple[str, str, str]]) -> None:
        """`faults` are a type, a field's name and a message each."""
        super().__init__(422, "; ".join(f"{name}: {message}" for _, name, message in faults))
        self.faults = [
            {"type": type_, "loc": [name] if name else [], "msg": message}
            for type_, name, message in faults
        ]


def to_json(value: object) -> bytes:
    """Return a value as HMA writes it: names sorted, and a line break at the end."""
    return msgspec.json.encode(value, order="sorted") + b"\n"


def answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a value as an answer in JSON."""
    if status == 200 and headers is None:
        return json_bytes(to_json(value))
    return Response(to_json(value), status, headers=headers, media_type="application/json")


def answer_error(error: HmaError, *, plain: bool) -> Response:
    """Return an error as an answer: in JSON, or `plain` text.

    Some clients take each name of a look-up's JSON object for that of a bank, whatever the status.
    Errors of look-ups are therefore plain text.
    """
    if plain:
        return Response(error.message, error.status, headers=error.headers, media_type="text/plain")
    body = error.faults if isinstance(error, InvalidFields) else {"message": error.message}
    return answer(body, error.status, error.headers)


def answer_page(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return the page of an unknown path (404) or a wrong method (405)."""
    title, text = _PAGES[status]
    page = _PAGE.format(status=status, title=title, text=text)
    return Response(page, status, headers=headers, media_type="text/html")


def answer_word(word: str, status: int = 200) -> Response:
    """Return a bare word, as `/status` does."""
    return Response(word, status, media_type="text/html")


def quote(text: str) -> str:
    """Return what a client sent in quotes, unless it may contain a hash or is long."""
    return "'…'" if may_hold_hash(text) or len(text) > _MAX_QUOTED else repr(text)
