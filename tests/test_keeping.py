"""Keeping a list: opinions, quarantine, placeholders, full lists, rollback, purge, counts."""

import hashlib
import os
import pickle
import sqlite3
import stat

import pytest

from screener import Policy, Screener
from screener.errors import HashError, ListError
from screener.hashing.hash import Hash
from screener.lists import database, matches, placeholders
from screener.lists.edge import EdgeFilter
from screener.lists.hashlist import HashList
from screener.lists.states import State, effective
from screener.lists.terms import Terms


def value(number, size=16):
    """A well-mixed value of so many bytes, in hex."""
    return hashlib.shake_128(str(number).encode()).hexdigest(size)


@pytest.fixture
def known(tmp_path):
    """An empty list."""
    return HashList.create(tmp_path / "known.list")


@pytest.fixture
def put(known, tmp_path):
    """Imports a text into the list; gives the report."""

    def put(text, source="demo", **settings):
        file = tmp_path / "file.csv"
        file.write_text(text, encoding="utf-8")
        return known.import_file(file, source=source, **settings)

    return put


def met(one, kind, number, size):
    """What a value of the list makes of an item: (verdict, states of matches, states beside)."""
    result = Screener(one.refresh(), policy=Policy(digests_only=kind == "md5")).match(
        [Hash.parse(kind, value(number, size))]
    )
    return str(result.verdict), [m.state for m in result.matches], [m.state for m in result.beside]


# --- opinions


@pytest.mark.parametrize(
    ("said", "own", "counts"),
    [
        ("confirmed", ["disputed"], "disputed"),
        ("confirmed", ["known_good"], "disputed"),
        ("confirmed", ["confirmed"], "confirmed"),
        ("disputed", ["confirmed"], "disputed"),
        ("seed", ["confirmed"], "confirmed"),
        ("seed", ["disputed"], "seed"),
        ("seed", ["confirmed", "known_good"], "disputed"),
        ("known_good", ["confirmed"], "disputed"),
        ("known_good", ["disputed"], "known_good"),
        ("withdrawn", ["confirmed"], "withdrawn"),
        ("confirmed", [], "confirmed"),
    ],
)
def test_an_opinion_never_cancels_a_match_and_makes_one_only_by_confirming(said, own, counts):
    """The state that counts, for each pair that differs."""
    assert effective(State(said), map(State, own)) == counts


def test_an_opinion_shows_on_the_match_beside_what_the_source_says(known, put):
    """The match is `disputed`, says what its source said, who disputes it and why."""
    put(f"id,pdq\na,{value(1, 32)}\n")
    number = known.give_opinion("a", state="disputed", by="ann", reason="a stock photo")

    result = Screener(known.refresh()).match([Hash.parse("pdq", value(1, 32))])

    (match,) = result.matches
    assert (result.verdict, match.state, match.said) == ("match", "disputed", "confirmed")
    (opinion,) = match.to_dict()["opinions"]
    assert (opinion["state"], opinion["by"], opinion["reason"]) == (
        "disputed",
        "ann",
        "a stock photo",
    )
    assert (number, known.refresh().generation) == (2, 2)
    assert dict(known.refresh().states) == {"disputed": 1}


def test_a_result_with_opinions_fits_the_schema(known, put):
    """The line is valid, with opinions and without."""
    import json
    from pathlib import Path

    import jsonschema

    schema = json.loads((Path(__file__).parents[1] / "docs/result.schema.json").read_text())
    put(f"id,pdq\na,{value(1, 32)}\nb,{value(1, 32)}\n")
    known.give_opinion("a", state="known_good", by="ann", reason="ours")
    result = Screener(known.refresh()).match([Hash.parse("pdq", value(1, 32))])

    jsonschema.validate(json.loads(json.dumps(result.to_dict())), schema)
    assert [("opinions" in m) for m in result.to_dict()["matches"]] == [True, False]


