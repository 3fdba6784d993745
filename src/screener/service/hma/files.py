"""Files of requests: their hashes, and what is found of them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request

from screener.hashing.hash import KINDS, Hash
from screener.media.files.sniff import CONTAINERS
from screener.screening.input.hash_item import HashedInput
from screener.screening.result import Match, Reason, Result, Verdict
from screener.screening.screener import Screener
from screener.service.endpoint import CALLER
from screener.service.hma.answers import HmaError
from screener.service.hma.context import Hma
from screener.service.hma.fetching import find_content_type
from screener.service.hma.signals import EMPTY, LITTLE_DETAIL, MD5, PDQ, select_types
from screener.service.limits import read_body
from screener.service.native.multipart import is_multipart, parse_multipart

_INLINE_BYTES = 1 << 20  # a digest of more is computed in a thread
_NO_FILE = "Missing multipart/form-data file upload"
_STATUS = {Reason.TOO_LARGE: 413}
NOT_READY = "index not yet ready"


@dataclass(frozen=True)
class File:
    """A file of a request: its types, the form's other fields, and the key that sent it."""

    content: bytes
    content_type: str
    signal_type: str
    fields: dict[str, str]
    key: str | None


@asynccontextmanager
async def receive_file(hma: Hma, request: Request) -> AsyncIterator[File]:
    """Yield the file of a form; the name of its field is its content type."""
    content_type = request.headers.get("content-type", "")
    if not is_multipart(content_type):
        raise HmaError(400, _NO_FILE)
    with hma.service.buffer.account() as account:
        body = await read_body(request, account, hma.service.settings.body_bytes)
        account.take(len(body))  # the parts are copies
        parts = parse_multipart(content_type, [body])
        files = [part for part in parts if part.filename is not None]
        if any(part.name is None for part in parts):
            raise HmaError(400, "a part of the form has no name")
        if not files:
            raise HmaError(400, _NO_FILE)
        if len(files) > 1:
            raise HmaError(400, "Only one file allowed per request")
        fields = {
            part.name: part.content.decode("utf-8", "replace")
            for part in parts
            if part.filename is None and part.name is not None
        }
        name = files[0].name or ""
        signal_type = select_types(name, request.query_params.get("types"))
        yield File(files[0].content, name, signal_type, fields, request.scope.get(CALLER))


@asynccontextmanager
async def fetch_file(hma: Hma, request: Request) -> AsyncIterator[File]:
    """Yield the file of the query's `url`."""
    if hma.fetcher is None:
        raise HmaError(403, "this service fetches no URLs: send the file, or use --hma-fetch")
    query = request.query_params
    if "content_type" in query:
        select_types(query["content_type"], query.get("types"))
    fetched = await hma.fetcher.fetch(query["url"])
    with hma.service.buffer.account() as account:
        account.take(len(fetched.content))
        content_type = query.get("content_type") or find_content_type(fetched.media_type)
        signal_type = select_types(content_type, query.get("types"))
        yield File(fetched.content, content_type, signal_type, {}, request.scope.get(CALLER))


async def compute_signal(hma: Hma, file: File) -> Hash:
    """Return the hash of a file. Raises HmaError if it has none that could be compared."""
    if not file.content:
        raise HmaError(400, EMPTY)
    if file.signal_type != PDQ:
        return await _digest(file.content)
    hashed = await _hash(hma, file)
    if hashed.error is not None:
        raise HmaError(_STATUS.get(Reason(hashed.error.reason), 400), _explain(hashed))
    is_video = hashed.media is not None and hashed.media.type in CONTAINERS
    for located in hashed.hashes:
        place = (located.hash.kind.name, located.orientation, located.region, located.part)
        if is_video or place != ("pdq", "upright", "full", 0) or located.part_kind != "frame":
            continue
        if not located.is_usable(hma.service.screener.policy.floor["pdq"]):
            raise HmaError(400, LITTLE_DETAIL)
        return located.hash
    raise HmaError(400, "unsupported: the file is not a picture")


async def screen_file(hma: Hma, file: File) -> tuple[Match, ...]:
    """Return the matches of a file, compared by all that the lists hold.

    Raises HmaError if it has none and was not compared enough to say so: nothing that a client
    could take for clear.
    """
    hashed = await _hash(hma, file)
    screener = hma.screener
    result, verdict = await asyncio.to_thread(_decide, screener, hashed)
    hma.service.metrics.count_result(verdict)
    if result.matches or verdict.verdict is Verdict.NO_MATCH:
        return result.matches
    if not find_comparing(screener):
        if (
            file.signal_type == MD5
            and screener.enforced
            and any(one.hash.kind.name == "md5" for one in hashed.hashes)
        ):
            return ()  # compared by all that the lists hold
        if verdict.reason is Reason.NOT_COMPARABLE:
            raise HmaError(503, NOT_READY, code="not_ready")
    reason = verdict.reason or Reason.UNREADABLE
    raise HmaError(_STATUS.get(reason, 400), f"{reason}: {verdict.detail or 'not screened'}")


def find_comparing(screener: Screener) -> frozenset[str]:
    """Return the names of the lists that pictures or videos can be compared with."""
    return frozenset(
        one.name
        for one in screener.enforced
        if one.matchable and any(not KINDS[kind].digest for kind in one.kinds)
    )


def _decide(screener: Screener, hashed: HashedInput) -> tuple[Result, Result]:
    """Return the Result for all lists, and that of the lists that could clear a picture.

    A bank of digests alone clears no picture, and must not keep others from it.
    """
    (result,) = screener.decide([hashed])
    comparing = find_comparing(screener)
    if result.matches or len(comparing) in (0, len(screener.lists)):
        return result, result
    if screener.policy.digests_only or result.reason is not Reason.NOT_COMPARABLE:
        return result, result
    (verdict,) = screener.select(comparing).decide([hashed])
    return result, verdict


async def _hash(hma: Hma, file: File) -> HashedInput:
    hma.service.check()
    seconds = hma.service.settings.answer_seconds
    return await hma.service.pool.ahash(file.content, timeout=seconds, key=file.key)


async def _digest(content: bytes) -> Hash:
    def compute() -> Hash:
        return Hash(KINDS["md5"], hashlib.md5(content, usedforsecurity=False).digest())

    return compute() if len(content) <= _INLINE_BYTES else await asyncio.to_thread(compute)


def _explain(hashed: HashedInput) -> str:
    assert hashed.error is not None
    return f"{hashed.error.reason}: {hashed.error.detail}"
