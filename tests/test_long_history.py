"""A list of which every row changed in every delivery, for long: what a question of it costs."""

import sqlite3
from functools import partial

import pytest
from kept import value

from screener import HashList, Screener

ROWS = 60
FEW, MANY = 3, 12  # deliveries


def rows(day, some=range(ROWS)):
    """Rows that say the day of their delivery, and no hash that they did not say before."""
    lines = "".join(f"e{n},{value(n)},{value(n, 32)},{day}\n" for n in some)
    return f"id,md5,pdq,day\n{lines}"


# What is asked of the list's folder, of its newest generation, or of it by an opinion.
QUESTIONS = {
    "open": lambda one, put, out: HashList.open(one.path),
    "refresh": lambda one, put, out: one.refresh(),
    "info": lambda one, put, out: one.info(),
    "export": lambda one, put, out: one.export(out, format="csv", audience="own"),
    "quarantined": lambda one, put, out: one.quarantined(),
    "a screener": lambda one, put, out: Screener(one),
    "an opinion": lambda one, put, out: one.give_opinion(
        "e1", state="disputed", by="ann", reason="x"
    ),
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


def test_no_question_goes_through_what_was_said_long_ago(known, put, tmp_path, steps):
    """Of a list that lives for years, each delivery of which makes all of its rows anew: it takes
    what it took when the list was young.
    """
    costs = []
    for deliveries in (FEW, MANY):
        for _ in range(deliveries):
            put(rows(known.refresh().generation + 1), full=True)
        one = known.refresh()
        out = tmp_path / "out.csv"
        costs.append({name: steps(partial(ask, one, put, out)) for name, ask in QUESTIONS.items()})

    assert {
        name: (young, old)
        for name, young, old in ((name, costs[0][name], costs[1][name]) for name in QUESTIONS)
        if old > 1.25 * young + 20
    } == {}
