"""The limits for one input: bytes, pixels, frames, members of archives."""

from __future__ import annotations

from dataclasses import dataclass

from screener.errors import MediaError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The maximum sizes of one input.

    Parameters:
        bytes: Bytes of a file other than a video.
        pixels: Pixels of a picture; all frames of a file together may have four times as many.
        frames: Frames or pages of a file other than a video.
        video_bytes: Bytes of a video, which is not loaded.
        duration: Seconds of a video.
        samples: Frames of a video that are screened.
        members: Members of an archive with all archives inside it.
        unpacked: Bytes to which all these members unpack.
        ratio: Bytes to which a member may unpack, as a multiple of its packed size.
        nesting: Depth to which archives inside archives are opened.
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


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """Raise MediaError `too_large` for a picture of more pixels than the limit."""
    if width * height > limits.pixels:
        raise MediaError(
            "too_large", f"{width} x {height} pixels, over the limit of {limits.pixels}"
        )
