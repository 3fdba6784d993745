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
from screener.media.name import Name, name_of
from screener.media.source import Item
from screener.screening.input.frame_hashes import hash_frame
from screener.screening.input.located_hash import (
    INSET,
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
    ErrorWire,
    Seconds,
    error_from_wire,
    error_to_wire,
)
from screener.screening.policy import Effort, Policy
from screener.screening.result import MediaFacts

# Types of pictures whose frames, if there are several, follow one another in time.
_ANIMATED_TYPES = frozenset(("image/apng", "image/avif", "image/gif", "image/png", "image/webp"))

# The insets of all pages or frames of a file, against those that one picture may have.
_MAX_FILE_INSETS_RATIO = 8

# The frames of an animation in which insets are looked for, at most; they are spread evenly.
_MAX_MOVING_FRAMES = 4

# In bits of PDQ: a frame between two samples is skipped if it is at most this far from the last
# hashed one.
_MAX_SKIPPED_DISTANCE = 10


@dataclass(frozen=True)
class HashedInput:
    """The hashes of an input, and the error that ended hashing, if any.

    `seconds` is the processor time that a scan's workers took. An `archive` that was opened has
    only digests; its members are inputs of their own. `derive`: other orientations are
    derived from the PDQs, which were made elsewhere.
    """

    name: Name
    hashes: Sequence[LocatedHash] = ()
    media: MediaFacts | None = None
    error: MediaError | None = None
    seconds: float | None = None
    archive: bool = False
    derive: bool = False

    @property
    def video(self) -> bool:
        """True for a video file."""
        return self.media is not None and self.media.type in CONTAINERS


