"""Hash lines, `kind value quality input`: `screener hash` prints them, `match` reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from screener.errors import HashError
from screener.hashing.hash import KINDS, Hash
from screener.screening.result import Reason, Result, Verdict
from screener.screening.screener import Screener

# A vPDQ of two hours with four frames per second, 80 characters each, and a name of 4,096 bytes.
_MAX_LINE_BYTES = 1 << 22

# Items in one look-up. More are not faster.
_BATCH_SIZE = 64

_QUALITY = re.compile("[0-9]{1,3}")
_VPDQ = re.compile(r"\d+,\d+,[0-9a-fA-F]{64},")
_UNSCREENED = "unscreened"
_HASHED_REASONS = (Reason.TOO_LITTLE_DETAIL,)  # of inputs that could be hashed


@dataclass(frozen=True)
class HashLine:
    """A parsed line: its hash, or its error and the reason of its result."""

    number: int
    input: str | None
    hash: Hash | None
    error: str | None = None
    reason: Reason = Reason.UNDECODABLE


def format_hash(hash: Hash, input: str) -> str:
    """Return the line for a hash of an input, whose name gets escaped control characters."""
    quality = "-" if hash.quality is None else str(hash.quality)
    return f"{hash.kind.name} {hash.text} {quality} {_escape(input)}"


def format_unscreened(reason: Reason, input: str) -> str:
    """Return the line for an incompletely hashed input, so that `match` does not clear it."""
    return f"{_UNSCREENED} {reason} - {_escape(input)}"


def _escape(name: str) -> str:
    name = name.encode("utf-8", "backslashreplace").decode("utf-8")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    # The parser strips spaces at either end.
    start, end = len(text) - len(text.lstrip(" ")), len(text.rstrip(" "))
    return "\\x20" * start + text[start:end] + "\\x20" * (len(text) - max(start, end))


def parse_line(number: int, line: bytes) -> HashLine | None:
    """Parse a line; return None for a blank line or a `#` comment. Never raises.

    The error of a bad line does not quote it, since it may contain a listed hash.
    """
    text = line.decode("utf-8", "replace")
    text = (text.removeprefix("\ufeff") if number == 1 else text).strip()
    if not text or text.startswith("#"):
        return None
    fields = text.split(maxsplit=3)
    if _VPDQ.match(text):
        return HashLine(number, None, None, "a frame in vPDQ's layout; use `hash --lines`")
    input = fields[3] if len(fields) > 3 else None
    try:
        if len(line) > _MAX_LINE_BYTES:
            raise HashError("the line is too long")
        if len(fields) < 2:
            raise HashError("a line must be `kind value [quality [input]]`")
        if fields[0] == _UNSCREENED and fields[1] in list(Reason):
            reason = Reason(fields[1])
            message = "too little detail" if reason in _HASHED_REASONS else "it could not be hashed"
            return HashLine(number, input, None, message, reason)
        if fields[0].lower() not in KINDS:  # not quoted: it may be a listed hash
            raise HashError(f"unknown kind; choose from: {', '.join(KINDS)}")
        hash = Hash.parse(fields[0].lower(), fields[1])
        if len(fields) > 2 and fields[2] != "-":
            if not _QUALITY.fullmatch(fields[2]):
                raise HashError("the quality must be an integer from 0 to 100, or `-`")
            hash = replace(hash, quality=int(fields[2]))
    except HashError as error:
        return HashLine(number, input, None, str(error))
    return HashLine(number, input, hash)


def match_lines(screener: Screener, stream: BinaryIO) -> Iterator[Result]:
    """Match the hash lines of a stream as they arrive; yield a Result per item, in order.

    Consecutive lines with one input are an item; a line without an input is its own.
    """
    number = 0
    item: list[HashLine] = []  # Its next line may not have arrived yet.
    for batch in read_batches(stream):
        complete: list[list[HashLine]] = []
        for raw in batch:
            number += 1
            if (line := parse_line(number, raw)) is None:
                continue
            if item and (line.input is None or line.input != item[0].input):
                complete.append(item)
                item = []
            item.append(line)
            if len(complete) == _BATCH_SIZE:
                yield from _match_items(screener, complete)
                complete = []
        if item and item[0].input is None:
            complete.append(item)
            item = []
        yield from _match_items(screener, complete)
    if item:
        yield from _match_items(screener, [item])


def _match_items(screener: Screener, items: list[list[HashLine]]) -> Iterator[Result]:
    names = [item[0].input or f"stdin:{item[0].number}" for item in items]
    hashes = [[line.hash for line in item if line.hash is not None] for item in items]
    results = screener.match_each(hashes, inputs=names)
    for item, result in zip(items, results, strict=True):
        bad_line = next((line for line in item if _prevents_no_match(line, screener)), None)
        if bad_line is None or result.verdict is Verdict.MATCH:
            yield result
        else:
            yield replace(
                result, verdict=Verdict.UNSCREENED, reason=bad_line.reason, detail=bad_line.error
            )


def _prevents_no_match(line: HashLine, screener: Screener) -> bool:
    """Return whether an input with this line cannot be cleared; digests need no detail."""
    if line.error is None:
        return False
    return line.reason not in _HASHED_REASONS or not screener.policy.digests_only


def read_batches(stream: BinaryIO) -> Iterator[list[bytes]]:
    """Yield the lines of a stream in batches, as they arrive; truncate overlong lines.

    So a program that waits for answers on a pipe gets them, and a file is read in large batches.
    """
    incomplete = b""
    read1 = getattr(stream, "read1", stream.read)
    while chunk := read1(1 << 18):
        *lines, incomplete = (incomplete + chunk).split(b"\n")
        if len(incomplete) > 2 * _MAX_LINE_BYTES:
            incomplete = incomplete[: _MAX_LINE_BYTES + 1]
        if lines:
            yield lines
    if incomplete:
        yield [incomplete]
