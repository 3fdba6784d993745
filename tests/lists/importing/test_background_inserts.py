"""Rows go into the database while others are read: all of them, in order, or the error shows."""

import gc
import os
import signal
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from screener import HashList
from screener.errors import ListError
from screener.lists.importing import background_inserts, pending, run, stored, versions
from screener.lists.importing import run as batches
from screener.lists.importing import run as rounds
from screener.lists.importing.background_inserts import Inserts

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

    def interrupted(*call):
        held.append(call)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("_thread.start_new_thread", interrupted)
        with pytest.raises(KeyboardInterrupt):
            going.begin([("t", [(1, "x")])])
    going.settle()
    late, arguments = held[0]
    late(*arguments)

    assert connection.execute("SELECT * FROM t").fetchall() == []


@pytest.mark.parametrize("interrupts", [1, 2])
def test_an_interrupt_of_waiting_leaves_no_thread_at_the_connection(connection, interrupts):
    """Whoever closes it next would crash the process; and what was broken off is no error. Where a
    second one comes while the first waits, who leaves the transaction waits once more.
    """
    at_work, heard = [], threading.Semaphore(0)
    begun, over = threading.Event(), threading.Event()

    def wait():
        at_work.append(None)
        begun.set()
        over.wait(0.4 if interrupts == 1 else 60)
        at_work.pop()

    def hear(*_):
        heard.release()
        raise KeyboardInterrupt

    def interrupt():
        begun.wait()
        for _ in range(interrupts):
            time.sleep(0.1)  # by when who settles waits
            os.kill(os.getpid(), signal.SIGINT)
            heard.acquire()  # two that come at once are one

    connection.create_function("wait", 0, wait)
    connection.execute("CREATE TRIGGER slow BEFORE INSERT ON t BEGIN SELECT wait(); END")
    going = Inserts(connection)
    going.begin([("t", [(number, "x") for number in range(100)])])

    # A shell has its background jobs ignore it, and so would this test among them.
    before = signal.signal(signal.SIGINT, hear)
    try:
        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            going.settle()
    finally:
        signal.signal(signal.SIGINT, before)
    left = len(at_work)
    over.set()
    going.settle()

    assert left == interrupts - 1
    assert not at_work
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def big_file(tmp_path, count, last=""):
    """A file of so many rows."""
    file = tmp_path / "s.csv"
    lines = (f"e{n},{n:064x}\n" for n in range(count))
    file.write_text("id,pdq\n" + "".join(lines) + last)
    return file


@pytest.mark.parametrize("strict", [True, False])
def test_what_goes_wrong_while_rows_are_on_their_way_changes_nothing(tmp_path, monkeypatch, strict):
    """A bad row of the next batch, or the thread itself: no row is written behind a rollback."""
    monkeypatch.setattr(batches, "_BATCH", 50)
    slow, at_work = background_inserts._Batch._insert, []

    def slowly(self):
        at_work.append(None)
        time.sleep(0.05)
        if not strict and self._tables[0][1][0][0] > 400:
            at_work.pop()
            raise sqlite3.OperationalError("disk I/O error")
        slow(self)
        at_work.pop()

    monkeypatch.setattr(background_inserts._Batch, "_insert", slowly)
    known = HashList.create(tmp_path / "known.list")
    with pytest.raises(ListError, match="nothing"):
        known.import_file(big_file(tmp_path, 500, "bad,zz\n"), strict=strict)
    assert not at_work
    monkeypatch.undo()

    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (0,)
    assert known.import_file(big_file(tmp_path, 500)).added == 500


def test_an_entry_met_again_in_a_new_source_is_found_among_all_marks(tmp_path, monkeypatch):
    """However few marks there are, so that most entries seem to have been met before."""
    monkeypatch.setattr(batches, "_BATCH", 10)
    monkeypatch.setattr(versions, "_MARKS", 64)
    again = f"e3,{PDQ}\n"
    known = HashList.create(tmp_path / "known.list")

    report = known.import_file(big_file(tmp_path, 200, again))

    assert (report.added, report.repeated, report.rows) == (200, 1, 201)
    assert known.refresh().info().states == {"confirmed": 200}


