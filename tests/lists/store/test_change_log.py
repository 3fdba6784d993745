"""What was done to a list: the log, going back, purging."""

import pickle
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest
from list_values import met, value

from screener import Policy, Screener
from screener.errors import ListError, PolicyError
from screener.hashing.hash import Hash
from screener.lists.hashlist import HashList
from screener.lists.store import match_counts
from screener.lists.terms import Terms

# --- history


def test_the_history_keeps_what_changed_and_no_more(known, put):
    """A file that confirms all rows costs less than a kilobyte, also where some cannot be read; a
    changed row 300 bytes or so.
    """

    def size(note):
        rows = "".join(f"{n},{value(n, 32)},{value(n)},{note}\n" for n in range(300))
        bad = "".join(f"b{n},{value(n, 32)},zz,as ever\n" for n in range(40))
        put(f"id,pdq,md5,note\n{rows}{bad}")
        return (known.path / "records.sqlite").stat().st_size

    first = size("x")
    assert [size("x") for _ in range(8)][-1] - first <= 8 * 1024
    second = size("y")
    assert 200 * 300 < size("z") - second < 320 * 300


def test_a_rollback_writes_a_higher_generation_with_the_earlier_content(known, put):
    """What was added goes, what was changed is as before; what was withdrawn does not return."""
    put(f"id,md5,note\na,{value(1)},old\nb,{value(2)},\nc,{value(3)},\n")
    put(f"id,md5,note,status\na,{value(10)},new,\nc,,,withdrawn\nd,{value(4)},,\n")

    number = known.rollback(1, by="ann", reason="a bad file")

    one = known.refresh()
    assert (number, one.generation) == (3, 3)
    assert dict(one.states) == {"confirmed": 2, "withdrawn": 1}
    assert one.show("a")[0].labels == {"note": "old"}
    found = {n: met(known, "md5", n, 16)[0] for n in (1, 2, 3, 4, 10)}
    assert found == {1: "match", 2: "match", 3: "no_match", 4: "no_match", 10: "no_match"}
    assert dict(one.kinds) == {"md5": 2}
    with pytest.raises(ListError):
        known.rollback(3)
    with pytest.raises(ListError):
        known.rollback(99)


@pytest.mark.parametrize("to", [1, 2])
def test_trap_a_rollback_past_a_withdrawal_that_was_taken_back(known, put, to):
    """Listed, withdrawn, listed again: to go back over the last of these is not to list it anew. An
    entry that was not there yet is withdrawn as well, and a rollback of the rollback undoes both.
    """
    put(f"id,md5\na,{value(1)}\n" + (f"b,{value(2)}\n" if to == 2 else ""))
    if to == 2:
        put(f"id,md5\nc,{value(3)}\n")
    else:
        put(f"id,md5\nb,{value(2)}\nc,{value(3)}\n")
    put("id,md5,status\na,,withdrawn\nb,,withdrawn\n")
    put(f"id,md5\na,{value(1)}\nb,{value(2)}\n")

    known.rollback(to, by="ann", reason="a bad file")

    found = [met(known, "md5", n, 16)[0] for n in (1, 2, 3)]
    assert found == (["unscreened"] * 3 if to == 1 else ["no_match", "no_match", "match"])
    assert known.refresh().info().states["withdrawn"] == 2
    assert known.refresh().verify(seed=1).damage == ()
    known.rollback(4, by="ann", reason="it was good")
    assert [met(known, "md5", n, 16)[0] for n in (1, 2, 3)] == ["match"] * 3
    assert dict(known.refresh().states) == {"confirmed": 3}


AGAIN = {
    "said again": ("id,md5,status\na,,withdrawn\n", False),
    "said again by a file that lists others": (
        f"id,md5,status\na,,withdrawn\nz,{value(9)},\n",
        False,
    ),
    "not named by a full list": (f"id,md5,status\nb,{value(2)},\nc,{value(3)},\n", True),
}


@pytest.mark.parametrize("back", [1, 2])
@pytest.mark.parametrize("how", AGAIN)
def test_trap_a_withdrawal_that_is_said_again_after_a_rollback(known, put, how, back):
    """Listed, withdrawn, listed again, and that taken back: who says again that it is withdrawn
    changes nothing, but has said it, whatever generation is gone back to afterwards.
    """
    put(f"id,md5\na,{value(1)}\nb,{value(2)}\n")
    put("id,md5,status\na,,withdrawn\n")
    put(f"id,md5\na,{value(1)}\nc,{value(3)}\n")
    known.rollback(back, by="ann", reason="a bad file")
    text, full = AGAIN[how]
    put(text, full=full, accept_shrink=True)

    known.rollback(3, by="ann", reason="it was good")

    assert [met(known, "md5", n, 16)[0] for n in (1, 2, 3)] == ["no_match", "match", "match"]
    assert known.refresh().show("a")[0].said == "withdrawn"
    assert [one.since < one.until for one in known.refresh().show("a")[0].versions[:-1]]
    known.rollback(1)
    assert [met(known, "md5", n, 16)[0] for n in (1, 2, 3)] == ["no_match", "match", "no_match"]
    assert known.refresh().verify(seed=1).damage == ()


