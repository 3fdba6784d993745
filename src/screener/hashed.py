"""Hashed: one input as far as it could be read, decoded and hashed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from screener.distinct import Distinct
from screener.errors import MediaError
from screener.hashing import classic, detail, digest, pdq
from screener.hashing.hash import Hash, HashKind
from screener.media import image, pixels, source, trim
from screener.media.image import Frame
from screener.media.source import Item, Name
from screener.policy import Policy
from screener.result import MediaFacts


@dataclass(frozen=True)
class Located:
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


@dataclass(frozen=True)
class Hashed:
    """An input as far as it could be hashed: what there is to look up, and what went wrong."""

    name: Name
    hashes: tuple[Located, ...] = ()
    media: MediaFacts | None = None
    trouble: MediaError | None = None


def hash_item(item: Item, *, policy: Policy, kinds: Iterable[HashKind]) -> Hashed:
    """Read, decode and hash one input: the kinds asked for, as far as they can be made.

    Perceptual hashes come in all eight orientations and with their quality, whatever it is;
    nothing is decoded where none is asked for.
    Never raises MediaError: the trouble is part of what is returned.
    """
    wanted = tuple(kinds)
    name = source.name_of(item)
    hashes: list[Located] = []
    picture: image.Picture | None = None
    trouble: MediaError | None = None
    try:
        read = source.read(item, limit=policy.limits.bytes)
        if isinstance(read.content, bytes) and not read.content:
            raise MediaError("empty", "no bytes at all")
        hashes += _digests(read, wanted)
        if any(kind.perceptual for kind in wanted):
            if read.content is None:
                raise MediaError("too_large", f"more than {policy.limits.bytes} bytes")
            picture = image.open(read.content, limits=policy.limits)
            distinct = Distinct()
            for frame in picture.frames():
                if picture.media.frames > 1 and not distinct.add(pdq.compute(frame.pixels)):
                    continue
                for region, shown in _regions(frame.pixels):
                    hashes += _orientations(frame, region, shown, wanted)
    except MediaError as error:
        trouble = error
    # Asked for last, since some formats tell their size only while they are decoded.
    return Hashed(name, tuple(hashes), _facts(picture), trouble)


def _facts(picture: image.Picture | None) -> MediaFacts | None:
    if picture is None:
        return None
    media = picture.media
    return MediaFacts(media.type, media.width, media.height, media.frames)


def _digests(read: source.Source, wanted: Sequence[HashKind]) -> list[Located]:
    """The digests of the file's bytes that are wanted; none for pixels, which have no file."""
    wants_any = any(kind.digest for kind in wanted)
    made: tuple[Hash, ...] = ()
    if read.stream is not None:
        try:
            with read.stream as stream:
                made = digest.compute(stream) if wants_any else ()
        except OSError as error:
            raise MediaError("unreadable", error.strerror or "cannot be read") from None
    elif isinstance(read.content, bytes) and wants_any:
        made = digest.compute(read.content)
    return [Located(one) for one in made if one.kind in wanted]


def _regions(whole: NDArray[np.uint8]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The parts of a frame that are hashed, each by its name in a match."""
    yield "full", whole
    for view in trim.trimmed(whole):
        yield "trimmed", view


def _orientations(
    frame: Frame, region: str, shown: NDArray[np.uint8], wanted: Sequence[HashKind]
) -> list[Located]:
    """The perceptual hashes that are wanted of one region of a frame, each in all orientations."""
    made = classic.compute_orientations(shown, [kind for kind in wanted if kind in classic.CLASSIC])
    if pdq.PDQ in wanted:
        made[pdq.PDQ.name] = pdq.compute_orientations(shown)
    seen = detail.Detail(shown)
    place = (region, frame.part, frame.time, frame.part_kind)
    located = []
    for kind in wanted:
        if kind.name in made:
            score = seen.score(kind)
            for one, orientation in zip(made[kind.name], pdq.ORIENTATIONS, strict=True):
                stamped = replace(one, pixels=pixels.VERSION)
                located.append(Located(stamped, orientation, *place, score))
    return located
