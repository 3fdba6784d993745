"""Verifying a list: a sound one passes, and each kind of damage is reported."""

from __future__ import annotations

import json
import pickle
import re
import sqlite3
import subprocess
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from command_process import screener
from list_values import value

from screener.cli.app import cli
from screener.errors import ListError
from screener.hashing.hash import KINDS
from screener.index import brute_force, snapshot, tables, tiers
from screener.index.brute_force import compare_distances, compare_equality
from screener.index.digests import DigestIndex
from screener.index.hamming import HammingIndex
from screener.index.layout import open_sections, write_sections
from screener.index.snapshot import Snapshot
from screener.lists.hashlist import HashList
from screener.lists.inspecting import verify
from screener.lists.inspecting.verify import DamagedList


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HashList:
    """Return a list of several kinds in several files, with tables and removed values."""
    monkeypatch.setattr(tables, "LEAST_CODES", 100)
    monkeypatch.setattr(tiers, "SMALLEST", 1)
    monkeypatch.setattr(brute_force, "_MOST", 512)
    monkeypatch.setattr(snapshot, "_BLOCK", 16)
    monkeypatch.setattr(verify, "_SPAN", 50)
    monkeypatch.setattr(verify, "_LOOKUP_BATCH", 100)
    made = HashList.create(tmp_path / "known.list")
    for name, numbers in (("a", range(400)), ("b", range(1000, 1030)), ("c", range(5))):
        lines = ["id,pdq,phash,md5,status"]
        for n in numbers:
            state = "withdrawn" if name == "c" else "confirmed"
            lines.append(f"{n},{value(n, 32)},{value(n, 8)},{value(n, 16)},{state}")
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
        made.import_file(tmp_path / f"{name}.csv", source="demo")
    return made.refresh()


def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
    """Run the command `verify` in a process of its own."""
    return screener("verify", *arguments)


def segment(known: HashList, kind: str, ending: str = "idx") -> Path:
    """Return the oldest file of a kind in the newest generation."""
    (found, *_) = sorted((known.path / "segments").glob(f"{kind}-*.{ending}"))
    return found


def test_a_sound_list_passes_and_says_how_many_pairs(known: HashList) -> None:
    """Every check passes, and the pairs are queries times values, removed ones included."""
    found = known.verify(seed=5)

    assert found.damage == ()
    assert found.database == ("values", "integrity", "references", "states", "frames")
    assert [kind.kind for kind in found.kinds] == ["pdq", "phash", "md5"]
    for kind in found.kinds:
        assert kind.checks == ("files", "records", "search")
        assert (kind.files, kind.values, kind.queries) == (3, 425, 512)
        assert (kind.pairs, kind.differences) == (512 * 430, 0)
        assert kind.bytes > 425 * 8
    assert known.verify(seed=5) == found
    assert known.verify().seed != known.verify().seed


def test_a_seed_is_a_whole_number_from_zero(tmp_path: Path) -> None:
    """An invalid seed is refused by the function and the command."""
    known = HashList.create(tmp_path / "empty.list")
    for wrong in (-1, "5", 5.0):
        with pytest.raises(ListError, match="seed must be an integer of at least 0"):
            known.verify(seed=wrong)  # type: ignore[arg-type]
    told = CliRunner().invoke(cli, ["verify", str(known.path), "--seed", "-1"])
    assert (told.exit_code, "expected an integer from 0, not -1" in told.output) == (2, True)


def test_the_command_prints_a_table_or_an_object_and_no_value(known: HashList) -> None:
    """Exit code 0, a line a kind, the pairs; the same as JSON; no listed value."""
    shown = run(known.path)
    assert shown.returncode == 0, shown.stderr
    assert re.search(r"^pdq +3 +425 +\d+ +files records search +1761280 +0", shown.stdout, re.M)
    assert "pairs compared with brute force, 0 differences" in shown.stdout

    told = run(known.path, "--json", "--seed", "7")
    assert (told.returncode, told.stderr) == (0, "")
    answer = json.loads(told.stdout)
    assert (answer["seed"], answer["differences"], answer["damage"]) == (7, 0, [])
    assert answer["pairs"] == sum(kind["pairs"] for kind in answer["kinds"]) > 0
    listed = {value(n, size)[:12] for n in range(400) for size in (8, 16, 32)}
    assert not any(one in shown.stdout + told.stdout for one in listed)


