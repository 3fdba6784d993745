"""Routes of `/h`: the hashes of files."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from screener.service.hma.answers import answer
from screener.service.hma.context import Hma
from screener.service.hma.fields import require
from screener.service.hma.files import File, compute_signal, fetch_file, receive_file


async def hash_url(hma: Hma, request: Request) -> Response:
    """Return the hash of the file of a URL."""
    require(request.query_params, "url")
    async with fetch_file(hma, request) as file:
        return await _answer_hash(hma, file)


async def hash_file(hma: Hma, request: Request) -> Response:
    """Return the hash of a file."""
    async with receive_file(hma, request) as file:
        return await _answer_hash(hma, file)


async def _answer_hash(hma: Hma, file: File) -> Response:
    return answer({file.signal_type: (await compute_signal(hma, file)).text})
