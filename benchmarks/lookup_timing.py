"""Timing for the benchmark of look-ups: contestants take turns, medians of rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Seconds = list[float]


@dataclass(frozen=True)
class Lone:
    """A contestant that is asked one query after another."""

    ask: Callable[[Any], Any]
    queries: Sequence[Any]


def seconds(run: Callable[[], Any]) -> float:
    """What one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


WARMING = 0.05  # of a contestant's time in each round


def take_turns(
    contestants: Mapping[str, Lone],
    limit: float,
    rounds: int,
    between: Callable[[int], None] = lambda _: None,
) -> dict[str, dict[str, float]]:
    """Percentiles of single queries in microseconds, and of how many distinct ones.

    In each round each contestant is asked its next queries, for at most its share of the limit,
    of which the first twentieth does not count; then `between` is called with the number of the
    round. A percentile is the median of those of the rounds; p99 wants 200 queries a round, p99.9
    wants 2,000.
    """
    taken: dict[str, list[Seconds]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, one in contestants.items():
            share = len(one.queries) // rounds
            mine = one.queries[number * share : (number + 1) * share]
            taken[name].append(_each(one.ask, mine, limit / rounds))
        between(number)
    return {name: _percentiles(spells) for name, spells in taken.items()}


def _each(ask: Callable[[Any], Any], queries: Sequence[Any], limit: float) -> Seconds:
    """Seconds of each query, but for the first: others had the caches before, and the memory."""
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


def _percentiles(spells: list[Seconds]) -> dict[str, float]:
    """By name, with the number of queries."""
    told: dict[str, float] = {"queries": sum(map(len, spells))}
    least = min(map(len, spells))
    for name, percent, wanted in (("p50", 50, 1), ("p99", 99, 200), ("p99.9", 99.9, 2000)):
        if least >= wanted:
            points = [np.percentile(spell, percent) for spell in spells]
            told[name] = round(float(np.median(points)) * 1e6, 2)
    return told


def batches_in_turn(
    contestants: Mapping[str, tuple[Callable[[Any], Any], Any]], rounds: int
) -> dict[str, float]:
    """Microseconds a query of each contestant's batch, the median of the rounds."""
    taken: dict[str, Seconds] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, (ask, batch) in contestants.items():
            taken[name].append(seconds(lambda ask=ask, batch=batch: ask(batch)) / len(batch))  # type: ignore[misc]
    return {name: round(statistics.median(spells) * 1e6, 4) for name, spells in taken.items()}
