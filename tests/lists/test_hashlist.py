"""HashList: what is searched, who holds a hit, states, generations, and what it tells."""

import contextlib
import hashlib
import json
import os
import pickle
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from list_values import value

from screener import Screener
from screener.errors import HashError, IndexFileError, ListError
from screener.hashing.hash import KINDS
from screener.index import tiers
from screener.index.digests import DigestIndex
from screener.lists.hashlist import HashList
from screener.lists.store.records import Category, Record

NO_BYTES = hashlib.md5(b"").hexdigest()


def codes(*texts):
    """Hex texts as queries."""
    return np.frombuffer(bytes.fromhex("".join(texts)), np.uint8).reshape(len(texts), -1)


@pytest.fixture
def put(known, tmp_path):
    """Imports a text into the list and gives the report."""

    def put(text, name="demo.csv", **settings):
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return known.import_file(file, **settings)

    return put


def hits(one, kind, text, radius=0):
    """The records that a value reaches, as (source, entry, state)."""
    if kind in ("md5", "sha1", "sha256"):
        _, rows = one.lookup(kind, codes(text))
    else:
        _, rows, _ = one.search(kind, codes(text), radius=radius)
    return [(r.source, r.entry, r.state) for held in one.holders(kind, rows) for r in held]


def test_an_empty_list(known):
    """It is generation 0, holds and finds nothing, and says so."""
    offsets, rows, distances = known.search("pdq", codes(value(1, 32), value(2, 32)), radius=31)

    assert (known.generation, dict(known.kinds), known.matchable) == (0, {}, False)
    assert offsets.tolist() == [0, 0, 0]
    assert (len(rows), len(distances)) == (0, 0)
    assert (offsets.dtype, rows.dtype, distances.dtype) == (np.int64, np.int64, np.uint16)
    assert known.lookup("md5", codes(value(1)))[0].tolist() == [0, 0]
    assert known.holders("pdq", rows) == []
    assert known.refresh() is known


def test_a_list_of_one_entry_matches(known, put):
    """One hash is found at distance 0 and at its radius, and not one bit beyond."""
    put(f"id,pdq,pdq_quality,category,note\nx,{value(1, 32)},77,A,n\n")
    one = known.refresh()
    near = bytearray(bytes.fromhex(value(1, 32)))
    near[0] ^= 0xFF
    near[9] ^= 0x01

    offsets, rows, distances = one.search("pdq", codes(value(1, 32), near.hex()), radius=9)

    assert offsets.tolist() == [0, 1, 2]
    assert distances.tolist() == [0, 9]
    assert len(one.search("pdq", codes(near.hex()), radius=8)[1]) == 0
    (record,) = one.holders("pdq", rows[:1])[0]
    assert record == Record(
        "demo", "x", "confirmed", (Category("operator:demo", "A"),), {"note": "n"}, None, 77, 1
    )


def test_the_report_accounts_for_every_row(put):
    """Added, changed, unchanged, repeated and quarantined rows add up to those read."""
    report = put(
        "id,pdq,md5,status,age\n"
        f"a,{value(1, 32)},{value(1)},,1\n"
        f"a,,{value(2)},,\n"
        f"b,,{value(3)},withdrawn,\n"
        f"c,{'0' * 64},{NO_BYTES},,\n"
        f"d,,{NO_BYTES},,\n"
        "e,,1.2E+30,,\n"
        "f,,,,\n"
        ",,,withdrawn,\n"
    )

    assert (report.rows, report.added, report.repeated) == (8, 3, 1)
    assert (report.withdrawn, report.dropped, report.low_information) == (1, 2, 1)
    assert report.quarantined == {"no usable hash": 3, "damaged by a spreadsheet": 1}
    assert report.first_bad == (
        (6, "no usable hash"),
        (7, "md5: damaged by a spreadsheet"),
        (8, "no usable hash"),
        (9, "no usable hash"),
    )
    assert report.unknown_columns == ("age",)
    assert (report.file, report.format, report.source) == ("demo.csv", "csv", "demo")
    assert report.generation == 1


