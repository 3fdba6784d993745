"""Read single values of files: clean off what surrounds them, then parse strictly."""

from __future__ import annotations

import re

from screener.errors import HashError
from screener.hashing.hash import Hash, HashKind

MAX_ENTRY_CHARS = 1_024  # characters of a source's own id
# Invisible characters besides: zero-width spaces, soft hyphens, and marks of text direction, which
# systems add to copied text.
_UNSEEN = (
    "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068"
    "\u2069\ufeff"
)
SURROUNDINGS = f" \t\n\r\v\f\"'\u00a0\u202f\u3000{_UNSEEN}"
_SPREADSHEET = re.compile(r"\d(?:[.,]\d*)?E[+-]?\d{1,3}", re.ASCII | re.IGNORECASE)
# In ids a lone E may stand between digits, so only match what spreadsheets and floating-point
# readers write.
_SPREADSHEET_ID = re.compile(r"\d(?:[.,]\d*)?[Ee]\+\d{1,3}", re.ASCII)
_ALPHABET = re.compile(r"[0-9a-z+/=,\s-]*", re.ASCII | re.IGNORECASE)
# A value that damage has joined to other text. Base64 is matched at the start of a run only: a
# lookahead at each letter would take quadratic time.
_WITHIN = re.compile(
    r"[0-9a-f]{24,}|(?<![A-Za-z0-9+/])(?=[A-Za-z+/]*[0-9])[A-Za-z0-9+/]{43,}", re.A | re.I
)
# A value of a searchable kind, by its length in hex, or in base64 for 32 bytes.
_HASHLIKE = re.compile(
    r"(?:0x)?(?:[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})|[0-9a-z+/]{43}=", re.A | re.I
)
_OF_VIDEOS = ("vpdq", "tmk_pdqf")
_QUALITIES = {str(quality): quality for quality in range(101)}
PLAIN_QUALITIES = {"": -1, **_QUALITIES}  # -1: not recorded
_QUALITY = re.compile(r"(\d{1,3})(?:\.0*)?", re.ASCII)


class BadCell(Exception):
    """An unreadable cell; the message never repeats the cell."""


def clean_cell(cell: str) -> str:
    """Strip quotes, spaces, invisible characters and a spreadsheet's `="…"`."""
    return cell.lstrip(SURROUNDINGS).removeprefix('="').strip(SURROUNDINGS)


def read_hash(kind: HashKind, cell: str, quality: int | None = None) -> Hash:
    """Parse the hash in a non-empty cell; raise BadCell.

    Surroundings that `cleaned` strips, a `0x` and spaces between hex digits are accepted, and
    nothing else.
    """
    if kind.name in _OF_VIDEOS:
        return _read_video(kind, cell, quality)
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
        raise BadCell(_why_not_a_hash(text, kind)) from None


def _read_video(kind: HashKind, cell: str, quality: int | None) -> Hash:
    try:
        return Hash.parse(kind.name, clean_cell(cell), quality=quality)
    except HashError as error:
        raise BadCell(str(error).rpartition(": ")[2]) from None


def _why_not_a_hash(text: str, kind: HashKind) -> str:
    if _SPREADSHEET.fullmatch(text):
        return "damaged by a spreadsheet"
    if len(text) == 2 * kind.size or not _ALPHABET.fullmatch(text):
        return "bad characters"
    return "wrong length"


def find_id_fault(entry: str) -> str | None:
    """Return why a cleaned text cannot be an id, or None if it can.

    An id rounded by a spreadsheet is that of many other items, which would all share one fate.
    """
    if len(entry) > MAX_ENTRY_CHARS:
        return "field too long"
    return "damaged by a spreadsheet" if _SPREADSHEET_ID.fullmatch(entry) else None


def read_quality(cell: str) -> int | None:
    """Parse a quality from 0 to 100, None if the cell is empty; raise BadCell."""
    if cell in _QUALITIES:  # the usual form
        return _QUALITIES[cell]
    text = clean_cell(cell)
    if not text:
        return None
    whole = _QUALITY.fullmatch(text)
    if whole is None or int(whole[1]) > 100:
        raise BadCell("bad quality")
    return int(whole[1])


def is_hash_length(text: str) -> bool:
    """Return whether a cleaned text has the length of a searchable value in hex or base64.

    Decimal numbers, which ids are made of, do not count.
    """
    return _HASHLIKE.fullmatch(text) is not None and not text.isdecimal()


def may_be_hash(cell: str) -> bool:
    """Return whether a cell may contain a hash, so that it must neither name a column nor be shown.

    Hex digits may have spaces between them; letters with spaces are words.
    """
    text = clean_cell(cell)
    return bool(
        re.fullmatch(r"(?:0x)?[0-9a-f]{16,}", "".join(text.split()), re.ASCII | re.IGNORECASE)
        or (re.fullmatch(r"[A-Za-z0-9+/=]{32,}", text, re.ASCII) and re.search(r"[0-9+/=]", text))
        or _SPREADSHEET.fullmatch(text)
        or _WITHIN.search(text)
    )
