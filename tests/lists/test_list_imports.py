"""Imports into a list: what they add, change, withdraw and refuse."""

import hashlib
import os
import re
import time

import pytest
from list_values import ANY_COLUMNS, codes, hits, value

from screener.errors import ListError
from screener.lists.hashlist import HashList

NO_BYTES = hashlib.md5(b"").hexdigest()


@pytest.fixture
def put(known, tmp_path):
    """Return a function that imports a text into the list."""

    def put(text, name="demo.csv", **settings):
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return known.import_file(file, **ANY_COLUMNS | settings)

    return put


def test_the_report_counts_every_row(put):
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


def test_importing_the_same_file_again_keeps_the_generation(known, put):
    """The generation stays, and the list is confirmed as current, so its age starts anew."""
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


def test_a_file_without_rows_does_not_refresh_the_age(known, put):
    """It confirms no entry, so the list stays as old as before."""
    put(f"id,md5\na,{value(1)}\n")
    before = known.refresh()

    report = put("id,md5\n")

    assert (report.rows, report.generation) == (0, 1)
    assert "does not confirm the list" in report.notes[-1]
    assert before.refresh() is before


def test_undecodable_rows_are_quarantined_with_advice(known, tmp_path):
    """Other rows are imported, and a note advises to save the file as UTF-8."""
    file = tmp_path / "a.csv"
    file.write_bytes(f"id,md5,note\na,{value(1)},Déjà\nb,{value(2)},vu\n".encode("cp1252"))

    report = known.import_file(file, ids_from_hashes=True, ignore_unknown_columns=True)

    assert (report.added, dict(report.quarantined)) == (1, {"undecodable text": 1})
    assert report.notes == (
        "some text cannot be decoded: if the file is not UTF-8, save it as UTF-8 and import it"
        " again",
    )


def test_rows_without_an_entry_id_keep_their_derived_id(put):
    """The ids are derived from the hashes, so the same file changes nothing."""
    text = f"pdq,md5\n{value(1, 32)},\n,{value(2)}\n{value(1, 32)},\n"
    first, second = put(text), put(text)
    other = put(f"md5,pdq\n,{value(1, 32)}\n{value(2)},\n")

    assert (first.added, first.repeated) == (2, 1)
    assert second.unchanged == other.unchanged == 2
    assert second.generation == other.generation == 1


def test_records_of_several_sources_stay_separate(known, put):
    """Equal hashes with different states stay separate records, by source and entry."""
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


def test_withdrawn_entry_stops_matching(known, put):
    """It is identified by source and entry: an equal hash of another record still matches."""
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


def test_entries_missing_from_a_later_file_stay(known, put):
    """An import adds and changes; only a withdrawal removes."""
    put(f"id,md5\nx,{value(1)}\n")
    put(f"id,md5\ny,{value(2)}\n")

    assert hits(known.refresh(), "md5", value(1)) == [("demo", "x", "confirmed")]


def test_a_changed_entry_is_a_new_version(known, put):
    """The old hashes stop matching; the generation before still has the old version."""
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


def test_rows_of_an_entry_unite_across_batches(known, put, monkeypatch):
    """Result and counts are the same for any size of batch."""
    rows = [f"e{number % 7},{value(number)}," for number in range(20)]
    rows[13] = "e6,,withdrawn"
    text = "id,md5,status\n" + "\n".join(rows) + "\n"
    whole = put(text)
    expected = known.refresh().info().states
    for size in (1, 2, 3, 8):
        monkeypatch.setattr("screener.lists.importing.run._BATCH_ENTRIES", size)
        again = put(text)
        assert (again.unchanged, again.repeated, again.generation) == (7, 13, 1)
        fresh = HashList.create(known.path.with_name(f"of-{size}.list"))
        report = fresh.import_file(known.path.with_name("demo.csv"))
        assert report == whole
        fresh = fresh.refresh()
        assert fresh.info().states == expected
        assert fresh.kinds == known.refresh().kinds


def test_a_later_batch_adds_to_an_unchanged_entry(known, put, monkeypatch):
    """A row repeats the stored record, and a row batches later adds a hash to it."""
    monkeypatch.setattr("screener.lists.importing.run._BATCH_ENTRIES", 1)
    put(f"id,md5\nx,{value(1)}\n")

    report = put(f"id,md5\nx,{value(1)}\ny,{value(3)}\nx,{value(2)}\n")

    assert (report.added, report.changed, report.unchanged, report.repeated) == (1, 1, 0, 1)
    for number in (1, 2):
        assert hits(known.refresh(), "md5", value(number)) == [("demo", "x", "confirmed")]


def test_no_hash_is_in_an_error_a_report_or_a_log(known, put, caplog):
    """Only the list itself contains hashes."""
    caplog.set_level(0)
    texts = [repr(put(f"id,pdq\nx,{value(1, 32)}\ny,{value(2, 32)}f\n"))]
    for bad in (f"id,md5\nx,{value(3)}f\n", f"{value(3)}\n", f"md5,{value(3)}\n", f"q {value(3)}"):
        with pytest.raises(ListError) as caught:
            put(bad, name="bad.csv", strict=True)
        texts.append(str(caught.value))
    hash_list = known.refresh()
    _, rows, _ = hash_list.search("pdq", codes(value(1, 32)), radius=0)
    texts += [
        repr(hash_list),
        repr(hash_list.info()),
        repr(hash_list.holders("pdq", rows)),
        caplog.text,
    ]

    for text in texts:
        assert not re.search(r"[0-9a-f]{20,}", re.sub(r"-[0-9a-f]{16}\.idx", "", text)), text


def test_strict_names_the_first_bad_row_and_changes_nothing(known, put):
    """The message names file, line, field and reason; no row is imported."""
    with pytest.raises(ListError, match=r"demo\.csv, line 3: md5: wrong length"):
        put(f"id,md5\nx,{value(1)}\ny,00\n", strict=True)

    assert known.refresh() is known


def test_a_file_without_one_good_row_is_refused(known, put):
    """The message names the first line and its problem."""
    with pytest.raises(ListError, match=r"none of its rows can be read.*line 2: md5: wrong length"):
        put("id,md5\nx,00\ny,\n")

    assert known.refresh() is known
    assert put("id,md5\n").rows == 0


def test_files_that_cannot_be_read_are_refused(known, tmp_path):
    """A missing file, a folder, and an invalid name of a source."""
    with pytest.raises(ListError, match="cannot read"):
        known.import_file(tmp_path / "nothing.csv")
    with pytest.raises(ListError, match="cannot read"):
        known.import_file(tmp_path)
    (tmp_path / "x.csv").write_text("id,md5\n")
    for source in ("", " ", "a\nb"):
        with pytest.raises(ListError, match="source"):
            known.import_file(tmp_path / "x.csv", source=source)


def test_a_file_name_that_is_not_unicode_imports(known, tmp_path):
    """It needs a source, since its name cannot be one."""
    odd = os.fsdecode(bytes(tmp_path) + b"/l\xe9ist.csv")
    with open(odd, "w") as file:
        file.write(f"id,md5\nx,{value(1)}\n")

    assert known.import_file(odd, source="s").added == 1


@pytest.mark.slow
def test_tens_of_thousands_of_rows_import_in_seconds(known, tmp_path):
    """The bound is far above the usual time, for a busy machine."""
    file = tmp_path / "many.csv"
    with file.open("w") as out:
        out.write("id,pdq\n")
        out.writelines(f"e{n},{value(n, 32)}\n" for n in range(30_000))
    start = time.process_time()

    assert known.import_file(file).added == 30_000

    assert time.process_time() - start < 5