def test_importing_the_same_again_raises_nothing(known, put):
    """No change, no new generation; yet the list is known to be current, and so is young."""
    text = f"id,md5\na,{value(1)}\nb,{value(2)}\na,{value(3)}\n"
    put(text)
    before = known.refresh()

    report = put(text)
    after = before.refresh()

    assert (report.added, report.changed, report.unchanged, report.repeated) == (0, 0, 2, 1)
    assert (report.generation, after.generation) == (1, 1)
    assert after is not before
    assert after.age_s() < before.age_s()
    assert after.refresh() is after
    assert after.info().files == before.info().files


def test_importing_nothing_confirms_nothing(known, put):
    """A file without rows says of no entry that it stands, so the list is as old as before."""
    put(f"id,md5\na,{value(1)}\n")
    before = known.refresh()

    report = put("id,md5\n")

    assert (report.rows, report.generation) == (0, 1)
    assert "confirms nothing" in report.notes[-1]
    assert before.refresh() is before


def test_rows_in_another_encoding_are_set_aside_and_the_summary_says_what_to_do(known, tmp_path):
    """As a spreadsheet saves accents: the others are imported, and the file is to be saved anew."""
    file = tmp_path / "a.csv"
    file.write_bytes(f"id,md5,note\na,{value(1)},Déjà\nb,{value(2)},vu\n".encode("cp1252"))

    report = known.import_file(file)

    assert (report.added, dict(report.quarantined)) == (1, {"undecodable text": 1})
    assert report.notes == (
        "some of its text cannot be decoded: save the file as UTF-8, if it is not, and import it"
        " again",
    )


def test_rows_without_an_entry_id_may_be_imported_again(put):
    """Their ids are made from their hashes, so that the same file changes nothing."""
    text = f"pdq,md5\n{value(1, 32)},\n,{value(2)}\n{value(1, 32)},\n"
    first, second = put(text), put(text)
    other = put(f"md5,pdq\n,{value(1, 32)}\n{value(2)},\n")

    assert (first.added, first.repeated) == (2, 1)
    assert second.unchanged == other.unchanged == 2
    assert second.generation == other.generation == 1


def test_the_opinions_of_several_sources_are_all_shown(known, put):
    """Equal hashes with different states stay records of their own, by source and entry."""
    text = f"id,md5,status,category\nx,{value(1)},{{}},{{}}\n"
    for source, state in [("c", "known"), ("a", "active"), ("d", "seed"), ("b", "disputed")]:
        put(text.format(state, source.upper()), source=source)
    put(text.format("withdrawn", ""), source="e")

    assert hits(known.refresh(), "md5", value(1)) == [
        ("a", "x", "confirmed"),
        ("b", "x", "disputed"),
        ("c", "x", "known_good"),
        ("d", "x", "seed"),
    ]


def test_a_withdrawn_entry_stops_matching_and_others_do_not(known, put):
    """Withdrawal goes by source and entry: an equal hash of another record still matches."""
    put(f"id,md5\nx,{value(1)}\ny,{value(1)}\nz,{value(2)}\n")
    before = known.refresh()
    put("id,md5,status\nx,,withdrawn\nz,,removed\nnever,,deleted\n")
    after = known.refresh()

    assert hits(before, "md5", value(1)) == [("demo", e, "confirmed") for e in "xy"]
    assert hits(after, "md5", value(1)) == [("demo", "y", "confirmed")]
    assert hits(after, "md5", value(2)) == []
    assert after.kinds == {"md5": 1}
    assert after.info().states == {"confirmed": 1, "withdrawn": 3}
    put(f"id,md5\nz,{value(2)}\n")
    assert hits(known.refresh(), "md5", value(2)) == [("demo", "z", "confirmed")]


def test_entries_that_a_later_file_leaves_out_stay(known, put):
    """An import adds and changes; only a withdrawal takes away."""
    put(f"id,md5\nx,{value(1)}\n")
    put(f"id,md5\ny,{value(2)}\n")

    assert hits(known.refresh(), "md5", value(1)) == [("demo", "x", "confirmed")]


