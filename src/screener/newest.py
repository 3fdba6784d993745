"""Which lines of a file of results count, where inputs were screened again: the newest of each.

A line is known by two hashes: that of its input's name, and that of the state in which it was, by
size, time of last change and what decided. A line counts if no later one of its name is of another
state: a name that was given twice has two, and so have two members of an archive that share one,
whose sizes need not be equal.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of an input: its name, its state, and its state with the size of a member in it.
SEEN = np.dtype([("name", "<u8"), ("state", "<u4"), ("exact", "<u4")])
_CHUNK = 1 << 20  # lines


@dataclass(frozen=True)
class Seen:
    """What a line says of its input: the raw name, its size and time, and what decided."""

    name: bytes
    size: int | None
    mtime_ns: int | None
    decided_by: str

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Seen:
        """That of a line; KeyError, TypeError or ValueError where it is no result."""
        raw = facts.get("input_base64")
        return cls(
            (facts["input"] or "").encode("utf-8", "replace")
            if raw is None
            else base64.b64decode(raw),
            facts["bytes"],
            facts["mtime_ns"],
            decided_by(
                [(one["name"], one["generation"], one.get("stamp")) for one in facts["lists"]],
                facts["policy"],
                facts["versions"]["pixels"],
            ),
        )

    def hashes(self) -> bytes:
        """The bytes of one `SEEN`."""
        known = f"{self.mtime_ns}\0{self.decided_by}".encode("utf-8", "replace")
        size = str(self.size).encode()
        one = hashlib.blake2b(self.name, digest_size=8).digest()
        state = known if b"!" in self.name else size + b"\0" + known
        return b"".join(
            (
                one,
                hashlib.blake2b(state, digest_size=4, person=b"state").digest(),
                hashlib.blake2b(size + b"\0" + known, digest_size=4, person=b"exact").digest(),
            )
        )


def decided_by(lists: list[tuple[str, int, str | None]], policy: str, pixels: Any) -> str:
    """What decided a line: lists with their generations and the stamps of these, policy, version of
    the pixel pipeline. A line of an earlier version has no stamps, and is decided by others.
    """
    return json.dumps([lists, policy, pixels])


def superseded(seen: NDArray[np.void]) -> NDArray[np.int64]:
    """The places of the lines that do not count, ascending; `seen` are all lines in order.

    Besides `seen` it takes 8 bytes a line, and more only for names that have several.
    """
    names = np.sort(seen["name"])
    again = np.unique(names[1:][names[1:] == names[:-1]])
    del names
    if not len(again):
        return np.empty(0, np.int64)
    places = np.concatenate(
        [
            start + np.flatnonzero(_among(again, seen["name"][start : start + _CHUNK]))
            for start in range(0, len(seen), _CHUNK)
        ]
    )
    places = places[np.argsort(seen["name"][places], kind="stable")]
    named, states = seen["name"][places], seen["state"][places]
    last = np.searchsorted(named, named, side="right") - 1
    # How many lines of the name from here on are of another state than its last.
    other = np.concatenate([[0], np.cumsum(states != states[last])])
    return np.sort(places[other[last + 1] > other[:-1]])


def _among(ascending: NDArray[np.uint64], values: NDArray[np.uint64]) -> NDArray[np.bool_]:
    at = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.asarray(ascending[at] == values)
