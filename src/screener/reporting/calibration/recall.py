"""Recall: how far edited forms of a picture are from its own hashes."""

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
from screener.media.source import name_of
from screener.reporting.calibration.edits import EDITS
from screener.screening.input.hash_item import HashedInput, hash_item
from screener.screening.input.hasher import HashMode, Target
from screener.screening.input.located_hash import LocatedHash
from screener.screening.policy import Policy
from screener.screening.result import Reason

CONFIDENCE = 0.95


def share(hits: int, cases: int) -> tuple[float, float]:
    """Return the 95 % bounds (Clopper and Pearson) of a share with `hits` in `cases`.

    Without a hit they are 0 and about 3 / cases (one-sided, the rule of three), without a case 0
    and 1. The cases must be independent.
    """
    from scipy.special import betaincinv  # type: ignore[import-untyped]

    if not 0 <= hits <= cases:
        raise ValueError(f"{hits} hits of {cases} cases")
    if not cases:
        return 0.0, 1.0
    # If one bound is certain, the other has all of the doubt.
    doubt = (1 - CONFIDENCE) / (1 if hits in (0, cases) else 2)
    low = float(betaincinv(hits, cases - hits + 1, doubt)) if hits else 0.0
    high = float(betaincinv(hits + 1, cases - hits, 1 - doubt)) if hits < cases else 1.0
    return low, high


class Editing:
    """A worker's task: hash a picture and its edited forms."""

    outcomes = (dict,)

    def __init__(self, policy: Policy, kinds: tuple[HashKind, ...]) -> None:
        self.policy = policy
        self.kinds = kinds

    def start_session(self) -> Editing:
        """Return itself: no state is carried from one picture to the next."""
        return self

    def run(
        self, target: Target, budget: Budget | None, mode: HashMode
    ) -> dict[str, dict[str, int | None]] | HashedInput:
        """Return the least distance of each edited form, over eight orientations, by kind and edit.

        It is None if the form has too little detail. The result is empty if the file is not an
        intact picture, and HashedInput for DIGESTS_ONLY, after a worker failed. Raises MemoryError.
        """
        if mode is HashMode.DIGESTS_ONLY:
            return HashedInput(name_of(target.path))
        hashed = self._hashed(target.path)
        own = {
            located.hash.kind.name: located.hash
            for located in self._usable(hashed)
            if (located.part, located.region, located.orientation) == (0, "full", "upright")
        }
        if hashed.trouble is not None or not own:
            return {}
        picture = _first_frame(target.path, self.policy)
        if picture is None:
            return {}
        distances: dict[str, dict[str, int | None]] = {kind: {} for kind in own}
        for name, edit in EDITS.items():
            edited = self._hashed(edit(picture))
            for kind, distance in _least_distances(own, self._usable(edited)).items():
                distances[kind][name] = distance
        return distances

    def _hashed(self, item: str | Image.Image) -> HashedInput:
        """Return an item's hashes. Raises MemoryError if memory ran out, so that it is retried."""
        hashed = hash_item(item, policy=self.policy, kinds=self.kinds)
        if isinstance(hashed.trouble, ShortOfMemory):
            raise MemoryError
        return hashed

    def _usable(self, hashed: HashedInput) -> list[LocatedHash]:
        floor = self.policy.floor
        return [each for each in hashed.hashes if each.usable(floor[each.hash.kind.name])]


def _least_distances(
    own: Mapping[str, Hash], edited: Iterable[LocatedHash]
) -> dict[str, int | None]:
    least: dict[str, int | None] = dict.fromkeys(own)
    for located in edited:
        kind = located.hash.kind.name
        if kind in own:
            distance, before = own[kind].distance(located.hash), least[kind]
            least[kind] = distance if before is None else min(before, distance)
    return least


def _first_frame(path: str, policy: Policy) -> Image.Image | None:
    """Return a picture in RGB, or None if it cannot be decoded."""
    try:
        read = source.read(path, limit=policy.limits.bytes)
        if not isinstance(read.content, bytes):
            return None
        frame = next(iter(open_image.open(read.content, limits=policy.limits).frames()))
    except (MediaError, StopIteration):
        return None
    return Image.fromarray(np.ascontiguousarray(frame.pixels)).convert("RGB")


class Again:
    """The distances of edited pictures from the originals, by kind."""

    def __init__(self, kinds: Iterable[HashKind]) -> None:
        self.distances: dict[str, list[Mapping[str, int | None]]] = {
            kind.name: [] for kind in kinds
        }
        self.pictures = 0
        self.left_out: Counter[str] = Counter()

    def add(self, answer: Mapping[str, Mapping[str, int | None]] | HashedInput) -> None:
        """Add a worker's answer for one picture; a HashedInput says that the worker failed."""
        if isinstance(answer, HashedInput):
            self.left_out[answer.trouble.reason if answer.trouble else str(Reason.CRASHED)] += 1
            return
        self.pictures += bool(answer)
        for kind, by_edit in answer.items():
            self.distances[kind].append(by_edit)

    def within(self, kind: str, radius: int, edit: str) -> int:
        """Return how many pictures are found again after an edit."""
        return sum(
            (distance := by_edit[edit]) is not None and distance <= radius
            for by_edit in self.distances[kind]
        )