def test_a_changed_entry_is_a_new_version(known, put):
    """Its old hashes stop matching; the generation before still has the old version."""
    put(f"id,md5,note\nx,{value(1)},old\n")
    before = known.refresh()
    report = put(f"id,md5,note\nx,{value(2)},new\n")
    after = known.refresh()

    assert report.changed == 1
    assert hits(after, "md5", value(1)) == []
    assert hits(after, "md5", value(2)) == [("demo", "x", "confirmed")]
    _, rows = before.lookup("md5", codes(value(1)))
    (record,) = before.holders("md5", rows)[0]
    assert (record.labels, record.generation) == ({"note": "old"}, 1)


def test_a_change_of_words_keeps_the_index_files(known, put):
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


def test_rows_of_an_entry_far_apart_in_a_file_unite(known, put, monkeypatch):
    """However the rows fall into batches, the outcome and the counts are those of one batch."""
    rows = [f"e{number % 7},{value(number)}," for number in range(20)]
    rows[13] = "e6,,withdrawn"
    text = "id,md5,status\n" + "\n".join(rows) + "\n"
    whole = put(text)
    expected = known.refresh().info().states
    for size in (1, 2, 3, 8):
        monkeypatch.setattr("screener.lists.importing.run._BATCH", size)
        again = put(text)
        assert (again.unchanged, again.repeated, again.generation) == (7, 13, 1)
        fresh = HashList.create(known.path.with_name(f"of-{size}.list"))
        report = fresh.import_file(known.path.with_name("demo.csv"))
        assert report == whole
        fresh = fresh.refresh()
        assert fresh.info().states == expected
        assert fresh.kinds == known.refresh().kinds


def test_a_later_row_adds_to_an_entry_met_unchanged(known, put, monkeypatch):
    """A row that repeats the stored record, then, batches later, one that says more of it."""
    monkeypatch.setattr("screener.lists.importing.run._BATCH", 1)
    put(f"id,md5\nx,{value(1)}\n")

    report = put(f"id,md5\nx,{value(1)}\ny,{value(3)}\nx,{value(2)}\n")

    assert (report.added, report.changed, report.unchanged, report.repeated) == (1, 1, 0, 1)
    for number in (1, 2):
        assert hits(known.refresh(), "md5", value(number)) == [("demo", "x", "confirmed")]


def test_codes_that_begin_alike_are_told_apart(known, put):
    """As of pictures that are alike in one part: each is found as long as one entry has it."""
    rng = np.random.default_rng(4)
    alike = [f"{'5a' * 8}{rng.bytes(24).hex()}" for _ in range(40)]
    text = "id,pdq,status\n"
    rows = [f"{each}{n},{alike[n]},\n" for n in rng.permutation(len(alike)) for each in "ab"]
    put(text + "".join(rows))

    def entries():
        newest = known.refresh()
        return [{entry for _, entry, _ in hits(newest, "pdq", code)} for code in alike]

    assert entries() == [{f"a{n}", f"b{n}"} for n in range(len(alike))]
    put(text + "".join(f"a{n},,withdrawn\n" for n in rng.permutation(len(alike))))
    assert entries() == [{f"b{n}"} for n in range(len(alike))]
    assert known.refresh().kinds["pdq"] == len(alike)
    put(text + "".join(f"b{n},,withdrawn\n" for n in range(0, len(alike), 2)))
    assert entries() == [{f"b{n}"} if n % 2 else set() for n in range(len(alike))]
    assert known.refresh().verify().damage == ()


def test_blank_codes_are_kept_and_never_found(known, put):
    """A hash of a blank picture is stored and counted, and no search meets it."""
    put(f"id,pdq\nx,{'00' * 32}\ny,{value(1, 32)}\n")
    one = known.refresh()

    assert hits(one, "pdq", "00" * 32, radius=100) == []
    assert one.kinds == {"pdq": 1}
    assert one.info().not_searched == {"pdq": 1}
    assert one.info().reached["pdq"] == 1
    assert one.info().by_none == 1


