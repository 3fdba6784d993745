"""A value in a database that no version wrote is reported with its row, and never skipped."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from list_values import putting, value

from screener import Hash, HashList, Policy, Screener, Terms
from screener.errors import ListError
from screener.lists.store import database, match_counts, transaction


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Return a list of two records, one with our opinion, with terms and a quarantined row."""
    tmp_path = tmp_path_factory.mktemp("sound")
    made = HashList.create(tmp_path / "known.list")
    text = f"id,pdq,md5\n1,{value(1, 32)},{value(1)}\n2,{value(2, 32)},{value(2)}\n3,zz,{value(3)}"
    putting(made, tmp_path)(text, terms=Terms(tlp="GREEN"))
    made.refresh().give_opinion("2", state="disputed", by="ann", reason="doubt")
    return made.path


@pytest.fixture
def known(sound, tmp_path):
    """Return a copy of it."""
    return HashList.open(shutil.copytree(sound, tmp_path / "known.list"))


def change(known, text):
    """Change the database."""
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        connection.execute(text)


def looked_up(known):
    """Return the verdicts on both records' hashes."""
    hashes = [Hash.parse("pdq", value(number, 32)) for number in (1, 2)]
    return [Screener(known, policy=Policy()).match([one]).verdict for one in hashes]


def export(known):
    """Export everything to a file."""
    return known.export(known.path.parent / "out.csv", format="csv", audience="own")


DAMAGE = {
    "a state that is none": ("UPDATE records SET state = 'sure' WHERE id = 3", looked_up, "id 3:"),
    "JSON that does not parse": ("UPDATE records SET labels = '{' WHERE id = 1", looked_up, "id 1"),
    "JSON of another form": ("UPDATE records SET labels = '7' WHERE id = 1", looked_up, "labels"),
    "codes without a scheme": ("UPDATE records SET categories = '[[\"A\"]]'", export, "categories"),
    "codes that are numbers": ("UPDATE records SET categories = '[[1, 2]]'", looked_up, "2 more"),
    "a text that is bytes": ("UPDATE records SET entry = x'31' WHERE id = 1", looked_up, "entry"),
    "no UTF-8": ("UPDATE records SET entry = CAST(x'ff' AS TEXT) WHERE id = 1", looked_up, "entry"),
    "a quality of 300": ("UPDATE hashes SET quality = 300 WHERE record = 1", looked_up, "record 1"),
    "a quality below all": (
        "UPDATE hashes SET quality = -1 WHERE record = 1",
        looked_up,
        "quality",
    ),
    "a quality in words": ("UPDATE hashes SET quality = 'good'", looked_up, "of quality"),
    "a value cut short": ("UPDATE hashes SET value = x'00' WHERE kind = 'pdq'", export, "of value"),
    "an opinion's state": ("UPDATE opinions SET state = 'x'", looked_up, "opinions, id 1"),
    "a time in words": (
        "UPDATE generations SET time = 'x' WHERE number = 2",
        HashList.refresh,
        "2",
    ),
    "no counts": ("UPDATE generations SET counts = '{}]'", HashList.log, "generations, number 0"),
    "an import's counts": (
        "UPDATE imports SET counts = ''",
        HashList.info,
        "imports, id 1: .*counts",
    ),
    "an import that counts nothing": (
        "UPDATE imports SET counts = '{}'",
        HashList.info,
        "imports, id 1: .*counts",
    ),
    "a segment's name": (
        "UPDATE segments SET file = 'X' || file",
        HashList.refresh,
        "segments: .*of file",
    ),
    "when a segment came": (
        # What it holds would match no more, as if it had never been listed.
        "UPDATE segments SET since = 'x' WHERE kind = 'pdq'",
        HashList.refresh,
        "segments: .*of since",
    ),
    "terms of no level": ("UPDATE terms SET tlp = 'PINK'", HashList.terms, "terms: .*of tlp"),
    "terms that say maybe": ("UPDATE terms SET redistribution = 'x'", export, "redistribution"),
    "a row set aside": (
        "UPDATE quarantine SET row = '[1]'",
        lambda known: known.release_rows([1], by="ann", reason="good"),
        "quarantine, id 1: .*of row",
    ),
}


@pytest.mark.parametrize(("damage", "asked", "where"), DAMAGE.values(), ids=DAMAGE)
def test_what_stumbles_over_a_damaged_value_says_where_it_stands(known, damage, asked, where):
    """The message names the list, the table, the row and the remedy, without a value; whether it is
    searched, exported or changed.
    """
    change(known, damage)
    with pytest.raises(ListError, match=rf"known\.list is damaged: .*{where}.*verify") as told:
        asked(known)
    assert not any(
        value(number, size)[:8] in str(told.value) for number in (1, 2) for size in (16, 32)
    )


def test_a_count_of_matches_that_is_none_is_told(known):
    """The message names the file, which may be deleted: it is not part of the list."""
    match_counts.count(known.path, {("demo", "1", "md5"): 99})
    with closing(sqlite3.connect(known.path / "matches.sqlite")) as connection, connection:
        connection.execute("UPDATE matches SET count = 'many'")
    with pytest.raises(ListError, match=r"matches.sqlite is damaged: .* of count; delete it"):
        known.show("1")


def test_no_index_is_made_anew_of_damaged_records(known, tmp_path):
    """If an index file is lost, the records restore its content. A record with an invalid state may
    have matched, and must not stop silently. A purge of the damaged source works.
    """
    putting(known, tmp_path)(f"id,pdq\n9,{value(9, 32)}", source="other")
    change(known, "UPDATE hashes SET kind = 'pdk' WHERE kind = 'pdq' AND record < 3")
    for file in (known.path / "segments").glob("pdq-*.idx"):
        file.write_bytes(b"")

    with pytest.raises(ListError, match=r"hashes, record 1: .* of kind"):
        putting(known, tmp_path)(f"id,pdq\n10,{value(10, 32)}", source="other")
    with pytest.raises(ListError, match=r"hashes, record 1: .* of kind"):
        known.purge("other")
    known.purge("demo")
    assert HashList.open(known.path).verify().damage == ()


def test_what_is_no_damage_is_told_as_it_is(known):
    """Damage was looked for before on the same connection, and a query is still running there."""

    def faulty():
        with transaction.begin(known.path) as connection:
            assert list(database.find_damaged_rows(connection)) == []
            going = connection.execute("SELECT id FROM records")
            going.fetchone()
            raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="a fault of ours"):
        faulty()
