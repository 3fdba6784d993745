"""After a purge no file of the list has a raw byte, hex or base64 of a value."""

import base64
import sqlite3
from contextlib import closing

import pytest
from listed_values import found, raw, written

from screener import HashList
from screener.errors import ListError


def traces(folder, values):
    """Return the files under a folder that contain any of some values, in any form."""
    return [
        path.name
        for path in sorted(folder.rglob("*"))
        if path.is_file() and found(path.read_bytes(), values)
    ]


def test_after_a_purge_nothing_of_a_value_is_left_wherever_it_stood(tmp_path):
    """As a hash, an entry's name, a label, in quarantine, in notes, in a file's name; in old
    generations, index and log; data of other sources stays.
    """
    one = HashList.create(tmp_path / "known.list")
    waiting = sqlite3.connect(one.path / "records.sqlite")
    waiting.execute("BEGIN")
    waiting.execute("SELECT 1 FROM meta").fetchall()  # keeps the log from going by itself
    names, column = [f"e{n}" for n in range(6)], ["md5", "pdq"]
    for turn in range(3):
        lines = [
            f"{written(n, 'md5').upper()},{','.join(written(n, k) for k in column)},"
            f"{base64.b64encode(raw(n, 'sha256')).decode()},{written(n, 'sha256')},{turn}"
            for n in names
        ]
        lines.append(f"bad{turn},{written('e1', 'md5')},zz,{written('e1', 'sha256')},,")
        file = tmp_path / f"list-{written('e2', 'md5')}.csv"
        file.write_text(f"id,{','.join(column)},a,b,turn\n" + "\n".join(lines) + "\n")
        one.import_file(
            file, source="mine", by="ann", ids_from_hashes=True, ignore_unknown_columns=True
        )
    (tmp_path / "other.csv").write_text(
        f"id,md5,pdq\no1,{written('e7', 'md5')},{written('e7', 'pdq')}\no2,,{'0' * 62}ff\n"
    )
    one.import_file(
        tmp_path / "other.csv",
        source="other",
        by="ann",
        ids_from_hashes=True,
        ignore_unknown_columns=True,
    )
    who = {"by": "ann", "reason": "x"}
    one.give_opinion(written("e3", "md5").upper(), state="disputed", **who)
    one.release_rows([one.refresh().quarantined()[0][0].id], **who)
    one.release_value("o2", "pdq", **who)
    one.give_opinion("o1", state="disputed", **who)
    one.rollback(2, **who)
    one.count_matches([])
    values = [raw(n, k) for n in names for k in ("md5", "pdq", "sha256")]
    reader = one.refresh()  # keeps index files open
    with closing(waiting):
        assert "records.sqlite-wal" in traces(one.path, values)
        waiting.rollback()

        one.purge("mine", by="ann", reason="the contract ended")

        assert traces(one.path, values) == []
    assert traces(one.path, [raw("e7", "md5")]) != []
    notes = [(x.what, x.note) for x in one.refresh().log() if x.what in ("opinion", "release")]
    assert ("release", "pdq: x") in notes
    assert ("opinion", "disputed: x") in notes
    assert reader.kinds["md5"] == len(names)  # until it is refreshed
    assert sum(x.counts["added"] for x in one.log() if x.source == "mine") == len(names)


def test_a_purge_leaves_nothing_in_the_gaps_of_pages(tmp_path):
    """Moving rows in many small steps leaves copies of values between them; they are erased too."""
    one = HashList.create(tmp_path / "known.list")
    names, others = [f"n{n}" for n in range(2000)], [f"o{n}" for n in range(2000)]
    for source, some in (("mine", names[::2]), ("other", others), ("mine", names[1::2])):
        lines = "".join(f"{name},{written(name, 'md5')},{written(name, 'pdq')}\n" for name in some)
        (tmp_path / "a.csv").write_text(f"id,md5,pdq\n{lines}")
        one.import_file(tmp_path / "a.csv", source=source)

    one.purge("mine")

    assert traces(one.path, [raw(name, kind) for name in names for kind in ("md5", "pdq")]) == []


def test_a_purge_leaves_no_temporary_file(tmp_path, monkeypatch):
    """SQLite's temporary files are gone afterwards."""
    known = HashList.create(tmp_path / "known.list")
    (tmp_path / "a.csv").write_text(f"id,md5\nx,{written('e1', 'md5')}\n")
    known.import_file(tmp_path / "a.csv", source="mine")
    work = tmp_path / "work"
    work.mkdir()
    for name in ("SQLITE_TMPDIR", "TMPDIR"):
        monkeypatch.setenv(name, str(work))

    known.purge("mine")

    assert list(work.iterdir()) == []
    with pytest.raises(ListError, match="nothing of the source"):
        known.purge("mine")
