"""Routes of `/c` for the contents of banks. A change is in use before its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from screener.errors import ListError
from screener.hashing.hash import Hash
from screener.service.hma.answers import HmaError, answer, quote
from screener.service.hma.bank_routes import find_bank
from screener.service.hma.context import Hma
from screener.service.hma.fields import is_json, read_flag, read_json
from screener.service.hma.files import compute_signal, fetch_file, receive_file
from screener.service.hma.signals import (
    KIND_OF_SIGNAL,
    check_comparable,
    describe_invalid,
    parse_signal,
)
from screener.service.hma.store import Bank, Content
from screener.service.native.multipart import is_multipart

_MAX_NOTE_CHARS = 255
_MAX_DISABLED_SECONDS = 5 * 365 * 24 * 3600
_METADATA = {"content_id": str, "content_uri": str, "json": dict}
_DROPPED_METADATA = "collab"
_MAX_ID = (1 << 63) - 1


async def add_file(hma: Hma, request: Request) -> Response:
    """Add the hash of a file to a bank."""
    bank = _find_own_bank(hma, request)
    if "url" in request.query_params:
        body = await read_json(hma.service, request) if is_json(request) else None
        fields: Mapping[str, Any] = body if isinstance(body, dict) else {}
        note, metadata = _read_note(fields), _read_metadata(fields.get("metadata"))
        async with fetch_file(hma, request) as file:
            signals = {file.signal_type: await compute_signal(hma, file)}
    elif is_multipart(request.headers.get("content-type", "")):
        async with receive_file(hma, request) as file:
            note = _read_note(file.fields)
            metadata = _read_metadata(_parse(file.fields.get("metadata")))
            signals = {file.signal_type: await compute_signal(hma, file)}
    else:
        raise HmaError(400, "Neither `url` nor multipart file upload was received")
    return await _add(hma, bank, signals, note, metadata)


async def add_signals(hma: Hma, request: Request) -> Response:
    """Add hashes to a bank, as one content."""
    bank = _find_own_bank(hma, request)
    body = await read_json(hma.service, request)
    if not isinstance(body, dict):
        raise HmaError(400, "Request input was not a dict")
    note, metadata = _read_note(body), _read_metadata(body.get("metadata"))
    signals = {}
    for name, text in body.items():
        if name in ("note", "metadata"):
            continue
        if name not in KIND_OF_SIGNAL:
            raise HmaError(400, f"No such signal type {quote(name).strip(chr(39))}")
        hash_ = parse_signal(name, text) if isinstance(text, str) else None
        if hash_ is None:
            raise HmaError(400, f"Invalid {name} signal: {describe_invalid(name)}")
        check_comparable(hash_)
        signals[name] = hash_
    if not signals:
        raise HmaError(400, "No signals given")
    return await _add(hma, bank, signals, note, metadata)


def _find_own_bank(hma: Hma, request: Request) -> Bank:
    bank = find_bank(hma, request)
    if not bank.own:
        raise HmaError(403, "this bank is a list of the service: import a file into the list")
    return bank


async def _add(
    hma: Hma,
    bank: Bank,
    signals: Mapping[str, Hash],
    note: str | None,
    metadata: dict[str, Any] | None,
) -> Response:
    async with hma.curating:
        if hma.banks.find_by_id(bank.id) is None:
            raise HmaError(404, f"bank {quote(bank.name)} not found")
        content = await asyncio.to_thread(
            hma.banks.add_content, bank, signals, note=note or None, metadata=metadata
        )
        await hma.banks.bring_into_use(bank)
    values = {name: hash_.text for name, hash_ in signals.items()}
    return answer({"id": content.id, "signals": values})


async def show_content(hma: Hma, request: Request) -> Response:
    """Return a content, of whichever bank."""
    find_bank(hma, request)
    query = request.query_params
    with_signals = read_flag(query, "include_signals")
    with_metadata = read_flag(query, "include_metadata")
    content = _find_content(hma, request)
    bank = _bank_of(hma, content)
    signals = await asyncio.to_thread(hma.banks.read_signals, bank, content)
    if signals is None:
        raise HmaError(404, f"content '{content.id}' not found")
    shown: dict[str, Any] = {
        "bank": bank.config,
        "disable_until_ts": content.disable_until,
        "id": content.id,
        "original_media_uri": None,
    }
    if with_signals:
        shown["signals"] = signals
    if with_metadata is not False and content.metadata is not None:
        shown["metadata"] = {"collab": None, **dict.fromkeys(_METADATA), **content.metadata}
    if content.note is not None:
        shown["note"] = content.note
    return answer(shown)


async def change_content(hma: Hma, request: Request) -> Response:
    """Disable a content until a time, or set its note."""
    find_bank(hma, request)
    body = await read_json(hma.service, request)
    if not isinstance(body, dict):
        raise HmaError(400, "Request input was not a dict")
    async with hma.curating:
        content = _find_content(hma, request)
        bank = _bank_of(hma, content)
        if "disable_until_ts" in body:
            content = replace(content, disable_until=_read_time(body["disable_until_ts"]))
        if "note" in body:
            content = replace(content, note=_read_note(body) or None)
        await asyncio.to_thread(hma.banks.change_content, content)
    return answer(
        {
            "bank": bank.config,
            "collab_metadata": {},
            "disable_until_ts": content.disable_until,
            "id": content.id,
            "note": content.note,
            "original_media_uri": None,
            "user_metadata": content.metadata,
        }
    )


async def delete_content(hma: Hma, request: Request) -> Response:
    """Delete a content, of whichever bank."""
    find_bank(hma, request)
    async with hma.curating:
        content = hma.banks.find_content(_content_id(request))
        if content is None:
            return answer({"deleted": 0})
        bank = _bank_of(hma, content)
        await asyncio.to_thread(hma.banks.delete_content, bank, content)
        await hma.banks.bring_into_use(bank)
    return answer({"deleted": 1})


def _find_content(hma: Hma, request: Request) -> Content:
    content = hma.banks.find_content(_content_id(request))
    if content is None:
        raise HmaError(404, f"content '{request.path_params['content_id']}' not found")
    return content


def _content_id(request: Request) -> int:
    return min(int(request.path_params["content_id"]), _MAX_ID)


def _bank_of(hma: Hma, content: Content) -> Bank:
    bank = hma.banks.find_by_id(content.bank)
    if bank is None:
        raise ListError("a bank is gone")
    return bank


# --- fields


def _parse(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        raise HmaError(400, "Invalid metadata: it is not JSON") from None


def _read_metadata(value: Any) -> dict[str, Any] | None:
    """Return metadata without what HMA drops. Raises HmaError for unknown or ill-typed fields."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise HmaError(400, "Invalid metadata: Input should be a valid dictionary")
    metadata = {name: one for name, one in value.items() if name != _DROPPED_METADATA}
    for name, one in metadata.items():
        if name not in _METADATA:
            raise HmaError(400, f"Invalid metadata: {quote(name)}: extra fields are not permitted")
        if one is not None and not isinstance(one, _METADATA[name]):
            raise HmaError(400, f"Invalid metadata: {name} has the wrong type")
    return metadata


def _read_note(fields: Mapping[str, Any]) -> str | None:
    note = fields.get("note")
    if note is not None and not isinstance(note, str):
        raise HmaError(400, "note must be a string")
    if note is not None and len(note) > _MAX_NOTE_CHARS:
        raise HmaError(400, f"note must be at most {_MAX_NOTE_CHARS} characters")
    return note


def _read_time(value: Any) -> int:
    """Return a time in seconds, also of its text."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise HmaError(400, "disable_until_ts must be a non-negative integer")
    if value > time.time() + _MAX_DISABLED_SECONDS:
        raise HmaError(400, "disable_until_ts must be less than 5 years in the future")
    return value
