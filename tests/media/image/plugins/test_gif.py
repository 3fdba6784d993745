"""The frames of GIFs, against a compositor written from the specification (GIF89a), but for one
thing in which no viewer follows it: a cleared place shows nothing, and no background colour.
"""

import struct
from itertools import product

import numpy as np
import pytest

from screener.media.image.frame import decode_frame, seek_frame
from screener.media.image.open_image import open as open_picture
from screener.media.image.pillow import open_image

WIDTH, HEIGHT, COLOURS = 12, 10, 8
SCREEN = b"GIF89a" + struct.pack("<2H3B", WIDTH, HEIGHT, 0, 0, 0)


def packed(indices):
    """Return indices of 8 colours as LZW that starts anew before the codes would grow longer."""
    codes = [code for k in range(0, len(indices), 6) for code in (COLOURS, *indices[k : k + 6])]
    bits = sum(int(code) << 4 * place for place, code in enumerate([*codes, COLOURS + 1]))
    data = bits.to_bytes(len(codes) // 2 + 1, "little")
    blocks = (data[seek_frame : seek_frame + 255] for seek_frame in range(0, len(data), 255))
    return b"\3" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def coded(palette, indices, left, top, clear, disposal):
    """Return a frame: indices of its own palette, one of them perhaps clear, and its disposal."""
    height, width = indices.shape
    control = bytes([disposal << 2 | (clear is not None), 10, 0, clear or 0])
    place = struct.pack("<4HB", left, top, width, height, 0x82)
    return b"!\xf9\4" + control + b"\0," + place + palette.tobytes() + packed(indices.ravel())


def drawn(random, greys, first, far):
    """Return a palette of greys or colours, indices of a box, its place, and which pixels are
    clear.

    The box is the screen for the first frame, or lies up to `far` beyond it.
    """
    palette = random.integers(0, 256, (COLOURS, 3), np.uint8)
    if greys:
        palette[:] = np.arange(COLOURS)[:, None]
    left, top = (0, 0) if first else random.integers(0, far, 2).tolist()
    shape = (HEIGHT, WIDTH) if first else random.integers(1, 7, 2)
    return palette, random.integers(0, COLOURS, shape), left, top, random.choice([None, 3])


@pytest.mark.parametrize(
    ("greys", "far", "back"),
    [((), 5, 3), ((0,), 5, 4), ((1, 2), 5, 3), ((0, 1, 2, 3), 5, 3), ((), 12, 3), ((0, 2), 12, 4)],
)
def test_frames_are_laid_and_cleared_as_viewers_do_it(greys, far, back):
    """For every disposal, of the first frame too. A clear pixel shows what is below. Grey and
    coloured frames mix, and the screen grows for a frame beyond it.
    """
    random = np.random.default_rng(1)
    for disposals in product(range(4), repeat=3):
        data, canvas, wanted = SCREEN, np.zeros((HEIGHT, WIDTH, 4), np.uint8), []
        for number, disposal in enumerate((*disposals, 0)):
            frame = drawn(random, number in greys, not number, far)
            palette, indices, left, top, clear = frame
            data += coded(*frame, back if disposal == 3 else disposal)
            bottom, right = top + len(indices), left + indices.shape[1]
            more = [(0, max(0, bottom - len(canvas))), (0, max(0, right - canvas.shape[1])), (0, 0)]
            canvas = np.pad(canvas, more)
            before, seen = canvas.copy(), indices != clear
            place = canvas[top:bottom, left:right]
            place[seen] = np.dstack([palette[indices], np.full_like(seen, 255, np.uint8)])[seen]
            wanted.append(np.where(canvas[..., 3:], canvas[..., :3], 255))
            if disposal == 2:
                place[:] = 0
            elif disposal == 3:
                canvas = before

        found = {frame.part: frame.pixels for frame in open_picture(data + b";").frames()}

        for part, one in enumerate(wanted):
            found.setdefault(part, found.get(part - 1))  # which is left out if nothing is new
            shown = found[part] if found[part].ndim == 3 else np.dstack([found[part]] * 3)
            assert np.array_equal(shown, one), (disposals, part)

        last = decode_frame(seek_frame(open_image(data), data, 3), data, number=3)[
            0
        ].white  # the others not asked for
        assert np.array_equal(last if last.ndim == 3 else np.dstack([last] * 3), wanted[3])