def test_trap_what_a_full_list_did_not_name_while_it_was_rolled_back(known, put):
    """An entry that no generation had when the list came is not listed by going back to one that
    had it; one that it named is, and other sources are another matter.
    """
    put(f"id,md5\na,{value(1)}\n")
    put(f"id,md5,tlp\nb,{value(2)},RED\nc,{value(3)},\n")
    put(f"id,md5\nb,{value(4)}\n", source="other")
    known.rollback(1, by="ann", reason="a bad file")
    put(f"id,md5\na,{value(1)}\nc,{value(3)}\n", full=True)

    known.rollback(3, by="ann", reason="it was good")

    found = [met(known, "md5", n, 16)[0] for n in (1, 2, 3, 4)]
    assert found == ["match", "no_match", "match", "match"]
    shown = known.refresh().show("b", source="demo")[0]
    assert (shown.said, shown.hashes, shown.terms["tlp"]) == ("withdrawn", (), "RED")
    assert known.refresh().verify(seed=1).damage == ()
    known.rollback(3)
    assert met(known, "md5", 2, 16)[0] == "no_match"


TIMES = ["2020-01-01", "2021-01-01", "2022-01-01", "2023-01-01"]


@pytest.mark.parametrize("pages", [True, False])
@pytest.mark.parametrize(("listed", "found"), [(0, "unscreened"), (2, "match")])
def test_trap_a_withdrawal_that_a_later_listing_overtook(known, put, pages, listed, found):
    """It changed nothing, for its source listed the entry later. When that is taken back, it
    stands, but not against a listing that is later by its source's own time.
    """
    put(f"id,md5,updated\na,{value(1)},{TIMES[listed]}\n")
    live, gone = f"a,{value(1)},{TIMES[3]},\n", f"a,,{TIMES[1]},withdrawn\n"
    for text in (live, gone) if pages else (gone + live,):
        put(f"id,md5,updated,status\n{text}")
    assert met(known, "md5", 1, 16)[0] == "match"

    known.rollback(1)

    assert met(known, "md5", 1, 16)[0] == found
    assert known.refresh().verify(seed=1).damage == ()


def test_a_withdrawal_that_changes_nothing_is_kept_once(known, put):
    """However often a page is imported again."""
    put(f"id,md5,updated\na,{value(1)},{TIMES[1]}\n")
    for _ in range(3):
        put(f"id,md5,updated,status\na,,{TIMES[0]},withdrawn\n")

    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        kept = connection.execute("SELECT import FROM records WHERE until = since").fetchall()
    assert kept == [(4,)]
    assert len(known.refresh().show("a")[0].versions) == 1


def test_a_rolled_back_list_is_as_old_as_what_it_goes_back_to(known, put):
    """Else a policy's largest age would take it for fresh."""
    put(f"id,md5\na,{value(1)}\n")
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        connection.execute("UPDATE generations SET confirmed = confirmed - 1000")
    put(f"id,md5\nb,{value(2)}\n")

    known.rollback(1)

    assert known.refresh().age_s() > 900
    with pytest.raises(PolicyError, match="old and the policy allows"):
        Screener(known.refresh(), policy=Policy(max_list_age=500))


def test_an_opinion_makes_no_list_younger(known, put):
    """It tells nothing of what else its sources hold by now."""
    put(f"id,md5\na,{value(1)}\n")
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        connection.execute("UPDATE generations SET confirmed = confirmed - 1000")

    known.give_opinion("a", state="disputed", by="ann", reason="x")

    assert known.refresh().age_s() > 900


def test_a_rollback_keeps_our_opinions(known, put):
    """What we know since is not undone with what a file said."""
    put(f"id,md5\na,{value(1)}\n")
    put(f"id,md5\nb,{value(2)}\n")
    known.give_opinion("a", state="disputed", by="ann", reason="x")
    known.rollback(1)

    assert met(known, "md5", 1, 16) == ("match", ["disputed"], [])


