"""Maintain a list: opinions, allow lists, full lists and old pages, counts of matches."""

import os
import sqlite3
import stat
import statistics
import subprocess
import sys
from contextlib import closing

import pytest
from list_values import met, value
from paths import REPOSITORY

from screener import Policy, Screener
from screener.errors import ListError
from screener.hashing.hash import Hash
from screener.lists.importing import writer
from screener.lists.states import State, resolve_state
from screener.lists.store import match_counts
from screener.lists.terms import Terms

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
    """The state in effect, for each pair that differs."""
    assert resolve_state(State(said), map(State, own)) == counts


def test_an_opinion_shows_on_the_match_beside_what_the_source_says(known, put):
    """The match is `disputed`, with the source's state, who disputes it and why."""
    put(f"id,pdq\na,{value(1, 32)}\n")
    number = known.give_opinion("a", state="disputed", by="ann", reason="a stock photo")

    result = Screener(known.refresh()).match([Hash.parse("pdq", value(1, 32))])

    (match,) = result.matches
    assert (result.verdict, match.state, match.source_state) == ("match", "disputed", "confirmed")
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

    import jsonschema

    schema = json.loads((REPOSITORY / "docs/result.schema.json").read_text())
    put(f"id,pdq\na,{value(1, 32)}\nb,{value(1, 32)}\n")
    known.give_opinion("a", state="known_good", by="ann", reason="ours")
    result = Screener(known.refresh()).match([Hash.parse("pdq", value(1, 32))])

    jsonschema.validate(json.loads(json.dumps(result.to_dict())), schema)
    assert [("opinions" in m) for m in result.to_dict()["matches"]] == [True, False]


def test_opinions_stay_when_their_entry_is_imported_anew(known, put):
    """A changed record is still disputed; once revoked, the source's state is in effect again."""
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


def test_a_generation_has_the_opinion_that_stood_in_it(known, put):
    """A person has one opinion in it: neither an earlier nor a later one."""
    put(f"id,md5\na,{value(1)}\n")
    held = []
    for reason in ("first", "second", "third"):
        known.give_opinion("a", state="disputed", by="ann", reason=reason)
        held.append(known.refresh())

    told = [[one.reason for one in each.show("a")[0].opinions] for each in held]
    assert told == [["first"], ["second"], ["third"]]


def test_a_seed_matches_once_we_confirm_it(known, put):
    """A generation from before our opinion still has it as a seed."""
    put(f"id,md5,status\na,{value(1)},seed\nb,{value(2)},\n")
    before = known.refresh()
    known.give_opinion("a", state="confirmed", by="ann", reason="assessed")

    assert met(known, "md5", 1, 16) == ("match", ["confirmed"], [])
    old = Screener(before, policy=Policy(digests_only=True))
    assert [m.state for m in old.match([Hash.parse("md5", value(1))]).other_hits] == ["seed"]


def test_conflicting_sources_on_equal_hashes_are_all_shown(known, put):
    """One confirms, one disputes, one states it is good: two matches and one beside."""
    for source, state in (("a", "confirmed"), ("b", "disputed"), ("c", "known_good")):
        put(f"id,md5,status\nx,{value(1)},{state}\n", source=source)

    assert met(known, "md5", 1, 16) == ("match", ["confirmed", "disputed"], ["known_good"])
    shown = known.refresh().show("x", source="a")
    assert shown[0].hashes[0].also_by == (("b", "x", "disputed"), ("c", "x", "known_good"))


def test_an_opinion_needs_an_entry_a_name_and_a_reason(known, put):
    """Each message says what is missing; nothing is written."""
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


@pytest.mark.parametrize("said", ["ann\n9  2030-01-01  purge", " ", 5])
def test_who_asks_and_why_are_lines_of_text(known, put, said):
    """In every change: otherwise a line of the log could be forged. Nothing is written."""
    put(f"id,md5\na,{value(1)}\n", source="s")
    row = f"id,md5\nb,{value(2)}\n"
    held = known.refresh()

    for asked in (
        lambda: put(row, source=said),
        lambda: put(row, by=said),
        lambda: put(row, scheme=said),
        lambda: held.purge("s", by=said),
        lambda: held.purge("s", reason=said),
        lambda: held.rollback(0, by=said),
        lambda: held.rollback(0, reason=said),
        lambda: held.set_terms("s", Terms(), by=said),
        lambda: held.give_opinion("a", state="disputed", by=said, reason="x"),
        lambda: held.release_value("a", "md5", by="ann", reason=said),
        lambda: held.release_rows([1], by=said, reason="x"),
    ):
        with pytest.raises(ListError, match=r"one line of printable text|one line each"):
            asked()
    for terms in ("RED", {"tlp": "RED"}):
        with pytest.raises(ListError, match="terms must be a Terms"):
            put(row, terms=terms)
        with pytest.raises(ListError, match="terms must be a Terms"):
            held.set_terms("s", terms)
    assert held.refresh() is held


