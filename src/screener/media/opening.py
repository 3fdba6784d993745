"""Open an input by its content, as a picture or a video."""

from __future__ import annotations

from functools import partial
from typing import BinaryIO

import numpy as np
from PIL import Image

from screener.errors import MediaError
from screener.media.files.limits import Limits
from screener.media.files.picture import Picture
from screener.media.files.sniff import CONTAINERS, sniff
from screener.media.image import open_image
from screener.media.source import Content
from screener.media.video.sampling.settings import Sampling


def open(
    content: Content | BinaryIO,
    *,
    limits: Limits | None = None,
    sampling: Sampling | None = None,
    seconds: float | None = None,
) -> Picture:
    """Open a file's bytes, the open file of a video, a Pillow image or an array.

    Parameters:
        content: The input.
        limits: Limits of sizes; the defaults if None.
        sampling: Selects the frames of a video; the defaults if None.
        seconds: Processor time for decoding a video, or a clip hidden in a picture's file; None for
            no limit.

    Raises:
        MediaError: The input cannot be opened, see `open_image.open` and `frames.open`; `no_video`
            if a file contains only sound.
        HashError: An array has the wrong dtype or shape.
    """
    if not isinstance(content, bytes):
        if isinstance(content, Image.Image | np.ndarray):
            return open_image.open(content, limits=limits)
        return _open_video(content, limits=limits, sampling=sampling, seconds=seconds)
    mime = sniff(content[:4096])
    if mime in CONTAINERS:
        return _open_video(content, limits=limits, sampling=sampling, seconds=seconds)
    if mime is not None and mime.startswith("audio/"):
        raise MediaError("no_video", f"{mime} is sound; a cover in it is not screened")
    clips = partial(_open_video, limits=limits, sampling=sampling, seconds=seconds)
    return open_image.open(content, limits=limits, clips=clips)


def _open_video(
    content: bytes | BinaryIO,
    *,
    limits: Limits | None,
    sampling: Sampling | None,
    seconds: float | None,
) -> Picture:
    from screener.media.video import (
        frames,
    )  # imported late, since it is slow and only needed for videos

    return frames.open(content, limits=limits, sampling=sampling, seconds=seconds)