def test_nothing_of_an_import_outlives_it(tmp_path, without_collection):
    """Of a source that the list did not know it holds sixteen megabytes, and a program that imports
    from many would hold them many times over until the collector comes round.
    """
    known = HashList.create(tmp_path / "known.list")

    known.import_file(big_file(tmp_path, 5))

    assert [one for one in gc.get_objects() if isinstance(one, versions.Newcomers)] == []


@pytest.fixture
def without_collection():
    """No object of a circle is collected, after those that are there."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def written(monkeypatch):
    """How many hashes each version has that is written."""
    found = []
    write = pending.Pending._write

    def counted(self, entry, version, state, *, until):
        found.append(len(version.hashes))
        return write(self, entry, version, state, until=until)

    monkeypatch.setattr(pending.Pending, "_write", counted)
    return found


@pytest.mark.parametrize("entries", [1, 3])
def test_the_hashes_of_an_entry_are_written_once_however_many_its_rows(
    tmp_path, monkeypatch, entries, written
):
    """As many rows as make thirty batches write no hash twice, and are united once an entry."""
    monkeypatch.setattr(batches, "_BATCH", 10)
    joined = []
    unite = rounds.united
    monkeypatch.setattr(rounds, "united", lambda *rows: joined.append(len(rows)) or unite(*rows))
    file = tmp_path / "s.csv"
    lines = (f"e{n % entries},{n:064x}\n" for n in range(300))
    file.write_text("id,pdq\n" + "".join(lines))

    report = HashList.create(tmp_path / "known.list").import_file(file)

    assert (report.added, report.repeated) == (entries, 300 - entries)
    assert written == joined == [300 // entries] * entries


@pytest.mark.parametrize(
    "times", [("", "2020"), ("2020", ""), ("2020", "2021"), ("2021", "2020"), ("", "2020", "2021")]
)
@pytest.mark.parametrize("held", [None, "2019", "2020", "2022"])
def test_rows_of_an_entry_whose_times_take_turns_are_written_a_few_times(
    tmp_path, written, times, held
):
    """However many they are: those that stand beside each other are united before any is."""
    known = HashList.create(tmp_path / "known.list")
    file = tmp_path / "s.csv"
    if held:
        file.write_text(f"id,pdq,updated\na,{PDQ},{held}-01-01\n")
        known.import_file(file)
    turns = [f"{time}-01-01" if time else "" for time in times]
    lines = (f"a,{n:064x},{turns[n % len(turns)]}\n" for n in range(60))
    file.write_text("id,pdq,updated\n" + "".join(lines))

    report = known.import_file(file)

    assert report.repeated == 59
    assert len(written) <= 6


def test_rows_that_are_put_aside_are_written_once(tmp_path, monkeypatch):
    """However many an entry has, all older than what is held: none of them is written again for
    those that follow.
    """
    known = HashList.create(tmp_path / "known.list")
    file = tmp_path / "s.csv"
    file.write_text(f"id,pdq,updated\na,{PDQ},2024-01-01\n")
    known.import_file(file)
    monkeypatch.setattr(run, "OPINIONS", {"csv"})
    written = []
    packed = stored.packed
    monkeypatch.setattr(
        stored, "packed", lambda row: written.append(len(row.hashes)) or packed(row)
    )
    days = [f"2023-01-{day:02}" for day in range(1, 29)] + ["2025-01-01"]
    lines = (f"a,{n:064x},{day}\n" for n, day in enumerate(days))
    file.write_text("id,pdq,updated\n" + "".join(lines))

    assert known.import_file(file).changed == 1
    assert len(known.refresh().show("a")[0].hashes) == 29
    assert written == [1] * 28


def test_what_is_held_at_once_is_bounded_by_its_bytes(tmp_path, monkeypatch):
    """Rows with large values come in smaller batches, as those of one entry do that never end."""
    monkeypatch.setattr(batches, "_HELD", 9_000)
    sizes = []
    take = run.Run._take
    monkeypatch.setattr(
        run.Run, "_take", lambda self, batch: (sizes.append(len(batch)), take(self, batch))
    )
    known = HashList.create(tmp_path / "known.list")

    assert known.import_file(big_file(tmp_path, 100)).added == 100
    file = tmp_path / "one.csv"
    file.write_text("id,pdq\n" + f"e,{PDQ}\n" * 100)
    assert known.import_file(file).repeated == 99
    assert sizes == [32, 32, 32, 4] * 2
