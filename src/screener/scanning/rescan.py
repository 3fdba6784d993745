"""rescan: what a HashCache holds, matched against lists at the speed of look-ups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from screener.arguments import check_threads
from screener.hashing.hash import KINDS
from screener.hashing.pdq import PDQ
from screener.scanning.cache.hash_cache import HashCache, check_open
from screener.scanning.cache.rows import EVERY, made_by, serves
from screener.screening.input.hash_item import HashedInput
from screener.screening.matching import video_search
from screener.screening.result import Result, Verdict
from screener.screening.screener import Screener, check_screener
from screener.system.installation import is_here

# Inputs at a time: eight PDQs each make a batch that is large enough for the fastest search.
_CHUNK = 1 << 17
_DECIDED = 256

# What decoding says, and what reading a member that is cut short never does.
_OF_MEMBERS = frozenset(("unsupported", "encrypted", "no_video"))
# What only decoding can say of a file. Whatever ended a worker may have ended the listing of an
# archive, and too large may be what a worker lacked memory for.
_OF_FILES = _OF_MEMBERS | {"undecodable", "truncated"}


def rescan(
    screener: Screener,
    cache: HashCache,
    *,
    every: bool = False,
    threads: int = 1,
    untold: Counter[str] | None = None,
) -> Iterator[Result]:
    """The Results of cached inputs that reach a record, in the order in which they were hashed.

    They are what a scan of the same files would give now. `every` gives those without a hit too,
    more slowly; without, `untold` counts those that are `unscreened`, by their reasons. Inputs that
    were hashed by other settings than the Screener's policy has, or without a kind that its lists
    hold, are left out: `screener.scanning.rescan.outdated` counts them. An input that is scanned
    meanwhile may have two Results. The cache is not held between two Results.
    """
    check_screener(screener, "rescan()")
    check_open(cache)
    if untold is not None and not isinstance(untold, Counter):
        raise TypeError(f"untold is a Counter that is added to, not {type(untold).__name__}")
    return _rescanned(screener, cache, every, check_threads(threads), untold)


def _rescanned(
    screener: Screener, cache: HashCache, every: bool, threads: int, untold: Counter[str] | None
) -> Iterator[Result]:
    done = 0
    # What a scan replaces meanwhile gets a number behind all that were there: a second round.
    for _ in range(2):
        last = cache.last()
        for first in range(done + 1, last + 1, _CHUNK):
            end = min(first + _CHUNK, last + 1)
            if every:
                numbers = cache.numbers(first, end)
            else:
                numbers = _to_decide(screener, cache, first, end, threads)
            settings = _settings(screener, cache)
            for at in range(0, len(numbers), _DECIDED):
                items = list(cache.load(numbers[at : at + _DECIDED], settings))
                for item, result in zip(items, _decided(screener, items), strict=True):
                    reached = bool(result.matches or result.other_hits)
                    if reached or (every and not _is_spoken_for(item)):
                        yield result
                    elif untold is not None and not _is_spoken_for(item):
                        _count(result, untold)
        done = last


def outdated(screener: Screener, cache: HashCache) -> int:
    """How many cached inputs are to be scanned again: they were hashed by other settings, so that a
    Screener cannot decide them, or without an extra that is here now.
    """
    check_screener(screener, "outdated()")
    check_open(cache)
    settings = _settings(screener, cache)
    return sum(
        number
        for (made, extra), number in cache.counts().items()
        if made not in settings or (extra is not None and is_here(extra))
    )


def _settings(screener: Screener, cache: HashCache) -> set[str]:
    wanted = made_by(screener.hasher)
    return {made for made in cache.makings() if serves(made, wanted)}


def _decided(screener: Screener, items: list[HashedInput]) -> Iterator[Result]:
    if not any(kind.perceptual for kind in screener.kinds):
        # A scan would decode nothing, and find nothing wrong there.
        items = [replace(one, trouble=None) if _is_whole(one) else one for one in items]
    return screener.decide(items)


def _is_whole(item: HashedInput) -> bool:
    """Whether the digests of an input are surely of all of it, though it could not be decoded: not
    those of a member that may be cut short, or of an archive of which not all could be listed.
    """
    trouble = item.trouble
    if item.archive or not item.hashes or trouble is None:
        return False
    return trouble.reason in (_OF_MEMBERS if item.name.archives else _OF_FILES)


def _is_spoken_for(item: HashedInput) -> bool:
    """Whether an archive has no line where it reaches no record, since its members have theirs."""
    return item.archive and item.trouble is None


def _count(result: Result, untold: Counter[str]) -> None:
    """Count an unscreened input, unless `outdated` does."""
    wanted = result.extra
    if result.verdict == Verdict.UNSCREENED and not (wanted is not None and is_here(wanted)):
        untold[str(result.reason)] += 1


def _to_decide(
    screener: Screener, cache: HashCache, first: int, end: int, threads: int
) -> list[int]:
    """The inputs with a hash near a listed one, as only they can have a match; and those that may
    be unscreened.
    """
    # With a list that has no kind to clear a picture by, each is looked at.
    floor = max(max(one.values(), default=EVERY) for one in screener.floors)
    found = [np.array(cache.unclear(first, end, floor), np.int64)]
    held = {kind for one in screener.lists for kind in one.kinds}
    for kind in KINDS.values():
        # Frames of listed videos are near PDQs, those of stills too.
        others = [KINDS[video_search.KIND]] if kind is PDQ and video_search.KIND in held else []
        asked = [kind] if kind.name in held and (kind.digest or kind.perceptual) else []
        if asked or others:
            numbers, codes = cache.codes(kind, first, end)
            if len(codes):
                for one in asked + others:
                    found.append(numbers[screener.has_hit(one, codes, threads=threads)])
    return [int(number) for number in np.unique(np.concatenate(found))]
