"""A list of which every row changed in every delivery, for long: what a question of it costs."""

import json
import random
import sqlite3
from contextlib import closing, suppress
from functools import partial

import pytest
from list_values import putting, value

from screener import HashList, Screener
from screener.errors import ListError
from screener.hashing.hash import Hash
from screener.lists.store import match_counts, repeated_values

ROWS = 60
FEW, MANY = 3, 12  # deliveries


def rows(day, some=range(ROWS)):
    """Rows that say the day of their delivery, and no hash that they did not say before."""
    lines = "".join(f"e{n},{value(n)},{value(n, 32)},{day}\n" for n in some)
    return f"id,md5,pdq,day\n{lines}"


# What is asked of the list's folder, of its newest generation, or of it by a further file.
QUESTIONS = {
    "open": lambda one, put, out: HashList.open(one.path),
    "refresh": lambda one, put, out: one.refresh(),
    "info": lambda one, put, out: one.info(),
    "export": lambda one, put, out: one.export(out, format="csv", audience="own"),
    "quarantined": lambda one, put, out: one.quarantined(),
    "show": lambda one, put, out: one.show("quiet", alone=True),
    "a screener": lambda one, put, out: Screener(one),
    "a full list of the same": lambda one, put, out: put(rows(one.generation), full=True),
    "an opinion": lambda one, put, out: one.give_opinion(
        "e1", state="disputed", by="ann", reason="x"
    ),
    "one row anew": lambda one, put, out: put(rows("x", range(1))),
}


@pytest.fixture
def steps(monkeypatch):
    """How many tens of steps SQLite takes while something is called."""
    done = 0
    connect = sqlite3.connect

    def count():
        nonlocal done
        done += 1

    def watched(*args, **settings):
        connection = connect(*args, **settings)
        connection.set_progress_handler(count, 10)
        return connection

    def of(call):
        nonlocal done
        done = 0
        call()
        return done

    monkeypatch.setattr(sqlite3, "connect", watched)
    return of


def test_no_question_goes_through_what_was_said_long_ago(known, put, tmp_path, steps, monkeypatch):
    """Nor does an import: of a list that lives for years, each delivery of which makes all of its
    rows anew. It takes what it took when the list was young.
    """
    put(f"id,md5\nquiet,{value('quiet')}\n", source="another that said one thing once")
    costs = []
    for deliveries in (FEW, MANY):
        for _ in range(deliveries):
            put(rows(known.refresh().generation + 1), full=True)
        one = known.refresh()
        out = tmp_path / "out.csv"
        costs.append({name: steps(partial(ask, one, put, out)) for name, ask in QUESTIONS.items()})
        put(rows("x"), full=True)  # of those that half of them withdrew, too

    young, old = costs
    assert {
        name: (young[name], old[name]) for name in QUESTIONS if old[name] > 1.25 * young[name] + 20
    } == {}


def test_a_small_file_takes_no_longer_in_a_large_list(put, steps):
    """Nothing is counted for it that is in proportion to the list."""
    costs = []
    for size in (50, 1000):
        put(rows("x", range(size)))
        costs.append(steps(lambda: put(rows("y", range(2)))))

    assert costs[1] < 1.25 * costs[0] + 20


def test_what_few_imports_say_is_not_looked_for_in_what_all_say(known, put, monkeypatch):
    """Whoever puts a list to use asks whether one told of other pixels, and each import whether one
    was signed: of ten thousand, which read the same for years, the JSON of none is read for it.
    """
    put(f"id,pdq,pixels\na,{value(1, 32)},7\n")
    for day in range(3):
        put(rows(day, range(2)))
    read, loads = [], json.loads
    monkeypatch.setattr(json, "loads", lambda text: read.append(text) or loads(text))

    assert Screener(known.refresh()).lists[0].pixels() == {7}
    put(rows("x", range(2)))

    counts = [loads(text) for text in read if '"quarantined"' in str(text)]
    assert all("pixels" in one for one in counts)


def test_an_entry_is_found_without_going_through_the_list(known, put, steps):
    """Nor through what others matched: to be shown, as a hotline does for each case that rests on
    another's list, and to have an opinion given of it; whether its source is named or not,
    also by who has an older generation.
    """
    costs = []
    for size in (50, 400):
        for source in ("demo", "another"):
            put(rows("x", range(size)), source=source)
        match_counts.count(known.path, [("demo", f"e{n}", "md5") for n in range(size)])
        older = known.refresh()
        put(rows("y", range(2)))
        for one in (older, known.refresh()):
            costs += [
                steps(partial(one.show, "e7", source="demo", alone=True)),
                steps(partial(one.show, "e7", alone=True)),
            ]
        give = partial(known.give_opinion, source="demo", state="disputed", by="ann", reason="x")
        costs.append(steps(partial(give, "e7")))

    small, large = costs[:5], costs[5:]
    assert all(new <= 1.25 * old + 20 for old, new in zip(small, large, strict=True)), costs
    assert [shown.source for shown in older.show("e1")] == ["another", "demo"]
    assert (older.show("e1")[1].labels["day"], known.refresh().show("e1")[1].labels["day"]) == (
        "x", "y"
    )  # fmt: skip