def test_opinions_stay_when_their_entry_is_imported_anew(known, put):
    """A changed record is still disputed by us; taken back, it is as its source has it."""
    put(f"id,md5,note\na,{value(1)},x\n")
    known.give_opinion("a", state="disputed", by="ann", reason="doubt")
    put(f"id,md5,note\na,{value(1)},y\n")
    assert met(known, "md5", 1, 16) == ("match", ["disputed"], [])

    known.give_opinion("a", state="confirmed", by="bob", reason="seen")
    assert met(known, "md5", 1, 16) == ("match", ["disputed"], [])
    known.give_opinion("a", state="withdrawn", by="ann", reason="was wrong")
    assert met(known, "md5", 1, 16) == ("match", ["confirmed"], [])
    assert [o.by for o in known.refresh().show("a")[0].opinions] == ["bob"]
    assert put(f"id,md5,note\na,{value(1)},y\n").unchanged == 1


def test_a_seed_matches_once_we_confirm_it(known, put):
    """And a generation from before our opinion still has it as a seed."""
    put(f"id,md5,status\na,{value(1)},seed\nb,{value(2)},\n")
    before = known.refresh()
    known.give_opinion("a", state="confirmed", by="ann", reason="assessed")

    assert met(known, "md5", 1, 16) == ("match", ["confirmed"], [])
    old = Screener(before, policy=Policy(digests_only=True))
    assert [m.state for m in old.match([Hash.parse("md5", value(1))]).beside] == ["seed"]


def test_conflicting_sources_on_equal_hashes_are_all_shown(known, put):
    """One confirms, one disputes, one knows it to be good: two matches and one beside."""
    for source, state in (("a", "confirmed"), ("b", "disputed"), ("c", "known_good")):
        put(f"id,md5,status\nx,{value(1)},{state}\n", source=source)

    assert met(known, "md5", 1, 16) == ("match", ["confirmed", "disputed"], ["known_good"])
    shown = known.refresh().show("x", source="a")
    assert shown[0].hashes[0].also_by == (("b", "x", "disputed"), ("c", "x", "known_good"))


def test_an_opinion_needs_an_entry_a_name_and_a_reason(known, put):
    """Each sentence says what is missing; nothing is written."""
    for source in ("s", "t"):
        put(f"id,md5\na,{value(1)}\n", source=source)
    put(f"id,md5,status\ngone,{value(2)},withdrawn\n")
    asked = {"state": "disputed", "by": "ann", "reason": "x"}

    for entry, change, sentence in (
        ("nothing", {}, "no entry"),
        ("a", {}, "several sources"),
        ("gone", {}, "withdrawn"),
        ("a", {"source": "s", "by": " "}, "needs by"),
        ("a", {"source": "s", "reason": "two\nlines"}, "needs reason"),
        ("a", {"source": "s", "state": "seed"}, "one of"),
    ):
        with pytest.raises(ListError, match=sentence):
            known.give_opinion(entry, **(asked | change))
    assert known.refresh().generation == 3


# --- allow lists


def test_known_good_has_a_radius_of_its_own(known, put):
    """A hit within it stands beside; one beyond does not, though a match would reach so far."""
    put(f"id,pdq,status\ngood,{value(1, 32)},known_good\nbad,{value(1, 32)},\n")
    near = bytearray(bytes.fromhex(value(1, 32)))
    near[0] ^= 0xFF
    query = [Hash.parse("pdq", near.hex())]
    known = known.refresh()

    narrow = Screener(known, policy=Policy(known_good_radius={"pdq": 7})).match(query)
    wide = Screener(known, policy=Policy(radius={"pdq": 7}, known_good_radius={"pdq": 8}))
    even = Screener(known).match(query)

    assert ([m.entry for m in narrow.matches], narrow.beside) == (["bad"], ())
    found = wide.match(query)
    assert (found.matches, [(m.entry, m.radius) for m in found.beside]) == ((), [("good", 8)])
    assert ([m.entry for m in even.matches], [m.entry for m in even.beside]) == (["bad"], ["good"])


# --- what is not compared, and its release


def _placeholder_rows(count, first=0):
    return "".join(
        f"e{n},{value('constant', 32)},{value(n)}\n" for n in range(first, first + count)
    )


