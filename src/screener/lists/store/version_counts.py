"""Count the versions of a list, to estimate the cost of looking values up.

A lookup goes through all versions that ever had a value, which are many if each delivery changes
each row. For many values it is faster to read all current versions instead.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

_MIN_LOOKUPS = 20_000  # versions that are always looked up one by one


class VersionCounts(NamedTuple):
    """The numbers of all versions of a list, and of the current ones."""

    versions: int
    current: int

    @property
    def is_mostly_current(self) -> bool:
        """Whether at least half of all versions are current."""
        return self.versions <= 2 * self.current

    def favours_lookup(self, values: int, *, share: int = 1) -> bool:
        """Return whether looking up this many `values` is cheaper than reading current versions.

        The alternative reads one in `share` of the current versions.
        """
        lookups = values * self.versions // max(1, self.current)
        return lookups <= max(_MIN_LOOKUPS, self.current // share)


def group_current_values(connection: sqlite3.Connection, condition: str) -> str:
    """Return SQL (FROM, WHERE, GROUP BY) that groups current versions `r` by value `h.value`.

    SQLite may sort in a temporary file, so it sorts by digests of the values.
    """
    connection.create_function("digest", 1, _digest)
    return (
        "FROM records r CROSS JOIN hashes h ON h.record = r.id WHERE r.until IS NULL"
        f" AND {condition} GROUP BY h.kind, digest(h.value)"
    )


def _digest(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=16).digest()


def count_versions(connection: sqlite3.Connection, states: Mapping[str, int]) -> VersionCounts:
    """Return the version counts of a list.

    `states` are the stored numbers of current records; counting takes longer than a small import.
    """
    newest = connection.execute("SELECT max(id) FROM records").fetchone()[0]
    return VersionCounts(newest or 0, sum(states.values()))
