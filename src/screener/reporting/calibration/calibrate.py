"""Calibration: what each radius would find among pictures that are known to be ordinary.

A Screener tells no distance beyond its policy's radius, and neither does this: what leaves is how
many pictures lie within each radius up to that. The pictures
are hashed by worker processes, by the same pipeline and within the same limits as in a scan.
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
from screener.scanning.inputs.expand import FilePath, find
from screener.scanning.scan import check_memory, scan
from screener.scanning.workers.pool import each
from screener.screening.matching.criteria import Criteria
from screener.screening.policy import Policy
from screener.screening.result import Reason, Result, Verdict
from screener.screening.screener import VERSIONS, Screener
from screener.system.progress import Progress, Steps

MILLION = 1_000_000


@dataclass(frozen=True)
class Count:
    """So many hits of so many cases, as a share, with its 95 % bounds (Clopper and Pearson)."""

    hits: int
    cases: int
    low: float
    high: float

    @classmethod
    def of(cls, hits: int, cases: int) -> Count:
        """With its bounds."""
        return cls(hits, cases, *share(hits, cases))

    @classmethod
    def of_edits(cls, hits: int, pictures: int, edits: int) -> Count:
        """So many edited forms of pictures that were edited in so many ways each. The forms of one
        picture depend on one another, so the bounds are those of as many cases as there are
        pictures: the lower of the whole pictures that this makes rounded down, the upper of those
        rounded up.
        """
        low, _ = share(hits // edits, pictures)
        _, high = share(-(-hits // edits), pictures)
        return cls(hits, pictures * edits, low, high)

    @property
    def share(self) -> float:
        """Hits by cases; 0 where there is no case."""
        return self.hits / self.cases if self.cases else 0.0


@dataclass(frozen=True)
class Curve:
    """One kind: at radius r, `false_matches[r]` counts pictures that lie within r of an entry.

    `radius` is the policy's. `recall[r]` counts edited forms that are found again, of all forms of
    all pictures; its bounds are those of as many cases as there are pictures (`Count.of_edits`).
    `by_edit` counts pictures, by edit, at the policy's radius. Both are empty without edits.
    """

    kind: str
    bits: int
    values: int
    radius: int
    false_matches: tuple[Count, ...]
    recall: tuple[Count, ...] = ()
    by_edit: Mapping[str, Count] = field(default_factory=dict)
    weak: bool = False
    """Whether what it finds makes no match alone; it is counted as if it did."""


@dataclass(frozen=True)
class Calibration:
    """What a list and a policy would give, told by ordinary pictures.

    `pictures` were screened to their end, `too_little_detail` among them, which cannot match;
    `left_out` are the others, by reason, and videos as `video`. `listed` are files that the list
    names by a digest, other than as known good, and so are no false matches; `copies` are files of
    the bytes of a picture before, which say nothing more. `together` counts pictures that match by
    any kind under the policy as it is. `matching` are their names, which stay out of reports unless
    asked for. `edited` counts those whose edited forms were compared, `not_edited` those that
    harmed a worker then, by reason.
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
        """All of it but names, in plain dicts, lists, strings and numbers."""
        told = asdict(self)
        del told["matching"]
        return told