def test_info_tells_what_can_be_reached(known, put):
    """Records by the kinds that we compute, and those that none reaches; no seeds among them."""
    put(
        "id,pdq,md5,photodna,phash,status\n"
        f"a,{value(1, 32)},{value(1)},,,\n"
        f"b,,{value(2)},,,disputed\n"
        f"c,,,{value(3, 144)},,\n"
        f"d,,,,{value(4, 8)},\n"
        f"e,{value(5, 32)},,,,seed\n"
    )
    told = known.refresh().info()

    computed = {name for name, kind in KINDS.items() if kind.computed}
    assert told.reached == dict.fromkeys(computed, 0) | {"pdq": 1, "md5": 2, "phash": 1}
    assert told.by_none == 1
    assert told.values == {"pdq": 2, "md5": 2, "phash": 1}
    assert told.not_searched == {"photodna": 1}
    assert told.states == {"confirmed": 3, "disputed": 1, "seed": 1}
    assert told.sources == {"demo": told.states}
    assert json.loads(json.dumps(told.to_dict()))["name"] == "known"


def test_a_list_of_photodna_only_can_match_but_holds_no_kind(known, put):
    """What no search can reach is no searchable kind, so that nobody takes it for compared."""
    put(f"id,photodna\nx,{value(1, 144)}\n")
    one = known.refresh()

    assert one.kinds == {}
    assert one.matchable
    with pytest.raises(HashError):
        one.lookup("photodna", codes(value(1, 144)))


@pytest.mark.parametrize(
    ("state", "matchable"),
    [("", True), ("disputed", True), ("seed", False), ("known", False), ("withdrawn", False)],
)
def test_only_confirmed_and_disputed_records_make_a_list_matchable(known, put, state, matchable):
    """Seeds, known files and withdrawals do not."""
    put(f"id,md5,status\nx,{value(1)},{state}\n")

    assert known.refresh().matchable is matchable


def test_holders_answers_row_by_row(known, put):
    """One answer a row, in their order, repeats included."""
    put("id,md5\n" + "".join(f"e{n},{value(n)}\n" for n in range(1200)))
    one = known.refresh()
    wanted = [5, 700, 5, 1199, *range(1200)]
    _, rows = one.lookup("md5", codes(*map(value, wanted)))

    held = one.holders("md5", rows)

    assert [record.entry for (record,) in held] == [f"e{n}" for n in wanted]


@pytest.mark.parametrize("row", ["", f"x,{value(1, 32)},{value(1)}\n"], ids=["without", "with"])
def test_a_wrong_call_is_refused_whatever_the_list_holds(known, put, row):
    """A radius or number of threads that is none, what is no array, and codes of another width, are
    refused before the first hash of a kind is imported as they are afterwards.
    """
    put("id,pdq,md5\n" + row)
    one, pdq, md5 = known.refresh(), codes(value(1, 32)), codes(value(1))
    assert one.search("pdq", pdq, radius=0)[0][-1] == one.lookup("md5", md5)[0][-1] == bool(row)

    for radius in (-1, 257, 31.0, "31", None, True):
        with pytest.raises(HashError, match="radius"):
            one.search("pdq", pdq, radius=radius)
    for threads in (0, 1.0, None):
        with pytest.raises(HashError, match="threads must"):
            one.search("pdq", pdq, radius=31, threads=threads)
    for wrong in ([0] * 32, bytes(32), None, pdq[:, :8], pdq.astype(np.int8), pdq[np.newaxis]):
        with pytest.raises(HashError, match="queries"):
            one.search("pdq", wrong, radius=31)
        with pytest.raises(HashError, match="queries"):
            one.lookup("md5", wrong)


def test_a_generation_is_a_whole_number(known, put):
    """NumPy's too, to open and to go back to; a number as a text is none, and no generation is as
    far ahead as a number that the database cannot have.
    """
    put(f"id,md5\nx,{value(1)}\n")
    put(f"id,md5\nx,{value(2)}\n")

    assert HashList.open(known.path, generation=np.int64(1)).generation == 1
    for number in (3, 2**63, 2**70, -1, -(2**70)):
        with pytest.raises(ListError, match="has no generation"):
            HashList.open(known.path, generation=number)
    for wrong in ("1", 1.0, b"1", True):
        with pytest.raises(ListError, match="a generation is a whole number, not"):
            HashList.open(known.path, generation=wrong)
        with pytest.raises(ListError, match="a generation is a whole number, not"):
            known.rollback(wrong, by="ann", reason="a bad file")
    assert known.rollback(np.int64(1), by="ann", reason="a bad file") == 3


