"""Rows go into the database while others are read: all of them, in order, or the error shows."""

import sqlite3
import threading
import time
from contextlib import closing

import pytest

from screener import HashList
from screener.errors import ListError
from screener.lists import importing, inserts, newcomers
from screener.lists.inserts import Inserts

PDQ = "0123456789abcdef" * 4


@pytest.fixture
def connection():
    """A database with a table."""
    made = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    with closing(made):
        made.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL)")
        yield made


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 40_000])
def test_all_rows_are_in_once_settled(connection, count):
    """Of any number, more than one statement takes too."""
    rows = [(number, str(number)) for number in range(count)]
    going = Inserts(connection)
    going.begin([("t", rows[: count // 2]), ("t", rows[count // 2 :])])
    going.settle()

    assert connection.execute("SELECT * FROM t ORDER BY a").fetchall() == rows


def test_an_error_shows_when_it_is_settled(connection):
    """Once, and then the next rows may go."""
    going = Inserts(connection)
    going.begin([("t", [(1, "x"), (1, "y")])])
    with pytest.raises(sqlite3.IntegrityError):
        going.settle()
    going.begin([("t", [(2, "z")])])
    going.settle()

    assert connection.execute("SELECT a FROM t").fetchall() == [(2,)]


def test_an_interrupt_before_the_thread_begins_writes_nothing(connection, monkeypatch):
    """Nor does it when it comes to life late; and settling tells of the interrupt alone."""
    going = Inserts(connection)
    held = []

    def interrupted(thread):
        held.append(thread)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            going.begin([("t", [(1, "x")])])
    going.settle()
    held[0].start()
    held[0].join()

    assert connection.execute("SELECT * FROM t").fetchall() == []


def test_an_interrupt_of_waiting_leaves_no_thread_at_the_connection(connection, monkeypatch):
    """Whoever closes it next would crash the process; and what was broken off is no error."""
    going, ended = Inserts(connection), threading.Event()
    connection.create_function("wait", 0, lambda: ended.wait(0.2))
    connection.execute("CREATE TRIGGER slow BEFORE INSERT ON t BEGIN SELECT wait(); END")
    going.begin([("t", [(number, "x") for number in range(100)])])
    thread = going._thread
    join, calls = thread.join, []

    def interrupted():
        calls.append(None)
        if len(calls) == 1:
            raise KeyboardInterrupt
        ended.set()
        join()

    monkeypatch.setattr(thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        going.settle()

    assert not thread.is_alive()
    going.settle()


def big_file(tmp_path, count, last=""):
    """A file of so many rows."""
    file = tmp_path / "s.csv"
    lines = (f"e{n},{n:064x}\n" for n in range(count))
    file.write_text("id,pdq\n" + "".join(lines) + last)
    return file


@pytest.mark.parametrize("strict", [True, False])
def test_what_goes_wrong_while_rows_are_on_their_way_changes_nothing(tmp_path, monkeypatch, strict):
    """A bad row of the next batch, or the thread itself: no row is written behind a rollback."""
    monkeypatch.setattr(importing, "_BATCH", 50)
    slow = Inserts._insert

    def slowly(self, tables):
        time.sleep(0.05)
        if not strict and tables[0][1][0][0] > 400:
            self._trouble = sqlite3.OperationalError("disk I/O error")
            return
        slow(self, tables)

    monkeypatch.setattr(inserts.Inserts, "_insert", slowly)
    known = HashList.create(tmp_path / "known.list")
    with pytest.raises(ListError, match="nothing"):
        known.import_file(big_file(tmp_path, 500, "bad,zz\n"), strict=strict)
    assert not [one for one in threading.enumerate() if one.name == "screener-inserts"]
    monkeypatch.undo()

    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (0,)
    assert known.import_file(big_file(tmp_path, 500)).added == 500


def test_an_entry_met_again_in_a_new_source_is_found_among_all_marks(tmp_path, monkeypatch):
    """However few marks there are, so that most entries seem to have been met before."""
    monkeypatch.setattr(importing, "_BATCH", 10)
    monkeypatch.setattr(newcomers, "_MARKS", 64)
    again = f"e3,{PDQ}\n"
    known = HashList.create(tmp_path / "known.list")

    report = known.import_file(big_file(tmp_path, 200, again))

    assert (report.added, report.repeated, report.rows) == (200, 1, 201)
    assert known.refresh().info().states == {"confirmed": 200}


def test_what_is_held_at_once_is_bounded_by_its_bytes(tmp_path, monkeypatch):
    """Rows with large values come in smaller batches."""
    monkeypatch.setattr(importing, "_HELD", 1_000)
    sizes = []
    take = importing._Import._take
    monkeypatch.setattr(
        importing._Import,
        "_take",
        lambda self, batch, where: (sizes.append(len(batch)), take(self, batch, where)),
    )
    report = HashList.create(tmp_path / "known.list").import_file(big_file(tmp_path, 100))

    assert report.added == 100
    assert sizes == [32, 32, 32, 4]