def calibrate(
    known: HashList,
    benign: FilePath | Iterable[FilePath],
    *,
    policy: Policy | None = None,
    edits: bool = False,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Calibration:
    """Count what a list would find among ordinary pictures, by kind and radius.

    `benign` are files and folders of pictures that show nothing that is listed. With `edits`
    they are edited too, each in fourteen everyday ways, to see at which radius they are found
    again. A file counts once, however many copies of it there are, and a video not at all. Uses
    worker processes: call it under `if __name__ == "__main__":`. `progress` is called with files,
    twice as many with `edits`. Raises ListError where no kind that is computed here can make a
    match with the list, or there is no picture.
    """
    settled = Policy() if policy is None else policy
    if settled.digests_only:
        raise PolicyError("a policy of digests only has no radius to calibrate")
    kinds = _kinds(known, settled)
    check_memory(settled, kinds)
    # Gone through twice, and by its own names: a link to a folder is followed where it is named.
    named = list(benign) if isinstance(benign, Iterator) else benign
    reach = Criteria(settled)
    seen = _Seen(kinds, {kind.name for kind in kinds if reach.weak(kind)})
    steps = Steps(progress, None if progress is None else sum(1 for _ in find(named)) * (1 + edits))
    # Each kind is counted as if its hits made a match alone.
    counted = replace(settled, alone=[kind.name for kind in KINDS.values() if kind.weak])
    for result in scan(Screener(known, policy=counted), named, jobs=jobs):
        seen.add(result)
        steps.add()
    if not seen.pictures:
        raise ListError("there is no picture among the files that could be screened")
    again = Again(kinds)
    if edits:
        paths = seen.copies.others(find(named))
        for found in each(Editing(settled, tuple(kinds)), paths, jobs=jobs):
            again.add(found)
            steps.add()
    return Calibration(
        list=known.name,
        generation=known.generation,
        policy=settled.fingerprint,
        pictures=seen.pictures,
        too_little_detail=seen.bare,
        listed=seen.listed,
        copies=seen.copies.names.total(),
        left_out=dict(sorted(seen.left_out.items())),
        together=Count.of(len(seen.matching), seen.pictures),
        curves=tuple(_curve(known, kind, settled, seen, again) for kind in kinds),
        versions=dict(VERSIONS),
        edited=again.pictures,
        not_edited=dict(sorted(again.left_out.items())),
        matching=tuple(seen.matching),
    )


def _kinds(known: HashList, policy: Policy) -> list[HashKind]:
    """The kinds by which pictures can match, not those of which a list has seeds and known files
    alone: of these no picture would be seen to match, whatever the radius.
    """
    held = [kind for kind in KINDS.values() if kind.perceptual and kind.name in known.kinds]
    if not held:
        raise ListError(f"the list {known.name} holds no kind that is computed here")
    kinds = [kind for kind in held if known.can_match(kind.name, floor=policy.floor[kind.name])]
    if not kinds:
        raise ListError(
            f"no picture can match with the list {known.name}: of the kinds that are computed here"
            " it holds only seeds, known files and values below the policy's floor"
        )
    return kinds


class _Seen:
    """How near the pictures came to the list, of which only counts go on."""

    def __init__(self, kinds: Iterable[HashKind], weak: set[str]) -> None:
        self.pictures = self.bare = self.listed = 0
        self.copies = Copies()
        self.left_out: Counter[str] = Counter()
        self.weak = weak
        self.matching: list[str] = []
        self.distances: dict[str, list[int]] = {kind.name: [] for kind in kinds}

    def add(self, result: Result) -> None:
        """Count a picture."""
        hits = [
            one for one in (*result.matches, *result.other_hits) if one.state != State.KNOWN_GOOD
        ]
        if any(KINDS[one.kind].digest for one in hits):
            self.listed += 1
            return
        if not result.counts:
            return
        bare = result.reason is Reason.TOO_LITTLE_DETAIL
        if result.verdict is Verdict.UNSCREENED and not bare:
            self.left_out[str(result.reason)] += 1
            return
        # Of hundreds of frames one is nearer than a picture is, and a picture is what is counted.
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


def _curve(known: HashList, kind: HashKind, policy: Policy, seen: _Seen, again: Again) -> Curve:
    radii = range(policy.radius[kind.name] + 1)
    near = np.array(seen.distances[kind.name], np.int64)
    edited = len(again.found[kind.name])
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
        values=known.kinds[kind.name],
        radius=policy.radius[kind.name],
        false_matches=tuple(
            Count.of(int((near <= radius).sum()), seen.pictures) for radius in radii
        ),
        recall=recall,
        by_edit=by_edit,
        weak=kind.name in seen.weak,
    )


def _forms_found(again: Again, kind: HashKind, radius: int) -> int:
    """The edited forms found again within a radius, over all edits."""
    return sum(again.within(kind.name, radius, name) for name in EDITS)
