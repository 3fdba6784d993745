"""Screener: one item in, one Result out. The place where arrays and objects meet."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from screener import _core, video_search
from screener.errors import HashError, ListError, MediaError, PolicyError
from screener.found import Found
from screener.hashed import Hashed
from screener.hasher import Hasher
from screener.hashing.hash import KINDS, Hash, HashKind, kind_named
from screener.lists.hashlist import HashList
from screener.lists.records import Record
from screener.lists.states import State
from screener.located import Located, Turned, groups_of
from screener.media import pixels
from screener.media.source import Item, Name
from screener.policy import Policy
from screener.queries import Queries
from screener.result import ListState, Match, Reason, Result, Verdict
from screener.version import __version__

VERSIONS: tuple[tuple[str, str | int], ...] = (
    ("screener", __version__),
    ("pixels", pixels.VERSION),
    ("kernel", _core.KERNEL),
)

_log = logging.getLogger(__name__)
_mixed: set[Path] = set()  # lists of which it was said that they mix versions of the pipeline


class Screener:
    """One or several lists and a policy. Immutable, and safe to share between threads.

    `Screener(HashList.open("known.list"))`, or a sequence of lists. Raises ListError where two
    lists have one name, and PolicyError where a list is older than the policy allows.
    """

    def __init__(
        self, lists: HashList | Sequence[HashList], *, policy: Policy | None = None
    ) -> None:
        self.lists = (lists,) if isinstance(lists, HashList) else tuple(lists)
        self.policy = Policy() if policy is None else policy
        if not self.lists:
            raise ListError("a Screener needs at least one list")
        names = [one.name for one in self.lists]
        if len(set(names)) < len(names):
            raise ListError(f"two lists have one name ({', '.join(names)}): rename a folder")
        for one in self.lists:
            _check_age(one, self.policy)
            _warn_of_other_pixels(one)
        held = {kind for one in self.lists for kind in one.kinds}
        self._can_match = {one.name: _matching_kinds(one, self.policy) for one in self.lists}
        self._hashing = self.policy
        if any(self._by_videos(one) for one in self.lists):
            sampling = replace(self.policy.sampling, against_videos=True)
            self._hashing = replace(self.policy, sampling=sampling)
        # A list that can make no match (known files, say) need not have been compared, unless there
        # is no other.
        self._clearing = tuple(one for one in self.lists if one.matchable) or self.lists
        self._wanted = tuple(kind for kind in KINDS.values() if self._is_wanted(kind, held))

    def _is_wanted(self, kind: HashKind, held: set[str]) -> bool:
        """Whether a kind is to be computed; videos are compared by the PDQs of their frames."""
        if kind.digest:
            return kind.name in held
        needed = kind.name in held or (kind.name == "pdq" and video_search.KIND in held)
        return kind.perceptual and kind.computed and needed and not self.policy.digests_only

    @property
    def kinds(self) -> tuple[HashKind, ...]:
        """The kinds that are made of an input: those that a list holds and the policy wants."""
        return self._wanted

    def screen(self, item: Item) -> Result:
        """Screen a path, bytes, file object, Pillow image, or RGB or grey array.

        One Result whatever the input holds. A crash of a decoder's C code takes the process
        with it: `scan` runs each file in a worker process that may die.
        """
        return self.screen_many([item])[0]

    def screen_many(self, items: Iterable[Item]) -> list[Result]:
        """Screen several items with one search for all of them; results in the same order."""
        surely = self.hasher
        sketching = replace(surely, sketches=True)
        given = list(items)
        # What can be read once only is hashed surely at once.
        hashed = [(surely if hasattr(one, "read") else sketching).hash(one) for one in given]
        return [
            self.decide([surely.hash(item)])[0] if result is None else result
            for item, result in zip(given, self.settle(hashed), strict=True)
        ]

    def match(self, hashes: Iterable[Hash], *, input: str | None = None) -> Result:
        """Look up hashes of one item that were made elsewhere; `input` names it in the Result."""
        return self.match_many([hashes], inputs=[input])[0]

    def match_many(
        self, items: Iterable[Iterable[Hash]], *, inputs: Sequence[str | None] | None = None
    ) -> list[Result]:
        """Look up the hashes of several items with one search; results in the same order. The
        frames of a vPDQ are looked up among pictures too, as those of a video are.
        """
        located = [
            tuple(part for one in hashes for part in video_search.located(one)) for hashes in items
        ]
        names = [None] * len(located) if inputs is None else list(inputs)
        if len(names) != len(located):
            raise HashError(f"{len(names)} inputs name {len(located)} items")
        return self.decide(
            [Hashed(Name(text=name), hashes) for name, hashes in zip(names, located, strict=True)]
        )

    @property
    def hasher(self) -> Hasher:
        """What makes the hashes that this Screener looks up; it knows no list."""
        return Hasher(self._hashing, self._wanted)

    def decide(self, items: Sequence[Hashed]) -> list[Result]:
        """Look up what a `hasher` made of several inputs at once; results in the same order.

        RuntimeError where one was made by sketches that do not do.
        """
        results = [result for result in self.settle(items) if result is not None]
        if len(results) < len(items):
            raise RuntimeError("a sketch does not do: hash the item surely")
        return results

    def reached(
        self, kind: HashKind, codes: NDArray[np.uint8], *, threads: int = 1
    ) -> NDArray[np.bool_]:
        """Which codes of a kind have a listed one within reach: no other can have a match."""
        found = np.zeros(len(codes), np.bool_)
        for one in self.lists:
            if kind.name not in one.kinds:
                continue
            if kind.digest:
                offsets, _ = one.lookup(kind.name, codes)
            else:
                radius = self._widest(one, kind)
                offsets, _, _ = one.search(kind.name, codes, radius=radius, threads=threads)
            found |= np.diff(offsets) > 0
        return found

    def unscreened(self, name: Name, reason: Reason, detail: str) -> Result:
        """The Result of an item that something outside the Screener kept from being screened."""
        item = Hashed(name, trouble=MediaError(str(reason), detail))
        return self._result(item, Found(()), self._states())

    def warm(self) -> None:
        """Read the mapped lists once, so that the first lookups find them in memory."""
        for one in self.lists:
            one.warm()

    def refresh(self) -> Screener:
        """A Screener at the newest generation of every list; this one where nothing is newer."""
        lists = tuple(one.refresh() for one in self.lists)
        if all(new is old for new, old in zip(lists, self.lists, strict=True)):
            return self
        return Screener(lists, policy=self.policy)

    def settle(self, items: Sequence[Hashed]) -> list[Result | None]:
        """As `decide`, of hashes with bits in doubt too: None for an item whose bits in doubt say
        whether a record matches, or how near it is. It has to be hashed surely.
        """
        found = [Found(item.hashes, video=item.video) for item in items]
        queries = self._queries(items)
        for one in self.lists:
            held = one.kinds
            for asked in queries:
                if asked.kind.name in held:
                    self._look_up(one, asked, found)
            if video_search.KIND in held and not self.policy.digests_only:
                for number, match in video_search.search(one, items, self.policy):
                    found[number].add_video(match)
        states = self._states()
        return [
            None if hits.unsure or self._hangs_on_doubt(item) else self._result(item, hits, states)
            for item, hits in zip(items, found, strict=True)
        ]

    def _hangs_on_doubt(self, item: Hashed) -> bool:
        """Whether bits in doubt say if an item was compared at all: no other hash of it was."""
        if not any(self._may_be_usable(one) for one in groups_of(item.hashes)):
            return False
        return not all(self._compared(one, item) for one in self.lists)

    def _queries(self, items: Sequence[Hashed]) -> list[Queries]:
        """The hashes of all items that are compared, by kind."""
        found: dict[str, Queries] = {}
        for number, item in enumerate(items):
            for group in groups_of(item.hashes):
                chosen = None
                if isinstance(group, Turned):
                    kind = kind_named(group.kind)
                    chosen = group.usable(self.policy.floor.get(group.kind, 0))
                    usable = not self.policy.digests_only and (chosen is None or any(chosen))
                else:
                    kind, usable = group.hash.kind, self._usable(group)
                if usable and (kind.digest or kind.perceptual):
                    queries = found.get(kind.name) or found.setdefault(kind.name, Queries(kind))
                    queries.add(number, group, chosen)
        return list(found.values())

    def _states(self) -> tuple[ListState, ...]:
        return tuple(ListState(one.name, one.generation, int(one.age_s())) for one in self.lists)

    def _look_up(self, one: HashList, queries: Queries, found: list[Found]) -> None:
        """Search one list for one kind's hashes of all items, in a batch for each number of bits in
        doubt; add to `found`.
        """
        kind = queries.kind
        for doubt, codes, numbers in queries.batches:
            if kind.digest:
                offsets, rows = one.lookup(kind.name, codes)
                distances = np.zeros(len(rows), np.uint16)
            else:
                radius = min(self._widest(one, kind) + doubt, kind.bits)
                offsets, rows, distances = one.search(kind.name, codes, radius=radius)
            if not len(rows):
                continue
            holders = one.holders(kind.name, rows)
            for query in np.flatnonzero(np.diff(offsets)).tolist():
                number, located = queries.of(int(numbers[query]))
                for hit in range(int(offsets[query]), int(offsets[query + 1])):
                    for record in holders[hit]:
                        allowed = self._radius(record.state, kind)
                        if int(distances[hit]) > allowed + doubt:
                            continue
                        if doubt:
                            found[number].unsure = True
                        elif self._counts(record, kind):
                            match = _match(one, record, kind, int(distances[hit]), allowed, located)
                            found[number].add(match, located)

    def _radius(self, state: str, kind: HashKind) -> int:
        """The radius in bits for hits on records of a state; 0 for digests."""
        good = state == State.KNOWN_GOOD
        table = self.policy.known_good_radius if good else self.policy.radius
        return table.get(kind.name, 0)

    def _widest(self, one: HashList, kind: HashKind) -> int:
        """The largest radius that a hit of that kind in a list may have."""
        return max(self._radius(state, kind) for state in one.states or ("",))

    def _usable(self, located: Located) -> bool:
        """Whether a query is compared: digests always, perceptual kinds by their floor.

        A hash made elsewhere without a quality is compared: nothing says that it should not be.
        """
        kind = located.hash.kind
        if self.policy.digests_only and not kind.digest:
            return False
        floor, quality = self.policy.floor.get(kind.name, 0), located.hash.quality
        if quality is not None and quality < floor:
            return False
        return located.detail is None or located.detail >= floor

    def _surely_usable(self, located: Located) -> bool:
        """The same of a sketch, whatever its bits in doubt are."""
        floor = self.policy.floor.get(located.hash.kind.name, 0)
        return self._usable(located) and (located.least is None or located.least >= floor)

    def _may_be_usable(self, group: Located | Turned) -> bool:
        """Whether it is for bits in doubt to say if a hash, or one of several, is compared."""
        if isinstance(group, Turned):
            floor = self.policy.floor.get(group.kind, 0)
            return not self.policy.digests_only and group.may_be_usable(floor)
        return group.least is not None and self._usable(group) and not self._surely_usable(group)

    def _counts(self, record: Record, kind: HashKind) -> bool:
        """Whether a listed hash counts: one with a recorded quality below the floor does not."""
        floor = self.policy.floor.get(kind.name, 0)
        return record.quality is None or record.quality >= floor

    def _result(self, item: Hashed, found: Found, states: tuple[ListState, ...]) -> Result:
        matches = [] if found.empty else found.matches()
        verdict, reason, detail = self._verdict(item, matches)
        return Result(
            input=item.name.text,
            input_bytes=item.name.raw,
            bytes=item.name.size,
            mtime_ns=item.name.mtime_ns,
            verdict=verdict,
            reason=reason,
            detail=detail,
            media=item.media,
            matches=tuple(matches),
            beside=() if found.empty else tuple(found.beside()),
            timeline=() if found.empty else found.timeline(),
            lists=states,
            policy=self.policy.fingerprint,
            versions=VERSIONS,
            seconds=item.seconds,
        )

    def _verdict(
        self, item: Hashed, matches: list[Match]
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

    def _compared(self, one: HashList, item: Hashed) -> bool:
        """Whether enough of the item was looked up in the list to carry a `no_match`: hashes of a
        kind by which the list can make a match, not merely one of its seeds or known files. For a
        video that is a share of the frames looked at, for all else one hash. A picture hidden in
        a file says nothing of the one that is shown.
        """
        if self._by_videos(one) and video_search.is_comparable(item, self.policy):
            return True
        if not item.video or item.media is None or self.policy.digests_only:
            return any(self._carries(one, group) for group in groups_of(item.hashes))
        compared = (located for located in item.hashes if self._carries(one, located))
        frames = len(_moments(compared))
        return frames >= max(1, self.policy.sampling.usable * item.media.samples)

    def _carries(self, one: HashList, group: Located | Turned) -> bool:
        """Whether a hash, or one of several, is of a frame and was surely compared, by a kind by
        which the list can make a match.
        """
        if group.part_kind != "frame":
            return False
        if isinstance(group, Turned):
            floor = self.policy.floor.get(group.kind, 0)
            comparable = group.kind in self._can_match[one.name] and not self.policy.digests_only
            return comparable and group.surely_usable(floor)
        kind = group.hash.kind
        return (
            kind.name in self._can_match[one.name]
            and (kind.perceptual or self.policy.digests_only)
            and self._surely_usable(group)
        )

    def _by_videos(self, one: HashList) -> bool:
        """Whether an input may match a video of a list."""
        return video_search.KIND in self._can_match[one.name] and not self.policy.digests_only

    def _why_not_compared(self, one: HashList, item: Hashed) -> tuple[Reason, str]:
        as_video = self._by_videos(one) and video_search.is_video(item)
        shared = [
            located
            for located in item.hashes
            if located.hash.kind.perceptual
            and (as_video or located.hash.kind.name in self._can_match[one.name])
        ]
        if (shared or as_video) and not self.policy.digests_only:
            if not item.video or item.media is None:
                return Reason.TOO_LITTLE_DETAIL, "too little detail to compare"
            usable = len(_moments(located for located in shared if self._usable(located)))
            looked_at = f"{item.media.samples} frames looked at show enough detail"
            return Reason.TOO_LITTLE_DETAIL, f"{usable} of {looked_at} to be compared"
        what = "no digest" if self.policy.digests_only else "no perceptual kind"
        return Reason.NOT_COMPARABLE, f"the list {one.name} shares {what} with this input"


def _moments(hashes: Iterable[Located]) -> set[tuple[int, float]]:
    """The tracks and times of the frames that hashes are of, those that show the same included."""
    return {(one.track, time) for one in hashes for time in (one.time, *one.again)}


def _matching_kinds(one: HashList, policy: Policy) -> frozenset[str]:
    """The kinds by which a list can make a match under the policy's floors."""
    return frozenset(
        kind
        for kind in one.kinds
        # A video has no quality of its own: its frames have.
        if one.can_match(kind, floor=0 if KINDS[kind].video else policy.floor.get(kind, 0))
    )