def test_an_entry_alone_costs_nothing_for_the_others_that_hold_its_hash(known, put, steps):
    """However many, as where a hotline asks for each of them."""
    costs = []
    for size in (50, 400):
        put("id,md5\n" + "".join(f"e{n},{value(1)}\n" for n in range(size)))
        costs.append(steps(partial(known.refresh().show, "e7", alone=True)))

    small, large = costs
    assert large <= 1.25 * small + 20


def test_opinions_of_other_entries_cost_a_look_up_nothing(known, put, steps):
    """Nor who shows an entry or gives another opinion of it, however many there are."""
    put(rows(1))
    looked_up = [Hash.parse("md5", value(1))]
    costs = []
    for others in (range(2, 4), range(4, ROWS)):
        for other in others:
            known.give_opinion(f"e{other}", state="disputed", by="ann", reason="x")
        one = known.refresh()
        for call in (
            partial(Screener(one).match, looked_up),
            partial(one.show, "e1", alone=True),
            partial(one.give_opinion, "e1", state="disputed", by="ann", reason="x"),
        ):
            costs.append(steps(call))

    assert Screener(known.refresh()).match(looked_up).matches[0].opinions[0].by == "ann"
    few, many = costs[:3], costs[3:]
    assert all(new <= 1.25 * old + 20 for old, new in zip(few, many, strict=True)), costs


def test_a_list_of_which_nothing_can_match_is_not_searched_for_what_does(known, put, steps):
    """A list of known files, however large and old, is asked for no record that would match."""
    put(f"id,md5,status\na,{value(1)},known_good\n")
    one, another = known.refresh(), known.refresh()  # each opens a connection of its own

    assert steps(lambda: Screener(one)) == steps(lambda: another.pixels())
    assert not one.can_match("md5")


ENTRIES = [f"e{n}" for n in range(12)]
SAID = ["", "", "", "", "disputed", "seed", "known_good", "withdrawn"]


def drawn(rng, count, times, day):
    """Rows of few entries and values, drawn at random: many on one entry, many with one value."""
    text = "id,md5,pdq,status,category,category_scheme,updated,day\n"
    for _ in range(count):
        said, number = rng.choice(SAID), rng.randrange(12)
        pdq = value(rng.choice([number, number, "logo", "another logo"]), 32)
        hashes = "," if said == "withdrawn" else f"{value(number)},{pdq}"
        said = f"{said},{rng.choice('AABC')},uk,{rng.choice(times)}"
        text += f"{rng.choice(ENTRIES)},{hashes},{said},{day}\n"
    return text


def held(one):
    """What a list says now, but for what it knows to be withdrawn, and what of it is compared."""
    with closing(sqlite3.connect(one.path / "records.sqlite")) as connection:
        records = connection.execute(
            "SELECT source, entry, state, said, categories, labels, updated, kind, hex(value),"
            " why_not FROM records r LEFT JOIN hashes h ON h.record = r.id"
            " WHERE until IS NULL AND said <> 'withdrawn' ORDER BY 1, 2, 8, 9"
        ).fetchall()
    return records, dict(one.refresh().kinds), one.refresh().verify(seed=1).damage


@pytest.mark.parametrize("seed", [1, 2])
def test_after_a_full_list_nothing_of_the_past_is_seen(known, put, tmp_path, monkeypatch, seed):
    """Imports, rollbacks and merged files before it: a list that has whole and newest files of all
    of its sources holds what one holds that never had others, and compares the same of it.
    """
    monkeypatch.setattr(repeated_values, "MIN_FILES", 3)
    rng, days = random.Random(seed), ["", "", "2021-01-01", "2022-01-01", "2023-01-01", "?"]
    for day in range(16):
        with suppress(ListError):  # none of its rows can be read; there is nothing to go back from
            if rng.random() < 0.8:
                text = drawn(rng, rng.randint(1, 20), days, day)
                put(text, source=rng.choice("ab"), full=rng.random() < 0.4, accept_shrink=True)
            else:
                known.rollback(rng.randrange(known.refresh().generation + 1))
    fresh = HashList.create(tmp_path / "fresh.list")
    for source in "ab":
        text = drawn(rng, 20, ["2024-01-01"], "last")
        put(text, source=source, full=True, accept_shrink=True)
        putting(fresh, tmp_path)(text, source=source, full=True)

    assert held(known) == held(fresh)
