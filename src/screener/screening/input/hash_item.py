"""Hashed: one input as far as it could be read, decoded and hashed."""

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
    Located,
    OrientedHashes,
    SingleHash,
    from_wire,
    groups_of,
    to_wire,
)
from screener.screening.input.wire import (
    Count,
    Seconds,
    TroubleWire,
    trouble_from_wire,
    trouble_to_wire,
)
from screener.screening.policy import Policy, check_policy
from screener.screening.result import MediaFacts

_MOVED = 10
"""Bits of PDQ: a frame in between that is no further than that from the last one is not hashed."""


@dataclass(frozen=True)
class Hashed:
    """An input as far as it could be hashed: what there is to look up, and what went wrong.

    `seconds` is the processor time that a scan's workers took for it. An `archive` that was opened
    has digests alone: its members say what is in it.
    """

    name: Name
    hashes: Sequence[Located] = ()
    media: MediaFacts | None = None
    trouble: MediaError | None = None
    seconds: float | None = None
    archive: bool = False

    @property
    def video(self) -> bool:
        """Whether it is a video's file."""
        return self.media is not None and self.media.type in CONTAINERS


# From the year 2262 on, nanoseconds exceed 64 bits and are sent as text.
_BEYOND = 1 << 63
Time = Count | Annotated[str, Meta(pattern="^-?[0-9]{1,28}$")]

NameWire = tuple[
    str | None, bytes | None, Count | None, Time | None, tuple[Count, ...], tuple[Count, ...]
]
MediaWire = tuple[str | None, Count, Count, Count, Seconds | None, Count]


class HashedWire(Struct, frozen=True, array_like=True, tag="hashed"):
    """A Hashed in its wire format."""

    name: NameWire
    hashes: tuple[OrientedHashes | SingleHash, ...]
    media: MediaWire | None
    trouble: TroubleWire | None
    seconds: Seconds | None
    archive: bool

    @classmethod
    def of(cls, hashed: Hashed) -> HashedWire:
        """Return a Hashed in its wire format."""
        name, media, place = hashed.name, hashed.media, (hashed.name.archives, hashed.name.same)
        time, is_far = name.mtime_ns, not -_BEYOND <= (name.mtime_ns or 0) < _BEYOND
        return cls(
            (name.text, name.raw, name.size, str(time) if is_far else time, *place),
            to_wire(groups_of(hashed.hashes)),
            None
            if media is None
            else (
                media.type, media.width, media.height, media.frames, media.duration, media.samples
            ),
            trouble_to_wire(hashed.trouble),
            hashed.seconds,
            hashed.archive,
        )  # fmt: skip

    def hashed(self) -> Hashed:
        """Return the Hashed. Raise ValueError or HashError if its parts do not fit together."""
        text, raw, size, time, *place = self.name
        return Hashed(
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
) -> Hashed:
    """Read, decode and hash one input: the kinds asked for, as far as they can be made.

    Perceptual hashes come in all eight orientations and with their quality, whatever it is;
    nothing is decoded where none is asked for. With `sketch`, those of a picture may have bits in
    doubt. `digests` are the ones wanted of its bytes, where they were made before.
    Never raises MediaError: the trouble is part of what is returned. HashError for what is no kind,
    or one kind alone, PolicyError for what is no policy.
    """
    check_policy(policy)
    wanted = checked_kinds(kinds)
    exact = [kind for kind in wanted if kind.digest]
    perceptual = [kind for kind in wanted if not kind.digest]
    name = source.name_of(item)
    hashes: list[Located | OrientedHashes] = []
    picture: Picture | None = None
    samples, moved, repeats = 0, _Moved(), _Repeats()
    trouble: MediaError | None = None
    limits = policy.limits
    try:
        with source.read(item, limit=limits.bytes, video_limit=limits.video_bytes) as read:
            if isinstance(read.content, bytes) and not read.content:
                raise MediaError("empty", "no bytes at all")
            hashes += map(Located, digests) if digests else _digests(read, exact)
            if perceptual:
                picture = _open(read, policy)
                # What moves is compared with listed videos too, and its frames with one another.
                video = picture.media.type in CONTAINERS
                sketch = sketch and not video and picture.media.frames == 1
                for frame in picture.frames():
                    if not video or moved.adds(frame):  # which holds a video's frame
                        if frame.part_kind == "frame":
                            samples += 1 + len(frame.again)
                        shown = hashes_of_frame(frame, perceptual, sketch=sketch)
                        hashes += repeats.left(frame, shown)
                    del frame  # whose pixels would be held while the next are decoded
    except MediaError as error:
        trouble = error.alone()
    except MemoryError:  # decoders tell it as trouble; this is what comes after them
        trouble = ShortOfMemory("not enough memory to hash it")
    except OSError as error:  # a video is read while it is decoded
        trouble = MediaError("unreadable", error.strerror or "cannot be read")
    # Asked for last, since some formats tell their size only while they are decoded.
    made = Hashes(repeats.noted(hashes))
    return Hashed(name, made, _facts(picture, samples), trouble)


class _Moved:
    """Which frames of a video are hashed: all that are sampled, and of those in between the ones
    that have moved since the last one that was hashed.
    """

    def __init__(self) -> None:
        self._last: Frame | None = None  # of those to be hashed
        self._hash: Hash | None = None  # of it, once it is asked for

    def adds(self, frame: Frame) -> bool:
        """Whether the frame is to be hashed."""
        made: Hash | None = None
        if frame.between and self._last is not None:
            self._hash = self._hash or pdq.compute(self._last.pixels)
            made = pdq.compute(frame.pixels)
            if made.distance(self._hash) <= _MOVED:
                return False
        self._last, self._hash = frame, made
        return True


class _Repeats:
    """Frames of which every hash, of every kind, region and orientation, is that of a frame before:
    looking them up again could find nothing else.
    """

    def __init__(self) -> None:
        self._first: dict[tuple[object, ...], int] = {}  # the part that had those hashes first
        self._again: dict[int, list[float]] = {}  # times of those left out, by such a part

    def left(self, frame: Frame, made: list[OrientedHashes]) -> list[OrientedHashes]:
        """What is left to be looked up of a frame's hashes: all of them, or none."""
        shown = tuple(replace(one, part=0, time=0.0, again=()) for one in made)
        first = self._first.setdefault(shown, frame.part)
        if first == frame.part:
            return made
        self._again.setdefault(first, []).extend((frame.time, *frame.again))
        return []

    def noted(
        self, hashes: Sequence[Located | OrientedHashes]
    ) -> Sequence[Located | OrientedHashes]:
        """The hashes with the times of the frames left out that they stand for."""
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


def _digests(read: source.Source, kinds: Sequence[HashKind]) -> list[Located]:
    """The digests of the file's bytes that are wanted; none for pixels, which have no file."""
    data = read.content if isinstance(read.content, bytes) else read.file
    if not kinds or data is None:
        return []
    try:
        return [Located(one) for one in digest.compute_kinds(data, kinds)]
    except OSError as error:
        raise MediaError("unreadable", error.strerror or "cannot be read") from None