# --- allow lists


def test_known_good_has_a_radius_of_its_own(known, put):
    """A hit within it is reported beside; one beyond is not, even if a match would reach so far."""
    put(f"id,pdq,status\ngood,{value(1, 32)},known_good\nbad,{value(1, 32)},\n")
    near = bytearray(bytes.fromhex(value(1, 32)))
    near[0] ^= 0xFF
    query = [Hash.parse("pdq", near.hex())]
    known = known.refresh()

    narrow = Screener(known, policy=Policy(known_good_radius={"pdq": 7})).match(query)
    wide = Screener(known, policy=Policy(radius={"pdq": 7}, known_good_radius={"pdq": 8}))
    even = Screener(known).match(query)

    assert ([m.entry for m in narrow.matches], narrow.other_hits) == (["bad"], ())
    found = wide.match(query)
    assert (found.matches, [(m.entry, m.radius) for m in found.other_hits]) == ((), [("good", 8)])
    assert ([m.entry for m in even.matches], [m.entry for m in even.other_hits]) == (
        ["bad"],
        ["good"],
    )


# --- full lists and old pages


def test_a_full_list_withdraws_what_it_no_longer_names(known, put):
    """Only those of its own source; the others stay, and return if they are named again."""
    rows = [f"e{n},{value(n)}\n" for n in range(10)]
    put("id,md5\n" + "".join(rows))
    put(f"id,md5\nother,{value(50)}\n", source="other")

    report = put("id,md5\n" + "".join(rows[:9]), full=True)

    assert (report.absent, report.unchanged) == (1, 9)
    assert met(known, "md5", 9, 16)[0] == "no_match"
    assert met(known, "md5", 50, 16)[0] == met(known, "md5", 0, 16)[0] == "match"
    put("id,md5\n" + "".join(rows), full=True)
    assert met(known, "md5", 9, 16)[0] == "match"


@pytest.mark.parametrize("name", ["strict", "full", "accept_shrink"])
def test_the_word_no_is_not_taken_for_a_yes(known, put, name):
    """Text from a program's settings would otherwise withdraw entries that the file lacks."""
    with pytest.raises(ListError, match=f"{name} must be true or false"):
        put(f"id,md5\na,{value(1)}\n", **{name: "no"})
    assert known.refresh() is known


@pytest.mark.parametrize("name", ["values", "alone"])
def test_the_word_no_shows_no_value_of_an_entry(known, put, name):
    """It would show hash values unasked."""
    put(f"id,md5\na,{value(1)}\n")
    with pytest.raises(ListError, match=f"{name} must be true or false"):
        known.refresh().show("a", **{name: "no"})


def test_a_full_list_that_shrinks_sharply_is_refused_until_accepted(known, put):
    """More than a fifth fewer: nothing changes without --accept-shrink."""
    rows = [f"e{n},{value(n)}\n" for n in range(10)]
    put("id,md5\n" + "".join(rows))

    with pytest.raises(ListError, match=r"3 of the source's 10.*--accept-shrink"):
        put("id,md5\n" + "".join(rows[:7]), full=True)
    assert known.refresh().generation == 1
    assert put("id,md5\n" + "".join(rows[:7]), full=True, accept_shrink=True).absent == 3
    assert put("id,md5\n" + "".join(rows[:6]), full=True).absent == 1


@pytest.mark.parametrize("gone", [20, 21])
def test_what_is_added_does_not_make_up_for_what_goes(known, put, gone):
    """A fifth of a hundred entries may go, and no more, however many others come."""
    put("id,md5\n" + "".join(f"e{n},{value(n)}\n" for n in range(100)))
    other = "id,md5\n" + "".join(f"e{n},{value(n)}\n" for n in range(gone, 200))

    if gone == 20:
        assert put(other, full=True).absent == 20
        return
    with pytest.raises(ListError, match=r"21 of the source's 100.*--accept-shrink"):
        put(other, full=True)
    assert met(known, "md5", 0, 16)[0] == "match"


