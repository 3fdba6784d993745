"""Which of the things that a source said of an entry stands: within a file, and between files.

What test_said.py has no model of: damaged values, opinions of VICS, withdrawals that reach nothing.
"""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from exchange_samples import MD5, VICS13, imported
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from list_values import met, putting, value

from screener.lists.formats.ncmec_xml import NAMESPACE
from screener.lists.hashlist import HashList
from screener.lists.importing import run

TIMES = [f"2020-01-0{day}" for day in range(1, 6)]


def told(known):
    """All that a list says now, but for when it came to say so."""
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        return sorted(
            (entry, said, categories, labels, updated or "", sorted(
                connection.execute("SELECT kind, hex(value), why_not FROM hashes WHERE record = ?",
                                   (number,)).fetchall()))
            for number, entry, said, categories, labels, updated in connection.execute(
                "SELECT id, entry, said, categories, labels, updated FROM records"
                " WHERE until IS NULL").fetchall()
        )  # fmt: skip


def lines(rows):
    """A CSV of rows of entry, number of its MD5, state and time; number 3 has a blank PDQ too."""
    text = "id,md5,pdq,status,updated\n"
    for entry, number, state, time in rows:
        blank = "0" * 64 if number == 3 else ""
        text += f"{entry},{'' if number is None else value(number)},{blank},{state},{time}\n"
    return text


MEMBERS = st.lists(
    st.tuples(
        st.just("a"),
        st.sampled_from([1, 2, "damaged"]),
        st.just(1),
        st.sampled_from(["", *TIMES[:2]]),
        st.sampled_from(["image", "image", "image", "deletedImage"]),
    ),
    min_size=2,
    max_size=5,
)


def members(rows):
    """NCMEC's XML of rows of entry, MD5, SHA-1, time and what it is."""
    text = ""
    for entry, md5, sha1, time, what in rows:
        hashes = ""
        for name, said, size in (("md5", md5, 16), ("sha1", sha1, 20)):
            if said is not None:
                cell = "zz" if said == "damaged" else value(said, size)
                hashes += f"<{name}>{cell}</{name}>"
        when = f"<timestamp>{time}</timestamp>" if time else ""
        prints = f"<fingerprints>{hashes}</fingerprints>" if what == "image" else ""
        text += f'<{what}><member id="1"/>{when}<id>{entry}</id>{prints}</{what}>'
    return f'<queryResult xmlns="{NAMESPACE}"><images>{text}</images></queryResult>'


SAID = [("a", md5, 1, time, "image") for md5 in (1, 2, "damaged") for time in TIMES[:2]]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MEMBERS, min_size=2, max_size=2))
@example([SAID[:1], [SAID[3], SAID[5]]])
@example([SAID[:1], [SAID[5], SAID[3]]])
@example([SAID[:1], [SAID[2], SAID[3], SAID[5]]])
@example([[("a", 1, 1, "", "image"), SAID[3], ("a", 1, 1, TIMES[0], "deletedImage")]])
def test_trap_what_a_damaged_value_leaves_does_not_depend_on_the_batch(tmp_path_factory, files):
    """Rows of an entry with values that cannot be read, before and after those that have them: the
    same list, however they fall into batches.
    """
    place = tmp_path_factory.mktemp("damage")
    seen = []
    for size in (5000, 1, 2):
        one = HashList.create(place / f"{size}.list")
        put = putting(one, place)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run, "_BATCH_ENTRIES", size)
            good = ("c", 1, 1, "", "image")
            reports = [put(members([good, *rows]), format="ncmec") for rows in files]
        with closing(sqlite3.connect(one.path / "records.sqlite")) as connection, connection:
            passed = connection.execute(
                "SELECT DISTINCT entry, said FROM records WHERE until = since"
            ).fetchall()
        # What the file took back itself is in no generation, and is kept where it withdraws.
        assert {said for _, said in passed} <= {"withdrawn"}
        seen.append((reports, told(one), passed))

    assert seen[1] == seen[0]
    assert seen[2] == seen[0]


@pytest.mark.parametrize("size", [1, 5000])
@pytest.mark.parametrize("order", [1, -1])
def test_trap_a_damaged_value_beside_a_sound_one_leaves_what_was_held(
    known, put, monkeypatch, order, size
):
    """Both are of one time: the sound one is listed, and the damaged one may be the held one."""
    monkeypatch.setattr(run, "_BATCH_ENTRIES", size)
    put(members([("a", 1, 1, TIMES[0], "image")]), format="ncmec")

    rows = [("a", 2, 1, TIMES[1], "image"), ("a", "damaged", 1, TIMES[1], "image")]
    put(members(rows[::order]), format="ncmec")

    assert [met(known, "md5", n, 16)[0] for n in (1, 2)] == ["match", "match"]


@pytest.mark.parametrize("size", [1, 5000])
def test_opinions_of_a_vics_file_stand_beside_each_other_whatever_their_dates(
    tmp_path, monkeypatch, size
):
    """A later opinion that it is not illegal does not take away an earlier one that it is."""
    monkeypatch.setattr(run, "_BATCH_ENTRIES", size)
    item = {"MD5": MD5, "DateUpdated": "2020-01-01T00:00:00Z", "Category": 1}
    later = item | {"DateUpdated": "2021-01-01T00:00:00Z", "Category": 5}
    data = json.dumps(VICS13 | {"value": [item, later]})
    known, report = imported(tmp_path, data, scheme="vics-us-legacy")

    assert (report.added, report.repeated, dict(known.states)) == (1, 1, {"confirmed": 1})


