"""Detail: how much a picture shows, 0–100, so that pictures that show nothing are not compared.

Blank pictures, gradients, stripes, checkerboards and pages of text have hashes like any other, and
meet one another's: such a hash says how light falls off, or where a margin is, and no more. What
they lack is told from 128 × 128 points of the picture, and a grid of 32 × 32 means of them:

- `spread`: how evenly waves of one frequency, but of all directions, share the amplitude that this
  frequency has. Stripes and edges lie in a few directions. Blurring a picture takes from all waves
  of a frequency alike and leaves it as it is.
- `waves`: by how many waves of its DCT, each weighed by its frequency, the grid can be
  described: (Σe)² / Σe² over their energies e. Stripes are a few waves.
- `texture`: the same over amplitudes, (Σa)² / Σa², which counts small ones too.
- `area`: the share of its 8 × 8 parts in which neighbouring means differ.
- `shades` and `tones`: the share of the points that differ from the commonest grey, and from the
  two commonest.

The score of a kind is the least of the measures that matter to it, each in proportion to what it
needs, which is worth 50. A classic kind has one more, the contrast of the very pixels that its hash
is made of; PDQ has the `patterns` of the hash itself. `docs/detail.md` has the evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screener import _core
from screener.hashing.hash import HashKind

Grid = NDArray[Any]  # of floats, square

_POINTS = 128  # along either side, in equal steps
_SIDE = 32  # of the grid
_PARTS = 8  # along either side
_FAINT = 2.0  # of a wave's amplitude in an orthonormal DCT: what noise has is not counted
_STEP = 6.0  # greys, down and across together: where neighbours differ by more there is detail
_SAME = 8  # greys: those that lie so near the commonest count as it
_LUMA = np.array([299, 587, 114], np.float32) / 1000

_FREQUENCIES = 16  # that `spread` looks at: those that PDQ is made of

# What each measure must be for a score of 50. PDQ has its own quality beside these, tells pages of
# text apart, and knows a picture again when it is blurred: what it needs must outlast that.
_PDQ_NEEDS = {"spread": 0.36, "area": 0.15, "tones": 0.015}
_PATTERNS = 3.5
_NEEDS = {"waves": 25.0, "texture": 230.0, "area": 0.3, "shades": 0.25, "tones": 0.12}
_CONTRAST = 2.0


class Detail:
    """The measures of a picture, each taken when it is first asked for."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        """`pixels` is uint8, grey (height, width) or RGB (height, width, 3), not empty."""
        self._pixels = pixels

    @cached_property
    def _points(self) -> Grid:
        return _points(self._pixels)

    @cached_property
    def _grid(self) -> Grid:
        return _means(self._points, _POINTS // _SIDE)

    @cached_property
    def _measures(self) -> tuple[float, float, float, float]:
        """`spread`, `area`, `shades` and `tones`, of a grey picture by the core."""
        if self._pixels.ndim == 2:
            return _core.detail(self._pixels)
        return (_spread(_amplitudes(self._grid)), _area(self._grid), *_shades(self._points))

    @property
    def spread(self) -> float:
        """How evenly waves of one frequency share its amplitude, on average: 0 to 1."""
        return self._measures[0]

    @cached_property
    def _spectrum(self) -> tuple[float, float]:
        return _spectrum(_amplitudes(self._grid))

    @property
    def waves(self) -> float:
        """How many waves share the energy."""
        return self._spectrum[0]

    @property
    def texture(self) -> float:
        """How many waves share the amplitude."""
        return self._spectrum[1]

    @property
    def area(self) -> float:
        """The share of the picture that is not smooth."""
        return self._measures[1]

    @property
    def shades(self) -> float:
        """The share of the picture that has not its commonest grey."""
        return self._measures[2]

    @property
    def tones(self) -> float:
        """The share of the picture that has neither of its two commonest greys."""
        return self._measures[3]

    def score(self, kind: HashKind) -> int:
        """The score for a perceptual kind: 0 to 100, in whole numbers."""
        needs = _PDQ_NEEDS if kind.name == "pdq" else _NEEDS
        return min(_worth(getattr(self, name), need) for name, need in needs.items())


def contrast_score(shrunk: NDArray[Any]) -> int:
    """The score of the greys that a hash is made of: fine patterns are even grey once shrunk."""
    return _worth(float(shrunk.std()), _CONTRAST)


def pattern_scores(values: Sequence[bytes]) -> list[int]:
    """The scores of PDQs by their own bits: of how many patterns they are made.

    A picture of bars, edges or lines of text is about the product of one row and one column, and
    so is the square of its 256 bits: it has one singular value and no more. `patterns` is
    (Σs²)² / Σs⁴ of them: 1 for such a hash, some 8 for random bits, 5 and more for photographs.
    """
    return [_pattern_score(power) for power, _ in _core.pdq_patterns(b"".join(values))]


def pattern_bounds(values: Sequence[bytes], doubts: Sequence[int]) -> list[tuple[int, int]]:
    """The least and the largest score that PDQs can have of which so many bits may be others."""
    found = _core.pdq_patterns(b"".join(values))
    return [_pattern_bounds(*one, doubt) for one, doubt in zip(found, doubts, strict=True)]


@lru_cache(maxsize=4096)
def _pattern_score(power: int) -> int:
    return _worth(float(np.float32(256**2) / np.float32(power)), _PATTERNS)


@lru_cache(maxsize=4096)
def _pattern_bounds(power: int, widest: int, doubt: int) -> tuple[int, int]:
    # A bit of a row changes its product p with each of 15 others by 2, there and back: the sum
    # of their squares by 2 Σ(±4p + 4), and the Σ|p| of any row by 30 at most.
    change = sum(8 * (widest + 30 * earlier) + 120 for earlier in range(doubt))
    # Rows that have nothing in common have 16 squares of 16. A half, for roundings.
    least, most = max(power - change, 16**3) - 0.5, power + change + 0.5
    return _worth(256**2 / most, _PATTERNS), _worth(256**2 / least, _PATTERNS)


def _worth(found: float, need: float) -> int:
    return min(100, int(50 * found / need))


def _points(pixels: NDArray[np.uint8]) -> Grid:
    """The luma of points in equal steps: (128, 128)."""
    rows, columns = (_places(length) for length in pixels.shape[:2])
    points = pixels[rows][:, columns].astype(np.float32)
    grid: Grid = points if points.ndim == 2 else np.dot(points, _LUMA)
    return grid


@lru_cache(maxsize=64)
def _places(length: int) -> NDArray[np.int64]:
    """The middles of 128 equal parts of a line of pixels; mirrored, they are the same."""
    half = (2 * np.arange(_POINTS // 2) + 1) * length // (2 * _POINTS)
    return np.concatenate((half, length - 1 - half[::-1]))


def _means(grid: Grid, edge: int) -> Grid:
    """The means of squares of a grid, `edge` wide."""
    side = len(grid) // edge
    share = np.full(edge, 1 / edge, np.float32)  # products with it are faster than sums
    rows = share @ grid.reshape(side, edge, len(grid))
    means: Grid = rows.reshape(side, side, edge) @ share
    return means


def _amplitudes(grid: Grid) -> NDArray[np.float64]:
    """Those of the waves of a grid, less what noise has."""
    # In double precision, lest the score hang on how a machine adds up.
    found = np.abs(_cosines() @ grid.astype(np.float64) @ _cosines().T) - _FAINT
    return np.maximum(found, 0)


def _spread(amplitudes: NDArray[np.float64]) -> float:
    """`spread`: (Σa)² / nΣa² of the n waves of each frequency; those with no amplitude count 0."""
    band, size = _bands()
    flat = amplitudes.reshape(-1)
    sums = np.bincount(band, flat, len(size))
    energies = np.bincount(band, flat * flat, len(size))
    # Waves beyond the last frequency are in band 0, with the mean.
    shares = np.divide(sums * sums, energies, out=np.zeros_like(sums), where=energies > 0)
    return float(shares[1:].sum() / size[1:].sum())


@cache
def _bands() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The frequency of each wave, in whole numbers, and how many waves each has."""
    frequencies = np.rint(_frequencies()).astype(np.int64).reshape(-1)
    frequencies[frequencies > _FREQUENCIES] = 0
    return frequencies, np.bincount(frequencies)