def test_entries_that_a_full_list_withdraws_by_name_count_as_well(put):
    """Explicit withdrawals and missing entries make one number."""
    put("id,md5\n" + "".join(f"e{n},{value(n)}\n" for n in range(10)))
    rows = "".join(f"e{n},{value(n)},\n" for n in range(7))

    with pytest.raises(ListError, match=r"3 of the source's 10"):
        put(f"id,md5,status\n{rows}e7,,withdrawn\n", full=True)


def test_entries_that_match_no_more_are_counted(known, put):
    """Withdrawn, missing, or of a state that does not match; not those that never matched, nor
    those that match by our own opinion. The log has the number too.
    """
    columns = "id,md5,status\n"
    states = ["", "disputed", "", "seed", "known_good", "", "", ""]
    put(columns + "".join(f"e{n},{value(n)},{state}\n" for n, state in enumerate(states)))
    known.give_opinion("e5", state="confirmed", by="ann", reason="seen")
    later = ["seed", "known_good", "withdrawn", "withdrawn", "seed", "seed", "disputed"]

    report = put(
        columns + "".join(f"e{n},{value(n)},{state}\n" for n, state in enumerate(later)),
        full=True,
        accept_shrink=True,
    )

    assert (report.changed, report.absent, report.stopped) == (7, 1, 4)
    assert known.log()[-1].counts["stopped"] == 4
    assert [n for n in range(8) if met(known, "md5", n, 16)[0] == "match"] == [5, 6]


def test_a_full_list_that_makes_leads_of_many_entries_is_asked_about(put):
    """Turning matches into seeds counts like withdrawing them."""
    rows = [f"e{n},{value(n)}" for n in range(10)]
    put("id,md5,status\n" + "".join(f"{row},\n" for row in rows))
    some, all_ = ("id,md5,status\n" + "".join(
        f"{row},{'seed' if n < number else ''}\n" for n, row in enumerate(rows)
    ) for number in (2, 10))  # fmt: skip

    with pytest.raises(ListError, match=r"10 of the source's 10 .*--accept-shrink"):
        put(all_, full=True)
    assert put(some, full=True).stopped == 2
    assert put(all_, full=True, accept_shrink=True).stopped == 8


def test_a_row_that_cannot_be_read_withdraws_nothing(known, put):
    """One unreadable row refuses a full list that would withdraw an entry; the message has both
    numbers. If accepted, the entry is withdrawn; without withdrawals the list is imported.
    """
    rows = [f"e{n},{value(n)}\n" for n in range(20)]
    put("id,md5\n" + "".join(rows))
    damaged = "id,md5\n" + "".join(rows[:-1]) + "e19,zz\n"

    with pytest.raises(ListError, match=r" 1 of 20 rows.* 1 of the source's 20.*--accept-shrink"):
        put(damaged, full=True)
    assert known.refresh().generation == 1
    assert met(known, "md5", 19, 16)[0] == "match"
    assert put("id,md5\n" + "".join(rows) + "e20,zz\n", full=True).absent == 0
    assert put(damaged, full=True, accept_shrink=True).absent == 1
    assert met(known, "md5", 19, 16)[0] == "no_match"


def test_an_old_page_cannot_bring_a_withdrawn_entry_back(known, put):
    """By the source's own time: older changes nothing, equal does not revive, newer does."""
    line = "id,md5,status,updated\na,{},{},{}\n"
    put(line.format(value(1), "", "2020-01-01T00:00:00Z"))
    put(line.format("", "withdrawn", "2020-01-02T00:00:00Z"))

    assert put(line.format(value(1), "", "2020-01-01T12:00:00Z")).outdated == 1
    assert put(line.format(value(1), "", "2020-01-02T01:00:00+01:00")).outdated == 1
    assert met(known, "md5", 1, 16)[0] == "unscreened"
    assert put(line.format(value(1), "", "2020-01-03T00:00:00Z")).changed == 1
    assert met(known, "md5", 1, 16)[0] == "match"


# --- counts


def test_matches_are_counted_only_when_asked_and_shown_with_the_entry(known, put):
    """One count for each input and kind; before, no file appears, and screening opens none."""
    put(f"id,pdq\na,{value(1, 32)}\n")
    engine = Screener(known.refresh())
    results = [engine.match([Hash.parse("pdq", value(1, 32))] * 2) for _ in range(3)]
    assert not (known.path / match_counts.FILE_NAME).exists()

    assert known.count_matches(results) == []

    (shown,) = known.refresh().show("a")
    assert list(shown.matched) == ["pdq"]
    assert sum(shown.matched["pdq"].values()) == 3
    assert stat.S_IMODE(os.stat(known.path / match_counts.FILE_NAME).st_mode) == 0o600
    assert known.refresh().generation == 1


