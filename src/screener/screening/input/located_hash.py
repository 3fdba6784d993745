"""Located and Turned: a hash of an input and where in the input it was made; and the hashes of one
picture turned in all ways, as columns.

A scan is sent at least eight hashes of each picture, and nearly none of them is near a listed one:
most are sent and looked up as columns, and made into objects when somebody asks for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, Any, NamedTuple, overload

from msgspec import Meta, Struct

from screener.hashing.hash import Hash, kind_named
from screener.hashing.pdq import MOST_DOUBT, ORIENTATIONS
from screener.media.image import pixels
from screener.screening.input.wire import Count, Seconds

_REGIONS = ("full", "trimmed", "enlarged", "uncropped")
_PART_KINDS = ("frame", "thumbnail", "appended")

_MOST_SCORE = 100

Score = Annotated[int, Meta(ge=0, le=_MOST_SCORE)]
Doubt = Annotated[int, Meta(ge=0, le=MOST_DOUBT)]


class Located(NamedTuple):
    """A hash of an input, and where in the input it was made.

    `detail` is the score (0–100) of the picture by `hashing.detail`, None for a digest or a
    hash made elsewhere: a hash is compared where that and its own quality reach the floor.
    """

    hash: Hash
    orientation: str = "upright"
    region: str = "full"
    part: int = 0
    time: float = 0.0
    part_kind: str = "frame"
    detail: int | None = None
    again: tuple[float, ...] = ()
    """The times of further frames that show the same."""
    track: int = 0
    """Of a video, the track of pictures; of a clip hidden in a picture's file, from 1."""
    doubt: int = 0
    """How many bits of the hash may be others: it is a sketch, to be looked up with those."""
    least: int | None = None
    """Of a sketch, the least that `detail` may be, which is then the most that it may be."""

    @property
    def moments(self) -> list[tuple[int, float]]:
        """Its track, with each time at which what it is of is shown."""
        return [(self.track, time) for time in (self.time, *self.again)]

    @property
    def hidden_clip(self) -> int:
        """The number of the clip, hidden in a picture's file, that it is a frame of; 0 for none."""
        return self.track if self.part_kind == "appended" else 0

    @property
    def score(self) -> int | None:
        """Its quality or its detail, whichever is less, as far as they are known."""
        scores = (one for one in (self.hash.quality, self.detail) if one is not None)
        return min(scores, default=None)

    def usable(self, floor: int) -> bool:
        """Whether it reaches a floor by its quality and its detail, as far as they are known."""
        score = self.score
        return score is None or score >= floor


class OrientedHashes(Struct, frozen=True, array_like=True, tag="oriented"):
    """The hashes, of a perceptual kind, of one region of a frame in all its orientations.

    `values` are all of them, joined in the order of ORIENTATIONS. `qualities`, `details`, `doubts`
    and `leasts` have a byte for each, as Located says; where nothing is in doubt, the least is the
    detail.
    """

    kind: str
    values: bytes
    qualities: bytes
    details: bytes
    doubts: bytes
    leasts: bytes
    region: str = "full"
    part: Count = 0
    time: Seconds = 0.0
    part_kind: str = "frame"
    again: tuple[Seconds, ...] = ()
    track: Count = 0

    def each(self) -> Iterator[Located]:
        """The hashes one by one."""
        kind = kind_named(self.kind)
        for number, orientation in enumerate(ORIENTATIONS):
            value = self.values[number * kind.size : (number + 1) * kind.size]
            made = Hash(kind, value, self.qualities[number], pixels.VERSION)
            doubt = self.doubts[number]
            least = self.leasts[number] if doubt else None
            yield Located(
                made, orientation, self.region, self.part, self.time, self.part_kind,
                self.details[number], self.again, self.track, doubt, least,
            )  # fmt: skip

    def usable(self, floor: int) -> bytes | None:
        """Whether each reaches a floor by its quality and its detail, 1 or 0; None if all do."""
        if min(self.qualities) >= floor and min(self.details) >= floor:
            return None
        pairs = zip(self.qualities, self.details, strict=True)
        return bytes(quality >= floor and detail >= floor for quality, detail in pairs)

    @property
    def moments(self) -> list[tuple[int, float]]:
        """Their track, with each time at which what they are of is shown."""
        return [(self.track, time) for time in (self.time, *self.again)]

    @property
    def score(self) -> int:
        """The least quality or detail of any, whatever their bits in doubt are."""
        return min(self.qualities + self.leasts)

    def may_be_usable(self, floor: int) -> bool:
        """Whether it is the bits in doubt that say if all of them reach a floor."""
        return self.score < floor <= min(self.qualities + self.details)


