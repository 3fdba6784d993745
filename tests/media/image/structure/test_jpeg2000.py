"""JPEG 2000s that Pillow shows wrongly."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from frames_of_file import frames_and_reason
from picture_bytes import saved
from picture_files import drawn


@pytest.mark.parametrize("boxed", [True, False])
@pytest.mark.parametrize(
    ("bits", "channels", "level", "reason"),
    [
        (16, 3, 255, "unsupported"), (16, 3, 250, None), (16, 4, 250, "unsupported"),
        (16, 1, 255, None), (8, 3, 255, None), (8, 4, 250, None),
    ],
)  # fmt: skip
def test_a_jpeg_2000_whose_white_may_have_become_black_is_reported(
    boxed: bool, bits: int, channels: int, level: int, reason: str | None
) -> None:
    """Pillow turns the whitest samples of deep colours into 0, and opaque into clear.

    Such a picture is hashed, but clears nothing. Without a 0, none has become one.
    """
    stored = np.asarray(drawn(), np.uint16).clip(10, 200)
    stored[:40] = level
    stored = np.dstack([stored, np.full_like(stored[..., :1], 255)])[..., :channels]
    deep = stored * 257 if bits == 16 else stored.astype(np.uint8)
    data = cv2.imencode(".jp2", deep)[1].tobytes()

    frames, ended = frames_and_reason(data if boxed else data[data.index(b"\xff\x4f\xff\x51") :])

    assert len(frames) == 1
    assert (ended) == reason


def test_a_second_picture_of_a_jpeg_2000_is_reported() -> None:
    """Pillow returns the first, which is compared."""
    first, second = (saved(drawn(number), "JPEG2000") for number in range(2))

    frames, reason = frames_and_reason(first + second[second.index(b"jp2c") - 4 :])

    assert [frame.part for frame in frames] == [0]
    assert reason == "unsupported"
