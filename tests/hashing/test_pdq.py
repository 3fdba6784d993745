"""PDQ is bit for bit what the reference computes from the same pixels, quality included."""

from __future__ import annotations

import contextlib
import csv
import ctypes
import math
import mmap
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pdqhash
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from thorough import besides

import screener._core as _core
from screener.errors import HashError
from screener.hashing import pdq

Pixels = NDArray[np.uint8]

PICTURES = int(os.environ.get("SCREENER_PICTURES", "2000"))  # fewer under the sanitizers
LARGE, LARGEST = 2_000_000, 20_000_000
"""Pixels of the largest pictures of the reference material that are compared, on every kernel and
on the best: the reference takes as long for a dozen and a half as for all others.
"""

TURNED = 400_000
"""Values of the largest whose orientations are compared: the reference takes eight passes."""

GOLDEN = {
    "rings": ("987f18c79c7e48cfcffe48c3ef8848c368c36c63646326739928b3384ca1cda9", 100),
    "steps": ("9da3325972d858f2cb16e8f49ec3964bb469e52c0da7325972581ad34b966874", 100),
    "noise": ("04d7dcb6c11f3ea67bd7434b1f2209994cc97eac8129942871e1fcd153939537", 100),
    "half": ("0000664400006644193b0000193b664400000000193b193b0000193bb113466c", 71),
    "flat": ("ffff0000ffff0000ffff0000ffff000000000000ffffffff0000ffff0000ffff", 0),
    "tiny": ("0" * 64, 0),
}


