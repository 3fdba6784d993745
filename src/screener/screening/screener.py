"""Screener: one item in, one Result out."""

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
from screener.media.source import Item, Name, name_of_label
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher
from screener.screening.matching import video_search
from screener.screening.matching.bare_hashes import NO_MATCH, UNDECIDED, BareHashes
from screener.screening.matching.coverage import Coverage
from screener.screening.matching.criteria import Criteria
from screener.screening.matching.hits import HitSummary, InputHits
from screener.screening.matching.lookup import look_up, queries_of, search
from screener.screening.policy import Policy
from screener.screening.result import ListState, Reason, Result, Verdict
from screener.system.installation import __version__

_log = logging.getLogger(__name__)
_warned: set[Path] = set()  # lists whose pixel versions were reported
_NO_NAME = Name()
_CLOCK_SKEW_S = 300.0  # by which the clock of an importer may be ahead

VERSIONS: tuple[tuple[str, str | int], ...] = (
    ("screener", __version__),
    ("pixels", pixels.VERSION),
    ("kernel", _core.KERNEL),
)


def warn_of_pixel_versions(hash_list: HashList) -> None:
    """Log a warning, once a list, if hashes in it come from another pixel pipeline."""
    others = sorted(hash_list.pixels() - {pixels.VERSION})
    if others and hash_list.path not in _warned:
        _warned.add(hash_list.path)
        _log.warning(
            "the list %s holds hashes made by version %s of the pixel pipeline, and this is version"
            " %d: their distances may be larger than they should be",
            hash_list.name,
            ", ".join(map(str, others)),
            pixels.VERSION,
        )


def check_screener(screener: object, call: str) -> None:
    """Raise TypeError unless `call` got a Screener."""
    if not isinstance(screener, Screener):
        raise TypeError(f"{call} needs a Screener, got {type(screener).__name__}")


