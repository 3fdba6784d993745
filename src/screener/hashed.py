"""Hashed: one input as far as it could be read, decoded and hashed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from screener.distinct import Distinct
from screener.errors import MediaError
from screener.hashing import classic, detail, digest, pdq
from screener.hashing.hash import Hash, HashKind
from screener.media import opening, pixels, source, trim
from screener.media.image import Frame, Media, Picture
from screener.media.sniff import CONTAINERS
from screener.media.source import Item, Name
from screener.policy import Policy
from screener.result import MediaFacts

_SMALL = 192
"""PDQ takes single pixels, or the means of few, of a side of so many or fewer, and may not know a
video again at half its size: such frames are hashed at twice their size too.
"""

_FRAMED = 0.3
"""So much of each side, at least, is what a frame is round, if the whole is to have its detail."""

_MOVED = 10
"""Bits: a frame in between others that is no further from the last one is not hashed."""


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
    def hidden_clip(self) -> int:
        """The number of the clip, hidden in a picture's file, that it is a frame of; 0 for none."""
        return self.track if self.part_kind == "appended" else 0


@dataclass(frozen=True)
class Hashed:
    """An input as far as it could be hashed: what there is to look up, and what went wrong.

    `seconds` is what a scan's worker took for it.
    """

    name: Name
    hashes: tuple[Located, ...] = ()
    media: MediaFacts | None = None
    trouble: MediaError | None = None
    seconds: float | None = None

    @property
    def video(self) -> bool:
        """Whether it is a video's file."""
        return self.media is not None and self.media.type in CONTAINERS


def hash_item(
    item: Item, *, policy: Policy, kinds: Iterable[HashKind], sketch: bool = False
) -> Hashed:
    """Read, decode and hash one input: the kinds asked for, as far as they can be made.

    Perceptual hashes come in all eight orientations and with their quality, whatever it is;
    nothing is decoded where none is asked for. With `sketch`, those of a picture may have bits in
    doubt.
    Never raises MediaError: the trouble is part of what is returned.
    """
    wanted = tuple(kinds)
    name = source.name_of(item)
    hashes: list[Located] = []
    picture: Picture | None = None
    samples, repeats = 0, _Repeats()
    trouble: MediaError | None = None
    limits = policy.limits
    try:
        with source.read(item, limit=limits.bytes, video_limit=limits.video_bytes) as read:
            if isinstance(read.content, bytes) and not read.content:
                raise MediaError("empty", "no bytes at all")
            hashes += _digests(read, wanted)
            if any(kind.perceptual for kind in wanted):
                picture = _open(read, policy)
                # What moves is compared with listed videos too, and its frames with one another.
                still = picture.media.type not in CONTAINERS and picture.media.frames == 1
                sketch = sketch and still
                for frame in picture.frames():
                    new = repeats.adds(frame, picture.media)
                    if frame.part_kind == "frame" and (new or not frame.between):
                        samples += 1 + len(frame.again)
                    if not new:
                        continue
                    hashes += _perceptual(frame, picture.media, wanted, sketch=sketch)
    except MediaError as error:
        trouble = error
    except OSError as error:  # a video is read while it is decoded
        trouble = MediaError("unreadable", error.strerror or "cannot be read")
    # Asked for last, since some formats tell their size only while they are decoded.
    return Hashed(name, repeats.noted(hashes), _facts(picture, samples), trouble)


class _Repeats:
    """Frames of an animation or of pages that are as good as one before, and are not hashed; and
    those of a video, in between the ones to look at, that are as good as the last.
    """

    def __init__(self) -> None:
        self._last: Frame | None = None  # of a video, that was hashed
        self._hash: Hash | None = None  # of it, once it is asked for
        self._distinct = Distinct()
        self._parts: list[int] = []  # of the frames that are hashed
        self._again: dict[int, list[float]] = {}  # times of those left out, by such a part

    def adds(self, frame: Frame, media: Media) -> bool:
        """Whether the frame is to be hashed. A video's other frames have been compared already."""
        if media.type in CONTAINERS or frame.track:
            return self._differs(frame)
        if media.frames <= 1:
            return True
        made = pdq.compute(frame.pixels)
        like = self._distinct.find(made)
        if like is None:
            self._distinct.add(made)
            self._parts.append(frame.part)
            return True
        self._again.setdefault(self._parts[like], []).append(frame.time)
        return False

    def _differs(self, frame: Frame) -> bool:
        made: Hash | None = None
        if frame.between and self._last is not None:
            self._hash = self._hash or pdq.compute(self._last.pixels)
            made = pdq.compute(frame.pixels)
            if made.distance(self._hash) <= _MOVED:
                return False
        self._last, self._hash = frame, made
        return True

    def noted(self, hashes: Sequence[Located]) -> tuple[Located, ...]:
        """The hashes with the times of the frames left out that they stand for."""
        if not self._again:
            return tuple(hashes)
        return tuple(
            one._replace(again=(*one.again, *self._again.get(one.part, ())))
            if one.hash.kind.perceptual
            else one
            for one in hashes
        )


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


def _digests(read: source.Source, wanted: Sequence[HashKind]) -> list[Located]:
    """The digests of the file's bytes that are wanted; none for pixels, which have no file."""
    if not any(kind.digest for kind in wanted):
        return []
    made: tuple[Hash, ...] = ()
    kinds = [kind for kind in wanted if kind.digest]
    if read.file is not None:
        try:
            made = digest.compute_kinds(read.file, kinds)
        except OSError as error:
            raise MediaError("unreadable", error.strerror or "cannot be read") from None
    elif isinstance(read.content, bytes):
        made = digest.compute_kinds(read.content, kinds)
    return [Located(one) for one in made]


