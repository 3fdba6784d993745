"""The Screener, which decides a Result for each item."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import screener._core as _core
from screener.errors import HashError, ListError, MediaError, PolicyError, some
from screener.hashing import classic, pdq
from screener.hashing.hash import KINDS, Hash, HashKind, checked_kinds
from screener.lists.hashlist import HashList
from screener.media import source
from screener.media.image import pixels
from screener.media.name import Name, name_of_label
from screener.media.remote.copying import copy_url
from screener.media.remote.url import is_file_url, is_url, name_of_url, path_of_file_url
from screener.media.source import Item
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher
from screener.screening.list_policy import Mode
from screener.screening.matching import video_search
from screener.screening.matching.bare_hashes import NO_MATCH, UNDECIDED, BareHashMatcher
from screener.screening.matching.criteria import Criteria
from screener.screening.matching.evidence_search import (
    find_effort,
    find_threshold,
    match_evidence,
)
from screener.screening.matching.hash_search import collect_queries, match_hashes, search_list
from screener.screening.matching.hits import HitSummary, InputHits
from screener.screening.matching.sample import Sample
from screener.screening.matching.verdict import VerdictRules, find_enforced
from screener.screening.policy import Effort, Policy
from screener.screening.result import ListState, Reason, Result, Verdict
from screener.system.installation import __version__

_log = logging.getLogger(__name__)
_warned_lists: set[Path] = set()  # lists whose pixel versions were reported
_warned_names: set[str] = set()  # names of lists in policies that were reported
_NO_NAME = Name()
_MAX_CLOCK_SKEW_SECONDS = 300.0  # by which an importer's clock may be ahead
_MAX_SELECTIONS = 64  # of a Screener's lists, whose Screeners are cached

VERSIONS: tuple[tuple[str, str | int], ...] = (
    ("screener", __version__),
    ("pixels", pixels.VERSION),
    ("kernel", _core.KERNEL),
)


def warn_of_pixel_versions(hash_list: HashList) -> None:
    """Log a warning, once per list, if another pixel pipeline made some of its hashes."""
    others = sorted(hash_list.pixels() - {pixels.VERSION})
    if others and hash_list.path not in _warned_lists:
        _warned_lists.add(hash_list.path)
        _log.warning(
            "the list %s holds hashes made by version %s of the pixel pipeline, and this is version"
            " %d: their distances may be larger than they should be",
            hash_list.name,
            ", ".join(map(str, others)),
            pixels.VERSION,
        )


def warn_of_unknown_lists(policy: Policy, lists: Iterable[HashList]) -> None:
    """Log a warning, once per name, if a policy has settings for a list that is not there.

    It is no error, since one policy may serve several calls with different lists.
    """
    names = [hash_list.name for hash_list in lists]
    for unknown in policy.lists.keys() - set(names) - _warned_names:
        _warned_names.add(unknown)
        _log.warning(
            "the policy has settings for a list %r, but no list here is called that (%s): they"
            " change nothing",
            unknown,
            ", ".join(names),
        )


def check_screener(screener: object, call: str) -> None:
    """Raise TypeError if `call` did not get a Screener."""
    if not isinstance(screener, Screener):
        raise TypeError(f"{call} needs a Screener, got {type(screener).__name__}")


class Screener:
    """Screens items against hash lists under a policy.

    Create one with `Screener(HashList.open("known.list"))`. It is immutable, and safe to share
    between threads.

    Parameters:
        lists: One HashList, or several with different names; none only with `extra_kinds`.
        policy: The rules to decide by; by default `Policy()`.
        extra_kinds: Kinds that the `hasher` computes even if no list holds them.
        ageless: Names of lists that may be of any age, since no source confirms them.

    Raises:
        ListError: If two lists have the same name, or one is not a HashList.
        PolicyError: If a list is older than the policy allows.
    """

    def __init__(
        self,
        lists: HashList | Sequence[HashList],
        *,
        policy: Policy | None = None,
        extra_kinds: Sequence[HashKind] = (),
        ageless: Collection[str] = (),
    ) -> None:
        self._lists = _parse_lists(lists, may_be_none=bool(extra_kinds))
        self._policy = Policy() if policy is None else policy
        if not isinstance(self._policy, Policy):
            raise PolicyError(
                f"expected a Policy, got {type(policy).__name__}: use Policy(radius={{'pdq': 31}})"
                " or Policy.load(path)"
            )
        self._searched = tuple(
            one for one in self.lists if self.policy.of_list(one.name).mode is not Mode.OFF
        )
        self._enforced = find_enforced(self.lists, self.policy)
        self._ageless = frozenset(ageless)
        for hash_list in self.aging:
            _check_age(hash_list, self.policy)
        for hash_list in self.searched:
            warn_of_pixel_versions(hash_list)
        warn_of_unknown_lists(self.policy, self.lists)
        is_weighed = any(find_threshold(hash_list, self.policy) for hash_list in self.searched)
        self._effort = self.policy.effort if is_weighed else Effort.DISTANCE
        self._weighed = frozenset(
            one.name for one in self.enforced if find_threshold(one, self.policy)
        )
        self._sample = Sample(self.searched, self.policy)
        self._verdict_rules = VerdictRules(self.searched, self.policy)
        self._bare_hash_matcher = BareHashMatcher(self.searched, self.policy, self.clearing_floors)
        self._cached_template: Result | None = None
        self._sampled_states: dict[frozenset[str], tuple[ListState, ...]] = {}
        self._selections: dict[frozenset[str], Screener] = {}
        self._hashing_policy = self.policy
        if any(self._verdict_rules.compares_videos(hash_list) for hash_list in self.searched):
            sampling = replace(self.policy.sampling, against_videos=True)
            self._hashing_policy = replace(self.policy, sampling=sampling)
        listed = {kind for hash_list in self.searched for kind in hash_list.kinds}
        if "pdq" not in listed:  # listed videos are not compared with insets
            self._hashing_policy = replace(self._hashing_policy, insets=0)
        self._extra_kinds = checked_kinds(extra_kinds)
        self._kinds = tuple(
            kind
            for kind in KINDS.values()
            if kind in self._extra_kinds or self._is_computed(kind, listed)
        )

    def __repr__(self) -> str:
        lists = ", ".join(f"{hash_list.name}:{hash_list.generation}" for hash_list in self.lists)
        return f"<Screener of {lists}, policy {self.policy.fingerprint}>"

    def _is_computed(self, kind: HashKind, listed: set[str]) -> bool:
        if kind.digest:  # the sample is drawn by SHA-256
            return kind.name in listed or (kind.name == "sha256" and self._sample.is_partial)
        # Videos are compared by the PDQs of their frames.
        is_needed = kind.name in listed or (kind.name == "pdq" and video_search.KIND in listed)
        return kind.perceptual and kind.computed and is_needed and not self.policy.digests_only

    @property
    def lists(self) -> tuple[HashList, ...]:
        """The lists. `refresh` returns a Screener of their newest generations."""
        return self._lists

    @property
    def searched(self) -> tuple[HashList, ...]:
        """The lists that the policy does not turn off."""
        return self._searched

    @property
    def enforced(self) -> tuple[HashList, ...]:
        """The lists that make matches: those that are neither off nor in shadow."""
        return self._enforced

    @property
    def ageless(self) -> frozenset[str]:
        """The names of lists that may be of any age."""
        return self._ageless

    @property
    def aging(self) -> tuple[HashList, ...]:
        """The lists that `max_list_age` limits: enforced ones, unless they are `ageless`."""
        return tuple(one for one in self.enforced if one.name not in self._ageless)

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self._policy

    @property
    def effort(self) -> Effort:
        """The policy's effort, or `distance` if no list is searched by evidence."""
        return self._effort

    @property
    def kinds(self) -> tuple[HashKind, ...]:
        """The computed kinds: those that lists hold and the policy allows, and the extra ones."""
        return self._kinds

    def screen(self, item: Item, *, input: str | None = None) -> Result:
        """Screen a path, URL, bytes, file object, Pillow image, or RGB or grey array.

        A text such as `s3://bucket/photo.jpg` is the URL of one object (docs/data.md). A file
        object is read from its position to its end. A Pillow image or an array is one frame of
        pixels: its file's digests, other pages, thumbnails and hidden pictures are not screened, so
        pass the file or its bytes if you can. OpenCV arrays are BGR: pass `bgr[:, :, ::-1]`. An
        archive is `unsupported` unless its own digest is listed: use `scan` for its members.

        A crash in a decoder's C code ends the process: `scan` decodes in worker processes instead.

        Parameters:
            item: The file or picture.
            input: The name in the Result; by default that of a file, None for bytes and pixels.

        Raises:
            TypeError: If the item is of another type.
            HashError: If an array has another shape or numbers other than uint8, uint16, bool or
                floats, or if a list has hashes that need the extra `hashes`.
        """
        source.check_item(item)
        return self.screen_many([item], inputs=[input])[0]

    def screen_many(
        self, items: Iterable[Item], *, inputs: Sequence[str | None] | None = None
    ) -> list[Result]:
        """Screen several items with one search for all of them.

        Every item has a Result. An item that `screen` would refuse, such as None in a column of
        paths, is `unreadable`, and its detail names the type.

        Parameters:
            items: The items. An array of shape (n, H, W) or (n, H, W, 3) is n items.
            inputs: One name per item for the Results; None keeps the name that `screen` uses.

        Returns:
            The Results, in the order of the items.

        Raises:
            TypeError: If `items` is a single item.
            HashError: If `inputs` is not a list of one name per item, or if a list has hashes that
                need the extra `hashes`.
        """
        classic.check_installed(self.kinds)
        exact = self.hasher
        sketching = replace(exact, sketches=True)
        item_list = source.list_items(items)
        names = _parse_names(inputs, len(item_list))
        # A stream can be read only once, and a URL should be, so their hashes must be exact.
        hashed = [
            _hash_named(exact if hasattr(item, "read") or is_url(item) else sketching, item, name)
            for item, name in zip(item_list, names, strict=True)
        ]
        results = self.decide_if_sure(hashed)
        return [
            next(self.decide([_hash_named(exact, item, name)])) if result is None else result
            for item, name, result in zip(item_list, names, results, strict=True)
        ]

    def match(self, hashes: Iterable[Hash], *, input: str | None = None) -> Result:
        """Match one item's hashes that were made elsewhere.

        A PDQ, or a vPDQ, is also searched turned and mirrored, by codes derived from its bits. They
        are less exact for small pictures: if you can, pass the hashes of all orientations
        (`hashing.pdq.compute_orientations`), which are compared as they are, or screen the picture.
        `input` is the name in the Result.
        """
        return self.match_many([hashes], inputs=None if input is None else [input])[0]

    def match_many(
        self, items: Iterable[Iterable[Hash]], *, inputs: Sequence[str | None] | None = None
    ) -> list[Result]:
        """Match the hashes of several items with one search for all of them.

        The frames of a vPDQ are compared with listed pictures too, like those of a video.

        Parameters:
            items: The hashes of each item.
            inputs: One name or None per item for the Results.

        Returns:
            The Results, in the order of the items.

        Raises:
            HashError: If an item is not a list of Hashes, or `inputs` is not a list of one name per
                item.
        """
        return list(self.match_each(items, inputs=inputs))

    def match_each(
        self, items: Iterable[Iterable[Hash]], *, inputs: Sequence[str | None] | None = None
    ) -> Iterator[Result]:
        """Yield the Results of `match_many` one by one.

        A Result may name a hundred thousand records, so each is made only when it is requested. The
        search runs when the first one is.
        """
        if not isinstance(items, Iterable):
            raise HashError(
                f"items must be a list of lists of Hash objects, got {type(items).__name__}"
            )
        hashes = list(map(_parse_hashes, items))
        return self._match_each(hashes, _parse_names(inputs, len(hashes)))

    def _match_each(self, items: list[tuple[Hash, ...]], names: list[Name]) -> Iterator[Result]:
        derive = [not _has_orientations(hashes) for hashes in items]
        answers = self._bare_hash_matcher.match(items, derive)
        undecided = [number for number, answer in enumerate(answers) if answer is UNDECIDED]
        inputs = [_locate_hashes(names[one], items[one], derive[one]) for one in undecided]
        decided = self.decide(inputs) if inputs else iter(())
        template = self._result_template()
        for name, answer in zip(names, answers, strict=True):
            if answer is NO_MATCH:
                yield _fill_template(template, name)
            elif answer is UNDECIDED:
                yield next(decided)
            else:
                item = HashedInput(name, answer.hashes)
                yield self._make_result(item, answer.summarize(), template)

    @property
    def hasher(self) -> Hasher:
        """The Hasher of the inputs of this Screener, for worker processes. It knows no list."""
        return Hasher(self._hashing_policy, self._kinds)

    def decide(self, items: Sequence[HashedInput], *, threads: int = 1) -> Iterator[Result]:
        """Yield the Results of inputs that the `hasher` hashed, in their order.

        A Result may name very many records, so each is made only when it is requested. Raises
        RuntimeError if bits in doubt of an input's hashes decide its Result: see `decide_if_sure`.
        """
        return map(_require_sure, self.decide_if_sure(items, threads=threads))

    def decide_if_sure(
        self, items: Sequence[HashedInput], *, threads: int = 1
    ) -> Iterator[Result | None]:
        """Return the Results of `decide`, with None for inputs that must be hashed exactly.

        Bits in doubt of such an input's hashes decide whether a record matches, or how near it is.
        The search for all inputs is done before this returns; each Result is made when requested.
        `threads` search by evidence, which takes longest.
        """
        hits = [self._collect_hits(item) for item in items]
        queries = collect_queries(items, self.policy)
        for hash_list in self.searched:
            kinds = hash_list.kinds
            for kind_queries in queries:
                if kind_queries.kind.name in kinds:
                    match_hashes(hash_list, kind_queries, hits, self.policy)
            if video_search.KIND in kinds and not self.policy.digests_only:
                for number, match in video_search.match_videos(hash_list, items, self.policy):
                    if hash_list.name not in hits[number].excluded:
                        hits[number].add_video(match)
        for hash_list in self.searched:
            match_evidence(hash_list, items, hits, self.policy, threads=threads)
        template = self._result_template()
        return (
            None
            if input_hits.unsure or self._verdict_rules.depends_on_doubt(item)
            else self._make_result(item, input_hits.summarize(), template, input_hits.excluded)
            for item, input_hits in zip(items, hits, strict=True)
        )

    def _collect_hits(self, item: HashedInput) -> InputHits:
        """Return an InputHits without hits, for the lists that an input is compared with."""
        excluded = self._sample.find_excluded(item)
        hits = InputHits(item.hashes, video=item.video, excluded=excluded or frozenset())
        hits.unsure = excluded is None
        return hits

    def has_hit(
        self, kind: HashKind, codes: NDArray[np.uint8], *, threads: int = 1
    ) -> NDArray[np.bool_]:
        """Return for each code whether a listed one is near enough for a match."""
        has_hit, criteria = np.zeros(len(codes), np.bool_), Criteria(self.policy)
        for hash_list in self.searched:
            if kind.name in hash_list.kinds:
                radius = criteria.max_radius(hash_list, kind)
                offsets, _, _ = search_list(hash_list, kind, codes, radius, threads)
                has_hit |= np.diff(offsets) > 0
        return has_hit

    @property
    def clearing_floors(self) -> list[dict[str, int]]:
        """For each list that can clear an input, the floors of the kinds that do."""
        return self._verdict_rules.clearing_floors()

    def unscreened(self, name: Name, reason: Reason, detail: str) -> Result:
        """Return the Result of an item that could not be hashed at all."""
        item = HashedInput(name, error=MediaError(str(reason), detail))
        return self._make_result(item, HitSummary(), self._result_template())

    def warm(self) -> None:
        """Read the mapped lists into memory, so that the first searches are fast."""
        for hash_list in self.lists:
            hash_list.warm()

    def refresh(self) -> Screener:
        """Return a Screener of the lists' newest generations, or this one if nothing is newer.

        This Screener continues to answer as before. Raises PolicyError if a list is now older than
        the policy allows.
        """
        lists = tuple(hash_list.refresh() for hash_list in self.lists)
        if all(new is old for new, old in zip(lists, self.lists, strict=True)):
            for hash_list in self.aging:
                _check_age(hash_list, self.policy)
            return self
        return self.with_lists(lists)

    def with_lists(
        self,
        lists: Sequence[HashList],
        *,
        policy: Policy | None = None,
        ageless: Collection[str] | None = None,
    ) -> Screener:
        """Return a Screener of other lists or another policy that is otherwise like this one."""
        return Screener(
            lists,
            policy=self.policy if policy is None else policy,
            extra_kinds=self._extra_kinds,
            ageless=self._ageless if ageless is None else ageless,
        )

    def select(self, names: Collection[str]) -> Screener:
        """Return the Screener of the lists with these names, under the same policy.

        It can decide what this one's `hasher` hashed. Raises ListError if there is no such list or
        no name.
        """
        chosen = frozenset(names)
        if unknown := chosen - {hash_list.name for hash_list in self.lists}:
            raise ListError(f"there is no list {some(sorted(unknown))}")
        if len(chosen) == len(self.lists):
            return self
        selected = self._selections.get(chosen)
        if selected is None:
            lists = [hash_list for hash_list in self.lists if hash_list.name in chosen]
            _warned_names.update(self.policy.lists)  # this Screener has reported the unknown ones
            selected = Screener(lists, policy=self.policy, ageless=self._ageless)
            if len(self._selections) >= _MAX_SELECTIONS:
                self._selections.clear()
            self._selections[chosen] = selected
        return selected

    def _result_template(self) -> Result:
        """Return the Result of a nameless item without hits, from which all others are made.

        It is cached until the age of a list, in seconds, changes.
        """
        ages = [int(hash_list.age_s()) for hash_list in self.lists]
        cached = self._cached_template
        if cached is not None and [state.age_s for state in cached.lists] == ages:
            return cached
        self._sampled_states = {}
        self._cached_template = template = Result(
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
                ListState(
                    hash_list.name,
                    hash_list.generation,
                    hash_list.stamp(),
                    age,
                    self.policy.of_list(hash_list.name).mode,
                )
                for hash_list, age in zip(self.lists, ages, strict=True)
            ),
            policy=self.policy.fingerprint,
            versions=VERSIONS,
        )
        return template

    def _exclude(
        self, states: tuple[ListState, ...], excluded: frozenset[str]
    ) -> tuple[ListState, ...]:
        """Return the states of the lists for an input that some are not compared with."""
        if not excluded:
            return states
        if excluded not in self._sampled_states:  # equal tuples are one object: see `to_json`
            self._sampled_states[excluded] = tuple(
                replace(state, mode=Mode.OFF) if state.name in excluded else state
                for state in states
            )
        return self._sampled_states[excluded]

    def _make_result(
        self,
        item: HashedInput,
        hits: HitSummary,
        template: Result,
        excluded: frozenset[str] = frozenset(),
    ) -> Result:
        verdict, reason, detail = self._verdict_rules.decide(item, hits.matches, excluded)
        highest = self.policy.effort if self._weighed - excluded else Effort.DISTANCE
        return _fill_template(
            template,
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
            extra=item.error.extra if item.error and reason is not None else None,
            archives=item.name.archives,
            same=item.name.same,
            lists=self._exclude(template.lists, excluded),
            effort=str(find_effort(item, highest)),
        )


