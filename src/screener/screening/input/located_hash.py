"""Hashes of an input with where in it they were made: LocatedHash, and OrientedHashes for the eight
orientations of one picture as columns.

A scan receives at least eight hashes of each picture, and nearly none of them is near a listed one:
most are sent and looked up as columns, and become objects only when one is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, Any, NamedTuple, overload

from msgspec import Meta, Struct, structs

from screener.hashing.hash import Hash, kind_named
from screener.hashing.pdq import MOST_DOUBT, ORIENTATIONS
from screener.media.image import pixels
from screener.screening.input.wire import Count, Seconds

_REGIONS = ("full", "trimmed", "enlarged", "uncropped")
_PART_KINDS = ("frame", "thumbnail", "appended")

_MOST_SCORE = 100

Score = Annotated[int, Meta(ge=0, le=_MOST_SCORE)]
Doubt = Annotated[int, Meta(ge=0, le=MOST_DOUBT)]


class LocatedHash(NamedTuple):
    """A hash of an input, and where in the input it was made.

    `detail` is the score (0–100) of the picture by `hashing.detail`, None for a digest or a hash
    made elsewhere. A hash is compared if that and its own quality reach the floor.
    """

    hash: Hash
    orientation: str = "upright"
    region: str = "full"
    part: int = 0
    time: float = 0.0
    part_kind: str = "frame"
    detail: int | None = None
    again: tuple[float, ...] = ()
    """Times of further frames with the same hashes."""
    track: int = 0
    """The track of a video, or the number, from 1, of a clip hidden in a picture's file."""
    doubt: int = 0
    """The number of bits in doubt, which widen the search; above 0 the hash is a sketch."""
    least: int | None = None
    """The least possible score of a sketch; `detail` is then the largest possible."""

    @property
    def moments(self) -> list[tuple[int, float]]:
        """The track and each time at which the frame is shown."""
        return [(self.track, time) for time in (self.time, *self.again)]

    @property
    def hidden_clip(self) -> int:
        """The number of the hidden clip that it is a frame of; 0 for none."""
        return self.track if self.part_kind == "appended" else 0

    @property
    def score(self) -> int | None:
        """The lesser of quality and detail, as far as they are known."""
        scores = (one for one in (self.hash.quality, self.detail) if one is not None)
        return min(scores, default=None)

    def usable(self, floor: int) -> bool:
        """Return whether quality and detail, as far as they are known, reach a floor."""
        score = self.score
        return score is None or score >= floor


class OrientedHashes(Struct, frozen=True, array_like=True, tag="oriented"):
    """The hashes of one region of a frame, by one perceptual kind, in all orientations.

    `values` are joined in the order of ORIENTATIONS. `qualities`, `details`, `doubts` and `leasts`
    have a byte for each, as in LocatedHash; if nothing is in doubt, the least is the detail.
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

    def each(self) -> Iterator[LocatedHash]:
        """Yield the hashes one by one."""
        kind = kind_named(self.kind)
        for number, orientation in enumerate(ORIENTATIONS):
            value = self.values[number * kind.size : (number + 1) * kind.size]
            made = Hash(kind, value, self.qualities[number], pixels.VERSION)
            doubt = self.doubts[number]
            least = self.leasts[number] if doubt else None
            yield LocatedHash(
                made, orientation, self.region, self.part, self.time, self.part_kind,
                self.details[number], self.again, self.track, doubt, least,
            )  # fmt: skip

    def usable(self, floor: int) -> bytes | None:
        """Return 1 for each hash that reaches a floor, 0 for others; None if all do."""
        if min(self.qualities) >= floor and min(self.details) >= floor:
            return None
        pairs = zip(self.qualities, self.details, strict=True)
        return bytes(quality >= floor and detail >= floor for quality, detail in pairs)

    @property
    def moments(self) -> list[tuple[int, float]]:
        """The track and each time at which the frame is shown."""
        return [(self.track, time) for time in (self.time, *self.again)]

    @property
    def score(self) -> int:
        """The least quality or detail of any hash, whatever its bits in doubt are."""
        return min(self.qualities + self.leasts)

    def may_be_usable(self, floor: int) -> bool:
        """Return whether bits in doubt decide if all of them reach a floor."""
        return self.score < floor <= min(self.qualities + self.details)


class Hashes(Sequence[LocatedHash]):
    """The hashes of an input: a sequence of LocatedHash, stored as `groups`."""

    def __init__(self, groups: Sequence[LocatedHash | OrientedHashes] = ()) -> None:
        self.groups = tuple(groups)

    @cached_property
    def _each(self) -> tuple[LocatedHash, ...]:
        found: list[LocatedHash] = []
        for group in self.groups:
            if isinstance(group, OrientedHashes):
                found.extend(group.each())
            else:
                found.append(group)
        return tuple(found)

    @overload
    def __getitem__(self, index: int) -> LocatedHash: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LocatedHash]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._each[index]

    def __len__(self) -> int:
        return sum(
            len(ORIENTATIONS) if isinstance(one, OrientedHashes) else 1 for one in self.groups
        )

    def __iter__(self) -> Iterator[LocatedHash]:
        return iter(self._each)

    def __eq__(self, other: object) -> bool:
        return self._each == (other._each if isinstance(other, Hashes) else other)

    def __hash__(self) -> int:
        return hash(self._each)

    def __repr__(self) -> str:
        return repr(self._each)


class SingleHash(Struct, frozen=True, array_like=True, tag="single"):
    """A LocatedHash on the wire; the hash comes first, by kind, value, quality and pixels."""

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


def to_wire(
    groups: Sequence[LocatedHash | OrientedHashes],
) -> tuple[OrientedHashes | SingleHash, ...]:
    """Return hashes in their wire format."""
    return tuple([one if isinstance(one, OrientedHashes) else _single(one) for one in groups])


def _single(one: LocatedHash) -> SingleHash:
    hash = one.hash
    return SingleHash(hash.kind.name, hash.value, hash.quality, hash.pixels, *one[1:])


def from_wire(wire: Sequence[OrientedHashes | SingleHash]) -> Hashes:
    """Return the hashes. Raise ValueError or HashError if they fit no kind, region or part."""
    for one in wire:
        if one.region not in _REGIONS or one.part_kind not in _PART_KINDS:
            raise ValueError("not the region or part of a picture")
    return Hashes([_located(one) if isinstance(one, SingleHash) else _checked(one) for one in wire])


def _located(one: SingleHash) -> LocatedHash:
    if one.orientation not in ORIENTATIONS:
        raise ValueError("not the orientation of a picture")
    kind, value, quality, pixels, *place = structs.astuple(one)
    return LocatedHash(Hash(kind_named(kind), value, quality, pixels), *place)


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


def list_groups(hashes: Sequence[LocatedHash]) -> Sequence[LocatedHash | OrientedHashes]:
    """Return the hashes of an input, those of one region as one OrientedHashes if possible."""
    return hashes.groups if isinstance(hashes, Hashes) else hashes
