"""The number of ordinary pictures that a list would match at each radius and by evidence.

Only counts up to the policy's radius are returned, no distances and no evidence of a picture.
Worker processes hash the pictures with the pipeline and the limits of a scan.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from screener.errors import ListError, PolicyError
from screener.hashing.hash import KINDS, HashKind
from screener.hashing.pdq import PDQ
from screener.hashing.views import SHARES
from screener.lists.hashlist import HashList
from screener.lists.states import MATCHING, State
from screener.media.files.sniff import CONTAINERS
from screener.reporting.calibration.copies import Copies
from screener.reporting.calibration.count import Count
from screener.reporting.calibration.edits import EDITS
from screener.reporting.calibration.evidence_curve import (
    EvidenceCurve,
    adapt_policy,
    list_thresholds,
    make_evidence_curve,
)
from screener.reporting.calibration.recall import EditDistances, EditingJob
from screener.scanning.inputs.expand import FilePath, find_files
from screener.scanning.scan import check_classic, scan
from screener.scanning.workers.pool import map_ordered
from screener.screening.matching.criteria import Criteria
from screener.screening.policy import Policy
from screener.screening.result import Reason, Result, Verdict
from screener.screening.screener import VERSIONS, Screener
from screener.system.progress import Progress, Steps


@dataclass(frozen=True)
class Curve:
    """The counts of one kind.

    - `radius`: the policy's. `values`: the number of listed values.
    - `false_matches`: for each radius from 0, the pictures within it of an entry.
    - `recall`: for each radius, the edited forms of all pictures that are found again
      (`Count.from_edits`); empty without edits.
    - `by_edit`: for each edit, the pictures that are found again at the policy's radius.
    - `weak`: hits of this kind alone make no match, but are counted as matches.
    """

    kind: str
    bits: int
    values: int
    radius: int
    false_matches: tuple[Count, ...]
    recall: tuple[Count, ...] = ()
    by_edit: Mapping[str, Count] = field(default_factory=dict)
    weak: bool = False


@dataclass(frozen=True)
class Calibration:
    """The matches of a list and a policy among ordinary pictures.

    - `pictures`: files that were screened completely. `too_little_detail`: those of them that
      cannot match by distance.
    - `listed`: files whose digest is listed, except as known good. These are no false matches.
    - `copies`: files with the bytes of an earlier picture.
    - `left_out`: other files by reason, and videos as `video`.
    - `together`: pictures that match by any kind under the policy. `matching`: their names, which
      reports omit by default.
    - `curves`: the counts of each kind. `evidence`: those by evidence, or None at effort
      `distance` and if no PDQ of the list can match.
    - `edited`: pictures whose edited forms were compared. `not_edited`: pictures whose worker
      failed, by reason.
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
    evidence: EvidenceCurve | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all fields except `matching`, and `evidence` if it is None, as types of JSON."""
        values = asdict(self)
        del values["matching"]
        if self.evidence is None:
            del values["evidence"]
        return values


def calibrate(
    hash_list: HashList,
    benign: FilePath | Iterable[FilePath],
    *,
    policy: Policy | None = None,
    edits: bool = False,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Calibration:
    """Count the matches of a list among ordinary pictures, by kind and radius and by evidence.

    Evidence is counted as far as the policy's effort asks, also at thresholds below the policy's.
    Copies of a file count once, and videos not at all. This starts worker processes, so call it
    under `if __name__ == "__main__":`.

    Parameters:
        hash_list: The list.
        benign: Files and folders of pictures that show nothing listed.
        policy: The policy, by default `Policy()`.
        edits: Also edit each picture in fourteen everyday ways, to count the edited forms that each
            radius finds again.
        jobs: The number of worker processes.
        progress: Called with the number of files, each counted twice with `edits`.

    Raises:
        ListError: If no computed kind can match anything in the list, or there is no picture.
        PolicyError: If the policy has no radius.
    """
    policy = Policy() if policy is None else policy
    if policy.digests_only:
        raise PolicyError("a policy with digests_only has no radius to calibrate")
    kinds = _find_kinds(hash_list, policy)
    check_classic(policy, kinds)
    # The paths are read twice. A link to a folder is followed only if it is named itself.
    paths = list(benign) if isinstance(benign, Iterator) else benign
    criteria = Criteria(policy)
    thresholds = list_thresholds(hash_list, kinds, policy)
    pictures = _Pictures(
        kinds,
        {kind.name for kind in kinds if criteria.is_weak(kind)},
        None if policy.shadow_evidence else policy.evidence_threshold(hash_list.name, PDQ.name),
    )
    total = None if progress is None else sum(1 for _ in find_files(paths)) * (1 + edits)
    steps = Steps(progress, total)
    screener = Screener(hash_list, policy=adapt_policy(policy, hash_list, thresholds))
    for result in scan(screener, paths, jobs=jobs):
        pictures.add(result)
        steps.add()
    if not pictures.count:
        raise ListError("there is no picture among the files that could be screened")
    distances = EditDistances(kinds)
    if edits:
        originals = pictures.copies.skip(find_files(paths))
        job = EditingJob(screener.policy, tuple(kinds), hash_list.name)
        for answer in map_ordered(job, originals, jobs=jobs):
            distances.add(answer)
            steps.add()
    return Calibration(
        list=hash_list.name,
        generation=hash_list.generation,
        policy=policy.fingerprint,
        pictures=pictures.count,
        too_little_detail=pictures.too_little_detail,
        listed=pictures.listed,
        copies=pictures.copies.names.total(),
        left_out=dict(sorted(pictures.left_out.items())),
        together=Count.from_hits(len(pictures.matching), pictures.count),
        curves=tuple(_make_curve(hash_list, kind, policy, pictures, distances) for kind in kinds),
        versions=dict(VERSIONS),
        edited=distances.pictures,
        not_edited=dict(sorted(distances.failures.items())),
        matching=tuple(pictures.matching),
        evidence=make_evidence_curve(hash_list, policy, thresholds, pictures.evidence, distances),
    )


def _find_kinds(hash_list: HashList, policy: Policy) -> list[HashKind]:
    """Return the perceptual kinds that can match, not those with only seeds or known_good."""
    listed = [kind for kind in KINDS.values() if kind.perceptual and kind.name in hash_list.kinds]
    if not listed:
        raise ListError(f"the list {hash_list.name} has no kind that can be computed here")
    kinds = [
        kind for kind in listed if hash_list.can_match(kind.name, floor=policy.floor[kind.name])
    ]
    if not kinds:
        raise ListError(
            f"no picture can match the list {hash_list.name}: of the kinds computed here it has"
            " only seeds, known_good entries and values below the policy's detail floor"
        )
    return kinds


class _Pictures:
    def __init__(
        self, kinds: Iterable[HashKind], weak_kinds: set[str], threshold: int | None
    ) -> None:
        self.count = self.too_little_detail = self.listed = 0
        self.copies = Copies()
        self.left_out: Counter[str] = Counter()
        self.weak_kinds = weak_kinds
        self.matching: list[str] = []
        self.distances: dict[str, list[int]] = {kind.name: [] for kind in kinds}
        self.evidence: list[float] = []  # the most of each picture, 0 below the lowest threshold
        self._threshold = math.inf if threshold is None else threshold

    def add(self, result: Result) -> None:
        """Add the result of a picture."""
        hits = [
            hit for hit in (*result.matches, *result.other_hits) if hit.state != State.KNOWN_GOOD
        ]
        if any(KINDS[hit.kind].digest for hit in hits):
            self.listed += 1
            return
        if not result.counts:
            return
        lacks_detail = result.reason is Reason.TOO_LITTLE_DETAIL
        if result.verdict is Verdict.UNSCREENED and not lacks_detail:
            self.left_out[str(result.reason)] += 1
            return
        # The nearest of hundreds of frames is nearer than a single picture would be.
        if result.media is not None and result.media.type in CONTAINERS:
            self.left_out["video"] += 1
            return
        name = result.input_bytes or (result.input or "").encode()
        if not result.archives and result.bytes is not None and self.copies.add(name, result.bytes):
            return
        self.count += 1
        self.too_little_detail += lacks_detail
        for kind, distances in self.distances.items():
            picture_distances = [
                match.distance
                for match in result.matches
                if match.kind == kind and match.distance is not None
            ]
            if picture_distances:
                distances.append(min(picture_distances))
        evidence = max(
            (
                hit.evidence // 1 / SHARES.get(hit.view or "", 1)
                for hit in hits
                if hit.evidence is not None and hit.state in MATCHING
            ),
            default=0.0,
        )
        self.evidence.append(evidence)
        if evidence >= self._threshold or any(
            match.kind not in self.weak_kinds for match in result.matches
        ):
            self.matching.append(result.input or "")


def _make_curve(
    hash_list: HashList,
    kind: HashKind,
    policy: Policy,
    pictures: _Pictures,
    edit_distances: EditDistances,
) -> Curve:
    policy_radius = policy.list_radius(hash_list.name, kind.name)
    radii = range(policy_radius + 1)
    distances = np.array(pictures.distances[kind.name], np.int64)
    edited = len(edit_distances.by_kind[kind.name])
    recall: tuple[Count, ...] = ()
    by_edit: dict[str, Count] = {}
    if edited:
        recall = tuple(
            Count.from_edits(_count_forms(edit_distances, kind, radius), edited, len(EDITS))
            for radius in radii
        )
        by_edit = {
            name: Count.from_hits(
                edit_distances.count_found(kind.name, policy_radius, name), edited
            )
            for name in EDITS
        }
    return Curve(
        kind=kind.name,
        bits=kind.bits,
        values=hash_list.kinds[kind.name],
        radius=policy_radius,
        false_matches=tuple(
            Count.from_hits(int((distances <= radius).sum()), pictures.count) for radius in radii
        ),
        recall=recall,
        by_edit=by_edit,
        weak=kind.name in pictures.weak_kinds,
    )


def _count_forms(distances: EditDistances, kind: HashKind, radius: int) -> int:
    return sum(distances.count_found(kind.name, radius, edit) for edit in EDITS)
