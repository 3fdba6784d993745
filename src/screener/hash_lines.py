"""Hash lines: `kind value quality input`, which `screener hash` prints and `match` reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from screener.errors import HashError
from screener.hashing.hash import Hash

# The longest line that is read as one: a name of 4,096 bytes, base64 PhotoDNA, and room to spare.
_LONGEST = 65536


@dataclass(frozen=True)
class HashLine:
    """One line as it was read: its hash, or what was wrong with it; `input` as it names it."""

    number: int
    input: str | None
    hash: Hash | None
    trouble: str | None = None


def write(hash: Hash, input: str) -> str:
    """The line for a hash of an input; characters that would break the line are escaped."""
    quality = "-" if hash.quality is None else str(hash.quality)
    name = input.encode("utf-8", "backslashreplace").decode("utf-8")
    name = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return f"{hash.kind.name} {hash.text} {quality} {name}"


def read(number: int, line: bytes) -> HashLine | None:
    """Parse one line; None for a blank line and for a `#` comment. Never raises.

    The trouble of a bad line says what is wrong with it, and never repeats it.
    """
    text = line.decode("utf-8", "replace").strip()
    if not text or text.startswith("#"):
        return None
    fields = text.split(maxsplit=3)
    input = fields[3] if len(fields) > 3 else None
    try:
        if len(line) > _LONGEST:
            raise HashError("the line is too long")
        if len(fields) < 2:
            raise HashError("a line is `kind value [quality [input]]`")
        found = Hash.parse(fields[0].lower(), fields[1])
        if len(fields) > 2 and fields[2] != "-":
            if not fields[2].isdecimal():
                raise HashError("the quality is neither a number from 0 to 100 nor `-`")
            found = replace(found, quality=int(fields[2]))
    except HashError as error:
        return HashLine(number, input, None, str(error))
    return HashLine(number, input, found)


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


def items(lines: Iterable[HashLine]) -> Iterator[list[HashLine]]:
    """Lines in a row that name one input are one item; a line that names none is its own."""
    item: list[HashLine] = []
    for line in lines:
        if item and (line.input is None or line.input != item[0].input):
            yield item
            item = []
        item.append(line)
    if item:
        yield item
