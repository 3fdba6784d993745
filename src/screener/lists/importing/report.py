"""ImportReport: what an import did, and what of it a list keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FULL_KEY = "full"  # among what is kept of an import: that its file was all that its source had
TERMS_KEY = "terms"  # those that were given with the file, in words
ABSENT_KEY = "absent_from"  # the first version that such a file made by what it does not name
COUNT_FIELDS = (
    "rows", "added", "changed", "unchanged", "repeated", "outdated", "untimed", "absent",
    "withdrawn", "stopped", "missed", "dropped", "low_information", "low_quality", "placeholders",
    "conflicting",
)  # fmt: skip


@dataclass(frozen=True)
class ImportReport:
    """What an import did. `rows` = added + changed + unchanged + repeated + outdated + quarantined.

    `repeated`: further rows of the file on an entry it had already: united with what it said of it
    at the same time; of other times the latest stands. `outdated`: entries of which all rows are by
    the source's own time older than what the list holds, and change nothing. `untimed`: rows, among
    those kept, with a time that compares with no other: see `times.parse_past_time`. `absent`: entries that
    a full list no longer names, withdrawn. `withdrawn`: rows, among those kept, that withdraw an
    entry. `missed`: entries that the file withdraws and of which the list had nothing from this
    source, neither live nor withdrawn: nothing goes by that. `stopped`: entries that matched and
    match no more, withdrawn or of another state. `quarantined`: rows set aside, by reason;
    `first_bad` are the line and trouble of the first of them. `unit` is what those lines count:
    lines, or the records of a file that has none. `dropped`: digests of empty input, not kept.
    `low_information`: hashes of blank pictures, kept and never compared. `low_quality`: hashes of a
    recorded quality below their kind's floor, which a policy that keeps it leaves out.
    `placeholders`: values of the file that stand for nothing, since the source repeats each over
    many different files; kept, and not compared in entries of this source. `conflicting`: entries,
    added or changed, with a hash of which another entry, of this source or another, says otherwise:
    another state, or another category of one scheme. `unknown_columns` are kept as labels, less
    names that may hold a hash. `notes` say what else a user should know. `generation` is the list's
    after the import: higher where anything changed, the one before where nothing did.
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
