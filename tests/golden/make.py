"""Makes the golden index files: `python tests/golden/make.py FOLDER`.

Those in this folder were made once, by the first version that wrote their form, and are kept as
they are: a later version must read them. A file is added here when a form is added; a name that
is there already is left alone. The codes come from SHAKE-256, so that no library's random
numbers can change them.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from screener.index import tables
from screener.index.digests import DigestIndex
from screener.index.hamming import HammingIndex
from screener.index.layout import write_sections
from screener.index.parts import save_removed

Codes = npt.NDArray[np.uint8]

# Sorted numbers of four bytes make up most of a file with tables.
FILTERS = [{"id": lzma.FILTER_DELTA, "dist": 4}, {"id": lzma.FILTER_LZMA2, "preset": 9}]


def drawn(seed: str, count: int, width: int) -> Codes:
    """That many codes of `width` bytes, always the same for a seed."""
    stream = hashlib.shake_256(seed.encode()).digest(count * width)
    return np.frombuffer(stream, np.uint8).reshape(count, width).copy()


def few(width: int) -> Codes:
    """Two hundred codes, some near to others, some that occur two or three times."""
    codes = drawn(f"few {width}", 200, width)
    codes[100:140] = codes[:40]
    codes[np.arange(100, 140), np.arange(40) % width] ^= np.uint8(7)
    codes[150:160] = codes[10:20]
    codes[160:165] = codes[10:15]
    return codes


def families(seed: str, count: int, width: int, centres: int) -> Codes:
    """Codes in families, a few bits beside their centre, every twentieth one repeated later."""
    codes = drawn(seed, centres, width)[np.arange(count) * 7 % centres]
    places = drawn(f"{seed}, places", count, 6)
    for k in range(0, 6, 2):
        which = places[:, k] % width
        codes[np.arange(count), which] ^= np.uint8(1) << places[:, k + 1] % 8
    codes[-count // 20 :] = codes[: count // 20]
    return codes


def balanced(seed: str, count: int, others: int) -> Codes:
    """64-bit codes with half of their bits set, `others` between them without, some repeated."""
    codes = families(seed, count + others, 8, 500)
    codes[:, 4:] = ~codes[:, :4]
    between = np.arange(others) * ((count + others) // max(1, others))
    codes[between, 7] ^= np.uint8(1) << (np.arange(others) % 8).astype(np.uint8)
    codes[between, 6] ^= drawn(f"{seed}, others", others, 1)[:, 0] & np.uint8(0x77)
    codes[-100:] = codes[:100]
    return codes


def counted(count: int) -> Codes:
    """64-bit codes with one chunk in common, so that one bucket holds them all."""
    codes = np.zeros((count, 8), np.uint8)
    numbers = np.arange(count, dtype=np.uint64) * np.uint64(40503) & np.uint64((1 << 18) - 1)
    # Chunk c of a 64-bit code is its bits c, c + 4, c + 8, …: leave chunk 0 as it is.
    for place, bit in enumerate(bit for bit in range(64) if bit % 4):
        if place < 18:
            one = (numbers >> np.uint64(place) & np.uint64(1)).astype(np.uint8)
            codes[:, bit // 8] |= one << np.uint8(bit % 8)
    return codes


def hamming(codes: Codes, *, large: bool = False) -> Callable[[Path], None]:
    """Writes an index of these codes, with tables in the form of large ones if asked."""

    def write(path: Path) -> None:
        with patch.object(tables, "LARGE_CODES", 1 if large else tables.LARGE_CODES):
            HammingIndex.build(codes).save(path)

    return write


def digests(values: Codes) -> Callable[[Path], None]:
    """Writes an index of these digests."""
    return lambda path: DigestIndex.build(values).save(path)


def manifest(path: Path) -> None:
    """Writes a manifest such as `docs/internals/segments.md` shows."""
    said = {"generation": 12, "bits": 256, "parts": [["00000003-5f.idx", 9]], "removed": None}
    text = np.frombuffer(json.dumps(said).encode(), np.uint8)
    write_sections(path, "manifest", {"json": text})


def same_beginnings() -> Codes:
    """Values of which many share their first eight bytes, or all of them."""
    values = drawn("beginnings", 60, 20)
    values[20:40, :8] = values[0, :8]
    values[50:] = values[20:30]
    return values


GOLDEN: dict[str, Callable[[Path], None]] = {
    **{f"hamming-{8 * width}": hamming(few(width)) for width in (8, 16, 32, 64)},
    "hamming-256-empty": hamming(np.empty((0, 32), np.uint8)),
    "digests-32": digests(drawn("short", 40, 4)),
    "digests-128": digests(drawn("md5", 100, 16)),
    "digests-160": digests(same_beginnings()),
    "digests-256-empty": digests(np.empty((0, 32), np.uint8)),
    "removed": lambda path: save_removed(path, np.array([0, 5, 6, 2**40])),
    "removed-empty": lambda path: save_removed(path, np.empty(0, np.int64)),
    "manifest": manifest,
    "tables-64": hamming(drawn("uniform", 20_000, 8)),
    "tables-64-families": hamming(families("families", 24_000, 8, 40)),
    "tables-64-one-bucket": hamming(counted(70_000)),
    "tables-64-balanced": hamming(balanced("balanced", 20_000, 0)),
    "tables-64-balanced-few": hamming(balanced("some others", 21_000, 700)),
    "tables-64-balanced-rest": hamming(balanced("many others", 36_000, 27_000)),
    "tables-64-large": hamming(balanced("large", 20_000, 1_500), large=True),
    "tables-256-families": hamming(families("families of 256", 20_000, 32, 100)),
}


def main(folder: Path) -> None:
    """Write the files that are not there yet, compressed."""
    with tempfile.TemporaryDirectory() as temporary:
        for name, write in GOLDEN.items():
            path, kept = Path(temporary) / name, folder / f"{name}.xz"
            if not kept.exists():
                write(path)
                kept.write_bytes(lzma.compress(path.read_bytes(), filters=FILTERS))
                print(f"{kept}: {kept.stat().st_size} bytes of {path.stat().st_size}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
