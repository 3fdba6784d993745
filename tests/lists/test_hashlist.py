"""HashList: search, holders, counts, names and generations."""

import json
import os
import pickle
import sqlite3

import numpy as np
import pytest
from list_values import codes, hits, value

from screener import Screener
from screener.errors import HashError, ListError
from screener.hashing.hash import KINDS
from screener.lists.hashlist import HashList
from screener.lists.store.records import Category, Record


def test_an_empty_list(known):
    """It is generation 0, and nothing matches."""
    offsets, rows, distances = known.search("pdq", codes(value(1, 32), value(2, 32)), radius=31)

    assert (known.generation, dict(known.kinds), known.matchable) == (0, {}, False)
    assert offsets.tolist() == [0, 0, 0]
    assert (len(rows), len(distances)) == (0, 0)
    assert (offsets.dtype, rows.dtype, distances.dtype) == (np.int64, np.int64, np.uint16)
    assert known.lookup("md5", codes(value(1)))[0].tolist() == [0, 0]
    assert known.holders("pdq", rows) == []
    assert known.refresh() is known


def test_a_list_of_one_entry_matches(known, put):
    """A hash matches at distance 0 and at its radius, and not one bit beyond."""
    put(f"id,pdq,pdq_quality,category,note\nx,{value(1, 32)},77,A,n\n")
    hash_list = known.refresh()
    near = bytearray(bytes.fromhex(value(1, 32)))
    near[0] ^= 0xFF
    near[9] ^= 0x01

    offsets, rows, distances = hash_list.search("pdq", codes(value(1, 32), near.hex()), radius=9)

    assert offsets.tolist() == [0, 1, 2]
    assert distances.tolist() == [0, 9]
    assert len(hash_list.search("pdq", codes(near.hex()), radius=8)[1]) == 0
    (record,) = hash_list.holders("pdq", rows[:1])[0]
    assert record == Record(
        "demo", "x", "confirmed", (Category("operator:demo", "A"),), {"note": "n"}, None, 77, 1
    )


def test_codes_with_a_common_prefix_stay_distinct(known, put):
    """As of images that are alike in one part: each matches as long as one entry has it."""
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


def test_weighted_search_counts_each_bit_as_it_is_weighed(known, put):
    """A value whose cheap bits differ is found, one that differs in a dear bit is not."""
    cheap = (int(value(1, 32), 16) ^ 0b11 << 200).to_bytes(32, "big")
    dear = (int(value(1, 32), 16) ^ 1 << 40).to_bytes(32, "big")
    put(f"id,pdq\nx,{cheap.hex()}\ny,{dear.hex()}\n")
    hash_list = known.refresh()
    weights = np.full((1, 256), 9, np.uint8)
    weights[0, 255 - 201 : 256 - 200] = 2  # element 255 - k of unpackbits is bit k

    found = hash_list.search_weighted("pdq", codes(value(1, 32)), weights, [4])
    offsets, rows, distances = found
    assert (offsets.tolist(), distances.tolist()) == ([0, 1], [4])
    assert [record.entry for record in hash_list.holders("pdq", rows)[0]] == ["x"]
    assert len(hash_list.search_weighted("pdq", codes(value(1, 32)), weights, [9])[1]) == 2
    with pytest.raises(HashError, match="no distances"):
        hash_list.search_weighted("md5", codes(value(1)), weights, [9])


def test_blank_codes_are_stored_and_never_match(known, put):
    """A hash of a blank image is stored and counted, and no search returns it."""
    put(f"id,pdq\nx,{'00' * 32}\ny,{value(1, 32)}\n")
    hash_list = known.refresh()

    assert hits(hash_list, "pdq", "00" * 32, radius=100) == []
    assert hash_list.kinds == {"pdq": 1}
    assert hash_list.info().not_searched == {"pdq": 1}
    assert hash_list.info().reached["pdq"] == 1
    assert hash_list.info().by_none == 1


def test_info_counts_the_matchable_records(known, put):
    """By computed kind, and those without any; seeds do not count."""
    put(
        "id,pdq,md5,photodna,phash,status\n"
        f"a,{value(1, 32)},{value(1)},,,\n"
        f"b,,{value(2)},,,disputed\n"
        f"c,,,{value(3, 144)},,\n"
        f"d,,,,{value(4, 8)},\n"
        f"e,{value(5, 32)},,,,seed\n"
    )
    info = known.refresh().info()

    computed = {name for name, kind in KINDS.items() if kind.computed}
    assert info.reached == dict.fromkeys(computed, 0) | {"pdq": 1, "md5": 2, "phash": 1}
    assert info.by_none == 1
    assert info.values == {"pdq": 2, "md5": 2, "phash": 1}
    assert info.not_searched == {"photodna": 1}
    assert info.states == {"confirmed": 3, "disputed": 1, "seed": 1}
    assert info.sources == {"demo": info.states}
    assert json.loads(json.dumps(info.to_dict()))["name"] == "known"


def test_a_photodna_list_has_no_searchable_kind(known, put):
    """A kind without searchable values is not listed, so that it does not look compared."""
    put(f"id,photodna\nx,{value(1, 144)}\n")
    hash_list = known.refresh()

    assert hash_list.kinds == {}
    assert hash_list.matchable
    with pytest.raises(HashError):
        hash_list.lookup("photodna", codes(value(1, 144)))


