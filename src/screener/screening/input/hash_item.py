"""Reading, decoding and hashing one input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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
    groups_of,
    packed,
    unpacked,
)
from screener.screening.input.wire import FAR, NONE, plain_trouble, trouble_of, typed
from screener.screening.policy import Policy
from screener.screening.result import MediaFacts

# What a name, the facts of a file, and the rest of HashedInput are made of, in their order.
_NAME = ((str, NONE), (bytes, NONE), (int, NONE), (int, NONE), tuple, tuple)
_MEDIA = ((str, NONE), int, int, int, (int, float, NONE), int)
_REST = ((float, NONE), bool)

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
    trouble: MediaError | None = None
    seconds: float | None = None
    archive: bool = False

    def plain(self) -> tuple[Any, ...]:
        """As plain values, of which `arrived` makes it again: a scan is sent one of each file."""
        name, media = self.name, self.media
        return (
            (name.text, name.raw, name.size, name.mtime_ns, name.archives, name.same),
            packed(groups_of(self.hashes)),
            None
            if media is None
            else (
                media.type, media.width, media.height, media.frames, media.duration, media.samples
            ),
            plain_trouble(self.trouble),
            self.seconds,
            self.archive,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return arrived, self.plain()

    @property
    def video(self) -> bool:
        """Whether the input is a video file."""
        return self.media is not None and self.media.type in CONTAINERS


def arrived(
    name: tuple[Any, ...],
    hashes: tuple[tuple[Any, ...], ...],
    media: tuple[Any, ...] | None,
    trouble: tuple[str, str] | None,
    *rest: Any,
) -> HashedInput:
    """HashedInput, as it was when it was sent here. Raises what its parts raise if they are none,
    and TypeError or ValueError where they hold what they never do.
    """
    facts = None if media is None else MediaFacts(*typed(_MEDIA, media))
    # Years from 2262 on have more nanoseconds than 64 bits.
    *_, archives, same = typed(_NAME, name, beyond=FAR)
    if archives or same:
        typed((int,) * (len(archives) + len(same)), archives + same)
    return HashedInput(
        Name(*name),
        unpacked(hashes),
        facts,
        trouble_of(trouble),
        *typed(_REST, rest),
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
        shown = tuple(one._replace(part=0, time=0.0, again=()) for one in hashes)
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
            one._replace(again=(*one.again, *self._again.get(one.part, ())))
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
