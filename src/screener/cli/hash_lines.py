"""Hash lines: `kind value quality input`, which `screener hash` prints and `match` reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from screener.errors import HashError
from screener.hashing.hash import KINDS, Hash
from screener.screening.result import Reason, Result, Verdict
from screener.screening.screener import Screener

# The longest line that is read as one: a name of 4,096 bytes and a vPDQ of two hours at four frames
# a second, 80 characters each.
_LONGEST = 1 << 22

# Items that are looked up at once; more are no faster.
_TOGETHER = 64

_QUALITY = re.compile("[0-9]{1,3}")
_VPDQ = re.compile(r"\d+,\d+,[0-9a-fA-F]{64},")
_UNSCREENED = "unscreened"
_SHOWN = (Reason.TOO_LITTLE_DETAIL,)  # of inputs that were hashed


@dataclass(frozen=True)
class HashLine:
    """One line as it was read: its hash, or what was wrong with it; `input` as it names it."""

    number: int
    input: str | None
    hash: Hash | None
    trouble: str | None = None
    reason: Reason = Reason.UNDECODABLE


def write(hash: Hash, input: str) -> str:
    """The line for a hash of an input; characters that would break the line are escaped."""
    quality = "-" if hash.quality is None else str(hash.quality)
    return f"{hash.kind.name} {hash.text} {quality} {_printable(input)}"


def write_trouble(reason: Reason, input: str) -> str:
    """The line for an input that could not be hashed to its end, lest `match` should clear it."""
    return f"{_UNSCREENED} {reason} - {_printable(input)}"


def _printable(name: str) -> str:
    name = name.encode("utf-8", "backslashreplace").decode("utf-8")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    # Spaces round it would be lost with those of the line, and it would be another's name.
    begun, ended = len(text) - len(text.lstrip(" ")), len(text.rstrip(" "))
    return "\\x20" * begun + text[begun:ended] + "\\x20" * (len(text) - max(begun, ended))


def read(number: int, line: bytes) -> HashLine | None:
    """Parse one line; None for a blank line and for a `#` comment. Never raises.

    The trouble of a bad line says what is wrong with it, and never repeats it.
    """
    text = line.decode("utf-8", "replace")
    text = (text.removeprefix("\ufeff") if number == 1 else text).strip()
    if not text or text.startswith("#"):
        return None
    fields = text.split(maxsplit=3)
    if _VPDQ.match(text):
        return HashLine(number, None, None, "a frame in vPDQ's own layout: `hash --lines` is read")
    input = fields[3] if len(fields) > 3 else None
    try:
        if len(line) > _LONGEST:
            raise HashError("the line is too long")
        if len(fields) < 2:
            raise HashError("a line is `kind value [quality [input]]`")
        if fields[0] == _UNSCREENED and fields[1] in list(Reason):
            reason = Reason(fields[1])
            why = "it shows too little" if reason in _SHOWN else "it could not be hashed"
            return HashLine(number, input, None, why, reason)
        if fields[0].lower() not in KINDS:  # and is not repeated: it may be a value
            raise HashError(f"its first word is no kind; one of: {', '.join(KINDS)}")
        found = Hash.parse(fields[0].lower(), fields[1])
        if len(fields) > 2 and fields[2] != "-":
            if not _QUALITY.fullmatch(fields[2]):
                raise HashError("the quality is neither a number from 0 to 100 nor `-`")
            found = replace(found, quality=int(fields[2]))
    except HashError as error:
        return HashLine(number, input, None, str(error))
    return HashLine(number, input, found)


def match(screener: Screener, stream: BinaryIO) -> Iterator[Result]:
    """Match the hash lines of a stream: one Result an item, in order, as lines arrive. Lines in a
    row that name one input are one item; a line that names none is its own.
    """
    number = 0
    item: list[HashLine] = []  # of which the next line may still be on its way
    for batch in batches(stream):
        whole: list[list[HashLine]] = []
        for raw in batch:
            number += 1
            if (line := read(number, raw)) is None:
                continue
            if item and (line.input is None or line.input != item[0].input):
                whole.append(item)
                item = []
            item.append(line)
            if len(whole) == _TOGETHER:
                yield from _match_items(screener, whole)
                whole = []
        if item and item[0].input is None:
            whole.append(item)
            item = []
        yield from _match_items(screener, whole)
    if item:
        yield from _match_items(screener, [item])


def _match_items(screener: Screener, found: list[list[HashLine]]) -> Iterator[Result]:
    names = [item[0].input or f"stdin:{item[0].number}" for item in found]
    hashes = [[line.hash for line in item if line.hash is not None] for item in found]
    results = screener.match_each(hashes, inputs=names)
    for item, result in zip(found, results, strict=True):
        bad = next((line for line in item if _counts(line, screener)), None)
        if bad is None or result.verdict is Verdict.MATCH:
            yield result
        else:
            yield replace(result, verdict=Verdict.UNSCREENED, reason=bad.reason, detail=bad.trouble)


def _counts(line: HashLine, screener: Screener) -> bool:
    """Whether a line keeps its input from being cleared; what a picture shows is the same to who
    compares digests only.
    """
    if line.trouble is None:
        return False
    return line.reason not in _SHOWN or not screener.policy.digests_only


def batches(stream: BinaryIO) -> Iterator[list[bytes]]:
    """The lines of a stream, as many at a time as have arrived: a pipe that waits for answers
    gets them, and a file is read in large batches. A line without end is cut, not kept.
    """
    rest = b""
    read1 = getattr(stream, "read1", stream.read)
    while chunk := read1(1 << 18):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > 2 * _LONGEST:
            rest = rest[: _LONGEST + 1]
        if lines:
            yield lines
    if rest:
        yield [rest]
