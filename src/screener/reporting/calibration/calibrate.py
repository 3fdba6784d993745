"""Count how many ordinary pictures a list would match at each radius.

Only counts up to the policy's radius are returned, no distance. Worker processes hash the pictures
with the pipeline and the limits of a scan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from screener.errors import ListError, PolicyError
from screener.hashing.hash import KINDS, HashKind
from screener.lists.hashlist import HashList
from screener.lists.states import State
from screener.media.files.sniff import CONTAINERS
from screener.reporting.calibration.copies import Copies
from screener.reporting.calibration.edits import EDITS
from screener.reporting.calibration.recall import Again, Editing, share
from screener.scanning.inputs.expand import FilePath, find_files
from screener.scanning.scan import check_memory, scan
from screener.scanning.workers.pool import map_ordered
from screener.screening.matching.criteria import Criteria
from screener.screening.policy import Policy
from screener.screening.result import Reason, Result, Verdict
from screener.screening.screener import VERSIONS, Screener
from screener.system.progress import Progress, Steps

MILLION = 1_000_000


@dataclass(frozen=True)
class Count:
    """Hits among cases, and the 95 % bounds of their share (Clopper and Pearson)."""

    hits: int
    cases: int
    low: float
    high: float

    @classmethod
    def of(cls, hits: int, cases: int) -> Count:
        """Return a count with its bounds."""
        return cls(hits, cases, *share(hits, cases))

    @classmethod
    def of_edits(cls, hits: int, pictures: int, edits: int) -> Count:
        """Return a count of edited forms, when each picture was edited in `edits` ways.

        The forms of one picture depend on one another, so the bounds are for as many cases as
        there are pictures: hits per edit, rounded down for the lower and up for the upper bound.
        """
        low, _ = share(hits // edits, pictures)
        _, high = share(-(-hits // edits), pictures)
        return cls(hits, pictures * edits, low, high)

    @property
    def share(self) -> float:
        """Hits divided by cases; 0 if there is no case."""
        return self.hits / self.cases if self.cases else 0.0


@dataclass(frozen=True)
class Curve:
    """The counts of one kind: `false_matches[r]` are pictures within radius r of an entry.

    `radius` is the policy's. `recall[r]` counts edited forms that are found again, among all forms
    of all pictures (`Count.of_edits`). `by_edit` counts pictures for each edit, at the policy's
    radius. Both are empty without edits.
    """

    kind: str
    bits: int
    values: int
    radius: int
    false_matches: tuple[Count, ...]
    recall: tuple[Count, ...] = ()
    by_edit: Mapping[str, Count] = field(default_factory=dict)
    weak: bool = False
    """Whether a hit of this kind alone is no match; it is counted as one."""


@dataclass(frozen=True)
class Calibration:
    """What a list and a policy would match among ordinary pictures.

    `pictures` were screened completely; `too_little_detail` counts those of them that cannot match.
    `left_out` counts other files by reason, and videos as `video`. `listed` counts files whose
    digest is listed, except as known good: these are no false matches. `copies` have the bytes of
    an earlier picture. `together` counts pictures that match by any kind under the policy, and
    `matching` has their names, which reports omit by default. `edited` counts pictures whose edited
    forms were compared, `not_edited` those whose worker failed, by reason.
    """

    list: str
    generation: int
    policy: str
    pictures: int
    too_little_detail: int
    listed: int
    copies: int
    left_out: Mapping[str, int]
    together: Count
    curves: tuple[Curve, ...]
    versions: Mapping[str, str | int]
    edited: int = 0
    not_edited: Mapping[str, int] = field(default_factory=dict)
    matching: tuple[str, ...] = field(default=(), repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return all but the names as plain values for JSON."""
        facts = asdict(self)
        del facts["matching"]
        return facts