class Screener:
    """One or several lists and a policy. Immutable, and safe to share between threads.

    `Screener(HashList.open("known.list"))`, or a sequence of lists. Raises ListError if two lists
    have one name or one is not a HashList, and PolicyError if a list is older than the policy
    allows.
    """

    def __init__(
        self, lists: HashList | Sequence[HashList], *, policy: Policy | None = None
    ) -> None:
        self._lists = _hash_lists(lists)
        self._policy = Policy() if policy is None else policy
        if not isinstance(self._policy, Policy):
            raise PolicyError(
                f"expected a Policy, got {type(policy).__name__}: use Policy(radius={{'pdq': 31}})"
                " or Policy.load(path)"
            )
        for hash_list in self.lists:
            _check_age(hash_list, self.policy)
            warn_of_pixel_versions(hash_list)
        self._coverage = Coverage(self.lists, self.policy)
        self._bare_hashes = BareHashes(self.lists, self.policy, self._coverage.floors())
        self._last_no_match: Result | None = None
        self._hashing_policy = self.policy
        if any(self._coverage.compares_videos(one) for one in self.lists):
            sampling = replace(self.policy.sampling, against_videos=True)
            self._hashing_policy = replace(self.policy, sampling=sampling)
        listed = {kind for one in self.lists for kind in one.kinds}
        self._kinds = tuple(kind for kind in KINDS.values() if self._is_computed(kind, listed))

    def __repr__(self) -> str:
        lists = ", ".join(f"{one.name}:{one.generation}" for one in self.lists)
        return f"<Screener of {lists}, policy {self.policy.fingerprint}>"

    def _is_computed(self, kind: HashKind, listed: set[str]) -> bool:
        if kind.digest:
            return kind.name in listed
        # Videos are compared by the PDQs of their frames.
        needed = kind.name in listed or (kind.name == "pdq" and video_search.KIND in listed)
        return kind.perceptual and kind.computed and needed and not self.policy.digests_only

    @property
    def lists(self) -> tuple[HashList, ...]:
        """The lists. For newer generations `refresh`, for other lists make another Screener."""
        return self._lists

    @property
    def policy(self) -> Policy:
        """The policy. For another one, make another Screener of the same lists."""
        return self._policy

    @property
    def kinds(self) -> tuple[HashKind, ...]:
        """The kinds of hashes that are computed: those that a list holds and the policy allows."""
        return self._kinds

    def screen(self, item: Item, *, input: str | None = None) -> Result:
        """Screen a path, bytes, file object, Pillow image, or RGB or grey array.

        `input` names it in the Result; by default a file has its own name, bytes and pixels none.

        A file object is read from its position to its end. A Pillow image or an array is one frame
        of pixels: its file's digests, other pages, thumbnails and hidden pictures are not screened,
        so pass the file or its bytes if you can. OpenCV arrays are BGR: pass `bgr[:, :, ::-1]`. An
        archive is `unsupported` unless its own digest is listed: use `scan` for its members.

        Raises TypeError for an item of another type, and HashError for an array of another shape or
        of other numbers than uint8, uint16, bool or floats; `screen_many` returns a Result for
        those too. A crash in a decoder's C code ends the process: `scan` decodes in worker
        processes instead.
        """
        source.check_item(item)
        return self.screen_many([item], inputs=[input])[0]

    def screen_many(
        self, items: Iterable[Item], *, inputs: Sequence[str | None] | None = None
    ) -> list[Result]:
        """Screen several items with one search for all of them; results in the same order.

        `inputs` names them in their Results; None in it keeps the name that `screen` uses.
        An array of frames is several items: (n, H, W), or (n, H, W, 3).

        Every item has a Result: one that `screen` would refuse, such as None in a column of paths,
        is `unreadable`, and its detail names the type. Raises TypeError if `items` is a single
        item; HashError if `inputs` are not names, or not as many.
        """
        exact = self.hasher
        sketching = replace(exact, sketches=True)
        listed = source.list_items(items)
        names = _names(inputs, len(listed))
        # A stream can be read only once, so it is hashed exactly at once.
        hashed = [
            _hashed(exact if hasattr(item, "read") else sketching, item, name)
            for item, name in zip(listed, names, strict=True)
        ]
        return [
            next(self.decide([_hashed(exact, item, name)])) if result is None else result
            for item, name, result in zip(listed, names, self.decide_if_sure(hashed), strict=True)
        ]

    def match(self, hashes: Iterable[Hash], *, input: str | None = None) -> Result:
        """Look up one item's hashes that were made elsewhere; `input` names it in the Result.

        They are compared as they are: to find a mirrored or turned picture, pass the hashes of all
        its orientations (`hashing.pdq.compute_orientations`), or screen it.
        """
        return self.match_many([hashes], inputs=None if input is None else [input])[0]

    def match_many(
        self, items: Iterable[Iterable[Hash]], *, inputs: Sequence[str | None] | None = None
    ) -> list[Result]:
        """Look up the hashes of several items with one search; results in the same order.

        The frames of a vPDQ are compared with listed pictures too, as those of a video are. Raises
        HashError if an item is not a list of Hashes, or `inputs` are not names, or not as many.
        """
        return list(self.match_each(items, inputs=inputs))

    def match_each(
        self, items: Iterable[Iterable[Hash]], *, inputs: Sequence[str | None] | None = None
    ) -> Iterator[Result]:
        """Yield the Results of `match_many`, each made when it is asked for.

        So memory never holds all of them: one may name a hundred thousand records. The hashes are
        looked up when the first Result is asked for.
        """
        if not isinstance(items, Iterable):
            raise HashError(
                f"items must be a list of lists of Hash objects, got {type(items).__name__}"
            )
        hashes = list(map(_hash_tuple, items))
        return self._match_each(hashes, _names(inputs, len(hashes)))

    def _match_each(self, items: list[tuple[Hash, ...]], names: list[Name]) -> Iterator[Result]:
        answers = self._bare_hashes.look_up(items)
        undecided = [n for n, answer in enumerate(answers) if answer is UNDECIDED]
        inputs = [_input_of(names[n], items[n]) for n in undecided]
        decided = self.decide(inputs) if inputs else iter(())
        no_match = self._no_match()
        for name, answer in zip(names, answers, strict=True):
            if answer is NO_MATCH:
                yield _renamed(no_match, name)
            elif answer is UNDECIDED:
                yield next(decided)
            else:
                item = HashedInput(name, answer.hashes)
                yield self._result(item, answer.summary(), no_match)

    @property
    def hasher(self) -> Hasher:
        """The Hasher that computes what this Screener looks up; it knows no list."""
        return Hasher(self._hashing_policy, self._kinds)

    def decide(self, items: Sequence[HashedInput]) -> Iterator[Result]:
        """Look up several inputs that the `hasher` hashed; yield Results in the same order.

        Each Result is made when it is asked for, since it may name very many records. Raises
        RuntimeError if bits in doubt of an input's hashes decide its Result: see `decide_if_sure`.
        """
        return map(_sure, self.decide_if_sure(items))

    def decide_if_sure(self, items: Sequence[HashedInput]) -> Iterator[Result | None]:
        """Return the Results of `decide`, None for an input that has to be hashed exactly.

        That is one whose bits in doubt decide whether a record matches, or how near it is. All
        inputs are looked up when this returns; each Result is made when it is asked for.
        """
        hits = [InputHits(item.hashes, video=item.video) for item in items]
        queries = queries_of(items, self.policy)
        for hash_list in self.lists:
            kinds = hash_list.kinds
            for of_kind in queries:
                if of_kind.kind.name in kinds:
                    look_up(hash_list, of_kind, hits, self.policy)
            if video_search.KIND in kinds and not self.policy.digests_only:
                for number, match in video_search.search(hash_list, items, self.policy):
                    hits[number].add_video(match)
        no_match = self._no_match()
        return (
            None
            if found.unsure or self._coverage.depends_on_doubt(item)
            else self._result(item, found.summary(), no_match)
            for item, found in zip(items, hits, strict=True)
        )

    def has_hit(
        self, kind: HashKind, codes: NDArray[np.uint8], *, threads: int = 1
    ) -> NDArray[np.bool_]:
        """Return for each code of a kind whether a listed one is near enough for a match."""
        hit, criteria = np.zeros(len(codes), np.bool_), Criteria(self.policy)
        for hash_list in self.lists:
            if kind.name in hash_list.kinds:
                radius = criteria.widest(hash_list, kind)
                offsets, _, _ = search(hash_list, kind, codes, radius, threads)
                hit |= np.diff(offsets) > 0
        return hit

    @property
    def floors(self) -> list[dict[str, int]]:
        """`Coverage.floors` of these lists and this policy."""
        return self._coverage.floors()

    def unscreened(self, name: Name, reason: Reason, detail: str) -> Result:
        """Return the Result of an item that could not even be hashed."""
        item = HashedInput(name, trouble=MediaError(str(reason), detail))
        return self._result(item, HitSummary(), self._no_match())

    def warm(self) -> None:
        """Read the mapped lists into memory, so that the first look-ups are fast."""
        for hash_list in self.lists:
            hash_list.warm()

    def refresh(self) -> Screener:
        """Return a Screener of every list's newest generation; this one if nothing is newer.

        Raises PolicyError if a list is older by now than the policy allows. This Screener keeps
        answering as before.
        """
        lists = tuple(one.refresh() for one in self.lists)
        if all(new is old for new, old in zip(lists, self.lists, strict=True)):
            for hash_list in lists:
                _check_age(hash_list, self.policy)
            return self
        return Screener(lists, policy=self.policy)

    def _no_match(self) -> Result:
        """Return the Result of a nameless item without hits, cached while no list's age changes."""
        ages = [int(one.age_s()) for one in self.lists]
        last = self._last_no_match
        if last is not None and [state.age_s for state in last.lists] == ages:
            return last
        self._last_no_match = last = Result(
            input=None,
            input_bytes=None,
            bytes=None,
            mtime_ns=None,
            verdict=Verdict.NO_MATCH,
            reason=None,
            detail=None,
            media=None,
            matches=(),
            other_hits=(),
            lists=tuple(
                ListState(one.name, one.generation, one.stamp(), age)
                for one, age in zip(self.lists, ages, strict=True)
            ),
            policy=self.policy.fingerprint,
            versions=VERSIONS,
        )
        return last

    def _result(self, item: HashedInput, hits: HitSummary, no_match: Result) -> Result:
        verdict, reason, detail = self._coverage.verdict(item, hits.matches)
        return _renamed(
            no_match,
            item.name,
            bytes=item.name.size,
            mtime_ns=item.name.mtime_ns,
            verdict=verdict,
            reason=reason,
            detail=detail,
            media=item.media,
            matches=hits.matches,
            other_hits=hits.other_hits,
            timeline=hits.timeline,
            seconds=item.seconds,
            extra=item.trouble.extra if item.trouble and reason is not None else None,
            archives=item.name.archives,
            same=item.name.same,
        )


