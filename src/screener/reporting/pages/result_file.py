"""Lines: those of a file of results that count, read one by one, and what they say of a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screener.errors import OutputError
from screener.scanning import superseded as result_lines
from screener.scanning.superseded import SEEN, Seen, name_in, superseded
from screener.screening.result import SCHEMA, Verdict


def facts_of(line: bytes) -> dict[str, Any] | None:
    """Return what a result line says, or None if it cannot be read, as a crash may leave it."""
    try:
        facts = json.loads(line)
        known = facts["schema"] == SCHEMA and isinstance(facts["verdict"], str)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return facts if known else None


def _lines_of(path: Path) -> Iterator[bytes]:
    """Yield all result lines of a file. Raises OutputError as `result_lines.read`."""
    try:
        yield from result_lines.read(path)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error


def counting(path: Path, older: NDArray[np.int64]) -> Iterator[bytes]:
    """Yield the lines of a file but those at `older` places, which `older_lines` gives."""
    places = iter(older.tolist())
    skipped = next(places, None)
    for number, line in enumerate(_lines_of(path)):
        if number == skipped:
            skipped = next(places, None)
        else:
            yield line


def older_lines(path: Path) -> tuple[NDArray[np.int64], int]:
    """The places of the lines of inputs that were screened again later, counted from 0; and how
    many inputs match by one of these lines and by none that counts. Takes 25 bytes a line
    meanwhile, and gives these places alone.
    """
    seen, matched = bytearray(), bytearray()
    for number, facts in enumerate(map(facts_of, _lines_of(path))):
        matched.append(facts is not None and facts["verdict"] == Verdict.MATCH)
        try:
            if facts is None or facts["input"] is None:
                raise ValueError
            seen += Seen.of(facts).hashes()
        except (ValueError, KeyError, TypeError, AttributeError):
            # One of its own, that no other is of.
            seen += number.to_bytes(8, "little") + bytes(SEEN.itemsize - 8)
    lines, match = np.frombuffer(seen, SEEN), np.frombuffer(matched, np.bool_)
    older = superseded(lines)
    counts = match.copy()
    counts[older] = False
    before = lines["input"][older[match[older]]]
    return older, len(np.setdiff1d(before, lines["input"][counts]))


def archive_of(facts: Mapping[str, Any]) -> str | None:
    """The file that a line's input is a member of; None where it is a file itself."""
    archives = facts.get("archives")
    if not archives:
        return None
    return name_in(facts)[: archives[0]].decode("utf-8", "replace")


def moment(mtime_ns: int | None) -> datetime | None:
    """When a file was last changed; None where that is not told, or is no day of the calendar."""
    if mtime_ns is None:
        return None
    try:
        return datetime.fromtimestamp(mtime_ns / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return None
