"""Hashed: one input as far as it could be read, decoded and hashed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from screener.errors import MediaError
from screener.hashing import digest, pdq
from screener.hashing.hash import Hash, HashKind
from screener.media import opening, pixels, source
from screener.media.image import Frame, Picture
from screener.media.sniff import CONTAINERS
from screener.media.source import Item, Name
from screener.policy import Policy
from screener.result import MediaFacts


@dataclass(frozen=True, slots=True)
class Located:
    """A hash of an input, and where in the input it was made."""

    hash: Hash
    orientation: str = "upright"
    region: str = "full"
    part: int = 0
    time: float = 0.0
    again: tuple[float, ...] = ()
    """The times of the frames after it that show the same."""


@dataclass(frozen=True)
class Hashed:
    """An input as far as it could be hashed: what there is to look up, and what went wrong."""

    name: Name
    hashes: tuple[Located, ...] = ()
    media: MediaFacts | None = None
    trouble: MediaError | None = None

    @property
    def video(self) -> bool:
        """Whether it is a video's file."""
        return self.media is not None and self.media.type in CONTAINERS


def hash_item(item: Item, *, policy: Policy, kinds: Iterable[HashKind]) -> Hashed:
    """Read, decode and hash one input: the kinds asked for, as far as they can be made.

    Perceptual hashes come in all eight orientations and with their quality, whatever it is;
    nothing is decoded where none is asked for.
    Never raises MediaError: the trouble is part of what is returned.
    """
    wanted = tuple(kinds)
    name = source.name_of(item)
    hashes: list[Located] = []
    picture: Picture | None = None
    samples = 0
    trouble: MediaError | None = None
    limits = policy.limits
    try:
        with source.read(item, limit=limits.bytes, video_limit=limits.video_bytes) as read:
            if isinstance(read.content, bytes) and not read.content:
                raise MediaError("empty", "no bytes at all")
            hashes += _digests(read, wanted)
            if any(kind.perceptual for kind in wanted):
                picture = _open(read, policy)
                for frame in picture.frames():
                    samples += 1 + len(frame.again)
                    for region, shown in _regions(frame.pixels):
                        hashes += _orientations(frame, region, shown)
    except MediaError as error:
        trouble = error
    # Asked for last, since some formats tell their size only while they are decoded.
    return Hashed(name, tuple(hashes), _facts(picture, samples), trouble)


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
    if read.file is not None:
        try:
            made = digest.compute(read.file)
        except OSError as error:
            raise MediaError("unreadable", error.strerror or "cannot be read") from None
    elif isinstance(read.content, bytes):
        made = digest.compute(read.content)
    return [Located(one) for one in made if one.kind in wanted]


def _regions(whole: NDArray[np.uint8]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The parts of a frame that are hashed, each by its name in a match."""
    yield "full", whole


def _orientations(frame: Frame, region: str, shown: NDArray[np.uint8]) -> list[Located]:
    hashes = pdq.compute_orientations(shown)
    place = (region, frame.part, frame.time, frame.again)
    return [
        Located(replace(one, pixels=pixels.VERSION), orientation, *place)
        for one, orientation in zip(hashes, pdq.ORIENTATIONS, strict=True)
    ]
