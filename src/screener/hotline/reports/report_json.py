"""Encode a report as JSON before it is sealed, and decode it after it is unsealed.

Decoding checks everything, since anybody with the public key can seal anything. Sizes are checked
before contents.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from screener.errors import HashError
from screener.hashing.hash import KINDS, Hash
from screener.hashing.pdq import ORIENTATIONS
from screener.hotline.language.sentence import mark
from screener.hotline.model.addresses import MAX_ADDRESS_LENGTH, PICTURE_AS_ADDRESS, is_picture
from screener.hotline.model.case import LANGUAGES, Language
from screener.hotline.model.report import (
    MAX_ADDRESSES,
    MAX_FRAME_TIMES,
    MAX_HASHES,
    MAX_ITEMS,
    MAX_NOTE_LENGTH,
    MAX_UPRIGHT_HASHES,
    REGIONS,
    Item,
    Report,
    Withdrawal,
)
from screener.hotline.reports.sealed import UnsealError
from screener.screening.input.located_hash import LocatedHash

_REPORT_SCHEMA = "screener-report/1"
_WITHDRAWAL_SCHEMA = "screener-withdrawal/1"
_REFERENCE_PATTERN = re.compile(r"[0-9a-f]{32}", re.ASCII)
_COUNTRY_PATTERN = re.compile(r"[A-Z]{2}", re.ASCII)
_MIME_TYPE = re.compile(r"(?:application|audio|image|video)/[a-z0-9.+-]{1,40}", re.ASCII)
_MAX_TIME = 10_000_000.0  # seconds; also the highest number of a part


def encode(report: Report | Withdrawal) -> bytes:
    """Return a report or withdrawal as JSON."""
    if isinstance(report, Withdrawal):
        fields: dict[str, Any] = {
            "schema": _WITHDRAWAL_SCHEMA,
            "withdrawal": _to_base64(report.token),
        }
    else:
        fields = {
            "schema": _REPORT_SCHEMA,
            "reference": report.reference,
            "day": report.day.isoformat(),
            "language": report.language,
            "country": report.country,
            "status_key": _to_base64(report.status_key),
            "proof": _to_base64(report.proof),
            "addresses": list(report.addresses),
            "note": report.note,
            "items": [_encode_item(item) for item in report.items],
        }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def decode(content: bytes) -> Report | Withdrawal:
    """Return a report or withdrawal. Raises UnsealError if the content is not exactly one."""
    try:
        fields = json.loads(content, parse_constant=_reject_constant)
        if not isinstance(fields, dict):
            raise UnsealError(mark("it is no report"))
        schema = fields.get("schema")
        if schema == _WITHDRAWAL_SCHEMA:
            return Withdrawal(_get_bytes(fields, "withdrawal", 32))
        if schema != _REPORT_SCHEMA:
            raise UnsealError(mark("it is no report, or of another version"))
        return _parse_report(fields)
    except (ValueError, RecursionError, OverflowError):
        raise UnsealError(mark("its contents cannot be read")) from None


def _parse_report(fields: Mapping[str, Any]) -> Report:
    reference = _get_string(fields, "reference", 32)
    if not _REFERENCE_PATTERN.fullmatch(reference):
        raise UnsealError(mark("its reference is invalid"))
    language = _parse_language(fields)
    country = fields.get("country")
    if country is not None and not (
        isinstance(country, str) and _COUNTRY_PATTERN.fullmatch(country)
    ):
        raise UnsealError(mark("its country is invalid"))
    addresses = _parse_addresses(fields)
    items = _parse_items(fields)
    if not addresses and not any(item.hashes for item in items):
        raise UnsealError(mark("it reports nothing"))
    return Report(
        reference,
        date.fromisoformat(_get_string(fields, "day", 10)),
        language,
        _get_bytes(fields, "status_key", 32),
        _get_bytes(fields, "proof", 32),
        country,
        addresses,
        _get_string(fields, "note", MAX_NOTE_LENGTH),
        items,
    )


def _parse_language(fields: Mapping[str, Any]) -> Language:
    for language in LANGUAGES:
        if language == fields.get("language"):
            return language
    raise UnsealError(mark("its language is not supported"))


def _parse_addresses(fields: Mapping[str, Any]) -> tuple[str, ...]:
    addresses = [
        _get_string({"address": value}, "address", MAX_ADDRESS_LENGTH)
        for value in _get_list(fields, "addresses", MAX_ADDRESSES)
    ]
    if any(map(is_picture, addresses)):
        raise UnsealError(PICTURE_AS_ADDRESS)  # otherwise the case and its notices would contain it
    return tuple(dict.fromkeys(addresses))


def _parse_items(fields: Mapping[str, Any]) -> tuple[Item, ...]:
    """Parse the items, after all hashes have been counted."""
    item_tables = list(map(_check_item, _get_list(fields, "items", MAX_ITEMS)))
    counts = [len(_get_list(table, "hashes", MAX_HASHES)) for table in item_tables]
    if sum(counts) > MAX_HASHES:
        raise UnsealError(mark("it has more than {most} hashes", most=MAX_HASHES))
    items = tuple(map(_parse_item, item_tables))
    if sum(len(item.upright_hashes) for item in items) > MAX_UPRIGHT_HASHES:
        raise UnsealError(mark("it has more than {most} upright hashes", most=MAX_UPRIGHT_HASHES))
    if sum(len(located.again) for item in items for located in item.hashes) > MAX_FRAME_TIMES:
        raise UnsealError(mark("it has more than {most} times", most=MAX_FRAME_TIMES))
    return items


def _parse_item(fields: Mapping[str, Any]) -> Item:
    kind = fields.get("type")
    if kind is not None and not (isinstance(kind, str) and _MIME_TYPE.fullmatch(kind)):
        raise UnsealError(mark("the type of an item is invalid"))
    is_clip = fields.get("moving")
    if not isinstance(is_clip, bool):
        raise UnsealError(mark("it does not say whether an item moves"))
    return Item(kind, is_clip, tuple(map(_parse_located_hash, fields["hashes"])))


def _encode_item(item: Item) -> dict[str, Any]:
    return {
        "type": item.type,
        "moving": item.is_clip,
        "hashes": [
            [
                located.hash.kind.name,
                _to_base64(located.hash.value),
                located.hash.quality,
                located.detail,
                ORIENTATIONS.index(located.orientation),
                REGIONS.index(located.region),
                located.part,
                located.time,
                list(located.again),
            ]
            for located in item.hashes
        ],
    }


def _parse_located_hash(row: Any) -> LocatedHash:
    if not isinstance(row, list) or len(row) != 9:
        raise UnsealError(mark("a hash in it does not have the fields of a hash"))
    kind, value, quality, detail, orientation, region, part, time, again = row
    hash_kind = KINDS.get(kind) if isinstance(kind, str) else None
    if hash_kind is None or not hash_kind.computed:
        raise UnsealError(mark("it has a hash of a kind that a reporter's computer does not make"))
    scores = (quality, detail)
    max_score = 100 if hash_kind.perceptual else -1  # digests have no quality
    if not all(score is None or _is_integer_up_to(score, max_score) for score in scores):
        raise UnsealError(mark("a hash in it has an invalid quality"))
    if not isinstance(again, list) or not all(map(_is_time, [time, *again])):
        raise UnsealError(mark("a hash in it has an invalid time"))
    if not (
        _is_integer_up_to(orientation, len(ORIENTATIONS) - 1)
        and _is_integer_up_to(region, len(REGIONS) - 1)
        and _is_integer_up_to(part, int(_MAX_TIME))
    ):
        raise UnsealError(mark("a hash in it has an invalid place"))
    try:
        value = Hash(hash_kind, _get_bytes({"value": value}, "value", None), quality)
    except HashError:
        raise UnsealError(mark("it has an invalid {kind}", kind=hash_kind.name)) from None
    return LocatedHash(
        value, ORIENTATIONS[orientation], REGIONS[region], part, float(time),
        detail=detail, again=tuple(map(float, again)),
    )  # fmt: skip


def _is_integer_up_to(value: object, maximum: int) -> bool:
    return type(value) is int and 0 <= value <= maximum


def _is_time(value: object) -> bool:
    # The comparison accepts integers of any size and is false for NaN.
    return isinstance(value, int | float) and type(value) is not bool and 0 <= value <= _MAX_TIME


def _check_item(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnsealError(mark("an item in it is invalid"))
    return value


def _get_list(fields: Mapping[str, Any], name: str, max_length: int) -> Sequence[Any]:
    value = fields.get(name)
    if not isinstance(value, list):
        raise UnsealError(mark("it has no {field}", field=name))
    if len(value) > max_length:
        raise UnsealError(mark("it has more than {most} {field}", most=max_length, field=name))
    return value


def _get_string(fields: Mapping[str, Any], name: str, max_length: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > max_length:
        raise UnsealError(mark("its {field} is missing or too long", field=name))
    value.encode("utf-8")  # raises ValueError for a lone surrogate, which cannot be stored
    return value


def _get_bytes(fields: Mapping[str, Any], name: str, size: int | None) -> bytes:
    value = fields.get(name)
    try:
        value = base64.b64decode(value if isinstance(value, str) else "", validate=True)
    except binascii.Error:
        value = b""
    if not value or (size is not None and len(value) != size):
        raise UnsealError(mark("its {field} is missing or has the wrong length", field=name))
    return value


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _reject_constant(text: str) -> float:
    raise ValueError(f"{len(text)} letters in the place of a number")