def test_wrong_questions_are_refused(known):
    """A kind asked the wrong way, an unknown kind, rows of a kind that the list has not."""
    with pytest.raises(HashError, match="lookup"):
        known.search("md5", codes(value(1)), radius=0)
    with pytest.raises(HashError, match="search"):
        known.lookup("pdq", codes(value(1, 32)))
    with pytest.raises(HashError, match="unknown kind"):
        known.search("sha3", codes(value(1)), radius=0)
    with pytest.raises(HashError, match="not 128"):
        known.search("pdq", codes(value(1)), radius=0)
    with pytest.raises(HashError, match="no pdq"):
        known.holders("pdq", [0])


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        (b"known.list", "known"),
        (b"known.2025", "known.2025"),
        (b"known.2026.list", "known.2026"),
        (b"v1.2", "v1.2"),
        (b".list", ".list"),
        (b"caf\xe9.list", "caf\ufffd"),
    ],
)
def test_a_list_is_called_as_its_folder_is(tmp_path, folder, name):
    """Less our ending, and no other, wherever it is named."""
    known = HashList.create(os.fsdecode(os.path.join(os.fsencode(tmp_path), folder)))
    known.export(tmp_path / "out.csv", format="csv")

    told = json.loads((tmp_path / "out.csv.manifest.json").read_text())["list"]
    assert {known.name, known.info().name, known.verify().name, told} == {name}


def test_lists_of_two_years_are_told_apart(tmp_path):
    """As `known.2025` and `known.2026` in one Screener, though neither has our ending."""
    lists = [HashList.create(tmp_path / f"known.{year}") for year in (2025, 2026)]
    result = Screener(lists).screen(b"some file")
    assert [one.name for one in result.lists] == ["known.2025", "known.2026"]


def test_names_paths_and_pickles(known, put):
    """The name is the folder's without its ending; a pickle opens the same generation."""
    put(f"id,md5\nx,{value(1)}\n")
    old = known.refresh()
    put(f"id,md5\nx,{value(2)}\n")

    copy = pickle.loads(pickle.dumps(old))

    assert (copy.name, copy.generation) == ("known", 1)
    assert hits(copy, "md5", value(1)) == [("demo", "x", "confirmed")]
    assert copy.path.is_absolute()
    assert value(1) not in repr(copy)


def test_an_old_generation_can_be_opened_while_it_is_kept(known, put):
    """By its number; one whose index files are gone is refused and never taken for empty."""
    for number in range(6):
        put(f"id,md5\nx,{value(number)}\n")

    kept = HashList.open(known.path, generation=5)

    assert hits(kept, "md5", value(4)) == [("demo", "x", "confirmed")]
    with pytest.raises(ListError, match="no longer kept"):
        HashList.open(known.path, generation=1)
    with pytest.raises(ListError, match="no generation 99"):
        HashList.open(known.path, generation=99)