def test_an_empty_list_passes(tmp_path: Path) -> None:
    """Without records nothing can be wrong, and the exit code is 0."""
    HashList.create(tmp_path / "new.list")
    done = run(tmp_path / "new.list")
    assert done.returncode == 0, done.stderr
    assert "0 pairs compared" in done.stdout


def sql(text: str) -> Callable[[HashList], None]:
    """Return a function that changes the database."""

    def damage(known: HashList) -> None:
        with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
            connection.execute(text)

    return damage


def a_byte(kind: str) -> Callable[[HashList], None]:
    """Return a function that changes the last byte of an index file."""

    def damage(known: HashList) -> None:
        with segment(known, kind).open("r+b") as file:
            file.seek(-1, 2)
            last = file.read(1)
            file.seek(-1, 2)
            file.write(bytes([last[0] ^ 1]))

    return damage


def well_sealed(kind: str, content: str, section: str) -> Callable[[HashList], None]:
    """Return a function that changes the last element of a section, with valid checksums."""

    def damage(known: HashList) -> None:
        path = segment(known, kind)
        opened = open_sections(path, content)
        arrays = {
            name: opened.array(name, dtype=s.dtype.str[1:], dimensions=len(s.shape)).copy()
            for name, s in opened.directory.items()
        }
        arrays[section].reshape(-1)[-1] ^= 1
        write_sections(path, content, arrays)

    return damage


def lost_link(known: HashList) -> None:
    """Rewrite an index file with one value missing and one added."""
    path = segment(known, "phash")
    codes = HammingIndex.open(path).codes.copy()
    codes[-1, -1] ^= 1
    HammingIndex.build(codes).save(path)


DAMAGE: list[tuple[Callable[[HashList], None], str]] = [
    (a_byte("pdq"), r"pdq: .* is damaged"),
    (a_byte("md5"), r"md5: .*section 'order' is damaged"),
    (well_sealed("pdq", "hamming", "sketches"), "pdq: .*section 'sketches' is wrong: one of table"),
    (well_sealed("md5", "digests", "order"), "md5: .*section '(order|prefixes)' is wrong"),
    (lost_link, "phash: the index files lack 1 value of .* and have 1 value of none"),
    (sql("DELETE FROM hashes WHERE kind = 'md5' AND record = 300"), "md5: .* have 1 value of none"),
    (sql("UPDATE records SET state = 'confirmed' WHERE entry = '3'"), "md5: .* lack 1 value .* 0"),
    (
        sql("UPDATE hashes SET value = x'00' WHERE kind = 'md5' AND record = 9"),
        "hashes, record 9.* value",
    ),
    (
        sql(f"UPDATE hashes SET value = '{'a' * 16}' WHERE kind = 'md5' AND record = 9"),
        "hashes, record 9.* value",
    ),
    (sql("UPDATE hashes SET value = 5 WHERE kind = 'phash' AND record = 9"), "record 9.* of value"),
    (sql("UPDATE hashes SET quality = 300 WHERE record = 9"), "9: .* quality; 2 more rows like"),
    (
        sql("UPDATE hashes SET record = CAST(x'ff' AS TEXT) WHERE record = 9"),
        "table hashes: .* of record; 2",
    ),
    (sql("UPDATE hashes SET why_not = NULL, kind = 'dhash' WHERE kind = 'phash'"), "dhash: .*lack"),
    (sql("DELETE FROM records WHERE id = 300"), "3 rows of the table hashes without"),
    (sql("DELETE FROM imports WHERE id = 2"), "30 rows of the table records without"),
    (sql("INSERT INTO frames VALUES (9999, zeroblob(32), 1)"), "1 row of the table frames without"),
    (sql("INSERT INTO quarantine VALUES (1, 99, 1, NULL, '', NULL, NULL)"), "1 .* quarantine"),
    (sql("UPDATE records SET state = 'gone', labels = '{' WHERE id = 9"), "id 9: .* state, labels"),
    (sql("UPDATE records SET entry = CAST(x'ff' AS TEXT) WHERE id = 9"), "id 9: .* of entry"),
    (sql("UPDATE imports SET counts = '5'"), "imports, id 1: .* counts; 2 more rows"),
    (sql("INSERT INTO frames VALUES (9, zeroblob(32), 1)"), "1 record with other frames than"),
    (sql("UPDATE records SET state = 'seed' WHERE id = 9"), "the numbers of records differ"),
]


