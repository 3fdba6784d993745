"""Create the database of a list, and open it for reading or writing.

It is in write-ahead mode, so that readers and an import never wait for each other. SQLite then
writes files next to the database even for reading. If it cannot (read-only media, another user's
list, a full disk) and no log is pending, the file is opened as immutable, and a read is repeated
if the file changed during it.
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
from screener.lists.store.column_checks import FORMS
from screener.lists.store.schema import FORMAT
from screener.system import row_checks as rows
from screener.system import sqlite_files
from screener.system.files import make_folder, make_folder_atomically, open_private
from screener.system.installation import __version__
from screener.system.row_checks import Table
from screener.system.sqlite_errors import explain

ENDING = ".list"


def get_list_name(folder: Path) -> str:
    """Return the name of a list: its folder's name without `.list`; other endings stay."""
    name = os.fsencode(folder.name).decode("utf-8", "replace")
    return name.removesuffix(ENDING) or name


DATABASE = "records.sqlite"
SEGMENTS = "segments"
WAIT_SECONDS = 5.0
_ATTEMPTS = 5
MAX_PARAMETERS = 500  # per query; the oldest builds of SQLite allow 999
_MAX_SORTED_IN_MEMORY = 2_000_000  # hashes, 70 bytes each

_MAX_ID = 2**63 - 1
T = TypeVar("T")


def create(folder: Path, *, group: int | None = None) -> None:
    """Create an empty list at generation 0 atomically.

    `group` is the id of a group of users that may read it. Raises ListError if the path exists or
    the list cannot be written.
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
    connection.executescript(f"BEGIN; {schema.TABLES} COMMIT;")
    connection.execute(
        "INSERT INTO generations(number, time, confirmed, what, counts, library)"
        " VALUES (0, ?, ?, 'created', '[]', ?)",
        (now, now, __version__),
    )
    connection.execute("INSERT INTO meta VALUES ('id', ?)", (secrets.token_hex(16),))
    # Last, in a transaction of its own: a database without a format is incomplete.
    connection.execute(
        "INSERT INTO meta VALUES ('format', ?), ('library', ?)", (str(FORMAT), __version__)
    )


def split_ids(connection: sqlite3.Connection, size: int) -> Iterator[tuple[int, int]]:
    """Yield first and last ids of spans of `size` ids that cover all records.

    Unused ids are skipped in one step, since damage may create an id of 4 quintillion.
    """
    first = -_MAX_ID - 1
    while first <= _MAX_ID:
        query = "SELECT min(id) FROM records WHERE id >= ?"
        (used,) = connection.execute(query, (first,)).fetchone()
        if used is None:
            return
        last = min(used + size - 1, _MAX_ID)
        yield used, last
        first = last + 1


def index_hashes(connection: sqlite3.Connection) -> None:
    """Create the index that an import dropped.

    Up to a limit SQLite sorts in memory, beyond it in an unnamed file in the folder for temporary
    files: see SECURITY.md. Each of the two sorting threads may use as much memory as the page
    cache, which is emptied first.
    """
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA shrink_memory")
    count = connection.execute("SELECT count(*) FROM hashes").fetchone()[0]
    connection.execute(
        f"PRAGMA temp_store = {'MEMORY' if count <= _MAX_SORTED_IN_MEMORY else 'FILE'}"
    )
    connection.execute("PRAGMA threads = 1")  # one additional thread
    connection.execute(schema.VALUE_INDEX)


def ask(
    folder: Path,
    question: Callable[[sqlite3.Connection], T],
    keep: Callable[[sqlite3.Connection], bool] | None = None,
) -> T:
    """Return the result of a query on a read-only connection to the database.

    Parameters:
        folder: the list
        question: runs the query; it is called again if the file changed during it
        keep: is called with the connection afterwards; if it returns True, it owns the connection

    Raises:
        ListError: if the folder is not a list, is damaged, was written by a newer version, or may
            not be read by this user
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
    raise ListError(f"the list {folder} changes faster than it can be read")


def report_damage(
    connection: sqlite3.Connection, folder: Path
) -> contextlib.AbstractContextManager[None]:
    """Raise ListError if a damaged row explains an error: see `row_checks.report_damage`."""
    return rows.report_damage(connection, FORMS, partial(_damage_error, folder))