def test_what_is_no_list_is_refused(tmp_path, known):
    """Missing, a file, another folder, another database: each with what to do."""
    with pytest.raises(ListError, match="screener import"):
        HashList.open(tmp_path / "nothing")
    (tmp_path / "file.csv").write_text("id,md5\n")
    with pytest.raises(ListError, match="a list is a folder"):
        HashList.open(tmp_path / "file.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ListError, match="not a list"):
        HashList.open(tmp_path / "folder")
    (tmp_path / "folder/records.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(ListError, match="cannot read the list"):
        HashList.open(tmp_path / "folder")
    (tmp_path / "folder/records.sqlite").unlink()
    sqlite3.connect(tmp_path / "folder/records.sqlite").close()
    with pytest.raises(ListError, match="not a list"):
        HashList.open(tmp_path / "folder")
    for path in (known.path, tmp_path / "file.csv"):
        with pytest.raises(ListError, match="exists already"):
            HashList.create(path)
    with pytest.raises(ListError, match=r"^cannot create the list .*/place: No such file[^']*$"):
        HashList.create(tmp_path / "no/such/place")


def test_a_newer_format_is_refused_by_a_sentence(known, put):
    """For reading and for writing, saying which version is needed to do what."""
    with sqlite3.connect(known.path / "records.sqlite") as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
    connection.close()

    with pytest.raises(ListError, match=r"newer version of screener.*upgrade"):
        HashList.open(known.path)
    with pytest.raises(ListError, match="newer version of screener"):
        put(f"id,md5\nx,{value(1)}\n")


def test_a_damaged_or_lost_index_file_is_no_empty_list(known, put):
    """An error, never a silent miss; and an import that changes the kind makes it anew."""
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
    """A hundred entries in two index files, of which two rows are removed."""
    monkeypatch.setattr(tiers, "SMALLEST", 1)
    put("id,pdq\n" + "".join(f"e{n},{value(n, 32)}\n" for n in range(90)))
    put("id,pdq\n" + "".join(f"e{n},{value(n, 32)}\n" for n in range(90, 100)))
    put("id,pdq,status\ne3,,withdrawn\ne4,,withdrawn\n")


def test_a_small_change_writes_small_files(known, put, monkeypatch):
    """The big file stays; removed values are not found, not counted, and come back."""
    several(put, monkeypatch)
    one = known.refresh()
    files = one.info().files
    sizes = sorted(files.values())

    assert (len(files), one.kinds) == (3, {"pdq": 98})
    assert sum(name.endswith(".gone") for name in files) == 1
    assert one.info().values == {"pdq": 98}
    assert len(one.search("pdq", codes(value(3, 32)), radius=0)[1]) == 0
    put(f"id,pdq\ne3,{value(3, 32)}\ne4,{value(4, 32)}\n")
    back = known.refresh()
    assert back.kinds == {"pdq": 100}
    assert hits(back, "pdq", value(3, 32)) == [("demo", "e3", "confirmed")]
    assert sorted(back.info().files.values()) == sizes[1:]


def test_compact_merges_and_tells(known, put, monkeypatch):
    """One file a kind, the same values; the generation goes up and the age stays."""
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
    for one in (before, after):
        offsets, rows, _ = one.search("pdq", wanted, radius=0)
        assert [n for n in range(100) if offsets[n] == offsets[n + 1]] == [3, 4]
        assert all(one.holders("pdq", rows))
    assert not after.compact()
    assert after.refresh() is after


def test_a_refresh_opens_only_what_is_new(known, put, monkeypatch):
    """The index files of the generation before are not opened again."""
    several(put, monkeypatch)
    before = known.refresh()
    put(f"id,pdq\nx,{value(200, 32)}\n")
    after = before.refresh()

    shared = before.info().files.keys() & after.info().files.keys()
    assert len(shared) >= 1
    for name in shared - {n for n in shared if n.endswith(".gone")}:
        assert before._held[name] is after._held[name]
    # The removed rows still are those of the first file, now that another stands behind it.
    missing = [n for n in range(100) if not hits(after, "pdq", value(n, 32))]
    assert missing == [3, 4]
    for n in missing:
        assert len(after.search("pdq", codes(value(n, 32)), radius=0)[1]) == 0
    assert len(after.search("pdq", codes(value(5, 32)), radius=0)[1]) == 1


def test_damaged_removed_rows_are_refused_and_made_anew(known, put, monkeypatch):
    """They would hide a listed value: every byte is checked, and an import mends them."""
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
        "generations SET states = '{'",
        "generations SET states = '[1]'",
        "generations SET states = replace(hex(zeroblob(50000)), '00', '[')",
        "generations SET confirmed = 'x'",
        "generations SET time = x'00ff'",
    ],
)
def test_a_generation_that_no_version_writes_is_damaged(known, put, change):
    """A file outside the list's folder is never opened, and no text is taken for a number."""
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
def test_a_list_whose_database_does_more_than_hold_data_is_refused(known, put, added):
    """By all that opens it: a view may never end, and a trigger change what an import says."""
    report = put(f"id,md5\nx,{value(1)}\n")
    assert report.added == 1
    with sqlite3.connect(known.path / "records.sqlite") as connection:
        connection.executescript(added)
    connection.close()

    for call in (lambda: HashList.open(known.path), known.refresh, known.verify,
                 lambda: put(f"id,md5\ny,{value(2)}\n")):  # fmt: skip
        with pytest.raises(ListError, match="a view, a trigger or a virtual table"):
            call()


