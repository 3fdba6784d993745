"""Single values as files write them: cleaned of what surrounds them, then read strictly."""

from __future__ import annotations

import re

from screener.errors import HashError
from screener.hashing.hash import Hash, HashKind

LONGEST_ENTRY = 1_024  # characters of a source's own id
# What nobody sees, besides: zero-width spaces, soft hyphens, and the marks that tell whether text
# runs from right to left, which systems add to what is copied from them.
_UNSEEN = (
    "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068"
    "\u2069\ufeff"
)
SURROUNDINGS = f" \t\n\r\v\f\"'\u00a0\u202f\u3000{_UNSEEN}"
_SPREADSHEET = re.compile(r"\d(?:[.,]\d*)?E[+-]?\d{1,3}", re.ASCII | re.IGNORECASE)
# Of an id, in which a lone E may stand between digits: only as a spreadsheet writes it, or what
# reads ids as floating-point numbers.
_SPREADSHEET_ID = re.compile(r"\d(?:[.,]\d*)?[Ee]\+\d{1,3}", re.ASCII)
_ALPHABET = re.compile(r"[0-9a-z+/=,\s-]*", re.ASCII | re.IGNORECASE)
# A value that damage has joined to other text. Base64 is looked for at the start of a run only:
# at each of its letters the lookahead would take quadratic time.
_WITHIN = re.compile(
    r"[0-9a-f]{24,}|(?<![A-Za-z0-9+/])(?=[A-Za-z+/]*[0-9])[A-Za-z0-9+/]{43,}", re.A | re.I
)
# A value of a kind that is searched, by its lengths in hex, and in base64 as some write 32 bytes.
_HASHLIKE = re.compile(
    r"(?:0x)?(?:[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})|[0-9a-z+/]{43}=", re.A | re.I
)
_OF_VIDEOS = ("vpdq", "tmk_pdqf")
_QUALITIES = {str(quality): quality for quality in range(101)}
PLAIN_QUALITIES = {"": -1, **_QUALITIES}  # -1: not recorded
_QUALITY = re.compile(r"(\d{1,3})(?:\.0*)?", re.ASCII)


class BadCell(Exception):
    """A cell that cannot be read; says why, in words that never repeat it."""


def cleaned(cell: str) -> str:
    """The cell without quotes, spaces and invisible characters round it, and without the `="…"`
    that has a spreadsheet take it for text.
    """
    return cell.lstrip(SURROUNDINGS).removeprefix('="').strip(SURROUNDINGS)


def read_hash(kind: HashKind, cell: str, quality: int | None = None) -> Hash:
    """The hash in a cell that is not empty; raises BadCell. The quality is one.

    What `cleaned` takes away, a `0x` and spaces between hex digits are forgiven; nothing else is.
    """
    if kind.name in _OF_VIDEOS:
        return _read_video(kind, cell, quality)
    try:
        value = bytes.fromhex(cell)
        if len(value) == kind.size:
            return Hash.of_checked(kind, value, quality)
    except ValueError:
        pass
    text = cleaned(cell)
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
        return Hash.parse(kind.name, cleaned(cell), quality=quality)
    except HashError as error:
        raise BadCell(str(error).rpartition(": ")[2]) from None


def _why_not_a_hash(text: str, kind: HashKind) -> str:
    if _SPREADSHEET.fullmatch(text):
        return "damaged by a spreadsheet"
    if len(text) == 2 * kind.size or not _ALPHABET.fullmatch(text):
        return "bad characters"
    return "wrong length"


def why_no_id(entry: str) -> str | None:
    """Why a cleaned text is no id of an item, None where it is: one that a spreadsheet has rounded
    is that of many others too, and what one of them says would be said of all.
    """
    if len(entry) > LONGEST_ENTRY:
        return "field too long"
    return "damaged by a spreadsheet" if _SPREADSHEET_ID.fullmatch(entry) else None


def read_quality(cell: str) -> int | None:
    """A detail score from 0 to 100, None where the cell is empty; raises BadCell."""
    if cell in _QUALITIES:  # as they are written as a rule
        return _QUALITIES[cell]
    text = cleaned(cell)
    if not text:
        return None
    whole = _QUALITY.fullmatch(text)
    if whole is None or int(whole[1]) > 100:
        raise BadCell("bad quality")
    return int(whole[1])


def is_hashlike(text: str) -> bool:
    """Whether a cleaned text is like a value of a kind that is searched: hex or base64 as long. A
    number, of which ids are made, is not.
    """
    return _HASHLIKE.fullmatch(text) is not None and not text.isdecimal()


def looks_like_a_value(cell: str) -> bool:
    """Whether a cell may hold a hash, so that it must neither name a column nor be shown. Digits of
    hex may have spaces between them; letters that have are words.
    """
    text = cleaned(cell)
    return bool(
        re.fullmatch(r"(?:0x)?[0-9a-f]{16,}", "".join(text.split()), re.ASCII | re.IGNORECASE)
        or (re.fullmatch(r"[A-Za-z0-9+/=]{32,}", text, re.ASCII) and re.search(r"[0-9+/=]", text))
        or _SPREADSHEET.fullmatch(text)
        or _WITHIN.search(text)
    )