def _check_age(one: HashList, policy: Policy) -> None:
    age = one.age_s()
    if policy.max_list_age is not None and age > policy.max_list_age:
        raise PolicyError(
            f"the list {one.name} is {int(age)} s old and the policy allows "
            f"{int(policy.max_list_age)} s: import a newer file into it"
        )


def _warn_of_other_pixels(one: HashList) -> None:
    """Say once of a list that hashes in it were made of other pixels than ours are."""
    others = sorted(one.pixels() - {pixels.VERSION})
    if others and one.path not in _mixed:
        _mixed.add(one.path)
        _log.warning(
            "the list %s holds hashes made by version %s of the pixel pipeline, and this is version"
            " %d: their distances may be larger than they should be",
            one.name,
            ", ".join(map(str, others)),
            pixels.VERSION,
        )


def _match(
    one: HashList,
    record: Record,
    kind: HashKind,
    distance: int,
    radius: int,
    located: Located,
) -> Match:
    return Match(
        list=one.name,
        source=record.source,
        entry=record.entry,
        state=str(record.state),
        kind=kind.name,
        distance=distance,
        radius=radius,
        orientation=located.orientation,
        region=located.region,
        part=located.part,
        part_kind=located.part_kind,
        time=located.time,
        category=record.categories,
        said=None if record.said is None else str(record.said),
        opinions=record.opinions,
    )
