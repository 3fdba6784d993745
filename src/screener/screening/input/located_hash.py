"""Hashes of an input with their position, singly or as columns of all orientations.

A scan receives at least eight hashes per picture, and nearly none of them is near a listed one. So
most are sent and searched as columns, and become objects only if they are read one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, Any, NamedTuple, overload

import numpy as np
from msgspec import Meta, Struct, structs

from screener.hashing.evidence import Queries, find_ceilings
from screener.hashing.hash import Hash, kind_named
from screener.hashing.pdq import MOST_DOUBT, ORIENTATIONS, PDQ
from screener.hashing.views import ORIENTATIONS_OF, VIEWS_OF
from screener.media.image import pixels
from screener.screening.input.wire import BoxWire, Count, Seconds
from screener.screening.result import Box, MediaFacts

INSET = "inset"
"""The region of a part of a frame that may be a picture of its own, and has a box."""

UNSEEN_REGIONS = (INSET, "without_alpha", "on_mean", "uncropped")
"""The regions that clear nothing: not the whole picture, as a viewer shows it."""

_REGIONS = (
    "full", "trimmed", "enlarged", "uncropped", "on_black", "on_mean", "without_alpha", INSET
)  # fmt: skip
_PART_KINDS = ("frame", "thumbnail", "appended")

_MAX_SCORE = 100
_WEIGHTS = PDQ.bits
_CEILING_BYTES = 4
_ROWS = (0, *ORIENTATIONS_OF)  # of each view

Score = Annotated[int, Meta(ge=0, le=_MAX_SCORE)]
Doubt = Annotated[int, Meta(ge=0, le=MOST_DOUBT)]


class LocatedHash(NamedTuple):
    """A hash of an input, and its position in the input.

    `detail` is the picture's score (0–100) by `hashing.detail`, or None for a digest or a hash made
    elsewhere. A hash is compared if its detail and its quality reach the floor.
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
    """The track of a video, or the number from 1 of a hidden clip."""
    doubt: int = 0
    """The number of bits in doubt, which widen the search; above 0 for a sketch."""
    least: int | None = None
    """The lowest possible detail of a sketch; `detail` is then the highest possible."""
    box: Box | None = None
    """The place of an inset in its frame."""

    @property
    def moments(self) -> list[tuple[int, float]]:
        """The track with each time at which the frame is shown."""
        return [(self.track, time) for time in (self.time, *self.again)]

    @property
    def hidden_clip(self) -> int:
        """The number of the hidden clip that contains the frame, or 0."""
        return self.track if self.part_kind == "appended" else 0

    @property
    def score(self) -> int | None:
        """The lower of quality and detail, or None if neither is known."""
        scores = (score for score in (self.hash.quality, self.detail) if score is not None)
        return min(scores, default=None)

    def is_usable(self, floor: int) -> bool:
        """Return whether quality and detail, as far as they are known, reach a floor."""
        score = self.score
        return score is None or score >= floor


class EvidenceColumns(Struct, frozen=True, array_like=True):
    """The evidence of one region's PDQs: `evidence.Queries` of the hashes and of their views.

    `weights` and `ceilings` are those of the eight hashes, whose codes are their values. The
    columns of views have a row per view of the shape and orientation, as `views.weigh` returns
    them, or are empty.
    """

    weights: bytes
    ceilings: bytes
    view_codes: bytes = b""
    view_weights: bytes = b""
    view_ceilings: bytes = b""
    view_orientations: int = 0
    shape: str = ""

    @classmethod
    def from_queries(
        cls, hashes: Queries, views: Queries | None, view_orientations: int = 0, shape: str = ""
    ) -> EvidenceColumns:
        """Return the columns of queries."""
        columns = cls(hashes.weights.tobytes(), hashes.ceilings.tobytes())
        if views is None:
            return columns
        return structs.replace(
            columns,
            view_codes=views.codes.tobytes(),
            view_weights=views.weights.tobytes(),
            view_ceilings=views.ceilings.tobytes(),
            view_orientations=view_orientations,
            shape=shape,
        )

    def to_queries(self, values: bytes) -> tuple[Queries, Queries]:
        """Return the queries of the hashes, which have these values, and those of the views."""
        return (
            _read_queries(values, self.weights, self.ceilings),
            _read_queries(self.view_codes, self.view_weights, self.view_ceilings),
        )

    def check(self) -> None:
        """Raise ValueError unless lengths are those of hashes and views, and ceilings fit weights.

        With other ceilings a broken worker could have its file hit every record of a list.
        """
        codes, weights, ceilings = self.view_codes, self.view_weights, self.view_ceilings
        rows = len(ceilings) // _CEILING_BYTES
        if (len(self.weights), len(self.ceilings)) != (_WEIGHTS * 8, _CEILING_BYTES * 8):
            raise ValueError("not the weights of eight hashes")
        if (len(codes), len(weights), len(ceilings)) != (
            PDQ.size * rows,
            _WEIGHTS * rows,
            _CEILING_BYTES * rows,
        ) or (self.view_orientations, rows) not in {
            (one, one * len(VIEWS_OF.get(self.shape, ()))) for one in _ROWS
        }:
            raise ValueError("not the weights of all views")
        for one_weights, one_ceilings in ((self.weights, self.ceilings), (weights, ceilings)):
            table = np.frombuffer(one_weights, np.uint8).reshape(-1, _WEIGHTS)
            if find_ceilings(table).tobytes() != one_ceilings:
                raise ValueError("not the ceilings of the weights")


