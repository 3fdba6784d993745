"""Reading, decoding and hashing one input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from screener.errors import MediaError, ShortOfMemory
from screener.hashing import digest, pdq
from screener.hashing.hash import Hash, HashKind, checked_kinds
from screener.media import opening, source
from screener.media.files.picture import Frame, Picture
from screener.media.files.sniff import CONTAINERS
from screener.media.source import Item, Name
from screener.screening.input.frame_hashes import hashes_of_frame
from screener.screening.input.located_hash import (
    Hashes,
    LocatedHash,
    OrientedHashes,
    SingleHash,
    from_wire,
    list_groups,
    to_wire,
)
from screener.screening.input.wire import (
    Count,
    Seconds,
    TroubleWire,
    trouble_from_wire,
    trouble_to_wire,
)
from screener.screening.policy import Policy
from screener.screening.result import MediaFacts

_MOVED = 10
"""Bits of PDQ: a frame between samples that is no further from the last hashed one is skipped."""


@dataclass(frozen=True)
class HashedInput:
    """An input as far as it could be hashed, with the trouble that ended it, if any.

    `seconds` is the processor time that a scan's workers took. An `archive` that was opened has
    only digests; its members are inputs of their own.
    """

    name: Name
    hashes: Sequence[LocatedHash] = ()
    media: MediaFacts | None = None
    error: MediaError | None = None
    seconds: float | None = None
    archive: bool = False

    @property
    def video(self) -> bool:
        """Whether the input is a video file."""
        return self.media is not None and self.media.type in CONTAINERS


# From the year 2262 on, nanoseconds exceed 64 bits and are sent as text.
_BEYOND = 1 << 63
Time = Count | Annotated[str, Meta(pattern="^-?[0-9]{1,28}$")]

NameWire = tuple[
    str | None, bytes | None, Count | None, Time | None, tuple[Count, ...], tuple[Count, ...]
]
MediaWire = tuple[str | None, Count, Count, Count, Seconds | None, Count]


class HashedWire(Struct, frozen=True, array_like=True, tag="hashed"):
    """A HashedInput in its wire format."""

    name: NameWire
    hashes: tuple[OrientedHashes | SingleHash, ...]
    media: MediaWire | None
    trouble: TroubleWire | None
    seconds: Seconds | None
    archive: bool

    @classmethod
    def from_input(cls, hashed: HashedInput) -> HashedWire:
        """Return a HashedInput in its wire format."""
        name, media, place = hashed.name, hashed.media, (hashed.name.archives, hashed.name.same)
        time, is_far = name.mtime_ns, not -_BEYOND <= (name.mtime_ns or 0) < _BEYOND
        return cls(
            (name.text, name.raw, name.size, str(time) if is_far else time, *place),
            to_wire(list_groups(hashed.hashes)),
            None
            if media is None
            else (
                media.type, media.width, media.height, media.frames, media.duration, media.samples
            ),
            trouble_to_wire(hashed.error),
            hashed.seconds,
            hashed.archive,
        )  # fmt: skip

    def to_input(self) -> HashedInput:
        """Return the input. Raise ValueError or HashError if its parts do not fit together."""
        text, raw, size, time, *place = self.name
        return HashedInput(
            Name(text, raw, size, None if time is None else int(time), *place),
            from_wire(self.hashes),
            None if self.media is None else MediaFacts(*self.media),
            trouble_from_wire(self.trouble),
            self.seconds,
            self.archive,
        )


def hash_item(
    item: Item,
    *,
    policy: Policy,
    kinds: Iterable[HashKind],
    sketch: bool = False,
    digests: Sequence[Hash] = (),
) -> HashedInput:
    """Read, decode and hash one input by the given kinds, as far as possible.

    Perceptual hashes come in all eight orientations, of any quality; without a perceptual kind
    nothing is decoded. `sketch` allows bits in doubt in the hashes of a picture. `digests` are
    those of its bytes, if they were computed before.
    Never raises MediaError: the trouble is part of what is returned. Raises HashError if `kinds` is
    a single kind or names none.
    """
    wanted = checked_kinds(kinds)
    exact = [kind for kind in wanted if kind.digest]
    perceptual = [kind for kind in wanted if not kind.digest]
    name = source.name_of(item)
    hashes: list[LocatedHash | OrientedHashes] = []
    picture: Picture | None = None
    samples, moved, repeats = 0, _Moved(), _Repeats()
    trouble: MediaError | None = None
    limits = policy.limits
    try:
        with source.read(item, limit=limits.bytes, video_limit=limits.video_bytes) as read:
            if isinstance(read.content, bytes) and not read.content:
                raise MediaError("empty", "no bytes at all")
            hashes += map(LocatedHash, digests) if digests else _digests(read, exact)
            if perceptual:
                picture = _open(read, policy)
                # Frames of a video are compared with listed videos and with one another.
                video = picture.media.type in CONTAINERS
                sketch = sketch and not video and picture.media.frames == 1
                for frame in picture.frames():
                    if not video or moved.adds(frame):
                        if frame.part_kind == "frame":
                            samples += 1 + len(frame.again)
                        shown = hashes_of_frame(frame, perceptual, sketch=sketch)
                        hashes += repeats.left(frame, shown)
                    del frame  # free its pixels before the next are decoded
    except (MediaError, MemoryError, OSError) as error:
        trouble = _trouble(error)
    # The facts come last, since some formats state their size only while they are decoded.
    return HashedInput(name, Hashes(repeats.with_times(hashes)), _facts(picture, samples), trouble)


def _trouble(error: MediaError | MemoryError | OSError) -> MediaError:
    if isinstance(error, MediaError):
        return error.alone()
    if isinstance(error, MemoryError):  # after decoding; decoders raise MediaError
        return ShortOfMemory("not enough memory to hash it")
    return MediaError("unreadable", error.strerror or "cannot be read")


class _Moved:
    """The choice of a video's frames to hash: samples, and frames between them that differ."""

    def __init__(self) -> None:
        self._last: Frame | None = None  # chosen
        self._hash: Hash | None = None  # of the last, if it was needed

    def adds(self, frame: Frame) -> bool:
        """Return whether the frame is to be hashed; if so, remember it."""
        made: Hash | None = None
        if frame.between and self._last is not None:
            self._hash = self._hash or pdq.compute(self._last.pixels)
            made = pdq.compute(frame.pixels)
            if made.distance(self._hash) <= _MOVED:
                return False
        self._last, self._hash = frame, made
        return True


