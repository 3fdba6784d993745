"""The pictures and clips that are hidden in a picture's file, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from PIL import ImageFile

from screener.errors import MediaError, ShortOfMemory
from screener.media import decoder, headers
from screener.media.decoded import decoded
from screener.media.embedded import Embedded, embedded
from screener.media.limits import Limits, check_pixels
from screener.media.picture import Frame, Picture

_HIDDEN = 16
"""So many places of one file that look like a hidden picture or clip are looked into."""

_UNSEEN = ("too_large", "timeout", "unsupported", "encrypted")
"""Why a hidden clip that is one was not looked at; for all other reasons it is none, or broken."""

Clips = Callable[[bytes], Picture]
"""How a clip that is hidden in a picture's file is opened."""


def frames(
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
            check_pixels(*headers.largest(one.data), limits)
            opened = decoder.open_image(one.data)
            check_pixels(opened.width, opened.height, limits)
            budget -= opened.width * opened.height
            if budget < 0:
                raise MediaError("too_large", f"hidden pictures: over {limits.pixels} pixels")
            found, trouble = decoded(opened, one.data)
            if found is not None:
                yield Frame(found, 0.0, part, one.kind)
                found = None
                part += 1
        except MediaError as error:
            trouble = error
        if trouble is not None and trouble.reason in (_UNSEEN if one.clip else _UNSEEN[:1]):
            over = trouble if over is None or isinstance(trouble, ShortOfMemory) else over
    if over is not None:
        raise over


def _of_clip(one: Embedded, clips: Clips | None, part: int, track: int) -> Iterator[Frame]:
    """The frames of a hidden clip; its parts and tracks are counted from those given."""
    for frame in clips(one.data).frames() if clips else ():
        yield replace(frame, part=part + frame.part, part_kind=one.kind, track=track + frame.track)
        del frame
