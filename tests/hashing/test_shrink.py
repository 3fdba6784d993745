"""The core makes pictures grey and shrinks them byte for byte as Pillow does."""

import numpy as np
import pytest
from PIL import Image
from thorough import besides

import screener._core as _core
from screener.hashing import classic, shrink

SIDES = (8, 9, 16, 17, 32, 64)


def by_pillow(pixels, size):
    """What Pillow makes of the pixels."""
    picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("L")
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS))


def transpose(pixels):
    """Rows become columns."""
    return pixels.swapaxes(0, 1)


@pytest.mark.parametrize("first", besides(0, range(4)))
def test_lines_of_every_length_are_shrunk_as_pillow_does_it(first):
    """Along rows and along columns, from lengths of one pixel to a hundred thousand, shrunk and
    enlarged to the sizes of every kind: noise, and black and white, which reaches the ends.
    """
    random = np.random.default_rng(3)
    lengths = [100003, 16384, 40000, *range(1, 700), *range(700, 9000, 97)]
    for length in lengths[first::4]:
        line = random.integers(0, 256, (2, length), np.uint8)
        if length % 3 == 0:
            line = (line > 127).astype(np.uint8) * 255
        sides = {*SIDES, min(1 << (length.bit_length() - 1), 1024)}
        flat, tall = [(side, 2) for side in sides], [(2, side) for side in sides]
        rows, columns = _core.shrink(line, flat, False), _core.shrink(line, tall, True)
        for number, size in enumerate(flat):
            assert np.array_equal(rows[number], by_pillow(line, size)), (length, size)
        for number, size in enumerate(tall):
            found = by_pillow(transpose(line), size)
            assert np.array_equal(columns[number], found), (length, size)


@pytest.mark.parametrize("seed", range(4))
def test_pictures_of_any_shape_are_shrunk_as_pillow_does_it(seed):
    """Grey and colour, lying and standing, wide and tall, views of any strides too."""
    random = np.random.default_rng([7, seed])
    for number in range(60):
        height, width = random.integers(1, 400, 2)
        channels = ((), (3,))[number % 2]
        pixels = random.integers(0, 256, (height, width, *channels), np.uint8)
        if number % 5 == 0:
            pixels = (pixels > 127).astype(np.uint8) * 255
        size = tuple(int(side) for side in random.integers(1, 200, 2))
        for view in (pixels, pixels[::-1, ::2], pixels[:, ::-1], transpose(pixels)):
            lying = shrink.shrunk(view, [size], transposed=False)[size]
            standing = shrink.shrunk(view, [size], transposed=True)[size]
            assert np.array_equal(lying, by_pillow(view, size)), (view.shape, size)
            assert np.array_equal(standing, by_pillow(transpose(view), size)), (view.shape, size)


@pytest.mark.parametrize("height", [164, 167, 168, 169, 170, 200])
def test_pictures_about_twice_as_tall_as_wide(height):
    """Around the size at which Pillow's order of passes may change, results equal Pillow's."""
    pixels = np.random.default_rng(11).integers(0, 256, (height, 100), np.uint8)
    for size in ((32, 32), (8, 8), (9, 8), (64, 64), (100, 90), (120, 90)):
        found = shrink.shrunk(pixels, [size], transposed=False)[size]
        assert np.array_equal(found, by_pillow(pixels, size)), size


def test_all_colours_become_pillows_grey():
    """Each of 256 x 256 x 256 colours, in squares as large as one band of them."""
    greens, blues = (plane.astype(np.uint8) for plane in np.mgrid[0:256, 0:256])
    for red in range(256):
        pixels = np.dstack((np.full_like(greens, red), greens, blues))
        (found,) = _core.shrink(pixels, [(256, 256)], False)
        assert np.array_equal(found, np.asarray(Image.fromarray(pixels).convert("L"))), red


def test_several_sizes_come_of_one_pass(scene):
    """Each as if it alone were asked for."""
    pixels = np.asarray(scene(1))
    sizes = [(side, side) for side in SIDES]
    together = _core.shrink(pixels, sizes, False)
    alone = [_core.shrink(pixels, [size], False)[0] for size in sizes]
    assert all(map(np.array_equal, together, alone))


def test_the_installed_pillow_is_followed_in_its_order():
    """It is known which of the two orders it takes: else the slow way would be taken silently."""
    assert shrink._order() is not None


@pytest.mark.parametrize("otherwise", [("wide",), ("tall",), ("wide", "tall")])
def test_a_pillow_that_shrinks_some_pictures_otherwise_is_told(monkeypatch, otherwise):
    """By a byte in what it makes of a wide picture, or of a tall one."""
    as_it_is = shrink._by_pillow

    def changed(picture, size):
        made = as_it_is(picture, size)
        shape = "wide" if picture.width > picture.height else "tall"
        return made ^ np.uint8(shape in otherwise)

    monkeypatch.setattr(shrink, "_by_pillow", changed)
    assert shrink._order.__wrapped__() is None


@pytest.mark.parametrize("shape", [(3, 400_000, 3), (400_000, 3, 3), (3, 400_000), (200, 300, 3)])
def test_pictures_are_made_grey_in_bands_of_any_width(shape):
    """A single line of pixels may be longer than a band."""
    pixels = np.random.default_rng(4).integers(0, 256, shape, np.uint8)
    found = np.asarray(shrink.grey(pixels))
    assert np.array_equal(found, np.asarray(Image.fromarray(pixels).convert("L")))


def test_a_pillow_that_shrinks_otherwise_is_asked_itself(monkeypatch, scene):
    """The hashes are then made of what it gives, all eight ways round, and are the same here."""
    pixels = np.asarray(scene(2, (200, 460)))
    expected = classic.compute_orientations(pixels, classic.CLASSIC)
    monkeypatch.setattr(shrink, "_order", lambda: None)
    calls = []
    monkeypatch.setattr(shrink._core, "shrink", lambda *_: calls.append(1), raising=False)
    assert classic.compute_orientations(pixels, classic.CLASSIC) == expected
    assert calls == []


@pytest.mark.parametrize("size", [(0, 8), (8, -1), (1 << 25, 8)])
def test_a_size_that_no_picture_has_is_refused(size):
    """Instead of taking memory without end."""
    with pytest.raises(ValueError, match="sides must be 1 to"):
        _core.shrink(np.zeros((4, 4), np.uint8), [size], False)
