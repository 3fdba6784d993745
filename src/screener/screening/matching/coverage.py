"""Coverage: whether an input was compared with the lists, and the verdict that follows."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from screener.errors import counted
from screener.hashing.hash import KINDS
from screener.lists.hashlist import HashList
from screener.lists.store.records import find_exclusion
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash, OrientedHashes, groups_of
from screener.screening.matching import video_search
from screener.screening.matching.criteria import Criteria
from screener.screening.policy import Policy
from screener.screening.result import Match, Reason, Verdict

_PERCEPTUAL = frozenset(kind.name for kind in KINDS.values() if kind.perceptual)


class Coverage:
    """The comparisons that clear an input, for some lists and a policy."""

    def __init__(self, lists: Sequence[HashList], policy: Policy) -> None:
        self._lists = lists
        self._policy = policy
        self._criteria = Criteria(policy)
        self._can_match: dict[str, frozenset[str]] = {}
        self._weak: dict[str, frozenset[str]] = {}
        for hash_list in lists:
            kinds = _matching_kinds(hash_list, policy)
            weak = frozenset(kind for kind in kinds if self._criteria.weak(KINDS[kind]))
            self._can_match[hash_list.name], self._weak[hash_list.name] = kinds - weak, weak
        # Lists that can make no match, such as lists of known files, need no comparison, unless
        # there is no other list.
        self._clearing = tuple(one for one in lists if one.matchable) or lists

    def verdict(
        self, item: HashedInput, matches: Sequence[Match]
    ) -> tuple[Verdict, Reason | None, str | None]:
        """Return the verdict, reason and detail of an input with these matches.

        A match counts whatever else happened; `no_match` requires a comparison with every list.
        """
        if matches:
            return Verdict.MATCH, None, None
        if item.trouble is not None:
            return Verdict.UNSCREENED, Reason(item.trouble.reason), item.trouble.detail
        for hash_list in self._clearing:
            if not self._compared(hash_list, item):
                return (Verdict.UNSCREENED, *self._why_not_compared(hash_list, item))
        return Verdict.NO_MATCH, None, None

    def floors(self) -> list[dict[str, int]]:
        """Return for each list that can clear an input the kinds that do, with their floors.

        Video frames are left out.
        """
        return [
            {
                kind: self._policy.floor.get(kind, 0)
                for kind in self._can_match[hash_list.name]
                if (KINDS[kind].digest if self._policy.digests_only else KINDS[kind].perceptual)
            }
            for hash_list in self._clearing
        ]

    def depends_on_doubt(self, item: HashedInput) -> bool:
        """Return whether bits in doubt decide if an item was compared at all."""
        if not any(self._criteria.may_be_usable(one) for one in groups_of(item.hashes)):
            return False
        return not all(self._compared(one, item) for one in self._lists)

    def compares_videos(self, hash_list: HashList) -> bool:
        """Return whether an input may match a video of a list."""
        listed = self._can_match[hash_list.name]
        return video_search.KIND in listed and not self._policy.digests_only

    def _compared(self, hash_list: HashList, item: HashedInput) -> bool:
        """Return whether the item was compared enough with the list for a `no_match`.

        That takes hashes of a kind by which the list can make a match: not a weak kind, and not one
        that only its seeds or known files have. A video needs a share of its samples, anything else
        one picture. Hidden pictures do not count.
        """
        if self.compares_videos(hash_list) and video_search.is_comparable(item, self._policy):
            return True
        compared = self._clearing_hashes(item, self._can_match[hash_list.name])
        if self._policy.digests_only:
            return bool(compared)
        return len(_moments(compared)) >= self._criteria.least_moments(item)

    def _clearing_hashes(
        self, item: HashedInput, kinds: Container[str]
    ) -> list[LocatedHash | OrientedHashes]:
        return [group for group in groups_of(item.hashes) if self._clears(group, kinds)]

    def _clears(self, group: LocatedHash | OrientedHashes, kinds: Container[str]) -> bool:
        """Return whether a hash of a frame by one of these kinds was surely compared.

        OrientedHashes must be compared in all orientations, or a turned copy would be missed.
        """
        kind = KINDS[group.kind] if isinstance(group, OrientedHashes) else group.hash.kind
        return (
            group.part_kind == "frame"
            and kind.name in kinds
            and (kind.perceptual or self._policy.digests_only)
            and self._criteria.surely_usable(group)
            # A hash made elsewhere may be that of a blank picture, without a quality. Lists do not
            # search such hashes, so finding none near it proves nothing.
            and (
                isinstance(group, OrientedHashes)
                or group.detail is not None
                or find_exclusion(group.hash) is None
            )
        )

    def _why_not_compared(self, hash_list: HashList, item: HashedInput) -> tuple[Reason, str]:
        as_video = self.compares_videos(hash_list) and video_search.is_video(item)
        kinds = _PERCEPTUAL if as_video else _PERCEPTUAL & self._can_match[hash_list.name]
        shared = any(located.hash.kind.name in kinds for located in item.hashes)
        if shared and not self._policy.digests_only:
            if not item.video or item.media is None:
                return Reason.TOO_LITTLE_DETAIL, "too little detail to compare"
            usable = len(_moments(self._clearing_hashes(item, kinds)))
            looked_at = f"{counted(item.media.samples, 'sampled frame')} with enough detail"
            more = ", and with listed videos it takes two" if as_video and usable == 1 else ""
            return Reason.TOO_LITTLE_DETAIL, f"{usable} of {looked_at} to be compared{more}"
        by = "a digest" if self._policy.digests_only else "a perceptual kind"
        why = f"nothing on the list {hash_list.name} can match this input by {by}"
        made = {located.hash.kind.name for located in item.hashes}
        if weak := ", ".join(sorted(made & self._weak[hash_list.name])):
            why += f"; a hit by {weak} makes no match, unless the policy's `alone` names the kind"
        return Reason.NOT_COMPARABLE, why


def _moments(hashes: Iterable[LocatedHash | OrientedHashes]) -> set[tuple[int, float]]:
    return {moment for one in hashes for moment in one.moments}


def _matching_kinds(hash_list: HashList, policy: Policy) -> frozenset[str]:
    """Return the kinds of which a confirmed or disputed record has a value above the floor."""
    return frozenset(
        kind
        for kind in hash_list.kinds
        if hash_list.can_match(kind, floor=policy.floor.get(kind, 0))
    )
