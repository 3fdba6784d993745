"""The pixel pipeline versions that made a list's perceptual hashes, if files state them.

A file states them in a column or label `pixels` of integers: see docs/internals/pixels.md. The
label stays with its entry, and is exported with other labels; an import counts the versions.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

LABEL = "pixels"
_MAX_DIGITS = 9


def parse_version(labels: Mapping[str, str]) -> int | None:
    """Return the version that the labels of a row state, or None."""
    text = labels.get(LABEL, "").strip()
    is_valid = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    return int(text) if is_valid else None


def format_counts(counts: Mapping[int, int]) -> dict[str, dict[int, int]]:
    """Return the stored form of the number of rows that state each version."""
    return {LABEL: dict(sorted(counts.items()))} if counts else {}


def read_versions(connection: sqlite3.Connection, generation: int) -> frozenset[int]:
    """Return the versions that the imports up to a generation stated."""
    # Of many thousand imports few state a version; `instr` is faster than parsing them all.
    rows = connection.execute(
        "SELECT counts FROM imports WHERE generation <= ? AND instr(counts, ?)",
        (generation, json.dumps(LABEL)),
    )
    return frozenset(
        int(version) for (text,) in rows for version in json.loads(text).get(LABEL, ())
    )
