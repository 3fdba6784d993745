"""A report as the JSON that is sealed: as it is written, and as it is read again.

Reading trusts nothing: whoever has the public key can seal what they please. What is not exactly a
report is refused with a sentence, and what it holds is bounded before it is looked at.
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
from screener.hotline.language.sentence import marked
from screener.hotline.model.addresses import LONGEST_ADDRESS, THE_PICTURE, is_picture
from screener.hotline.model.case import LANGUAGES, Language
from screener.hotline.model.report import (
    LONGEST_NOTE,
    MOST_ADDRESSES,
    MOST_HASHES,
    MOST_ITEMS,
    MOST_TIMES,
    MOST_UPRIGHT,
    REGIONS,
    Item,
    Report,
    Withdrawal,
)
from screener.hotline.reports.sealed import Unsealable
from screener.screening.input.located_hash import LocatedHash

_REPORT = "screener-report/1"
_WITHDRAWAL = "screener-withdrawal/1"
_REFERENCE = re.compile(r"[0-9a-f]{32}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_TYPE = re.compile(r"(?:application|audio|image|video)/[a-z0-9.+-]{1,40}", re.ASCII)
_LARGEST = 10_000_000.0  # seconds or frames


def encode(said: Report | Withdrawal) -> bytes:
    """A report or withdrawal as it is sealed."""
    if isinstance(said, Withdrawal):
        facts: dict[str, Any] = {"schema": _WITHDRAWAL, "withdrawal": _text(said.shown)}
    else:
        facts = {
            "schema": _REPORT,
            "reference": said.reference,
            "day": said.day.isoformat(),
            "language": said.language,
            "country": said.country,
            "status_key": _text(said.status_key),
            "proof": _text(said.proof),
            "addresses": list(said.addresses),
            "note": said.note,
            "items": [_item_facts(item) for item in said.items],
        }
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def decode(content: bytes) -> Report | Withdrawal:
    """Read what was sealed; Unsealable where it is not exactly a report or a withdrawal."""
    try:
        facts = json.loads(content, parse_constant=_no_number)
        if not isinstance(facts, dict):
            raise Unsealable(marked("it is no report"))
        schema = facts.get("schema")
        if schema == _WITHDRAWAL:
            return Withdrawal(_bytes(facts, "withdrawal", 32))
        if schema != _REPORT:
            raise Unsealable(marked("it is of another version than this one reads, or no report"))
        return _report(facts)
    except (ValueError, RecursionError, OverflowError):
        raise Unsealable(marked("what it holds cannot be read")) from None


def _report(facts: Mapping[str, Any]) -> Report:
    reference = _string(facts, "reference", 32)
    if not _REFERENCE.fullmatch(reference):
        raise Unsealable(marked("its reference is none"))
    language = _language(facts)
    country = facts.get("country")
    if country is not None and not (isinstance(country, str) and _COUNTRY.fullmatch(country)):
        raise Unsealable(marked("its country is none"))
    addresses = _addresses(facts)
    items = _items(facts)
    if not addresses and not any(item.hashes for item in items):
        raise Unsealable(marked("it reports nothing"))
    return Report(
        reference,
        date.fromisoformat(_string(facts, "day", 10)),
        language,
        _bytes(facts, "status_key", 32),
        _bytes(facts, "proof", 32),
        country,
        addresses,
        _string(facts, "note", LONGEST_NOTE),
        items,
    )


def _language(facts: Mapping[str, Any]) -> Language:
    for one in LANGUAGES:
        if one == facts.get("language"):
            return one
    raise Unsealable(marked("its language is none of those there are"))


def _addresses(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The addresses, each once."""
    found = [
        _string({"address": one}, "address", LONGEST_ADDRESS)
        for one in _list(facts, "addresses", MOST_ADDRESSES)
    ]
    if any(map(is_picture, found)):
        raise Unsealable(THE_PICTURE)  # which would go on into the case and its notices
    return tuple(dict.fromkeys(found))