@pytest.mark.parametrize(("damage", "sentence"), DAMAGE)
def test_damage_is_told_in_a_sentence(
    known: HashList, damage: Callable[[HashList], None], sentence: str
) -> None:
    """Some check finds each kind of damage, and its message has no value."""
    damage(known)
    with pytest.raises(DamagedList, match=sentence) as caught:
        HashList.open(known.path).verify()
    found = pickle.loads(pickle.dumps(caught.value)).found
    assert str(caught.value) == "; ".join(found.damage)
    assert not re.search("[0-9a-f]{12}", re.sub(r"-[0-9a-f]{16}\.idx", "", str(found.damage)))


def test_a_file_that_has_gone_since_the_list_was_opened_is_damage(known: HashList) -> None:
    """What is mapped can be read still, and the list cannot be opened any more; each other kind is
    checked.
    """
    segment(known, "phash").unlink()

    with pytest.raises(DamagedList, match=r"phash: .*No such file") as caught:
        known.verify()

    found = caught.value.found
    assert len(found.damage) == 1
    assert [(kind.kind, kind.checks, kind.pairs > 0) for kind in found.kinds] == [
        ("pdq", ("files", "records", "search"), True),
        ("phash", (), False),
        ("md5", ("files", "records", "search"), True),
    ]