def _read_queries(codes: bytes, weights: bytes, ceilings: bytes) -> Queries:
    return Queries(
        np.frombuffer(codes, np.uint8).reshape(-1, PDQ.size),
        np.frombuffer(weights, np.uint8).reshape(-1, _WEIGHTS),
        np.frombuffer(ceilings, np.int32),
    )


class OrientedHashes(Struct, frozen=True, array_like=True, tag="oriented"):
    """The hashes of one region of a frame in all orientations, of one perceptual kind.

    `values` are joined in the order of ORIENTATIONS. `qualities`, `details`, `doubts` and `leasts`
    have one byte per hash, as in LocatedHash. Without bits in doubt, `leasts` equal `details`.
    `evidence` is there if the effort asks for it; caches store none of it by default.
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
    evidence: EvidenceColumns | None = None
    box: BoxWire | None = None

    def split(self) -> Iterator[LocatedHash]:
        """Yield the hashes one by one."""
        kind = kind_named(self.kind)
        for number, orientation in enumerate(ORIENTATIONS):
            value = self.values[number * kind.size : (number + 1) * kind.size]
            hash_ = Hash(kind, value, self.qualities[number], pixels.VERSION)
            doubt = self.doubts[number]
            least = self.leasts[number] if doubt else None
            yield LocatedHash(
                hash_, orientation, self.region, self.part, self.time, self.part_kind,
                self.details[number], self.again, self.track, doubt, least, self.box,
            )  # fmt: skip

    def find_usable(self, floor: int) -> bytes | None:
        """Return a byte per hash, 1 if it reaches a floor, or None if all do."""
        if min(self.qualities) >= floor and min(self.details) >= floor:
            return None
        pairs = zip(self.qualities, self.details, strict=True)
        return bytes(quality >= floor and detail >= floor for quality, detail in pairs)

    def find_weighable(self, floor: int) -> bytes:
        """Return a byte per hash, 1 if it is compared by evidence: its detail reaches a floor.

        A copy may be blurred below the floor of quality; its bits are then less sure.
        """
        return bytes(detail >= floor for detail in self.details)

    @property
    def moments(self) -> list[tuple[int, float]]:
        """The track with each time at which the frame is shown."""
        return [(self.track, time) for time in (self.time, *self.again)]

    @property
    def score(self) -> int:
        """The lowest possible quality or detail of any hash."""
        return min(self.qualities + self.leasts)

    def depends_on_doubt(self, floor: int) -> bool:
        """Return whether bits in doubt decide if all hashes reach a floor."""
        return self.score < floor <= min(self.qualities + self.details)


class Hashes(Sequence[LocatedHash]):
    """A sequence of an input's LocatedHashes, stored as `groups`."""

    def __init__(self, groups: Sequence[LocatedHash | OrientedHashes] = ()) -> None:
        self.groups = tuple(groups)

    @cached_property
    def _hashes(self) -> tuple[LocatedHash, ...]:
        hashes: list[LocatedHash] = []
        for group in self.groups:
            if isinstance(group, OrientedHashes):
                hashes.extend(group.split())
            else:
                hashes.append(group)
        return tuple(hashes)

    @overload
    def __getitem__(self, index: int) -> LocatedHash: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LocatedHash]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._hashes[index]

    def __len__(self) -> int:
        return sum(
            len(ORIENTATIONS) if isinstance(group, OrientedHashes) else 1 for group in self.groups
        )

    def __iter__(self) -> Iterator[LocatedHash]:
        return iter(self._hashes)

    def __eq__(self, other: object) -> bool:
        return self._hashes == (other._hashes if isinstance(other, Hashes) else other)

    def __hash__(self) -> int:
        return hash(self._hashes)

    def __repr__(self) -> str:
        return repr(self._hashes)