@pytest.mark.parametrize(
    ("state", "matchable"),
    [("", True), ("disputed", True), ("seed", False), ("known", False), ("withdrawn", False)],
)
def test_only_confirmed_and_disputed_records_make_a_list_matchable(known, put, state, matchable):
    """Seeds, known files and withdrawals do not."""
    put(f"id,md5,status\nx,{value(1)},{state}\n")

    assert known.refresh().matchable is matchable


def test_holders_returns_one_item_a_row(known, put):
    """The items have the order of the rows, repeats included."""
    put("id,md5\n" + "".join(f"e{n},{value(n)}\n" for n in range(1200)))
    hash_list = known.refresh()
    wanted = [5, 700, 5, 1199, *range(1200)]
    _, rows = hash_list.lookup("md5", codes(*map(value, wanted)))

    held = hash_list.holders("md5", rows)

    assert [record.entry for (record,) in held] == [f"e{n}" for n in wanted]


@pytest.mark.parametrize("row", ["", f"x,{value(1, 32)},{value(1)}\n"], ids=["without", "with"])
def test_invalid_arguments_are_refused_even_if_the_list_is_empty(known, put, row):
    """An invalid radius, number of threads or array is refused before the first hash of a kind is
    imported, as it is afterwards.
    """
    put("id,pdq,md5\n" + row)
    hash_list, pdq, md5 = known.refresh(), codes(value(1, 32)), codes(value(1))
    assert (
        hash_list.search("pdq", pdq, radius=0)[0][-1]
        == hash_list.lookup("md5", md5)[0][-1]
        == bool(row)
    )

    for radius in (-1, 257, 31.0, "31", None, True):
        with pytest.raises(HashError, match="radius"):
            hash_list.search("pdq", pdq, radius=radius)
    for threads in (0, 1.0, None):
        with pytest.raises(HashError, match="threads must"):
            hash_list.search("pdq", pdq, radius=31, threads=threads)
    for wrong in ([0] * 32, bytes(32), None, pdq[:, :8], pdq.astype(np.int8), pdq[np.newaxis]):
        with pytest.raises(HashError, match="queries"):
            hash_list.search("pdq", wrong, radius=31)
        with pytest.raises(HashError, match="queries"):
            hash_list.lookup("md5", wrong)


def test_a_generation_must_be_an_integer(known, put):
    """NumPy's count, texts do not; numbers beyond the database's range are unknown generations."""
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


def test_searches_of_the_wrong_kind_are_refused(known):
    """A kind searched the wrong way, an unknown kind, and rows of a kind that is missing."""
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
def test_the_name_is_the_folders_without_our_ending(tmp_path, folder, name):
    """The name is the same everywhere, and other endings stay."""
    known = HashList.create(os.fsdecode(os.path.join(os.fsencode(tmp_path), folder)))
    known.export(tmp_path / "out.csv", format="csv")

    manifest_name = json.loads((tmp_path / "out.csv.manifest.json").read_text())["list"]
    assert {known.name, known.info().name, known.verify().name, manifest_name} == {name}


def test_lists_of_two_years_have_different_names(tmp_path):
    """In one Screener, `known.2025` and `known.2026` stay distinct."""
    lists = [HashList.create(tmp_path / f"known.{year}") for year in (2025, 2026)]
    result = Screener(lists).screen(b"some file")
    assert [hash_list.name for hash_list in result.lists] == ["known.2025", "known.2026"]


def test_a_pickle_opens_the_same_generation(known, put):
    """The name is the folder's without its ending."""
    put(f"id,md5\nx,{value(1)}\n")
    old = known.refresh()
    put(f"id,md5\nx,{value(2)}\n")

    copy = pickle.loads(pickle.dumps(old))

    assert (copy.name, copy.generation) == ("known", 1)
    assert hits(copy, "md5", value(1)) == [("demo", "x", "confirmed")]
    assert copy.path.is_absolute()
    assert value(1) not in repr(copy)


def test_an_old_generation_opens_while_its_files_exist(known, put):
    """One whose index files are gone is refused, and never empty."""
    for number in range(6):
        put(f"id,md5\nx,{value(number)}\n")

    kept = HashList.open(known.path, generation=5)

    assert hits(kept, "md5", value(4)) == [("demo", "x", "confirmed")]
    with pytest.raises(ListError, match="no longer exists"):
        HashList.open(known.path, generation=1)
    with pytest.raises(ListError, match="no generation 99"):
        HashList.open(known.path, generation=99)


def test_other_files_and_folders_are_refused(tmp_path, known):
    """Missing, a file, another folder, another database: each message says what to do."""
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


def test_a_newer_format_is_refused(known, put):
    """Reading and writing both name the version that is needed."""
    with sqlite3.connect(known.path / "records.sqlite") as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
    connection.close()

    with pytest.raises(ListError, match=r"newer version of screener.*upgrade"):
        HashList.open(known.path)
    with pytest.raises(ListError, match="newer version of screener"):
        put(f"id,md5\nx,{value(1)}\n")
