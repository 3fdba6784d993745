"""Pictures: sniffed, held to limits before a pixel is decoded, and given frame by frame.

`open` takes a file's bytes, a Pillow image or an array, and reads headers only. The frames come
from `Picture.frames`, one at a time, through the pixel pipeline of `media.pixels`.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from screener.errors import MediaError
from screener.media import decoder, headers, pixels, plain_jpeg
from screener.media.canvas import Canvas
from screener.media.embedded import Embedded, embedded
from screener.media.sniff import sniff

_FRAMES_FACTOR = 4
"""All frames of one file together may have this many times the pixels of one picture."""

_HIDDEN = 16
"""So many places of one file that look like a hidden picture or clip are looked into."""

_APART = ("MPO", "TIFF")
"""Formats of which a frame is decoded without the one before."""

_ROWS_OF = 1 << 18  # pixels: rows that are looked at together

_UNSEEN = ("too_large", "timeout", "unsupported", "encrypted")
"""Why a hidden clip that is one was not looked at; for all other reasons it is none, or broken."""

Clips = Callable[[bytes], "Picture"]
"""How a clip that is hidden in a picture's file is opened."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one input may cost at most: bytes of the file, pixels of a picture, frames of a file.

    All frames of a file together may have four times `pixels`. A video is not held in memory and
    has limits of its own: `video_bytes`, `duration` in seconds, and `samples`, the frames that are
    looked at. An archive, with all archives inside it, may have so many `members` that unpack to so
    many bytes (`unpacked`); none may unpack to more than `ratio` times its size; archives inside
    archives are opened to a depth of `nesting`.
    """

    bytes: int = 256 * 1024 * 1024
    pixels: int = 150_000_000
    frames: int = 1_000
    video_bytes: int = 16 * 1024 * 1024 * 1024
    duration: int = 6 * 60 * 60
    samples: int = 25_000
    members: int = 100_000
    unpacked: int = 64 * 1024 * 1024 * 1024
    ratio: int = 200
    nesting: int = 3


@dataclass(frozen=True)
class Media:
    """What an input is.

    `type` is the MIME type told by the content (None for an array, and for a Pillow image that
    came from no file). `width` and `height` are as shown, EXIF orientation applied. `frames`
    counts pages or animation frames as the file declares them; where it declares none (GIF,
    TIFF) they are counted, but no further than one past the limit. `duration` is in seconds, of a
    video that declares it.
    """

    type: str | None
    width: int
    height: int
    frames: int
    duration: float | None = None


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of an input: upright uint8 pixels, (H, W) grey or (H, W, 3) RGB.

    `time` is in seconds from the start of an animation or video, 0.0 for stills and pages; `part`
    is the number of the frame or page, from 0, and goes on counting for what is hidden in the file;
    `part_kind` is `frame`, or `thumbnail` or `appended` for that; frames of a hidden clip have
    their `time` in it. `pixels` may have any strides. `again` are the times of the frames looked at
    next that show the same, and are not given themselves. `inner` are views of `pixels` without the
    bars that a video has throughout. `track` counts a video's tracks of pictures from 0, and those
    of clips hidden in a picture's file from 1. `between` is said of a frame that is worth hashing
    only if it differs from the last one: its time is not one at which to look.
    """

    pixels: NDArray[np.uint8]
    time: float
    part: int
    part_kind: str = "frame"
    again: tuple[float, ...] = ()
    inner: tuple[NDArray[np.uint8], ...] = ()
    track: int = 0
    between: bool = False


class Picture:
    """An opened input: `media` says what it is, `frames()` decodes it.

    A PNG may tell its orientation after its pixels: `media` is corrected by the first frame.
    """

    def __init__(self, media: Media, decode: Callable[[], Iterator[Frame]]) -> None:
        """For `open`: what it is, and what starts a walk over its frames."""
        self.media = media
        self._decode = decode

    def frames(self) -> Iterator[Frame]:
        """Each frame once, decoded when asked for; one equal to the frame before is left out.

        Raises MediaError after the last frame that could be decoded. A frame that is cut short
        or broken is given as far as it was decoded (the rest is black or grey), then the error.
        Pictures hidden in the file come last, before the error if there is one: docs/pixels.md.
        """
        for frame in self._decode():
            if frame.part == 0:
                height, width = frame.pixels.shape[:2]
                if (width, height) != (self.media.width, self.media.height):
                    self.media = replace(self.media, width=width, height=height)
            yield frame
            del frame  # whose pixels would be held while the next are decoded