class _Repeats:
    """Frames all of whose hashes equal those of an earlier frame, so need no look-up."""

    def __init__(self) -> None:
        self._first: dict[tuple[object, ...], int] = {}  # the first part with these hashes
        self._again: dict[int, list[float]] = {}  # times of its repeats

    def left(self, frame: Frame, hashes: list[OrientedHashes]) -> list[OrientedHashes]:
        """Return a frame's hashes, or none if the frame is a repeat."""
        shown = tuple(replace(one, part=0, time=0.0, again=()) for one in hashes)
        first = self._first.setdefault(shown, frame.part)
        if first == frame.part:
            return hashes
        self._again.setdefault(first, []).extend((frame.time, *frame.again))
        return []

    def with_times(
        self, hashes: Sequence[LocatedHash | OrientedHashes]
    ) -> Sequence[LocatedHash | OrientedHashes]:
        """Return the hashes with the times of the repeats that they stand for."""
        if not self._again:
            return hashes
        return [
            replace(one, again=(*one.again, *self._again.get(one.part, ())))
            if isinstance(one, OrientedHashes)
            else one
            for one in hashes
        ]


def _open(read: source.Source, policy: Policy) -> Picture:
    if read.content is None:
        raise MediaError("too_large", f"more than {policy.limits.bytes} bytes")
    return opening.open(
        read.content,
        limits=policy.limits,
        sampling=policy.sampling,
        seconds=policy.decoding_seconds,
    )


def _facts(picture: Picture | None, samples: int) -> MediaFacts | None:
    if picture is None:
        return None
    media = picture.media
    return MediaFacts(media.type, media.width, media.height, media.frames, media.duration, samples)


def _digests(read: source.Source, kinds: Sequence[HashKind]) -> list[LocatedHash]:
    """Return the digests of the file's bytes; none for pixels, which have no file."""
    data = read.content if isinstance(read.content, bytes) else read.file
    if not kinds or data is None:
        return []
    return [LocatedHash(one) for one in digest.compute_kinds(data, kinds)]
