"""The lines of a file of results, and which of them count: the newest of each input.

Each line is identified by two hashes: one of the input's name and position in archives, one of its
state (size, time of last change, deciding lists and policy, missing extra). A line counts if no
later line of its input has another state; an input that was given twice has two. A line for an
input that no longer exists does not supersede an earlier line.

The hashes have 8 bytes, so an attacker could find two names with the same hash and let the line of
one file replace another's. So they depend on a random key of this process, and are never stored.
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
from screener.screening.result import Result, Verdict, is_counted_line

# A line of half a million matches is shorter.
_MAX_LINE_BYTES = 1 << 28

PARQUET_MAGIC = b"PAR1"
"""The first bytes of a Parquet file."""


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield each line with its line end, which the last line may lack.

    Raises OSError if the file cannot be read, and OutputError if it is not a regular file, which
    can be read again, if it is Parquet, or if a line is too long to be a result.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OutputError(
            f"{path} is not a regular file; results are read more than once, so write them to one"
        )
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(_MAX_LINE_BYTES):
            number += 1
            if number == 1 and line.startswith(PARQUET_MAGIC):
                raise OutputError(
                    f"{path} is a table in Parquet: name the lines that it was made of,"
                    f" {path}.jsonl, which the scan wrote beside it"
                )
            if len(line) == _MAX_LINE_BYTES and not line.endswith(b"\n"):
                raise OutputError(
                    f"{path}, line {number}: longer than {_MAX_LINE_BYTES:,} bytes, so it is not a"
                    " result; remove the line, or name a file of results"
                )
            yield line


# The hashes of a line. The lowest bit of `state` is set if the input did not exist.
IDENTITY_DTYPE = np.dtype([("input", "<u8"), ("state", "<u8")])
_MISSING_BIT = 1
_CHUNK_LINES = 1 << 20
_HASH_KEY = os.urandom(16)


@dataclass(frozen=True)
class LineIdentity:
    """The identity of a result line.

    Attributes:
        name, archives, same: The name and the position in archives, as in Name.
        size, mtime_ns: The size and the time of the last change.
        decided_by: The lists, policy and pixel pipeline (see `decided_by`).
        extra: The missing extra.
        is_missing: Whether the input did not exist.
        is_summary: Whether the line only summarises the members of an archive.
    """

    name: bytes
    archives: tuple[int, ...]
    same: tuple[int, ...]
    size: int | None
    mtime_ns: int | None
    decided_by: str
    extra: str | None = None
    is_missing: bool = False
    is_summary: bool = False

    @classmethod
    def from_line(cls, fields: Mapping[str, Any]) -> LineIdentity:
        """Return the identity of a parsed line.

        Raises KeyError, TypeError or ValueError if it is not a result.
        """
        archives = tuple(map(integer, fields.get("archives", ())))
        size, mtime_ns = _optional_integer(fields["bytes"]), _optional_integer(fields["mtime_ns"])
        return cls(
            read_name(fields),
            archives,
            tuple(map(integer, fields.get("same", [0] * len(archives)))),
            size,
            mtime_ns,
            decided_by(
                [
                    (list_["name"], list_["generation"], list_.get("stamp"))
                    for list_ in fields["lists"]
                ],
                fields["policy"],
                fields["versions"]["pixels"],
            ),
            fields.get("extra"),
            _is_input_missing(fields["verdict"], size, mtime_ns),
            not is_counted_line(fields),
        )

    @classmethod
    def from_result(cls, result: Result, decided_by: str) -> LineIdentity:
        """Return the identity of a Result's line."""
        name = result.input_bytes or (result.input or "").encode("utf-8", "replace")
        size, mtime_ns = result.bytes, result.mtime_ns
        return cls(
            name, result.archives, result.same, size, mtime_ns, decided_by, result.extra,
            _is_input_missing(result.verdict, size, mtime_ns),
        )  # fmt: skip

    def hashes(self) -> bytes:
        """Return the hashes of the line as the bytes of one `IDENTITY_DTYPE`."""
        state = f"{self.size} {self.mtime_ns} {self.extra} {self.decided_by}"
        input_hash = _hash(f"{self.archives}{self.same}", self.name, b"input")
        text = state.encode("utf-8", "replace")
        digest = hashlib.blake2b(text, digest_size=8, key=_HASH_KEY, person=b"state").digest()
        return input_hash + bytes(((digest[0] & ~_MISSING_BIT) | self.is_missing,)) + digest[1:]

    def archive_hashes(self) -> bytes:
        """Return the hashes of the archives that contain a member, the outermost first.

        The hash of the input itself follows if its line summarises its members.
        """
        lengths = (*self.archives, len(self.name)) if self.is_summary else self.archives
        return b"".join(
            hash_archive(
                self.name[:length], self.archives[:level], self.same[:level], self.mtime_ns
            )
            for level, length in enumerate(lengths)
        )


