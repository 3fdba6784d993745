"""Recall: the distances of edited forms of a picture from its own hashes, and their evidence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from screener.errors import MediaError, ShortOfMemory
from screener.hashing.evidence import SIXTEENTHS
from screener.hashing.hash import Hash, HashKind
from screener.hashing.pdq import PDQ
from screener.media import source
from screener.media.archives.archive import Budget
from screener.media.image import open_image
from screener.media.name import name_of
from screener.reporting.calibration.edits import EDITS
from screener.screening.input.hash_item import HashedInput, hash_item
from screener.screening.input.hasher import HashMode, Target
from screener.screening.input.located_hash import LocatedHash, list_weighed
from screener.screening.matching.evidence_search import find_thresholds, list_queried
from screener.screening.policy import Effort, Policy
from screener.screening.result import Reason

# The key of evidence among the kinds of a worker's answer.
_EVIDENCE = "evidence"


class EditingJob:
    """The job of a worker process: hash a picture and its edited forms."""

    outcomes = (dict,)

    def __init__(self, policy: Policy, kinds: tuple[HashKind, ...], list_name: str) -> None:
        self.policy = policy
        self.list_name = list_name
        self.kinds = kinds

    def start_session(self) -> EditingJob:
        """Return this job, which has no state."""
        return self

    def run(
        self, target: Target, budget: Budget | None, mode: HashMode
    ) -> dict[str, dict[str, int | None]] | HashedInput:
        """Return the least distance of each edited form by kind and edit, and its most evidence.

        It is the least of eight orientations, or None if the form has too little detail. Evidence
        is in whole bits, None below the list's thresholds, and there only if the effort asks for
        it. There are no distances if the file is not an intact picture. After a worker failed, the
        mode is DIGESTS_ONLY, and an empty HashedInput is returned. Raises MemoryError if memory ran
        out.
        """
        if mode is HashMode.DIGESTS_ONLY:
            return HashedInput(name_of(target.path))
        hashed = self._hash(target.path)
        originals = {
            located.hash.kind.name: located.hash
            for located in self._select_usable(hashed)
            if (located.part, located.region, located.orientation) == (0, "full", "upright")
        }
        if hashed.error is not None or not originals:
            return {}
        picture = _read_first_frame(target.path, self.policy)
        if picture is None:
            return {}
        answer: dict[str, dict[str, int | None]] = {kind: {} for kind in originals}
        pdq = originals.get(PDQ.name) if self.policy.effort is not Effort.DISTANCE else None
        if pdq is not None:
            answer[_EVIDENCE] = {}
        for name, edit in EDITS.items():
            form = self._hash(edit(picture))
            edited = self._select_usable(form)
            for kind, distance in _find_least_distances(originals, edited).items():
                answer[kind][name] = distance
            if pdq is not None:
                answer[_EVIDENCE][name] = self._find_most_evidence(pdq, form)
        return answer

    def _hash(self, item: str | Image.Image) -> HashedInput:
        """Hash an item. Raises MemoryError if memory ran out, so that it is hashed again."""
        hashed = hash_item(item, policy=self.policy, kinds=self.kinds)
        if isinstance(hashed.error, ShortOfMemory):
            raise MemoryError
        return hashed

    def _find_most_evidence(self, original: Hash, form: HashedInput) -> int | None:
        """Return the most evidence of a PDQ in whole bits, or None if there is not enough.

        That of a view which needs a share of the threshold is divided by the share.
        """
        bits = np.unpackbits(np.frombuffer(original.value, np.uint8))
        thresholds = find_thresholds(self.list_name, self.policy)
        most: list[int] = []
        for group, columns in list_weighed(form.hashes):
            weighable = np.frombuffer(group.find_weighable(self.policy.floor[PDQ.name]), np.bool_)
            for with_views, queries in enumerate(columns.to_queries(group.values)):
                if not len(queries.ceilings):
                    continue
                queried = list_queried(thresholds, columns, with_views=bool(with_views))
                differs = np.unpackbits(queries.codes, axis=1) != bits
                distances = (queries.weights * differs).sum(axis=1, dtype=np.int64)
                evidence = (queries.ceilings - distances) // SIXTEENTHS
                counts = (evidence >= queried.thresholds) & weighable[queried.turns]
                evidence = evidence // [one.enough if one else 1 for one in queried.views]
                most += evidence[counts].astype(int).tolist()
        return max(most, default=None)

    def _select_usable(self, hashed: HashedInput) -> list[LocatedHash]:
        floors = self.policy.floor
        return [
            located
            for located in hashed.hashes
            if located.is_usable(floors[located.hash.kind.name])
        ]


def _find_least_distances(
    originals: Mapping[str, Hash], edited: Iterable[LocatedHash]
) -> dict[str, int | None]:
    least_distances: dict[str, int | None] = dict.fromkeys(originals)
    for located in edited:
        kind = located.hash.kind.name
        if kind in originals:
            distance, least = originals[kind].distance(located.hash), least_distances[kind]
            least_distances[kind] = distance if least is None else min(least, distance)
    return least_distances


def _read_first_frame(path: str, policy: Policy) -> Image.Image | None:
    try:
        read = source.read(path, limit=policy.limits.bytes)
        if not isinstance(read.content, bytes):
            return None
        frame = next(iter(open_image.open(read.content, limits=policy.limits).frames()))
    except (MediaError, StopIteration):
        return None
    return Image.fromarray(np.ascontiguousarray(frame.pixels)).convert("RGB")


class EditDistances:
    """The distances of edited pictures from their originals, by kind, and their evidence."""

    def __init__(self, kinds: Iterable[HashKind]) -> None:
        self.by_kind: dict[str, list[Mapping[str, int | None]]] = {kind.name: [] for kind in kinds}
        self.evidence: list[Mapping[str, int | None]] = []  # one for each of by_kind["pdq"]
        self.pictures = 0
        self.failures: Counter[str] = Counter()

    def add(self, answer: Mapping[str, Mapping[str, int | None]] | HashedInput) -> None:
        """Add a worker's answer for one picture; it is a HashedInput if the worker failed."""
        if isinstance(answer, HashedInput):
            self.failures[answer.error.reason if answer.error else str(Reason.CRASHED)] += 1
            return
        self.pictures += bool(answer)
        for kind, by_edit in answer.items():
            (self.evidence if kind == _EVIDENCE else self.by_kind[kind]).append(by_edit)

    def count_found(self, kind: str, radius: int, edit: str) -> int:
        """Return the number of pictures that are found again after an edit."""
        return sum(
            (distance := by_edit[edit]) is not None and distance <= radius
            for by_edit in self.by_kind[kind]
        )

    def weigh_forms(self, radius: int) -> NDArray[np.float64]:
        """Return the evidence of each picture's forms in the order of EDITS, (pictures, edits).

        It is infinite if the form's PDQ is within the radius, and minus infinity without evidence.
        """
        forms = [
            [_weigh_form(distances[edit], evidence[edit], radius) for edit in EDITS]
            for distances, evidence in zip(self.by_kind[PDQ.name], self.evidence, strict=True)
        ]
        return np.array(forms, np.float64).reshape(-1, len(EDITS))


def _weigh_form(distance: int | None, evidence: int | None, radius: int) -> float:
    if distance is not None and distance <= radius:
        return math.inf
    return -math.inf if evidence is None else evidence
