"""The index files of a list: small changes, compaction, damage."""

import sqlite3

import pytest
from list_values import codes, hits, value

from screener.errors import IndexFileError, ListError
from screener.index import tiers
from screener.index.digests import DigestIndex
from screener.lists.hashlist import HashList


def test_a_change_of_labels_keeps_the_index_files(known, put):
    """Only kinds whose values changed get a new file."""
    put(f"id,md5,pdq,category\nx,{value(1)},{value(1, 32)},A\n")
    first = known.refresh().info().files
    put(f"id,md5,pdq,category\nx,{value(1)},{value(1, 32)},B\n")
    second = known.refresh().info().files
    put(f"id,md5,pdq,category\nx,{value(2)},{value(1, 32)},B\n")
    third = known.refresh().info().files

    put(f"id,md5,pdq\ny,,{value(1, 32)}\n")
    fourth = known.refresh().info().files
    put("id,md5,status\ny,,withdrawn\n")

    assert first == second
    assert len(set(first) & set(third)) == 1
    assert third == fourth == known.refresh().info().files


def test_a_damaged_or_lost_index_file_is_an_error(known, put):
    """It is never a silent miss; an import that changes the kind rewrites the file."""
    put(f"id,md5\nx,{value(1)}\n")
    (file,) = (known.path / "segments").iterdir()
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(IndexFileError):
        HashList.open(known.path)
    file.unlink()
    DigestIndex.build(codes(value(1), value(2))).save(file)
    with pytest.raises(IndexFileError, match="does not hold"):
        HashList.open(known.path)
    file.unlink()
    DigestIndex.build(codes(value(1, 32))).save(file)
    with pytest.raises(IndexFileError, match="does not hold"):
        HashList.open(known.path)
    file.unlink()
    with pytest.raises(IndexFileError, match="lost an index file"):
        HashList.open(known.path)

    put(f"id,md5\ny,{value(2)}\n")

    assert hits(known.refresh(), "md5", value(1)) == [("demo", "x", "confirmed")]
    assert known.refresh().kinds == {"md5": 2}


def several(put, monkeypatch):
    """Import a hundred entries into two index files, with two removed rows."""
    monkeypatch.setattr(tiers, "SMALLEST", 1)
    put("id,pdq\n" + "".join(f"e{n},{value(n, 32)}\n" for n in range(90)))
    put("id,pdq\n" + "".join(f"e{n},{value(n, 32)}\n" for n in range(90, 100)))
    put("id,pdq,status\ne3,,withdrawn\ne4,,withdrawn\n")


def test_a_small_change_writes_small_files(known, put, monkeypatch):
    """The big file stays; removed values do not match, are not counted, and can return."""
    several(put, monkeypatch)
    hash_list = known.refresh()
    files = hash_list.info().files
    sizes = sorted(files.values())

    assert (len(files), hash_list.kinds) == (3, {"pdq": 98})
    assert sum(name.endswith(".gone") for name in files) == 1
    assert hash_list.info().values == {"pdq": 98}
    assert len(hash_list.search("pdq", codes(value(3, 32)), radius=0)[1]) == 0
    put(f"id,pdq\ne3,{value(3, 32)}\ne4,{value(4, 32)}\n")
    back = known.refresh()
    assert back.kinds == {"pdq": 100}
    assert hits(back, "pdq", value(3, 32)) == [("demo", "e3", "confirmed")]
    assert sorted(back.info().files.values()) == sizes[1:]


def test_compact_merges_the_index_files(known, put, monkeypatch):
    """One file a kind with the same values; the generation rises and the age stays."""
    several(put, monkeypatch)
    before = known.refresh()

    assert before.compact()
    after = before.refresh()

    assert len(after.info().files) == 1
    assert after.kinds == before.kinds == {"pdq": 98}
    assert after.generation == before.generation + 1
    assert before.age_s() <= after.age_s()
    assert after.info().states == before.info().states
    wanted = codes(*(value(n, 32) for n in range(100)))
    for hash_list in (before, after):
        offsets, rows, _ = hash_list.search("pdq", wanted, radius=0)
        assert [n for n in range(100) if offsets[n] == offsets[n + 1]] == [3, 4]
        assert all(hash_list.holders("pdq", rows))
    assert not after.compact()
    assert after.refresh() is after


def test_a_refresh_opens_only_what_is_new(known, put, monkeypatch):
    """Index files of the previous generation are not opened again."""
    several(put, monkeypatch)
    before = known.refresh()
    put(f"id,pdq\nx,{value(200, 32)}\n")
    after = before.refresh()

    shared = before.info().files.keys() & after.info().files.keys()
    assert len(shared) >= 1
    for name in shared - {n for n in shared if n.endswith(".gone")}:
        assert before._open_files[name] is after._open_files[name]
    # The removed rows are those of the first file, although another follows it.
    missing = [n for n in range(100) if not hits(after, "pdq", value(n, 32))]
    assert missing == [3, 4]
    for n in missing:
        assert len(after.search("pdq", codes(value(n, 32)), radius=0)[1]) == 0
    assert len(after.search("pdq", codes(value(5, 32)), radius=0)[1]) == 1


def test_damaged_removed_rows_are_refused_and_rewritten(known, put, monkeypatch):
    """They would hide a listed value, so every byte is checked."""
    several(put, monkeypatch)
    (name,) = (n for n in known.refresh().info().files if n.endswith(".gone"))
    file = known.path / "segments" / name
    whole = bytearray(file.read_bytes())
    whole[-1] ^= 1
    file.write_bytes(whole)
    with pytest.raises(IndexFileError):
        HashList.open(known.path)

    put(f"id,pdq\nx,{value(200, 32)}\n")

    assert HashList.open(known.path).kinds == {"pdq": 99}


@pytest.mark.parametrize(
    "change",
    [
        "segments SET file = '../../elsewhere.idx'",
        "segments SET file = x'00ff'",
        "segments SET rows = 'many'",
        "generations SET counts = '{'",
        "generations SET counts = '[1]'",
        "generations SET counts = replace(hex(zeroblob(50000)), '00', '[')",
        "generations SET confirmed = 'x'",
        "generations SET time = x'00ff'",
    ],
)
def test_an_invalid_generation_row_is_damage(known, put, change):
    """No file outside the list's folder is opened, and no text becomes a number."""
    put(f"id,md5\nx,{value(1)}\n")
    with sqlite3.connect(known.path / "records.sqlite") as connection:
        connection.execute(f"UPDATE {change}")
    connection.close()

    with pytest.raises(ListError, match="damaged"):
        HashList.open(known.path)


@pytest.mark.parametrize(
    "added",
    [
        "ALTER TABLE generations RENAME TO g; CREATE VIEW generations AS WITH RECURSIVE a(x) AS"
        " (SELECT 1 UNION ALL SELECT x + 1 FROM a) SELECT g.* FROM a, g WHERE x < 0;",
        "CREATE TRIGGER t AFTER INSERT ON generations BEGIN DELETE FROM records; END;",
        "CREATE VIRTUAL TABLE t USING fts5(a);",
    ],
)
def test_a_database_with_views_or_triggers_is_refused(known, put, added):
    """A view may never end, and a trigger may change an import."""
    report = put(f"id,md5\nx,{value(1)}\n")
    assert report.added == 1
    with sqlite3.connect(known.path / "records.sqlite") as connection:
        connection.executescript(added)
    connection.close()

    for call in (lambda: HashList.open(known.path), known.refresh, known.verify,
                 lambda: put(f"id,md5\ny,{value(2)}\n")):  # fmt: skip
        with pytest.raises(ListError, match="a view, a trigger or a virtual table"):
            call()