def test_a_first_counting_that_a_full_disk_ended_holds_nothing_up(known, put):
    """It leaves a file without a table; showing, purging and importing go on, and count."""
    put(f"id,md5\na,{value(1)}\n")
    put(f"id,md5\nb,{value(2)}\n", source="another")
    (known.path / match_counts.FILE_NAME).touch()

    (shown,) = known.refresh().show("a")
    known.purge("demo", by="ann")
    put(f"id,md5\nc,{value(3)}\n", source="another")

    assert not shown.matched
    assert not shown.flood
    assert dict(known.refresh().states) == {"confirmed": 2}
    result = Screener(known.refresh()).match([Hash.parse("md5", value(3))])
    assert known.count_matches([result]) == []
    assert known.refresh().show("c")[0].matched


def test_what_one_thread_counts_is_locked_though_another_counts_too(known, put):
    """SQLite's locks belong to the process, and end with any descriptor of the file: another
    program could write meanwhile and damage the counts.
    """
    put(f"id,md5\na,{value(1)}\n")
    match_counts.count(known.path, [("demo", "a", "md5")])
    other = "import sqlite3, sys; sqlite3.connect(sys.argv[1], 0).execute('BEGIN IMMEDIATE')"
    with match_counts._open(known.path, "rwc") as one:
        one.execute("BEGIN IMMEDIATE")
        with match_counts._open(known.path, "rwc"):
            pass
        call = [sys.executable, "-c", other, known.path / match_counts.FILE_NAME]
        ended = subprocess.run(call, capture_output=True, text=True, check=False)
    assert "database is locked" in ended.stderr


@pytest.mark.parametrize("counted", ["no database", "CREATE TABLE matches(day TEXT)"])
def test_counts_that_cannot_be_read_are_an_error(known, put, counted):
    """Otherwise counting would stop silently."""
    put(f"id,md5\na,{value(1)}\n")
    if counted.startswith("CREATE"):
        with closing(sqlite3.connect(known.path / match_counts.FILE_NAME)) as connection:
            connection.execute(counted)
    else:
        (known.path / match_counts.FILE_NAME).write_text(counted * 100)

    for asked in (
        lambda: match_counts.count(known.path, [("demo", "a", "md5")]),
        lambda: match_counts.read_counts(known.path, "demo", "a"),
        lambda: match_counts.forget(known.path, "demo"),
    ):
        with pytest.raises(ListError, match="cannot count matches in"):
            asked()


def test_an_entry_that_suddenly_matches_far_more_than_its_kind_is_flagged(known, put):
    """Fifty times and twenty times the usual: not with less, and not if it always did."""
    entries = ["flood", "x", *(f"e{n}" for n in range(9))]
    put("id,pdq\n" + "".join(f"{one},{value(one, 32)}\n" for one in entries))
    others = [("demo", f"e{n}", "pdq") for n in range(9)] * 2
    flood = [("demo", "flood", "pdq")]
    count = match_counts.count

    assert count(known.path, others + flood * 49, day="2030-01-01") == []
    (found,) = count(known.path, flood, day="2030-01-01")
    assert (found.entry, found.count, found.usual) == ("flood", 50, 2)
    assert known.refresh().show("flood")[0].flood
    # A kind of its own is judged by itself, and what is usual for the entry is no surprise.
    assert count(known.path, [("demo", "x", "md5")] * 40, day="2030-01-02") == []
    assert count(known.path, others + flood * 60, day="2030-01-02") == []


@pytest.mark.parametrize(
    ("others", "before", "least"),
    [
        ((), (), 50),
        ((2, 2), (), 50),
        ((3, 3), (), 60),
        ((1, 3, 40), (), 60),
        ((1, 3, 5, 40), (), 80),
        ((), (3,), 60),
        ((), (2, 8), 100),
        ((4,), (3,), 80),
        ((3,), (4,), 80),
    ],
)
def test_what_is_far_more_is_told_to_one_match(known, put, others, before, least):
    """Twenty times the median of the others and its own average; neither its own count, nor those
    of another kind, an earlier or a later day are part of it.
    """
    entries = ["flood", "b", *(f"e{n}" for n in range(len(others)))]
    put("id,pdq\n" + "".join(f"{one},{value(one, 32)}\n" for one in entries))
    flood = ("demo", "flood", "pdq")
    for day, number in enumerate(before, start=1):
        match_counts.count(known.path, [flood] * number, day=f"2030-01-0{day}")
    match_counts.count(known.path, [("demo", "b", "pdq")] * 7, day="2030-01-08")
    match_counts.count(known.path, [flood] * 45, day="2030-01-10")
    hits = [("demo", f"e{n}", "pdq") for n, number in enumerate(others) for _ in range(number)]
    another_kind = [("demo", "b", "md5")] * 40

    day = "2030-01-09"
    before = [*hits, *another_kind, *[flood] * (least - 1)]
    assert match_counts.count(known.path, before, day=day) == []
    (found,) = match_counts.count(known.path, [flood], day=day)
    assert (found.entry, found.kind, found.day, found.count) == ("flood", "pdq", day, least)