def open(
    source: bytes | Image.Image | NDArray[Any],
    *,
    limits: Limits | None = None,
    clips: Clips | None = None,
) -> Picture:
    """Open a file's bytes, a Pillow image or an array; no pixel is decoded yet. `clips` opens what
    is hidden in the file and moves, which is left alone without.

    Raises MediaError with the reason `empty`, `unsupported`, `undecodable`, `truncated` or
    `too_large`; HashError for an array of the wrong dtype or shape. A Pillow image counts as
    one picture, the frame that it stands at: give the file's bytes to have them all.
    """
    limits = limits or Limits()
    if isinstance(source, np.ndarray):
        return _open_array(source, limits)
    if isinstance(source, Image.Image):
        return _open_image(source, limits)
    return _open_bytes(bytes(source), limits, clips)


def _open_array(array: NDArray[Any], limits: Limits) -> Picture:
    if array.ndim >= 2:
        _check_pixels(array.shape[1], array.shape[0], limits)
    grey_or_rgb = pixels.from_array(array)
    height, width = grey_or_rgb.shape[:2]
    frame = Frame(grey_or_rgb, 0.0, 0)
    return Picture(Media(None, width, height, 1), lambda: iter((frame,)))


def _open_image(image: Image.Image, limits: Limits) -> Picture:
    _check_pixels(image.width, image.height, limits)

    def decode() -> Iterator[Frame]:
        found, trouble = _decoded(image, b"")
        if found is not None:
            yield Frame(found, 0.0, 0)
        if trouble is not None:
            raise trouble

    mime = Image.MIME.get(image.format) if image.format else None
    return Picture(Media(mime, *_shown_size(image), 1), decode)


def _open_bytes(data: bytes, limits: Limits, clips: Clips | None = None) -> Picture:
    if not data:
        raise MediaError("empty", "no bytes")
    if len(data) > limits.bytes:
        raise MediaError("too_large", f"{len(data)} bytes, over the limit of {limits.bytes}")
    size = plain_jpeg.size_of(data)
    if size is not None:
        _check_pixels(*size, limits)
        return Picture(Media("image/jpeg", *size, 1), lambda: _plain_frames(data, size, limits))
    return _open_with_pillow(data, limits, clips)


def _plain_frames(data: bytes, size: tuple[int, int], limits: Limits) -> Iterator[Frame]:
    found = plain_jpeg.luma(data, size)
    if found is not None:
        return iter((Frame(found, 0.0, 0),))
    return _open_with_pillow(data, limits).frames()  # there is nothing behind its end


def _open_with_pillow(data: bytes, limits: Limits, clips: Clips | None = None) -> Picture:
    _check_pixels(*headers.largest(data), limits)
    image = decoder.open_image(data)
    _check_pixels(image.width, image.height, limits)
    mime = image.get_format_mimetype() or sniff(data) or f"image/x-{image.format}".lower()
    media = Media(mime, *_shown_size(image), _count(image, data, limits))
    # The first walk takes the image that is open; counting has moved a TIFF, so not that one.
    opened = [] if image.format == "TIFF" else [image]

    def decode() -> Iterator[Frame]:
        first = opened.pop() if opened else decoder.open_image(data)
        return _decode_all(first, data, media.frames, limits, clips)

    return Picture(media, decode)


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.pixels:
        raise MediaError(
            "too_large", f"{width} x {height} pixels, over the limit of {limits.pixels}"
        )


def _shown_size(image: Image.Image) -> tuple[int, int]:
    """Width and height with the orientation applied, without decoding."""
    # Pillow turns TIFF sizes itself, and would decode a whole PNG to look for late metadata.
    known = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
    if known and pixels.orientation(image) >= 5:
        return image.height, image.width
    return image.width, image.height


