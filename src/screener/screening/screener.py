"""Screener: one item in, one Result out. The place where arrays and objects meet."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import screener._core as _core
from screener.errors import HashError, ListError, MediaError, PolicyError
from screener.hashing.hash import KINDS, Hash, HashKind
from screener.lists.hashlist import HashList
from screener.media import source
from screener.media.image import pixels
from screener.media.source import Item, Name, called
from screener.screening.input.hash_item import Hashed
from screener.screening.input.hasher import Hasher
from screener.screening.matching import video_search
from screener.screening.matching.bare_hashes import BareHashes
from screener.screening.matching.coverage import Coverage
from screener.screening.matching.criteria import Reach
from screener.screening.matching.hits import Found, Told
from screener.screening.matching.lookup import look_up, queries_of
from screener.screening.policy import Policy, check_policy
from screener.screening.result import ListState, Reason, Result, Verdict
from screener.system.installation import __version__

_log = logging.getLogger(__name__)
_mixed: set[Path] = set()  # lists of which it was said


def warn_of_other_pixels(one: HashList) -> None:
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


_NO_NAME = Name()


def lists_of(given: Any) -> tuple[HashList, ...]:
    """The one list or several; ListError where they are something else, such as a path."""
    several = isinstance(given, Iterable) and not isinstance(given, str)
    lists = tuple(given) if several else (given,)
    for one in lists:
        if not isinstance(one, HashList):
            raise ListError(
                f"a Screener is of HashLists, not of {type(one).__name__}: HashList.open opens one"
            )
    return lists


def hashes_of(item: Any) -> tuple[Hash, ...]:
    """The hashes of an item; HashError where they are something else, or one that stands alone."""
    several = isinstance(item, Iterable) and not isinstance(item, str | bytes)
    hashes = tuple(item) if several else (item,)
    wrong = [one for one in hashes if not isinstance(one, Hash)]
    if wrong or not several:
        found = type((wrong or hashes)[0]).__name__
        raise HashError(
            f"an item is a list of Hash objects, [Hash.parse('pdq', text)] say, and not {found}"
        )
    return hashes


def names_of(inputs: Any, count: int) -> list[Name]:
    """The names of so many items; HashError for other than so many, for one alone, whose letters
    would be names, for a set, which has no order, and for what says more than names.
    """
    if inputs is None:
        return [_NO_NAME] * count
    alone = isinstance(inputs, str | bytes) or not isinstance(inputs, Iterable)
    if alone or isinstance(inputs, set | frozenset | Mapping):
        raise HashError(f"inputs are a list of names, one an item, and not {type(inputs).__name__}")
    names = list(inputs)
    if len(names) != count:
        raise HashError(f"{len(names)} inputs name {count} items")
    return [_named(name) for name in names]


def _named(given: Any) -> Name:
    """The name of an item; HashError for a number, which no Result could carry."""
    if given is not None and not isinstance(given, str | bytes | PathLike):
        raise HashError(f"an item is named by a text, not by {type(given).__name__}")
    return called(given)


_AHEAD_S = 300.0  # by which the clock of whoever imports a list may be ahead of ours

VERSIONS: tuple[tuple[str, str | int], ...] = (
    ("screener", __version__),
    ("pixels", pixels.VERSION),
    ("kernel", _core.KERNEL),
)


class Screener:
    """One or several lists and a policy. Immutable, and safe to share between threads.

    `Screener(HashList.open("known.list"))`, or a sequence of lists. Raises ListError where two
    lists have one name or one is no HashList, and PolicyError where a list is older than the policy
    allows.
    """

    def __init__(
        self, lists: HashList | Sequence[HashList], *, policy: Policy | None = None
    ) -> None:
        self._lists = lists_of(lists)
        self._policy = Policy() if policy is None else policy
        check_policy(self.policy)
        if not self.lists:
            raise ListError("a Screener needs at least one list")
        name, often = Counter(one.name for one in self.lists).most_common(1)[0]
        if often > 1:
            raise ListError(
                f"{often} lists are called {name}, and a match names its list: give each once, and"
                " rename those that are others"
            )
        for one in self.lists:
            _check_age(one, self.policy)
            warn_of_other_pixels(one)
        held = {kind for one in self.lists for kind in one.kinds}
        self._coverage = Coverage(self.lists, self.policy)
        self._known: Result | None = None
        self._bare = BareHashes(self.lists, self.policy, self._coverage.floors())
        self._hashing = self.policy
        if any(self._coverage.by_videos(one) for one in self.lists):
            sampling = replace(self.policy.sampling, against_videos=True)
            self._hashing = replace(self.policy, sampling=sampling)
        self._wanted = tuple(kind for kind in KINDS.values() if self._is_wanted(kind, held))

    def __repr__(self) -> str:
        """Of which lists and generations, and by which policy; nothing of their content."""
        lists = ", ".join(f"{one.name}:{one.generation}" for one in self.lists)
        return f"<Screener of {lists}, policy {self.policy.fingerprint}>"

    def _is_wanted(self, kind: HashKind, held: set[str]) -> bool:
        """Whether a kind is to be computed; videos are compared by the PDQs of their frames."""
        if kind.digest:
            return kind.name in held
        needed = kind.name in held or (kind.name == "pdq" and video_search.KIND in held)
        return kind.perceptual and kind.computed and needed and not self.policy.digests_only

    @property
    def lists(self) -> tuple[HashList, ...]:
        """The lists; for others, or newer ones, make another Screener, or `refresh`."""
        return self._lists

    @property
    def policy(self) -> Policy:
        """The policy; for another, make another Screener of the same lists."""
        return self._policy

    @property
    def kinds(self) -> tuple[HashKind, ...]:
        """The kinds that are made of an input: those that a list holds and the policy wants."""
        return self._wanted

    def screen(self, item: Item, *, input: str | None = None) -> Result:
        """Screen a path, bytes, file object, Pillow image, or RGB or grey array.

        `input` names it in the Result; without it a file has its own name, and bytes and pixels
        have none.

        A file object is read from where it stands to its end. A Pillow image is the one frame that
        it stands at: of what else its file holds (digests, other frames and pages, thumbnails,
        hidden pictures) the Result says nothing, so give the file or its bytes where there are any.
        An array likewise, and OpenCV's are BGR: `bgr[:, :, ::-1]` is RGB. An archive is not opened,
        and `unsupported` unless its own digest is listed: `scan` has a Result for each member.

        One Result whatever the input holds. Raises TypeError for what is none of these, and
        HashError for an array of another shape, or of other numbers than uint8, uint16, bool or
        floats: `screen_many` has a Result for those too. A crash of a decoder's C code takes the
        process with it: `scan` runs each file in a worker process that may die.
        """
        source.check(item)
        return self.screen_many([item], inputs=[input])[0]

    def screen_many(
        self, items: Iterable[Item], *, inputs: Sequence[str | None] | None = None
    ) -> list[Result]:
        """Screen several items with one search for all of them; results in the same order.

        `inputs` names them in their Results; one that is None keeps the name that `screen` gives.
        An array of frames is several items: (n, H, W), or (n, H, W, 3).

        Each item has a Result, whatever it is: one that `screen` would refuse, such as None in a
        column of paths, is `unreadable`, and its detail names the type. Raises TypeError if
        `items` is one item, or none; HashError if `inputs` are not names, or not as many.
        """
        surely = self.hasher
        sketching = replace(surely, sketches=True)
        given = source.several(items)
        names = names_of(inputs, len(given))
        # What can be read once only is hashed surely at once.
        hashed = [
            _hashed(surely if hasattr(item, "read") else sketching, item, name)
            for item, name in zip(given, names, strict=True)
        ]
        return [
            next(self.decide([_hashed(surely, item, name)])) if result is None else result
            for item, name, result in zip(given, names, self.settle(hashed), strict=True)
        ]

    def match(self, hashes: Iterable[Hash], *, input: str | None = None) -> Result:
        """Look up hashes of one item that were made elsewhere; `input` names it in the Result.

        Each is compared as it is: a mirrored or turned picture is found by the hashes of all its
        orientations, `hashing.pdq.compute_orientations`, or if it is screened itself.
        """
        return self.match_many([hashes], inputs=None if input is None else [input])[0]

    def match_many(
        self, items: Iterable[Iterable[Hash]], *, inputs: Sequence[str | None] | None = None
    ) -> list[Result]:
        """Look up the hashes of several items with one search; results in the same order. The
        frames of a vPDQ are looked up among pictures too, as those of a video are. HashError where
        an item is no list of Hashes, or `inputs` are no names, or not as many.
        """
        return list(self.match_each(items, inputs=inputs))

    def match_each(
        self, items: Iterable[Iterable[Hash]], *, inputs: Sequence[str | None] | None = None
    ) -> Iterator[Result]:
        """As `match_many`, but each Result is made when it is asked for, so that they need not all
        be held: one may name a hundred thousand records. All are looked up when the first is.
        """
        if not isinstance(items, Iterable):
            raise HashError(
                "several items are a list, of which each is a list of Hash objects, and not"
                f" {type(items).__name__}"
            )
        hashes = list(map(hashes_of, items))
        return self._each(hashes, names_of(inputs, len(hashes)))

    def _each(self, items: list[tuple[Hash, ...]], names: list[Name]) -> Iterator[Result]:
        told = self._bare.look_up(items)
        usual = [number for number, one in enumerate(told) if one is False]
        decided = self.decide([_located(names[n], items[n]) for n in usual]) if usual else iter(())
        no_match = self._no_match()
        for name, found in zip(names, told, strict=True):
            if found is True:
                yield _of(name, no_match)
            elif found is False:
                yield next(decided)
            else:
                yield self._result(Hashed(name, found.hashes), found.told(), no_match)

    @property
    def hasher(self) -> Hasher:
        """What makes the hashes that this Screener looks up; it knows no list."""
        return Hasher(self._hashing, self._wanted)

    def decide(self, items: Sequence[Hashed]) -> Iterator[Result]:
        """Look up what a `hasher` made of several inputs at once; results in the same order, each
        made when it is asked for: of a hash that very many records hold, one Result is large.

        RuntimeError where one was made by sketches that do not do.
        """
        return map(_surely, self.settle(items))

    def reached(
        self, kind: HashKind, codes: NDArray[np.uint8], *, threads: int = 1
    ) -> NDArray[np.bool_]:
        """Which codes of a kind have a listed one within reach: no other can have a match."""
        found, reach = np.zeros(len(codes), np.bool_), Reach(self.policy)
        for one in self.lists:
            if kind.name not in one.kinds:
                continue
            if kind.digest:
                offsets, _ = one.lookup(kind.name, codes)
            else:
                radius = reach.widest(one, kind)
                offsets, _, _ = one.search(kind.name, codes, radius=radius, threads=threads)
            found |= np.diff(offsets) > 0
        return found

    @property
    def floors(self) -> list[dict[str, int]]:
        """For each list by which an input can be cleared: see `Coverage.floors`."""
        return self._coverage.floors()

    def unscreened(self, name: Name, reason: Reason, detail: str) -> Result:
        """The Result of an item that something outside the Screener kept from being screened."""
        item = Hashed(name, trouble=MediaError(str(reason), detail))
        return self._result(item, Told(), self._no_match())

    def warm(self) -> None:
        """Read the mapped lists once, so that the first lookups find them in memory."""
        for one in self.lists:
            one.warm()

    def refresh(self) -> Screener:
        """A Screener at the newest generation of every list; this one where nothing is newer.

        Raises PolicyError where one is older by now than the policy allows, also where nothing is
        newer. This Screener answers as before.
        """
        lists = tuple(one.refresh() for one in self.lists)
        if all(new is old for new, old in zip(lists, self.lists, strict=True)):
            for one in lists:
                _check_age(one, self.policy)
            return self
        return Screener(lists, policy=self.policy)

    def settle(self, items: Sequence[Hashed]) -> Iterator[Result | None]:
        """As `decide`, of hashes with bits in doubt too: None for an item whose bits in doubt say
        whether a record matches, or how near it is. It has to be hashed surely.

        All of them are looked up when this returns, and each Result is made when it is asked for.
        """
        found = [Found(item.hashes, video=item.video) for item in items]
        queries = queries_of(items, self.policy)
        for one in self.lists:
            held = one.kinds
            for asked in queries:
                if asked.kind.name in held:
                    look_up(one, asked, found, self.policy)
            if video_search.KIND in held and not self.policy.digests_only:
                for number, match in video_search.search(one, items, self.policy):
                    found[number].add_video(match)
        no_match = self._no_match()
        return (
            None
            if hits.unsure or self._coverage.hangs_on_doubt(item)
            else self._result(item, hits.told(), no_match)
            for item, hits in zip(items, found, strict=True)
        )

    def _no_match(self) -> Result:
        """Return the Result of an item without a name that was compared and reached nothing.

        It is the same one until the age of a list changes.
        """
        ages = [int(one.age_s()) for one in self.lists]
        known = self._known
        if known is not None and [one.age_s for one in known.lists] == ages:
            return known
        self._known = known = Result(
            input=None,
            input_bytes=None,
            bytes=None,
            mtime_ns=None,
            verdict=Verdict.NO_MATCH,
            reason=None,
            detail=None,
            media=None,
            matches=(),
            beside=(),
            lists=tuple(
                ListState(one.name, one.generation, one.stamp(), age)
                for one, age in zip(self.lists, ages, strict=True)
            ),
            policy=self.policy.fingerprint,
            versions=VERSIONS,
        )
        return known

    def _result(self, item: Hashed, told: Told, no_match: Result) -> Result:
        verdict, reason, detail = self._coverage.verdict(item, told.matches)
        return _of(
            item.name,
            no_match,
            bytes=item.name.size,
            mtime_ns=item.name.mtime_ns,
            verdict=verdict,
            reason=reason,
            detail=detail,
            media=item.media,
            matches=told.matches,
            beside=told.beside,
            timeline=told.timeline,
            seconds=item.seconds,
            extra=item.trouble.extra if item.trouble and reason is not None else None,
            archives=item.name.archives,
            same=item.name.same,
        )


def _hashed(hasher: Hasher, item: Item, name: Name) -> Hashed:
    """Return what the hasher makes of an item, under a name if that has a text. If it is nothing to
    screen, it is `unreadable`.
    """
    try:
        source.check(item)
    except (TypeError, HashError) as error:
        made = Hashed(Name(), trouble=MediaError("unreadable", str(error)))
    else:
        made = hasher.hash(item)
    if name.text is None:
        return made
    return replace(made, name=replace(made.name, text=name.text, raw=name.raw))


def _located(name: Name, hashes: tuple[Hash, ...]) -> Hashed:
    """Return hashes that were made elsewhere as those of an input."""
    return Hashed(name, tuple(part for one in hashes for part in video_search.located(one)))


def _of(name: Name, result: Result, **changed: Any) -> Result:
    """Return the same Result of an input of another name, with other values of some fields."""
    # In a tenth of the time of `dataclasses.replace`.
    made = object.__new__(Result)
    made.__dict__.update(result.__dict__, input=name.text, input_bytes=name.raw, **changed)
    return made


def _surely(result: Result | None) -> Result:
    if result is None:
        raise RuntimeError("a sketch does not do: hash the item surely")
    return result


def check_screener(screener: object, what: str) -> None:
    """TypeError for anything but a Screener, such as a list; it says what is by one."""
    if not isinstance(screener, Screener):
        raise TypeError(
            f"{what} is by a Screener, Screener(HashList.open(path)) say, and not by"
            f" {type(screener).__name__}"
        )


def _check_age(one: HashList, policy: Policy) -> None:
    if policy.max_list_age is None:
        return
    age, ahead = one.age_s(), one.ahead_s()
    if ahead > _AHEAD_S:
        raise PolicyError(
            f"the list {one.name} was imported at a time that is still to come, in {int(ahead)} s,"
            " so that its age, which the policy limits, is not known: the clock was ahead then, or"
            " is behind now. Set it right; if it is right now, import a file into the list again"
        )
    if age > policy.max_list_age:
        raise PolicyError(
            f"the list {one.name} is {int(age)} s old and the policy allows "
            f"{int(policy.max_list_age)} s: import a newer file into it"
        )
