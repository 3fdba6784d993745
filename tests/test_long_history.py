"""A list of which every row changed in every delivery, for long: what a question of it costs."""

import sqlite3
from functools import partial

import pytest
from kept import value

from screener import HashList, Screener
from screener.lists import past

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
    "show": lambda one, put, out: one.show("quiet", past=False),
    "a screener": lambda one, put, out: Screener(one),
    "a full list of the same": lambda one, put, out: put(rows(one.generation), full=True),
    "an opinion": lambda one, put, out: one.give_opinion(
        "e1", state="disputed", by="ann", reason="x"
    ),
    "all rows anew": lambda one, put, out: put(rows("x"), full=True),
    "half of them": lambda one, put, out: put(
        rows("x", range(0, ROWS, 2)), full=True, accept_shrink=True
    ),
    "all of another source": lambda one, put, out: put(rows("x"), source="another"),
    "rollback": lambda one, put, out: one.rollback(one.generation),
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
    monkeypatch.setattr(past, "_LISTED", 0)  # small as it is, it is treated as a large one
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
