"""The frames of animations and pages: their times, limits, and what is missing."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from frames_of_file import frames_and_reason
from picture_bytes import saved
from picture_files import animation, drawn, frames_and_error
from PIL import Image, ImageFile
from png_chunks import chunk

from screener.errors import MediaError, ShortOfMemory
from screener.media.image import frames as sequence
from screener.media.image.open_image import open as open_picture


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_frames_that_tell_no_time_follow_each_other_as_browsers_show_them(form):
    """There are ten a second; at one time they would be no sequence. Pages are all at 0."""
    pictures = [drawn(number) for number in range(4)]
    options = {"save_all": True, "append_images": pictures[1:]}
    frames, reason = frames_and_reason(saved(pictures[0], form, duration=0, **options))
    assert reason is None
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    pages, _ = frames_and_reason(saved(pictures[0], "TIFF", **options))
    assert [page.time for page in pages] == [0.0] * 4


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("at", [0, 24])
def test_a_frame_of_a_webp_whose_name_is_damaged_is_reported(lossless: bool, at: int) -> None:
    """The name is the frame's or its picture's: libwebp silently ignores it."""
    first, *rest = (drawn(number) for number in range(3))
    data = saved(first, "WEBP", save_all=True, append_images=rest, lossless=lossless)
    frames, reason = frames_and_reason(data)
    assert (len(frames), reason) == (3, None)
    place = data.index(b"ANMF", data.index(b"ANMF") + 1) + at

    frames, reason = frames_and_reason(data[:place] + b"J" + data[place + 1 :])

    assert len(frames) == 2
    assert reason == "undecodable"


def _declaring(count: int | None, data: bytes) -> bytes:
    """Return an animated PNG that declares so many frames, or none."""
    at = data.index(b"acTL") - 4
    said = b"" if count is None else chunk(b"acTL", struct.pack(">II", count, 0))
    return data[:at] + said + data[at + 20 :]


@pytest.mark.parametrize("default", [False, True])
@pytest.mark.parametrize("frames", [1, 2, None])
def test_a_png_that_has_more_frames_than_it_says_is_reported(
    default: bool, frames: int | None
) -> None:
    """Viewers and Pillow show as many as declared, with a default image that may be no frame."""
    data = animation("PNG", 3 + default, default_image=default)
    assert frames_and_reason(data)[1] is None

    found, reason = frames_and_reason(_declaring(frames, data))

    assert len(found) == (frames + default if frames else 1)
    assert reason == "undecodable"


def test_a_lying_frame_count() -> None:
    """Declared frames that are not there end in `truncated`, at once, after those that are."""
    frames, reason = frames_and_reason(_declaring(2**31 - 1, animation("PNG", 3)))
    assert [frame.part for frame in frames] == [0, 1, 2]
    assert reason == "truncated"


def test_a_gif_cut_between_two_frames_is_reported() -> None:
    """Wherever it is cut: behind the zero that ends a frame, and before the trailer."""
    first, *rest = (drawn(number, (32, 24)) for number in range(3))  # of several blocks each
    data = saved(first, "GIF", save_all=True, append_images=rest)
    for length in range(len(data) // 4, len(data)):
        if length % 16 and data[length - 1]:
            continue
        _, reason = frames_and_reason(data[:length])
        assert reason == "truncated", length


def test_a_broken_picture_of_an_mpo_hides_no_other() -> None:
    """Each is a JPEG of its own: the others are returned, then the reason."""
    data = bytearray(animation("MPO", 3))
    start = data.index(b"\xff\xd8\xff", data.index(b"\xff\xd9"))
    data[start : start + 40] = bytes(40)
    frames, ended = frames_and_reason(bytes(data))
    assert [frame.part for frame in frames] == [0, 2]
    assert ended == "undecodable"


ANIMATED = {
    "GIF": {"duration": [100, 200, 300]},
    "WEBP": {"duration": [100, 200, 300], "lossless": True},
    "PNG": {"duration": [100, 200, 300]},
    "AVIF": {"duration": [100, 200, 300]},
    "TIFF": {},
    "MPO": {},
}


@pytest.mark.parametrize("format", ANIMATED)
def test_every_frame_comes_with_part_and_time(format: str) -> None:
    """Parts count from 0; times add up the durations before; pages have none."""
    data = animation(format, 3, **ANIMATED[format])
    picture = open_picture(data)
    assert picture.media.frames == 3
    frames = list(picture.frames())
    assert [frame.part for frame in frames] == [0, 1, 2]
    times = [0.0, 0.1, 0.3] if ANIMATED[format] else [0.0] * 3
    assert [frame.time for frame in frames] == pytest.approx(times)
    for number, frame in enumerate(frames):
        wanted = np.asarray(drawn(number), int)
        if frame.pixels.ndim == 2:
            wanted = np.rint(wanted @ [0.299, 0.587, 0.114])
        assert np.abs(frame.pixels - wanted).mean() < 12, "GIF has few colours, MPO is JPEG"


def test_a_text_that_is_named_as_a_duration_is_none() -> None:
    """It may stand behind any frame of a PNG, and Pillow reads it with the frame."""
    data = animation("PNG", 3, duration=100)
    text = chunk(b"tEXt", b"duration\0long")
    for before in (b"fcTL", b"IEND"):
        at = data.rindex(before) - 4
        frames, reason = frames_and_reason(data[:at] + text + data[at:])
        assert reason is None
        assert [frame.part for frame in frames] == [0, 1, 2]


@pytest.mark.parametrize("format", ANIMATED)
def test_frames_can_be_walked_again(format: str) -> None:
    """A second walk, or one after a walk left half-way, gives the same frames."""
    picture = open_picture(animation(format, 3))
    next(picture.frames())
    first, second = list(picture.frames()), list(picture.frames())
    assert len(first) == len(second) == 3
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize("format", ANIMATED)
def test_frame_limit(format: str) -> None:
    """As many frames as the limit come, then too_large if there is one more, and only then."""
    data = animation(format, 3)
    for limit in (1, 2):
        frames, reason = frames_and_reason(data, frames=limit)
        assert len(frames) == limit
        assert reason == "too_large"
    frames, reason = frames_and_reason(data, frames=3)
    assert len(frames) == 3
    assert reason is None


def test_frames_over_a_limit_are_reported_of_a_cut_file_too() -> None:
    """`too_large` counts before `truncated`, since there is more to see."""
    frames, reason = frames_and_reason(animation("GIF", 3)[:-1], frames=2)
    assert len(frames) == 2
    assert reason == "too_large"


def test_all_frames_together_have_a_limit() -> None:
    """Frames that each pass end in too_large once they exceed four times the pixel limit."""
    area = 120 * 90
    assert frames_and_reason(animation("GIF", 4), pixels=area)[1] is None
    frames, reason = frames_and_reason(animation("GIF", 5), pixels=area)
    assert len(frames) == 4
    assert reason == "too_large"


def test_a_larger_page_is_held_to_the_limit() -> None:
    """The limit is checked again for every page, before that page is decoded."""
    data = saved(drawn(), "TIFF", save_all=True, append_images=[drawn(1, size=(240, 90))])
    frames, reason = frames_and_reason(data, pixels=120 * 90)
    assert len(frames) == 1
    assert reason == "too_large"


def test_pages_of_different_size_and_mode() -> None:
    """Each page of a TIFF or picture of an MPO comes in its own size and colours."""
    pages = [drawn(1, size=(50, 70)).convert("L"), drawn(2, size=(200, 20))]
    for format in ("TIFF", "MPO"):
        frames, reason = frames_and_reason(
            saved(drawn(), format, save_all=True, append_images=pages)
        )
        assert reason is None
        assert [frame.pixels.shape[:2] for frame in frames] == [(90, 120), (70, 50), (20, 200)]


@pytest.mark.parametrize("few", [0, 1 << 20])
def test_equal_frames_are_left_out(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Part and time go on counting. Large frames are compared by digest, small ones by pixels."""
    monkeypatch.setattr(sequence, "_MAX_FINGERPRINT_SIZE", few)
    at_its_end = drawn()
    at_its_end.putpixel((119, 89), (1, 2, 3))
    still = [drawn(), drawn(), drawn(1), drawn(), at_its_end]
    data = saved(drawn(), "TIFF", save_all=True, append_images=still)
    frames, reason = frames_and_reason(data)
    assert reason is None
    assert [frame.part for frame in frames] == [0, 3, 4, 5]


