"""pHash, dHash, aHash and wHash of pixels, equal to those of the `imagehash` package.

Kinds without a number have 64 bits (`hash_size=8`), with 256 that many (`hash_size=16`). The value
is that of `str(ImageHash)`: bits row by row from the top left, the first the highest of a byte.

Shrinking the picture takes the time, so it is done in one pass for all sizes. Shrinking commutes
with mirroring but not with transposing (see `hashing.shrink`): the eight orientations of each kind
follow, bit for bit, from the shrunk picture and its shrunk transpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from screener import arguments
from screener.errors import HashError
from screener.hashing import detail
from screener.hashing.hash import KINDS, Hash, HashKind, checked_kinds
from screener.hashing.pdq import ORIENTATIONS
from screener.hashing.shrink import Pixels, Size, shrunk
from screener.system.installation import describe_extra

Bits = NDArray[np.bool_]

CLASSIC = tuple(
    KINDS[name + more] for more in ("", "256") for name in ("phash", "dhash", "ahash", "whash")
)
"""The kinds that `compute` makes."""

_LARGEST = 1 << 26  # pixels after the first pass, which enlarges a line of pixels
_NOISY = 1024  # the widest wHash picture whose ties imagehash decides: see `_wavelet`

# Whether an orientation follows from the transpose, and the axes along which it is mirrored.
_TURNS: dict[str, tuple[bool, tuple[int, ...]]] = {
    "upright": (False, ()),
    "rotate90": (True, (0,)),
    "rotate180": (False, (0, 1)),
    "rotate270": (True, (1,)),
    "flip_vertical": (False, (0,)),
    "flip_horizontal": (False, (1,)),
    "transpose": (True, ()),
    "anti_transpose": (True, (0, 1)),
}


class _Both(NamedTuple):
    """A shrunk picture and its shrunk transpose, or the picture twice if that is not needed."""

    lying: NDArray[Any]
    standing: NDArray[Any]

    def turned(self, orientations: Sequence[str]) -> Iterator[NDArray[Any]]:
        """Yield the shrunk picture in each orientation."""
        for name in orientations:
            standing, mirrored = _TURNS[name]
            yield np.flip(self.standing if standing else self.lying, mirrored)


def check_installed(kinds: Iterable[HashKind]) -> None:
    """Raise HashError if one of the kinds needs the extra `hashes`, which is not installed."""
    needed = ", ".join(kind.name for kind in kinds if kind in CLASSIC)
    if needed and not _is_installed():
        raise HashError(f"computing {needed} needs {describe_extra('hashes')}")


@cache
def _is_installed() -> bool:
    """Return whether the libraries can be found; they are imported with the first hash only."""
    return all(find_spec(name) is not None for name in ("imagehash", "pywt", "scipy"))


def compute(pixels: Pixels, kind: HashKind) -> Hash:
    """Return the hash of an upright picture, with its detail score as quality.

    Pixels and errors are those of `compute_orientations`.
    """
    (made,) = _compute(pixels, [kind], ("upright",))[kind.name]
    return made


def compute_orientations(pixels: Pixels, kinds: Iterable[HashKind]) -> dict[str, tuple[Hash, ...]]:
    """Return the eight hashes of each kind, by its name, in the order of ORIENTATIONS.

    Each equals imagehash's of the turned picture and has its detail score as quality. `pixels` is
    uint8, grey (height, width) or RGB (height, width, 3), made grey as Pillow does. A line of
    pixels that shrinking would enlarge beyond reason has the zero hash and quality 0. Raises
    HashError for a kind that is not in CLASSIC, for pixels of another type or shape, and without
    the extra `hashes`.
    """
    return _compute(pixels, kinds, ORIENTATIONS)


def _compute(
    pixels: Pixels, kinds: Iterable[HashKind], orientations: Sequence[str]
) -> dict[str, tuple[Hash, ...]]:
    wanted = tuple(dict.fromkeys(checked_kinds(kinds)))
    check_installed(wanted)
    for kind in wanted:
        if kind not in CLASSIC:
            known = ", ".join(one.name for one in CLASSIC)
            raise HashError(f"{kind.name} is not a classic kind; one of: {known}")
    arguments.check_pixels(pixels)
    if not pixels.size:
        raise HashError(f"pixels must be one or more, not {pixels.shape}")
    height, width = pixels.shape[:2]
    if not wanted:
        return {}
    if max(height, width) * 64 > _LARGEST and min(height, width) < 64:
        zeros = (Hash(kind, bytes(kind.size), quality=0) for kind in wanted)
        return {zero.kind.name: (zero,) * len(orientations) for zero in zeros}
    seen = detail.Detail(pixels)
    sizes = {_size(kind, min(height, width)) for kind in wanted}
    shrinks = _shrink(pixels, sizes, any(_TURNS[name][0] for name in orientations))
    made = {}
    for kind in wanted:
        both = shrinks[_size(kind, min(height, width))]
        greys = _hashed_greys(kind, both.lying)
        score = min(seen.score(kind), detail.contrast_score(greys))
        if kind.name == "whash":
            score = min(score, detail.halves_score(greys))
        values = _values(kind, both, orientations)
        made[kind.name] = tuple(
            Hash(kind, value, quality=min(score, patterns))
            for value, patterns in zip(
                values, detail.classic_pattern_scores(kind, values), strict=True
            )
        )
    return made


def _shrink(pixels: Pixels, sizes: set[Size], standing: bool) -> dict[Size, _Both]:
    lying = shrunk(pixels, sizes, transposed=False)
    turned = shrunk(pixels, sizes, transposed=True) if standing else lying
    return {size: _Both(lying[size], turned[size]) for size in sizes}


def load(kinds: Iterable[HashKind]) -> None:
    """Load the libraries for these kinds before the first picture is decoded.

    SciPy's linear algebra waits for ever if a picture has left it too little memory.
    """
    compute_orientations(np.zeros((32, 32), np.uint8), list(kinds))


def _side(kind: HashKind) -> int:
    return 8 if kind.bits == 64 else 16


def _size(kind: HashKind, shorter: int) -> Size:
    side = _side(kind)
    match kind.name.removesuffix("256"):
        case "phash":
            return 4 * side, 4 * side
        case "dhash":
            return side + 1, side
        case "ahash":
            return side, side
        case _:
            natural = 1 << (shorter.bit_length() - 1)
            return max(natural, side), max(natural, side)


def _values(kind: HashKind, both: _Both, orientations: Sequence[str]) -> list[bytes]:
    import imagehash  # slow to load, and seldom needed

    side = _side(kind)
    function: Any
    match kind.name.removesuffix("256"):
        case "phash":
            function = imagehash.phash
        case "dhash":
            function = imagehash.dhash
        case "ahash":
            function = imagehash.average_hash
        case _:
            return [_packed(bits) for bits in _wavelet(both, side, orientations)]
    # The pictures have the size to which imagehash would shrink them.
    return [
        _packed(function(Image.fromarray(np.ascontiguousarray(one)), hash_size=side).hash)
        for one in both.turned(orientations)
    ]


def _packed(bits: Bits) -> bytes:
    return np.packbits(bits).tobytes()


def _wavelet(both: _Both, side: int, orientations: Sequence[str]) -> Iterator[Bits]:
    """Yield the bits of wHash for each orientation.

    A bit is set if one of `side` × `side` squares of the picture is lighter than their median. In
    integers that is exact. imagehash computes Haar wavelets in floating point, which differs only
    if the two squares beside the median are equal and rounding decides. Then imagehash computes the
    hash, unless the picture is so large that this takes seconds: equal squares have no bit set.
    """
    import imagehash

    sums = _Both(_square_sums(both.lying, side), _square_sums(both.standing, side))
    for picture, squares in zip(both.turned(orientations), sums.turned(orientations), strict=True):
        ordered = np.sort(squares, axis=None)
        below, above = ordered[ordered.size // 2 - 1], ordered[ordered.size // 2]
        if below == above and len(picture) <= _NOISY:
            image = Image.fromarray(np.ascontiguousarray(picture))
            yield imagehash.whash(image, hash_size=side).hash
        else:
            yield squares > below


def _hashed_greys(kind: HashKind, picture: Pixels) -> NDArray[Any]:
    """Return the greys that the bits of a kind compare: for wHash, the means of squares."""
    if not kind.name.startswith("whash"):
        return picture
    side = _side(kind)
    return _square_sums(picture, side) / (len(picture) // side) ** 2


def _square_sums(picture: Pixels, side: int) -> NDArray[np.uint64]:
    edge = len(picture) // side
    rows = picture.reshape(side, edge, len(picture)).sum(axis=1, dtype=np.uint32)
    sums: NDArray[np.uint64] = rows.reshape(side, side, edge).sum(axis=2, dtype=np.uint64)
    return sums