def _items(facts: Mapping[str, Any]) -> tuple[Item, ...]:
    """The items, of which the hashes are counted before one is read."""
    found = _list(facts, "items", MOST_ITEMS)
    counts = [len(_list(_table(one), "hashes", MOST_HASHES)) for one in found]
    if sum(counts) > MOST_HASHES:
        raise Unsealable(marked("it has more than {most} hashes", most=MOST_HASHES))
    items = tuple(_item(_table(one)) for one in found)
    if sum(len(item.upright) for item in items) > MOST_UPRIGHT:
        raise Unsealable(
            marked("it has more than {most} hashes of what is upright", most=MOST_UPRIGHT)
        )
    if sum(len(one.again) for item in items for one in item.hashes) > MOST_TIMES:
        raise Unsealable(marked("it has more than {most} times", most=MOST_TIMES))
    return items


def _item(facts: Mapping[str, Any]) -> Item:
    kind = facts.get("type")
    if kind is not None and not (isinstance(kind, str) and _TYPE.fullmatch(kind)):
        raise Unsealable(marked("the type of an item is none"))
    moving = facts.get("moving")
    if not isinstance(moving, bool):
        raise Unsealable(marked("it does not say whether an item moves"))
    return Item(kind, moving, tuple(map(_located, facts["hashes"])))


def _item_facts(item: Item) -> dict[str, Any]:
    return {
        "type": item.type,
        "moving": item.moving,
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
        raise Unsealable(marked("a hash of it has not the fields that a hash has"))
    kind, value, quality, detail, orientation, region, part, time, again = row
    found = KINDS.get(kind) if isinstance(kind, str) else None
    if found is None or not found.computed:
        raise Unsealable(marked("it has a hash of a kind that a reporter's computer does not make"))
    scores = (quality, detail)
    most = 100 if found.perceptual else -1  # a digest says nothing of what is shown
    if not all(score is None or _whole(score, most) for score in scores):
        raise Unsealable(marked("a hash of it has a quality that is none"))
    if not isinstance(again, list) or not all(map(_seconds, [time, *again])):
        raise Unsealable(marked("a hash of it has a time that is none"))
    if not (
        _whole(orientation, len(ORIENTATIONS) - 1)
        and _whole(region, len(REGIONS) - 1)
        and _whole(part, int(_LARGEST))
    ):
        raise Unsealable(marked("a hash of it has a place that is none"))
    try:
        made = Hash(found, _bytes({"value": value}, "value", None), quality)
    except HashError:
        raise Unsealable(marked("it has a {kind} that is none", kind=found.name)) from None
    return LocatedHash(
        made, ORIENTATIONS[orientation], REGIONS[region], part, float(time),
        detail=detail, again=tuple(map(float, again)),
    )  # fmt: skip


def _whole(found: object, most: int) -> bool:
    return type(found) is int and 0 <= found <= most


def _seconds(found: object) -> bool:
    # A comparison, which an integer of any size bears, as a float does that is no number.
    return isinstance(found, int | float) and type(found) is not bool and 0 <= found <= _LARGEST


def _table(found: object) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise Unsealable(marked("an item of it is none"))
    return found


def _list(facts: Mapping[str, Any], name: str, most: int) -> Sequence[Any]:
    found = facts.get(name)
    if not isinstance(found, list):
        raise Unsealable(marked("it has no {field}", field=name))
    if len(found) > most:
        raise Unsealable(marked("it has more than {most} {field}", most=most, field=name))
    return found


def _string(facts: Mapping[str, Any], name: str, longest: int) -> str:
    found = facts.get(name)
    if not isinstance(found, str) or len(found) > longest:
        raise Unsealable(marked("its {field} is missing or too long", field=name))
    found.encode("utf-8")  # a lone surrogate, which no file can hold, is a ValueError
    return found


def _bytes(facts: Mapping[str, Any], name: str, size: int | None) -> bytes:
    found = facts.get(name)
    try:
        value = base64.b64decode(found if isinstance(found, str) else "", validate=True)
    except binascii.Error:
        value = b""
    if not value or (size is not None and len(value) != size):
        raise Unsealable(marked("its {field} is missing or has the wrong length", field=name))
    return value


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _no_number(text: str) -> float:
    raise ValueError(f"{len(text)} letters in the place of a number")