class Hashes(Sequence[Located]):
    """The hashes of an input: a sequence of Located, in `groups` as far as they are columns."""

    def __init__(self, groups: Sequence[Located | OrientedHashes] = ()) -> None:
        self.groups = tuple(groups)

    @cached_property
    def _each(self) -> tuple[Located, ...]:
        found: list[Located] = []
        for group in self.groups:
            if isinstance(group, OrientedHashes):
                found.extend(group.each())
            else:
                found.append(group)
        return tuple(found)

    @overload
    def __getitem__(self, index: int) -> Located: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Located]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._each[index]

    def __len__(self) -> int:
        return sum(
            len(ORIENTATIONS) if isinstance(one, OrientedHashes) else 1 for one in self.groups
        )

    def __iter__(self) -> Iterator[Located]:
        return iter(self._each)

    def __eq__(self, other: object) -> bool:
        return self._each == (other._each if isinstance(other, Hashes) else other)

    def __hash__(self) -> int:
        return hash(self._each)

    def __repr__(self) -> str:
        return repr(self._each)


class SingleHash(Struct, frozen=True, array_like=True, tag="single"):
    """A Located in its wire format; the hash comes first, by kind, value, quality and pixels."""

    kind: str
    value: bytes
    quality: Score | None
    pixels: Count | None
    orientation: str = "upright"
    region: str = "full"
    part: Count = 0
    time: Seconds = 0.0
    part_kind: str = "frame"
    detail: Count | None = None
    again: tuple[Seconds, ...] = ()
    track: Count = 0
    doubt: Doubt = 0
    least: Count | None = None


def to_wire(groups: Sequence[Located | OrientedHashes]) -> tuple[OrientedHashes | SingleHash, ...]:
    """Return hashes in their wire format."""
    return tuple([one if isinstance(one, OrientedHashes) else _single(one) for one in groups])


def _single(one: Located) -> SingleHash:
    hash = one.hash
    return SingleHash(hash.kind.name, hash.value, hash.quality, hash.pixels, *one[1:])


def from_wire(wire: Sequence[OrientedHashes | SingleHash]) -> Hashes:
    """Return the hashes. Raise ValueError or HashError if they fit no kind, region or part."""
    for one in wire:
        if one.region not in _REGIONS or one.part_kind not in _PART_KINDS:
            raise ValueError("not the region or part of a picture")
    return Hashes([_located(one) if isinstance(one, SingleHash) else _checked(one) for one in wire])


def _located(one: SingleHash) -> Located:
    if one.orientation not in ORIENTATIONS:
        raise ValueError("not the orientation of a picture")
    return Located(
        Hash(kind_named(one.kind), one.value, one.quality, one.pixels),
        one.orientation, one.region, one.part, one.time, one.part_kind, one.detail, one.again,
        one.track, one.doubt, one.least,
    )  # fmt: skip


def _checked(group: OrientedHashes) -> OrientedHashes:
    kind, count = kind_named(group.kind), len(ORIENTATIONS)
    scores = group.qualities, group.details, group.leasts
    if not kind.perceptual or len(group.values) != kind.size * count:
        raise ValueError("not the hashes of one picture in all its orientations")
    if any(len(column) != count for column in (*scores, group.doubts)):
        raise ValueError("not one score for each orientation")
    if max(map(max, scores)) > _MOST_SCORE or max(group.doubts) > MOST_DOUBT:
        raise ValueError("a score is beyond its range")
    return group


def groups_of(hashes: Sequence[Located]) -> Sequence[Located | OrientedHashes]:
    """The hashes of an input as far as they are columns, and the others."""
    return hashes.groups if isinstance(hashes, Hashes) else hashes
