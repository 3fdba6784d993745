"""Pictures in documents, and in picture files that cannot be opened themselves."""

import struct

import numpy as np
import pytest
from frames_of_file import frames_and_reason
from picture_bytes import saved
from PIL import Image

from screener import Screener, Verdict
from screener.hashing import pdq
from screener.media.image import pillow

HOLDERS = [
    b"%PDF-1.7\n",
    b"%!PS-Adobe-3.0\n",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),  # Word and PowerPoint up to 2003
    b"FUJIFILMCCD-RAW ",
    b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    b"IIU\0\x18\0\0\0",
    b"IIRO\x08\0\0\0",
    b"8BPS" + struct.pack(">H6xHIIHH", 2, 3, 6, 8, 8, 3),  # a large document of Photoshop
]


def parts_of(data, **limits):
    """Return part, part_kind and grey pixels of each frame, and the reason that ends them."""
    frames, reason = frames_and_reason(data, **limits)
    return [(one.part, one.part_kind, grey(Image.fromarray(one.pixels))) for one in frames], reason


def grey(image):
    """Return the luma of an image."""
    return np.asarray(image.convert("L"), int)


def screened(make_list, listed, data):
    """Return the Result of a file's bytes by a list of one picture."""
    row = {"id": "listed", "pdq": pdq.compute(np.asarray(listed)).text}
    return Screener(make_list([row])).screen(data)


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda head: repr(head[:8]))
@pytest.mark.parametrize(("listed", "verdict"), [(32, "match"), (9, "unscreened")])
def test_whole_pictures_are_screened(make_list, scene, holder, listed, verdict):
    """They can make a match, but clear nothing: the rest was not screened."""
    begins = b"\xff\xd8\xff\xe0\0\x10" + bytes(90)  # packed data may have those bytes
    data = holder + begins + b"stream\n" + saved(scene(31), "JPEG") + b"\nendstream " + begins
    data += saved(scene(32), "PNG") + b"\nendobj" + bytes(70)

    found, reason = parts_of(data)
    result = screened(make_list, scene(listed), data)

    assert [one[:2] for one in found] == [(0, "appended"), (1, "appended")]
    assert np.abs(found[0][2] - grey(scene(31))).mean() < 3
    assert np.array_equal(found[1][2], grey(scene(32)))
    assert reason == "unsupported"
    assert result.verdict == verdict
    media = result.media
    assert (media.width, media.height, media.frames, media.samples) == (0, 0, 0, 0)
    assert [(one.part, one.part_kind) for one in result.matches] == [(1, "appended")] * (
        result.verdict is Verdict.MATCH
    )
    assert result.reason == (None if result.matches else "unsupported")


def test_all_pages_of_a_scanned_document_are_screened(make_list, scene):
    """A PDF may have more pages than a picture may hide pictures, up to the limit of frames."""
    pages = [scene(number, (240, 180)) for number in range(20)]
    data = saved(pages[0], "PDF", save_all=True, append_images=pages[1:])

    (match,) = screened(make_list, pages[19], data).matches
    found, reason = parts_of(data, frames=7)

    assert match.part == 19
    assert (len(found), reason) == (7, "unsupported")


@pytest.mark.parametrize("data", [b"just text, ", b"MZ", b"7z\xbc\xaf\x27\x1c", b"\x7fELF"])
def test_what_is_no_document_is_not_searched(scene, data):
    """A program, an archive, and an unknown type."""
    assert parts_of(data + saved(scene(31), "JPEG")) == ([], "unsupported")


@pytest.mark.parametrize("begins", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_what_only_looks_like_pictures_is_read_a_few_times(monkeypatch, begins):
    """The time is bounded by the file's length, however many places look like pictures."""
    read = []
    one = pillow.open_image
    monkeypatch.setattr(pillow, "open_image", lambda data: read.append(len(data)) or one(data))
    data = b"%PDF-1.7\n" + (begins + bytes(100)) * 5000

    assert parts_of(data)[1] == "unsupported"
    assert len(data) < sum(read) < 20 * len(data)
