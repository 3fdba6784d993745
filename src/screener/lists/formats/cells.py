"""Read single cells of files: strip what surrounds the value, then parse it strictly."""

from __future__ import annotations

import re

from screener.errors import HashError
from screener.hashing.hash import Hash, HashKind

MAX_ENTRY_CHARS = 1_024  # a source's id of an entry
# Zero-width spaces, soft hyphens and marks of text direction, which systems add to copied text.
_INVISIBLE_CHARS = (
    "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068"
    "\u2069\ufeff"
)
STRIPPED_CHARS = f" \t\n\r\v\f\"'\u00a0\u202f\u3000{_INVISIBLE_CHARS}"
_ROUNDED_NUMBER = re.compile(r"\d(?:[.,]\d*)?E[+-]?\d{1,3}", re.ASCII | re.IGNORECASE)
# An id may contain an E between digits, so match only what spreadsheets and floating-point
# readers write.
_ROUNDED_ID = re.compile(r"\d(?:[.,]\d*)?[Ee]\+\d{1,3}", re.ASCII)
_VALUE_CHARS = re.compile(r"[0-9a-z+/=,\s-]*", re.ASCII | re.IGNORECASE)
# A value joined to other text by damage. Base64 is matched only at the start of a run: a lookahead
# at each letter would take quadratic time.
_EMBEDDED_VALUE = re.compile(
    r"[0-9a-f]{24,}|(?<![A-Za-z0-9+/])(?=[A-Za-z+/]*[0-9])[A-Za-z0-9+/]{43,}", re.A | re.I
)
# A text with the length of a searchable value in hex, or of 32 bytes in base64.
_HASH_LENGTHS = re.compile(
    r"(?:0x)?(?:[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})|[0-9a-z+/]{43}=", re.A | re.I
)
_VIDEO_KINDS = ("vpdq", "tmk_pdqf")
_PLAIN_QUALITIES = {str(quality): quality for quality in range(101)}
QUALITY_CODES = {"": -1, **_PLAIN_QUALITIES}  # -1: not recorded
_QUALITY_TEXT = re.compile(r"(\d{1,3})(?:\.0*)?", re.ASCII)


class BadCell(Exception):
    """An unreadable cell; the message never repeats the cell."""


def clean_cell(cell: str) -> str:
    """Strip quotes, spaces, invisible characters and a spreadsheet's `="…"`."""
    return cell.lstrip(STRIPPED_CHARS).removeprefix('="').strip(STRIPPED_CHARS)


def read_hash(kind: HashKind, cell: str, quality: int | None = None) -> Hash:
    """Parse the hash in a non-empty cell; raise BadCell if it is damaged.

    Around it, only the characters that `clean_cell` strips and a `0x` are accepted; inside it, only
    spaces.
    """
    if kind.name in _VIDEO_KINDS:
        return _read_video_hash(kind, cell, quality)
    try:
        value = bytes.fromhex(cell)
        if len(value) == kind.size:
            return Hash.of_checked(kind, value, quality)
    except ValueError:
        pass
    text = clean_cell(cell)
    if "," not in text:
        text = "".join(text.split())
    if len(text) == 2 * kind.size + 2 and text[:2] in ("0x", "0X"):
        text = text[2:]
    try:
        return Hash.parse(kind.name, text, quality=quality)
    except HashError:
        raise BadCell(_describe_fault(text, kind)) from None


def _read_video_hash(kind: HashKind, cell: str, quality: int | None) -> Hash:
    try:
        return Hash.parse(kind.name, clean_cell(cell), quality=quality)
    except HashError as error:
        raise BadCell(str(error).rpartition(": ")[2]) from None


def _describe_fault(text: str, kind: HashKind) -> str:
    if _ROUNDED_NUMBER.fullmatch(text):
        return "damaged by a spreadsheet"
    if len(text) == 2 * kind.size or not _VALUE_CHARS.fullmatch(text):
        return "bad characters"
    return "wrong length"


def find_id_fault(entry: str) -> str | None:
    """Return the fault of a cleaned text as an id, or None.

    An id rounded by a spreadsheet would stand for many different items.
    """
    if len(entry) > MAX_ENTRY_CHARS:
        return "field too long"
    return "damaged by a spreadsheet" if _ROUNDED_ID.fullmatch(entry) else None


def read_quality(cell: str) -> int | None:
    """Return the quality in a cell, or None if it is empty.

    Raises BadCell unless it is an integer from 0 to 100.
    """
    if cell in _PLAIN_QUALITIES:  # the usual form
        return _PLAIN_QUALITIES[cell]
    text = clean_cell(cell)
    if not text:
        return None
    match = _QUALITY_TEXT.fullmatch(text)
    if match is None or int(match[1]) > 100:
        raise BadCell("bad quality")
    return int(match[1])


def is_hash_length(text: str) -> bool:
    """Return whether a cleaned text has the length of a searchable value.

    Decimal numbers do not count, since ids are often decimal.
    """
    return _HASH_LENGTHS.fullmatch(text) is not None and not text.isdecimal()


def may_be_hash(cell: str) -> bool:
    """Return whether a cell may contain a hash, perhaps with spaces between hex digits.

    Such a cell must neither name a column nor be shown.
    """
    text = clean_cell(cell)
    return bool(
        re.fullmatch(r"(?:0x)?[0-9a-f]{16,}", "".join(text.split()), re.ASCII | re.IGNORECASE)
        or (re.fullmatch(r"[A-Za-z0-9+/=]{32,}", text, re.ASCII) and re.search(r"[0-9+/=]", text))
        or _ROUNDED_NUMBER.fullmatch(text)
        or _EMBEDDED_VALUE.search(text)
    )
