"""The radii and floors of a policy, applied to hashes and records."""

from __future__ import annotations

from screener.hashing.hash import HashKind
from screener.lists.hashlist import HashList
from screener.lists.states import State
from screener.lists.store.records import Record
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash, OrientedHashes
from screener.screening.list_policy import Mode
from screener.screening.policy import Policy


class Criteria:
    """The radii and floors of one policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def radius(self, list_name: str, state: str, kind: HashKind) -> int:
        """Return the radius in bits for hits on a list's records of a state, 0 for digests."""
        is_known_good = state == State.KNOWN_GOOD
        return self._policy.list_radius(list_name, kind.name, known_good=is_known_good)

    def max_radius(self, hash_list: HashList, kind: HashKind) -> int:
        """Return the largest radius of a kind for the states that a list holds."""
        name = hash_list.name
        return max(self.radius(name, state, kind) for state in hash_list.states or ("",))

    def is_shadow(self, list_name: str) -> bool:
        """Return whether a list's hits are only reported."""
        return self._policy.of_list(list_name).mode is Mode.SHADOW

    def is_weak(self, kind: HashKind) -> bool:
        """Return whether hits of a kind need those of another kind to make a match."""
        return kind.weak and kind.name not in self._policy.alone

    def is_usable(self, located: LocatedHash) -> bool:
        """Return whether a hash is compared: a digest, or another hash that reaches its floor.

        A hash made elsewhere without a quality is compared.
        """
        kind = located.hash.kind
        if self._policy.digests_only and not kind.digest:
            return False
        return located.is_usable(self._floor(kind.name))

    def is_surely_usable(self, group: LocatedHash | OrientedHashes) -> bool:
        """Return whether all hashes of a group are compared, whatever their bits in doubt."""
        if isinstance(group, OrientedHashes):
            return not self._policy.digests_only and group.score >= self._floor(group.kind)
        is_sure = group.least is None or group.least >= self._floor(group.hash.kind.name)
        return self.is_usable(group) and is_sure

    def depends_on_doubt(self, group: LocatedHash | OrientedHashes) -> bool:
        """Return whether bits in doubt decide if all hashes of a group are compared."""
        if isinstance(group, OrientedHashes):
            floor = self._floor(group.kind)
            return not self._policy.digests_only and group.depends_on_doubt(floor)
        if group.least is None:
            return False
        return self.is_usable(group) and not self.is_surely_usable(group)

    def min_moments(self, item: HashedInput) -> float:
        """Return the number of moments at which an input must be compared to be cleared.

        For a video this is a share of its samples, otherwise 1.
        """
        if not item.video or item.media is None:
            return 1
        return max(1, self._policy.sampling.usable * item.media.samples)

    def is_record_usable(self, record: Record, kind: HashKind) -> bool:
        """Return whether a listed hash has no recorded quality or one that reaches the floor."""
        return record.quality is None or record.quality >= self._floor(kind.name)

    def _floor(self, kind_name: str) -> int:
        return self._policy.floor.get(kind_name, 0)
