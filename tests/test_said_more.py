"""What the rows of a file make of an entry, by a model that holds every row and counts again.

The model knows neither batches nor a database: it takes the rows of one entry, in their order.
"""

import sqlite3
from collections import Counter
from contextlib import closing
from typing import NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from kept import putting, value

from screener.lists import importing
from screener.lists.hashlist import HashList

TIMES = ["2020-01-01", "2020-01-02", "2020-01-03"]
WEIGHT = ["seed", "confirmed", "withdrawn"]  # the state that counts of rows that stand together


class Said(NamedTuple):
    """What one row says of an entry, or several together; no time is an empty one."""

    state: str
    time: str
    values: frozenset[int]
    levels: tuple[str, ...]


def together(rows):
    """What rows say that stand beside each other. A withdrawal is of its own time, and of the
    import's where it has none.
    """
    withdrawn = [row.time for row in rows if row.state == "withdrawn"]
    return Said(
        max((row.state for row in rows), key=WEIGHT.index),
        "" if "" in withdrawn else max(withdrawn or [row.time for row in rows]),
        frozenset().union(*(row.values for row in rows)),
        tuple(dict.fromkeys(level for row in rows for level in row.levels)),
    )


def is_older(row, held):
    """Whether a row is older than what the list held before the file. All times here are before
    any import; at one time, a withdrawal stands.
    """
    if row.time and held.state == "withdrawn" != row.state:
        return not held.time or row.time <= held.time
    return bool(row.time) and row.time < held.time


def after(held, rows, *, opinions):
    """What a list says of an entry after a file with those rows on it; as `held` if all are older.

    Rows on the entry count from the first that is not older. Of opinions, all do then; else those
    of the latest time, and those of none.
    """
    older = [held is not None and is_older(row, held) for row in rows]
    if all(older):
        return held
    if opinions:
        standing, levels = rows, held and held.levels
    else:
        standing, levels = [], held and held.levels
        first = older.index(False)
        for place, row in enumerate(rows):
            if place < first:
                continue
            now = together(standing) if standing else None
            if now is None or row.time == now.time or not (row.time and now.time):
                standing = [*standing, row]
            elif row.time > now.time:
                levels = now.levels or levels
                untimed = [one for one in rows[:place] if not one.time and one.state != "withdrawn"]
                standing = [row] if row.state == "withdrawn" else [*untimed, row]
    said = together(standing)
    return said._replace(levels=said.levels or levels or ())


def csv_of(rows):
    """A CSV of entries and what rows say of them."""
    text = "id,md5,status,updated,tlp\n"
    for entry, said in rows:
        (number,) = said.values
        status = "" if said.state == "confirmed" else said.state
        text += f"{entry},{value(number)},{status},{said.time},{''.join(said.levels)}\n"
    return text


def told(known):
    """What a list says of each entry."""
    numbers = {bytes.fromhex(value(number)): number for number in (1, 2, 3)}
    found = {}
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection:
        for entry, state, time, labels, value_ in connection.execute(
            "SELECT entry, said, coalesce(updated, ''), labels->>'tlp', value FROM records"
            " JOIN hashes ON record = records.id WHERE until IS NULL"
        ):
            levels = tuple(labels.split("\n")) if labels else ()
            have = found.get(entry, Said(state, time, frozenset(), levels))
            found[entry] = Said(state, time, have.values | {numbers[value_]}, levels)
    return found


SAID = st.builds(
    Said,
    st.sampled_from(WEIGHT),
    st.sampled_from(["", *TIMES]),
    st.sampled_from([1, 2, 3]).map(lambda number: frozenset([number])),
    st.sampled_from([(), (), ("RED",), ("GREEN",)]),
)
FILE = st.lists(st.tuples(st.sampled_from("abcdefgh"), SAID), min_size=8, max_size=24)


@settings(max_examples=700, phases=[Phase.generate])
@given(st.lists(FILE, min_size=2, max_size=3), st.sampled_from([1, 3, 5000]), st.booleans())
def test_an_import_makes_of_each_entry_what_all_of_its_rows_say(
    tmp_path_factory, files, size, opinions
):
    """In whatever order they come and however they fall into batches; and it counts them so."""
    place = tmp_path_factory.mktemp("said")
    known = HashList.create(place / "known.list")
    put = putting(known, place)
    held = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "_BATCH", size)
        patch.setattr(importing, "OPINIONS", {"csv"} if opinions else set())
        for rows in files:
            before = dict(held)
            counts = Counter(repeated=len(rows))
            for entry in dict.fromkeys(entry for entry, _ in rows):
                said = [said for of, said in rows if of == entry]
                held[entry] = after(before.get(entry), said, opinions=opinions)
                counts["repeated"] -= 1
                if entry not in before:
                    counts["added"] += 1
                elif all(is_older(one, before[entry]) for one in said):
                    counts["outdated"] += 1
                else:
                    counts["unchanged" if held[entry] == before[entry] else "changed"] += 1

            report = put(csv_of(rows))

            assert told(known) == held
            assert {name: getattr(report, name) for name in counts} == counts