def test_a_constant_that_many_files_share_is_never_searched(known, put):
    """At a hundred different files it is a placeholder, also across imports; one fewer is none."""
    few = put("id,pdq,md5\n" + _placeholder_rows(placeholders.FILES - 1))
    assert few.placeholders == 0
    assert met(known, "pdq", "constant", 32)[0] == "match"
    before = known.refresh()

    last = put("id,pdq,md5\n" + _placeholder_rows(1, placeholders.FILES))

    assert last.placeholders == 1
    one = known.refresh()
    assert dict(one.kinds) == {"md5": placeholders.FILES}
    assert len(one.quarantined()[1]) == placeholders.FILES
    assert met(known, "md5", 1, 16)[0] == "match"
    # The generation before stays as it was.
    result = Screener(before).match([Hash.parse("pdq", value("constant", 32))])
    assert len(result.matches) == placeholders.FILES - 1
    # A new entry with it changes nothing any more.
    put("id,pdq,md5\n" + _placeholder_rows(1, 1000))
    assert "pdq" not in known.refresh().kinds


def test_one_file_that_is_listed_often_is_no_placeholder(known, put):
    """A thousand reports of one widely shared file have one digest, and must be found."""
    rows = "".join(f"e{n},{value(1, 32)},{value(1)}\n" for n in range(1000))

    assert put(f"id,pdq,md5\n{rows}").placeholders == 0
    assert met(known, "pdq", 1, 32)[0] == "match"


def test_a_placeholder_is_told_in_a_large_import_too(known, put, monkeypatch):
    """Beyond so many values they are counted all together, with the same outcome."""
    monkeypatch.setattr(placeholders, "_LISTED", 50)
    rows = "".join(f"n{n},{value(-n - 1, 32)},{value(-n - 1)}\n" for n in range(200))

    report = put("id,pdq,md5\n" + rows + _placeholder_rows(placeholders.FILES))

    assert report.placeholders == 1
    assert known.refresh().kinds["pdq"] == 200


def test_a_released_placeholder_is_searched_and_stays_so(known, put):
    """Also in records that come later, and after a rollback; the log says who decided it."""
    put("id,pdq,md5\n" + _placeholder_rows(placeholders.FILES))
    known.release_value("e0", "pdq", by="ann", reason="a logo that matters")
    assert len(met(known, "pdq", "constant", 32)[1]) == placeholders.FILES

    put("id,pdq,md5\n" + _placeholder_rows(1, 500))
    assert len(met(known, "pdq", "constant", 32)[1]) == placeholders.FILES + 1
    known.rollback(1)
    assert len(met(known, "pdq", "constant", 32)[1]) == placeholders.FILES
    told = [(one.what, one.by, one.note) for one in known.refresh().log()]
    assert ("release", "ann", "pdq of e0: a logo that matters") in told


def test_a_blank_picture_can_be_released(known, put):
    """A low-information code is not compared until somebody says so."""
    put(f"id,pdq,md5\na,{'0' * 62}ff,{value(1)}\n")
    assert known.refresh().quarantined()[1][0].reason == "low information"

    known.release_value("a", "pdq", by="ann", reason="the list is of blanks")

    assert dict(known.refresh().kinds) == {"md5": 1, "pdq": 1}
    with pytest.raises(ListError, match="no pdq value"):
        known.release_value("a", "pdq", by="ann", reason="again")
    with pytest.raises(ListError, match="who decided"):
        known.release_value("a", "pdq", by="", reason="x")


def test_a_row_set_aside_can_be_taken_in_without_what_is_damaged(known, put):
    """Its MD5 is sound and its PDQ is not; released, it is found by the MD5."""
    report = put(f"id,pdq,md5\na,{value(1, 32)},{value(1)}\nb,xyz,{value(2)}\nc,xyz,\n")
    assert sum(report.quarantined.values()) == 2
    first, second = known.refresh().quarantined()[0]
    assert (first.line, first.field, first.releasable) == (3, "pdq", True)
    assert (second.line, second.releasable) == (4, False)
    assert met(known, "md5", 2, 16)[0] == "no_match"

    known.release_rows([first.id], by="ann", reason="the MD5 is sound")

    assert met(known, "md5", 2, 16)[0] == "match"
    assert known.refresh().quarantined()[0][0].released == 2
    for wrong in (first.id, second.id, 99):
        with pytest.raises(ListError, match="cannot be released"):
            known.release_rows([wrong], by="ann", reason="x")


