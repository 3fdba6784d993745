"""The rescan of cached hashes against lists, at the speed of look-ups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from screener.arguments import check_threads
from screener.hashing.hash import KINDS
from screener.hashing.pdq import PDQ
from screener.scanning.cache.cache_rows import EVERY_FLOOR, covers, describe_settings
from screener.scanning.cache.hash_cache import HashCache
from screener.screening.input.hash_item import HashedInput
from screener.screening.matching import video_search
from screener.screening.result import Result, Verdict
from screener.screening.screener import Screener, check_screener
from screener.system.installation import is_here

# Inputs at a time: with eight PDQs each, a batch for the fastest search.
_CHUNK = 1 << 17
_DECIDED = 256

# Reasons that decoding gives, and that a truncated member never has.
_OF_MEMBERS = frozenset(("unsupported", "encrypted", "no_video"))
# Reasons that only decoding gives to a file. A crash or lack of memory may have ended the listing
# of an archive.
_OF_FILES = _OF_MEMBERS | {"undecodable", "truncated"}


def rescan(
    screener: Screener,
    cache: HashCache,
    *,
    every: bool = False,
    threads: int = 1,
    unscreened: Counter[str] | None = None,
) -> Iterator[Result]:
    """Yield the Results of cached inputs that reach a record, in the order of hashing.

    They equal those of a scan of the same files now. With `every`, inputs without a hit are yielded
    too, more slowly; otherwise `unscreened` counts the unscreened ones by reason.

    Inputs that were hashed by other settings than the policy's, or without a kind of the lists, are
    left out; `outdated` counts them. An input that is scanned meanwhile may have two Results. The
    cache is not locked between two Results.
    """
    check_screener(screener, "rescan()")
    return _rescanned(screener, cache, every, check_threads(threads), unscreened)


def _rescanned(
    screener: Screener, cache: HashCache, every: bool, threads: int, unscreened: Counter[str] | None
) -> Iterator[Result]:
    done = 0
    # Inputs that a scan replaces meanwhile get new numbers, for a second round.
    for _ in range(2):
        last = cache.last_number()
        for first in range(done + 1, last + 1, _CHUNK):
            end = min(first + _CHUNK, last + 1)
            if every:
                numbers = cache.list_numbers(first, end)
            else:
                numbers = _to_decide(screener, cache, first, end, threads)
            settings = _settings(screener, cache)
            for at in range(0, len(numbers), _DECIDED):
                items = list(cache.load_inputs(numbers[at : at + _DECIDED], settings))
                for item, result in zip(items, _decided(screener, items), strict=True):
                    reached = bool(result.matches or result.other_hits)
                    if reached or (every and not _is_spoken_for(item)):
                        yield result
                    elif unscreened is not None and not _is_spoken_for(item):
                        _count(result, unscreened)
        done = last


def outdated(screener: Screener, cache: HashCache) -> int:
    """Return how many cached inputs must be scanned again: hashed by other settings than the
    Screener's, or without an extra that is installed now.
    """
    check_screener(screener, "rescan()")
    settings = _settings(screener, cache)
    return sum(
        number
        for (made, extra), number in cache.count_by_settings().items()
        if made not in settings or (extra is not None and is_here(extra))
    )


def _settings(screener: Screener, cache: HashCache) -> set[str]:
    wanted = describe_settings(screener.hasher)
    return {made for made in cache.list_settings() if covers(made, wanted)}


def _decided(screener: Screener, items: list[HashedInput]) -> Iterator[Result]:
    if not any(kind.perceptual for kind in screener.kinds):
        # A scan would decode nothing, and find no trouble.
        items = [replace(one, trouble=None) if _is_whole(one) else one for one in items]
    return screener.decide(items)


def _is_whole(item: HashedInput) -> bool:
    """Return whether the digests surely cover all of an input that could not be decoded: not those
    of a member that may be cut short, or of an archive that was not listed to its end.
    """
    trouble = item.trouble
    if item.archive or not item.hashes or trouble is None:
        return False
    return trouble.reason in (_OF_MEMBERS if item.name.archives else _OF_FILES)


def _is_spoken_for(item: HashedInput) -> bool:
    """Return whether an archive without a hit has no line, since its members have theirs."""
    return item.archive and item.trouble is None


def _count(result: Result, unscreened: Counter[str]) -> None:
    """Count an unscreened input, unless `outdated` counts it."""
    wanted = result.extra
    if result.verdict == Verdict.UNSCREENED and not (wanted is not None and is_here(wanted)):
        unscreened[str(result.reason)] += 1


def _to_decide(
    screener: Screener, cache: HashCache, first: int, end: int, threads: int
) -> list[int]:
    """Return the inputs with a hash near a listed one, which alone can match, and those that may be
    unscreened.
    """
    # If a list has no kind that can clear a picture, each is looked at.
    floor = max(max(one.values(), default=EVERY_FLOOR) for one in screener.floors)
    found = [np.array(cache.find_unclear(first, end, floor), np.int64)]
    listed = {kind for one in screener.lists for kind in one.kinds}
    for kind in KINDS.values():
        # Frames of listed videos are near PDQs, those of stills too.
        others = [KINDS[video_search.KIND]] if kind is PDQ and video_search.KIND in listed else []
        searched = [kind] if kind.name in listed and (kind.digest or kind.perceptual) else []
        if searched or others:
            numbers, codes = cache.load_codes(kind, first, end)
            if len(codes):
                for one in searched + others:
                    found.append(numbers[screener.has_hit(one, codes, threads=threads)])
    return [int(number) for number in np.unique(np.concatenate(found))]