def _count(image: ImageFile.ImageFile, data: bytes, limits: Limits) -> int:
    """Frames as declared; where a file declares none, counted up to one past the limit."""
    if image.format == "GIF":
        return headers.gif_frames(data, stop=limits.frames + 1)
    if image.format == "PSD":  # its frames are layers; what it shows is their composite
        return 1
    if image.format != "TIFF":
        return max(int(getattr(image, "n_frames", 1)), 1)
    count = 1
    try:
        while count <= limits.frames:
            image.seek(count)
            count += 1
    except Exception:
        # The end, or a page that is broken: decoding will come to it and say so.
        pass
    return count


def _decode_all(
    image: ImageFile.ImageFile, data: bytes, count: int, limits: Limits, clips: Clips | None
) -> Iterator[Frame]:
    """The frames of a file, then what is hidden in it; the trouble of either comes last."""
    trouble: MediaError | None = None
    part = count
    try:
        for frame in _decode_file(image, data, count, limits):
            part = max(part, frame.part + 1)
            yield frame
            del frame
    except MediaError as error:
        trouble = error
    try:
        for frame in _hidden(image, data, limits, clips):
            yield replace(frame, part=part + frame.part)
            del frame
    except MediaError as error:
        trouble = trouble or error
    if trouble is not None:
        raise trouble


def _hidden(
    image: ImageFile.ImageFile, data: bytes, limits: Limits, clips: Clips | None
) -> Iterator[Frame]:
    """The pictures hidden in a file and the frames of clips hidden there, as far as they decode;
    their parts are counted from 0.

    What is broken or cut is no trouble of the file, whose own pictures may be sound. What is over
    a limit is: there is a picture, and nobody has looked at it.
    """
    budget, over, part, track = limits.pixels, None, 0, 1
    for number, one in enumerate(embedded(data, image)):
        if number >= _HIDDEN:
            raise MediaError("too_large", f"more than {_HIDDEN} pictures hidden in the file")
        trouble: MediaError | None = None
        try:
            if one.clip:
                for frame in _of_clip(one, clips, part, track):
                    part, track = max(part, frame.part + 1), max(track, frame.track + 1)
                    yield frame
                    del frame
                continue
            _check_pixels(*headers.largest(one.data), limits)
            opened = decoder.open_image(one.data)
            _check_pixels(opened.width, opened.height, limits)
            budget -= opened.width * opened.height
            if budget < 0:
                raise MediaError("too_large", f"hidden pictures: over {limits.pixels} pixels")
            found, trouble = _decoded(opened, one.data)
            if found is not None:
                yield Frame(found, 0.0, part, one.kind)
                found = None
                part += 1
        except MediaError as error:
            trouble = error
        if trouble is not None and trouble.reason in (_UNSEEN if one.clip else _UNSEEN[:1]):
            over = over or trouble
    if over is not None:
        raise over


def _of_clip(one: Embedded, clips: Clips | None, part: int, track: int) -> Iterator[Frame]:
    """The frames of a hidden clip; its parts and tracks are counted from those given."""
    for frame in clips(one.data).frames() if clips else ():
        yield replace(frame, part=part + frame.part, part_kind=one.kind, track=track + frame.track)
        del frame


def _decode_file(
    image: ImageFile.ImageFile, data: bytes, count: int, limits: Limits
) -> Iterator[Frame]:
    budget, time, previous = limits.pixels * _FRAMES_FACTOR, 0.0, b""
    for part in itertools.count():
        if part:
            following = _following(image, data, part, count)
            if following is None:
                return
            image = following
        if part >= limits.frames:
            raise MediaError("too_large", f"more than {limits.frames} frames")
        _check_pixels(image.width, image.height, limits)
        budget -= image.width * image.height
        if budget < 0:
            raise MediaError("too_large", f"all frames together: over {limits.pixels} x 4 pixels")
        alone = count == 1 or image.format in _APART
        found, trouble = _decoded(image, data, part=part, alone=alone)
        if count == 1:
            image.close()  # gives the decoder's memory back before anything is made of the pixels
        elif alone:
            image._im = None  # it stands on the memory of the frame, which is not to outlive it
        if found is not None:
            shown = b"" if count == 1 else _told(found)
            if count == 1 or shown != previous:
                yield Frame(found, time, part)
            previous, found = shown, None  # not held while the next are decoded
        if trouble is not None:
            raise trouble
        if count == 1:
            return
        time += _duration(image)


