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
    """Of one policy: its radii and its floors, applied."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def radius(self, state: str, kind: HashKind) -> int:
        """The radius in bits for hits on records of a state; 0 for digests."""
        good = state == State.KNOWN_GOOD
        table = self._policy.known_good_radius if good else self._policy.radius
        return table.get(kind.name, 0)

    def widest(self, one: HashList, kind: HashKind) -> int:
        """The largest radius that a hit of that kind in a list may have."""
        return max(self.radius(state, kind) for state in one.states or ("",))

    def weak(self, kind: HashKind) -> bool:
        """Return whether a hit of that kind makes a match only if another kind corroborates it."""
        return kind.weak and kind.name not in self._policy.alone

    def usable(self, located: LocatedHash) -> bool:
        """Whether a query is compared: digests always, perceptual kinds by their floor.

        A hash made elsewhere without a quality is compared: nothing says that it should not be.
        """
        kind = located.hash.kind
        if self._policy.digests_only and not kind.digest:
            return False
        return located.usable(self._policy.floor.get(kind.name, 0))

    def surely_usable(self, group: LocatedHash | OrientedHashes) -> bool:
        """Whether a hash, or each of several, is compared, whatever its bits in doubt are."""
        if isinstance(group, OrientedHashes):
            floor = self._policy.floor.get(group.kind, 0)
            return not self._policy.digests_only and group.score >= floor
        floor = self._policy.floor.get(group.hash.kind.name, 0)
        return self.usable(group) and (group.least is None or group.least >= floor)

    def least_moments(self, item: HashedInput) -> float:
        """At how many moments an input must be compared to be cleared: a video at a share of those
        that were looked at, all else at one.
        """
        if not item.video or item.media is None:
            return 1
        return max(1, self._policy.sampling.usable * item.media.samples)

    def may_be_usable(self, group: LocatedHash | OrientedHashes) -> bool:
        """Whether it is for bits in doubt to say if a hash, or each of several, is compared."""
        if isinstance(group, OrientedHashes):
            floor = self._policy.floor.get(group.kind, 0)
            return not self._policy.digests_only and group.may_be_usable(floor)
        return group.least is not None and self.usable(group) and not self.surely_usable(group)

    def counts(self, record: Record, kind: HashKind) -> bool:
        """Whether a listed hash counts: one with a recorded quality below the floor does not."""
        floor = self._policy.floor.get(kind.name, 0)
        return record.quality is None or record.quality >= floor
