"""Verify that files are as written, that records are valid, and that searches find them.

Damage is reported in sentences without values. Nothing is changed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from screener.errors import ListError, ScreenerError, counted
from screener.hashing.hash import KINDS, HashKind
from screener.index.brute_force import Comparison, compare_distances, compare_equality
from screener.index.parts import Parts
from screener.index.snapshot import Snapshot
from screener.index.values import Values
from screener.lists.store import counts, database, searchable_values, video_frames
from screener.lists.store.column_checks import FORMS
from screener.lists.store.database import SEGMENTS, get_list_name, is_in_generation
from screener.lists.store.generations import Generation
from screener.system.progress import Progress, Steps
from screener.system.row_checks import Table

# References between tables, which the schema leaves to the code.
_ORPHANS = {
    # Counting from the records is much faster: their hashes lie side by side.
    "hashes": "SELECT (SELECT count(*) FROM hashes)"
    " - (SELECT count(*) FROM records r CROSS JOIN hashes h ON h.record = r.id)",
    "frames": "SELECT count(*) FROM frames WHERE record NOT IN (SELECT id FROM records)",
    "records": "SELECT count(*) FROM records WHERE import NOT IN (SELECT id FROM imports)",
    "quarantine": "SELECT count(*) FROM quarantine WHERE import NOT IN (SELECT id FROM imports)",
}
_DATABASE_CHECKS, _KIND_CHECKS = 5, 3  # numbers of checks
_CANCEL_INTERVAL = 1_000_000  # steps of SQLite
# One text of many values is faster than one row per value, and releases the GIL for longer.
_HEX_COLUMNS = (
    "count(*), group_concat(CASE WHEN typeof(h.value) = 'blob' THEN hex(h.value) END, '')"
)
_ALL_RECORDS = 2**64  # one span
_SPAN = 256  # records; a record of a video may have thousands of frames
_Check = Callable[[sqlite3.Connection], None]
_LOOKUP_BATCH = 1 << 18  # values


@dataclass(frozen=True)
class KindCheck:
    """The checks of one kind.

    `files`, `values`, `bytes`: numbers of index files, of values, and the size of the files.
    `checks`: names of the checks that passed, in order.
    `queries`: sampled queries, made by brute force and by search.
    `pairs`: pairs of a query and a value that were compared.
    `differences`: hits that only one of the two found.
    """

    kind: str
    files: int
    values: int
    bytes: int
    checks: tuple[str, ...]
    queries: int
    pairs: int
    differences: int


@dataclass(frozen=True)
class Verification:
    """The result of verifying a generation of a list.

    `database`: names of the checks of the database that passed.
    `seed`: the seed of the sampled queries.
    `damage`: a sentence for each damage found, which `HashList.verify` raises; empty if none.
    """

    name: str
    generation: int
    database: tuple[str, ...]
    kinds: tuple[KindCheck, ...]
    seed: int
    damage: tuple[str, ...]

    @property
    def pairs(self) -> int:
        """The number of pairs of a query and a value compared, over all kinds."""
        return sum(kind.pairs for kind in self.kinds)

    @property
    def differences(self) -> int:
        """The number of hits that differed, over all kinds."""
        return sum(kind.differences for kind in self.kinds)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {**asdict(self), "pairs": self.pairs, "differences": self.differences}


class DamagedList(ListError):
    """A list is damaged; `found` is its Verification."""

    def __init__(self, verification: Verification) -> None:
        super().__init__(verification)
        self.found = verification

    def __str__(self) -> str:
        return "; ".join(self.found.damage)


def verify(
    folder: Path,
    generation: Generation,
    snapshots: Mapping[str, Snapshot],
    *,
    seed: int,
    progress: Progress | None = None,
) -> Verification:
    """Check the records, the index files and a sample of searches of an open generation.

    Raises ListError if the database cannot be read.
    """
    steps = Steps(progress, _DATABASE_CHECKS + _KIND_CHECKS * len(snapshots))
    kinds: list[KindCheck] = []
    damage_of_kinds: tuple[str, ...] = ()
    with _checks_in_thread(folder) as in_thread:
        # SQLite's own checks take about as long as the rest, and run at the same time.
        integrity, references = in_thread(_check_integrity), in_thread(_check_references)
        hash_tables = [table for table in FORMS.tables if table.name == "hashes"]
        others = [table for table in FORMS.tables if table.name != "hashes"]
        hashes = in_thread(partial(_check_rows, hash_tables))
        for kind in KINDS.values():
            if kind.searched:
                kind_check, kind_damage = _check_kind(
                    folder, generation, kind, snapshots.get(kind.name), seed, steps
                )
                kinds += [] if kind_check is None else [kind_check]
                damage_of_kinds += kind_damage
        stored = _run_at_once(folder, partial(_check_rows, others))
        states = _run_at_once(folder, partial(_check_states, generation))
        framed = _run_at_once(folder, partial(_check_frames, generation))
        # Damage is reported in this order, even if it was found in another.
        passed, damage = _run(
            folder.name,
            {
                "values": lambda: (stored(), hashes()),
                "integrity": integrity,
                "references": references,
                "states": states,
                "frames": framed,
            },
            steps,
        )
    damage += damage_of_kinds
    return Verification(
        get_list_name(folder), generation.number, passed, tuple(kinds), seed, damage
    )


class _Damaged(ScreenerError):
    """A sentence for `Verification.damage`."""


def _run(
    where: str, checks: Mapping[str, Callable[[], object]], steps: Steps
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Run checks until one fails; return the names of the passed ones, and its message."""
    passed: list[str] = []
    for name, check in checks.items():
        try:
            check()
        except (ScreenerError, OSError) as error:
            steps.add(len(checks) - len(passed))
            return tuple(passed), (f"{where}: {error}",)
        passed.append(name)
        steps.add()
    return tuple(passed), ()