def _fill_template(template: Result, name: Name, **fields: Any) -> Result:
    """Return a copy of a Result with a name and other values of some fields.

    A nameless Result without other values is the template itself, since Results never change.
    """
    if name is _NO_NAME and not fields:
        return template
    # Ten times as fast as `dataclasses.replace`.
    result = object.__new__(Result)
    result.__dict__.update(template.__dict__, input=name.text, input_bytes=name.raw, **fields)
    return result


def _require_sure(result: Result | None) -> Result:
    if result is None:
        raise RuntimeError("bits in doubt decide this input: hash it with `Hasher.exact()`")
    return result


def _parse_lists(lists: Any, *, may_be_none: bool) -> tuple[HashList, ...]:
    is_several = isinstance(lists, Iterable) and not isinstance(lists, str)
    hash_lists = tuple(lists) if is_several else (lists,)
    for hash_list in hash_lists:
        if not isinstance(hash_list, HashList):
            raise ListError(
                f"a Screener needs HashLists, got {type(hash_list).__name__}: open one with"
                " HashList.open(path)"
            )
    if not hash_lists:
        if may_be_none:
            return ()
        raise ListError("a Screener needs at least one list")
    name, count = Counter(hash_list.name for hash_list in hash_lists).most_common(1)[0]
    if count > 1:
        raise ListError(
            f"{count} lists are called {name}, and a match names its list: pass each list once, and"
            " rename others"
        )
    return hash_lists


