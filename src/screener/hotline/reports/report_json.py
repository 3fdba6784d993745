"""The JSON of a report: written before it is sealed, read after it is opened.

Reading trusts nothing, since anybody with the public key can seal anything. Whatever is not exactly
a report is refused with a sentence. Sizes are checked before contents.
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

_REPORT = "screener-report/1"
_WITHDRAWAL = "screener-withdrawal/1"
_REFERENCE = re.compile(r"[0-9a-f]{32}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_TYPE = re.compile(r"(?:application|audio|image|video)/[a-z0-9.+-]{1,40}", re.ASCII)
_MAX_NUMBER = 10_000_000.0  # seconds or frames


def encode(report: Report | Withdrawal) -> bytes:
    """Return a report or withdrawal as JSON."""
    if isinstance(report, Withdrawal):
        facts: dict[str, Any] = {"schema": _WITHDRAWAL, "withdrawal": _text(report.token)}
    else:
        facts = {
            "schema": _REPORT,
            "reference": report.reference,
            "day": report.day.isoformat(),
            "language": report.language,
            "country": report.country,
            "status_key": _text(report.status_key),
            "proof": _text(report.proof),
            "addresses": list(report.addresses),
            "note": report.note,
            "items": [_item_facts(item) for item in report.items],
        }
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def decode(content: bytes) -> Report | Withdrawal:
    """Read a report or withdrawal. Raises UnsealError if it is not exactly one."""
    try:
        facts = json.loads(content, parse_constant=_reject_constant)
        if not isinstance(facts, dict):
            raise UnsealError(mark("it is no report"))
        schema = facts.get("schema")
        if schema == _WITHDRAWAL:
            return Withdrawal(_bytes(facts, "withdrawal", 32))
        if schema != _REPORT:
            raise UnsealError(mark("it is no report, or of another version"))
        return _report(facts)
    except (ValueError, RecursionError, OverflowError):
        raise UnsealError(mark("its contents cannot be read")) from None


def _report(facts: Mapping[str, Any]) -> Report:
    reference = _string(facts, "reference", 32)
    if not _REFERENCE.fullmatch(reference):
        raise UnsealError(mark("its reference is invalid"))
    language = _language(facts)
    country = facts.get("country")
    if country is not None and not (isinstance(country, str) and _COUNTRY.fullmatch(country)):
        raise UnsealError(mark("its country is invalid"))
    addresses = _addresses(facts)
    items = _items(facts)
    if not addresses and not any(item.hashes for item in items):
        raise UnsealError(mark("it reports nothing"))
    return Report(
        reference,
        date.fromisoformat(_string(facts, "day", 10)),
        language,
        _bytes(facts, "status_key", 32),
        _bytes(facts, "proof", 32),
        country,
        addresses,
        _string(facts, "note", MAX_NOTE_LENGTH),
        items,
    )


def _language(facts: Mapping[str, Any]) -> Language:
    for one in LANGUAGES:
        if one == facts.get("language"):
            return one
    raise UnsealError(mark("its language is not supported"))


def _addresses(facts: Mapping[str, Any]) -> tuple[str, ...]:
    addresses = [
        _string({"address": value}, "address", MAX_ADDRESS_LENGTH)
        for value in _list(facts, "addresses", MAX_ADDRESSES)
    ]
    if any(map(is_picture, addresses)):
        raise UnsealError(PICTURE_AS_ADDRESS)  # it would go into the case and its notices
    return tuple(dict.fromkeys(addresses))


def _items(facts: Mapping[str, Any]) -> tuple[Item, ...]:
    """Read the items. The hashes are counted before any is read."""
    tables = list(map(_table, _list(facts, "items", MAX_ITEMS)))
    counts = [len(_list(table, "hashes", MAX_HASHES)) for table in tables]
    if sum(counts) > MAX_HASHES:
        raise UnsealError(mark("it has more than {most} hashes", most=MAX_HASHES))
    items = tuple(map(_item, tables))
    if sum(len(item.upright_hashes) for item in items) > MAX_UPRIGHT_HASHES:
        raise UnsealError(mark("it has more than {most} upright hashes", most=MAX_UPRIGHT_HASHES))
    if sum(len(one.again) for item in items for one in item.hashes) > MAX_FRAME_TIMES:
        raise UnsealError(mark("it has more than {most} times", most=MAX_FRAME_TIMES))
    return items


def _item(facts: Mapping[str, Any]) -> Item:
    kind = facts.get("type")
    if kind is not None and not (isinstance(kind, str) and _TYPE.fullmatch(kind)):
        raise UnsealError(mark("the type of an item is invalid"))
    is_clip = facts.get("moving")
    if not isinstance(is_clip, bool):
        raise UnsealError(mark("it does not say whether an item moves"))
    return Item(kind, is_clip, tuple(map(_located, facts["hashes"])))


def _item_facts(item: Item) -> dict[str, Any]:
    return {
        "type": item.type,
        "moving": item.is_clip,
        "hashes": [
            [
                one.hash.kind.name,
                _text(one.hash.value),
                one.hash.quality,
                one.detail,
                ORIENTATIONS.index(one.orientation),
                REGIONS.index(one.region),
                one.part,
                one.time,
                list(one.again),
            ]
            for one in item.hashes
        ],
    }


def _located(row: Any) -> LocatedHash:
    if not isinstance(row, list) or len(row) != 9:
        raise UnsealError(mark("a hash in it does not have the fields of a hash"))
    kind, value, quality, detail, orientation, region, part, time, again = row
    hash_kind = KINDS.get(kind) if isinstance(kind, str) else None
    if hash_kind is None or not hash_kind.computed:
        raise UnsealError(mark("it has a hash of a kind that a reporter's computer does not make"))
    scores = (quality, detail)
    most = 100 if hash_kind.perceptual else -1  # digests have no quality
    if not all(score is None or _is_whole(score, most) for score in scores):
        raise UnsealError(mark("a hash in it has an invalid quality"))
    if not isinstance(again, list) or not all(map(_is_time, [time, *again])):
        raise UnsealError(mark("a hash in it has an invalid time"))
    if not (
        _is_whole(orientation, len(ORIENTATIONS) - 1)
        and _is_whole(region, len(REGIONS) - 1)
        and _is_whole(part, int(_MAX_NUMBER))
    ):
        raise UnsealError(mark("a hash in it has an invalid place"))
    try:
        value = Hash(hash_kind, _bytes({"value": value}, "value", None), quality)
    except HashError:
        raise UnsealError(mark("it has an invalid {kind}", kind=hash_kind.name)) from None
    return LocatedHash(
        value, ORIENTATIONS[orientation], REGIONS[region], part, float(time),
        detail=detail, again=tuple(map(float, again)),
    )  # fmt: skip


def _is_whole(value: object, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_time(value: object) -> bool:
    # Comparing works for integers of any size and is false for NaN.
    return isinstance(value, int | float) and type(value) is not bool and 0 <= value <= _MAX_NUMBER


def _table(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnsealError(mark("an item in it is invalid"))
    return value


def _list(facts: Mapping[str, Any], name: str, most: int) -> Sequence[Any]:
    value = facts.get(name)
    if not isinstance(value, list):
        raise UnsealError(mark("it has no {field}", field=name))
    if len(value) > most:
        raise UnsealError(mark("it has more than {most} {field}", most=most, field=name))
    return value


def _string(facts: Mapping[str, Any], name: str, longest: int) -> str:
    value = facts.get(name)
    if not isinstance(value, str) or len(value) > longest:
        raise UnsealError(mark("its {field} is missing or too long", field=name))
    value.encode("utf-8")  # a lone surrogate, which no file can hold, is a ValueError
    return value


def _bytes(facts: Mapping[str, Any], name: str, size: int | None) -> bytes:
    value = facts.get(name)
    try:
        value = base64.b64decode(value if isinstance(value, str) else "", validate=True)
    except binascii.Error:
        value = b""
    if not value or (size is not None and len(value) != size):
        raise UnsealError(mark("its {field} is missing or has the wrong length", field=name))
    return value


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _reject_constant(text: str) -> float:
    raise ValueError(f"{len(text)} letters in the place of a number")