@contextlib.contextmanager
def _checks_in_thread(folder: Path) -> Iterator[Callable[[_Check], Callable[[], None]]]:
    """Yield a function that starts a check in one thread and returns a function to await it.

    Unfinished checks are cancelled when the body ends. Checks should run in SQLite alone; Python
    code would wait for the GIL before each row.
    """
    ended = Event()

    def run(check: _Check, connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(ended.is_set, _CANCEL_INTERVAL)
        check(connection)

    with ThreadPoolExecutor(1) as pool:
        try:
            yield lambda check: pool.submit(database.ask, folder, partial(run, check)).result
        finally:
            ended.set()


def _run_at_once(folder: Path, check: _Check) -> Callable[[], None]:
    """Run a check at once; the returned function raises its error."""
    done: Future[None] = Future()
    try:
        done.set_result(database.ask(folder, check))
    except (ScreenerError, OSError) as error:
        done.set_exception(error)
    return done.result


def _check_integrity(connection: sqlite3.Connection) -> None:
    faults = connection.execute("PRAGMA integrity_check").fetchall()
    if faults != [("ok",)]:
        raise _Damaged(
            f"the database of records is damaged: SQLite names {counted(len(faults), 'fault')}"
        )


def _check_references(connection: sqlite3.Connection) -> None:
    for name, orphans in _ORPHANS.items():
        count = connection.execute(orphans).fetchone()[0]
        if count:
            raise _Damaged(f"{counted(count, 'row')} of the table {name} without an owner")


def _check_rows(tables: Sequence[Table], connection: sqlite3.Connection) -> None:
    if wrong := list(database.find_damaged_rows(connection, tables)):
        raise _Damaged("; ".join(wrong))


def _check_states(generation: Generation, connection: sqlite3.Connection) -> None:
    if counts.count(connection, generation.number) != generation.counts:
        raise _Damaged("the numbers of records differ from those that their generation states")


def _check_frames(generation: Generation, connection: sqlite3.Connection) -> None:
    wrong = video_frames.count_damaged(connection, generation.number)
    if wrong:
        raise _Damaged(f"{counted(wrong, 'record')} with other frames than the video")


def _check_kind(
    folder: Path,
    generation: Generation,
    kind: HashKind,
    snapshot: Snapshot | None,
    seed: int,
    steps: Steps,
) -> tuple[KindCheck | None, tuple[str, ...]]:
    def check_records() -> None:
        _check_values(folder, generation, kind, snapshot)

    if snapshot is None:
        return None, _run(kind.name, {"records": check_records}, Steps(None, None))[1]
    names = generation.segments.get(kind.name, Parts()).names
    done, size = Comparison(0, 0, 0), 0

    def check_files() -> None:
        nonlocal size
        size = sum((folder / SEGMENTS / name).stat().st_size for name in names)
        snapshot.verify()

    def compare() -> None:
        nonlocal done
        done = _compare(kind, snapshot, seed)
        if done.differences:
            raise _Damaged(f"search and brute force differ in {done.differences} hits, seed {seed}")

    checks = {"files": check_files, "records": check_records, "search": compare}
    passed, damage = _run(kind.name, checks, steps)
    counts = (done.queries, done.pairs, done.differences)
    return KindCheck(kind.name, len(names), len(snapshot), size, passed, *counts), damage


def _compare(kind: HashKind, snapshot: Snapshot, seed: int) -> Comparison:
    if kind.digest:
        return compare_equality(snapshot, seed=seed)
    return compare_distances(snapshot, radius=kind.radius, seed=seed)


def _check_values(
    folder: Path, generation: Generation, kind: HashKind, snapshot: Snapshot | None
) -> None:
    missing, more = database.ask(
        folder, lambda c: _count_differences(c, generation.number, kind, snapshot)
    )
    if missing or more:
        raise _Damaged(
            f"the index files lack {counted(missing, 'value')} of the records,"
            f" and have {counted(more, 'value')} of none"
        )


def _count_differences(
    connection: sqlite3.Connection, number: int, kind: HashKind, snapshot: Snapshot | None
) -> tuple[int, int]:
    """Return the number of values that the files lack, and of values that only the files have.

    It takes two bytes of memory per row of the files.
    """
    live = np.ones(0 if snapshot is None else sum(map(len, snapshot.parts)), np.bool_)
    if snapshot is not None:
        live[snapshot.removed] = False
    unmatched, missing = live.copy(), [np.empty(0, f"S{kind.code_size}")]
    for values in _read_values(connection, number, kind, few=snapshot is None):
        rows = np.full(values.size, -1) if snapshot is None else snapshot.find(values)
        is_found = rows >= 0
        is_found[is_found] = live[rows[is_found]]
        unmatched[rows[is_found]] = False
        missing.append(values[~is_found])
    return np.unique(np.concatenate(missing)).size, int(unmatched.sum())


def _read_values(
    connection: sqlite3.Connection, number: int, kind: HashKind, *, few: bool
) -> Iterator[Values]:
    """Yield the searchable values of a generation in sorted batches, for faster lookups."""
    query = searchable_values.build_query(
        kind,
        f"{is_in_generation(number)} AND r.id BETWEEN ? AND ?",
        columns=_HEX_COLUMNS,
        by_record=not few,
    )
    packed = bytearray()
    for span in database.split_ids(connection, _ALL_RECORDS if few else _SPAN):
        count, text = connection.execute(query, span).fetchone()
        values = bytes.fromhex(text or "")
        if len(values) != count * kind.code_size:
            raise _Damaged(
                "a value of the records has the wrong size for its kind, or is not a value"
            )
        packed += values
        if len(packed) >= _LOOKUP_BATCH * kind.code_size:
            yield np.sort(np.frombuffer(packed, f"S{kind.code_size}"))
            packed = bytearray()
    yield np.sort(np.frombuffer(packed, f"S{kind.code_size}"))
