"""Coverage: whether an input was compared with the lists, and the verdict that this carries."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from screener.errors import counted
from screener.hashing.hash import KINDS
from screener.lists.hashlist import HashList
from screener.lists.store.records import why_not_searchable
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash, OrientedHashes, groups_of
from screener.screening.matching import video_search
from screener.screening.matching.criteria import Criteria
from screener.screening.policy import Policy
from screener.screening.result import Match, Reason, Verdict

_PERCEPTUAL = frozenset(kind.name for kind in KINDS.values() if kind.perceptual)


class Coverage:
    """Of lists and a policy: what an input must have been compared by to be cleared."""

    def __init__(self, lists: Sequence[HashList], policy: Policy) -> None:
        self._lists = lists
        self._policy = policy
        self._reach = Criteria(policy)
        self._can_match: dict[str, frozenset[str]] = {}
        self._weak: dict[str, frozenset[str]] = {}
        for one in lists:
            kinds = _matching_kinds(one, policy)
            weak = frozenset(kind for kind in kinds if self._reach.weak(KINDS[kind]))
            self._can_match[one.name], self._weak[one.name] = kinds - weak, weak
        # A list that can make no match (known files, say) need not have been compared, unless there
        # is no other.
        self._clearing = tuple(one for one in lists if one.matchable) or lists

    def verdict(
        self, item: HashedInput, matches: Sequence[Match]
    ) -> tuple[Verdict, Reason | None, str | None]:
        """A match counts whatever else happened; `no_match` needs proof of a comparison."""
        if matches:
            return Verdict.MATCH, None, None
        if item.trouble is not None:
            return Verdict.UNSCREENED, Reason(item.trouble.reason), item.trouble.detail
        for one in self._clearing:
            if not self._compared(one, item):
                return (Verdict.UNSCREENED, *self._why_not_compared(one, item))
        return Verdict.NO_MATCH, None, None

    def floors(self) -> list[dict[str, int]]:
        """For each list that an input must have been compared with to be cleared: the kinds by
        which that can be, with the floor of each; frames of videos aside.
        """
        return [
            {
                kind: self._policy.floor.get(kind, 0)
                for kind in self._can_match[one.name]
                if (KINDS[kind].digest if self._policy.digests_only else KINDS[kind].perceptual)
            }
            for one in self._clearing
        ]

    def hangs_on_doubt(self, item: HashedInput) -> bool:
        """Whether bits in doubt say if an item was compared at all: no other hash of it was."""
        if not any(self._reach.may_be_usable(one) for one in groups_of(item.hashes)):
            return False
        return not all(self._compared(one, item) for one in self._lists)

    def by_videos(self, one: HashList) -> bool:
        """Whether an input may match a video of a list."""
        return video_search.KIND in self._can_match[one.name] and not self._policy.digests_only

    def _compared(self, one: HashList, item: HashedInput) -> bool:
        """Whether enough of the item was looked up in the list to carry a `no_match`: hashes of a
        kind by which the list can make a match, not merely one of its seeds or known files, and not
        a weak kind, which makes none alone. For a
        video that is a share of the frames looked at, for all else one picture. A picture hidden in
        a file says nothing of the one that is shown.
        """
        if self.by_videos(one) and video_search.is_comparable(item, self._policy):
            return True
        compared = self._carrying(item, self._can_match[one.name])
        if self._policy.digests_only:
            return bool(compared)
        return len(_moments(compared)) >= self._reach.least_moments(item)

    def _carrying(
        self, item: HashedInput, kinds: Container[str]
    ) -> list[LocatedHash | OrientedHashes]:
        """The hashes of these kinds that carry a `no_match`."""
        return [group for group in groups_of(item.hashes) if self._carries(group, kinds)]

    def _carries(self, group: LocatedHash | OrientedHashes, kinds: Container[str]) -> bool:
        """Whether a hash, or each of several, is of a frame and of one of these kinds, and was
        surely compared. Each of those of one picture in all orientations: where one is not
        compared, a copy that was turned that way would not have been found.
        """
        kind = KINDS[group.kind] if isinstance(group, OrientedHashes) else group.hash.kind
        return (
            group.part_kind == "frame"
            and kind.name in kinds
            and (kind.perceptual or self._policy.digests_only)
            and self._reach.surely_usable(group)
            # One made elsewhere may be that of a blank picture and come without its quality. Lists
            # do not compare such hashes, so that finding none near it says nothing.
            and (
                isinstance(group, OrientedHashes)
                or group.detail is not None
                or why_not_searchable(group.hash) is None
            )
        )

    def _why_not_compared(self, one: HashList, item: HashedInput) -> tuple[Reason, str]:
        as_video = self.by_videos(one) and video_search.is_video(item)
        kinds = _PERCEPTUAL if as_video else _PERCEPTUAL & self._can_match[one.name]
        shared = any(located.hash.kind.name in kinds for located in item.hashes)
        if shared and not self._policy.digests_only:
            if not item.video or item.media is None:
                return Reason.TOO_LITTLE_DETAIL, "too little detail to compare"
            usable = len(_moments(self._carrying(item, kinds)))
            looked_at = f"{counted(item.media.samples, 'sampled frame')} with enough detail"
            more = ", and with listed videos it takes two" if as_video and usable == 1 else ""
            return Reason.TOO_LITTLE_DETAIL, f"{usable} of {looked_at} to be compared{more}"
        by = "a digest" if self._policy.digests_only else "a perceptual kind"
        why = f"nothing on the list {one.name} can match this input by {by}"
        held = {located.hash.kind.name for located in item.hashes}
        if weak := ", ".join(sorted(held & self._weak[one.name])):
            why += f"; a hit by {weak} makes no match, unless the policy's `alone` names the kind"
        return Reason.NOT_COMPARABLE, why


def _moments(hashes: Iterable[LocatedHash | OrientedHashes]) -> set[tuple[int, float]]:
    """The tracks and times of the frames that hashes are of, those that show the same included."""
    return {moment for one in hashes for moment in one.moments}


def _matching_kinds(one: HashList, policy: Policy) -> frozenset[str]:
    """Return the kinds of which a confirmed or disputed record has a value above the floor."""
    return frozenset(
        kind for kind in one.kinds if one.can_match(kind, floor=policy.floor.get(kind, 0))
    )