class _Region(NamedTuple):
    """A part of a frame that is hashed, by its name in a match; `framed` are the parts with nothing
    but bars round them in this one: it is as detailed as they are, whatever its bars are.
    """

    name: str
    shown: NDArray[np.uint8]
    framed: tuple[NDArray[np.uint8], ...] = ()


def _perceptual(
    frame: Frame, media: Media, wanted: Sequence[HashKind], *, sketch: bool
) -> list[Located]:
    """The perceptual hashes that are wanted of a frame, of all parts of it."""
    regions = list(_regions(frame, media))
    within = {id(view) for region in regions for view in region.framed}
    details: dict[int, int] = {}  # of those within a frame, which are hashed first, and surely
    made: dict[int, list[Located]] = {}
    for number, region in sorted(enumerate(regions), key=lambda one: one[1].shown.size):
        inner = max((details.get(id(view), 0) for view in region.framed), default=0)
        surely = id(region.shown) in within
        found = list(_orientations(frame, region, wanted, inner, sketch=sketch and not surely))
        made[number] = found
        details[id(region.shown)] = max(
            (
                min(one.detail or 0, one.hash.quality or 0)
                for one in found
                if one.hash.kind == pdq.PDQ
            ),
            default=0,
        )
    return [one for number in range(len(regions)) for one in made[number]]


def _regions(frame: Frame, media: Media) -> Iterator[_Region]:
    """The parts of a frame that are hashed."""
    whole = frame.pixels
    shown = [whole]
    for view in (*trim.trimmed(whole), *frame.inner):
        if not any(_is_same(view, other) for other in shown):
            shown.append(view)
    inside = [tuple(view for view in shown[1:] if _frames(one, view)) for one in shown]
    for number, (one, framed) in enumerate(zip(shown, inside, strict=True)):
        yield _Region("trimmed" if number else "full", one, framed)
    if media.type in CONTAINERS or media.frames > 1 or frame.track:
        for one, framed in zip(shown, inside, strict=True):
            if min(one.shape[:2]) <= _SMALL:
                yield _Region("enlarged", _enlarged(one), framed)


def _is_same(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether two views of a picture differ in no more than a line: their hashes hardly do."""
    starts = [view.__array_interface__["data"][0] for view in (one, other)]
    lines = [abs(a - b) for a, b in zip(one.shape, other.shape, strict=True)]
    return bool(max(lines) <= 1 and abs(starts[0] - starts[1]) <= sum(map(abs, one.strides[:2])))


def _frames(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether a part is a frame round a smaller one, and that is much of it."""
    (height, width), (rows, columns) = one.shape[:2], other.shape[:2]
    smaller = rows <= height and columns <= width and (rows, columns) != (height, width)
    return smaller and rows >= _FRAMED * height and columns >= _FRAMED * width


def _enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At twice the size. Interpolated, since pixels that are merely doubled stand a quarter of a
    pixel from where those of the larger picture stood, which is where PDQ takes its own.
    """
    return _doubled(_doubled(pixels).swapaxes(0, 1)).swapaxes(0, 1)


def _doubled(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Twice as many rows, each a mean of two weighed by their distance."""
    threefold = pixels * np.uint16(3)
    made = np.empty((2 * len(pixels), *pixels.shape[1:]), np.uint8)
    made[::2] = (threefold + np.concatenate((pixels[:1], pixels[:-1])) + 2) >> 2
    made[1::2] = (threefold + np.concatenate((pixels[1:], pixels[-1:])) + 2) >> 2
    return made


def _orientations(
    frame: Frame,
    region: _Region,
    wanted: Sequence[HashKind],
    inner: int,
    *,
    sketch: bool,
) -> Iterator[Located]:
    """The perceptual hashes that are wanted of one region of a frame, each in all orientations.
    `inner` is the detail, by PDQ, of what it is a frame round.
    """
    kinds = [kind for kind in wanted if kind in classic.CLASSIC]
    made = classic.compute_orientations(region.shown, kinds)
    seen = detail.Detail(region.shown)
    for kind in wanted:
        found: Sequence[tuple[Hash, int, int, int | None]] = ()
        if kind == pdq.PDQ:
            found = _pdqs(region.shown, seen.score(kind), inner, sketch)
        elif kind.name in made:
            score = seen.score(kind)
            found = [(one, score, 0, None) for one in made[kind.name]]
        for (one, score, doubt, least), orientation in zip(found, pdq.ORIENTATIONS, strict=False):
            yield Located(
                one.made_of(pixels.VERSION), orientation, region.name, frame.part, frame.time,
                frame.part_kind, score, frame.again, frame.track, doubt, least,
            )  # fmt: skip


def _pdqs(
    shown: NDArray[np.uint8], score: int, inner: int, sketch: bool
) -> list[tuple[Hash, int, int, int | None]]:
    """PDQs or sketches in all orientations: each with its score, its bits in doubt, and, where
    there are any, the least that the score may be.
    """
    found = pdq.sketch_orientations(shown, most=pdq.MOST_DOUBT if sketch else 0)
    values, doubts = [one.value for one, _ in found], [doubt for _, doubt in found]
    sure = detail.pattern_scores(values)
    bounds = detail.pattern_bounds(values, doubts) if any(doubts) else [(0, 0)] * len(values)
    return [
        (one, max(inner, min(score, most)), doubt, max(inner, min(score, least)))
        if doubt
        else (one, max(inner, min(score, patterns)), 0, None)
        for (one, doubt), patterns, (least, most) in zip(found, sure, bounds, strict=True)
    ]