def test_what_is_usual_is_told_from_few_of_the_counts():
    """The median of all but one comes from shared statistics, so that a hundred thousand flooding
    entries do not each read all others.
    """

    class Asked(list):
        times = 0

        def __getitem__(self, place):
            self.times += 1
            return super().__getitem__(place)

    for numbers in ([7], [3, 7], [1, 1, 7], [1, 3, 3, 9], [2, 3, 5, 7], list(range(1, 999, 2))):
        for place, one in enumerate(numbers):
            others, asked = numbers[:place] + numbers[place + 1 :], Asked(numbers)
            usual = statistics.median(others) if others else 0.0
            assert match_counts._median_of_others(asked, one) == usual
            assert asked.times <= 12


def test_what_matched_most_is_flagged_first(known, put):
    """By the last day. An entry with the same id of another source is another entry."""
    for source in ("one", "two"):
        put(f"id,pdq\na,{value(1, 32)}\n", source=source)
    one, two, other = ("one", "a", "pdq"), ("two", "a", "md5"), ("two", "a", "pdq")
    assert match_counts.count(known.path, [other] * 40, day="2030-01-01") == []

    found = match_counts.count(known.path, [one] * 60 + [two] * 70 + [other] * 3, day="2030-01-02")

    told = [(flood.source, flood.kind, flood.count, flood.usual) for flood in found]
    assert told == [("two", "md5", 70, 0.0), ("one", "pdq", 60, 3.0)]
    assert match_counts.find_floods(known.path) == found


def test_trap_a_full_list_that_names_little_holds_little_at_once(known, put, monkeypatch):
    """However many entries it withdraws, and wherever they are."""
    held = []
    flush = writer.Writer.flush

    def watched(self):
        held.append(len(self._record_rows))
        flush(self)

    put("id,md5\n" + "".join(f"e{n},{value(n)}\n" for n in range(300)))
    put(f"id,md5\nx,{value(-1)}\n", source="another")
    put(f"id,md5,note\ne7,{value(7)},new\nlast,{value(-2)},\n")
    monkeypatch.setattr(writer, "_MAX_QUEUED", 20)
    monkeypatch.setattr(writer.Writer, "flush", watched)

    report = put(f"id,md5\ne150,{value(150)}\n", full=True, accept_shrink=True)

    assert (report.absent, report.unchanged) == (300, 1)
    assert max(held) <= 20
    assert dict(known.refresh().states) == {"withdrawn": 300, "confirmed": 2}
    assert not known.refresh().verify().damage


def _report(put, rows, **said):
    return put("id,md5,status,category,category_scheme\n" + rows, **said).conflicting


def test_entries_that_say_otherwise_of_one_hash_are_counted(put):
    """They differ in state or in category of one scheme. Equal ones, other schemes, missing
    categories and withdrawn ones do not count, whatever their number.
    """
    for listed, own in enumerate(("once", "again")):
        one, two, three, four, five = (value(10 * listed + n) for n in range(5))
        rows = [
            f"a{own},{one},,A,uk", f"b{own},{two},,A,uk", f"c{own},{three},,,",
            f"d{own},{four},withdrawn,,", f"e{own},{five},,B,uk",
        ]  # fmt: skip
        assert _report(put, "\n".join(rows), source="first") == 0

        rows = [
            f"1{own},{one},,C,uk", f"2{own},{two},,A2,ours", f"3{own},{three},known_good,,",
            f"4{own},{four},seed,,", f"5{own},{five},,B,uk", f"6{own},{one},,,",
        ]  # fmt: skip
        assert _report(put, "\n".join(rows), source="second") == 2
        # An entry that comes to say the same no longer does; one that is as it was is not counted.
        assert (
            _report(put, f"1{own},{one},,A,uk\n3{own},{three},known_good,,", source="second") == 0
        )
        assert _report(put, f"x{own},{five},,B,uk\ny{own},{five},,C,uk\n", source="third") == 2