def _hash_lists(lists: Any) -> tuple[HashList, ...]:
    several = isinstance(lists, Iterable) and not isinstance(lists, str)
    hash_lists = tuple(lists) if several else (lists,)
    for one in hash_lists:
        if not isinstance(one, HashList):
            raise ListError(
                f"a Screener needs HashLists, got {type(one).__name__}: open one with"
                " HashList.open(path)"
            )
    if not hash_lists:
        raise ListError("a Screener needs at least one list")
    name, count = Counter(one.name for one in hash_lists).most_common(1)[0]
    if count > 1:
        raise ListError(
            f"{count} lists are called {name}, and a match names its list: pass each list once, and"
            " rename others"
        )
    return hash_lists


def _hash_tuple(item: Any) -> tuple[Hash, ...]:
    several = isinstance(item, Iterable) and not isinstance(item, str | bytes)
    hashes = tuple(item) if several else (item,)
    wrong = [one for one in hashes if not isinstance(one, Hash)]
    if wrong or not several:
        name = type((wrong or hashes)[0]).__name__
        raise HashError(
            f"an item must be a list of Hash objects, such as [Hash.parse('pdq', text)], got {name}"
        )
    return hashes


def _names(inputs: Any, count: int) -> list[Name]:
    """Return `count` names.

    Raises HashError for another number of names, a single string, a set or a mapping.
    """
    if inputs is None:
        return [_NO_NAME] * count
    alone = isinstance(inputs, str | bytes) or not isinstance(inputs, Iterable)
    if alone or isinstance(inputs, set | frozenset | Mapping):
        raise HashError(
            f"inputs must be a list of names, one for each item, got {type(inputs).__name__}"
        )
    names = list(inputs)
    if len(names) != count:
        raise HashError(f"inputs must be as many as items: {len(names)} for {count} items")
    return [_name(one) for one in names]


