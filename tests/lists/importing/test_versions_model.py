"""What the rows of a file make of an entry, by a model that holds every row and counts again.

The model knows neither batches nor a database nor an index: it takes the rows of an entry in turn.
"""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from list_values import putting, value

from screener.index import tiers
from screener.lists.hashlist import HashList
from screener.lists.importing import run
from screener.lists.importing import run as batches

SOON = (datetime.now(UTC) + timedelta(hours=2)).isoformat()  # after every import here
DATED = ["2020-01-01", "2020-01-02", "2020-01-03", SOON]
WEIGHT = ["seed", "confirmed", "withdrawn"]  # the state that counts of rows that stand together
BLANK = 3  # the value whose rows have a hash of a blank picture too
BINDING = ("tlp", "redistribution")


class Said(NamedTuple):
    """What one row says of an entry, or several together."""

    state: str
    time: str
    values: frozenset[int]
    labels: dict[str, tuple[str, ...]]  # those that bind the entry, line by line

    @property
    def dated(self):
        """Whether its time is one, and not empty or a word."""
        return self.time in DATED


def together(rows):
    """What rows say that stand beside each other. A withdrawal has its own time, or none."""
    withdrawn = [row for row in rows if row.state == "withdrawn"]
    timeless = [row for row in withdrawn if not row.dated]
    latest = max(timeless or withdrawn or rows, key=lambda row: (row.dated, row.time))
    return Said(
        max((row.state for row in rows), key=WEIGHT.index),
        latest.time,
        frozenset().union(*(row.values for row in rows)),
        {
            name: lines
            for name in BINDING
            if (lines := tuple(dict.fromkeys(x for row in rows for x in row.labels.get(name, ()))))
        },
    )


def is_older(row, held):
    """Whether a row is older than what the list held before the file: at one time, a withdrawal
    stands, and one without a time is of the time of its import.
    """
    if not row.dated:
        return False
    if held.state == "withdrawn" != row.state:
        return row.time <= held.time if held.dated else row.time != SOON
    return held.dated and row.time < held.time


def after(held, rows, *, opinions=False):
    """What a list says of an entry after a file with those rows on it; as `held` if all are older.

    Rows that are older than what is held say nothing. Of the others the rows of the latest time
    count, and those of no time, together: a row of a later time replaces those before it as in a
    file of its own, an earlier one is left. A label that binds stays until a row says another.
    Of opinions all rows count, unless all are older.
    """
    current = [row for row in rows if held is None or not is_older(row, held)]
    if not current:
        return held
    if opinions:
        return over(held, rows)
    standing, latest = [], ""
    for row in current:
        if row.dated and latest and row.time < latest:
            continue
        if row.dated and latest and row.time > latest:
            held = over(held, standing)
            standing = [one for one in standing if not one.dated]
        latest = row.time if row.dated else latest
        standing.append(row)
    return over(held, standing)


def over(held, rows):
    """Rows together, in the place of what is held."""
    said = together(rows)
    return said._replace(labels={**(held.labels if held else {}), **said.labels})


def csv_of(rows):
    """A CSV of entries and what rows say of them."""
    text = "id,md5,pdq,status,updated,tlp,redistribution\n"
    for entry, said in rows:
        (number,) = said.values
        pdq = "0" * 64 if number == BLANK else value(number, 32)
        status = "" if said.state == "confirmed" else said.state
        binding = ",".join("".join(said.labels.get(name, "")) for name in BINDING)
        text += f"{entry},{value(number)},{pdq},{status},{said.time},{binding}\n"
    return text


NUMBERS = {bytes.fromhex(value(number)): number for number in (1, 2, BLANK)}


def told(known):
    """What a list says of each entry."""
    found = {}
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection:
        for entry, state, time, labels, md5 in connection.execute(
            "SELECT entry, said, coalesce(updated, ''), labels, value FROM records"
            " JOIN hashes ON record = records.id WHERE until IS NULL AND kind = 'md5'"
        ):
            labels = {name: tuple(text.split("\n")) for name, text in json.loads(labels).items()}
            have = found.get(entry, Said(state, time, frozenset(), labels))
            found[entry] = Said(state, time, have.values | {NUMBERS[md5]}, labels)
    return found


RED, GREEN, NO = {"tlp": ("RED",)}, {"tlp": ("GREEN",)}, {"redistribution": ("no",)}
SAID = st.builds(
    Said,
    st.sampled_from(WEIGHT),
    st.sampled_from(["", "", *DATED, "last week"]),
    st.sampled_from([1, 2, BLANK]).map(lambda number: frozenset([number])),
    st.sampled_from([{}, {}, RED, GREEN, NO, {**GREEN, **NO}]),
)
FILE = st.lists(st.tuples(st.sampled_from("abcdefgh"), SAID), min_size=8, max_size=24)


