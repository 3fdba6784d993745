"""Calibration: what each radius would find among pictures that are known to be ordinary.

A Screener tells no distance beyond its policy's radius, and neither does this: what leaves is how
many pictures lie within each radius up to that. The pictures
are hashed by worker processes, by the same pipeline and within the same limits as in a scan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from screener.bounds import share
from screener.edits import EDITS
from screener.errors import ListError, MediaError, PolicyError
from screener.hashed import Hashed, hash_item
from screener.hasher import Target, Way
from screener.hashing.hash import KINDS, Hash, HashKind
from screener.inputs import FilePath, find
from screener.lists.hashlist import HashList
from screener.located import Located
from screener.media import image, source
from screener.media.archive import Budget
from screener.policy import Policy
from screener.result import Reason, Result, Verdict
from screener.scan import check_memory, scan
from screener.screen import VERSIONS, Screener
from screener.workers import each

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


@dataclass(frozen=True)
class Calibration:
    """What a list and a policy would give, told by ordinary pictures.

    `pictures` were screened to their end, `too_little_detail` among them, which cannot match;
    `left_out` are the others, by reason. `listed` are files that the list names by a digest, and
    so are no false matches. `together` counts pictures that match by any kind under the policy as
    it is. `matching` are their names, which stay out of reports unless asked for. `edited` counts
    those whose edited forms were compared, `not_edited` those that harmed a worker then, by reason.
    """

    list: str
    generation: int
    policy: str
    pictures: int
    too_little_detail: int
    listed: int
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
) -> Calibration:
    """Count what a list would find among ordinary pictures, by kind and radius.

    `benign` are files and folders of pictures that show nothing that is listed. With `edits`
    they are edited too, each in fourteen everyday ways, to see at which radius they are found
    again. Uses worker processes: call it under `if __name__ == "__main__":`. Raises ListError
    where the list holds no kind that is computed here, or there is no picture.
    """
    settled = Policy() if policy is None else policy
    if settled.digests_only:
        raise PolicyError("a policy of digests only has no radius to calibrate")
    kinds = [kind for kind in KINDS.values() if kind.perceptual and kind.name in known.kinds]
    if not kinds:
        raise ListError(f"the list {known.name} holds no kind that is computed here")
    check_memory(settled, kinds)
    # Gone through twice, and by its own names: a link to a folder is followed where it is named.
    named = list(benign) if isinstance(benign, Iterator) else benign
    seen = _Seen(kinds)
    for result in scan(Screener(known, policy=settled), named, jobs=jobs):
        seen.add(result)
    if not seen.pictures:
        raise ListError("there is no picture among the files that could be screened")
    again = _Again(kinds)
    if edits:
        for found in each(_Editing(settled, tuple(kinds)), find(named), jobs=jobs):
            again.add(found)
    return Calibration(
        list=known.name,
        generation=known.generation,
        policy=settled.fingerprint,
        pictures=seen.pictures,
        too_little_detail=seen.bare,
        listed=seen.listed,
        left_out=dict(sorted(seen.left_out.items())),
        together=Count.of(len(seen.matching), seen.pictures),
        curves=tuple(_curve(known, kind, settled, seen, again) for kind in kinds),
        versions=dict(VERSIONS),
        edited=again.pictures,
        not_edited=dict(sorted(again.left_out.items())),
        matching=tuple(seen.matching),
    )


class _Seen:
    """How near the pictures came to the list, of which only counts go on."""

    def __init__(self, kinds: Iterable[HashKind]) -> None:
        self.pictures = self.bare = self.listed = 0
        self.left_out: Counter[str] = Counter()
        self.matching: list[str] = []
        self.distances: dict[str, list[int]] = {kind.name: [] for kind in kinds}

    def add(self, result: Result) -> None:
        """Count a picture."""
        if any(KINDS[match.kind].digest for match in (*result.matches, *result.beside)):
            self.listed += 1
            return
        bare = result.reason is Reason.TOO_LITTLE_DETAIL
        if result.verdict is Verdict.UNSCREENED and not bare:
            self.left_out[str(result.reason)] += 1
            return
        self.pictures += 1
        self.bare += bare
        for kind, distances in self.distances.items():
            near = [match.distance for match in result.matches if match.kind == kind]
            distances += [min(near)] if near else []
        if result.matches:
            self.matching.append(result.input or "")


class _Editing:
    """What a worker does to see which edits are found again."""

    tells = (dict,)

    def __init__(self, policy: Policy, kinds: tuple[HashKind, ...]) -> None:
        self.policy = policy
        self.kinds = kinds

    def visit(self) -> _Editing:
        """Nothing is kept from one picture to the next."""
        return self

    def do(
        self, target: Target, budget: Budget | None, way: Way
    ) -> dict[str, dict[str, int | None]]:
        """By kind and edit, how far a picture's edited form lies from it, eight ways round: None
        where its detail does not do. Empty for a file that is no whole picture.
        """
        if way is Way.DIGESTS:
            return {}
        hashed = hash_item(target.path, policy=self.policy, kinds=self.kinds)
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
            edited = hash_item(edit(picture), policy=self.policy, kinds=self.kinds)
            for kind, distance in _least(own, self._compared(edited)).items():
                found[kind][name] = distance
        return found

    def _compared(self, hashed: Hashed) -> list[Located]:
        """The hashes that the policy's floors let be compared."""
        return [
            one
            for one in hashed.hashes
            if all(
                score is None or score >= self.policy.floor[one.hash.kind.name]
                for score in (one.hash.quality, one.detail)
            )
        ]


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
        frame = next(iter(image.open(read.content, limits=policy.limits).frames()))
    except (MediaError, StopIteration):
        return None
    return Image.fromarray(np.ascontiguousarray(frame.pixels)).convert("RGB")


class _Again:
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


def _curve(known: HashList, kind: HashKind, policy: Policy, seen: _Seen, again: _Again) -> Curve:
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
    )


def _forms_found(again: _Again, kind: HashKind, radius: int) -> int:
    """The edited forms found again within a radius, over all edits."""
    return sum(again.within(kind.name, radius, name) for name in EDITS)