def test_the_records_are_compared_with_the_files_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the values of the records nor those of the files are in memory as a whole."""
    count = 8_000
    made = HashList.create(tmp_path / "known.list")
    for first, last in ((0, count - 50), (count - 50, count)):  # two files
        lines = [f"{n},{value(n, 32)}" for n in range(first, last)]
        (tmp_path / "a.csv").write_text("\n".join(["id,sha256", *lines]))
        made.import_file(tmp_path / "a.csv", source="demo")
    known, generation = made.refresh(), made.refresh()._generation
    monkeypatch.setattr(snapshot, "_BLOCK", 500)
    monkeypatch.setattr(verify, "_SPAN", 50)
    monkeypatch.setattr(verify, "_LOOKUP_BATCH", 500)
    monkeypatch.setattr(DigestIndex, "verify", lambda _: None)
    held = known.snapshot("sha256")
    assert len(held.parts) == 2

    tracemalloc.start()
    try:
        held.verify()
        verify._check_values(known.path, generation, KINDS["sha256"], held)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < count * 32 / 2


def test_a_search_that_misses_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and records are as they should be, and what is listed is not found: that is told, with
    the seed that shows it again.
    """
    known = HashList.create(tmp_path / "known.list")
    (tmp_path / "a.csv").write_text(f"id,md5\n1,{value(1, 16)}\n")
    known.import_file(tmp_path / "a.csv", source="demo")
    monkeypatch.setattr(brute_force, "_MOST", 64)
    nothing = np.empty(0, np.int64)
    monkeypatch.setattr(
        Snapshot, "lookup", lambda _, queries: (np.zeros(queries.size // 16 + 1, int), nothing)
    )

    with pytest.raises(DamagedList) as caught:
        known.refresh().verify(seed=5)

    found = caught.value.found
    (md5,) = found.kinds
    assert md5.checks == ("files", "records")
    assert md5.differences > 0
    told = f"md5: search and brute force differ in {md5.differences} hits, seed 5"
    assert found.damage == (told,)


@pytest.mark.parametrize("number", [2**62, 2**63 - 1])
def test_a_record_with_an_id_far_from_the_others_is_verified_at_once(
    known: HashList, number: int
) -> None:
    """Damage may make such an id: the gap is not iterated, and no record is lost."""
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        (last,) = connection.execute("SELECT max(id) FROM records WHERE until IS NULL").fetchone()
        connection.execute("UPDATE hashes SET record = ? WHERE record = ?", (number, last))
        connection.execute("UPDATE records SET id = ? WHERE id = ?", (number, last))
    known = known.refresh()
    assert known.verify(seed=1).damage == ()
    assert sum(known.info().sources["demo"].values()) == sum(known.info().states.values())


def test_the_command_ends_with_2_where_something_is_damaged(known: HashList) -> None:
    """The message is on standard error, and the checks that passed are shown."""
    a_byte("pdq")(known)
    done = run(known.path)
    assert done.returncode == 2
    assert re.search("^screener: pdq: .* is damaged$", done.stderr, re.M)
    assert re.search("^md5 .*files records search", done.stdout, re.M)


def test_an_index_in_the_database_that_misses_a_row_is_found(known: HashList) -> None:
    """SQLite's own check finds it: a page of the database is overwritten."""
    path = known.path / "records.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'segments_by_until'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size + 3)
        file.write(b"\0\1")  # the page says that it holds one entry
    done = run(known.path)
    assert done.returncode == 2
    assert "SQLite names" in done.stderr or "cannot read the list" in done.stderr


def leaf_with(known: HashList, name: str, needle: bytes) -> tuple[int, bytearray]:
    """The offset in the database and the bytes of the one page, of a table or index, that holds
    something.
    """
    path = known.path / "records.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        others = {
            other: connection.execute(
                "SELECT rootpage FROM sqlite_master WHERE name = ?", (other,)
            ).fetchone()[0]
            for other in ("hashes", "hashes_by_value")
        }
    raw = path.read_bytes()
    pages = {at // size + 1: raw[at : at + size] for at in range(0, len(raw), size)}
    todo = [others[name]]
    while todo:  # the pages of the tree
        number = todo.pop()
        page, head = pages[number], 100 * (number == 1)
        if page[head] == 2:  # an inner page of an index: its children
            count = int.from_bytes(page[head + 3 : head + 5])
            cells = [
                int.from_bytes(page[head + 12 + 2 * n : head + 14 + 2 * n]) for n in range(count)
            ]
            todo += [int.from_bytes(page[cell : cell + 4]) for cell in cells]
            todo.append(int.from_bytes(page[head + 8 : head + 12]))
        if page[head] == 10 and needle in page:
            return (number - 1) * size, bytearray(page)
    raise AssertionError("no page")


def write_at(known: HashList, at: int, page: bytearray) -> None:
    """Write a page back."""
    with (known.path / "records.sqlite").open("r+b") as file:
        file.seek(at)
        file.write(page)


def changed_entry(name: str) -> Callable[[HashList], None]:
    """Return a function that changes a value's last bit in the table or its index only."""

    def damage(known: HashList) -> None:
        needle = bytes.fromhex(value(7, 32))
        at, page = leaf_with(known, name, needle)
        page[page.index(needle) + 31] ^= 1
        write_at(known, at, page)

    return damage


def swapped_entries(name: str) -> Callable[[HashList], None]:
    """Return a function that swaps two neighbours in the table or its index."""

    def damage(known: HashList) -> None:
        at, page = leaf_with(known, name, bytes.fromhex(value(7, 32)))
        page[8:10], page[10:12] = page[10:12], page[8:10]
        write_at(known, at, page)

    return damage


def unindexed(known: HashList) -> None:
    """Add a row to the table of hashes without its index."""
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        kept = connection.execute("SELECT * FROM sqlite_master WHERE name = 'hashes_by_value'")
        row = kept.fetchone()
        connection.execute("DELETE FROM sqlite_master WHERE name = 'hashes_by_value'")
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        connection.execute(
            "INSERT INTO hashes VALUES (9, 'photodna', zeroblob(144), NULL, 'opaque')"
        )
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)


@pytest.mark.parametrize(
    "damage",
    [
        changed_entry("hashes"),
        changed_entry("hashes_by_value"),
        swapped_entries("hashes"),
        swapped_entries("hashes_by_value"),
        unindexed,
    ],
)
def test_hashes_that_do_not_fit_their_index_are_damage(
    known: HashList, damage: Callable[[HashList], None]
) -> None:
    """A differing, misplaced or missing entry, in the table or its index."""
    damage(known)
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]
    with pytest.raises(DamagedList, match="the database of records is damaged"):
        HashList.open(known.path).verify()


class Forgetful:
    """An index that leaves out every hit at one distance, as a wrong search might."""

    def __init__(self, index: HammingIndex, distance: int) -> None:
        self.index, self.distance = index, distance

    def search(self, queries: Any, *, radius: int) -> Any:
        """Search as the index does, without those hits."""
        offsets, rows, distances = self.index.search(queries, radius=radius)
        kept = distances != self.distance
        before = np.concatenate(([0], np.cumsum(kept)))
        return before[offsets], rows[kept], distances[kept]


