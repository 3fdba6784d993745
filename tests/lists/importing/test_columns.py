"""Rows that are taken by column make the same list, and the same report, as rows one by one."""

import sqlite3
from contextlib import closing
from dataclasses import asdict

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from list_values import met, putting, value

from screener import HashList
from screener.lists.formats import csv_rows
from screener.lists.importing import run

BLANK = "0" * 64
EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
CELLS = {
    "id": st.sampled_from([*"abcdefgh", "é", " a", "#x", "1.2E+3", "-"]),
    "pdq": st.sampled_from([*(value(n, 32) for n in range(4)), "", BLANK, "zz", '"' + BLANK + '"']),
    "quality": st.sampled_from(["", "0", "49", "100", " 7", "101"]),
    "md5": st.sampled_from([*(value(n) for n in range(4)), value(5).upper(), "", EMPTY]),
    "status": st.sampled_from(["", "", "confirmed", "seed", "withdrawn", "Removed", "?"]),
    "category": st.sampled_from(["", "A", "B", " C "]),
    "updated": st.sampled_from(["", "2020-01-01", "2021-01-01", "2021-01-01 ", "soon"]),
    "tlp": st.sampled_from(["", "", "RED"]),
    "note": st.sampled_from(["", "x", "y z", "\x00"]),
}
COLUMNS = st.sets(st.sampled_from(sorted(CELLS)), min_size=1).map(
    lambda names: [*sorted(names - {"md5"}), "md5"]
)
FILE = COLUMNS.flatmap(
    lambda names: st.lists(
        st.tuples(*(CELLS[name] for name in names)).map(",".join), min_size=1, max_size=40
    ).map(lambda rows: "\n".join([",".join(names), *rows]) + "\n")
)


def contents(hash_list):
    """Return all that a list has, less numbers of versions, times and names of files."""
    with closing(sqlite3.connect(hash_list.path / "records.sqlite")) as connection:
        records = {
            number: facts
            for number, *facts in connection.execute(
                "SELECT id, source, entry, state, categories, labels, updated, fingerprint, import,"
                " since, until, said FROM records"
            )
        }
        hashes = [
            (records[record], *facts)
            for record, *facts in connection.execute(
                "SELECT record, kind, value, quality, why_not FROM hashes"
            )
        ]
        counts = connection.execute("SELECT counts FROM generations").fetchall()
        quarantine = connection.execute("SELECT line, field, reason, row FROM quarantine")
        return (
            sorted(map(repr, records.values())),
            sorted(map(repr, hashes)),
            counts,
            sorted(map(repr, quarantine)),
        )


@settings(max_examples=12)
@given(st.lists(FILE, min_size=1, max_size=3), st.sampled_from([2, 5000]), st.booleans())
@example([f"id,md5\na,{value(1)}\nb,{value(2)}\na,{value(1)}\na,{value(3)}\n"], 2, False)
@example([f"md5\n{value(1)}\n\n#{value(2)}\n{value(2)}\n"], 5000, False)
def test_columns_make_the_list_that_rows_make(tmp_path_factory, files, size, full):
    """Whatever stands in their cells, and however few of them need no closer look."""
    seen = []
    for by_column in (True, False):
        place = tmp_path_factory.mktemp("columns")
        hash_list = HashList.create(place / "known.list")
        put = putting(hash_list, place)
        reports = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run, "_BATCH_ENTRIES", size)
            patch.setattr(csv_rows, "SMALL_BLOCK_LINES", 3)
            if not by_column:
                patch.setattr(run, "read_parts", lambda reader, _: iter(reader))
            for text in files:
                try:
                    reports.append(asdict(put(text, full=full, accept_shrink=True)))
                except Exception as error:
                    reports.append(str(error))
        verified = hash_list.refresh().verify()
        assert not verified.damage
        seen.append((reports, contents(hash_list)))

    assert seen[0] == seen[1]


def test_the_first_index_of_values_finds_every_holder(tmp_path, monkeypatch):
    """Also of a value that several entries have, and after further imports."""
    monkeypatch.setattr(run, "_BATCH_ENTRIES", 50)
    hash_list = HashList.create(tmp_path / "known.list")
    put = putting(hash_list, tmp_path)
    rows = "".join(f"e{n},{value(n % 150)},{value(n, 32)}\n" for n in range(300))
    put(f"id,md5,pdq\n{rows}")
    put(f"id,md5,pdq\nlast,{value(7)},{value(999, 32)}\ne8,{value(998)},\n")

    with closing(sqlite3.connect(hash_list.path / "records.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (sql,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'hashes_by_value' AND type = 'index'"
        ).fetchone()
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT record FROM hashes WHERE kind = 'md5' AND value = x'00'"
        ).fetchall()
    assert sql == "CREATE INDEX hashes_by_value ON hashes(kind, value)"
    assert "USING COVERING INDEX hashes_by_value" in plan[0][3]
    assert met(hash_list, "md5", 7, 16)[0] == met(hash_list, "pdq", 299, 32)[0] == "match"
    (shown,) = hash_list.refresh().show("last")
    assert {entry for item in shown.hashes for _, entry, _ in item.also_by} == {"e7", "e157"}
    assert not hash_list.refresh().verify().damage
