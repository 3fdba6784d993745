"""The report of an import, and the keys under which a list stores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FULL_KEY = "full"  # true if the file contained all entries of its source
TERMS_KEY = "terms"  # the terms given with the file, formatted
ABSENT_KEY = "absent_from"  # the first version that withdrew an entry missing from a full list
COUNT_FIELDS = (
    "rows", "added", "changed", "unchanged", "repeated", "outdated", "untimed", "absent",
    "withdrawn", "stopped", "missed", "dropped", "low_information", "low_quality", "placeholders",
    "conflicting",
)  # fmt: skip


@dataclass(frozen=True)
class ImportReport:
    """The report of an import.

    `generation`: the list's generation after the import; unchanged if nothing changed.
    `rows`: added + changed + unchanged + repeated + outdated + quarantined.
    `repeated`: further rows for an entry of the file, united with its rows of the same time; of
    different times the latest counts.
    `outdated`: entries whose rows are all older than the list's version, by the source's own times.
    `untimed`: imported rows whose time cannot be compared: see `times.parse_past_time`.
    `withdrawn`: imported rows that withdraw an entry.
    `absent`: entries withdrawn because a full list does not name them.
    `missed`: withdrawals of entries that the list never had from this source; they have no effect.
    `stopped`: entries that matched before and no longer do.
    `quarantined`: unreadable rows, by reason.
    `first_bad`: line and fault of the first unreadable rows.
    `unit`: the unit of these line numbers: `line`, `record` or `frame`.
    `dropped`: digests of empty input, which are not stored.
    `low_information`: hashes of blank pictures, which are stored but never compared.
    `low_quality`: hashes with a recorded quality below their kind's detail floor, which a policy
    with that floor ignores.
    `placeholders`: values that the source repeats over many different files; they are stored, but
    not compared in entries of this source.
    `conflicting`: added or changed entries that share a hash with an entry of another state, or of
    another category of the same scheme.
    `unknown_columns`: columns stored as labels, without names that may contain a hash.
    `notes`: further notes to the user.
    """

    file: str
    format: str
    source: str
    generation: int
    rows: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    repeated: int = 0
    outdated: int = 0
    absent: int = 0
    withdrawn: int = 0
    stopped: int = 0
    missed: int = 0
    dropped: int = 0
    low_information: int = 0
    placeholders: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)
    first_bad: tuple[tuple[int, str], ...] = ()
    unknown_columns: tuple[str, ...] = ()
    unit: str = "line"
    low_quality: int = 0
    notes: tuple[str, ...] = ()
    conflicting: int = 0
    untimed: int = 0