@pytest.mark.parametrize("distance", [0, 1, 17, 30, 31])
def test_a_search_that_misses_one_distance_is_caught(
    monkeypatch: pytest.MonkeyPatch, distance: int
) -> None:
    """Neighbours are planted at every distance, so that any miss shows."""
    codes = np.random.default_rng(0).integers(0, 256, (300, 32), np.uint8)
    snapshot = Snapshot([HammingIndex.build(codes)])
    assert compare_distances(snapshot, radius=31, seed=1).differences == 0
    wrong = Forgetful(snapshot.parts[0], distance)  # type: ignore[arg-type]
    monkeypatch.setattr(
        Snapshot, "search", lambda _, queries, radius: wrong.search(queries, radius=radius)
    )
    found = compare_distances(snapshot, radius=31, seed=1)
    assert found.differences >= 2 * 4096 * 7 // 8 // 32


@pytest.mark.parametrize("bits", [64, 256])
@pytest.mark.parametrize("distance", [0, 8])
def test_of_a_long_list_the_core_compares_as_numpy_does(
    monkeypatch: pytest.MonkeyPatch, bits: int, distance: int
) -> None:
    """The hits of the flat scan are those of brute force, in parts and without removed values, and
    a search that leaves some out is caught.
    """
    codes = np.random.default_rng(0).integers(0, 256, (300, bits // 8), np.uint8)
    codes[150:200] = codes[100:150] ^ np.uint8(1)
    parts = [HammingIndex.build(codes[:120]), HammingIndex.build(codes[120:])]
    snapshot = Snapshot(parts, np.arange(5, 300, 50))
    queries = np.concatenate([codes[::3], codes[::7] ^ np.uint8(4)])
    for radius in (1, 8, 20):
        expected = brute_force._brute_force(snapshot, queries, radius, first=16)
        found = brute_force._scanned(snapshot, queries, radius, first=16)
        assert np.array_equal(found, expected)
        assert expected.size > 50

    monkeypatch.setattr(brute_force, "_WITHOUT_CORE", -1)
    assert compare_distances(snapshot, radius=8, seed=1).differences == 0
    search = Snapshot.search

    def forgetful(self: Snapshot, queries: Any, *, radius: int) -> Any:
        offsets, rows, distances = search(self, queries, radius=radius)
        kept = distances != distance
        before = np.concatenate(([0], np.cumsum(kept)))
        return before[offsets], rows[kept], distances[kept]

    monkeypatch.setattr(Snapshot, "search", forgetful)
    assert compare_distances(snapshot, radius=8, seed=1).differences > 100


@pytest.mark.parametrize(("near", "queries"), [(True, 32), (False, 4096)])
def test_of_values_near_each_other_fewer_queries_are_drawn(
    monkeypatch: pytest.MonkeyPatch, near: bool, queries: int
) -> None:
    """All hit each other: gigabytes, for twenty thousand similar images."""
    monkeypatch.setattr(brute_force, "_HITS", 5_000)
    codes = np.random.default_rng(0).integers(0, 256, (300, 32), np.uint8)
    if near:
        codes[:, 1:] = 15
    snapshot = Snapshot([HammingIndex.build(codes)])

    found = compare_distances(snapshot, radius=31, seed=1)

    assert (found.queries, found.pairs) == (queries, 300 * queries)
    assert found.differences == 0


def test_a_look_up_that_takes_the_beginning_for_the_whole_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Digests that differ from a listed one in a late bit must not be found."""
    values = np.random.default_rng(0).integers(0, 256, (300, 16), np.uint8)
    values = values[np.lexsort(values.T[::-1])]
    snapshot = Snapshot([DigestIndex.build(values)])
    assert compare_equality(snapshot, seed=1).differences == 0
    beginnings = DigestIndex.build(values[:, :8].copy())
    monkeypatch.setattr(
        Snapshot,
        "lookup",
        lambda _, queries: beginnings.search(np.ascontiguousarray(queries[..., :8])),
    )
    assert compare_equality(snapshot, seed=1).differences > 100


def test_removed_values_are_among_the_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds removed values is caught."""
    codes = np.random.default_rng(0).integers(0, 256, (300, 8), np.uint8)
    part = HammingIndex.build(codes)
    snapshot = Snapshot([part], np.arange(0, 300, 100))
    assert compare_distances(snapshot, radius=8, seed=1).differences == 0
    monkeypatch.setattr(
        Snapshot, "search", lambda _, queries, radius: part.search(queries, radius=radius)
    )
    assert compare_distances(snapshot, radius=8, seed=1).differences >= 2 * 256