def test_an_opinion_left_for_its_age_does_not_leave_the_later_one_alone(tmp_path):
    """A release that repeats an old opinion, and adds one that the picture is innocent, does not
    take the match away.
    """
    item = {"MD5": MD5, "Category": 1}
    first = [item | {"DateUpdated": "2020-01-01"}]
    known, _ = imported(
        tmp_path, json.dumps(VICS13 | {"value": first}), source="v", scheme="vics-us-legacy"
    )
    later = item | {"DateUpdated": "2021-01-01", "Category": 5}
    both = [item | {"DateUpdated": "2019-01-01"}, later]
    (tmp_path / "a.file").write_text(json.dumps(VICS13 | {"value": both}))

    known.import_file(tmp_path / "a.file", source="v", scheme="vics-us-legacy")

    assert dict(known.refresh().states) == {"confirmed": 1}


def test_trap_an_older_opinion_that_a_picture_is_illegal_counts_beside_a_newer_lead(tmp_path):
    """In either order, where the list holds a lead, and where it holds a withdrawal."""
    old, new = {"MD5": MD5, "Category": 1}, {"MD5": MD5, "Category": 0}
    for items in permutations(
        [old | {"DateUpdated": "2019-01-01"}, new | {"DateUpdated": "2021-01-01"}]
    ):
        known = HashList.create(tmp_path / f"{items[0]['Category']}.list")
        for some in ([new | {"DateUpdated": "2020-01-01"}], items):
            (tmp_path / "a.file").write_text(json.dumps(VICS13 | {"value": list(some)}))
            known.import_file(tmp_path / "a.file", source="v", scheme="vics-us-legacy")
        assert dict(known.refresh().states) == {"confirmed": 1}


# --- withdrawals without a time


@pytest.mark.parametrize("how", ["its word", "its silence"])
def test_trap_an_old_page_cannot_bring_back_what_was_withdrawn_without_a_time(known, put, how):
    """Neither a withdrawal without a time, nor one by the silence of a full list, is undone by a
    page whose rows are of a time before it was imported; the page is counted as older.
    """
    put(lines([("a", 1, "", TIMES[0]), *((f"e{n}", 10 + n, "", "") for n in range(9))]))
    if how == "its word":
        put(lines([("a", None, "withdrawn", "")]))
    else:
        put(lines([(f"e{n}", 10 + n, "", "") for n in range(9)]), full=True)

    report = put(lines([("a", 1, "", TIMES[3])]))

    assert (report.outdated, report.changed) == (1, 0)
    assert met(known, "md5", 1, 16)[0] == "no_match"


@pytest.mark.parametrize(
    "rows",
    [
        [("", ""), ("withdrawn", "")],
        [("withdrawn", ""), ("", TIMES[2])],
        [("", TIMES[2]), ("withdrawn", ""), ("", TIMES[4])],
    ],
)
def test_within_a_file_a_withdrawal_without_a_time_stands(known, put, rows):
    """Whatever else the file says of the entry: no row of it is known to be later."""
    put(lines([("a", 1, *row) for row in rows]))

    assert dict(known.refresh().states) == {"withdrawn": 1}


def test_what_is_listed_again_after_a_withdrawal_without_a_time_matches(known, put):
    """By a time after its import, by a later file without times, by a list that is whole now."""
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    for time, settings_ in ((soon, {}), ("", {}), (TIMES[0], {"full": True})):
        put(lines([("a", 1, "", "")]))
        put(lines([("a", None, "withdrawn", "")]))
        assert met(known, "md5", 1, 16)[0] == "unscreened"

        put(lines([("a", 1, "", time)]), **settings_)

        assert met(known, "md5", 1, 16)[0] == "match"


# --- withdrawals without an id


@pytest.mark.parametrize("size", [1, 2, 5000])
def test_trap_a_withdrawal_without_an_id_that_reaches_nothing_is_told(
    known, put, monkeypatch, size
):
    """One of other hashes than the entry's, of an entry with an id, of another source, one of what
    the same file lists, and one of an id that the source never gave; not one that reaches its
    entry, nor one told before. However the rows fall into batches, and in the log as well.
    """
    monkeypatch.setattr(run, "_BATCH_ENTRIES", size)
    put(f"id,md5,sha1\n,{value(1)},{value(1, 20)}\nnamed,{value(2)},\n,{value(3)},\n")
    put(f"md5\n{value(4)}\n", source="another")
    gone = [value(n) for n in (1, 2, 3, 4, 5, 5)]
    text = "id,md5,status\n" + "".join(f",{one},withdrawn\n" for one in gone)
    text += f",{value(5)},active\nunknown,,withdrawn\n"

    report = put(text)

    assert (report.missed, report.withdrawn) == (5, 7)
    assert known.log()[-1].counts["missed"] == 5
    assert [met(known, "md5", n, 16)[0] for n in range(1, 6)] == [
        "match", "match", "no_match", "match", "no_match"
    ]  # fmt: skip
    assert put(text).missed == 0
