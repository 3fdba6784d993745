"""The database of a list: making one, and opening it to read or to write.

It is in write-ahead mode, so that readers and an import never wait for each other. That mode
wants to write beside the database even for reading; where that cannot be (read-only media, another
user's list, a full disk) and no log is pending, the file is opened as immutable instead, and a read
during which the file changed is done again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

from screener.errors import ListError
from screener.lists.store import schema, sharing
from screener.lists.store.column_checks import CENSUS_NAME, FORMS
from screener.lists.store.schema import FORMAT
from screener.system import row_checks as rows
from screener.system import sqlite_files
from screener.system.files import make_folder, make_folder_atomically, open_private
from screener.system.installation import __version__
from screener.system.row_checks import Table
from screener.system.sqlite_errors import explain

ENDING = ".list"


def get_list_name(folder: Path) -> str:
    """Return the name of the list in a folder: the folder's, less our ending. Any other ending,
    a year say, is what tells it from the next list.
    """
    name = os.fsencode(folder.name).decode("utf-8", "replace")
    return name.removesuffix(ENDING) or name


DATABASE = "records.sqlite"
SEGMENTS = "segments"
WAIT_SECONDS = 5.0
_ATTEMPTS = 5
MAX_PARAMETERS = 500  # values asked of SQLite in one question; it allows 999 on its oldest builds
_MOST_IN_MEMORY = 2_000_000  # hashes that are sorted there, 70 bytes each

_LARGEST_ID = 2**63 - 1
T = TypeVar("T")


def create(folder: Path, *, group: int | None = None) -> None:
    """Make an empty list at generation 0; it appears under its name complete or not at all.

    `group` is the number of a group of users that may read it.
    """
    try:
        with make_folder_atomically(folder) as fresh:
            make_folder(fresh / SEGMENTS)
            os.close(open_private(fresh / DATABASE, os.O_CREAT | os.O_EXCL | os.O_RDWR))
            if group is not None:
                sharing.share(fresh, group)
            with contextlib.closing(connect(fresh, "rw")) as connection:
                _fill(connection)
    except FileExistsError:
        raise ListError(f"{folder} exists already; choose another path, or open it") from None
    except (OSError, sqlite3.Error) as error:
        raise ListError(f"cannot create the list {folder}: {explain(error, folder)}") from None


def _fill(connection: sqlite3.Connection) -> None:
    now = time.time()
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(f"BEGIN; {schema.ALL_TABLES} COMMIT;")
    connection.execute(
        "INSERT INTO generations VALUES (0, ?, ?, 'created', '{}', ?, NULL, NULL)",
        (now, now, __version__),
    )
    ensure_id(connection)
    connection.execute("INSERT INTO meta VALUES (?, '[0,0,[]]')", (CENSUS_NAME,))
    # Last, and by itself: a database without it is one whose making was interrupted.
    connection.execute(
        "INSERT INTO meta VALUES ('format', ?), ('library', ?)", (str(FORMAT), __version__)
    )


def is_old(folder: Path) -> bool:
    """Return whether a list is of an older format than this version's; ListError if it is none."""
    check_folder(folder)
    with contextlib.closing(connect(folder, "ro")) as connection:
        return _format_of(connection, folder) < FORMAT


def begin_upgrade(connection: sqlite3.Connection, folder: Path) -> None:
    """Begin a transaction and give the database the tables of this format in it."""
    steps = schema.build_upgrade(_format_of(connection, folder))
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(f"BEGIN IMMEDIATE; {steps}")
    connection.execute("UPDATE meta SET value = ? WHERE name = 'format'", (str(FORMAT),))


