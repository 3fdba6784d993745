"""TIFFs whose samples are stored in planes, deep, signed, unsigned, or with white at 0."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from screener.errors import MediaError
from screener.media.image import pixels
from screener.media.image.open_image import open as open_picture

SIZE = (60, 44)
GREY, COLOUR, INKS, LUMA = 1, 2, 5, 6  # what samples mean
DEFLATE = 8


def stored(samples, means, *, order="<", planes=False, packed=False, extra=(), shared=None):
    """Return a TIFF of samples (height, width, channels), or of bytes as stored."""
    height, width, channels = samples.shape
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    wide = samples.dtype.newbyteorder(order)
    parts = np.moveaxis(samples, -1, 0) if planes else [samples]
    strips = [shared[1] if shared else np.ascontiguousarray(part, wide).tobytes() for part in parts]
    strips = [zlib.compress(strip) for strip in strips] if packed else strips
    tags = {256: width, 257: height, 258: [8 * wide.itemsize] * channels}
    tags |= {259: DEFLATE if packed else 1, 262: means}
    tags |= {273: [0] * len(strips), 277: channels, 278: height, 279: [len(one) for one in strips]}
    tags |= {284: 2 if planes else 1, 339: [kind] * channels}
    tags |= {338: list(extra)} if extra else {}
    tags |= {530: list(shared[0])} if shared else {}
    at = 8 + 2 + 12 * len(tags) + 4
    values = sum(4 * len(v) for v in tags.values() if isinstance(v, list) and len(v) > 1)
    tags[273] = [at + values + sum(map(len, strips[:number])) for number in range(len(strips))]
    made, far = struct.pack(order + "H", len(tags)), b""
    for tag, value in sorted(tags.items()):
        several = value if isinstance(value, list) else [value]
        short = tag not in (273, 279)
        body = struct.pack(order + ("H" if short else "I") * len(several), *several)
        made += struct.pack(order + "HHI", tag, 3 if short else 4, len(several))
        if len(body) <= 4:
            made += body.ljust(4, b"\0")
        else:
            made += struct.pack(order + "I", at + len(far))
            far += body
    far = far.ljust(values, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    return head + made + bytes(4) + far + b"".join(strips)


def shown(data):
    """Return the pixels of a file of one picture, which are those of a caller's own image too."""
    (frame,) = open_picture(data).frames()
    assert np.array_equal(pixels.to_upright(Image.open(io.BytesIO(data))).white, frame.pixels)
    return frame.pixels


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("deep", [np.uint8, np.uint16])
@pytest.mark.parametrize("mode", ["RGB", "CMYK", "RGBA"])
def test_planes_hold_the_picture_that_pixels_hold(scene, order, packed, deep, mode):
    """Samples of 8 and 16 bits in a plane for each channel, compressed or not."""
    picture = scene(3, SIZE).convert(mode)
    samples = np.asarray(picture).astype(deep)
    if deep == np.uint16:
        samples *= 257
    means = INKS if mode == "CMYK" else COLOUR
    extra = (2,) if mode == "RGBA" else ()
    data = stored(samples, means, order=order, planes=True, packed=packed, extra=extra)

    assert np.array_equal(shown(data), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("deep", [np.uint8, np.uint16])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_selections_in_planes_of_their_own_hide_nothing(scene, packed, deep, mode):
    """Photoshop saves them beside the picture, one channel after the other."""
    picture = np.asarray(scene(3, SIZE).convert(mode))
    rest = np.asarray(scene(4, SIZE))
    samples = (np.dstack([picture, rest]) * (deep(257) if deep == np.uint16 else 1)).astype(deep)
    means = COLOUR if mode == "RGB" else GREY
    data = stored(samples, means, planes=True, packed=packed, extra=(0, 0, 0))

    (frame,) = open_picture(data).frames()
    assert np.array_equal(frame.pixels, picture)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("mode", "extra"), [("LA", (2,)), ("RGBA", (2, 0))])
def test_planes_of_alpha_that_pillow_cannot_read_are_reported(scene, mode, extra, packed):
    """Pillow takes all for clear, or finds no alpha: the picture is unscreened."""
    samples = np.asarray(scene(3, SIZE).convert(mode))
    samples = np.dstack([samples, *[samples[..., 0]] * (len(extra) - 1)])
    means = GREY if mode == "LA" else COLOUR
    with pytest.raises(MediaError) as raised:
        list(open_picture(stored(samples, means, planes=True, packed=packed, extra=extra)).frames())
    assert raised.value.reason == "unsupported"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("order", "kind"), [("<", np.uint16), ("<", np.float32), (">", np.float32)]
)
def test_white_may_be_the_least_value(scene, order, kind, packed):
    """The picture is not shown as its negative, as scans of paper and film are stored."""
    grey = np.asarray(scene(3, SIZE).convert("L")).astype(int)
    factor = 257 if kind is np.uint16 else 1 / 255
    values = (grey[..., None] * factor).astype(kind)
    negative = ((255 - grey[..., None]) * factor).astype(kind)

    plain = shown(stored(values, GREY, order=order, packed=packed))
    turned = shown(stored(negative, 0, order=order, packed=packed))

    assert np.array_equal(plain, grey)
    assert np.array_equal(turned, grey)


def test_numbers_of_32_bits_without_a_sign(scene):
    """Their upper half is bright."""
    grey = np.asarray(scene(3, SIZE).convert("L"))
    whole = grey[..., None].astype(np.uint32) * 0x01010101
    whole[0, 0], whole[0, 1] = 0, 0xFFFFFFFF  # the least is black, and the greatest white

    for packed in (False, True):
        assert np.abs(shown(stored(whole, GREY, packed=packed)).astype(int) - grey)[1:].max() <= 1


@pytest.mark.parametrize("kind", [np.int16, np.int32])
def test_numbers_with_a_sign_in_either_order(scene, kind):
    """They are stretched from least to greatest, in either byte order, compressed or not."""
    grey = np.asarray(scene(3, SIZE).convert("L")).astype(int)
    values = grey.astype(kind)[..., None] - 100
    first, *others = (
        shown(stored(values, GREY, order=order, packed=packed))
        for order in "<>"
        for packed in (False, True)
    )
    stretched = (grey - grey.min()) * 255 / (grey.max() - grey.min())
    assert np.abs(first - stretched).max() < 1
    assert all(np.array_equal(first, other) for other in others)


@pytest.mark.parametrize("shared", [(2, 2), (2, 1), (4, 2)])
def test_colours_that_pixels_share(scene, shared):
    """A luma for each pixel and colours for several, not compressed."""
    across, down = shared
    picture = scene(3, SIZE).convert("YCbCr")
    samples = np.asarray(picture)
    height, width = SIZE[1] // down, SIZE[0] // across
    blocks = samples.reshape(height, down, width, across, 3)
    luma = blocks[..., 0].transpose(0, 2, 1, 3).reshape(height, width, down * across)
    units = np.concatenate([luma, blocks[:, 0, :, 0, 1:]], axis=2).tobytes()

    found = shown(stored(samples, LUMA, shared=(shared, units)))

    grey = np.asarray(Image.fromarray(found).convert("L")).astype(int)
    assert np.abs(grey - samples[..., 0]).mean() < 4