def _spectrum(amplitudes: NDArray[np.float64]) -> tuple[float, float]:
    """`waves` and `texture`: how many waves share the energy, and the amplitude, of a grid."""
    weighed = amplitudes * _frequencies()
    energies = weighed * weighed
    energy = float(energies.sum())
    if energy == 0:
        return 0.0, 0.0
    return energy**2 / float((energies * energies).sum()), float(weighed.sum()) ** 2 / energy


@cache
def _cosines() -> NDArray[np.float64]:
    """The matrix of the orthonormal DCT."""
    place = np.arange(_SIDE)
    matrix: NDArray[np.float64] = np.cos(np.pi / _SIDE * place[:, None] * (place + 0.5)) * np.sqrt(
        2 / _SIDE
    )
    matrix[0] /= np.sqrt(2)
    return matrix


@cache
def _frequencies() -> NDArray[np.float64]:
    """How fast each wave is; 0 for the mean."""
    place = np.arange(_SIDE)
    frequencies: NDArray[np.float64] = np.hypot(place[:, None], place)
    return frequencies


def _area(grid: Grid) -> float:
    """`area`; only neighbours within a part count, so that a mirrored picture has the same."""
    edge = _SIDE // _PARTS
    parts = grid.reshape(_PARTS, edge, _PARTS, edge)
    down = np.abs(parts[:, 1:] - parts[:, :-1]).mean(axis=(1, 3))
    across = np.abs(parts[..., 1:] - parts[..., :-1]).mean(axis=(1, 3))
    return float((down + across > _STEP).mean())


def _shades(points: Grid) -> tuple[float, float]:
    """`shades` and `tones`."""
    width = 2 * _SAME + 1
    counts = np.zeros(256 + 2 * width - 1, np.int64)
    counts[width : width + 256] = np.bincount(points.astype(np.uint8).reshape(-1), minlength=256)
    sums = np.cumsum(counts)
    near = sums[width:] - sums[:-width]
    first = int(near.argmax())
    one = int(near[first])
    near[max(0, first - 2 * _SAME) : first + 2 * _SAME + 1] = 0  # no point counts twice
    return 1.0 - one / points.size, 1.0 - (one + int(near.max())) / points.size
