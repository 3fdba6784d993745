"""Which versions of the pixel pipeline a list's perceptual hashes were made by, where files say so.

A file says so by a column or label named `pixels`, of whole numbers: see docs/internals/pixels.md.
The label stays with its entry and goes into exports that have labels; an import counts what it
read.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

LABEL = "pixels"
_MOST_DIGITS = 9


def parse_version(labels: Mapping[str, str]) -> int | None:
    """Return the version that a row's labels tell; None if they tell none."""
    said = labels.get(LABEL, "").strip()
    good = said.isascii() and said.isdigit() and len(said) <= _MOST_DIGITS
    return int(said) if good else None


def format_counts(counts: Mapping[int, int]) -> dict[str, dict[int, int]]:
    """Return what is kept of an import beside its counts: how many rows told which version."""
    return {LABEL: dict(sorted(counts.items()))} if counts else {}


def read_versions(connection: sqlite3.Connection, generation: int) -> frozenset[int]:
    """Return the versions that the imports up to a generation read."""
    # Few of many thousand imports tell one, and all are asked whenever a list is put to use.
    rows = connection.execute(
        "SELECT counts FROM imports WHERE generation <= ? AND instr(counts, ?)",
        (generation, json.dumps(LABEL)),
    )
    return frozenset(
        int(version) for (text,) in rows for version in json.loads(text).get(LABEL, ())
    )
