"""What an import stores at once, and how often it writes an entry, is bounded."""

import sqlite3
from contextlib import closing

import pytest

from screener import HashList
from screener.errors import ListError
from screener.lists.importing import run, staged_rows, writer

PDQ = "0123456789abcdef" * 4


def big_file(tmp_path, count, last=""):
    """A file of so many rows."""
    file = tmp_path / "s.csv"
    lines = (f"e{n},{n:064x}\n" for n in range(count))
    file.write_text("id,pdq\n" + "".join(lines) + last)
    return file


@pytest.mark.parametrize("trouble", ["a bad row", "the disk"])
def test_an_import_that_fails_half_way_leaves_no_row(tmp_path, monkeypatch, trouble):
    """A bad row of a late batch, or an error of SQLite's."""
    monkeypatch.setattr(run, "_BATCH_ENTRIES", 50)
    write, written = writer.Writer.flush, []

    def failing(self, *rest):
        written.append(1)
        if trouble == "the disk" and len(written) == 8:
            raise sqlite3.OperationalError("disk I/O error")
        write(self, *rest)

    monkeypatch.setattr(writer.Writer, "flush", failing)
    known = HashList.create(tmp_path / "known.list")
    with pytest.raises(ListError, match="nothing"):
        known.import_file(big_file(tmp_path, 500, "bad,zz\n"), strict=trouble == "a bad row")
    assert len(written) >= 8
    monkeypatch.undo()

    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (0,)
    assert known.import_file(big_file(tmp_path, 500)).added == 500


@pytest.fixture
def written(monkeypatch):
    """How many hashes each version has that is written, alone or as one of many."""
    found = []
    write = writer.Writer._queue

    def counted(self, entry, version, state, *, until):
        found.append(len(version.hashes))
        return write(self, entry, version, state, until=until)

    monkeypatch.setattr(writer.Writer, "_queue", counted)
    return found


@pytest.mark.parametrize("entries", [1, 3])
def test_the_rows_of_an_entry_are_merged_once_however_many_they_are(
    tmp_path, monkeypatch, entries, written
):
    """As many rows as make thirty batches: the first is written, and then all of them together."""
    monkeypatch.setattr(run, "_BATCH_ENTRIES", 10)
    file = tmp_path / "s.csv"
    lines = (f"e{n % entries},{n:064x}\n" for n in range(300))
    file.write_text("id,pdq\n" + "".join(lines))

    report = HashList.create(tmp_path / "known.list").import_file(file)

    assert (report.added, report.repeated) == (entries, 300 - entries)
    assert written == [300 // entries] * entries


@pytest.mark.parametrize(
    "times", [("", "2020"), ("2020", ""), ("2020", "2021"), ("2021", "2020"), ("", "2020", "2021")]
)
@pytest.mark.parametrize("stored", [None, "2019", "2020", "2022"])
def test_rows_of_an_entry_whose_times_take_turns_are_written_twice(
    tmp_path, written, times, stored
):
    """However many they are: at most the first alone, and all that count together."""
    known = HashList.create(tmp_path / "known.list")
    file = tmp_path / "s.csv"
    if stored:
        file.write_text(f"id,pdq,updated\na,{PDQ},{stored}-01-01\n")
        known.import_file(file)
        written.clear()
    turns = [f"{time}-01-01" if time else "" for time in times]
    lines = (f"a,{n:064x},{turns[n % len(turns)]}\n" for n in range(60))
    file.write_text("id,pdq,updated\n" + "".join(lines))

    report = known.import_file(file)

    assert report.repeated == 59
    assert len(written) <= 2


def test_rows_that_wait_are_written_once(tmp_path, monkeypatch):
    """However many an entry has, all older than what is stored: none of them is written again for
    those that follow.
    """
    known = HashList.create(tmp_path / "known.list")
    file = tmp_path / "s.csv"
    file.write_text(f"id,pdq,updated\na,{PDQ},2024-01-01\n")
    known.import_file(file)
    monkeypatch.setattr(run, "OPINION_FORMATS", {"csv"})
    waiting = []
    packed = staged_rows.encode_row
    monkeypatch.setattr(
        staged_rows, "encode_row", lambda row: waiting.append(len(row.hashes)) or packed(row)
    )
    days = [f"2023-01-{day:02}" for day in range(1, 29)] + ["2025-01-01"]
    lines = (f"a,{n:064x},{day}\n" for n, day in enumerate(days))
    file.write_text("id,pdq,updated\n" + "".join(lines))

    assert known.import_file(file).changed == 1
    assert len(known.refresh().show("a")[0].hashes) == 29
    assert waiting == [1] * 29


@pytest.mark.parametrize("entries", [100, 1])
def test_what_is_in_memory_at_once_is_bounded_by_its_bytes(tmp_path, monkeypatch, entries):
    """Rows with large values come in smaller batches, as do those of an entry that never end."""
    monkeypatch.setattr(run, "_BATCH_BYTES", 9_000)
    sizes = []
    take = run.Run._take_rows
    monkeypatch.setattr(
        run.Run, "_take_rows", lambda self, batch: (sizes.append(len(batch)), take(self, batch))
    )
    file = tmp_path / "one.csv"
    quoted = (f'"e{n % entries}",{PDQ}\n' for n in range(100))
    file.write_text("id,pdq\n" + "".join(quoted))

    report = HashList.create(tmp_path / "known.list").import_file(file)

    assert report.added + report.repeated == 100
    assert sizes == [32, 32, 32, 4]