def _parse_hashes(item: Any) -> tuple[Hash, ...]:
    # The abstract class is slow to ask, and most items are lists.
    is_several = type(item) is list or (
        isinstance(item, Iterable) and not isinstance(item, str | bytes)
    )
    hashes = tuple(item) if is_several else (item,)
    wrong = [hash_ for hash_ in hashes if not isinstance(hash_, Hash)]
    if wrong or not is_several:
        type_name = type((wrong or hashes)[0]).__name__
        raise HashError(
            "an item must be a list of Hash objects, such as [Hash.parse('pdq', text)], got"
            f" {type_name}"
        )
    return hashes


def _parse_names(inputs: Any, count: int) -> list[Name]:
    """Return `count` names. Raises HashError if `inputs` is not a list of that length."""
    if inputs is None:
        return [_NO_NAME] * count
    is_single = isinstance(inputs, str | bytes) or not isinstance(inputs, Iterable)
    if is_single or isinstance(inputs, set | frozenset | Mapping):
        raise HashError(
            f"inputs must be a list of names, one for each item, got {type(inputs).__name__}"
        )
    labels = list(inputs)
    if len(labels) != count:
        raise HashError(f"inputs must be as many as items: {len(labels)} for {count} items")
    return [_NO_NAME if label is None else parse_name(label) for label in labels]