def test_the_log_says_what_was_done_and_who_asked(known, put):
    """Imports with their counts, one that changed nothing too; opinions and rollbacks."""
    put(f"id,md5\na,{value(1)}\n", by="ann")
    put(f"id,md5\na,{value(1)}\n", by="bob")
    known.give_opinion("a", state="disputed", by="cat", reason="why")
    known.rollback(1, by="dan", reason="undo")

    told = [(one.generation, one.what, one.by) for one in known.log()]

    assert told == [
        (0, "created", None),
        (1, "import", "ann"),
        (1, "import", "bob"),
        (2, "opinion", "cat"),
        (3, "rollback to 1", "dan"),
    ]
    assert known.log()[1].counts["added"] == 1
    assert (known.log()[1].source, known.log()[3].note) == ("demo", "disputed: why")


def traces(folder, *hexes):
    """The files under a folder that hold any of the values, as bytes or as text."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for text in hexes:
                if bytes.fromhex(text) in content or text.encode() in content.lower():
                    found.append((path.name, text))
    return found


def test_after_a_purge_no_byte_of_a_purged_hash_is_left(known, put):
    """In no file of the list: old versions, set-aside rows, old generations, log and index."""
    mine = [value(n, size) for n in range(40) for size in (16, 32)]
    for turn in range(4):
        rows = "".join(
            f"e{n},{value(n, 32)},{value(n)},{turn}\n" for n in range(turn * 10, turn * 10 + 10)
        )
        again = f"e{turn},{value(turn, 32)},{value(turn)},again\n"
        put(f"id,pdq,md5,turn\n{rows}{again}bad,zz,{value(7)},\n")
    put(f"id,pdq,md5\nx,{value(99, 32)},{value(99)}\nshared,,{value(1000)}\n", source="other")
    known.give_opinion("e1", state="disputed", by="ann", reason="x")
    known.count_matches(
        [Screener(known.refresh()).match([Hash.parse("pdq", value(1, 32))], input="f")]
    )
    reader = known.refresh()  # holds the old index files open
    assert traces(known.path, *mine)

    report = known.purge("demo", by="ann", reason="the contract ended")

    assert traces(known.path, *mine) == []
    assert (report.records, report.generation) == (40, reader.generation + 1)
    one = known.refresh()
    assert dict(one.kinds) == {"md5": 2, "pdq": 1}
    assert met(known, "pdq", 99, 32)[0] == "match"
    assert met(known, "pdq", 1, 32)[0] == "no_match"
    # Counts stay; what the rest of the list may be gone back to stays too, without the source.
    assert [x.counts["added"] for x in one.log() if x.source == "demo"]
    known.rollback(5)
    assert traces(known.path, *mine) == []
    assert match_counts.read_counts(known.path, "demo", "e1") == {}
    with pytest.raises(ListError, match="nothing of the source"):
        known.purge("demo")


def test_matches_of_what_was_purged_are_not_counted_after_it(known, put):
    """Whoever searched in a generation before names entries that no file of the list may name
    again, nor an index of one; those of other sources are counted.
    """
    secret = value(1, 32)
    put(f"id,pdq\n{secret},{secret}\n")
    put(f"id,pdq\nx,{secret}\n", source="other")
    result = Screener(known.refresh()).match([Hash.parse("pdq", secret, quality=100)])
    assert {one.source for one in result.matches} == {"demo", "other"}

    known.purge("demo")
    known.count_matches([result, result])

    assert match_counts.read_counts(known.path, "demo", secret) == {}
    assert b"demo" not in (known.path / "matches.sqlite").read_bytes()
    assert list(match_counts.read_counts(known.path, "other", "x")["pdq"].values()) == [2]


def test_a_purge_while_matches_are_counted_forgets_them_as_well(known, put, monkeypatch):
    """It comes after the count has seen that the list has the entry, and before it is written."""
    put(f"id,pdq\na,{value(1, 32)}\n")
    put(f"id,pdq\nx,{value(2, 32)}\n", source="other")
    result = Screener(known.refresh()).match([Hash.parse("pdq", value(1, 32), quality=100)])
    purging = threading.Thread(target=lambda: known.purge("demo"))
    seen = match_counts._filter_current

    def see_and_let_purge(connection, keys):
        had = seen(connection, keys)
        purging.start()
        while purging.is_alive() and known.refresh().generation == 2:
            time.sleep(0.001)
        return had

    monkeypatch.setattr(match_counts, "_filter_current", see_and_let_purge)
    known.count_matches([result])
    purging.join()

    assert match_counts.read_counts(known.path, "demo", "a") == {}


def test_a_value_that_another_source_gives_too_stays_found_after_a_purge(known, put):
    """Purging is by source, not by value."""
    for source in ("mine", "theirs"):
        put(f"id,md5\na,{value(1)}\n", source=source)

    known.purge("mine")

    assert met(known, "md5", 1, 16) == ("match", ["confirmed"], [])


def test_a_generation_from_before_a_purge_is_refused_and_not_taken_for_an_empty_one(known, put):
    """Opened by its number, or by a worker that was handed it: a sentence, and no clean verdict."""
    for source, number in (("mine", 1), ("theirs", 2)):
        put(f"id,md5\na,{value(number)}\n", source=source)
    handed = pickle.dumps(known.refresh())

    known.purge("mine")

    for use in (lambda: HashList.open(known.path, generation=2), lambda: pickle.loads(handed)):
        with pytest.raises(ListError, match=r"generation 2 .* no longer exists"):
            use()
    assert HashList.open(known.path, generation=3).kinds == {"md5": 1}
    assert known.rollback(2) == 4
    assert met(known, "md5", 2, 16)[0] == "match"


def test_a_purge_that_a_reader_delays_is_completed_by_the_next_writer(known, put, monkeypatch):
    """The log cannot be emptied under an open read; the sentence says so, and it is done later."""
    put(f"id,md5\na,{value(1)}\n")
    put(f"id,md5\nb,{value(2)}\n", source="other")
    reading = sqlite3.connect(known.path / "records.sqlite")
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM records").fetchone()

    with monkeypatch.context() as hurried:
        for module in ("erase", "database"):  # how often it is tried, and SQLite's own patience
            hurried.setattr(f"screener.lists.store.{module}.WAIT_SECONDS", 0.2)
        with pytest.raises(ListError, match="a reader keeps"):
            known.purge("demo")
    reading.close()
    put(f"id,md5\nc,{value(3)}\n", source="other")

    assert traces(known.path, value(1)) == []
    assert dict(known.refresh().kinds) == {"md5": 2}


def test_show_tells_where_an_entry_came_from_and_no_value_unasked(known, put):
    """Its versions with their imports, terms, labels and who has the same hash; values only if
    asked for; and what is said of it alone.
    """
    put(f"id,md5,note\na,{value(1)},x\n", by="ann", terms=Terms("AMBER"))
    put(f"id,md5,note\na,{value(1)},y\n", by="bob")
    put(f"id,md5\nsame,{value(1)}\n", source="other")
    one = known.refresh()

    (shown,) = one.show("a")

    assert [(v.since, v.until, v.file, v.by) for v in shown.versions] == [
        (1, 2, "file.csv", "ann"),
        (2, None, "file.csv", "bob"),
    ]
    assert (shown.labels, shown.terms) == ({"note": "y"}, {"tlp": "AMBER"})
    assert shown.hashes[0].also_by == (("other", "same", "confirmed"),)
    itself = replace(shown.hashes[0], also_by=())
    assert one.show("a", alone=True) == [replace(shown, versions=(), hashes=(itself,))]
    assert value(1) not in str(shown.to_dict())
    assert one.show("a", values=True)[0].hashes[0].value == value(1)
    with pytest.raises(ListError, match="no entry"):
        one.show("b")


def test_trap_a_rollback_does_not_free_what_was_held_to_less_since(known, put, tmp_path):
    """The narrower of both levels holds, of what was revised, and of what was withdrawn and listed
    again; until the source says one. What was wider since is as it was.
    """
    head = "id,md5,tlp,status\n"
    first = f"{head}a,{value(1)},GREEN,\nb,{value(2)},,\nc,{value(3)},RED,\nd,{value(4)},,\n"
    put(first, terms=Terms("GREEN", True))
    put(f"{head}d,,,withdrawn\n")
    put(f"{head}a,{value(1)},RED,\nb,{value(2)},RED,\nc,{value(3)},GREEN,\nd,{value(4)},RED,\n")
    known.rollback(1, by="ann", reason="x")

    def goes():
        known.refresh().export(tmp_path / "o", format="csv")
        lines = (tmp_path / "o").read_text().splitlines()
        return [line[0] for line in lines[1:]]

    put(f"id,md5\ne,{value(5)}\n")
    assert goes() == ["e"]
    held = {n: known.refresh().show(n)[0].terms["tlp"] for n in "abcd"}
    assert held == dict.fromkeys("abcd", "RED")
    assert known.refresh().show("c")[0].labels == {"tlp": "RED"}
    assert put(first).changed == 2
    assert goes() == ["e", "a"]
    assert not known.refresh().verify().damage
