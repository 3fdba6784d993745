"""The rescan of cached hashes against lists, which opens no file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from screener.arguments import check_threads
from screener.hashing.hash import KINDS
from screener.hashing.pdq import PDQ
from screener.scanning.cache.cache_rows import (
    EVERY_FLOOR,
    covers,
    describe_settings,
    drop_insets,
)
from screener.scanning.cache.hash_cache import HashCache
from screener.screening.input.hash_item import HashedInput
from screener.screening.matching import video_search
from screener.screening.policy import Effort
from screener.screening.result import Result, Verdict
from screener.screening.screener import Screener, check_screener
from screener.system.installation import is_available

# Inputs that are searched at a time. With eight PDQs each, they are a batch for the fastest search.
_SEARCH_BATCH = 1 << 17
_DECISION_BATCH = 256

# Reasons of decoding that a truncated member never has.
_MEMBER_DECODING_REASONS = frozenset(("unsupported", "encrypted", "no_video"))
# Reasons that a file can only have from decoding. A crash or lack of memory is none of them: it may
# have ended the listing of an archive.
_FILE_DECODING_REASONS = _MEMBER_DECODING_REASONS | {"undecodable", "truncated"}


def rescan(
    screener: Screener,
    cache: HashCache,
    *,
    every: bool = False,
    threads: int = 1,
    unscreened: Counter[str] | None = None,
    as_stored: bool = False,
) -> Iterator[Result]:
    """Yield the Results of cached inputs that hit a record, in the order of hashing.

    They equal those of a scan of the same files now, but for the effort: inputs that were stored
    without weights are compared by distance, the others by evidence, and none by views; and insets
    are compared only if those of the policy were hashed (`count_without_insets`). Inputs that
    were hashed with other settings than the policy's, or without a kind of the lists, are skipped:
    `compared` counts the others, `outdated` what must be scanned again. An input that is scanned
    during the rescan may have two Results. The cache is not locked between Results.

    Parameters:
        screener: The lists and the policy.
        cache: An open cache, which `scan` has filled.
        every: Also yield inputs without a hit, which is slower.
        threads: The number of threads that search.
        unscreened: A counter, to which unscreened inputs without a Result are added by reason.
        as_stored: Do not skip inputs that `outdated` counts: compare the hashes that there are. The
            matches of these inputs are right, but they may lack some.

    Raises:
        TypeError: If `screener` is not a Screener.
        OutputError: If the cache is damaged, closed or in use.
    """
    check_screener(screener, "rescan()")
    return _decide_cached(screener, cache, every, check_threads(threads), unscreened, as_stored)


def _decide_cached(
    screener: Screener,
    cache: HashCache,
    every: bool,
    threads: int,
    unscreened: Counter[str] | None,
    as_stored: bool,
) -> Iterator[Result]:
    done = 0
    # Inputs that a scan replaces during the first round get new numbers, for the second round.
    for _ in range(2):
        last = cache.last_number()
        for first in range(done + 1, last + 1, _SEARCH_BATCH):
            end = min(first + _SEARCH_BATCH, last + 1)
            if every:
                numbers = cache.list_numbers(first, end)
            else:
                numbers = _find_candidates(screener, cache, first, end, threads)
            settings = set(cache.list_settings()) if as_stored else _settings(screener, cache)
            for offset in range(0, len(numbers), _DECISION_BATCH):
                items = list(
                    cache.load_inputs(numbers[offset : offset + _DECISION_BATCH], settings)
                )
                for item, result in zip(items, _decide(screener, items, threads), strict=True):
                    has_hit = bool(result.matches or result.other_hits)
                    if has_hit or (every and not _has_only_member_lines(item)):
                        yield result
                    elif unscreened is not None and not _has_only_member_lines(item):
                        _count_unscreened(result, unscreened)
        done = last


def outdated(screener: Screener, cache: HashCache) -> int:
    """Return the number of cached inputs that must be scanned again.

    They were hashed with other settings than the Screener's, or without an extra that is now
    installed.
    """
    check_screener(screener, "rescan()")
    settings = _settings(screener, cache)
    return sum(
        number
        for (stored, extra), number in cache.count_by_settings().items()
        if stored not in settings or (extra is not None and is_available(extra))
    )


def compared(screener: Screener, cache: HashCache) -> int:
    """Return the number of cached inputs that `rescan` compares with the lists."""
    check_screener(screener, "rescan()")
    return _count_settings(cache, _settings(screener, cache))


def count_without_insets(screener: Screener, cache: HashCache) -> int:
    """Return the number of cached inputs that are compared without their insets.

    The policy asks for insets, and these inputs were hashed without any.
    """
    check_screener(screener, "rescan()")
    required = describe_settings(screener.hasher)
    settings = {one for one in _settings(screener, cache) if not covers(one, required)}
    return _count_settings(cache, settings)


def _count_settings(cache: HashCache, settings: set[str]) -> int:
    counts = cache.count_by_settings().items()
    return sum(number for (stored, _), number in counts if stored in settings)


def _settings(screener: Screener, cache: HashCache) -> set[str]:
    """Return the stored settings whose hashes the Screener can use."""
    required = describe_settings(screener.hasher)
    return {
        stored for stored in cache.list_settings() if covers(stored, required, without_insets=True)
    }


def _decide(screener: Screener, items: list[HashedInput], threads: int) -> Iterator[Result]:
    if not any(kind.perceptual for kind in screener.kinds):
        # A scan would decode nothing, so it would have no error of decoding.
        items = [
            replace(item, error=None) if _has_complete_digests(item) else item for item in items
        ]
    if not screener.hasher.policy.insets:
        items = list(map(drop_insets, items))
    return screener.decide(items, threads=threads)


def _has_complete_digests(item: HashedInput) -> bool:
    """Return whether the digests certainly cover an input that could not be decoded.

    Those of a member may not, if it is truncated; nor those of an archive that was not listed to
    its end.
    """
    error = item.error
    if item.archive or not item.hashes or error is None:
        return False
    reasons = _MEMBER_DECODING_REASONS if item.name.archives else _FILE_DECODING_REASONS
    return error.reason in reasons


def _has_only_member_lines(item: HashedInput) -> bool:
    """Return whether an input is an archive that needs no line next to those of its members."""
    return item.archive and item.error is None


def _count_unscreened(result: Result, unscreened: Counter[str]) -> None:
    """Count an unscreened input unless `outdated` counts it."""
    is_outdated = result.extra is not None and is_available(result.extra)
    if result.verdict == Verdict.UNSCREENED and not is_outdated:
        unscreened[str(result.reason)] += 1


def _find_candidates(
    screener: Screener, cache: HashCache, first: int, end: int, threads: int
) -> list[int]:
    """Return the inputs that have a hash near a listed one, have weights or may be unscreened.

    No other input can match. All inputs with weights are decided if a list is searched by evidence:
    the search takes nearly all of the time, and would be repeated for the decision.
    """
    # Without a floor, a list has no kind that can make an input `no_match`: decide all inputs.
    floor = max(max(floors.values(), default=EVERY_FLOOR) for floors in screener.clearing_floors)
    candidates = [np.array(cache.find_unclear(first, end, floor), np.int64)]
    if screener.effort is not Effort.DISTANCE:
        candidates.append(np.array(cache.find_weighted(first, end), np.int64))
    listed = {kind for hash_list in screener.searched for kind in hash_list.kinds}
    for kind in KINDS.values():
        # Frames of listed videos are compared with all PDQs, also those of stills.
        video_kinds = (
            [KINDS[video_search.KIND]] if kind is PDQ and video_search.KIND in listed else []
        )
        searched = [kind] if kind.name in listed and (kind.digest or kind.perceptual) else []
        if searched or video_kinds:
            numbers, codes = cache.load_codes(kind, first, end)
            if len(codes):
                for searched_kind in searched + video_kinds:
                    hits = screener.has_hit(searched_kind, codes, threads=threads)
                    candidates.append(numbers[hits])
    return [int(number) for number in np.unique(np.concatenate(candidates))]
