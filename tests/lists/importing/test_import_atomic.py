"""Imports are all or nothing: kills, two writers, full disks, readers of old generations."""

import contextlib
import errno
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from list_values import value
from paths import PROGRAMS

from screener.cli import open_list
from screener.errors import ListError
from screener.index import tiers
from screener.index.hamming import HammingIndex
from screener.lists.formats.registry import open_reader
from screener.lists.hashlist import HashList
from screener.lists.importing import import_file
from screener.lists.store import database, generations, transaction
from screener.system import locks as held


def rows(numbers, status=""):
    """A file of entries with an MD5 and a PDQ each."""
    lines = (f"e{n},{value(n)},{value(n, 32)},{status}\n" for n in numbers)
    return "id,md5,pdq,status\n" + "".join(lines)


def found(one, number):
    """Whether the MD5 and the PDQ of an entry are found, and held by it alone."""
    md5 = np.frombuffer(bytes.fromhex(value(number)), np.uint8)
    pdq = np.frombuffer(bytes.fromhex(value(number, 32)), np.uint8)
    entries = [
        [record.entry for held in one.holders(kind, hits) for record in held]
        for kind, hits in (
            ("md5", one.lookup("md5", md5)[1]),
            ("pdq", one.search("pdq", pdq, radius=0)[1]),
        )
    ]
    assert entries in ([[], []], [[f"e{number}"], [f"e{number}"]])
    return bool(entries[0])


def fifty(folder):
    """A list of fifty entries at generation 1."""
    return put(HashList.create(folder / "known.list"), rows(range(50)))


@pytest.fixture
def known(tmp_path):
    """A list of fifty entries at generation 1, which pytest holds open during the test."""
    return fifty(tmp_path)


def put(one, text, name="s.csv"):
    """Import a text; the list at its new generation."""
    file = one.path.with_name(name)
    file.write_text(text)
    one.import_file(file)
    return one.refresh()


def segments(one):
    """The files in the segments' folder."""
    return {path.name for path in (one.path / "segments").iterdir()}


