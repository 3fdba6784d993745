"""The frames of animated PNGs, against a compositor written from the specification (W3C, third
edition, fcTL); what is shown is composited on white.
"""

import struct
import zlib
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from png_chunks import chunk, png_of

from screener.errors import MediaError
from screener.media.image.open_image import open as open_picture

WIDTH, HEIGHT = 14, 11
PALETTE = np.random.default_rng(7).integers(0, 256, (8, 3), np.uint8)
ALPHAS = np.array([0, 40, 100, 160, 220, 255, 0, 255])
WHOLE = (0, 0, WIDTH, HEIGHT)


class Kind(NamedTuple):
    """A kind of PNG: bits a sample, the number of its colours, and the bodies of PLTE and tRNS."""

    bits: int
    colours: int
    palette: bytes = b""
    clear: bytes = b""


KINDS = {
    "1 bit": Kind(1, 0),
    "1 bit, one clear": Kind(1, 0, clear=b"\0\1"),
    "2 bits, one clear": Kind(2, 0, clear=b"\0\1"),
    "4 bits, one clear": Kind(4, 0, clear=b"\0\6"),
    "grey": Kind(8, 0),
    "grey, one clear": Kind(8, 0, clear=b"\0\x60"),
    "deep grey": Kind(16, 0),
    "deep grey, one clear": Kind(16, 0, clear=b"\xc1\x23"),
    "grey and alpha": Kind(8, 4),
    "deep grey and alpha": Kind(16, 4),
    "palette": Kind(8, 3, PALETTE.tobytes()),
    "palette, one clear": Kind(8, 3, PALETTE.tobytes(), b"\xff\xff\0"),
    "palette, alpha": Kind(8, 3, PALETTE.tobytes(), bytes(ALPHAS.tolist())),
    "colour": Kind(8, 2),
    "colour, one clear": Kind(8, 2, clear=b"\0\x40\0\x50\0\x60"),
    "deep colour": Kind(16, 2),
    "deep colour, one clear": Kind(16, 2, clear=b"\x40\1\x50\2\x60\3"),
    "colour and alpha": Kind(8, 6),
    "deep colour and alpha": Kind(16, 6),
}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


class Laid(NamedTuple):
    """One frame: its samples, (height, width, channels), its place, and how it is composed."""

    samples: np.ndarray
    left: int
    top: int
    dispose: int
    blend: int


def packed(kind, samples):
    """Return the data of a frame, its rows without a filter."""
    rows = samples.reshape(len(samples), -1)
    if kind.bits < 8:
        each = np.unpackbits(rows.astype(np.uint8)[..., None], axis=2)[..., -kind.bits :]
        rows = np.packbits(each.reshape(len(rows), -1), axis=1)
    else:
        rows = rows.astype(f">u{kind.bits // 8}")
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))


def animated(kind, frames, default=None):
    """Return a PNG of the frames, with a default image that is no frame if one is passed."""
    data = chunk(b"IHDR", struct.pack(">2I5B", WIDTH, HEIGHT, kind.bits, kind.colours, 0, 0, 0))
    data += chunk(b"acTL", struct.pack(">2I", len(frames), 0))
    data += chunk(b"PLTE", kind.palette) if kind.palette else b""
    data += chunk(b"tRNS", kind.clear) if kind.clear else b""
    data += b"" if default is None else chunk(b"IDAT", packed(kind, default))
    number = 0
    for part, one in enumerate(frames):
        height, width, _ = one.samples.shape
        place = (number, width, height, one.left, one.top, 1, 10, one.dispose, one.blend)
        data += chunk(b"fcTL", struct.pack(">5I2H2B", *place))
        body, number = packed(kind, one.samples), number + 1
        if part == 0 and default is None:
            data += chunk(b"IDAT", body)
            continue
        for half in (body[:9], body[9:]):
            data += chunk(b"fdAT", struct.pack(">I", number) + half)
            number += 1
    return png_of(data)


