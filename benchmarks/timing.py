"""The timing of contestants, which take turns so that a slow spell hits all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Call = Callable[[], Any]
WARMING = 0.05  # of a contestant's time in each round


@dataclass(frozen=True)
class Taken:
    """Median seconds of a call: by the clock, and of all processors in this process."""

    wall: float
    processor: float


@dataclass(frozen=True)
class Single:
    """A contestant that answers one query after another."""

    ask: Callable[[Any], Any]
    queries: Sequence[Any]


def seconds(call: Call) -> float:
    """Return the seconds that a call takes by the clock."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def medians(calls: Mapping[str, Call], rounds: int, *, warm: bool = False) -> dict[str, Taken]:
    """Return the median time of each call.

    If `warm`, each call is made twice in a row and the second one counts: the contestant before
    it has emptied the caches.
    """
    spells: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            if warm:
                call()
            wall, busy = time.perf_counter(), time.process_time()
            call()
            busy = time.process_time() - busy
            spells[name].append((time.perf_counter() - wall, busy))
    return {
        name: Taken(*(statistics.median(each) for each in zip(*some, strict=True)))
        for name, some in spells.items()
    }


def microseconds_a_query(
    batches: Mapping[str, tuple[Callable[[Any], Any], Any]], rounds: int
) -> dict[str, float]:
    """Return the median microseconds a query of each contestant's batch."""
    calls = {name: lambda ask=ask, some=some: ask(some) for name, (ask, some) in batches.items()}
    taken = medians(calls, rounds)
    return {
        name: round(taken[name].wall / len(some) * 1e6, 4) for name, (_, some) in batches.items()
    }


def percentiles(
    contestants: Mapping[str, Single],
    limit: float,
    rounds: int,
    between: Callable[[int], None] = lambda _: None,
) -> dict[str, dict[str, float]]:
    """Return percentiles of single queries in microseconds, and the number of queries.

    In each round each contestant answers its next queries for at most its share of `limit`
    seconds, of which the first twentieth does not count; then `between` is called with the number
    of the round. A percentile is the median of those of the rounds: p99 needs 200 queries a round,
    p99.9 needs 2,000.
    """
    spells: dict[str, list[list[float]]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, one in contestants.items():
            share = len(one.queries) // rounds
            mine = one.queries[number * share : (number + 1) * share]
            spells[name].append(_each(one.ask, mine, limit / rounds))
        between(number)
    return {name: _percentiles(some) for name, some in spells.items()}


def _each(ask: Callable[[Any], Any], queries: Sequence[Any], limit: float) -> list[float]:
    """Return the seconds of each query after the first ones, which find cold caches."""
    clock, taken = time.perf_counter, []
    end, warm = clock() + limit, clock() + WARMING * limit
    first = 0
    while clock() < warm and first + 1 < len(queries) // 4:
        ask(queries[first])
        first += 1
    for query in queries[first:]:
        start = clock()
        ask(query)
        now = clock()
        taken.append(now - start)
        if now > end:
            break
    return taken


def _percentiles(spells: list[list[float]]) -> dict[str, float]:
    found: dict[str, float] = {"queries": sum(map(len, spells))}
    least = min(map(len, spells))
    for name, percent, wanted in (("p50", 50, 1), ("p99", 99, 200), ("p99.9", 99.9, 2000)):
        if least >= wanted:
            points = [np.percentile(spell, percent) for spell in spells]
            found[name] = round(float(np.median(points)) * 1e6, 2)
    return found
