"""Criteria: which hashes a policy compares, how far, and how many of them clear an input."""

from __future__ import annotations

from screener.hashing.hash import HashKind
from screener.lists.hashlist import HashList
from screener.lists.states import State
from screener.lists.store.records import Record
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash, OrientedHashes
from screener.screening.policy import Policy


class Criteria:
    """The radii and floors of one policy, applied."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def radius(self, state: str, kind: HashKind) -> int:
        """Return the radius in bits for hits on records of a state; 0 for digests."""
        good = state == State.KNOWN_GOOD
        table = self._policy.known_good_radius if good else self._policy.radius
        return table.get(kind.name, 0)

    def max_radius(self, hash_list: HashList, kind: HashKind) -> int:
        """Return the largest radius of a kind for the states that a list holds."""
        return max(self.radius(state, kind) for state in hash_list.states or ("",))

    def is_weak(self, kind: HashKind) -> bool:
        """Return whether a hit of that kind makes a match only if another kind corroborates it."""
        return kind.weak and kind.name not in self._policy.alone

    def is_usable(self, located: LocatedHash) -> bool:
        """Return whether a hash is compared: a digest always, others if they reach their floor.

        A hash made elsewhere without a quality is compared.
        """
        kind = located.hash.kind
        if self._policy.digests_only and not kind.digest:
            return False
        return located.usable(self._policy.floor.get(kind.name, 0))

    def is_surely_usable(self, group: LocatedHash | OrientedHashes) -> bool:
        """Return whether one hash, or all of several, is compared whatever its bits in doubt."""
        if isinstance(group, OrientedHashes):
            floor = self._policy.floor.get(group.kind, 0)
            return not self._policy.digests_only and group.score >= floor
        floor = self._policy.floor.get(group.hash.kind.name, 0)
        return self.is_usable(group) and (group.least is None or group.least >= floor)

    def depends_on_doubt(self, group: LocatedHash | OrientedHashes) -> bool:
        """Return whether bits in doubt decide if one hash, or all of several, is compared."""
        if isinstance(group, OrientedHashes):
            floor = self._policy.floor.get(group.kind, 0)
            return not self._policy.digests_only and group.may_be_usable(floor)
        return (
            group.least is not None and self.is_usable(group) and not self.is_surely_usable(group)
        )

    def min_moments(self, item: HashedInput) -> float:
        """Return at how many moments an input must be compared to be cleared.

        For a video that is a share of its samples, otherwise one.
        """
        if not item.video or item.media is None:
            return 1
        return max(1, self._policy.sampling.usable * item.media.samples)

    def is_record_usable(self, record: Record, kind: HashKind) -> bool:
        """Return whether a listed hash counts: not if its recorded quality is below the floor."""
        floor = self._policy.floor.get(kind.name, 0)
        return record.quality is None or record.quality >= floor
