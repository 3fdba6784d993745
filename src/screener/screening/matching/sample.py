"""The sample of inputs that a list with a ratio below 1 is compared with."""

from __future__ import annotations

import random
from collections.abc import Sequence

from screener.lists.hashlist import HashList
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash, OrientedHashes, list_groups
from screener.screening.policy import Policy

# The seed of an input, if it has one of these.
_SEED_KINDS = ("sha256", "sha1", "md5")

_NONE: frozenset[str] = frozenset()


class Sample:
    """The draw that decides for each input which of these lists take part.

    The draw is HMA's: a list takes part if its ratio is at least `random.Random(seed).random()`, so
    a larger ratio only adds inputs. The seed of an input is its SHA-256 in hex, so the same bytes
    always decide alike. Pixels, and hashes that were made elsewhere without a SHA-256, have another
    digest or else their first hash as seed.
    """

    def __init__(self, lists: Sequence[HashList], policy: Policy) -> None:
        ratios = {hash_list.name: policy.of_list(hash_list.name).ratio for hash_list in lists}
        self._ratios = {name: ratio for name, ratio in ratios.items() if ratio < 1}

    @property
    def is_partial(self) -> bool:
        """True if some list is not compared with every input."""
        return bool(self._ratios)

    def find_excluded(self, item: HashedInput) -> frozenset[str] | None:
        """Return the names of the lists that an input is not compared with.

        None if bits in doubt of a hash would decide it. An input without a hash is excluded from
        nothing.
        """
        groups = list_groups(item.hashes)
        if not self._ratios or not groups:
            return _NONE
        value, doubt = _find_seed(groups)
        if doubt:
            return None
        draw = random.Random(value.hex()).random()
        return frozenset(name for name, ratio in self._ratios.items() if ratio < draw)


def _find_seed(groups: Sequence[LocatedHash | OrientedHashes]) -> tuple[bytes, int]:
    """Return the value of the hash that is the seed, and its number of bits in doubt."""
    digests = {
        group.hash.kind.name: group.hash.value
        for group in groups
        if isinstance(group, LocatedHash) and group.hash.kind.digest
    }
    for kind in _SEED_KINDS:
        if kind in digests:
            return digests[kind], 0
    first = groups[0]
    if isinstance(first, LocatedHash):
        return first.hash.value, first.doubt
    upright = next(first.split())
    return upright.hash.value, upright.doubt