def a(number, day=0, labels=None, state="confirmed"):
    """A row on the entry `a`, of one of the days or of none."""
    time = "" if day is None else DATED[day]
    return "a", Said(state, time, frozenset([number]), labels or {})


GONE = "withdrawn"


@settings(max_examples=25)
@given(st.lists(FILE, min_size=2, max_size=3), st.sampled_from([1, 3, 5000]), st.booleans())
# What the list left to the file, the file then says itself.
@example([[a(1, 0, RED)], [a(2, 1), a(2, 1, RED), a(2, 1, GREEN)]], 1, False)
# And what it did not say itself does not come back with a row that has no time.
@example([[a(1, 0, RED)], [a(2, None), a(BLANK, 1), a(1, 2, GREEN)]], 1, False)
# The first row is not what is held, and both together are.
@example([[a(1), a(2)], [a(1), a(2)]], 1, False)
# At one time a listing does not take a withdrawal back, and is not united with another.
@example([[a(1, state=GONE)], [a(2), a(BLANK, state=GONE)]], 5000, False)
# Of rows that are united all at once, those without a time stand beside a later one, and earlier
# ones are left.
@example([[a(1, None), a(2, 1), a(BLANK, None, RED), a(2, 0), a(1, 2)]], 5000, False)
@example([[a(1, 1)], [a(1, None), a(2, 1), a(BLANK, 0), a(1, 1, state=GONE)]], 5000, False)
def test_an_import_makes_of_each_entry_what_all_of_its_rows_say(
    tmp_path_factory, files, size, opinions
):
    """In whatever order they come and however they fall into batches; and it counts them so."""
    place = tmp_path_factory.mktemp("said")
    known = HashList.create(place / "known.list")
    put = putting(known, place)
    held = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "_BATCH_ENTRIES", size)
        patch.setattr(run, "OPINION_FORMATS", {"csv"} if opinions else set())
        patch.setattr(tiers, "SMALLEST", 1)  # several index files, with removed rows
        patch.setattr(tiers, "FACTOR", 1)
        for rows in files:
            before = dict(held)
            counts = Counter()
            for entry in {entry for entry, _ in rows}:
                said = [said for of, said in rows if of == entry]
                held[entry] = after(before.get(entry), said, opinions=opinions)
                counts["repeated"] += len(said) - 1
                if entry not in before:
                    counts["added"] += 1
                elif all(is_older(one, before[entry]) for one in said):
                    counts["outdated"] += 1
                    continue
                else:
                    counts["unchanged" if held[entry] == before[entry] else "changed"] += 1
                counts["low_information"] += BLANK in held[entry].values

            report = put(csv_of(rows))

            assert told(known) == held
            _check_index(known, held)
            assert (known.generation == known.refresh().generation) == (held == before)
            known = known.refresh()
            assert {name: getattr(report, name) for name in counts} == counts


def _check_index(known, held):
    """The newest generation counts and finds what stands, and nothing that is withdrawn."""
    one = known.refresh()
    live = {entry: said.values for entry, said in held.items() if said.state != GONE}
    listed = set().union(*live.values())
    kinds = {"md5": len(listed), "pdq": len(listed - {BLANK})}
    assert one.kinds == {kind: count for kind, count in kinds.items() if count}
    assert one.states == Counter(said.state for said in held.values())
    codes = np.frombuffer(b"".join(NUMBERS), np.uint8).reshape(-1, 16)
    offsets, rows = one.lookup("md5", codes)
    holders = one.holders("md5", rows)
    for at, number in enumerate(NUMBERS.values()):
        found = [record.entry for some in holders[offsets[at] : offsets[at + 1]] for record in some]
        assert sorted(found) == sorted(entry for entry in live if number in live[entry])


# --- what the model promises; these open no list


@given(
    st.lists(SAID, min_size=1, max_size=7).flatmap(
        lambda rows: st.tuples(st.just(rows), st.permutations(rows))
    )
)
def test_no_order_of_the_rows_of_a_file_loses_what_has_no_time(orders):
    """What is new to a list is withdrawn, or listed with all hashes of the latest time and of none,
    in whichever order a file names them.
    """
    one, other = (after(None, rows) for rows in orders)

    assert (one.state, one.time, one.values) == (other.state, other.time, other.values)


@given(
    st.lists(SAID.filter(lambda said: said.dated), unique_by=lambda said: said.time, min_size=1),
    st.integers(0, 4),
)
def test_rows_of_one_file_count_as_pages_in_their_order_would(rows, first):
    """An entry revised within a file, or withdrawn and listed again, is what its latest row says:
    rows of different times in a file, some in one before it, and each in a page of its own.
    """
    pages = reduce(after, ([row] for row in rows), None)
    files = reduce(after, filter(None, (rows[:first], rows[first:])), None)

    assert files == pages