def test_files_are_the_owners_alone(known, put):
    """Folders 0700 and files 0600, whatever the umask, also while the list is open."""
    before = os.umask(0)
    try:
        put(f"id,md5,pdq\nx,{value(1)},{value(1, 32)}\n")
        made = HashList.create(known.path.with_name("open.list"))
        with sqlite3.connect(made.path / "records.sqlite") as connection:
            connection.execute("BEGIN IMMEDIATE")
            modes = {
                path: stat.S_IMODE(path.stat().st_mode)
                for one in (known, made)
                for path in (one.path, *one.path.rglob("*"))
            }
        connection.close()
    finally:
        os.umask(before)

    assert len(modes) >= 8
    for path, mode in modes.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_no_value_is_in_an_error_a_report_or_a_log(known, put, caplog):
    """Nothing but the list itself ever holds a value: not even a refusal or a repr."""
    caplog.set_level(0)
    texts = [repr(put(f"id,pdq\nx,{value(1, 32)}\ny,{value(2, 32)}f\n"))]
    for bad in (f"id,md5\nx,{value(3)}f\n", f"{value(3)}\n", f"md5,{value(3)}\n", f"q {value(3)}"):
        with pytest.raises(ListError) as caught:
            put(bad, name="bad.csv", strict=True)
        texts.append(str(caught.value))
    one = known.refresh()
    _, rows, _ = one.search("pdq", codes(value(1, 32)), radius=0)
    texts += [repr(one), repr(one.info()), repr(one.holders("pdq", rows)), caplog.text]

    for text in texts:
        assert not re.search(r"[0-9a-f]{20,}", re.sub(r"-[0-9a-f]{16}\.idx", "", text)), text


def test_strict_names_the_first_bad_row_and_changes_nothing(known, put):
    """File, line, field and reason; the rows before it are not imported either."""
    with pytest.raises(ListError, match=r"demo\.csv, line 3: md5: wrong length"):
        put(f"id,md5\nx,{value(1)}\ny,00\n", strict=True)

    assert known.refresh() is known


def test_a_file_without_one_good_row_is_refused(known, put):
    """It is of another format than it seemed; the sentence names the first line and its trouble."""
    with pytest.raises(ListError, match=r"none of its rows can be read.*line 2: md5: wrong length"):
        put("id,md5\nx,00\ny,\n")

    assert known.refresh() is known
    assert put("id,md5\n").rows == 0


def test_files_that_cannot_be_read_are_refused(known, tmp_path):
    """Missing, a folder, and a source that is no name."""
    with pytest.raises(ListError, match="cannot read"):
        known.import_file(tmp_path / "nothing.csv")
    with pytest.raises(ListError, match="cannot read"):
        known.import_file(tmp_path)
    (tmp_path / "x.csv").write_text("id,md5\n")
    for source in ("", " ", "a\nb"):
        with pytest.raises(ListError, match="source"):
            known.import_file(tmp_path / "x.csv", source=source)


def test_a_name_that_is_no_unicode_imports(known, tmp_path):
    """A file with such a name is taken once a source is given."""
    odd = os.fsdecode(bytes(tmp_path) + b"/l\xe9ist.csv")
    with open(odd, "w") as file:
        file.write(f"id,md5\nx,{value(1)}\n")

    assert known.import_file(odd, source="s").added == 1


def test_threads_share_a_list(known, put):
    """Many threads look up and ask for holders of one object at once."""
    put("id,md5\n" + "".join(f"e{n},{value(n)}\n" for n in range(200)))
    one, wrong = known.refresh(), []

    def work(start):
        for number in range(start, 200, 8):
            if hits(one, "md5", value(number)) != [("demo", f"e{number}", "confirmed")]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


FORKED = """
import os, sys
from screener.lists.hashlist import HashList
import numpy as np
one = HashList.open(sys.argv[1])
query = np.frombuffer(bytes.fromhex(sys.argv[2]), np.uint8)
child = os.fork()
entry = one.holders("md5", one.lookup("md5", query)[1])[0][0].entry
if child == 0:
    os._exit(0 if entry == "x" and one.refresh() is one else 1)
print(entry, os.waitpid(child, 0)[1])
"""