# --- full lists and old pages


def test_a_full_list_withdraws_what_it_no_longer_names(known, put):
    """Of its own source only; what it names stays, and comes back if it is named again."""
    rows = [f"e{n},{value(n)}\n" for n in range(10)]
    put("id,md5\n" + "".join(rows))
    put(f"id,md5\nother,{value(50)}\n", source="other")

    report = put("id,md5\n" + "".join(rows[:9]), full=True)

    assert (report.absent, report.unchanged) == (1, 9)
    assert met(known, "md5", 9, 16)[0] == "no_match"
    assert met(known, "md5", 50, 16)[0] == met(known, "md5", 0, 16)[0] == "match"
    put("id,md5\n" + "".join(rows), full=True)
    assert met(known, "md5", 9, 16)[0] == "match"


def test_a_full_list_that_shrinks_sharply_is_refused_until_accepted(known, put):
    """More than a fifth fewer: nothing changes without --accept-shrink."""
    rows = [f"e{n},{value(n)}\n" for n in range(10)]
    put("id,md5\n" + "".join(rows))

    with pytest.raises(ListError, match=r"7 of the source's 10.*--accept-shrink"):
        put("id,md5\n" + "".join(rows[:7]), full=True)
    assert known.refresh().generation == 1
    assert put("id,md5\n" + "".join(rows[:7]), full=True, accept_shrink=True).absent == 3
    assert put("id,md5\n" + "".join(rows[:6]), full=True).absent == 1


def test_an_old_page_cannot_bring_a_withdrawn_entry_back(known, put):
    """By the source's own time: older changes nothing, the same does not revive, newer does."""
    line = "id,md5,status,updated\na,{},{},{}\n"
    put(line.format(value(1), "", "2030-01-01T00:00:00Z"))
    put(line.format("", "withdrawn", "2030-01-02T00:00:00Z"))

    assert put(line.format(value(1), "", "2030-01-01T12:00:00Z")).outdated == 1
    assert put(line.format(value(1), "", "2030-01-02T01:00:00+01:00")).outdated == 1
    assert met(known, "md5", 1, 16)[0] == "unscreened"
    assert put(line.format(value(1), "", "2030-01-03T00:00:00Z")).changed == 1
    assert met(known, "md5", 1, 16)[0] == "match"


# --- history


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


def test_a_rolled_back_list_is_as_old_as_what_it_goes_back_to(known, put):
    """Else a policy's largest age would take it for fresh."""
    put(f"id,md5\na,{value(1)}\n")
    with sqlite3.connect(known.path / "records.sqlite") as connection:
        connection.execute("UPDATE generations SET confirmed = confirmed - 1000")
    put(f"id,md5\nb,{value(2)}\n")

    known.rollback(1)

    assert known.refresh().age_s() > 900
    with pytest.raises(Exception, match="old and the policy allows"):
        Screener(known.refresh(), policy=Policy(max_list_age=500))


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
    assert (known.log()[1].source, known.log()[3].note) == ("demo", "demo/a: disputed: why")


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
    assert matches.of_entry(known.path, "demo", "e1") == {}
    with pytest.raises(ListError, match="nothing of the source"):
        known.purge("demo")


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
        with pytest.raises(ListError, match=r"generation 2 .* is no longer kept"):
            use()
    assert HashList.open(known.path, generation=3).kinds == {"md5": 1}
    assert known.rollback(2) == 4
    assert met(known, "md5", 2, 16)[0] == "match"


