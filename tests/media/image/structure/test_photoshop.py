"""Photoshop files show the composite of their layers."""

from __future__ import annotations

import io
import struct

import pytest
from frames_of_file import frames_and_reason
from PIL import Image

from screener.media.image.open_image import open as open_picture


def _photoshop(layers: int) -> bytes:
    """Return a Photoshop file of 8 x 6 grey pixels, with layers of one compressed pixel each."""
    section = struct.pack(">h", layers)
    for _ in range(layers):
        section += struct.pack(">iiiiHhI", 0, 0, 1, 1, 1, 0, 6) + b"8BIMnorm\xff\0\0\0"
        section += struct.pack(">I", 12) + bytes(12)
    for layer in range(layers):
        section += struct.pack(">HHBB", 1, 2, 0, 200 + layer)
    section = struct.pack(">I", len(section)) + section
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 1, 6, 8, 8, 1) + bytes(8)
    return head + struct.pack(">I", len(section)) + section + b"\0\0" + bytes(range(48))


def test_layers_of_a_photoshop_file_are_reported() -> None:
    """Its composite, one picture, is screened; it may hide a layer, so it clears nothing."""
    with Image.open(io.BytesIO(_photoshop(3))) as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]
    ((frame,), reason) = frames_and_reason(_photoshop(3))
    assert reason == "unsupported"
    assert frames_and_reason(_photoshop(0))[1] is None
    assert frame.pixels.tobytes() == bytes(range(48))
    assert open_picture(_photoshop(3)).media.frames == 1


def test_a_given_photoshop_image_is_the_layer_that_it_stands_at() -> None:
    """A Pillow image has the pixels of its current frame."""
    with Image.open(io.BytesIO(_photoshop(3))) as image:
        image.seek(2)
        (frame,) = open_picture(image).frames()
    assert frame.pixels[0, 0] == 201


def _photoshop_that_says(number: int, said: bytes, packing: int = 0) -> bytes:
    """Return a Photoshop file of 8 x 6 grey pixels with that resource and compression."""
    resource = b"8BIM" + struct.pack(">HxxI", number, len(said)) + said + bytes(len(said) % 2)
    head = b"8BPS" + struct.pack(">H6xHIIHHI", 1, 1, 6, 8, 8, 1, 0)
    head += struct.pack(">I", len(resource)) + resource + bytes(4)
    return head + struct.pack(">H", packing) + bytes(range(48))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_photoshop_that_says(1057, b"\0\0\0\1\1"), None),
        (_photoshop_that_says(1057, b"\0\0\0\1\0"), "unsupported"),
        (_photoshop_that_says(1058, b"\0\0\0\1\0"), None),
        (_photoshop_that_says(1057, b"\0\0\0\1\1", packing=2), "unsupported"),
        (_photoshop_that_says(1057, b"\0\0\0\1\1")[:-9], "truncated"),
    ],
    ids=["composite", "none", "another resource", "zipped", "cut"],
)
def test_a_photoshop_file_that_does_not_show_its_layers_is_reported(
    data: bytes, reason: str | None
) -> None:
    """Without a composite it has a blank, which clears nothing; an unsupported compression is no
    cut.
    """
    _, ended = frames_and_reason(data)
    assert ended == reason
