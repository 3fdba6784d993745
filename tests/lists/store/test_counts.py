"""What `info` counts is what the records say, whatever was done to the list."""

import json
import random
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing

import pytest
from list_values import putting, value

from screener import HashList
from screener.errors import ListError
from screener.hashing.hash import KINDS
from screener.lists.inspecting.verify import DamagedList
from screener.lists.store import counts

SOURCES = ("one", "two", "three")
OPAQUE = "ab" * 144  # of PhotoDNA, which is carried and not compared


def told(known):
    """What `info` says of records and of their hashes."""
    found = known.info().to_dict()
    return {
        "sources": found["sources"],
        "reached": {kind: count for kind, count in found["reached"].items() if count},
        "by_none": found["by_none"],
        "not_searched": found["not_searched"],
    }


def expected(known):
    """The same, by going through all rows one by one."""
    number = known.generation
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection:
        records = connection.execute("SELECT id, source, state, since, until FROM records")
        current = {
            record: (source, state)
            for record, source, state, since, until in records
            if since <= number and (until is None or until > number)
        }
        hashes = connection.execute("SELECT record, kind, value, why_not FROM hashes").fetchall()
    sources = defaultdict(Counter)
    for source, state in current.values():
        sources[source][state] += 1
    compared, aside = defaultdict(set), defaultdict(set)
    for record, kind, raw, why_not in hashes:
        if record in current and why_not is None:
            compared[record].add(kind)
        elif record in current and current[record][1] != "withdrawn":
            aside[kind].add(raw)
    matching = [r for r, (_, state) in current.items() if state in ("confirmed", "disputed")]
    computed = {name for name, kind in KINDS.items() if kind.computed}
    return {
        "sources": {source: dict(states) for source, states in sources.items()},
        "reached": dict(Counter(kind for r in matching for kind in compared[r] & computed)),
        "by_none": sum(not compared[record] & computed for record in matching),
        "not_searched": {kind: len(values) for kind, values in aside.items()},
    }


def rows(rng):
    """A file of some entries, of some kinds each; a few are withdrawn, a few say too little."""
    lines = ["id,md5,pdq,photodna,status"]
    for entry in rng.sample(range(40), rng.randint(1, 15)):
        state = rng.choice(["confirmed"] * 4 + ["withdrawn", "seed", "known_good"])
        pdq = rng.choice(["", value(rng.randrange(90), 32), "0" * 64])
        photodna = rng.choice(["", "", OPAQUE, value(rng.randrange(90), 144)])
        md5 = rng.choice(["", value(rng.randrange(90))])
        lines.append(f"e{entry},{md5 or value(entry)},{pdq},{photodna},{state}")
        if rng.random() < 0.3:  # another row of the same entry, with one more value of a kind
            lines.append(f"e{entry},{value(rng.randrange(90))},,,{state}")
    return "\n".join(lines)


def any_entry(rng, known):
    """The name of an entry that its source has not withdrawn, and its source."""
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection:
        found = connection.execute(
            "SELECT entry, source FROM records WHERE until IS NULL AND said <> 'withdrawn'"
        ).fetchall()
    return dict(zip(("entry", "source"), rng.choice(found or [("none", "one")]), strict=True))


CHANGES = {
    "import": lambda rng, known, put: put(rows(rng), source=rng.choice(SOURCES)),
    "full": lambda rng, known, put: put(
        rows(rng), source=rng.choice(SOURCES), full=True, accept_shrink=True
    ),
    "opinion": lambda rng, known, put: known.give_opinion(
        state=rng.choice(["confirmed", "disputed", "known_good", "withdrawn"]),
        by="ann",
        reason="x",
        **any_entry(rng, known),
    ),
    "release": lambda rng, known, put: known.release_value(
        kind="pdq", by="ann", reason="x", **any_entry(rng, known)
    ),
    "rollback": lambda rng, known, put: known.rollback(rng.randrange(1, known.generation + 1)),
    "compact": lambda rng, known, put: known.compact(),
    "purge": lambda rng, known, put: known.purge(rng.choice(SOURCES)),
}


@pytest.mark.parametrize("seed", range(6))
def test_info_is_what_the_records_say_after_any_changes(tmp_path, monkeypatch, seed):
    """Of the newest generation without counting, and of an earlier one."""
    rng = random.Random(seed)
    known = HashList.create(tmp_path / "known.list")
    put = putting(known, tmp_path)
    put(rows(rng), source="one")
    done = Counter()
    for _ in range(25):
        name = rng.choice(["import"] * 4 + list(CHANGES))
        try:
            CHANGES[name](rng, known.refresh(), put)
            done[name] += 1
        except ListError:  # of an entry or a generation that there is not
            continue
        before, known = known, known.refresh()
        with monkeypatch.context() as patched:
            patched.setattr(counts, "count", None)
            assert told(known) == expected(known), name
        if name != "purge":
            assert told(before) == expected(before)
    assert known.verify(seed=1).damage == ()
    assert done["import"] > 5
    assert len(done) > 4


def test_values_that_a_source_repeats_are_counted(tmp_path):
    """A placeholder is compared no more in versions that were there before it became one."""
    known = HashList.create(tmp_path / "known.list")
    put = putting(known, tmp_path)
    lines = [f"e{n},{value(n)},{value('same', 32)}" for n in range(120)]
    put("\n".join(["id,md5,pdq", *lines[:60]]))
    put("\n".join(["id,md5,pdq", *lines[60:]]))
    known = known.refresh()
    assert told(known) == expected(known)
    assert told(known)["not_searched"] == {"pdq": 1}


@pytest.mark.parametrize("count", [1, 3])
def test_counts_that_are_wrong_are_damage(tmp_path, count):
    """`verify` counts once more."""
    known = HashList.create(tmp_path / "known.list")
    putting(known, tmp_path)(f"id,md5\na,{value(1)}\nb,{value(2)}")
    wrong = json.dumps([["demo", "confirmed", ["md5"], False, count]])
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        connection.execute("UPDATE generations SET counts = ? WHERE number = 1", (wrong,))
    with pytest.raises(DamagedList, match="the numbers of records differ"):
        known.refresh().verify()


@pytest.mark.parametrize(
    "text",
    ["", "5", "[1]", '[["demo","gone",[],false,1]]', '[["demo","seed",["x"],false,1]]',
     '[["demo","seed",[],false,-1]]', '[[5,"seed",[],false,1]]'],
)  # fmt: skip
def test_counts_that_cannot_be_read_are_damage(tmp_path, text):
    """By `info`, a change and `verify`, as any row that no version writes."""
    known = HashList.create(tmp_path / "known.list")
    put = putting(known, tmp_path)
    put(f"id,md5\na,{value(1)}")
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        connection.execute("UPDATE generations SET counts = ? WHERE number = 1", (text,))
    for asked in (known.refresh, lambda: put(f"id,md5\nb,{value(2)}")):
        with pytest.raises(ListError, match="the table generations, number 1: no version"):
            asked()