def find_damaged_rows(
    connection: sqlite3.Connection, tables: Sequence[Table] = FORMS.tables
) -> Iterator[str]:
    """Yield descriptions of the damaged rows: see `row_checks.find_damaged_rows`."""
    forms = FORMS._replace(tables=tables)
    return (f"in {DATABASE}, {row}" for row in rows.find_damaged_rows(connection, forms))


def _damage_error(folder: Path, row: str) -> ListError:
    return ListError(
        f"the list {folder} is damaged: in {DATABASE}, {row}; `screener verify {folder}` lists"
        " all damage. Replace the folder with a sound copy, or import the files of its sources into"
        " a new list"
    )


def split_values(values: Sequence[T]) -> Iterator[tuple[Sequence[T], str]]:
    """Yield batches of values for one query each, with a `?` for each value."""
    for start in range(0, len(values), MAX_PARAMETERS):
        batch = values[start : start + MAX_PARAMETERS]
        yield batch, ",".join("?" * len(batch))


def _stamp(folder: Path) -> tuple[int, int, bool]:
    status = os.stat(folder / DATABASE)
    return status.st_mtime_ns, status.st_size, _is_log_pending(folder)


def _is_log_pending(folder: Path) -> bool:
    try:
        return os.stat(folder / f"{DATABASE}-wal").st_size > 0
    except OSError:
        return False


def _open_for_reading(folder: Path) -> tuple[sqlite3.Connection, bool]:
    """Return a read-only connection, and whether it treats the file as immutable."""
    try:
        return _check_or_close(connect(folder, "ro"), folder), False
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or _is_log_pending(folder):
            raise
    return _check_or_close(connect(folder, "ro&immutable=1"), folder), True


def _check_or_close(connection: sqlite3.Connection, folder: Path) -> sqlite3.Connection:
    try:
        check_format(connection, folder)
    except BaseException:
        connection.close()
        raise
    return connection


def connect(folder: Path, mode: str) -> sqlite3.Connection:
    """Return a connection in SQLite's mode `ro` or `rw`: see `sqlite_files.connect`."""
    return sqlite_files.connect(folder / DATABASE, mode, wait=WAIT_SECONDS)


def check_folder(folder: Path) -> None:
    """Raise ListError, with a remedy, if a path cannot be a list."""
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
    """Raise ListError if the database is not a list of the current format."""
    try:
        row = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        row = None
    if row is None or not str(row[0]).isdecimal():
        raise ListError(f"{folder} is not a list, or its making was interrupted; make it again")
    if int(row[0]) != FORMAT:
        raise ListError(
            f"{folder} was written by a newer version of screener (list format {row[0]}, and this"
            f" version reads {FORMAT}); upgrade screener to open it"
        )


@lru_cache(maxsize=64)
def is_in_generation(number: int, rows: str = "r") -> str:
    """Return the SQL condition for rows, of a table or its alias, of a generation."""
    return f"({rows}.since <= {number:d} AND {ends_after(number, rows)})"


def ends_after(number: int, rows: str = "r") -> str:
    """Return the SQL condition for rows that did not end before or at a generation."""
    return f"{schema.END_COLUMN.format(rows=f'{rows}.')} > {number:d}"


def has_ended_since(number: int) -> str:
    """Return the SQL condition for records `r` that ended after a generation."""
    return f"({ends_after(number)} AND {schema.END_COLUMN.format(rows='r.')} < {schema.NEVER})"


def is_new(connection: sqlite3.Connection, number: int) -> str:
    """Return the SQL condition for current records `r` that generation `number` began.

    Their ids are above those of all earlier generations.
    """
    query = "SELECT id FROM records WHERE since < ? ORDER BY id DESC LIMIT 1"
    row = connection.execute(query, (number,)).fetchone()
    newest = 0 if row is None else row[0]
    return f"(r.id > {newest:d} AND r.since = {number:d} AND r.until IS NULL)"


def is_in_generation_by_id(number: int) -> str:
    """Return the SQL condition for records `r` of a generation, ordered by id.

    SQLite collects the ids first, so that it reads no other versions and sorts no columns.
    """
    return f"r.id IN (SELECT r.id FROM records r WHERE {is_in_generation(number)})"


def read_id(connection: sqlite3.Connection) -> str:
    """Return the id of a list, a random number."""
    return str(connection.execute("SELECT value FROM meta WHERE name = 'id'").fetchone()[0])
