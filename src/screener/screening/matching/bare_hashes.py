"""Look-up of items that are only hashes, made elsewhere.

Most have no hit, so these are answered at the speed of the index. Anything else is left to
`Screener.decide`; the answers are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from screener.hashing.hash import KINDS, Hash, HashKind
from screener.lists.hashlist import HashList
from screener.lists.store.records import get_min_bits
from screener.screening.input.located_hash import LocatedHash
from screener.screening.matching import video_search
from screener.screening.matching.criteria import Criteria
from screener.screening.matching.hits import InputHits
from screener.screening.matching.lookup import hits_of, search
from screener.screening.policy import Policy


class Quick(Enum):
    """An answer without hits: surely `no_match`, or undecided, to be decided by `Screener`."""

    NO_MATCH = auto()
    UNDECIDED = auto()


# Names of the module, since an enum's attribute takes longer to look up.
NO_MATCH: Final = Quick.NO_MATCH
UNDECIDED: Final = Quick.UNDECIDED


class _Kind(NamedTuple):
    """The rules for hashes of one kind.

    `floor`: the least quality. A hash with `least` to `most` bits set clears the lists whose bits
    are set in `clears`. `searched`: the lists that hold the kind.
    """

    kind: HashKind
    floor: int
    least: int
    most: int
    clears: int
    searched: tuple[HashList, ...]


class _Queries:
    """The hashes of one kind of all items, and the number of the item of each."""

    def __init__(self) -> None:
        self.hashes: list[Hash] = []
        self.items: list[int] = []

    @property
    def codes(self) -> NDArray[np.uint8]:
        # A single code is searched faster by itself than as a batch.
        codes = np.frombuffer(b"".join([one.value for one in self.hashes]), np.uint8)
        return codes if len(self.hashes) == 1 else codes.reshape(len(self.hashes), -1)

    def owner(self, query: int) -> tuple[int, LocatedHash]:
        return self.items[query], LocatedHash(self.hashes[query])


class BareHashes:
    """The look-up of bare hashes in some lists, under a policy; `floors` as `Coverage.floors`."""

    def __init__(
        self, lists: Sequence[HashList], policy: Policy, floors: Sequence[Mapping[str, int]]
    ) -> None:
        self._criteria = Criteria(policy)
        self._all = (1 << len(floors)) - 1
        self._kinds = {
            kind.name: _Kind(
                kind,
                policy.floor.get(kind.name, 0),
                get_min_bits(kind),
                kind.bits - get_min_bits(kind),
                sum(1 << place for place, kinds in enumerate(floors) if kind.name in kinds),
                tuple(one for one in lists if kind.name in one.kinds),
            )
            for kind in KINDS.values()
            if kind.digest or (kind.perceptual and not policy.digests_only)
        }
        self._video_lists = [one for one in lists if video_search.KIND in one.kinds]

    def look_up(self, items: Sequence[Sequence[Hash]]) -> list[InputHits | Quick]:
        """Return for each item its hits, or a quick answer.

        UNDECIDED: a hash is of another kind or of too little quality, or is near a frame of a
        listed video.
        """
        answers: list[InputHits | Quick] = []
        queries: dict[str, _Queries] = {}
        for number, hashes in enumerate(items):
            undecided, cleared = False, 0
            for one in hashes:
                name, quality = one.kind.name, one.quality
                rules = self._kinds.get(name)
                if rules is None or (quality is not None and quality < rules.floor):
                    undecided = True
                    break
                if name not in queries:
                    queries[name] = _Queries()
                queries[name].hashes.append(one)
                queries[name].items.append(number)
                if rules.least <= int.from_bytes(one.value).bit_count() <= rules.most:
                    cleared |= rules.clears
            if undecided:
                answers.append(UNDECIDED)
            elif cleared == self._all:
                answers.append(NO_MATCH)
            else:
                answers.append(_no_hits(hashes))
        for name, of_kind in queries.items():
            self._search(self._kinds[name], of_kind, items, answers)
        return answers

    def _search(
        self,
        rules: _Kind,
        queries: _Queries,
        items: Sequence[Sequence[Hash]],
        answers: list[InputHits | Quick],
    ) -> None:
        codes = queries.codes
        for one in rules.searched:
            nearest = search(one, rules.kind, codes, self._criteria.widest(one, rules.kind))
            for number, hits in hits_of(one, rules.kind, self._criteria, nearest, queries.owner):
                answer = answers[number]
                if answer is NO_MATCH:
                    answer = answers[number] = _no_hits(items[number])
                if answer is not UNDECIDED:
                    answer.add(hits, hits.located)
        for one in self._video_lists if rules.kind.name == "pdq" else ():
            frames = KINDS[video_search.KIND]
            offsets, rows, _ = search(one, frames, codes, self._criteria.widest(one, frames))
            if len(rows):
                for query in np.flatnonzero(np.diff(offsets)).tolist():
                    answers[queries.items[query]] = UNDECIDED


def _no_hits(hashes: Sequence[Hash]) -> InputHits:
    return InputHits(list(map(LocatedHash, hashes)))