def hash_archive(
    name: bytes, archives: tuple[int, ...], same: tuple[int, ...], mtime_ns: int | None
) -> bytes:
    """Return a hash of 8 bytes of an archive and its time, which its members share."""
    return _hash(f"{archives}{same}{mtime_ns}", name, b"archive")


def _hash(numbers: str, name: bytes, person: bytes) -> bytes:
    # Numbers first, since a name may contain any bytes.
    data = f"{numbers}\0".encode() + name
    return hashlib.blake2b(data, digest_size=8, key=_HASH_KEY, person=person).digest()


def read_name(fields: Mapping[str, Any]) -> bytes:
    """Return the raw name of a parsed line's input.

    Raises KeyError, TypeError or ValueError if it is not a result.
    """
    raw = fields.get("input_base64")
    name = (fields["input"] or "").encode("utf-8", "replace")
    return name if raw is None else base64.b64decode(raw)


def _optional_integer(value: object) -> int | None:
    return None if value is None else integer(value)


def _is_input_missing(verdict: str, size: int | None, mtime_ns: int | None) -> bool:
    """Return whether the input did not exist.

    Bare hashes have no size and no time either, but are never unscreened for that.
    """
    return size is None and mtime_ns is None and verdict == Verdict.UNSCREENED


def decided_by(lists: list[tuple[str, int, str | None]], policy: str, pixels: Any) -> str:
    """Return the lists (with generations and stamps), policy and pixel pipeline as a text.

    Lines of earlier versions have no stamps, so their texts differ.
    """
    return json.dumps([lists, policy, pixels])


def find_superseded(lines: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the indices of the lines that do not count, ascending.

    `lines` has the identities of all lines in order. Takes 8 more bytes per line, and more only for
    inputs with several lines.
    """
    inputs = np.sort(lines["input"])
    repeated = np.unique(inputs[1:][inputs[1:] == inputs[:-1]])
    del inputs
    if not len(repeated):
        return np.empty(0, np.int64)
    indices = np.concatenate(
        [
            start
            + np.flatnonzero(_is_among(repeated, lines["input"][start : start + _CHUNK_LINES]))
            for start in range(0, len(lines), _CHUNK_LINES)
        ]
    )
    indices = indices[np.argsort(lines["input"][indices], kind="stable")]
    is_missing = find_missing(lines["state"][indices])
    # A line of an existing input is not superseded by one that reports it as missing.
    existing = indices[~is_missing]
    older = _find_older(lines[indices]) & is_missing
    return np.sort(np.concatenate([indices[older], existing[_find_older(lines[existing])]]))


def find_missing(states: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return a mask of the states of inputs that did not exist."""
    return np.asarray(states & np.uint64(_MISSING_BIT) == _MISSING_BIT)


def _find_older(lines: NDArray[np.void]) -> NDArray[np.bool_]:
    """Return a mask of the lines that have a later line of another state.

    The lines are in order of input.
    """
    inputs, states = lines["input"], lines["state"]
    last = np.searchsorted(inputs, inputs, side="right") - 1
    # The number of earlier lines whose state is not the last of their input.
    differing = np.concatenate([[0], np.cumsum(states != states[last])])
    return np.asarray(differing[last + 1] > differing[:-1])


def _is_among(ascending: NDArray[np.uint64], values: NDArray[np.uint64]) -> NDArray[np.bool_]:
    indices = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.asarray(ascending[indices] == values)