def test_a_list_is_carried_over_a_fork(known, put):
    """Parent and child both search and ask for holders."""
    put(f"id,md5\nx,{value(1)}\n")
    call = [sys.executable, "-c", FORKED, known.path, value(1)]

    done = subprocess.run(call, capture_output=True, text=True, check=False)

    assert done.stdout == "x 0\n", done.stderr


FULL_DISK = """
import resource, signal, sys
from screener.lists.hashlist import HashList
import numpy as np
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
one = HashList.open(sys.argv[1])
_, rows = one.lookup("md5", np.frombuffer(bytes.fromhex(sys.argv[2]), np.uint8))
print(one.holders("md5", rows)[0][0].entry, one.refresh() is one)
try:
    one.import_file(sys.argv[3])
except Exception as error:
    print(type(error).__name__, "nothing changed" in str(error))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of a process")
def test_a_list_on_a_full_disk_can_be_searched(known, put, tmp_path):
    """A hit is told though SQLite can make no file beside the database; an import is refused."""
    put(f"id,md5\nx,{value(1)}\n")
    with contextlib.closing(sqlite3.connect(known.path / "records.sqlite")) as connection:
        connection.execute("SELECT count(*) FROM records").fetchone()  # the last one tidies up
    assert not (known.path / "records.sqlite-shm").exists()
    (tmp_path / "more.csv").write_text(f"id,md5\ny,{value(2)}\n")
    call = [sys.executable, "-c", FULL_DISK, known.path, value(1), tmp_path / "more.csv"]

    done = subprocess.run(call, capture_output=True, text=True, check=False)

    assert done.stdout == "x True\nListError True\n", done.stderr


READ_ONLY = """
import os, sys
import urllib.parse  # pathlib's, but from Python 3.13 on not before it is used: no longer readable
from pathlib import Path
from screener.index.digests import DigestIndex
from screener.lists.hashlist import HashList
from screener.lists.importing import import_file  # the other user may not read Python's folder
import numpy as np
folder = Path(sys.argv[1])
if os.getuid() == 0:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534)
    os.setgid(65534); os.setuid(65534)
one = HashList.open(folder)
assert not os.access(folder, os.W_OK)
_, rows = one.lookup("md5", np.frombuffer(bytes.fromhex(sys.argv[2]), np.uint8))
print(one.holders("md5", rows)[0][0].entry, one.info().generation, one.refresh() is one)
try:
    one.import_file(sys.argv[3])
except Exception as error:
    print(type(error).__name__, "nothing changed" in str(error))
"""


def test_a_list_on_read_only_media_can_be_searched(known, put):
    """Where the folder cannot be written to, the list opens and answers, and imports refuse."""
    put(f"id,md5\nx,{value(1)}\n")
    place = Path(os.path.realpath("/tmp")) / f"screener-test-{os.getpid()}.list"
    shutil.copytree(known.path, place)
    extra = place.with_suffix(".csv")
    extra.write_text(f"id,md5\ny,{value(2)}\n")
    extra.chmod(0o644)
    try:
        (place / "segments").chmod(0o500)
        place.chmod(0o500)
        call = [sys.executable, "-c", READ_ONLY, place, value(1), extra]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        names = {path.name for path in place.iterdir()}
    finally:
        extra.unlink()
        place.chmod(0o700)
        (place / "segments").chmod(0o700)
        shutil.rmtree(place)
    assert done.stdout.splitlines() == ["x 1 True", "ListError True"], done.stderr
    assert names == {"lock", "records.sqlite", "segments"}


@pytest.mark.slow
def test_tens_of_thousands_of_rows_import_in_seconds(known, tmp_path):
    """The speed is sane: a bound far above what it takes, for a machine that is busy."""
    file = tmp_path / "many.csv"
    with file.open("w") as out:
        out.write("id,pdq\n")
        out.writelines(f"e{n},{value(n, 32)}\n" for n in range(30_000))
    start = time.process_time()

    assert known.import_file(file).added == 30_000

    assert time.process_time() - start < 5
