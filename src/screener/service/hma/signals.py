"""HMA's signal types and content types, and the kinds of hashes that they are here."""

from __future__ import annotations

import re
from collections.abc import Iterable

from screener.errors import HashError
from screener.hashing.hash import KINDS, Hash, HashKind
from screener.lists.store.records import find_exclusion, is_empty_digest
from screener.service.hma.answers import HmaError, quote

PDQ, MD5 = "pdq", "video_md5"
KIND_OF_SIGNAL: dict[str, HashKind] = {PDQ: KINDS["pdq"], MD5: KINDS["md5"]}
SIGNAL_OF_KIND = {kind.name: signal for signal, kind in KIND_OF_SIGNAL.items()}
SIGNAL_OF_CONTENT = {"photo": PDQ, "video": MD5}
_TITLES = {PDQ: "PDQ", MD5: "MD5"}
_PDQ_TEXT = re.compile("[0-9a-f]{64}", re.ASCII)

EMPTY = "empty: the file has no content"
LITTLE_DETAIL = "too_little_detail: the picture shows too little for its hash to be compared"


def parse_signal(signal_type: str, text: str) -> Hash | None:
    """Return the hash of a text, or None if HMA would refuse it: PDQ only in lower case."""
    if signal_type == PDQ:
        is_pdq = _PDQ_TEXT.fullmatch(text)
        return Hash.of_checked(KINDS["pdq"], bytes.fromhex(text)) if is_pdq else None
    try:
        return Hash.parse(KIND_OF_SIGNAL[signal_type].name, text)
    except HashError:
        return None


def describe_invalid(signal_type: str) -> str:
    """Return HMA's words for a text that is not a value of this type."""
    return f"invalid {_TITLES[signal_type]} hash"


def check_comparable(hash_: Hash) -> None:
    """Raise HmaError for the hash of a blank picture or an empty file, which is never compared."""
    if find_exclusion(hash_) is not None:
        raise HmaError(400, LITTLE_DETAIL)
    if is_empty_digest(hash_):
        raise HmaError(400, EMPTY)


def select_types(content_type: str, types: str | None) -> str:
    """Return the signal type of a content type, which `types`, if given, must include."""
    signal_type = SIGNAL_OF_CONTENT.get(content_type)
    if signal_type is None:
        raise HmaError(400, f"no such content_type: {quote(content_type)}")
    if types is None:
        return signal_type
    names = [name.strip() for name in types.split(",") if name.strip()]
    check_types(names)
    if not names:
        raise HmaError(400, "empty signal type selection")
    if signal_type not in names:
        raise HmaError(400, f"a {content_type} has no signal of these types, only {signal_type}")
    return signal_type


def check_types(names: Iterable[str]) -> None:
    """Raise HmaError for an unknown signal type."""
    for name in names:
        if name not in KIND_OF_SIGNAL:
            raise HmaError(400, f"signal type {quote(name)} doesn't exist or is disabled")