def test_a_purge_that_a_reader_delays_is_completed_by_the_next_writer(known, put, monkeypatch):
    """The log cannot be emptied under an open read; the sentence says so, and it is done later."""
    monkeypatch.setattr("screener.lists.erasing.WAIT_SECONDS", 0.2)
    put(f"id,md5\na,{value(1)}\n")
    put(f"id,md5\nb,{value(2)}\n", source="other")
    reading = sqlite3.connect(known.path / "records.sqlite")
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM records").fetchone()

    with pytest.raises(ListError, match="a reader keeps"):
        known.purge("demo")
    reading.close()
    put(f"id,md5\nc,{value(3)}\n", source="other")

    assert traces(known.path, value(1)) == []
    assert dict(known.refresh().kinds) == {"md5": 2}


# --- counts


def test_matches_are_counted_only_when_asked_and_shown_with_the_entry(known, put):
    """One for each input and kind; no file appears before, and screening opens none."""
    put(f"id,pdq\na,{value(1, 32)}\n")
    engine = Screener(known.refresh())
    results = [engine.match([Hash.parse("pdq", value(1, 32))] * 2) for _ in range(3)]
    assert not (known.path / matches.COUNTS).exists()

    assert known.count_matches(results) == []

    (shown,) = known.refresh().show("a")
    assert list(shown.matched) == ["pdq"]
    assert sum(shown.matched["pdq"].values()) == 3
    assert stat.S_IMODE(os.stat(known.path / matches.COUNTS).st_mode) == 0o600
    assert known.refresh().generation == 1


def test_an_entry_that_suddenly_matches_far_more_than_its_kind_is_flagged(known, put):
    """Fifty times and twenty times the usual: not with less, and not if it always did."""
    put(f"id,pdq\nflood,{value(1, 32)}\n")
    others = [("demo", f"e{n}", "pdq") for n in range(9)] * 2
    flood = [("demo", "flood", "pdq")]
    count = matches.count

    assert count(known.path, others + flood * 49, day="2030-01-01") == []
    (found,) = count(known.path, flood, day="2030-01-01")
    assert (found.entry, found.count, found.usual) == ("flood", 50, 2)
    assert known.refresh().show("flood")[0].flood
    # A kind of its own is judged by itself, and what is usual for the entry is no surprise.
    assert count(known.path, [("demo", "x", "md5")] * 40, day="2030-01-02") == []
    assert count(known.path, others + flood * 60, day="2030-01-02") == []


# --- the edge filter


def test_the_edge_filter_never_misses_and_errs_at_its_rate(known, put, tmp_path):
    """Every digest of the list is found; of others about one in a hundred, as was asked."""
    rows = "".join(f"e{n},{value(n, 32)}\n" for n in range(5000))
    put(f"id,sha256\n{rows}", terms=Terms("CLEAR", True))
    path = tmp_path / "edge.bloom"
    known.refresh().export(path, format="bloom", kind="sha256", error_rate=0.01)

    held = EdgeFilter.open(path)

    assert all(held.may_contain(value(n, 32)) for n in range(5000))
    assert held.may_contain(bytes.fromhex(value(1, 32)))
    wrong = sum(held.may_contain(value(-n, 32)) for n in range(1, 20001))
    assert 100 < wrong < 300
    assert (held.kind.name, held.generation, held.error_rate) == ("sha256", 1, 0.01)
    # Those that the filter itself took for present at once are not counted by it.
    assert 4900 < held.count <= 5000


def test_the_edge_filter_holds_only_what_makes_a_match(known, put, tmp_path):
    """Withdrawn, seed and known good digests are not in it; nor are other kinds."""
    put(
        "id,md5,status\n" + "".join(f"{s},{value(s)},{s}\n" for s in State) + f"b,{value(9)},\n",
        terms=Terms("CLEAR", True),
    )
    path = tmp_path / "edge.bloom"
    known.refresh().export(path, format="bloom", kind="md5", error_rate=1e-6)
    held = EdgeFilter.open(path)

    found = {s.value for s in State if held.may_contain(value(s))}

    assert found == {"confirmed", "disputed"}
    for wrong in (value(1, 32), "zz", b"12"):
        with pytest.raises(HashError):
            held.may_contain(wrong)


