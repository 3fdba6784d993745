"""The lines of a file of results that count: the newest of each input.

Each line is identified by two hashes: one of the input's name and place in archives, one of its
state (size, time of last change, deciding lists and policy, missing extra). A line counts if no
later line of its input has another state; an input that was given twice has two. A line for a
missing input does not supersede one from when it was there.

The hashes have 8 bytes, so two names with the same hash can be found by trying. So they are keyed
by a random key of this process, and never stored: otherwise the line of one file could be made to
replace another's.
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


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield each line with its end; the last may have none.

    Raises OSError if the file cannot be read; OutputError if it is not a regular file, whose lines
    can be read again, or if a line is too long to be a result.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OutputError(
            f"{path} is not a regular file; results are read more than once, so write them to one"
        )
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(_LONGEST):
            number += 1
            if len(line) == _LONGEST and not line.endswith(b"\n"):
                raise OutputError(
                    f"{path}, line {number}: longer than {_LONGEST:,} bytes, so it is not a result;"
                    " remove the line, or name a file of results"
                )
            yield line


# The input of a line and its state, whose lowest bit is set if the input was gone.
IDENTITY_DTYPE = np.dtype([("input", "<u8"), ("state", "<u8")])
_GONE = 1
_CHUNK = 1 << 20  # lines
_KEY = os.urandom(16)


@dataclass(frozen=True)
class LineIdentity:
    """The identity of a line: the raw name and place in archives, as Name has them; size and time;
    lists and policy; the missing extra; whether the input was `gone`; and whether the line only
    sums up the members of an archive.
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
    def of(cls, facts: Mapping[str, Any]) -> LineIdentity:
        """Return the identity of a line. Raise KeyError, TypeError or ValueError if it is no
        result.
        """
        archives = tuple(map(integer, facts.get("archives", ())))
        size, mtime_ns = _number(facts["bytes"]), _number(facts["mtime_ns"])
        return cls(
            read_name(facts),
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
    def of_result(cls, result: Result, decided_by: str) -> LineIdentity:
        """Return the identity of a Result's line."""
        name = result.input_bytes or (result.input or "").encode("utf-8", "replace")
        size, mtime_ns = result.bytes, result.mtime_ns
        return cls(
            name, result.archives, result.same, size, mtime_ns, decided_by, result.extra,
            _gone(result.verdict, size, mtime_ns),
        )  # fmt: skip

    def hashes(self) -> bytes:
        """Return the bytes of one `IDENTITY_DTYPE`."""
        state = f"{self.size} {self.mtime_ns} {self.extra} {self.decided_by}"
        one = _hash(f"{self.archives}{self.same}", self.name, b"input")
        text = state.encode("utf-8", "replace")
        digest = hashlib.blake2b(text, digest_size=8, key=_KEY, person=b"state").digest()
        return one + bytes(((digest[0] & ~_GONE) | self.gone,)) + digest[1:]

    def holders(self) -> bytes:
        """Return the archives that a member is in, the outermost first, as `hash_archive` does;
        and the input itself, if its line sums up its members.
        """
        lengths = (*self.archives, len(self.name)) if self.sums_up else self.archives
        return b"".join(
            hash_archive(
                self.name[:length], self.archives[:level], self.same[:level], self.mtime_ns
            )
            for level, length in enumerate(lengths)
        )


def hash_archive(
    name: bytes, archives: tuple[int, ...], same: tuple[int, ...], mtime_ns: int | None
) -> bytes:
    """Return a hash of 8 bytes of an archive, with the time that it shares with its members."""
    return _hash(f"{archives}{same}{mtime_ns}", name, b"archive")


def _hash(place: str, name: bytes, person: bytes) -> bytes:
    # Numbers first, since a name may have any bytes.
    data = f"{place}\0".encode() + name
    return hashlib.blake2b(data, digest_size=8, key=_KEY, person=person).digest()


def read_name(facts: Mapping[str, Any]) -> bytes:
    """Return the raw name of a line's input. Raise KeyError, TypeError or ValueError if it is no
    result.
    """
    raw = facts.get("input_base64")
    name = (facts["input"] or "").encode("utf-8", "replace")
    return name if raw is None else base64.b64decode(raw)


def _number(value: object) -> int | None:
    return None if value is None else integer(value)


def _gone(verdict: str, size: int | None, mtime_ns: int | None) -> bool:
    """Return whether nothing was there, with a time or a size. Bare hashes, which have neither, are
    never unscreened for that.
    """
    return size is None and mtime_ns is None and verdict == Verdict.UNSCREENED


def decided_by(lists: list[tuple[str, int, str | None]], policy: str, pixels: Any) -> str:
    """Return the lists (with generations and stamps), policy and pixel pipeline as a text. Lines of
    earlier versions have no stamps, and so never equal it.
    """
    return json.dumps([lists, policy, pixels])


def find_superseded(seen: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the places of the lines that do not count, ascending; `seen` are all lines in order.

    Takes 8 bytes a line besides `seen`, and more only for inputs with several lines.
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
    # A line from when it was there is not superseded by its being gone.
    there = places[~gone]
    older = _older(seen[places]) & gone
    return np.sort(np.concatenate([places[older], there[_older(seen[there])]]))


def is_gone(states: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which states are those of inputs that were gone."""
    return np.asarray(states & np.uint64(_GONE) == _GONE)


def _older(seen: NDArray[np.void]) -> NDArray[np.bool_]:
    """Return which lines, in order of input, have a later one of another state."""
    inputs, states = seen["input"], seen["state"]
    last = np.searchsorted(inputs, inputs, side="right") - 1
    # How many lines of the input from here on are of another state than its last.
    other = np.concatenate([[0], np.cumsum(states != states[last])])
    return np.asarray(other[last + 1] > other[:-1])


def _among(ascending: NDArray[np.uint64], values: NDArray[np.uint64]) -> NDArray[np.bool_]:
    at = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.asarray(ascending[at] == values)