@pytest.mark.parametrize("few", [0, 1 << 20])
def test_frames_of_equal_bytes_and_another_shape_are_others(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lying and a standing picture of one grey have hashes of their own."""
    monkeypatch.setattr(sequence, "_MAX_FINGERPRINT_SIZE", few)
    lying, standing = (Image.new("L", size, 90) for size in ((120, 90), (90, 120)))
    pages = [standing, standing, lying]
    frames, reason = frames_and_reason(saved(lying, "TIFF", save_all=True, append_images=pages))
    assert reason is None
    assert [(frame.part, frame.pixels.shape) for frame in frames] == [
        (0, (90, 120)),
        (1, (120, 90)),
        (3, (90, 120)),
    ]


@pytest.mark.parametrize(
    ("failing", "said"), [({1: "a", 3: "b"}, "a"), ({1: "a", 2: None}, None), ({1: None}, None)]
)
def test_of_several_pages_that_fail_the_first_is_reported_but_for_want_of_memory(
    failing: dict[int, str | None], said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lack of memory counts before all else: with more, there is more to see."""
    as_it_is = sequence.decode_frame

    def decode(
        image: ImageFile.ImageFile, data: bytes, *, number: int, replaces_image: bool
    ) -> object:
        if number not in failing:
            return as_it_is(image, data, number=number, replaces_image=replaces_image)
        detail = failing[number]
        raise ShortOfMemory("") if detail is None else MediaError("undecodable", detail)

    monkeypatch.setattr(sequence, "decode_frame", decode)
    frames, error = frames_and_error(animation("TIFF", 5))
    assert [frame.part for frame in frames] == [part for part in range(5) if part not in failing]
    assert error is not None
    assert isinstance(error, ShortOfMemory) == (said is None)
    assert error.detail == (said or "")


def test_pages_that_go_round_in_a_circle() -> None:
    """A TIFF whose last page points to the first ends after its pages."""
    data = bytearray(animation("TIFF", 2))
    first = struct.unpack_from("<I", data, 4)[0]
    following = first + 2 + 12 * struct.unpack_from("<H", data, first)[0]
    second = struct.unpack_from("<I", data, following)[0]
    end = second + 2 + 12 * struct.unpack_from("<H", data, second)[0]
    struct.pack_into("<I", data, end, first)
    frames, reason = frames_and_reason(bytes(data))
    assert len(frames) == 2
    assert reason is None