def parse_name(label: Any) -> Name:
    """Return the Name of an item. Raises HashError if it is neither text nor None."""
    # A Result could not carry a number.
    if label is not None and not isinstance(label, str | bytes | PathLike):
        raise HashError(f"the name of an item must be text, got {type(label).__name__}")
    return name_of_label(label)


def _hash_named(hasher: Hasher, item: Item, name: Name) -> HashedInput:
    """Hash an item, or return an `unreadable` input if it is not one.

    A `name` with text replaces the item's own.
    """
    try:
        source.check_item(item)
    except (TypeError, HashError) as error:
        hashed = HashedInput(Name(), error=MediaError("unreadable", str(error)))
    else:
        hashed = _hash_url(hasher, item) if is_url(item) else _hash_local(hasher, item)
    if name.text is None:
        return hashed
    return replace(hashed, name=replace(hashed.name, text=name.text, raw=name.raw))


def _hash_local(hasher: Hasher, item: Item) -> HashedInput:
    if is_file_url(item):
        try:
            item = path_of_file_url(str(item))
        except MediaError as error:
            return HashedInput(Name(str(item)), error=error)
    return hasher.hash(item)


def _hash_url(hasher: Hasher, item: Item) -> HashedInput:
    url, policy = str(item), hasher.policy
    try:
        copy = copy_url(url, limits=policy.limits, seconds=policy.wall_seconds)
    except MediaError as error:
        return HashedInput(Name(name_of_url(url)), error=error.alone())
    try:
        return replace(hasher.hash(copy.content.path), name=copy.name)
    finally:
        copy.content.close()


def _has_orientations(hashes: tuple[Hash, ...]) -> bool:
    """Return whether PDQs are those of pictures in all orientations: each with its transpose."""
    values = [one.value for one in hashes if one.kind is pdq.PDQ]
    if not values or len(values) % len(pdq.ORIENTATIONS) or any(one.kind.video for one in hashes):
        return False
    codes = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)
    transposed = pdq.derive_orientations(codes)[:, pdq.ORIENTATIONS.index("transpose")]
    return set(values) == {code.tobytes() for code in transposed}


def _locate_hashes(name: Name, hashes: tuple[Hash, ...], derive: bool) -> HashedInput:
    located = tuple(part for hash_ in hashes for part in video_search.locate_hash(hash_))
    return HashedInput(name, located, derive=derive)


def _check_age(hash_list: HashList, policy: Policy) -> None:
    if policy.max_list_age is None:
        return
    age, ahead = hash_list.age_s(), hash_list.ahead_s()
    if ahead > _MAX_CLOCK_SKEW_SECONDS:
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