def drawn(kind, box, random):
    """Return samples of a rectangle, some of them clear if the kind has clear ones."""
    left, top, right, bottom = box
    shape, most = (bottom - top, right - left, CHANNELS[kind.colours]), 1 << kind.bits
    if kind.palette:
        return random.integers(0, len(PALETTE), shape)
    samples = random.integers(0, most, shape)
    if kind.colours in (4, 6):
        samples[..., -1] = random.choice([0, most // 5, most // 2, most - 9, most - 1], shape[:2])
    elif kind.clear:
        samples[random.random(shape[:2]) < 0.4] = struct.unpack(f">{shape[2]}H", kind.clear)
    return samples


def seen(kind, samples):
    """Return the samples as (height, width, 4): RGB and alpha, 0 to 255."""
    alpha = np.full(samples.shape[:2], 255.0)
    if kind.palette:
        alphas = np.full(len(PALETTE), 255.0)
        alphas[: len(kind.clear)] = list(kind.clear)
        return np.dstack([PALETTE[samples[..., 0]], alphas[samples[..., 0]]])
    if kind.clear:
        key = struct.unpack(f">{samples.shape[2]}H", kind.clear)
        alpha[(samples == key).all(axis=2)] = 0
    shown = samples * (255.0 / ((1 << kind.bits) - 1))
    if kind.colours in (4, 6):
        shown, alpha = shown[..., :-1], shown[..., -1]
    return np.dstack([np.broadcast_to(shown, (*alpha.shape, 3)), alpha])


def composed(kind, frames):
    """Return what each frame shows, (height, width, 3), by the specification.

    If all of it is clear, its colours are shown, as for any picture.
    """
    nothing = (255, 255, 255, 0)  # as black, but for that
    canvas = np.full((HEIGHT, WIDTH, 4), nothing, np.float64)
    for part, one in enumerate(frames):
        above = seen(kind, one.samples)
        place = (
            slice(one.top, one.top + len(above)),
            slice(one.left, one.left + above.shape[1]),
        )
        before = canvas.copy()
        if one.blend == 0:
            canvas[place] = above
        else:
            below, share = canvas[place], above[..., 3:] / 255
            behind = below[..., 3:] / 255 * (1 - share)
            alpha = share + behind
            colour = above[..., :3] * share + below[..., :3] * behind
            colour = np.divide(colour, alpha, out=below[..., :3].copy(), where=alpha > 0)
            canvas[place] = np.rint(np.dstack([colour, alpha * 255]))  # as 8 bits hold it
        alpha = canvas[..., 3:] if canvas[..., 3].any() else np.array(255.0)
        yield canvas[..., :3] * alpha / 255 + 255 - alpha
        if one.dispose == 1 or (one.dispose == 2 and part == 0):
            canvas[place] = nothing
        elif one.dispose == 2:
            canvas = before


def laid(kind, ways_laid, random):
    """Yield frames to be composed so, the first over all and the others on some rectangle."""
    for part, (dispose, blend) in enumerate(ways_laid):
        left, right = sorted(random.choice(WIDTH + 1, 2, replace=False))
        top, bottom = sorted(random.choice(HEIGHT + 1, 2, replace=False))
        box = (left, top, right, bottom) if part else WHOLE
        yield Laid(drawn(kind, box, random), *box[:2], dispose, blend)


def shown(data, count):
    """Return what each part shows, (height, width, 3)."""
    found, frames = {frame.part: frame.pixels for frame in open_picture(data).frames()}, []
    for part in range(count):
        frames.append(found.get(part, frames[-1] if frames else None))
    return [one if one.ndim == 3 else np.dstack([one] * 3) for one in frames]


def check(kind, frames, default=None):
    """Fail if a part of a file of the frames differs from what is to be shown."""
    found = shown(animated(kind, frames, default), len(frames) + (default is not None))
    wanted = list(composed(kind, frames))
    if default is not None:
        wanted.insert(0, next(composed(kind, [Laid(default, 0, 0, 0, 0)])))
    for part, (one, other) in enumerate(zip(found, wanted, strict=True)):
        away = np.abs(one - other).max()
        assert away < 2, (part, away, [(one.dispose, one.blend) for one in frames])


@pytest.mark.parametrize("default", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_frames_are_laid_as_the_specification_says(name, default):
    """For each kind, blending and disposal. A default image that is no frame is shown and leaves
    nothing.
    """
    kind, random = KINDS[name], np.random.default_rng(3)
    ways = list(product(range(3), range(2)))
    ways_laid = [way for pair in product(ways, ways) for way in pair]
    if default:
        ways_laid[0] = (2, 1)
    frames = list(laid(kind, ways_laid, random))
    check(kind, frames, drawn(kind, WHOLE, random) if default else None)


def test_half_clear_frames_are_laid_in_every_way():
    """Four frames: the first three stay, are cleared or restored; the others blend or replace."""
    kind, random = KINDS["colour and alpha"], np.random.default_rng(4)
    for disposals in product(range(3), repeat=3):
        for blends in product(range(2), repeat=3):
            ways_laid = zip((*disposals, 0), (0, *blends), strict=True)
            check(kind, list(laid(kind, ways_laid, random)))


@pytest.mark.parametrize("name", ["colour", "colour and alpha", "palette"])
@pytest.mark.parametrize("blend", [0, 1])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_of_a_frame_that_is_cut_the_rows_that_came_are_laid(name, blend, share):
    """They are composed once onto what was shown before; if none came, that is shown."""
    kind, random = KINDS[name], np.random.default_rng(5)
    frames = list(laid(kind, [(0, 0), (0, blend)], random))
    frames[1] = Laid(1 | drawn(kind, WHOLE, random), 0, 0, 0, blend)
    data, found = animated(kind, frames), []
    start = data.index(b"fdAT", data.index(b"fdAT") + 1)
    end = start + int.from_bytes(data[start - 4 : start], "big")
    walk = open_picture(data[: start + 10 + int(share * (end - start))]).frames()
    with pytest.raises(MediaError, match="truncated"):
        found.extend(frame.pixels for frame in walk)
    before, after = composed(kind, frames)
    away = np.abs(found[-1] - after).max(axis=(1, 2)) < 2
    rows = int(np.argmin(away))
    assert len(found) == 1 + (rows > 0)
    assert (rows > 0) == (share > 0)
    assert rows < HEIGHT
    assert np.abs(found[-1][rows + 1 :] - before[rows + 1 :]).max() < 2
