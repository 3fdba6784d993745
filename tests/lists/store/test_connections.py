"""A program that has a list open keeps connections to its database, and is told all that it was
told when it opened one for each question.
"""

import contextlib
import gc
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from list_values import value
from listed_values import found, raw, written

from screener import Hash, HashList, Screener
from screener.errors import IndexFileError, ListError
from screener.lists.store import database, searchable_values

PDQ = value(1, 32)
linux = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")


@pytest.fixture
def engine(known, put):
    """Of a list of two entries that was hit once."""
    put(f"id,pdq,md5\nx,{PDQ},{value(1)}\ny,{value(2, 32)},{value(2)}\n")
    made = Screener(known.refresh())
    assert entries(made) == ["x"]
    return made


def entries(engine, text=PDQ):
    """The entries that a PDQ matches."""
    return [match.entry for match in engine.match([Hash.parse("pdq", text)]).matches]


def change(engine, text):
    """Changes the database behind the list's back."""
    with closing(sqlite3.connect(engine.lists[0].path / "records.sqlite")) as other, other:
        other.executescript(text)


def connections(folder):
    """How many connections this process has to the database in a folder: each opens the log."""
    names = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the folder that is read here
            names.append(os.readlink(f"/proc/self/fd/{number}"))
    return names.count(str(folder / "records.sqlite-wal"))


def test_a_further_hit_opens_no_connection(engine, monkeypatch):
    """Also one of another kind, and what else is asked of the generation."""
    monkeypatch.setattr(database, "connect", None)

    assert entries(engine, value(2, 32)) == ["y"]
    assert [m.entry for m in engine.match([Hash.parse("md5", value(1))]).matches] == ["x"]
    assert engine.lists[0].can_match("pdq")


def test_a_hit_sees_what_was_purged_since(engine, put):
    """Nobody holds it any more, no byte of it is left, and the purge waits for no idle reader; it
    leaves an empty log.
    """
    put(f"id,pdq\nz,{written('z', 'pdq')}\n", source="other")
    newer = engine.refresh()
    assert entries(newer, written("z", "pdq")) == ["z"]

    newer.lists[0].purge("other")

    assert (engine.lists[0].path / "records.sqlite-wal").stat().st_size == 0
    assert entries(newer, written("z", "pdq")) == []
    assert entries(newer) == ["x"]
    left = [path for path in engine.lists[0].path.rglob("*") if path.is_file()]
    assert not any(found(path.read_bytes(), [raw("z", "pdq")]) for path in left)


def test_an_import_beside_an_open_list_empties_its_log(engine, put):
    """The open generation answers as before, and the newest has what was imported."""
    put(f"id,pdq,status\nx,,withdrawn\nz,{value(3, 32)},\n")

    assert (engine.lists[0].path / "records.sqlite-wal").stat().st_size == 0
    assert (entries(engine), entries(engine, value(3, 32))) == (["x"], [])
    newest = engine.refresh()
    assert (entries(newest), entries(newest, value(3, 32))) == ([], ["z"])


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("CREATE VIEW v AS SELECT 1", ListError, "a view, a trigger or a virtual table"),
        ("UPDATE meta SET value = '999' WHERE name = 'format'", ListError, "newer version"),
        ("UPDATE meta SET value = 'other' WHERE name = 'id'", IndexFileError, "was replaced"),
        ("UPDATE hashes SET quality = 300", ListError, "is damaged"),
        ("UPDATE records SET since = 99", IndexFileError, "no record of its generation"),
    ],
)
def test_a_change_behind_the_list_s_back_is_told_at_the_next_hit(engine, text, error, told):
    """All checks of a new connection are made after any commit."""
    change(engine, text)

    with pytest.raises(error, match=told):
        entries(engine)


def test_a_list_that_is_gone_or_overwritten_in_place_is_told_at_the_next_hit(engine, tmp_path):
    """Though the connection still has the old file, or the same one with another list in it."""
    path = engine.lists[0].path
    other = HashList.create(tmp_path / "other.list")
    engine.lists[0].export(tmp_path / "out.csv", format="csv", audience="own")
    other.import_file(tmp_path / "out.csv")
    with (path / "records.sqlite").open("r+b") as file:
        file.write((other.path / "records.sqlite").read_bytes())

    with pytest.raises(IndexFileError, match="was replaced by another"):
        entries(engine)
    shutil.rmtree(path)
    with pytest.raises(ListError, match="there is no list at"):
        entries(engine)


@linux
def test_connections_are_closed_with_the_list(engine):
    """Nothing has to be closed by hand; that of another object of the same list stays."""
    path = engine.lists[0].path
    another = Screener(HashList.open(path))
    assert entries(another) == ["x"]
    assert connections(path) == 2

    del another
    gc.collect()

    assert connections(path) == 1


def hit_together(engine, count):
    """What so many threads get that hit at the same moment, so that each has a connection."""
    together, of, told = threading.Barrier(count), searchable_values.find_records, []

    def slow(*said):
        together.wait()
        return of(*said)

    threads = [threading.Thread(target=lambda: told.append(entries(engine))) for _ in range(count)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(searchable_values, "find_records", slow)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return told


@linux
def test_threads_at_work_at_once_leave_few_connections(engine, monkeypatch):
    """Each has its own while it asks; threads that end leave those to others."""
    assert hit_together(engine, 12) == [["x"]] * 12

    assert 1 <= connections(engine.lists[0].path) <= 8
    monkeypatch.setattr(database, "connect", None)
    assert entries(engine) == ["x"]


@linux
def test_a_change_closes_all_connections_that_were_idle(engine, put):
    """Not only the one that notices it: the others hold files that may be replaced by now."""
    hit_together(engine, 4)
    assert connections(engine.lists[0].path) == 4

    put(f"id,pdq\nz,{value(3, 32)}\n", source="other")

    assert entries(engine) == ["x"]
    assert connections(engine.lists[0].path) == 1


def test_an_interrupted_question_costs_its_connection_alone(engine, monkeypatch):
    """It may have been in the middle of anything."""
    with monkeypatch.context() as patched:
        patched.setattr(
            searchable_values, "find_records", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            entries(engine)

    assert entries(engine) == ["x"]


def test_what_a_progress_function_raises_ends_the_call(engine):
    """At once: what is raised on a kept connection is the caller's, and nothing is asked again."""
    calls = []

    def stop(*done):
        calls.append(done)
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        engine.lists[0].info(progress=stop)

    assert calls == [(0, 2)]
    assert entries(engine) == ["x"]


FORKED = """
import os, sys
from screener import Hash, HashList, Screener
engine = Screener(HashList.open(sys.argv[1]))
wanted = [Hash.parse("pdq", sys.argv[2])]
def hit():
    return [match.entry for match in engine.match(wanted).matches] == ["x"]
def held():
    links = []
    for number in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            pass
    return any("records.sqlite" in link for link in links)
assert hit() and held()
if os.fork() == 0:
    inherited = held()
    os._exit(0 if hit() and hit() and not inherited else 1)
assert hit()
print(os.wait()[1])
"""


@linux
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_no_connection_is_carried_over_a_fork(engine):
    """SQLite's locks would not hold in the child: it opens its own, and so does the parent."""
    call = [sys.executable, "-c", FORKED, engine.lists[0].path, PDQ]

    done = subprocess.run(call, capture_output=True, text=True, check=False)

    assert done.stdout == "0\n", done.stderr