def _name(label: Any) -> Name:
    # A Result could not carry a number.
    if label is not None and not isinstance(label, str | bytes | PathLike):
        raise HashError(f"the name of an item must be text, got {type(label).__name__}")
    return name_of_label(label)


def _hashed(hasher: Hasher, item: Item, name: Name) -> HashedInput:
    """Return an item's hashes under a name, if that has a text; `unreadable` if it is none."""
    try:
        source.check_item(item)
    except (TypeError, HashError) as error:
        hashed = HashedInput(Name(), trouble=MediaError("unreadable", str(error)))
    else:
        hashed = hasher.hash(item)
    if name.text is None:
        return hashed
    return replace(hashed, name=replace(hashed.name, text=name.text, raw=name.raw))


def _input_of(name: Name, hashes: tuple[Hash, ...]) -> HashedInput:
    located = (part for one in hashes for part in video_search.located(one))
    return HashedInput(name, tuple(located))


def _renamed(result: Result, name: Name, **changes: Any) -> Result:
    """Return the Result under another name, with other values of some fields."""
    # Ten times as fast as `dataclasses.replace`.
    made = object.__new__(Result)
    made.__dict__.update(result.__dict__, input=name.text, input_bytes=name.raw, **changes)
    return made


def _sure(result: Result | None) -> Result:
    if result is None:
        raise RuntimeError("bits in doubt decide this input: hash it with `Hasher.exact()`")
    return result


def _check_age(hash_list: HashList, policy: Policy) -> None:
    if policy.max_list_age is None:
        return
    age, ahead = hash_list.age_s(), hash_list.ahead_s()
    if ahead > _CLOCK_SKEW_S:
        raise PolicyError(
            f"the list {hash_list.name} was imported at a time {int(ahead)} s in the future, so its"
            " age, which the policy limits, is unknown: the clock was wrong then or is wrong now."
            " Set it; if it is right now, import a file into the list again"
        )
    if age > policy.max_list_age:
        raise PolicyError(
            f"the list {hash_list.name} is {int(age)} s old and the policy allows"
            f" {int(policy.max_list_age)} s: import a newer file into it"
        )