def test_pybloom_live_itself_reads_what_follows_the_first_line(known, put, tmp_path):
    """The rest of the file is its own format, and no pickle."""
    from pybloom_live import BloomFilter

    put(f"id,md5\na,{value(1)}\n", terms=Terms("CLEAR", True))
    path = tmp_path / "edge.bloom"
    known.refresh().export(path, format="bloom", kind="md5")

    with path.open("rb") as stream:
        stream.readline()
        bloom = BloomFilter.fromfile(stream)

    assert value(1) in bloom


def test_a_damaged_filter_is_refused_before_it_costs_anything(known, put, tmp_path):
    """Cut short, too long, absurd numbers, another file, a pickle: ListError, and no hash in it."""
    import struct

    put(f"id,md5\na,{value(1)}\n", terms=Terms("CLEAR", True))
    path = tmp_path / "edge.bloom"
    known.refresh().export(path, format="bloom", kind="md5")
    whole = path.read_bytes()
    line, rest = whole.split(b"\n", 1)
    huge = struct.pack("<dQQQQ", 0.001, 2**60, 2**60, 1, 1)

    for broken in (
        b"", b"{}\n", whole[:-1], whole + b"x", line + b"\n" + huge + rest[40:],
        line.replace(b"md5", b"pdq") + b"\n" + rest, pickle.dumps(1), line,
        line.replace(b"md5", b"xxx") + b"\n" + rest, b"[]\n" + rest, b"[" * 100_000,
    ):  # fmt: skip
        path.write_bytes(broken)
        with pytest.raises(ListError, match="no filter"):
            EdgeFilter.open(path)


# --- older lists


def test_a_list_of_the_older_format_is_refused_with_a_sentence_and_upgraded(tmp_path):
    """Nothing is lost: records, states and quarantine are there after `upgrade`."""
    known = HashList.create(tmp_path / "old.list")
    file = tmp_path / "file.csv"
    file.write_text(f"id,md5,status\na,{value(1)},\nb,{value(2)},disputed\nc,zz,\n")
    known.import_file(file, source="demo")
    with sqlite3.connect(known.path / "records.sqlite") as connection:
        connection.executescript(
            "ALTER TABLE generations DROP COLUMN who; ALTER TABLE generations DROP COLUMN note;"
            "ALTER TABLE imports DROP COLUMN who; ALTER TABLE records DROP COLUMN said;"
            "DROP TABLE opinions; DROP TABLE judged; DROP TABLE terms;"
            "CREATE TABLE q(import INTEGER, line INTEGER, field TEXT, reason TEXT);"
            "INSERT INTO q SELECT import, line, field, reason FROM quarantine;"
            "DROP TABLE quarantine; ALTER TABLE q RENAME TO quarantine;"
            "UPDATE meta SET value = '1' WHERE name = 'format';"
        )
    connection.close()

    for use in (lambda: HashList.open(known.path), lambda: known.import_file(file, source="demo")):
        with pytest.raises(ListError, match=r"older version.*screener upgrade"):
            use()
    assert database.upgrade(known.path)
    assert not database.upgrade(known.path)

    one = HashList.open(known.path)
    assert met(one, "md5", 2, 16) == ("match", ["disputed"], [])
    assert one.show("b")[0].said == "disputed"
    assert [row.line for row in one.quarantined()[0]] == [4]
    one.give_opinion("a", state="disputed", by="ann", reason="x")


def test_show_tells_where_an_entry_came_from_and_no_value_unasked(known, put):
    """Its versions with their imports, terms and labels; values only if asked for."""
    put(f"id,md5,note\na,{value(1)},x\n", by="ann", terms=Terms("AMBER"))
    put(f"id,md5,note\na,{value(1)},y\n", by="bob")
    one = known.refresh()

    (shown,) = one.show("a")

    assert [(v.since, v.until, v.file, v.by) for v in shown.versions] == [
        (1, 2, "file.csv", "ann"),
        (2, None, "file.csv", "bob"),
    ]
    assert (shown.labels, shown.terms) == ({"note": "y"}, {"tlp": "AMBER"})
    assert value(1) not in str(shown.to_dict())
    assert one.show("a", values=True)[0].hashes[0].value == value(1)
    with pytest.raises(ListError, match="no entry"):
        one.show("b")