# From the year 2262 on, nanoseconds exceed 64 bits and are sent as text.
_INTEGER_LIMIT = 1 << 63
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
    error: ErrorWire | None
    seconds: Seconds | None
    archive: bool

    @classmethod
    def from_input(cls, hashed: HashedInput) -> HashedWire:
        """Return a HashedInput in its wire format."""
        name, media, time = hashed.name, hashed.media, hashed.name.mtime_ns
        is_long = not -_INTEGER_LIMIT <= (time or 0) < _INTEGER_LIMIT
        wire_time = str(time) if is_long else time
        return cls(
            (name.text, name.raw, name.size, wire_time, name.archives, name.same),
            to_wire(list_groups(hashed.hashes)),
            None
            if media is None
            else (
                media.type, media.width, media.height, media.frames, media.duration, media.samples
            ),
            error_to_wire(hashed.error),
            hashed.seconds,
            hashed.archive,
        )  # fmt: skip

    def to_input(self) -> HashedInput:
        """Return the input. Raises ValueError or HashError if its fields do not fit together."""
        text, raw, size, time, archives, same = self.name
        media = None if self.media is None else MediaFacts(*self.media)
        return HashedInput(
            Name(text, raw, size, None if time is None else int(time), archives, same),
            from_wire(self.hashes, media),
            media,
            error_from_wire(self.error),
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
    """Read, decode and hash one input, as far as possible.

    Perceptual hashes come in all eight orientations and of any quality. Without a perceptual kind
    nothing is decoded. Never raises MediaError: the returned input contains the error.

    Parameters:
        policy: Limits, sampling and effort. Its radii and floors are not used.
        kinds: The kinds of hashes.
        sketch: Allow bits in doubt in the hashes of a still.
        digests: The digests of the input's bytes, if they were computed before.

    Raises:
        HashError: If `kinds` is a single kind or is empty.
    """
    chosen_kinds = checked_kinds(kinds)
    digest_kinds = [kind for kind in chosen_kinds if kind.digest]
    perceptual_kinds = [kind for kind in chosen_kinds if not kind.digest]
    name = name_of(item)
    hashes: list[LocatedHash | OrientedHashes] = []
    picture: Picture | None = None
    samples, frame_filter, repeats = 0, _FrameFilter(), _Repeats()
    error: MediaError | None = None
    limits = policy.limits
    try:
        with source.read(item, limit=limits.bytes, video_limit=limits.video_bytes) as read:
            if isinstance(read.content, bytes) and not read.content:
                raise MediaError("empty", "no bytes at all")
            hashes += map(LocatedHash, digests or _compute_digests(read, digest_kinds))
            if perceptual_kinds:
                picture = _open(read, policy)
                is_video = picture.media.type in CONTAINERS
                is_still = not is_video and picture.media.frames == 1
                insets = _InsetBudget(policy, picture)
                sketch = sketch and is_still
                for frame in picture.frames():
                    if not is_video or frame_filter.accept(frame):
                        if frame.part_kind == "frame":
                            samples += 1 + len(frame.again)
                        frame_hashes = hash_frame(
                            frame,
                            perceptual_kinds,
                            sketch=sketch,
                            effort=_choose_effort(policy.effort, frame, is_still),
                            max_insets=insets.find_limit(frame),
                            min_inset_side=policy.inset_side,
                        )
                        groups: list[OrientedHashes] = []
                        try:
                            groups.extend(frame_hashes)
                            insets.spend(groups)
                        finally:  # the whole is compared even if memory is short for its insets
                            hashes += repeats.take(frame, groups)
                    del frame  # free its pixels before the next are decoded
    except (MediaError, MemoryError, OSError) as cause:
        error = _as_media_error(cause)
    # Some formats state their size only while they are decoded, so the facts come last.
    facts = _media_facts(picture, samples)
    return HashedInput(name, Hashes(repeats.with_times(hashes)), facts, error)


def _choose_effort(effort: Effort, frame: Frame, is_still: bool) -> Effort:
    """Return the effort for a frame: views are for stills, not for hundreds of frames."""
    return effort if is_still and frame.part_kind == "frame" else effort.without_views


def _as_media_error(error: MediaError | MemoryError | OSError) -> MediaError:
    if isinstance(error, MediaError):
        return error.alone()
    if isinstance(error, MemoryError):  # after decoding; decoders raise MediaError
        return ShortOfMemory("not enough memory to hash it")
    return MediaError("unreadable", error.strerror or "cannot be read")


class _InsetBudget:
    """How many insets the frames of a picture may have.

    Frames of a video have none: they are compared with listed videos and with one another. Few of
    an animation have some.
    """

    def __init__(self, policy: Policy, picture: Picture) -> None:
        media = picture.media
        self._most = 0 if media.type in CONTAINERS else policy.insets
        self._remaining = _MAX_FILE_INSETS_RATIO * self._most
        # An animation's frames are this far apart at least.
        moves = media.frames > 1 and media.type in _ANIMATED_TYPES
        self._step = -(-media.frames // _MAX_MOVING_FRAMES) if moves else 0
        self._next_part = 0

    def find_limit(self, frame: Frame) -> int:
        """Return the most insets of the next frame.

        Thumbnails, and frames of a hidden clip or animation, have none.
        """
        if frame.track or frame.part_kind == "thumbnail":
            return 0
        if self._step and frame.part_kind == "frame":
            if frame.part < self._next_part:
                return 0
            self._next_part = frame.part + self._step
        return min(self._most, self._remaining)

    def spend(self, groups: Iterable[OrientedHashes]) -> None:
        """Count the insets of a frame."""
        self._remaining -= sum(group.region == INSET for group in groups)


class _FrameFilter:
    """The choice of a video's frames to hash: samples, and frames between them that differ."""

    def __init__(self) -> None:
        self._last: Frame | None = None  # accepted frame
        self._last_hash: Hash | None = None  # computed if needed

    def accept(self, frame: Frame) -> bool:
        """Return whether the frame is to be hashed, and remember it if so."""
        hash_: Hash | None = None
        if frame.between and self._last is not None:
            self._last_hash = self._last_hash or pdq.compute(self._last.pixels)
            hash_ = pdq.compute(frame.pixels)
            if hash_.distance(self._last_hash) <= _MAX_SKIPPED_DISTANCE:
                return False
        self._last, self._last_hash = frame, hash_
        return True


class _Repeats:
    """Frames with the same hashes as an earlier frame, which need no search."""

    def __init__(self) -> None:
        self._first_parts: dict[tuple[object, ...], int] = {}  # by their hashes
        self._repeat_times: dict[int, list[float]] = {}  # by first part

    def take(self, frame: Frame, groups: list[OrientedHashes]) -> list[OrientedHashes]:
        """Return a frame's hashes, or an empty list if the frame is a repeat."""
        key = tuple(replace(group, part=0, time=0.0, again=(), evidence=None) for group in groups)
        first_part = self._first_parts.setdefault(key, frame.part)
        if first_part == frame.part:
            return groups
        self._repeat_times.setdefault(first_part, []).extend((frame.time, *frame.again))
        return []

    def with_times(
        self, hashes: Sequence[LocatedHash | OrientedHashes]
    ) -> Sequence[LocatedHash | OrientedHashes]:
        """Return the hashes with the times of their repeats."""
        if not self._repeat_times:
            return hashes
        return [
            replace(group, again=(*group.again, *self._repeat_times.get(group.part, ())))
            if isinstance(group, OrientedHashes)
            else group
            for group in hashes
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


def _media_facts(picture: Picture | None, samples: int) -> MediaFacts | None:
    if picture is None:
        return None
    media = picture.media
    return MediaFacts(media.type, media.width, media.height, media.frames, media.duration, samples)


def _compute_digests(read: source.Source, kinds: Sequence[HashKind]) -> Sequence[Hash]:
    data = read.content if isinstance(read.content, bytes) else read.file
    return digest.compute_kinds(data, kinds) if kinds and data is not None else ()
