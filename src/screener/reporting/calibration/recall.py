"""Recall: which edited forms of a picture are found again by its own hashes."""

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
from screener.screening.input.hash_item import Hashed, hash_item
from screener.screening.input.hasher import HashMode, Target
from screener.screening.input.located_hash import Located
from screener.screening.policy import Policy
from screener.screening.result import Reason

CONFIDENCE = 0.95


def share(hits: int, cases: int) -> tuple[float, float]:
    """The 95 % bounds of Clopper and Pearson of a share, of which `hits` of `cases` were seen.

    With no hit the lower is 0 and the upper about 3 / cases (one-sided, the rule of three); with
    no case they are 0 and 1. The cases must not depend on one another.
    """
    # Not with this module: few programs need it.
    from scipy.special import betaincinv  # type: ignore[import-untyped]

    if not 0 <= hits <= cases:
        raise ValueError(f"{hits} hits of {cases} cases")
    if not cases:
        return 0.0, 1.0
    # Where a bound is certain, the other has all of the doubt.
    doubt = (1 - CONFIDENCE) / (1 if hits in (0, cases) else 2)
    low = float(betaincinv(hits, cases - hits + 1, doubt)) if hits else 0.0
    high = float(betaincinv(hits + 1, cases - hits, 1 - doubt)) if hits < cases else 1.0
    return low, high


class Editing:
    """What a worker does to see which edits are found again."""

    outcomes = (dict,)

    def __init__(self, policy: Policy, kinds: tuple[HashKind, ...]) -> None:
        self.policy = policy
        self.kinds = kinds

    def visit(self) -> Editing:
        """Nothing is kept from one picture to the next."""
        return self

    def do(
        self, target: Target, budget: Budget | None, mode: HashMode
    ) -> dict[str, dict[str, int | None]] | Hashed:
        """By kind and edit, how far a picture's edited form lies from it, eight ways round: None
        where its detail does not do. Empty for a file that is no whole picture. MemoryError where
        there is too little for an edit; what is told then is the input, for its trouble.
        """
        if mode is HashMode.DIGESTS_ONLY:
            return Hashed(name_of(target.path))
        hashed = self._hashed(target.path)
        own = {
            one.hash.kind.name: one.hash
            for one in self._compared(hashed)
            if (one.part, one.region, one.orientation) == (0, "full", "upright")
        }
        if hashed.trouble is not None or not own:
            return {}
        picture = _first_frame(target.path, self.policy)
        if picture is None:
            return {}
        found: dict[str, dict[str, int | None]] = {kind: {} for kind in own}
        for name, edit in EDITS.items():
            edited = self._hashed(edit(picture))
            for kind, distance in _least(own, self._compared(edited)).items():
                found[kind][name] = distance
        return found

    def _hashed(self, item: str | Image.Image) -> Hashed:
        """An item's hashes; MemoryError where it lacked memory, which is no edit's doing."""
        hashed = hash_item(item, policy=self.policy, kinds=self.kinds)
        if isinstance(hashed.trouble, ShortOfMemory):
            raise MemoryError
        return hashed

    def _compared(self, hashed: Hashed) -> list[Located]:
        """The hashes that the policy's floors let be compared."""
        floor = self.policy.floor
        return [one for one in hashed.hashes if one.usable(floor[one.hash.kind.name])]


def _least(own: Mapping[str, Hash], edited: Iterable[Located]) -> dict[str, int | None]:
    """The least distance of each kind's hash from those of an edited form."""
    found: dict[str, int | None] = dict.fromkeys(own)
    for one in edited:
        kind = one.hash.kind.name
        if kind in own:
            distance, have = own[kind].distance(one.hash), found[kind]
            found[kind] = distance if have is None else min(have, distance)
    return found


def _first_frame(path: str, policy: Policy) -> Image.Image | None:
    """The picture in RGB; None where it is none, which its hashes have told already."""
    try:
        read = source.read(path, limit=policy.limits.bytes)
        if not isinstance(read.content, bytes):
            return None
        frame = next(iter(open_image.open(read.content, limits=policy.limits).frames()))
    except (MediaError, StopIteration):
        return None
    return Image.fromarray(np.ascontiguousarray(frame.pixels)).convert("RGB")


class Again:
    """How far edited pictures lie from what they were."""

    def __init__(self, kinds: Iterable[HashKind]) -> None:
        self.found: dict[str, list[Mapping[str, int | None]]] = {kind.name: [] for kind in kinds}
        self.pictures = 0
        self.left_out: Counter[str] = Counter()

    def add(self, found: Mapping[str, Mapping[str, int | None]] | Hashed) -> None:
        """Take in one picture; of one by which a worker came to harm there is the trouble."""
        if isinstance(found, Hashed):
            self.left_out[found.trouble.reason if found.trouble else str(Reason.CRASHED)] += 1
            return
        self.pictures += bool(found)
        for kind, by_edit in found.items():
            self.found[kind].append(by_edit)

    def within(self, kind: str, radius: int, edit: str) -> int:
        """How many pictures are found again after an edit."""
        return sum(
            (distance := by_edit[edit]) is not None and distance <= radius
            for by_edit in self.found[kind]
        )