def _told(found: NDArray[np.uint8]) -> bytes:
    """What tells a frame's pixels from others: it takes no memory, where the pixels would."""
    made = hashlib.blake2b(repr(found.shape).encode(), digest_size=32)
    step = max(1, _ROWS_OF // max(found.shape[1], 1))
    for top in range(0, found.shape[0], step):
        made.update(np.ascontiguousarray(found[top : top + step]))
    return made.digest()


def _following(
    image: ImageFile.ImageFile, data: bytes, part: int, count: int
) -> ImageFile.ImageFile | None:
    """The image at its frame number `part`, None after the last; MediaError if some are missing."""
    try:
        return _at(image, data, part)
    except EOFError:
        if part < count and image.format not in ("GIF", "TIFF"):
            raise MediaError("truncated", f"frame {part} of {count} is missing") from None
        return None
    except Exception as error:
        raise decoder.failure(error, data, f"frame {part} cannot be found") from None


def _at(image: ImageFile.ImageFile, data: bytes, part: int) -> ImageFile.ImageFile:
    if part and image.format == "MPO":
        # Each picture of an MPO is a JPEG of its own, and may have other colours. A fresh start:
        # older Pillows decode it into the memory of the last one, and beyond.
        image = decoder.open_image(data)
    if part != image.tell():
        image.seek(part)
    return image


def _decoded(
    image: Image.Image, data: bytes, *, part: int = 0, alone: bool = True
) -> tuple[NDArray[np.uint8] | None, MediaError | None]:
    """The upright pixels of the current frame as far as it decodes, and what went wrong.

    Those of a frame that is `alone` wanted of a file take the place of the image, which shows
    nothing afterwards.
    """
    turn: int | None = None  # where it is known before the frame is loaded
    canvas = Canvas() if data and alone else None
    try:
        if data and isinstance(image, ImageFile.ImageFile):
            direct = decoder.direct_pixels(image, data, part)
            if direct is not None:
                return direct, None
            turn = _prepare(image, canvas)
            decoder.load(image)
        return _upright(image, canvas, turn), None
    except Exception as error:
        trouble = decoder.failure(error, data, "pixels cannot be decoded")
        if trouble.reason == "too_large" or not isinstance(image, ImageFile.ImageFile):
            return None, trouble
    if data and image.format in ("JPEG", "MPO"):
        # A marker for the end makes libjpeg finish with what it has: the last rows of a
        # baseline file, all rows of a progressive one, only coarser.
        with contextlib.suppress(Exception):
            ended = headers.ended_jpeg(data)
            again = _at(decoder.open_image(ended), ended, part)
            _prepare(again, canvas)
            return _upright(again, canvas, None), trouble
    with contextlib.suppress(Exception):
        rest = decoder.remains(image)
        if rest is not None:
            turn = pixels.orientation(image) if turn is None else turn
            return _upright(rest, canvas, turn), trouble
    return None, trouble


def _prepare(image: ImageFile.ImageFile, canvas: Canvas | None) -> int | None:
    """Have the current frame decoded on the canvas where that can be, and a JPEG to its luma;
    what `decoder.unturned` says of a TIFF.
    """
    if image.format in ("JPEG", "MPO") and decoder.luma_only(image):
        image.draft("L", image.size)  # docs/pixels.md states the drift
    turn = decoder.unturned(image) if image.format == "TIFF" else None
    if canvas is not None:
        canvas.lend(image)
    return turn


def _upright(image: Image.Image, canvas: Canvas | None, turn: int | None) -> NDArray[np.uint8]:
    """The pixels of a loaded image, turned by `turn`, or by its orientation if that is None."""
    return pixels.upright(image, canvas.of(image) if canvas is not None else None, turn)


def _duration(image: Image.Image) -> float:
    """Seconds that the current frame is shown."""
    value = image.info.get("duration", 0)
    return max(float(value), 0.0) / 1000 if isinstance(value, (int, float)) else 0.0