class SingleHash(Struct, frozen=True, array_like=True, tag="single"):
    """The wire format of a LocatedHash; its first four fields are those of the hash."""

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
    box: BoxWire | None = None


def to_wire(
    groups: Sequence[LocatedHash | OrientedHashes],
) -> tuple[OrientedHashes | SingleHash, ...]:
    """Return hashes in their wire format."""
    return tuple(
        [group if isinstance(group, OrientedHashes) else _single_to_wire(group) for group in groups]
    )


def _single_to_wire(located: LocatedHash) -> SingleHash:
    hash_ = located.hash
    return SingleHash(hash_.kind.name, hash_.value, hash_.quality, hash_.pixels, *located[1:])


def from_wire(
    wire: Sequence[OrientedHashes | SingleHash], media: MediaFacts | None = None
) -> Hashes:
    """Return the hashes of an input from their wire format.

    Raises ValueError or HashError if they are not of an existing kind, region and part, or if a box
    is not inside the input's picture. Sizes of later pages and of hidden pictures are not known.
    """
    groups: list[LocatedHash | OrientedHashes] = []
    for group in wire:
        if group.region not in _REGIONS or group.part_kind not in _PART_KINDS:
            raise ValueError("not the region or part of a picture")
        if (group.box is not None) != (group.region == INSET):
            raise ValueError("not an inset with its box")
        if group.box is not None:
            is_first = group.part == 0 and group.part_kind == "frame"
            _check_box(group.box, media if is_first else None)
        if isinstance(group, SingleHash):
            groups.append(_single_from_wire(group))
        else:
            _check_columns(group)
            groups.append(group)
    return Hashes(groups)


def _check_box(box: Box, media: MediaFacts | None) -> None:
    left, top, right, bottom = box
    if not (left < right and top < bottom):
        raise ValueError("an empty box")
    if media is not None and (right > media.width or bottom > media.height):
        raise ValueError("a box outside of its picture")


def _single_from_wire(single: SingleHash) -> LocatedHash:
    if single.orientation not in ORIENTATIONS:
        raise ValueError("not the orientation of a picture")
    kind, value, quality, pixels, *position = structs.astuple(single)
    return LocatedHash(Hash(kind_named(kind), value, quality, pixels), *position)


def _check_columns(group: OrientedHashes) -> None:
    kind, count = kind_named(group.kind), len(ORIENTATIONS)
    scores = group.qualities, group.details, group.leasts
    if not kind.perceptual or len(group.values) != kind.size * count:
        raise ValueError("not the hashes of one picture in all its orientations")
    if any(len(column) != count for column in (*scores, group.doubts)):
        raise ValueError("not one score for each orientation")
    if max(map(max, scores)) > _MAX_SCORE or max(group.doubts) > MOST_DOUBT:
        raise ValueError("a score is beyond its range")
    if group.evidence is not None:
        if kind is not PDQ:
            raise ValueError("only PDQ has evidence")
        group.evidence.check()


def list_groups(hashes: Sequence[LocatedHash]) -> Sequence[LocatedHash | OrientedHashes]:
    """Return the hashes of an input, grouped by region if they are stored so."""
    # Asking an abstract class takes longer.
    return hashes.groups if type(hashes) is Hashes else hashes


def list_weighed(
    hashes: Sequence[LocatedHash],
) -> list[tuple[OrientedHashes, EvidenceColumns]]:
    """Return the groups of an input's hashes that have evidence, each with it."""
    return [
        (group, group.evidence)
        for group in list_groups(hashes)
        if isinstance(group, OrientedHashes) and group.evidence is not None
    ]
