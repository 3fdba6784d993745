"""Routes of `/c` for exchanges, of which there is none.

`screener import` and what fetches lists are outside of this API. Its clients get the answers that
HMA gives if it has no exchange and no exchange's API.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from screener.service.hma.answers import HmaError, answer, quote
from screener.service.hma.context import Hma
from screener.service.hma.fields import read_json

_NAME = re.compile("[A-Z0-9_]+", re.ASCII)


async def list_none(_hma: Hma, _request: Request) -> Response:
    """Return the exchanges, or their APIs: none."""
    return answer([])


async def show_api(_hma: Hma, request: Request) -> Response:
    """Answer that there is no such API."""
    raise HmaError(400, f"no such Exchange API {quote(request.path_params['api'])}")


async def set_credentials(hma: Hma, request: Request) -> Response:
    """Answer that there is no such API."""
    if not isinstance(await read_json(hma.service, request), dict):
        raise HmaError(400, "this endpoint expects a json object payload")
    return await show_api(hma, request)


async def show_schema(_hma: Hma, request: Request) -> Response:
    """Answer that there is no such API."""
    raise HmaError(404, f"Exchange API {quote(request.path_params['api'])} not found")


async def create(hma: Hma, request: Request) -> Response:
    """Refuse: there is no API for an exchange."""
    body = await read_json(hma.service, request)
    if not isinstance(body, dict):
        raise HmaError(400, "this endpoint expects a json object payload")
    bank, api = body.get("bank"), body.get("api")
    if not isinstance(bank, str):
        raise HmaError(400, "bank is required")
    if not _NAME.fullmatch(bank):
        raise HmaError(400, "Field `bank` must match /^[A-Z0-9_]+$/")
    if not isinstance(api, str):
        raise HmaError(400, "Field `api_type` is required")
    raise HmaError(400, f"No such exchange type {quote(api)}")


async def show(_hma: Hma, request: Request) -> Response:
    """Answer that there is no such exchange."""
    raise HmaError(404, f"Exchange {quote(request.path_params['name'])} not found")


async def delete(_hma: Hma, _request: Request) -> Response:
    """Answer as HMA does also if there was no such exchange."""
    return answer({"message": "Exchange deleted"})
