"""rescan: what a HashCache holds, matched against lists at the speed of look-ups."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from screener.cache import HashCache, made_by, serves
from screener.hashing.hash import KINDS
from screener.result import Result
from screener.screen import Screener

# Inputs at a time: eight PDQs each make a batch that is large enough for the fastest search.
_CHUNK = 1 << 17
_DECIDED = 256


def rescan(
    engine: Screener, cache: HashCache, *, every: bool = False, threads: int = 1
) -> Iterator[Result]:
    """The Results of cached inputs that reach a record, in the order in which they were hashed.

    They are what a scan of the same files would give now. `every` gives those without a hit too,
    more slowly. Inputs that were hashed by other settings than the Screener's policy has, or
    without a kind that its lists hold, are left out: `outdated` counts them, and `unhashed` those
    of which nothing could be hashed. An input that is scanned meanwhile may have two Results. The
    cache is not held between two Results.
    """
    done = 0
    # What a scan replaces meanwhile gets a number behind all that were there: a second round.
    for _ in range(2):
        last = cache.last()
        for first in range(done + 1, last + 1, _CHUNK):
            end = min(first + _CHUNK, last + 1)
            if every:
                numbers = cache.numbers(first, end)
            else:
                numbers = _reached(engine, cache, first, end, threads)
            settings = _settings(engine, cache)
            for at in range(0, len(numbers), _DECIDED):
                items = list(cache.load(numbers[at : at + _DECIDED], settings))
                for result in engine.decide(items):
                    if every or result.matches or result.beside:
                        yield result
        done = last


def outdated(engine: Screener, cache: HashCache) -> int:
    """How many cached inputs a Screener cannot decide, so that they are to be scanned again."""
    settings = _settings(engine, cache)
    return sum(n for made, (n, _) in cache.counts().items() if made not in settings)


def unhashed(engine: Screener, cache: HashCache) -> int:
    """How many cached inputs, of those that a Screener can decide, there is no hash of: they could
    not be read, or took too long.
    """
    settings = _settings(engine, cache)
    return sum(n for made, (_, n) in cache.counts().items() if made in settings)


def _settings(engine: Screener, cache: HashCache) -> set[str]:
    wanted = made_by(engine.hasher)
    return {made for made in cache.makings() if serves(made, wanted)}


def _reached(engine: Screener, cache: HashCache, first: int, end: int, threads: int) -> list[int]:
    """The inputs with a hash near a listed one; only they can have a match."""
    found = [np.array(cache.many_parts(first, end), np.int64)]
    held = {kind for one in engine.lists for kind in one.kinds}
    for kind in KINDS.values():
        if kind.name in held and (kind.digest or kind.perceptual):
            numbers, codes = cache.codes(kind, first, end)
            if len(codes):
                found.append(numbers[engine.reached(kind, codes, threads=threads)])
    return [int(number) for number in np.unique(np.concatenate(found))]