def golden_picture(name: str) -> Pixels:
    """A picture drawn in whole numbers, the same on every machine and for ever."""
    y, x = np.mgrid[:240, :320].astype(np.int64)
    if name == "rings":
        red = ((x - 90) ** 2 + (y - 140) ** 2) // 150
        return np.stack([red, red * 3 + x, y * 2 - x // 3], axis=2).astype(np.uint8)
    if name == "steps":
        return ((x // 40 * 37 + y // 48 * 53) % 256).astype(np.uint8)
    if name == "noise":
        return ((x * 7919 + y * 104729 + x * y * 31) % 251).astype(np.uint8)
    if name == "half":
        return np.where(x < 160, 0, 255).astype(np.uint8)
    if name == "flat":
        return np.full((240, 320, 3), (200, 30, 90), np.uint8)
    return np.full((4, 320), 9, np.uint8)


def as_rgb(pixels: Pixels) -> Pixels:
    """The picture as the reference takes it: three channels without gaps."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    return np.ascontiguousarray(pixels)


def reference(pixels: Pixels) -> tuple[str, int]:
    """Text and quality from the published C++."""
    vector, quality = pdqhash.compute(as_rgb(pixels))
    return np.packbits(vector).tobytes().hex(), quality


def turned(pixels: Pixels) -> dict[str, Pixels]:
    """The picture turned in each of the eight ways, by name."""
    return {
        "upright": pixels,
        "rotate90": np.rot90(pixels),
        "rotate180": np.rot90(pixels, 2),
        "rotate270": np.rot90(pixels, 3),
        "flip_vertical": pixels[::-1],
        "flip_horizontal": pixels[:, ::-1],
        "transpose": pixels.swapaxes(0, 1),
        "anti_transpose": np.rot90(pixels, 2).swapaxes(0, 1),
    }


def reference_orientations(pixels: Pixels) -> list[tuple[str, int]]:
    """Texts and qualities of the picture turned in eight ways from the published C++."""
    return [reference(view) for view in turned(pixels).values()]


def ours(pixels: Pixels) -> tuple[str, int | None]:
    """Text and quality from this library."""
    found = pdq.compute(pixels)
    return found.text, found.quality


def our_orientations(pixels: Pixels) -> list[tuple[str, int | None]]:
    """Texts and qualities of the eight orientations from this library."""
    return [(found.text, found.quality) for found in pdq.compute_orientations(pixels)]


def draw_size(rng: np.random.Generator) -> tuple[int, int]:
    """A height and a width: mostly up to 300, at times tiny, long, thin, large or 64×64."""
    kind = rng.integers(20)
    if kind == 0:
        return 64, 64
    if kind == 1:
        return tuple(rng.integers(1, 9, 2))
    if kind == 2:
        return tuple(rng.permutation([rng.integers(1, 20), rng.integers(1, 3000)]))
    if kind == 3:
        return tuple(rng.choice([63, 64, 65, 127, 128, 129, 255, 256, 257, 512], 2))
    if kind == 4 and rng.integers(5) == 0:
        return tuple(rng.integers(500, 1400, 2))
    return tuple(rng.integers(1, 301, 2))


def draw(rng: np.random.Generator) -> Pixels:
    """Noise, smooth shades, graphics, flat, or black beside white, in grey or in colour."""
    height, width = draw_size(rng)
    shape = (height, width, 3) if rng.integers(2) else (height, width)
    y, x = np.mgrid[:height, :width]
    kind = rng.integers(5)
    if kind == 0:
        return rng.integers(0, 256, shape, np.uint8)
    if kind == 1:
        a, b, c = rng.uniform(5, 90, 3)
        shades = 128 + 60 * np.sin(x / a + c) + 60 * np.cos(y / b - x / c)
        return (
            shades.astype(np.uint8) if len(shape) == 2 else np.dstack([shades, y, x]).astype("u1")
        )
    pixels = np.full(shape, rng.integers(0, 256, shape[2:], np.uint8), np.uint8)
    if kind == 2:
        for _ in range(rng.integers(1, 8)):
            top, left = rng.integers(0, height), rng.integers(0, width)
            bottom, right = rng.integers(top, height) + 1, rng.integers(left, width) + 1
            pixels[top:bottom, left:right] = rng.integers(0, 256, shape[2:], np.uint8)
    elif kind == 3:
        pixels[:] = 0
        pixels[(x < width // 2) if rng.integers(2) else (y < height // 2)] = 255
    return pixels


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_hashes(name: str) -> None:
    """The hashes of these pictures never change: lists are full of such hashes."""
    assert ours(golden_picture(name)) == GOLDEN[name]


@pytest.mark.parametrize("seed", besides(0, range(10)))
def test_equals_the_reference_on_drawn_pictures(seed: int) -> None:
    """Bits, quality and orientations are the reference's for 2,000 pictures of random sizes."""
    rng = np.random.default_rng(seed)
    for _ in range(PICTURES // 10):
        pixels = draw(rng)
        assert ours(pixels) == reference(pixels), pixels.shape
        assert our_orientations(pixels) == reference_orientations(pixels), pixels.shape


@pytest.mark.parametrize("colour", [(0,), (1,), (130,), (255,), (1, 2, 3), (200, 90, 17)])
@pytest.mark.parametrize("shape", [(97, 97), (64, 64), (150, 211), (700, 33)])
def test_turns_of_blank_pictures_equal_the_reference(
    colour: tuple[int, ...], shape: tuple[int, int]
) -> None:
    """Also of turned views of them, and with one other pixel."""
    pixels = np.broadcast_to(np.uint8(colour), (*shape, len(colour))).copy().squeeze()
    for _ in range(2):
        assert our_orientations(pixels) == reference_orientations(pixels)
        assert our_orientations(pixels.swapaxes(0, 1)) == reference_orientations(
            np.ascontiguousarray(pixels.swapaxes(0, 1))
        )
        pixels[-1, -1] ^= 128


def pictures(material: Path, pixels: range) -> Iterator[tuple[Path, Pixels]]:
    """Every grey and RGB picture of the reference material that has so many pixels and loads whole,
    bombs left alone.
    """
    with (material / "robustness.csv").open(newline="", encoding="utf-8") as file:
        safe = [
            material / row["file"]
            for row in csv.DictReader(file)
            if row["pillow13_outcome"] == "ok" and row["mode"] in ("L", "RGB")
        ]
    for folder in ("pdq-reference", "otherhash-reference", "photos-free", "photos-fp-mini"):
        safe += sorted(p for p in (material / folder).rglob("*.*") if p.suffix != ".csv")
    for path in safe:
        with warnings.catch_warnings(), contextlib.suppress(OSError, SyntaxError):
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                if image.mode in ("L", "RGB") and image.width * image.height in pixels:
                    image.load()
                    yield path, np.asarray(image)


@pytest.mark.parametrize("least", besides(0, (0, LARGE)))
def test_equals_the_reference_on_the_material(material: Path, least: int) -> None:
    """Bits and quality are the reference's for every grey and RGB picture there."""
    seen = 0
    for path, pixels in pictures(material, range(least, LARGEST if least else LARGE)):
        assert ours(pixels) == reference(pixels), path
        seen += 1
    assert seen > (15 if least else 700)


@pytest.mark.parametrize("part", besides(0, range(4)))
def test_orientations_equal_the_reference_on_the_material(material: Path, part: int) -> None:
    """Those of every picture that is not too large; on other kernels of every fourth."""
    small = [one for one in pictures(material, range(TURNED)) if one[1].size <= TURNED]
    for path, pixels in small[part::4]:
        assert our_orientations(pixels) == reference_orientations(pixels), path
    assert len(small) > 600


def test_grey_is_its_own_luma() -> None:
    """A grey picture and the same in three equal channels have the same hash."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        pixels = draw(rng)
        if pixels.ndim == 2:
            assert ours(pixels) == ours(as_rgb(pixels))


def views(pixels: Pixels) -> list[Pixels]:
    """Views of a picture with every sort of stride."""
    found = [
        pixels[::-1],
        pixels[:, ::-1],
        pixels[::-2, ::3],
        pixels.swapaxes(0, 1),
        np.asfortranarray(pixels),
        pixels[3:-2, 1:-4],
        np.broadcast_to(pixels[:1], pixels.shape),
        np.broadcast_to(pixels[:, :1], pixels.shape),
    ]
    found += [np.rot90(pixels, turns)[::step] for turns in (1, 2, 3) for step in (1, -1)]
    if pixels.ndim == 3:
        found += [
            pixels[..., ::-1],
            np.rot90(pixels[..., ::-1]),
            pixels[..., 1],
            np.broadcast_to(pixels[..., :1], pixels.shape),
        ]
    return found


@pytest.mark.parametrize("shape", [(230, 170, 3), (90, 411), (700, 555, 3), (20, 20), (12, 300, 3)])
def test_views_equal_copies(shape: tuple[int, ...]) -> None:
    """A view with any strides, negative and zero ones too, is hashed as its copy is."""
    pixels = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    pixels[: shape[0] // 2] //= 3
    for view in views(pixels):
        assert ours(view) == ours(view.copy()) == reference(view)
        assert our_orientations(view) == our_orientations(view.copy())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_of_64_by_64_is_taken_as_it_is(channels: int) -> None:
    """The reference skips its filter at exactly 64×64, and so do all eight orientations."""
    rng = np.random.default_rng(8)
    stripes = np.array([[44, 208, 166], [233, 128, 155]], np.uint8)[np.arange(64) % 2]
    for row in (stripes, rng.integers(0, 256, (64, 3), np.uint8)):
        pixels = np.repeat(row[None], 64, axis=0)[..., :channels].squeeze()
        assert ours(pixels) == ours(np.asfortranarray(pixels)) == reference(pixels)
        assert our_orientations(pixels) == reference_orientations(pixels)


@pytest.mark.parametrize("shape", [(0, 0), (0, 9), (9, 0, 3), (1, 1), (4, 900), (900, 4, 3)])
def test_too_small_has_the_zero_hash(shape: tuple[int, ...]) -> None:
    """A side under five pixels gives the zero hash and quality 0, an empty picture too."""
    pixels = np.full(shape, 77, np.uint8)
    assert ours(pixels) == ("0" * 64, 0)
    assert our_orientations(pixels) == [("0" * 64, 0)] * 8


def test_orientations_are_named_in_their_order() -> None:
    """The names are in the order of the eight hashes, which differ if the picture does."""
    pixels = golden_picture("rings")
    expected = {name: reference(view) for name, view in turned(pixels).items()}
    found = dict(zip(pdq.ORIENTATIONS, our_orientations(pixels), strict=True))
    assert found == expected
    assert len(set(found.values())) == 8


@given(
    st.sampled_from(["float32", "int16", "bool", "uint16", "int8"]),
    st.sampled_from([(8,), (8, 8, 1), (8, 8, 4), (8, 8, 3, 1), (3, 8, 8), ()]),
)
def test_refuses_other_arrays(dtype: str, shape: tuple[int, ...]) -> None:
    """Any other type of element or shape raises HashError, which names it."""
    for function in (pdq.compute, pdq.compute_orientations):
        with pytest.raises(HashError, match="uint8"):
            function(np.zeros((8, 8), dtype))
        with pytest.raises(HashError, match="shape"):
            function(np.zeros(shape, np.uint8))
        with pytest.raises(HashError, match="list"):
            function([[1, 2], [3, 4]])  # type: ignore[arg-type]
        with pytest.raises(HashError, match="masked"):
            function(np.ma.zeros((8, 8), np.uint8))


@pytest.mark.parametrize("shape", [(7, 90, 120), (5, 140, 130, 3), (3, 64, 64, 3), (0, 50, 50)])
def test_a_batch_is_its_frames(shape: tuple[int, ...]) -> None:
    """Frames are hashed in place, from views of any strides, each as `compute` does."""
    rng = np.random.default_rng(6)
    frames = rng.integers(0, 256, shape, np.uint8)
    frames[: len(frames) // 2] //= 200
    for view in (frames, frames[::-1], frames[::2, ::-1, 5:], frames.swapaxes(1, 2)):
        assert pdq.compute_batch(view) == tuple(pdq.compute(frame) for frame in view)
    assert len(pdq.compute_batch(frames)) == len(frames)


@pytest.mark.parametrize("threads", [1, 2, 3, 64])
def test_a_batch_is_its_pictures(threads: int) -> None:
    """Pictures of many shapes, strides and colours, whoever hashes them, and in what order."""
    rng = np.random.default_rng(7)
    soft = [rng.integers(0, 256, (9, 12, 3), np.uint8) for _ in range(6)]
    shapes = [(300, 200), (200, 300), (300, 200), (64, 64), (4, 90), (5, 90), (513, 260)]
    pictures: list[np.ndarray] = []
    for number, (height, width) in enumerate(shapes * 5):
        size = (3 * width, 3 * height) if number % 7 == 0 else (width, height)
        scene = Image.fromarray(soft[number % 6]).resize(size, Image.Resampling.BICUBIC)
        pixels = np.asarray(scene)
        if number % 2:
            pixels = pixels[:, :, number % 3]
        if number % 3 == 0:
            pixels = np.asfortranarray(pixels)[::-1]
        pictures.append(pixels)
    expected = tuple(pdq.compute(one) for one in pictures)
    assert len(set(expected)) > 20
    assert pdq.compute_batch(tuple(pictures), threads=threads) == expected
    assert pdq.compute_batch(pictures[::-1], threads=threads) == expected[::-1]
    assert pdq.compute_batch([], threads=threads) == ()


@pytest.mark.parametrize("shape", [(8, 8), (2, 8, 8, 4), (2, 8, 8, 3, 1)])
def test_a_batch_refuses_other_arrays(shape: tuple[int, ...]) -> None:
    """The core checks shapes too, and the message names the ones that are taken."""
    with pytest.raises(HashError, match=r"frames must have the shape \(n, height, width\)"):
        pdq.compute_batch(np.zeros(shape, np.uint8))
    good = np.zeros((8, 8), np.uint8)
    for bad in (np.zeros((8, 8, 4), np.uint8), np.zeros(8, np.uint8)):
        with pytest.raises(HashError, match=r"picture 1 must have the shape \(height, width\)"):
            pdq.compute_batch([good, bad])
        with pytest.raises(ValueError, match="pixels must be uint8"):
            _core.pdq_batch([good, bad], 1)
    with pytest.raises(HashError, match="picture 0 must be a NumPy array of uint8, not float64"):
        pdq.compute_batch([np.zeros((8, 8)), good])
    for none in (iter([good]), None, 5):
        with pytest.raises(HashError, match="pictures must be a list of arrays"):
            pdq.compute_batch(none)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        _core.pdq_batch([np.zeros((8, 8)), good], 1)  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("threads", "message"),
    [(0, "1 to 1024"), (1025, "1 to 1024"), (1.0, "integer"), (True, "not True")],
)
def test_a_batch_refuses_other_numbers_of_threads(threads: int, message: str) -> None:
    """As a search of an index does."""
    with pytest.raises(HashError, match=message):
        pdq.compute_batch([np.zeros((8, 8), np.uint8)], threads=threads)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="memory is guarded by POSIX's mprotect")
@pytest.mark.parametrize("shape", [(40, 77, 3), (33, 16), (96, 130, 3), (96, 130), (17, 300, 3)])
def test_nothing_beside_a_picture_is_read(shape: tuple[int, ...]) -> None:
    """Pictures at the edge of mapped memory are hashed in all orientations. The sanitizers do not
    watch masked loads.
    """
    size, page = math.prod(shape), mmap.PAGESIZE
    room = mmap.mmap(-1, (size // page + 3) * page)
    memory = np.frombuffer(room, np.uint8)
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    for edge in (0, len(memory) - page):
        address = ctypes.c_void_p(memory.ctypes.data + edge)
        assert protect(address, ctypes.c_size_t(page), 0) == 0  # PROT_NONE
    inside = memory[page:-page]
    for part in (inside[:size], inside[-size:]):
        part[:] = np.random.default_rng(1).integers(0, 256, size, np.uint8)
        picture = part.reshape(shape)
        for turns in range(4):
            for view in (np.rot90(picture, turns), np.rot90(picture, turns)[::-1]):
                assert _core.pdq_exact(view) == _core.pdq_exact(view.copy())
                assert _core.pdq(view) == _core.pdq(view.copy())


def test_a_large_picture_is_filtered_alike_from_all_sides() -> None:
    """Of windows of more than a band of rows, and columns beyond what is copied at once."""
    picture = np.random.default_rng(2).integers(0, 256, (2100, 400, 3), np.uint8)
    for turns in range(4):
        view = np.rot90(picture, turns)
        value, quality = _core.pdq_exact(view)
        assert (value.hex(), quality) == reference(view)


def test_the_core_refuses_other_arrays() -> None:
    """The core checks type and shape itself, so that no caller can make it read out of bounds."""
    for function in (_core.pdq, _core.pdq_orientations):
        with pytest.raises(ValueError, match="shape"):
            function(np.zeros((8, 8, 4), np.uint8))
        with pytest.raises(TypeError):
            function(np.zeros((8, 8), np.float32))


def test_read_only_pixels() -> None:
    """An array that may not be written, as Pillow's are, is hashed in place."""
    pixels = np.random.default_rng(1).integers(0, 256, (99, 77, 3), np.uint8)
    expected = ours(pixels)
    pixels.flags.writeable = False
    assert ours(pixels) == expected


def test_many_threads() -> None:
    """Threads hash different pictures at once, and each gets its own."""
    rng = np.random.default_rng(4)
    many = [draw(rng) for _ in range(60)]
    expected = [ours(pixels) for pixels in many]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(ours, many)) == expected


def test_a_small_stack_suffices() -> None:
    """Of a thread that has 128 KiB, which is what musl gives and what a service of many threads
    sets. Beside the hash Python needs some of it.
    """
    code = """
import threading
import numpy as np
from screener.hashing import pdq
def hash_all():
    grey = np.random.default_rng(3).integers(0, 256, (90, 130), np.uint8)
    for pixels in (grey, grey[:64, :64], np.dstack([grey] * 3)):
        print(pdq.compute(pixels) == pdq.compute_orientations(pixels)[0])
threading.stack_size(128 << 10)
thread = threading.Thread(target=hash_all)
thread.start()
thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["True"] * 3), done.stderr
