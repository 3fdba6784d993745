"""The verdict on an input: whether it matched, or was compared enough for `no_match`."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Sequence

from screener.errors import counted
from screener.hashing.hash import KINDS
from screener.lists.hashlist import HashList
from screener.lists.store.records import find_exclusion
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import (
    INSET,
    UNSEEN_REGIONS,
    LocatedHash,
    OrientedHashes,
    list_groups,
)
from screener.screening.list_policy import Mode
from screener.screening.matching import video_search
from screener.screening.matching.criteria import Criteria
from screener.screening.matching.sample import Sample
from screener.screening.policy import Policy
from screener.screening.result import Match, Reason, Verdict

_SAMPLED = "the policy's `ratio` leaves this input out of the sample of every list that can match"
_NOT_ENFORCED = "the policy has every list in shadow or off, so nothing can match"

_PERCEPTUAL = frozenset(kind.name for kind in KINDS.values() if kind.perceptual)


def find_enforced(lists: Sequence[HashList], policy: Policy) -> tuple[HashList, ...]:
    """Return the lists whose hits make matches."""
    return tuple(one for one in lists if policy.of_list(one.name).mode is Mode.ENFORCE)


class VerdictRules:
    """The rules by which inputs are cleared, for some lists and a policy.

    A list clears an input if the input was compared with it and did not match. Lists that can make
    no match, such as lists of known files, need no comparison, unless there is no other list. Lists
    in shadow clear nothing and need no comparison. `lists` are those that are searched.
    """

    def __init__(self, lists: Sequence[HashList], policy: Policy) -> None:
        self._policy = policy
        self._criteria = Criteria(policy)
        self._strong_kinds: dict[str, frozenset[str]] = {}
        self._weak_kinds: dict[str, frozenset[str]] = {}
        for hash_list in lists:
            kinds = _find_matching_kinds(hash_list, policy)
            weak = frozenset(kind for kind in kinds if self._criteria.is_weak(KINDS[kind]))
            self._strong_kinds[hash_list.name] = kinds - weak
            self._weak_kinds[hash_list.name] = weak
        self._enforced = find_enforced(lists, policy)
        self._clearing_lists = (
            tuple(hash_list for hash_list in self._enforced if hash_list.matchable)
            or self._enforced
        )

    def decide(
        self,
        item: HashedInput,
        matches: Sequence[Match],
        excluded: Collection[str] = (),
    ) -> tuple[Verdict, Reason | None, str | None]:
        """Return the verdict, reason and detail of an input with these matches.

        A match counts even if an error followed; `no_match` requires a comparison with every list
        that clears inputs, except those that are `excluded`: the input is not in their sample.
        """
        if matches:
            return Verdict.MATCH, None, None
        if item.error is not None:
            return Verdict.UNSCREENED, Reason(item.error.reason), item.error.detail
        clearing = [one for one in self._clearing_lists if one.name not in excluded]
        if not clearing:
            detail = _SAMPLED if self._clearing_lists else _NOT_ENFORCED
            return Verdict.UNSCREENED, Reason.NOT_COMPARABLE, detail
        for hash_list in clearing:
            if not self._is_compared(hash_list, item):
                return (Verdict.UNSCREENED, *self._explain_not_compared(hash_list, item))
        return Verdict.NO_MATCH, None, None

    def clearing_floors(self) -> list[dict[str, int]]:
        """Return for each clearing list the floors of the kinds that clear an input.

        Video frames are left out. If no list clears inputs, or one only those of its sample, the
        floors are those of a list that clears none.
        """
        if not self._clearing_lists or Sample(self._clearing_lists, self._policy).is_partial:
            return [{}]
        return [
            {
                kind: self._policy.floor.get(kind, 0)
                for kind in self._strong_kinds[hash_list.name]
                if (KINDS[kind].digest if self._policy.digests_only else KINDS[kind].perceptual)
            }
            for hash_list in self._clearing_lists
        ]

    def depends_on_doubt(self, item: HashedInput) -> bool:
        """Return whether bits in doubt decide if an item was compared with a list."""
        if not any(
            self._criteria.depends_on_doubt(group)
            for group in list_groups(item.hashes)
            if group.region not in UNSEEN_REGIONS
        ):
            return False
        return not all(self._is_compared(hash_list, item) for hash_list in self._enforced)

    def compares_videos(self, hash_list: HashList) -> bool:
        """Return whether an input may match a video of a list."""
        kinds = self._strong_kinds[hash_list.name]
        return video_search.KIND in kinds and not self._policy.digests_only

    def _is_compared(self, hash_list: HashList, item: HashedInput) -> bool:
        """Return whether an item was compared enough with a list for `no_match`.

        This takes hashes of a kind by which the list can make a match: not a weak kind, and not one
        that only its seeds or known files have. A video needs a share of its samples, anything else
        one picture. Hidden pictures do not count.
        """
        if self.compares_videos(hash_list) and video_search.is_comparable(item, self._policy):
            return True
        compared = self._select_clearing(item, self._strong_kinds[hash_list.name])
        if self._policy.digests_only:
            return bool(compared)
        return len(_moments(compared)) >= self._criteria.min_moments(item)

    def _select_clearing(
        self, item: HashedInput, kinds: Container[str]
    ) -> list[LocatedHash | OrientedHashes]:
        return [group for group in list_groups(item.hashes) if self._can_clear(group, kinds)]

    def _can_clear(self, group: LocatedHash | OrientedHashes, kinds: Container[str]) -> bool:
        """Return whether a frame's hash of one of these kinds was surely compared.

        OrientedHashes must be compared in all orientations, or a turned copy would be missed. An
        inset says nothing of the rest of its picture, nor do colours without their alpha of what a
        viewer shows.
        """
        kind = KINDS[group.kind] if isinstance(group, OrientedHashes) else group.hash.kind
        return (
            group.part_kind == "frame"
            and group.region not in UNSEEN_REGIONS
            and kind.name in kinds
            and (kind.perceptual or self._policy.digests_only)
            and self._criteria.is_surely_usable(group)
            # A hash made elsewhere may be that of a blank picture, without a quality. Lists do not
            # search such hashes, so finding none near it proves nothing.
            and (
                isinstance(group, OrientedHashes)
                or group.detail is not None
                or find_exclusion(group.hash) is None
            )
        )

    def _explain_not_compared(self, hash_list: HashList, item: HashedInput) -> tuple[Reason, str]:
        as_video = self.compares_videos(hash_list) and video_search.is_video(item)
        kinds = _PERCEPTUAL if as_video else _PERCEPTUAL & self._strong_kinds[hash_list.name]
        input_kinds = {located.hash.kind.name for located in item.hashes}
        if input_kinds & kinds and not self._policy.digests_only:
            return Reason.TOO_LITTLE_DETAIL, self._explain_little_detail(item, kinds, as_video)
        by = "a digest" if self._policy.digests_only else "a perceptual kind"
        detail = f"nothing on the list {hash_list.name} can match this input by {by}"
        if weak := ", ".join(sorted(input_kinds & self._weak_kinds[hash_list.name])):
            detail += (
                f"; a hit by {weak} makes no match, unless the policy's `alone` names the kind"
            )
        return Reason.NOT_COMPARABLE, detail

    def _explain_little_detail(
        self, item: HashedInput, kinds: Container[str], as_video: bool
    ) -> str:
        if not item.video or item.media is None:
            boxes = {
                (group.part, group.box)
                for group in list_groups(item.hashes)
                if group.region == INSET and self._criteria.is_surely_usable(group)
            }
            insets = f"; {counted(len(boxes), 'inset')} compared, without a match" if boxes else ""
            return f"too little detail to compare{insets}"
        usable = len(_moments(self._select_clearing(item, kinds)))
        samples = counted(item.media.samples, "sampled frame")
        needs_two = ", and with listed videos it takes two" if as_video and usable == 1 else ""
        return f"{usable} of {samples} with enough detail to be compared{needs_two}"


def _moments(groups: Iterable[LocatedHash | OrientedHashes]) -> set[tuple[int, float]]:
    return {moment for group in groups for moment in group.moments}


def _find_matching_kinds(hash_list: HashList, policy: Policy) -> frozenset[str]:
    """Return the kinds for which a confirmed or disputed record has a usable value."""
    return frozenset(
        kind
        for kind in hash_list.kinds
        if hash_list.can_match(kind, floor=policy.floor.get(kind, 0))
    )