def calibrate(
    hash_list: HashList,
    benign: FilePath | Iterable[FilePath],
    *,
    policy: Policy | None = None,
    edits: bool = False,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Calibration:
    """Count what a list would match among ordinary pictures, by kind and radius.

    `benign` are files and folders of pictures that show nothing listed. With `edits`, each is also
    edited in fourteen everyday ways, to count which radius finds it again. Copies of a file count
    once, videos not at all. `progress` is called with files, each counted twice with `edits`. It
    starts worker processes: call it under `if __name__ == "__main__":`. Raises ListError if no
    computed kind can match anything in the list, or there is no picture.
    """
    policy = Policy() if policy is None else policy
    if policy.digests_only:
        raise PolicyError("a policy with digests_only has no radius to calibrate")
    kinds = _kinds(hash_list, policy)
    check_memory(policy, kinds)
    # A list, to be read twice. A link to a folder is followed only if it is named itself.
    named = list(benign) if isinstance(benign, Iterator) else benign
    reach = Criteria(policy)
    seen = _Seen(kinds, {kind.name for kind in kinds if reach.weak(kind)})
    steps = Steps(
        progress, None if progress is None else sum(1 for _ in find_files(named)) * (1 + edits)
    )
    # Each kind is counted as if its hits made a match alone.
    counted = replace(policy, alone=[kind.name for kind in KINDS.values() if kind.weak])
    for result in scan(Screener(hash_list, policy=counted), named, jobs=jobs):
        seen.add(result)
        steps.add()
    if not seen.pictures:
        raise ListError("there is no picture among the files that could be screened")
    again = Again(kinds)
    if edits:
        paths = seen.copies.others(find_files(named))
        for distances in map_ordered(Editing(policy, tuple(kinds)), paths, jobs=jobs):
            again.add(distances)
            steps.add()
    return Calibration(
        list=hash_list.name,
        generation=hash_list.generation,
        policy=policy.fingerprint,
        pictures=seen.pictures,
        too_little_detail=seen.bare,
        listed=seen.listed,
        copies=seen.copies.names.total(),
        left_out=dict(sorted(seen.left_out.items())),
        together=Count.of(len(seen.matching), seen.pictures),
        curves=tuple(_curve(hash_list, kind, policy, seen, again) for kind in kinds),
        versions=dict(VERSIONS),
        edited=again.pictures,
        not_edited=dict(sorted(again.left_out.items())),
        matching=tuple(seen.matching),
    )


def _kinds(hash_list: HashList, policy: Policy) -> list[HashKind]:
    """Return the perceptual kinds that can match; not those with seeds and known_good only."""
    listed = [kind for kind in KINDS.values() if kind.perceptual and kind.name in hash_list.kinds]
    if not listed:
        raise ListError(f"the list {hash_list.name} has no kind that can be computed here")
    floors = policy.floor
    kinds = [kind for kind in listed if hash_list.can_match(kind.name, floor=floors[kind.name])]
    if not kinds:
        raise ListError(
            f"no picture can match the list {hash_list.name}: of the kinds computed here it has"
            " only seeds, known_good entries and values below the policy's detail floor"
        )
    return kinds


class _Seen:
    """The distances of pictures from the list; only counts of them are returned."""

    def __init__(self, kinds: Iterable[HashKind], weak: set[str]) -> None:
        self.pictures = self.bare = self.listed = 0
        self.copies = Copies()
        self.left_out: Counter[str] = Counter()
        self.weak = weak
        self.matching: list[str] = []
        self.distances: dict[str, list[int]] = {kind.name: [] for kind in kinds}

    def add(self, result: Result) -> None:
        """Add a picture."""
        hits = [
            hit for hit in (*result.matches, *result.other_hits) if hit.state != State.KNOWN_GOOD
        ]
        if any(KINDS[hit.kind].digest for hit in hits):
            self.listed += 1
            return
        if not result.counts:
            return
        bare = result.reason is Reason.TOO_LITTLE_DETAIL
        if result.verdict is Verdict.UNSCREENED and not bare:
            self.left_out[str(result.reason)] += 1
            return
        # One of hundreds of frames is nearer than a single picture would be.
        if result.media is not None and result.media.type in CONTAINERS:
            self.left_out["video"] += 1
            return
        name = result.input_bytes or (result.input or "").encode()
        if not result.archives and result.bytes is not None and self.copies.add(name, result.bytes):
            return
        self.pictures += 1
        self.bare += bare
        for kind, distances in self.distances.items():
            near = [match.distance for match in result.matches if match.kind == kind]
            distances += [min(near)] if near else []
        if any(match.kind not in self.weak for match in result.matches):
            self.matching.append(result.input or "")


def _curve(hash_list: HashList, kind: HashKind, policy: Policy, seen: _Seen, again: Again) -> Curve:
    radii = range(policy.radius[kind.name] + 1)
    near = np.array(seen.distances[kind.name], np.int64)
    edited = len(again.distances[kind.name])
    recall: tuple[Count, ...] = ()
    by_edit: dict[str, Count] = {}
    if edited:
        recall = tuple(
            Count.of_edits(_forms_found(again, kind, radius), edited, len(EDITS))
            for radius in radii
        )
        own = policy.radius[kind.name]
        by_edit = {name: Count.of(again.within(kind.name, own, name), edited) for name in EDITS}
    return Curve(
        kind=kind.name,
        bits=kind.bits,
        values=hash_list.kinds[kind.name],
        radius=policy.radius[kind.name],
        false_matches=tuple(
            Count.of(int((near <= radius).sum()), seen.pictures) for radius in radii
        ),
        recall=recall,
        by_edit=by_edit,
        weak=kind.name in seen.weak,
    )


def _forms_found(again: Again, kind: HashKind, radius: int) -> int:
    return sum(again.within(kind.name, radius, name) for name in EDITS)
