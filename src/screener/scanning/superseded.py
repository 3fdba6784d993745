"""Which lines of a file of results count, where inputs were screened again: the newest of each.

A line is known by two hashes: that of its input, by name and place in archives, and that of the
state in which it was, by size, time of last change, what decided and what it could not be decoded
for want of. A line counts if no later one of its input is of another state: an input that was given
twice has two. A line that says no more than that nothing was there is no newer state of what was.

The hashes are of 8 bytes, so that two names of one hash can be looked for: whoever names the files
could have the line of one take the place of another's. So they are made with a key that nobody
knows, another in each process, and are never kept.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screener.arguments import integer
from screener.errors import OutputError
from screener.screening.result import Result, Verdict, line_counts

# Bytes; a line of half a million matches is shorter.
_LONGEST = 1 << 28


def read(path: Path) -> Iterator[bytes]:
    """Each line with its end; the last may have none.

    OSError where the file cannot be read. OutputError where it is no regular file, of which a pipe
    gives its lines once, and where a line is too long to be a result: it may have no end.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OutputError(
            f"{path} is no regular file, and results are read more than once: write them to one"
        )
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(_LONGEST):
            number += 1
            if len(line) == _LONGEST and not line.endswith(b"\n"):
                raise OutputError(
                    f"{path}, line {number}: longer than {_LONGEST:,} bytes, which no result is;"
                    " something else was written there, or this is no file of results"
                )
            yield line


# Of a line: its input, and its state, whose lowest bit says that nothing was there.
SEEN = np.dtype([("input", "<u8"), ("state", "<u8")])
_GONE = 1
_CHUNK = 1 << 20  # lines
_KEY = os.urandom(16)


@dataclass(frozen=True)
class Seen:
    """What a line says of its input: the raw name and the place in archives, as Name has them; size
    and time, what decided, the extra that it names, whether it says only that nothing was there
    to be screened, and whether it only sums up the members of an archive.
    """

    name: bytes
    archives: tuple[int, ...]
    same: tuple[int, ...]
    size: int | None
    mtime_ns: int | None
    decided_by: str
    extra: str | None = None
    gone: bool = False
    sums_up: bool = False

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Seen:
        """That of a line; KeyError, TypeError or ValueError where it is no result."""
        archives = tuple(map(integer, facts.get("archives", ())))
        size, mtime_ns = _number(facts["bytes"]), _number(facts["mtime_ns"])
        return cls(
            name_in(facts),
            archives,
            tuple(map(integer, facts.get("same", [0] * len(archives)))),
            size,
            mtime_ns,
            decided_by(
                [(one["name"], one["generation"], one.get("stamp")) for one in facts["lists"]],
                facts["policy"],
                facts["versions"]["pixels"],
            ),
            facts.get("extra"),
            _gone(facts["verdict"], size, mtime_ns),
            not line_counts(facts),
        )

    @classmethod
    def of_result(cls, result: Result, decided_by: str) -> Seen:
        """That of the line of a Result, by what decided it."""
        name = result.input_bytes or (result.input or "").encode("utf-8", "replace")
        size, mtime_ns = result.bytes, result.mtime_ns
        return cls(
            name, result.archives, result.same, size, mtime_ns, decided_by, result.extra,
            _gone(result.verdict, size, mtime_ns),
        )  # fmt: skip

    def hashes(self) -> bytes:
        """The bytes of one `SEEN`."""
        known = f"{self.size} {self.mtime_ns} {self.extra} {self.decided_by}"
        one = _hash(f"{self.archives}{self.same}", self.name, b"input")
        told = known.encode("utf-8", "replace")
        state = hashlib.blake2b(told, digest_size=8, key=_KEY, person=b"state").digest()
        return one + bytes(((state[0] & ~_GONE) | self.gone,)) + state[1:]

    def holders(self) -> bytes:
        """The archives that a member is in, the outermost first, as `hash_of_archive` has each; and
        the input, if its line sums up its own members.
        """
        lengths = (*self.archives, len(self.name)) if self.sums_up else self.archives
        return b"".join(
            hash_of_archive(
                self.name[:length], self.archives[:level], self.same[:level], self.mtime_ns
            )
            for level, length in enumerate(lengths)
        )


def hash_of_archive(
    name: bytes, archives: tuple[int, ...], same: tuple[int, ...], mtime_ns: int | None
) -> bytes:
    """A hash of 8 bytes of an archive, by the time that it and its members have."""
    return _hash(f"{archives}{same}{mtime_ns}", name, b"archive")


def _hash(place: str, name: bytes, person: bytes) -> bytes:
    # Numbers first, since a name may have any bytes.
    data = f"{place}\0".encode() + name
    return hashlib.blake2b(data, digest_size=8, key=_KEY, person=person).digest()


def name_in(facts: Mapping[str, Any]) -> bytes:
    """The raw name of a line's input; KeyError, TypeError or ValueError where it is no result."""
    raw = facts.get("input_base64")
    name = (facts["input"] or "").encode("utf-8", "replace")
    return name if raw is None else base64.b64decode(raw)


def _number(said: object) -> int | None:
    return None if said is None else integer(said)


def _gone(verdict: str, size: int | None, mtime_ns: int | None) -> bool:
    """Whether a line is of no state that an input was in: there was nothing with a time or a size.
    What was matched by hashes alone has neither, and was screened.
    """
    return size is None and mtime_ns is None and verdict == Verdict.UNSCREENED


def decided_by(lists: list[tuple[str, int, str | None]], policy: str, pixels: Any) -> str:
    """What decided a line: lists with their generations and the stamps of these, policy, version of
    the pixel pipeline. A line of an earlier version has no stamps, and is decided by others.
    """
    return json.dumps([lists, policy, pixels])


def superseded(seen: NDArray[np.void]) -> NDArray[np.int64]:
    """The places of the lines that do not count, ascending; `seen` are all lines in order.

    Besides `seen` it takes 8 bytes a line, and more only for inputs that have several.
    """
    inputs = np.sort(seen["input"])
    again = np.unique(inputs[1:][inputs[1:] == inputs[:-1]])
    del inputs
    if not len(again):
        return np.empty(0, np.int64)
    places = np.concatenate(
        [
            start + np.flatnonzero(_among(again, seen["input"][start : start + _CHUNK]))
            for start in range(0, len(seen), _CHUNK)
        ]
    )
    places = places[np.argsort(seen["input"][places], kind="stable")]
    gone = is_gone(seen["state"][places])
    # What was there is superseded by what was there later, and not by its being gone.
    there = places[~gone]
    older = _older(seen[places]) & gone
    return np.sort(np.concatenate([places[older], there[_older(seen[there])]]))


def is_gone(states: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which states say no more than that nothing was there."""
    return np.asarray(states & np.uint64(_GONE) == _GONE)


def _older(seen: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which of some lines, by their inputs and in order, have a later one of another state."""
    inputs, states = seen["input"], seen["state"]
    last = np.searchsorted(inputs, inputs, side="right") - 1
    # How many lines of the input from here on are of another state than its last.
    other = np.concatenate([[0], np.cumsum(states != states[last])])
    return np.asarray(other[last + 1] > other[:-1])


def _among(ascending: NDArray[np.uint64], values: NDArray[np.uint64]) -> NDArray[np.bool_]:
    at = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.asarray(ascending[at] == values)
