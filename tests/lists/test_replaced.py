"""A list that is replaced, made anew or damaged while it is open: it clears nothing."""

import csv
import pickle
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from clips import clip, scenes, value_of
from list_values import value

from screener import Hash, HashList, Screener
from screener.errors import IndexFileError
from screener.hashing.hash import KINDS

FILM = Hash(KINDS["vpdq"], value_of(clip(scenes(20, seed=1))))
REPLACED = "was replaced by another while it was open; refresh it"


def made(path, *entries):
    """Return a list with one import for each (source, kind, value)."""
    HashList.create(path)
    for source, kind, text in entries:
        file = path.parent / "file.csv"
        with file.open("w", newline="") as stream:
            csv.writer(stream).writerows([("id", kind), (f"{source} item", text)])
        HashList.open(path).import_file(file, source=source)
    return HashList.open(path)


ONE, TWO = ("mine", "pdq", value(1, 32)), ("theirs", "pdq", value(2, 32))
VIDEO, WANTED = ("mine", "vpdq", FILM.text), Hash.parse("pdq", value(1, 32), quality=100)


@pytest.mark.parametrize(("entry", "hashes"), [(ONE, WANTED), (VIDEO, FILM)], ids=["pdq", "vpdq"])
def test_a_list_that_was_replaced_clears_nobody(tmp_path, entry, hashes):
    """Screening raises until the list is refreshed, even for an item that both lists have."""
    path = tmp_path / "known.list"
    engine = Screener(made(path, entry))
    assert engine.match([hashes]).verdict == "match"

    made(tmp_path / "other.list", TWO, entry)
    path.rename(tmp_path / "old.list")
    (tmp_path / "other.list").rename(path)

    with pytest.raises(IndexFileError, match=REPLACED):
        engine.match([hashes])
    assert engine.refresh().match([hashes]).verdict == "match"


def test_a_list_that_is_made_anew_at_its_path_clears_nobody(tmp_path):
    """With fewer generations than the open one, and with as many."""
    path = tmp_path / "known.list"
    engine = Screener(made(path, TWO, ONE))
    handed = pickle.dumps(engine.lists[0])

    for entries in ((TWO,), (TWO, ONE)):
        shutil.rmtree(path)
        made(path, *entries)
        with pytest.raises(IndexFileError, match=REPLACED):
            engine.match([WANTED])
        with pytest.raises(IndexFileError, match=REPLACED):
            engine.lists[0].can_match("pdq")
        with pytest.raises(IndexFileError, match=REPLACED):
            engine.lists[0].info()
    with pytest.raises(IndexFileError, match=REPLACED):
        pickle.loads(handed)
    assert engine.refresh().match([WANTED]).verdict == "match"


def test_a_copy_of_a_list_in_its_place_is_the_same_list(tmp_path):
    """Also of a later generation."""
    path = tmp_path / "known.list"
    held = made(path, ONE)
    engine = Screener(HashList.open(path))

    made(path.with_name("source.list"), TWO)
    held.import_file(tmp_path / "file.csv", source="theirs")
    shutil.copytree(path, tmp_path / "copy.list")
    shutil.rmtree(path)
    (tmp_path / "copy.list").rename(path)

    assert engine.match([WANTED]).verdict == "match"


def test_a_copy_that_went_on_apart_is_another_list(tmp_path):
    """It has the same id and as many generations, but its content may differ."""
    path, copy = tmp_path / "known.list", tmp_path / "copy.list"
    made(path, ONE)
    shutil.copytree(path, copy)
    made(path.with_name("source.list"), TWO)
    for one in (path, copy):
        HashList.open(one).import_file(tmp_path / "file.csv", source="theirs")
    engine = Screener(HashList.open(path))
    assert engine.match([WANTED]).verdict == "match"

    shutil.rmtree(path)
    copy.rename(path)

    with pytest.raises(IndexFileError, match=REPLACED):
        engine.match([WANTED])


@pytest.mark.parametrize("kind", ["pdq", "vpdq"])
def test_a_value_without_holder_is_damage_unless_something_was_purged_since(tmp_path, kind):
    """Purged values have no holders, even for a list opened before; a value that lost its holders
    otherwise is an error, since index and records differ.
    """
    entries = {"pdq": ONE, "vpdq": VIDEO}
    path, hashes = tmp_path / "known.list", {"pdq": WANTED, "vpdq": FILM}[kind]
    engine = Screener(made(path, entries[kind], TWO))
    numbers = [1] if kind == "vpdq" else []
    assert bool(engine.lists[0].videos(numbers)) == (kind == "vpdq")

    HashList.open(path).purge("mine", by="ann")

    assert engine.match([hashes]).verdict == "no_match"
    assert engine.lists[0].videos(numbers) == []
    assert engine.match([Hash.parse("pdq", value(2, 32), quality=100)]).verdict == "match"

    damaged = made(tmp_path / "damaged.list", entries[kind], TWO)
    with closing(sqlite3.connect(damaged.path / "records.sqlite")) as connection, connection:
        connection.execute("UPDATE records SET since = 99 WHERE source = 'mine'")
    with pytest.raises(IndexFileError, match="no record of its generation 2 has"):
        Screener(damaged).match([hashes])
    for number in numbers:
        with pytest.raises(IndexFileError, match="no record of its generation 2 has"):
            damaged.videos([number])


def test_who_knows_a_replaced_list_by_rows_alone_is_told_too(tmp_path):
    """Rows come from index files, and their holders must come from the same list's database."""
    path = tmp_path / "known.list"
    entries = ONE, ("theirs", "vpdq", FILM.text)
    held = made(path, *entries)
    shutil.rmtree(path)
    made(path, *entries)

    asked = (
        lambda: held.holders("pdq", [0]),
        lambda: held.frame_holders(np.arange(1)),
        lambda: held.videos([1]),
        held.pixels,
        held.quarantined,
    )
    for question in asked:
        with pytest.raises(IndexFileError, match=REPLACED):
            question()
