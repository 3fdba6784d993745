"""Routes of `/c` for banks and kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from screener.service.hma.answers import HmaError, answer, quote
from screener.service.hma.banks import BANK_NAME
from screener.service.hma.context import Hma
from screener.service.hma.fields import read_flag, read_number, read_object, read_text, require
from screener.service.hma.matching import built_at, count_signals
from screener.service.hma.signals import KIND_OF_SIGNAL, SIGNAL_OF_CONTENT
from screener.service.hma.store import Bank

_MAX_NAME_CHARS = 255
_MAX_BANKS = 1000
_BAD_NAME = "Bank names must be UPPER_WITH_UNDERSCORE"


def find_bank(hma: Hma, request: Request) -> Bank:
    """Return the bank that a path names. Raises HmaError 404."""
    name = request.path_params["bank_name"]
    bank = hma.banks.find(name)
    if bank is None:
        raise HmaError(404, f"bank {quote(name)} not found")
    return bank


async def list_banks(hma: Hma, _request: Request) -> Response:
    """Return all banks."""
    return answer([bank.config for bank in hma.banks.all()])


async def show_bank(hma: Hma, request: Request) -> Response:
    """Return one bank."""
    return answer(find_bank(hma, request).config)


async def create_bank(hma: Hma, request: Request) -> Response:
    """Create a bank with an empty list."""
    fields = await read_object(hma.service, request)
    require(fields, "name")
    name = _read_name(fields)
    if name is None:
        raise HmaError(400, _BAD_NAME)
    ratio = _read_ratio(fields)
    async with hma.curating:
        if hma.banks.find(name) is not None:
            raise HmaError(403, "Bank already exists")
        if len(hma.banks.all()) >= _MAX_BANKS:
            raise HmaError(403, f"a service may have {_MAX_BANKS} banks")
        bank = await hma.banks.create(name, 1.0 if ratio is None else ratio)
    return answer(bank.config, 201)


async def change_bank(hma: Hma, request: Request) -> Response:
    """Rename a bank, or set how much of the look-ups it takes part in."""
    fields = await read_object(hma.service, request)
    async with hma.curating:
        bank = hma.banks.find(request.path_params["bank_name"])
        if bank is None:
            raise HmaError(404, "Bank not found")
        name, ratio = _read_name(fields), _read_ratio(fields)
        if name not in (None, bank.name) and hma.banks.find(name) is not None:
            raise HmaError(403, "Bank name already exists")
        changed = await asyncio.to_thread(hma.banks.change, bank, name=name, ratio=ratio)
        return answer(changed.config)


async def delete_bank(hma: Hma, request: Request) -> Response:
    """Delete a bank that a client created."""
    async with hma.curating:
        bank = hma.banks.find(request.path_params["bank_name"])
        if bank is not None:
            if not bank.own:
                raise HmaError(
                    403,
                    "this bank is a list of the service: stop serving it, or set its ratio to 0",
                )
            await hma.banks.delete(bank)
    return answer({"message": "Done"})


def _read_name(fields: Mapping[str, Any]) -> str | None:
    name = read_text(fields, "name")
    if name is not None and (not BANK_NAME.fullmatch(name) or len(name) > _MAX_NAME_CHARS):
        raise HmaError(400, _BAD_NAME)
    return name


def _read_ratio(fields: Mapping[str, Any]) -> float | None:
    """Return the ratio that a body asks for; a number counts before `enabled`."""
    ratio, enabled = read_number(fields, "enabled_ratio"), read_flag(fields, "enabled")
    if ratio is not None or enabled is None:
        return ratio
    return 1.0 if enabled else 0.0


# --- kinds


async def list_signal_types(_hma: Hma, _request: Request) -> Response:
    """Return the signal types."""
    return answer([{"enabled_ratio": 1.0, "name": name} for name in KIND_OF_SIGNAL])


async def change_signal_type(_hma: Hma, _request: Request) -> Response:
    """Refuse: no signal type can be switched off, as in HMA."""
    raise HmaError(400, "signal types cannot be changed here: a policy decides what is compared")


async def show_indices(hma: Hma, request: Request) -> Response:
    """Return how many hashes are stored, which are all in the index."""
    signal_type = request.query_params.get("signal_type")
    if signal_type is not None and signal_type not in KIND_OF_SIGNAL:
        raise HmaError(400, f"No such signal type {quote(signal_type)}")
    built = built_at(hma)
    return answer(
        {
            name: {
                "db_size": count,
                "index_built_to": built,
                "index_out_of_date": False,
                "index_size": count,
                "newest_db_item": built,
            }
            for name, count in count_signals(hma).items()
            if signal_type in (None, name)
        }
    )


async def list_content_types(_hma: Hma, _request: Request) -> Response:
    """Return the content types."""
    return answer([{"enabled": True, "name": name} for name in SIGNAL_OF_CONTENT])
