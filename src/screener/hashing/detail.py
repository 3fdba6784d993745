"""Detail: how much a picture shows, 0–100, so that pictures that show nothing are not compared.

Blank pictures, gradients, stripes, checkerboards and pages of text have hashes like any other, and
meet one another's: such a hash says how light falls off, or where a margin is, and no more. What
they lack is told by the core from 128 × 128 points of the picture, and a grid of 32 × 32 means:

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
needs, which is worth 50. A picture of two tones may be dithered, which hardly changes its PDQ: it
is judged from afar as well, where its tones have become greys. A classic kind has one more, the
contrast of the very pixels that its hash is made of. Every kind has the `patterns` of the hash
itself, and wHash two of its squares.
`docs/internals/detail.md` has the evidence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import screener._core as _core
from screener.hashing.hash import HashKind
from screener.hashing.shrink import shrunk

# What each measure must be for a score of 50. PDQ has its own quality beside these, tells pages of
# text apart, and knows a picture again when it is blurred: what it needs must outlast that.
_PDQ_NEEDS = {"spread": 0.36, "area": 0.15, "tones": 0.015}
_AFAR, _AFAR_NEEDS = 64, _PDQ_NEEDS | {"tones": 0.4}  # pixels of a side there
_PATTERNS = 3.5
_NEEDS = {"waves": 25.0, "texture": 230.0, "area": 0.3, "shades": 0.38, "tones": 0.12}
_CONTRAST = 2.0
# wHash sees which half of a picture is lighter, and no more: what stands on a plain ground has the
# hash of many things of that shape.
_WHASH_NEEDS = _NEEDS | {"spread": 0.435, "texture": 218.0, "shades": 0.25}
_KIND_NEEDS = {"pdq": _PDQ_NEEDS, "whash": _WHASH_NEEDS}
_KIND_PATTERNS = {"phash": 2.0, "phash256": 3.5, "dhash256": 1.6, "whash": 1.5}
_OTHER_PATTERNS = 1.25  # of the classic kinds
_WHASH_GAP = 25.0  # greys
_WHASH_TIED = 3.5  # squares of 64


class Detail:
    """The measures of a picture, each taken when it is first asked for."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        """`pixels` is uint8, grey (height, width) or RGB (height, width, 3), not empty."""
        self._pixels = pixels

    @cached_property
    def _measures(self) -> tuple[float, float, float, float]:
        """`spread`, `area`, `shades` and `tones`."""
        return _core.detail(self._pixels)

    @property
    def spread(self) -> float:
        """How evenly waves of one frequency share its amplitude, on average: 0 to 1."""
        return self._measures[0]

    @cached_property
    def _spectrum(self) -> tuple[float, float]:
        """`waves` and `texture`."""
        return _core.detail_spectrum(self._pixels)

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
        needs = _KIND_NEEDS.get(kind.name, _NEEDS)
        found = self._least(needs)
        if needs is _PDQ_NEEDS and self.tones < needs["tones"]:
            found = max(found, self._score_from_afar())
        return found

    def _least(self, needs: Mapping[str, float]) -> int:
        return min(_worth(getattr(self, name), need) for name, need in needs.items())

    def _score_from_afar(self) -> int:
        size = (_AFAR, _AFAR)
        if min(self._pixels.shape[:2]) < _AFAR:
            return 0
        return Detail(shrunk(self._pixels, [size], transposed=False)[size])._least(_AFAR_NEEDS)


def contrast_score(shrunk: NDArray[Any]) -> int:
    """The score of the greys that a hash is made of: fine patterns are even grey once shrunk."""
    return _worth(float(shrunk.std()), _CONTRAST)


def halves_score(squares: NDArray[Any]) -> int:
    """The score of the squares that a wHash of 64 bits is made of, of whole numbers in all.

    There must be no wide gap between the lighter half of them and the darker, as in drawings of two
    colours, and few may lie on the border between them, where rounding decides.
    """
    ordered = np.sort(squares, axis=None)
    below, above = ordered[ordered.size // 2 - 1], ordered[ordered.size // 2]
    gap = float(above - below)
    tied = int((squares == below).sum()) if gap == 0 else 0
    return min(
        _worth(_WHASH_GAP, gap) if gap else 100,
        _worth(_WHASH_TIED, tied) if tied else 100,
    )


def classic_pattern_scores(kind: HashKind, values: Sequence[bytes]) -> list[int]:
    """The scores of classic hashes by their own bits, as `pattern_scores` has those of PDQs: half
    a plane is the product of a row and a column, and so is a hash whose rows are all alike.
    """
    side = math.isqrt(kind.bits)
    bits = np.unpackbits(np.frombuffer(b"".join(values), np.uint8)).reshape(-1, side, side)
    signs = bits.astype(np.float64) * 2 - 1
    powers = ((signs @ signs.transpose(0, 2, 1)) ** 2).sum(axis=(1, 2))
    need = _KIND_PATTERNS.get(kind.name, _OTHER_PATTERNS)
    return [_worth(kind.bits**2 / float(power), need) for power in powers]


def pattern_scores(values: Sequence[bytes]) -> list[int]:
    """The scores of PDQs by their own bits: of how many patterns they are made.

    A picture of bars, edges or lines of text is about the product of one row and one column, and
    so is the square of its 256 bits: it has one singular value and no more. `patterns` is
    (Σs²)² / Σs⁴ of them: 1 for such a hash, some 8 for random bits, 5 and more for photographs.
    """
    return [_pattern_score(power) for power, _ in _core.pdq_patterns(b"".join(values))]


def pattern_bounds(values: bytes, doubts: bytes) -> tuple[bytes, bytes]:
    """The least and the largest scores that PDQs, joined, can have of which so many bits may be
    others: of those that are sure their score, twice. A byte stands for each number.
    """
    powers = _core.pdq_patterns(values)
    if not any(doubts):
        scores = bytes([_pattern_score(power) for power, _ in powers])
        return scores, scores
    bounds = [
        _pattern_bounds(power, widest, doubt) if doubt else (_pattern_score(power),) * 2
        for (power, widest), doubt in zip(powers, doubts, strict=True)
    ]
    return bytes([least for least, _ in bounds]), bytes([most for _, most in bounds])


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
