"""The route that matches hashes: `/v1/match`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from screener.errors import HashError
from screener.hashing import vpdq_value
from screener.hashing.hash import Hash
from screener.screening.result import SCHEMA, ListState, Result, Verdict
from screener.service.limits import read_body, read_headers
from screener.service.native.screening import find_lists
from screener.service.problems import Problem, json_bytes
from screener.service.server import Service

MAX_BODY_BYTES = 16 << 20
MAX_ITEMS = 10_000
MAX_HASHES = 100_000  # of all items, each frame of a vPDQ counted

_HEAD = b'{"schema":%d,"input":' % SCHEMA


class HashText(msgspec.Struct, forbid_unknown_fields=True):
    """A hash as text; `quality` is 0 to 100, or null if unknown."""

    kind: str
    value: str
    quality: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """The hashes of one item, and its name in the Result."""

    hashes: list[HashText]
    input: str | None = None


class Items(msgspec.Struct, forbid_unknown_fields=True):
    """Several items."""

    items: Annotated[list[Item], msgspec.Meta(min_length=1, max_length=MAX_ITEMS)]


_decode_item = msgspec.json.Decoder(Item).decode
_decode_items = msgspec.json.Decoder(Items).decode


async def match(service: Service, request: Request) -> Response:
    """Match the hashes of one item, or of several."""
    service.check()
    lists = find_lists(service, request)
    check_json(request)
    with service.buffer.account() as account:
        body = await read_body(request, account, MAX_BODY_BYTES)
        items, is_single = _parse(body)
        hashes = _parse_items(items)
        names = [item.input for item in items]
        results = await service.matcher.match(hashes, names, lists)
    for result in results:
        service.metrics.count_result(result)
    if is_single:
        return json_bytes(_encode(results[0]))
    return json_bytes(b'{"results":[' + b",".join(map(_encode, results)) + b"]}")


class _Template:
    """The text after the name of Results without hits, which are alike for a second."""

    lists: tuple[ListState, ...] = ()
    policy = ""
    text = b""


def _encode(result: Result) -> bytes:
    """Return the result line of matched hashes."""
    if result.verdict is not Verdict.NO_MATCH or result.other_hits or result.effort != "distance":
        return result.to_json().encode()
    if result.lists is not _Template.lists or result.policy != _Template.policy:
        nameless = replace(result, input=None).to_json().encode()
        _Template.lists, _Template.policy = result.lists, result.policy
        _Template.text = nameless.removeprefix(_HEAD + b"null")
    return _HEAD + msgspec.json.encode(result.input) + _Template.text


def check_json(request: Request) -> None:
    """Raise a Problem if a body is not JSON by its content type.

    A web page cannot send that type to another site unasked, so it cannot use a browser on this
    machine to reach a service without keys.
    """
    content_type = read_headers(request).get(b"content-type", b"").decode("latin-1")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "not_json", "send JSON, with the content type application/json",
                      close=True)  # fmt: skip


def _parse(body: bytes) -> tuple[list[Item], bool]:
    try:
        return [_decode_item(body)], True
    except msgspec.ValidationError as error:
        problem = str(error)
    except msgspec.DecodeError as error:
        raise Problem(400, "bad_json", f"the body is not JSON: {error}") from None
    try:
        return _decode_items(body).items, False
    except msgspec.ValidationError as error:
        if b'"items"' in body[:200]:
            problem = str(error)
        raise Problem(400, "bad_request", problem) from None


def _parse_items(items: list[Item]) -> list[list[Hash]]:
    """Return the hashes of each item. Raises a Problem if one is malformed, or there are too many.

    They are counted before they are parsed, and vPDQs, which have several codes, afterwards.
    """
    count = sum([len(item.hashes) for item in items])
    hashes = []
    if count <= MAX_HASHES:
        hashes = [_parse_hashes(number, item) for number, item in enumerate(items)]
        count += sum([_count_codes(one) - 1 for some in hashes for one in some if one.kind.video])
    if count > MAX_HASHES:
        raise Problem(
            413, "too_many_hashes", f"a request may have {MAX_HASHES} hashes, counting each frame"
            " of a vPDQ: send the items in several requests",
        )  # fmt: skip
    return hashes


def _count_codes(vpdq: Hash) -> int:
    return len(vpdq.value) // vpdq_value.PACKED.itemsize


def _parse_hashes(number: int, item: Item) -> list[Hash]:
    hashes = []
    for place, text in enumerate(item.hashes):
        try:
            hashes.append(Hash.parse(text.kind, text.value, quality=text.quality))
        except HashError as error:
            raise Problem(400, "bad_hash", f"item {number}, hash {place}: {error}") from None
    return hashes
