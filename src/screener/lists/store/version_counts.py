"""Past: how much of a list is over, and so what it costs to look values up in it.

A value is looked up among all versions that ever held it, of which there are many where each
delivery changes each row. If many are asked for, all that is current is read instead.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

_LISTED = 20_000  # versions that are always looked at one by one


class VersionCounts(NamedTuple):
    """How many versions a list ever had, and how many of them are current."""

    versions: int
    current: int

    @property
    def short(self) -> bool:
        """Whether all that was ever said is not much more than what is current."""
        return self.versions <= 2 * self.current

    def few(self, values: int, *, share: int = 1) -> bool:
        """Return whether looking up so many values one by one is cheaper than reading one in
        `share` of all current versions.
        """
        met = values * self.versions // max(1, self.current)
        return met <= max(_LISTED, self.current // share)


def group_current_values(connection: sqlite3.Connection, which: str) -> str:
    """Return what follows after the columns of a question for groups of the versions `r`, one for
    each value `h.value`, that are current and meet a condition.

    SQLite sorts for it, in a file if need be: by digests, so that no value is in that.
    """
    connection.create_function("digest", 1, _digest)
    return (
        "FROM records r CROSS JOIN hashes h ON h.record = r.id WHERE r.until IS NULL"
        f" AND {which} GROUP BY h.kind, digest(h.value)"
    )


def _digest(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=16).digest()


def count_versions(connection: sqlite3.Connection, states: Mapping[str, int]) -> VersionCounts:
    """Return the past of a list that has so many records in each state now: kept with each
    generation, since counting them would take longer than a small import does.
    """
    newest = connection.execute("SELECT max(id) FROM records").fetchone()[0]
    return VersionCounts(newest or 0, sum(states.values()))
