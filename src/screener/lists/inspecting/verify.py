"""Verifying a list: is everything on disk as written, right, and does the search find it.

What is damaged is told in sentences that hold no value. Nothing is changed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
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
from screener.lists.store import census, database, searchable_values, video_frames
from screener.lists.store.column_checks import FORMS
from screener.lists.store.database import SEGMENTS, name_of, of_generation
from screener.lists.store.generations import Generation
from screener.system.progress import Progress, Steps
from screener.system.row_checks import Table

# What the rows of one table say of another; the schema leaves this to the code.
_ORPHANS = {
    # Counted from the records, whose hashes lie side by side: much faster than from the hashes.
    "hashes": "SELECT (SELECT count(*) FROM hashes)"
    " - (SELECT count(*) FROM records r CROSS JOIN hashes h ON h.record = r.id)",
    "frames": "SELECT count(*) FROM frames WHERE record NOT IN (SELECT id FROM records)",
    "records": "SELECT count(*) FROM records WHERE import NOT IN (SELECT id FROM imports)",
    "quarantine": "SELECT count(*) FROM quarantine WHERE import NOT IN (SELECT id FROM imports)",
}
_OF_DATABASE, _OF_KIND = 5, 3  # checks
_STEPS = 1_000_000  # of SQLite, after which it is asked whether to go on
# A text of many values comes out of SQLite sooner than a row for each, and keeps no thread waiting.
_IN_HEX = "count(*), group_concat(CASE WHEN typeof(h.value) = 'blob' THEN hex(h.value) END, '')"
_ALL = 2**64  # records: one span
_AT_ONCE = 256  # records; one may be of a video, with thousands of frames
_Check = Callable[[sqlite3.Connection], None]
_TOGETHER = 1 << 18  # values that are looked for together


@dataclass(frozen=True)
class KindCheck:
    """What was checked of one kind: `checks` by name, in order, as far as they held.

    `pairs` of a query and a value were compared by brute force and by search, for so many
    `queries`; `differences` are hits that only one of the two had.
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
    """What verifying a generation of a list found; all is well where `damage` is empty.

    `damage` are sentences, which `HashList.verify` raises. `database` are the checks of the records
    that held, `seed` is what the queries were drawn from: the same one gives the same queries.
    """

    name: str
    generation: int
    database: tuple[str, ...]
    kinds: tuple[KindCheck, ...]
    seed: int
    damage: tuple[str, ...]

    @property
    def pairs(self) -> int:
        """How many pairs of a query and a value were compared, over all kinds."""
        return sum(kind.pairs for kind in self.kinds)

    @property
    def differences(self) -> int:
        """How many hits differed, over all kinds."""
        return sum(kind.differences for kind in self.kinds)

    def to_dict(self) -> dict[str, Any]:
        """All of it in plain dicts, strings and numbers."""
        return {**asdict(self), "pairs": self.pairs, "differences": self.differences}