def test_killed_at_any_write_it_leaves_the_generation_before(known, tmp_path):
    """SIGKILL before every statement, sync and rename: the list opens unchanged, a rerun works."""
    file = tmp_path / "s.csv"
    file.write_text(rows(range(25, 75)) + f"e3,,,withdrawn\ne4,{value(400)},,\ne80,1.2E+3,,\n")
    script = PROGRAMS / "kill_an_import.py"

    done = subprocess.run(
        [sys.executable, script, known.path, file], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 20


def test_killed_at_any_write_of_a_list_of_several_files(known, tmp_path, monkeypatch):
    """The same where the import merges the newest files and removes rows of an older one."""
    monkeypatch.setattr(tiers, "SMALLEST", 1)
    monkeypatch.setattr(tiers, "FACTOR", 1)
    several = put(put(known, rows(range(50, 70))), rows([3], "withdrawn"))
    assert len(segments(several)) == 6
    file = tmp_path / "s.csv"
    file.write_text(rows(range(70, 95)) + f"e3,{value(3)},,\ne4,,,withdrawn\ne60,,,withdrawn\n")
    script = PROGRAMS / "kill_an_import.py"
    call = [sys.executable, script, known.path, file, "tiers"]

    done = subprocess.run(call, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 25
    after = put(several, file.read_text())
    assert len(after.info().files) == 6
    assert [found(after, n) for n in (4, 60, 5, 61, 94)] == [False, False, True, True, True]


@pytest.mark.parametrize("change", ["opinion", "rollback", "purge", "release"])
def test_killed_at_any_write_of_another_change(known, tmp_path, change):
    """The list is at the generation before or after it; a purge is completed by the next writer."""
    file = tmp_path / "mine.csv"
    first = [f"a{n},{value(700 + n)},\n" for n in range(20)]
    for text in (
        f"{''.join(first)}x,zz,{value(799, 32)}\n",
        f"a0,{value(790)},\nb,{value(791)},\n",
    ):
        file.write_text(f"id,md5,pdq\n{text}")
        known.import_file(file, source="mine")
    script = PROGRAMS / "kill_a_change.py"
    call = [sys.executable, script, known.path, change]

    done = subprocess.run(call, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 4


def test_a_killed_compaction_changes_nothing(known, monkeypatch):
    """An error before its commit: the generation before stays, and the next one succeeds."""
    monkeypatch.setattr(tiers, "SMALLEST", 1)
    several = put(known, rows([60]))

    def full(self, path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(HammingIndex, "save", full)
        with pytest.raises(ListError, match=r"nothing changed.*No space left"):
            several.compact()
    assert several.refresh() is several

    assert several.compact()
    assert len(several.refresh().info().files) == 2
    assert not several.compact()


def test_an_error_in_the_middle_changes_nothing(known, monkeypatch):
    """A full disk under an index file: a ListError that says so, and the next import works."""
    before, files = known.info().to_dict(), segments(known)

    def full(self, path):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(HammingIndex, "save", full)
        with pytest.raises(ListError, match=r"nothing changed.*No space left"):
            put(known, rows([60]))

    assert known.refresh() is known
    assert HashList.open(known.path).info().to_dict() | {"age_s": 0} == before | {"age_s": 0}
    assert len(segments(known) - files) == 2  # that of the digests, and half of the other
    assert found(put(known, rows([60])), 60)
    assert len(segments(known) - files) == 2


@pytest.mark.parametrize("full", [False, True])
def test_a_file_that_is_still_being_written_changes_nothing(known, monkeypatch, full):
    """A copy on its way, of which the first part is there: as a full list it would withdraw the
    rest. When it is whole it is taken.
    """
    file = known.path.with_name("s.csv")
    whole = rows(range(60))
    file.write_text(whole[: whole.index("e45,")])
    settings = {"source": "s", "full": full}

    def opened(*given, **named):
        reader = open_reader(*given, **named)
        with file.open("a") as copied:
            copied.write(whole[whole.index("e45,") : whole.index("e50,")])
        return reader

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(import_file, "open_reader", opened)
        with pytest.raises(ListError, match=r"^s\.csv was written to while it was read"):
            known.import_file(file, **settings)
    assert known.refresh().generation == 1
    assert found(known.refresh(), 47)

    file.write_text(whole)
    assert known.import_file(file, **settings).added == 10


def test_an_interrupt_changes_nothing(known, monkeypatch):
    """Ctrl-C during an import rolls it back and lets the next one in."""
    real = generations.publish

    def interrupted(*rest, **settings):
        real(*rest, **settings)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(generations, "publish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            put(known, rows([60]))

    assert known.refresh() is known
    assert found(put(known, rows([60])), 60)


def test_a_second_writer_waits_and_then_says_so(known, monkeypatch):
    """While one import runs another is refused after a wait, changing nothing; then it works."""
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.2)

    with (
        transaction.write_exclusively(known.path),
        pytest.raises(ListError, match=r"another import into .* is running"),
    ):
        put(known, rows([60]))

    assert known.refresh() is known
    assert found(put(known, rows([60])), 60)


def test_two_writers_at_once_both_come_through(known, tmp_path):
    """Imports from several threads queue up; every row of each is there in the end."""
    errors = []

    def write(number):
        file = tmp_path / f"w{number}.csv"
        file.write_text(rows(range(100 * number, 100 * number + 20)))
        try:
            HashList.open(known.path).import_file(file)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    after = known.refresh()
    assert errors == []
    assert after.generation == 5
    assert all(found(after, 100 * w + n) for w in range(1, 5) for n in range(20))
    assert after.kinds == {"md5": 130, "pdq": 130}


def test_a_reader_keeps_its_generation_while_imports_go_on(tmp_path):
    """An open list answers as before whatever is imported; its files stay until it goes."""
    known = fifty(tmp_path)
    mine = segments(known)
    newest = known
    for number in range(8):
        newest = put(newest, rows([number], "withdrawn"))

    assert mine <= segments(known)
    assert all(found(known, number) for number in range(50))
    assert [found(newest, number) for number in range(10)] == [False] * 8 + [True] * 2
    held = HashList.open(known.path, generation=1)
    assert found(held, 0)
    del known, held
    put(newest, rows([9], "withdrawn"))
    assert not mine & segments(newest)


def test_a_mapped_file_may_be_removed_under_a_reader(known):
    """Where no lock protects it (a network folder), the mapping alone serves on."""
    for path in (known.path / "segments").iterdir():
        path.unlink()

    assert all(found(known, number) for number in range(50))


def test_what_others_put_beside_the_index_files_stays(known):
    """Files are removed by names that only we give; a note or a folder of somebody's is theirs."""
    place = known.path / "segments"
    (place / "README").write_text("of the backup")
    (place / "sub").mkdir()
    (place / ".notes.tmp").write_text("of an editor")
    left = place / f".md5-00000001-{'0' * 16}.idx.{'0' * 16}.tmp"
    left.write_bytes(b"of a writer that was killed")
    newest = known
    for number in range(6):
        newest = put(newest, rows([70 + number]))

    assert (place / "README").exists()
    assert (place / "sub").is_dir()
    assert (place / ".notes.tmp").exists()
    assert not left.exists()


def test_old_files_go_and_the_last_generations_stay(tmp_path):
    """As many generations as are kept can be opened, and nothing else lies about."""
    one = fifty(tmp_path)
    path = one.path
    for number in range(6):
        one = put(one, rows([60 + number]))
    newest = one.generation
    del one

    for kept in range(newest - generations.KEPT_GENERATIONS + 1, newest + 1):
        assert HashList.open(path, generation=kept).kinds == {"md5": 49 + kept, "pdq": 49 + kept}
    assert len(list((path / "segments").iterdir())) <= 2 * (generations.KEPT_GENERATIONS + 1)


def test_a_reader_keeps_its_generation_while_files_are_merged(tmp_path, monkeypatch):
    """Imports that merge and remove, and compactions: an old reader answers as before."""
    monkeypatch.setattr(tiers, "SMALLEST", 1)
    monkeypatch.setattr(tiers, "FACTOR", 2)
    monkeypatch.setattr(tiers, "MOST", 3)
    newest = known = fifty(tmp_path)
    some = [*range(14), 49, *range(98, 112)]  # what changes, and a few that do not
    for number in range(12):
        before, there = newest, {n for n in some if found(newest, n)}
        newest = put(newest, rows([100 + number]) + f"e{number},,,withdrawn\n")
        if number % 5 == 4:
            newest.compact()
            newest = newest.refresh()
        assert {n for n in some if found(before, n)} == there
        assert newest.kinds == {"md5": 50, "pdq": 50}
        assert len(newest.info().files) <= 2 * (3 + 1)

    assert all(found(known, number) for number in range(50))
    assert [found(newest, n) for n in (0, 11, 12, 49, 100, 111)] == [False] * 2 + [True] * 4


def test_orphans_are_swept_by_the_next_writer(known):
    """What a killed import left, whichever file it was at; but not what a generation names."""
    named = segments(known)
    folder = known.path / "segments"
    for name in ("md5-00000002-0123456789abcdef.idx", ".x.0123456789abcdef.tmp"):
        (folder / name).write_bytes(b"left by a killed import")

    after = put(known, rows([60]))

    assert named < segments(after)
    assert len(segments(after)) == 4


def test_a_refresh_during_imports_never_sees_a_torn_list(known):
    """Each generation that a reader meets is whole: as many values as its number says."""
    stop, wrong = threading.Event(), []

    def read():
        one = HashList.open(known.path)
        while not stop.is_set():
            one = one.refresh()
            told = one.info()
            numbers = {*one.kinds.values(), *told.values.values(), told.states["confirmed"]}
            if numbers != {49 + one.generation}:
                wrong.append((one.generation, numbers))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        one = known
        for number in range(25):
            one = put(one, rows([60 + number]))
    finally:
        stop.set()
        reader.join()

    assert wrong == []


def test_a_generation_swept_while_it_is_opened_is_opened_anew(tmp_path, monkeypatch):
    """Between reading a name and opening it the file may go: the newest is opened instead."""
    path, real = fifty(tmp_path).path, held.open_locked
    calls = []

    def hold(file, flags):
        if not calls:
            calls.append(Path(file))
            for number in range(6):
                put(HashList.open(path), rows([60 + number]))
        return real(file, flags)

    monkeypatch.setattr(held, "open_locked", hold)

    assert HashList.open(path).generation == 7
    assert not calls[0].exists()


def test_a_file_that_goes_while_it_is_locked_is_gone(tmp_path, monkeypatch):
    """The sweeper may come between opening a file and locking it: that is no hold on it."""
    fcntl = pytest.importorskip("fcntl")
    file = tmp_path / "x.idx"
    file.write_bytes(b"")
    monkeypatch.setattr(fcntl, "flock", lambda *_: file.unlink())

    with pytest.raises(FileNotFoundError):
        held.open_locked(file)


@pytest.mark.parametrize("trouble", [OSError(errno.EIO, "broken"), KeyboardInterrupt()])
def test_a_creation_that_is_broken_off_leaves_no_list(tmp_path, monkeypatch, trouble):
    """The folder appears under its name complete or not at all, and no other name stays."""

    def failing(*rest):
        raise trouble

    monkeypatch.setattr(database.os, "replace", failing)
    with pytest.raises((ListError, KeyboardInterrupt)):
        HashList.create(tmp_path / "new.list")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["_open", "lock_file", "write_exclusively", "rename"])
def test_an_interrupt_between_two_steps_leaves_no_list_that_was_made_for_the_import(
    tmp_path, monkeypatch, step
):
    """At its opening, where its lock was just taken, or while a list that a file was refused by is
    taken away; at once, though what was interrupted may hold the lock.
    """
    file = tmp_path / "s.csv"
    file.write_text(rows([]) + "e,zz,zz,\n" if step == "rename" else rows([1]))
    enter, rename = contextlib._GeneratorContextManager.__enter__, Path.rename

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    def entered(manager):
        given = enter(manager)
        if manager.gen.__name__ == step:
            monkeypatch.undo()
            raise KeyboardInterrupt
        return given

    def renamed(path, to):
        if path.name == "new.list":
            rename(path, to)
            raise KeyboardInterrupt

    if step == "_open":
        monkeypatch.setattr(HashList, step, interrupted)
    elif step == "rename":
        monkeypatch.setattr(Path, step, renamed)
    else:
        monkeypatch.setattr(contextlib._GeneratorContextManager, "__enter__", entered)
    with pytest.raises(KeyboardInterrupt), open_list.open_or_create(tmp_path / "new.list") as made:
        made.import_file(file, source="s")

    assert list(tmp_path.iterdir()) == [file]


def test_a_pending_log_is_read(known):
    """Records that are only in the write-ahead log, as after a crash, are seen by readers."""
    source = sqlite3.connect(known.path / "records.sqlite")
    source.execute("BEGIN")
    source.execute("SELECT count(*) FROM meta").fetchone()  # a reader at work keeps the log
    after = put(known, rows([60]))

    assert (known.path / "records.sqlite-wal").stat().st_size > 0
    assert found(after, 60)
    source.close()


def small_write(one):
    """A change of records alone, as an operator's note would be: a generation of its own."""
    with transaction.begin(one.path) as connection:
        now = generations.load(connection, one.path)
        generations.publish(connection, now.number + 1, what="note")


@pytest.fixture
def patient(monkeypatch):
    """Nobody waits for long, so that a lock that is held shows."""
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.2)


def on_save(monkeypatch, act):
    """Do something whenever an index of PDQs has been built and is about to be saved."""
    real = HammingIndex.save

    def save(self, path):
        act(self)
        real(self, path)

    monkeypatch.setattr(HammingIndex, "save", save)


def test_a_small_write_does_not_wait_for_a_compaction(known, monkeypatch, patient):
    """The files are built while others may write; what they wrote and the merged files stand."""
    monkeypatch.setattr(tiers, "SMALLEST", 1)
    several = put(known, rows([60]))
    on_save(monkeypatch, lambda _: small_write(several))

    assert several.compact()

    after = several.refresh()
    assert after.generation == several.generation + 2
    assert len(after.info().files) == 2
    assert all(found(after, number) for number in (*range(50), 60))
    assert found(HashList.open(known.path, generation=several.generation + 1), 60)


def test_an_import_waits_for_a_compaction_and_says_so(known, monkeypatch, patient):
    """Two who write index files take turns, so that neither sweeps the other's."""
    monkeypatch.setattr(tiers, "SMALLEST", 1)
    several, refused = put(known, rows([60])), []

    def an_import(_):
        with pytest.raises(ListError, match=r"another import into .* is running"):
            put(several, rows([61]))
        refused.append(True)

    with monkeypatch.context() as patch:
        on_save(patch, an_import)
        assert several.compact()

    assert refused
    assert found(put(several, rows([61])), 61)


def test_a_compaction_yields_to_other_files_of_the_kind(known, monkeypatch):
    """If the files that it merged are no longer those of the list, its own are not named."""
    monkeypatch.setattr(tiers, "SMALLEST", 1)
    several = put(known, rows([60]))

    def replaced(_):
        with transaction.begin(known.path) as connection:
            now = generations.load(connection, known.path)
            connection.execute("UPDATE segments SET until = ? WHERE kind = 'pdq'", (3,))
            generations.publish(connection, now.number + 1, what="note")

    on_save(monkeypatch, replaced)

    several.compact()
    after = HashList.open(known.path)
    assert "pdq" not in after.kinds
    assert len(after.info().files) == 1  # the digests', which nobody else had changed


@pytest.fixture
def crowded(tmp_path, monkeypatch):
    """A list of as many index files a kind as there may be, none small enough to be merged."""
    monkeypatch.setattr(tiers, "SMALLEST", 1)
    monkeypatch.setattr(tiers, "FACTOR", 1)
    monkeypatch.setattr(tiers, "AT_ONCE", 10)
    one = HashList.create(tmp_path / "known.list")
    for part in range(tiers.MOST):
        size = 30 - part
        one = put(one, rows(range(100 * part, 100 * part + size)))
    assert len(one.info().files) == 2 * tiers.MOST
    return one


def test_much_is_merged_after_the_import_and_nobody_waits(crowded, monkeypatch, patient):
    """The import writes its own; then the files are merged, all alike, and others may write."""
    written = []

    def act(index):
        if written:
            small_write(crowded)
        written.append(len(index))

    on_save(monkeypatch, act)
    before = crowded.generation
    file = crowded.path.with_name("one.csv")
    file.write_text(rows([5000]))

    report = crowded.import_file(file)

    assert written == [1, 1 + sum(30 - part for part in range(tiers.MOST))]
    after = crowded.refresh()
    assert report.generation == after.generation == before + 3  # import, note, merge
    assert len(after.info().files) == 2
    assert all(found(after, 100 * part) for part in range(tiers.MOST))
    assert found(after, 5000)


def test_an_import_stands_where_the_merge_after_it_fails(crowded, monkeypatch, caplog):
    """A disk that is full by then: a warning, no error, and the next import merges."""

    def full(index):
        if len(index) > 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        on_save(patch, full)
        after = put(crowded, rows([5000]))
    assert found(after, 5000)
    assert len(after.info().files) == 2 * (tiers.MOST + 1)
    assert "could not be merged" in caplog.text
    assert "No space left" in caplog.text

    last = put(after, rows([5001]))
    assert len(last.info().files) <= 2 * tiers.MOST
    assert all(found(last, number) for number in (0, 100, 700, 5000, 5001))
