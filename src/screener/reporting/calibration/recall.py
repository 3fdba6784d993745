"""Recall: the distances of edited forms of a picture from its own hashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from PIL import Image

from screener.errors import MediaError, ShortOfMemory
from screener.hashing.hash import Hash, HashKind
from screener.media import source
from screener.media.archives.archive import Budget
from screener.media.image import open_image
from screener.media.name import name_of
from screener.reporting.calibration.edits import EDITS
from screener.screening.input.hash_item import HashedInput, hash_item
from screener.screening.input.hasher import HashMode, Target
from screener.screening.input.located_hash import LocatedHash
from screener.screening.policy import Policy
from screener.screening.result import Reason

CONFIDENCE = 0.95


def compute_bounds(hits: int, cases: int) -> tuple[float, float]:
    """Return the 95 % bounds (Clopper and Pearson) of the share `hits / cases`.

    Without a hit they are 0 and about 3 / cases (one-sided, the rule of three). Without a case they
    are 0 and 1. The cases must be independent.
    """
    from scipy.special import betaincinv  # type: ignore[import-untyped]

    if not 0 <= hits <= cases:
        raise ValueError(f"{hits} hits of {cases} cases")
    if not cases:
        return 0.0, 1.0
    # If one bound is certain, all of the doubt is about the other.
    doubt = (1 - CONFIDENCE) / (1 if hits in (0, cases) else 2)
    low = float(betaincinv(hits, cases - hits + 1, doubt)) if hits else 0.0
    high = float(betaincinv(hits + 1, cases - hits, 1 - doubt)) if hits < cases else 1.0
    return low, high


class EditingJob:
    """The job of a worker process: hash a picture and its edited forms."""

    outcomes = (dict,)

    def __init__(self, policy: Policy, kinds: tuple[HashKind, ...]) -> None:
        self.policy = policy
        self.kinds = kinds

    def start_session(self) -> EditingJob:
        """Return this job, which has no state."""
        return self

    def run(
        self, target: Target, budget: Budget | None, mode: HashMode
    ) -> dict[str, dict[str, int | None]] | HashedInput:
        """Return the least distance of each edited form by kind and edit.

        It is the least of eight orientations, or None if the form has too little detail. There are
        no distances if the file is not an intact picture. After a worker failed, the mode is
        DIGESTS_ONLY, and an empty HashedInput is returned. Raises MemoryError if memory ran out.
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
        distances: dict[str, dict[str, int | None]] = {kind: {} for kind in originals}
        for name, edit in EDITS.items():
            edited = self._select_usable(self._hash(edit(picture)))
            for kind, distance in _find_least_distances(originals, edited).items():
                distances[kind][name] = distance
        return distances

    def _hash(self, item: str | Image.Image) -> HashedInput:
        """Hash an item. Raises MemoryError if memory ran out, so that it is hashed again."""
        hashed = hash_item(item, policy=self.policy, kinds=self.kinds)
        if isinstance(hashed.error, ShortOfMemory):
            raise MemoryError
        return hashed

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
    """The distances of edited pictures from their originals, by kind."""

    def __init__(self, kinds: Iterable[HashKind]) -> None:
        self.by_kind: dict[str, list[Mapping[str, int | None]]] = {kind.name: [] for kind in kinds}
        self.pictures = 0
        self.failures: Counter[str] = Counter()

    def add(self, answer: Mapping[str, Mapping[str, int | None]] | HashedInput) -> None:
        """Add a worker's answer for one picture; it is a HashedInput if the worker failed."""
        if isinstance(answer, HashedInput):
            self.failures[answer.error.reason if answer.error else str(Reason.CRASHED)] += 1
            return
        self.pictures += bool(answer)
        for kind, by_edit in answer.items():
            self.by_kind[kind].append(by_edit)

    def count_found(self, kind: str, radius: int, edit: str) -> int:
        """Return the number of pictures that are found again after an edit."""
        return sum(
            (distance := by_edit[edit]) is not None and distance <= radius
            for by_edit in self.by_kind[kind]
        )
