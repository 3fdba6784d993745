"""What one input may cost."""

from __future__ import annotations

from dataclasses import dataclass

from screener.errors import MediaError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that one input may cost: bytes of a file, pixels of a picture, frames of a file.

    All frames of a file together may have four times `pixels`. A video is not loaded and has its
    own limits: `video_bytes`, `duration` in seconds, and `samples`, the frames that are screened.
    An archive with all archives inside it may have `members` that unpack to `unpacked` bytes, none
    to more than `ratio` times its size; archives are opened to a depth of `nesting`.
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