def split_ids(connection: sqlite3.Connection, at_once: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last id of spans that hold all records, at most `at_once` each.

    Ids that nobody has are passed over in one step, since damage may make one of 4 quintillion.
    """
    first = -_LARGEST_ID - 1
    while first <= _LARGEST_ID:
        found = connection.execute("SELECT min(id) FROM records WHERE id >= ?", (first,))
        (here,) = found.fetchone()
        if here is None:
            return
        last = min(here + at_once - 1, _LARGEST_ID)
        yield here, last
        first = last + 1


def index_hashes(connection: sqlite3.Connection) -> None:
    """Make the index that an import dropped.

    Sorted in memory up to a bound. Beyond it SQLite sorts in a file of its own, without a name,
    in the folder for temporary files: see SECURITY.md. Each of the two threads that sort may hold
    as much as the page cache, which gives up what it held for the rows: they are all in.
    """
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA shrink_memory")
    count = connection.execute("SELECT count(*) FROM hashes").fetchone()[0]
    connection.execute(f"PRAGMA temp_store = {'MEMORY' if count <= _MOST_IN_MEMORY else 'FILE'}")
    connection.execute("PRAGMA threads = 1")  # one more, which sorts
    connection.execute(schema.VALUE_INDEX)


def ask(
    folder: Path,
    question: Callable[[sqlite3.Connection], T],
    keep: Callable[[sqlite3.Connection], bool] | None = None,
) -> T:
    """Return the answer of a question put to the database over a connection that cannot write.

    Then `keep` may take the connection over, and returns whether it did. Raises ListError if the
    folder is no list, is damaged, or was written by a newer version, and if this user may not read
    it.
    """
    check_folder(folder)
    try:
        return _answer(folder, question, keep)
    except PermissionError as error:
        raise sharing.access_error(folder, error.filename) from None


def _answer(
    folder: Path,
    question: Callable[[sqlite3.Connection], T],
    keep: Callable[[sqlite3.Connection], bool] | None,
) -> T:
    for _ in range(_ATTEMPTS):
        before = _stamp(folder)
        try:
            connection, immutable = _open_for_reading(folder)
            with contextlib.ExitStack() as stack:
                stack.callback(connection.close)
                with report_damage(connection, folder):
                    answer = question(connection)
                if keep is not None and not immutable and keep(connection):
                    stack.pop_all()
        except sqlite3.DatabaseError as error:
            if _stamp(folder) != before:
                continue
            for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
                path = folder / name
                if path.exists() and not os.access(path, os.R_OK):
                    raise sharing.access_error(folder, path) from None
            raise ListError(
                f"cannot read the list {folder}: {explain(error, folder / DATABASE)}"
            ) from None
        if not immutable or _stamp(folder) == before:
            return answer
    raise ListError(f"the list {folder} changes faster than it can be read from here")


def report_damage(
    connection: sqlite3.Connection, folder: Path
) -> contextlib.AbstractContextManager[None]:
    """Raise ListError if a damaged row explains the body's error: see `rows.report_damage`."""
    return rows.report_damage(connection, FORMS, partial(_damaged, folder))


def find_damaged_rows(
    connection: sqlite3.Connection, tables: Sequence[Table] = FORMS.tables
) -> Iterator[str]:
    """Yield the damaged rows of each table: see `rows.damaged_rows`."""
    forms = FORMS._replace(tables=tables)
    return (f"in {DATABASE}, {found}" for found in rows.find_damaged_rows(connection, forms))


def _damaged(folder: Path, row: str) -> ListError:
    return ListError(
        f"the list {folder} is damaged: in {DATABASE}, {row}; `screener verify {folder}` tells all"
        " of it. Put a sound copy of the folder in its place, or import the files of its sources"
        " into a new list"
    )


def split_values(values: Sequence[T]) -> Iterator[tuple[Sequence[T], str]]:
    """Values, as many at a time as one question may ask for, and a `?` for each of them."""
    for start in range(0, len(values), MAX_PARAMETERS):
        some = values[start : start + MAX_PARAMETERS]
        yield some, ",".join("?" * len(some))


def _stamp(folder: Path) -> tuple[int, int, bool]:
    facts = os.stat(folder / DATABASE)
    return facts.st_mtime_ns, facts.st_size, _log_pending(folder)


def _log_pending(folder: Path) -> bool:
    try:
        return os.stat(folder / f"{DATABASE}-wal").st_size > 0
    except OSError:
        return False


def _open_for_reading(folder: Path) -> tuple[sqlite3.Connection, bool]:
    """Return a connection that only reads, and whether it takes the file for immutable."""
    try:
        return _checked(connect(folder, "ro"), folder), False
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or _log_pending(folder):
            raise
    return _checked(connect(folder, "ro&immutable=1"), folder), True


def _checked(connection: sqlite3.Connection, folder: Path) -> sqlite3.Connection:
    try:
        check_format(connection, folder)
    except BaseException:
        connection.close()
        raise
    return connection


def connect(folder: Path, mode: str) -> sqlite3.Connection:
    """Return a connection in SQLite's mode `ro` or `rw`, without transactions of its own accord;
    raises sqlite3.Error, also if the database does more than hold data.
    """
    return sqlite_files.connect(folder / DATABASE, mode, wait=WAIT_SECONDS)


def check_folder(folder: Path) -> None:
    """ListError, saying what to do, where a path cannot be a list."""
    try:
        os.lstat(folder)
        if not folder.is_dir():
            raise ListError(f"{folder} is not a list: a list is a folder; import the file into one")
        if not (folder / DATABASE).is_file():
            raise ListError(f"{folder} is not a list: it has no {DATABASE}")
    except PermissionError as error:
        raise sharing.access_error(folder, error.filename) from None
    except OSError:
        raise ListError(
            f"there is no list at {folder}; `screener import FILE --into {folder}` makes one"
        ) from None


def check_format(connection: sqlite3.Connection, folder: Path) -> None:
    """Raise ListError if the database is not a list's, or of another format than this version's."""
    if _format_of(connection, folder) < FORMAT:
        raise ListError(
            f"{folder} was written by an older version of screener; `screener upgrade {folder}`"
            " brings it to this one's format, once"
        )


def _format_of(connection: sqlite3.Connection, folder: Path) -> int:
    try:
        row = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        row = None
    if row is None or not str(row[0]).isdecimal():
        raise ListError(f"{folder} is not a list, or its making was interrupted; make it again")
    if int(row[0]) > FORMAT:
        raise ListError(
            f"{folder} was written by a newer version of screener (list format {row[0]}, and this"
            f" version reads up to {FORMAT}); upgrade screener to open it"
        )
    return int(row[0])


@lru_cache(maxsize=64)
def is_in_generation(number: int, rows: str = "r") -> str:
    """Return the SQL condition under which rows, of a table or a name for one, are of a
    generation.
    """
    return f"({rows}.since <= {number:d} AND {ends_after(number, rows)})"


def ends_after(number: int, rows: str = "r") -> str:
    """Return the SQL condition under which such rows are of a generation or of later ones alone."""
    return f"{schema.END_COLUMN.format(rows=f'{rows}.')} > {number:d}"


def has_ended_since(number: int) -> str:
    """Return the same of records `r` that are not of the newest generation any more."""
    return f"({ends_after(number)} AND {schema.END_COLUMN.format(rows='r.')} < {schema.NEVER})"


def is_in_generation_by_id(number: int) -> str:
    """Return the same of records `r`, for who reads them by their numbers: these are gathered
    first, so that neither all the past is read nor what is read of them sorted.
    """
    return f"r.id IN (SELECT r.id FROM records r WHERE {is_in_generation(number)})"


def ensure_id(connection: sqlite3.Connection) -> str:
    """Return the id of a list, given to one that has none: it goes wherever the list goes, and
    says nothing else.
    """
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('id', ?)", (secrets.token_hex(16),))
    return str(read_id(connection))


def read_id(connection: sqlite3.Connection) -> str | None:
    """Return the id of a list; None if an older version made it and nobody has written to it
    since.
    """
    row = connection.execute("SELECT value FROM meta WHERE name = 'id'").fetchone()
    return None if row is None else str(row[0])
