"""Bare hashes: the look-up of items that are nothing but hashes, made elsewhere.

Most reach nothing, so little may be made of each: this finds out at the pace of the index. What
needs more than that is left to `Screener.decide`, of whose answers none is different.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from screener.hashing.hash import KINDS, Hash, HashKind
from screener.lists.hashlist import HashList
from screener.lists.store.records import fewest_bits
from screener.screening.input.located_hash import LocatedHash
from screener.screening.matching import video_search
from screener.screening.matching.criteria import Criteria
from screener.screening.matching.hits import Found
from screener.screening.matching.lookup import hits_of, search
from screener.screening.policy import Policy


class _Kind(NamedTuple):
    """How hashes of a kind are compared.

    `floor` is the least quality. A hash with `least` to `most` bits set clears the lists that have
    a bit in `clears`. `searched` are the lists that hold the kind.
    """

    kind: HashKind
    floor: int
    least: int
    most: int
    clears: int
    searched: tuple[HashList, ...]


class _Asked:
    """The hashes of one kind of all items, and the number of the item of each."""

    def __init__(self) -> None:
        self.hashes: list[Hash] = []
        self.owners: list[int] = []

    @property
    def codes(self) -> NDArray[np.uint8]:
        """The values; a lone one is searched sooner by itself than as a batch."""
        codes = np.frombuffer(b"".join([one.value for one in self.hashes]), np.uint8)
        return codes if len(self.hashes) == 1 else codes.reshape(len(self.hashes), -1)

    def of(self, query: int) -> tuple[int, LocatedHash]:
        return self.owners[query], LocatedHash(self.hashes[query])


class BareHashes:
    """The look-up of bare hashes in some lists, under a policy.

    `floors` are those of `Coverage.floors`: for each list by which an item can be cleared, the
    kinds by which it can be.
    """

    def __init__(
        self, lists: Sequence[HashList], policy: Policy, floors: Sequence[Mapping[str, int]]
    ) -> None:
        self._reach = Criteria(policy)
        self._all = (1 << len(floors)) - 1
        self._kinds = {
            kind.name: _Kind(
                kind,
                policy.floor.get(kind.name, 0),
                fewest_bits(kind),
                kind.bits - fewest_bits(kind),
                sum(1 << place for place, one in enumerate(floors) if kind.name in one),
                tuple(one for one in lists if kind.name in one.kinds),
            )
            for kind in KINDS.values()
            if kind.digest or (kind.perceptual and not policy.digests_only)
        }
        self._videos = [one for one in lists if video_search.KIND in one.kinds]

    def look_up(self, items: Sequence[Sequence[Hash]]) -> list[Found | bool]:
        """Return what is found for each item, or True if it is surely `no_match`.

        False if it is to be decided in the usual way: a hash is of another kind or of too little
        quality, or a frame of a listed video is near.
        """
        told: list[Found | bool] = []
        asked: dict[str, _Asked] = {}
        for number, hashes in enumerate(items):
            usual, cleared = False, 0
            for one in hashes:
                name, quality = one.kind.name, one.quality
                how = self._kinds.get(name)
                if how is None or (quality is not None and quality < how.floor):
                    usual = True
                    break
                if name not in asked:
                    asked[name] = _Asked()
                asked[name].hashes.append(one)
                asked[name].owners.append(number)
                if how.least <= int.from_bytes(one.value).bit_count() <= how.most:
                    cleared |= how.clears
            sure = cleared == self._all
            told.append(not usual and (sure or Found(list(map(LocatedHash, hashes)))))
        for name, those in asked.items():
            self._search(self._kinds[name], those, items, told)
        return told

    def _search(
        self,
        how: _Kind,
        asked: _Asked,
        items: Sequence[Sequence[Hash]],
        told: list[Found | bool],
    ) -> None:
        codes = asked.codes
        for one in how.searched:
            answer = search(one, how.kind, codes, self._reach.widest(one, how.kind))
            for number, hits in hits_of(one, how.kind, self._reach, answer, asked.of):
                found = told[number]
                if found is True:
                    found = told[number] = Found(list(map(LocatedHash, items[number])))
                if found is not False:
                    found.add(hits, hits.located)
        for one in self._videos if how.kind.name == "pdq" else ():
            frames = KINDS[video_search.KIND]
            offsets, rows, _ = search(one, frames, codes, self._reach.widest(one, frames))
            if len(rows):
                for query in np.flatnonzero(np.diff(offsets)).tolist():
                    told[asked.owners[query]] = False