class DamagedList(ListError):
    """What is wrong with a list, in the sentences of `found.damage`; `found` is all that is known
    of it."""

    def __init__(self, found: Verification) -> None:
        super().__init__(found)
        self.found = found

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

    ListError where the database cannot be read at all.
    """
    steps = Steps(progress, _OF_DATABASE + _OF_KIND * len(snapshots))
    kinds: list[KindCheck] = []
    of_kinds: tuple[str, ...] = ()
    with _beside(folder) as beside:
        # What SQLite does alone goes on beside the rest, and takes about as long.
        integrity, references = beside(_check_integrity), beside(_check_references)
        of_hashes = [table for table in FORMS.tables if table.name == "hashes"]
        others = [table for table in FORMS.tables if table.name != "hashes"]
        hashes = beside(partial(_check_stored, of_hashes))
        for kind in KINDS.values():
            if kind.searched:
                one, found = _check_kind(
                    folder, generation, kind, snapshots.get(kind.name), seed, steps
                )
                kinds += [] if one is None else [one]
                of_kinds += found
        stored = _now(folder, partial(_check_stored, others))
        states = _now(folder, partial(_check_states, generation))
        framed = _now(folder, partial(_check_frames, generation))
        # What is wrong is told in this order, whichever was found first.
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
    damage += of_kinds
    return Verification(name_of(folder), generation.number, passed, tuple(kinds), seed, damage)


class _Damaged(ScreenerError):
    """A sentence for `Verification.damage`."""


def _run(
    where: str, checks: Mapping[str, Callable[[], object]], steps: Steps
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the checks that held, and what the first one that did not says."""
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
def _beside(folder: Path) -> Iterator[Callable[[_Check], Callable[[], None]]]:
    """Have checks run one after another in a thread; each is waited for by what it gives.

    Those that are not done when the body ends are broken off. They should be SQLite's work alone:
    before each row that Python sees, a thread may have to wait for the others.
    """
    ended = Event()

    def run(check: _Check, connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(ended.is_set, _STEPS)
        check(connection)

    with ThreadPoolExecutor(1) as pool:
        try:
            yield lambda check: pool.submit(database.ask, folder, partial(run, check)).result
        finally:
            ended.set()


def _now(folder: Path, check: _Check) -> Callable[[], None]:
    """Have a check run here and now; what it gives raises what the check did."""
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


def _check_stored(tables: Sequence[Table], connection: sqlite3.Connection) -> None:
    if wrong := list(database.wrong_rows(connection, tables)):
        raise _Damaged("; ".join(wrong))


def _check_states(generation: Generation, connection: sqlite3.Connection) -> None:
    counted = census.counted(connection, generation.number)
    states: Counter[str] = Counter()
    for alike, count in counted.items():
        states[alike.state] += count
    if states != Counter(generation.states):
        raise _Damaged("the records are not as many of each state as their generation says")
    if census.kept(connection, generation.number) not in (None, counted):
        raise _Damaged("the records are not as many of each kind as the list's census says")


def _check_frames(generation: Generation, connection: sqlite3.Connection) -> None:
    wrong = video_frames.wrong(connection, generation.number)
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
    """What was checked of a kind, if the list has it, and what is damaged."""

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
    """The values that the files hold are those that the records call for, no more, no fewer."""
    missing, more = database.ask(folder, lambda c: _differing(c, generation.number, kind, snapshot))
    if missing or more:
        raise _Damaged(
            f"the index files lack {counted(missing, 'value')} of the records,"
            f" and have {counted(more, 'value')} of none"
        )


def _differing(
    connection: sqlite3.Connection, number: int, kind: HashKind, snapshot: Snapshot | None
) -> tuple[int, int]:
    """How many values the records of a generation call for that the files lack, and how many these
    have beside. Two bytes for each row of the files are held, and some values at a time.
    """
    live = np.ones(0 if snapshot is None else sum(map(len, snapshot.parts)), np.bool_)
    if snapshot is not None:
        live[snapshot.removed] = False
    unmet, missing = live.copy(), [np.empty(0, f"S{kind.code_size}")]
    for values in _called_for(connection, number, kind, few=snapshot is None):
        rows = np.full(values.size, -1) if snapshot is None else snapshot.find(values)
        there = rows >= 0
        there[there] = live[rows[there]]
        unmet[rows[there]] = False
        missing.append(values[~there])
    return np.unique(np.concatenate(missing)).size, int(unmet.sum())


def _called_for(
    connection: sqlite3.Connection, number: int, kind: HashKind, *, few: bool
) -> Iterator[Values]:
    """The searchable values of the records of a generation, some at a time and in order, since
    those are found so much faster.
    """
    question = searchable_values.question(
        kind,
        f"{of_generation(number)} AND r.id BETWEEN ? AND ?",
        columns=_IN_HEX,
        by_record=not few,
    )
    packed = bytearray()
    for span in database.spans(connection, _ALL if few else _AT_ONCE):
        count, text = connection.execute(question, span).fetchone()
        found = bytes.fromhex(text or "")
        if len(found) != count * kind.code_size:
            raise _Damaged("a value of the records has another size than its kind, or is no value")
        packed += found
        if len(packed) >= _TOGETHER * kind.code_size:
            yield np.sort(np.frombuffer(packed, f"S{kind.code_size}"))
            packed = bytearray()
    yield np.sort(np.frombuffer(packed, f"S{kind.code_size}"))
