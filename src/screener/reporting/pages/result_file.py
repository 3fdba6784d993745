"""The lines of a file of results that count, and the facts that they state."""

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


def facts_of(line: bytes) -> dict[str, Any] | None:
    """Return the facts of a result line, or None if it is damaged, as after a crash."""
    try:
        facts = json.loads(line)
        is_result = facts["schema"] == SCHEMA and isinstance(facts["verdict"], str)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return facts if is_result else None


def _lines_of(path: Path) -> Iterator[bytes]:
    """Yield all result lines of a file. Raises OutputError as `read`."""
    try:
        yield from read_lines(path)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error


def counting(path: Path, older: NDArray[np.int64]) -> Iterator[bytes]:
    """Yield the lines of a file except those at `older` places, from `older_lines`."""
    places = iter(older.tolist())
    skipped = next(places, None)
    for number, line in enumerate(_lines_of(path)):
        if number == skipped:
            skipped = next(places, None)
        else:
            yield line


def older_lines(path: Path) -> tuple[NDArray[np.int64], int]:
    """Return the places, from 0, of lines whose inputs were screened again later.

    Also return how many inputs match only by such a line. This takes 25 bytes of memory per line.
    """
    seen, matched = bytearray(), bytearray()
    for number, facts in enumerate(map(facts_of, _lines_of(path))):
        matched.append(facts is not None and facts["verdict"] == Verdict.MATCH)
        try:
            if facts is None or facts["input"] is None:
                raise ValueError
            seen += LineIdentity.from_line(facts).hashes()
        except (ValueError, KeyError, TypeError, AttributeError):
            # No other line is of the same input.
            seen += number.to_bytes(8, "little") + bytes(IDENTITY_DTYPE.itemsize - 8)
    lines, match = np.frombuffer(seen, IDENTITY_DTYPE), np.frombuffer(matched, np.bool_)
    older = find_superseded(lines)
    counts = match.copy()
    counts[older] = False
    before = lines["input"][older[match[older]]]
    return older, len(np.setdiff1d(before, lines["input"][counts]))


def archive_of(facts: Mapping[str, Any]) -> str | None:
    """Return the archive file that contains a line's input, or None."""
    archives = facts.get("archives")
    if not archives:
        return None
    return read_name(facts)[: archives[0]].decode("utf-8", "replace")


def moment(mtime_ns: int | None) -> datetime | None:
    """Return when a file was last changed; None if unknown or not a date."""
    if mtime_ns is None:
        return None
    try:
        return datetime.fromtimestamp(mtime_ns / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return None
