"""Matching of items that are only hashes, made elsewhere.

Most have no hit, so these are answered at the speed of the index. All others are left to
`Screener.decide`, which would give the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from screener.hashing.hash import KINDS, Hash, HashKind
from screener.lists.hashlist import HashList
from screener.lists.store.records import get_min_bits
from screener.screening.input.located_hash import LocatedHash
from screener.screening.matching import video_search
from screener.screening.matching.criteria import Criteria
from screener.screening.matching.hash_search import Queries, collect_hits, search_list
from screener.screening.matching.hits import InputHits
from screener.screening.matching.sample import Sample
from screener.screening.policy import Policy


class QuickAnswer(Enum):
    """An answer without hits: `no_match` for certain, or left to `Screener.decide`."""

    NO_MATCH = auto()
    UNDECIDED = auto()


# Module constants, since looking up an enum's attribute takes longer.
NO_MATCH: Final = QuickAnswer.NO_MATCH
UNDECIDED: Final = QuickAnswer.UNDECIDED
_VIDEO: Final = KINDS[video_search.KIND]


class _KindRules(NamedTuple):
    """The rules for hashes of one kind.

    A hash with `min_bits` to `max_bits` bits set clears the lists whose bits are set in
    `cleared_lists`. `lists` are those that hold the kind, each with its largest radius.
    """

    kind: HashKind
    floor: int
    min_bits: int
    max_bits: int
    cleared_lists: int
    lists: tuple[tuple[HashList, int], ...]


class BareHashMatcher:
    """Matches bare hashes with some lists under a policy.

    `clearing_floors` are those of `VerdictRules`.
    """

    def __init__(
        self,
        lists: Sequence[HashList],
        policy: Policy,
        clearing_floors: Sequence[Mapping[str, int]],
    ) -> None:
        self._criteria = Criteria(policy)
        self._is_sampled = Sample(lists, policy).is_partial
        self._all_cleared = (1 << len(clearing_floors)) - 1
        self._rules = {
            kind.name: _KindRules(
                kind,
                policy.floor.get(kind.name, 0),
                get_min_bits(kind),
                kind.bits - get_min_bits(kind),
                sum(1 << k for k, floors in enumerate(clearing_floors) if kind.name in floors),
                self._find_radii(lists, kind),
            )
            for kind in KINDS.values()
            if kind.digest or (kind.perceptual and not policy.digests_only)
        }
        self._video_lists = self._find_radii(lists, _VIDEO)

    def _find_radii(
        self, lists: Sequence[HashList], kind: HashKind
    ) -> tuple[tuple[HashList, int], ...]:
        """Return the lists that hold a kind, each with its largest radius."""
        return tuple(
            (hash_list, self._criteria.max_radius(hash_list, kind))
            for hash_list in lists
            if kind.name in hash_list.kinds
        )

    def match(
        self, items: Sequence[Sequence[Hash]], derive: Sequence[bool]
    ) -> list[InputHits | QuickAnswer]:
        """Return for each item its hits, or a quick answer.

        `derive` has True for each item whose PDQs are searched in derived orientations too.
        The answer is UNDECIDED if a hash is of another kind, is below its floor, or is near a frame
        of a listed video, or if a list is not compared with every item.
        """
        if self._is_sampled:
            return [UNDECIDED] * len(items)
        answers: list[InputHits | QuickAnswer] = []
        queries: dict[str, Queries] = {}
        for number, hashes in enumerate(items):
            is_undecided, cleared = False, 0
            for hash_ in hashes:
                kind_name, quality = hash_.kind.name, hash_.quality
                rules = self._rules.get(kind_name)
                if rules is None or (quality is not None and quality < rules.floor):
                    is_undecided = True
                    break
                if kind_name not in queries:
                    queries[kind_name] = Queries(hash_.kind)
                queries[kind_name].add(number, LocatedHash(hash_), derive=derive[number])
                if rules.min_bits <= int.from_bytes(hash_.value).bit_count() <= rules.max_bits:
                    cleared |= rules.cleared_lists
            if is_undecided:
                answers.append(UNDECIDED)
            elif cleared == self._all_cleared:
                answers.append(NO_MATCH)
            else:
                answers.append(_without_hits(hashes))
        for kind_name, kind_queries in queries.items():
            self._search_kind(self._rules[kind_name], kind_queries, items, answers)
        return answers

    def _search_kind(
        self,
        rules: _KindRules,
        queries: Queries,
        items: Sequence[Sequence[Hash]],
        answers: list[InputHits | QuickAnswer],
    ) -> None:
        kind, (batch,) = rules.kind, queries.batches  # none is in doubt
        find_owner = partial(queries.find_owner, batch)
        # A single code is searched faster by itself than as a batch.
        codes = batch.codes[0] if len(batch.codes) == 1 else batch.codes
        for hash_list, radius in rules.lists:
            result = search_list(hash_list, kind, codes, radius)
            for number, hits in collect_hits(hash_list, kind, self._criteria, result, find_owner):
                answer = answers[number]
                if answer is NO_MATCH:
                    answer = answers[number] = _without_hits(items[number])
                if answer is not UNDECIDED:
                    answer.add(hits, hits.located)
        if kind.name != "pdq":
            return
        for hash_list, radius in self._video_lists:
            offsets, rows, _ = search_list(hash_list, _VIDEO, codes, radius)
            if len(rows):
                for query in np.flatnonzero(np.diff(offsets)).tolist():
                    answers[find_owner(query)[0]] = UNDECIDED


def _without_hits(hashes: Sequence[Hash]) -> InputHits:
    return InputHits(list(map(LocatedHash, hashes)))
