"""The lines of a file of results, without those that a later line replaces."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screener.errors import OutputError
from screener.scanning.result_lines import (
    IDENTITY_DTYPE,
    LineIdentity,
    find_superseded,
    read_lines,
    read_name,
)
from screener.screening.result import SCHEMA, Verdict


def parse_line(line: bytes) -> dict[str, Any] | None:
    """Return the fields of a result line, or None if it is damaged."""
    try:
        fields = json.loads(line)
        is_result = fields["schema"] == SCHEMA and isinstance(fields["verdict"], str)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return fields if is_result else None


def _read_lines(path: Path) -> Iterator[bytes]:
    try:
        yield from read_lines(path)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error


def read_newest_lines(path: Path, older: NDArray[np.int64]) -> Iterator[bytes]:
    """Yield the lines of a file except those with `older` numbers, from `find_older_lines`."""
    older_numbers = iter(older.tolist())
    skipped = next(older_numbers, None)
    for number, line in enumerate(_read_lines(path)):
        if number == skipped:
            skipped = next(older_numbers, None)
        else:
            yield line


def find_older_lines(path: Path) -> tuple[NDArray[np.int64], int]:
    """Return the numbers, from 0, of lines whose inputs were screened again later.

    Also return the number of inputs that match only by such a line. This takes 25 bytes of memory
    per line.
    """
    packed, matched = bytearray(), bytearray()
    for number, fields in enumerate(map(parse_line, _read_lines(path))):
        matched.append(fields is not None and fields["verdict"] == Verdict.MATCH)
        try:
            if fields is None or fields["input"] is None:
                raise ValueError
            packed += LineIdentity.from_line(fields).hashes()
        except (ValueError, KeyError, TypeError, AttributeError):
            # The line's number makes it unlike any other line.
            packed += number.to_bytes(8, "little") + bytes(IDENTITY_DTYPE.itemsize - 8)
    lines, is_match = np.frombuffer(packed, IDENTITY_DTYPE), np.frombuffer(matched, np.bool_)
    older = find_superseded(lines)
    is_newest_match = is_match.copy()
    is_newest_match[older] = False
    matched_before = lines["input"][older[is_match[older]]]
    return older, len(np.setdiff1d(matched_before, lines["input"][is_newest_match]))


def find_archive(fields: Mapping[str, Any]) -> str | None:
    """Return the archive file that contains a line's input, or None."""
    archives = fields.get("archives")
    if not archives:
        return None
    return read_name(fields)[: archives[0]].decode("utf-8", "replace")


def parse_mtime(mtime_ns: int | None) -> datetime | None:
    """Return the date of a file's last change, or None if there is none."""
    if mtime_ns is None:
        return None
    try:
        return datetime.fromtimestamp(mtime_ns / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return None
