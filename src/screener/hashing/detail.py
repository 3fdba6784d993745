"""Detail scores, 0–100: pictures with too little detail are not compared.

Blank pictures, gradients, stripes, checkerboards and pages of text hit one another's hashes. The
core measures detail at 128 × 128 points of the picture and on a grid of 32 × 32 means:

- `spread`: how evenly the directions of waves of one frequency share its amplitude. Stripes and
  edges lie in few directions. Blurring does not change it.
- `waves`: how many waves of the DCT, weighted by frequency, describe the grid: (Σe)² / Σe² over
  their energies e. Stripes are a few waves.
- `texture`: the same over amplitudes, (Σa)² / Σa², which counts small ones too.
- `area`: the share of the 8 × 8 parts in which neighbouring means differ.
- `shades` and `tones`: the share of points that differ from the commonest grey, and from the two
  commonest.

The score of a kind is the least of the measures that it uses, each relative to the value that is
worth 50. A picture of two tones may be dithered, which hardly changes its PDQ, so it is also
measured at a smaller size, where its tones have become greys. Classic kinds add the contrast of the
shrunk pixels, every kind the `patterns` of the hash, and wHash two measures of its squares.
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

# The value of each measure for a score of 50. PDQ has its own quality as well, tells pages of text
# apart, and finds blurred copies: its measures must survive blurring.
_PDQ_NEEDS = {"spread": 0.324, "area": 0.135, "tones": 0.0135}
_AFAR, _AFAR_NEEDS = 64, _PDQ_NEEDS | {"tones": 0.36}  # pixels of a side there
_PATTERNS = 3.15
_NEEDS = {"waves": 25.0, "texture": 230.0, "area": 0.3, "shades": 0.38, "tones": 0.12}
_CONTRAST = 2.0
# wHash records which half of a picture is lighter, so an object on a plain ground has the hash of
# many objects of that shape.
_WHASH_NEEDS = _NEEDS | {"spread": 0.435, "texture": 218.0, "shades": 0.25}
_KIND_NEEDS = {"pdq": _PDQ_NEEDS, "whash": _WHASH_NEEDS}
_KIND_PATTERNS = {"phash": 2.0, "phash256": 3.5, "dhash256": 1.6, "whash": 1.5}
_OTHER_PATTERNS = 1.25  # of the classic kinds
_WHASH_GAP = 25.0  # greys
_WHASH_TIED = 3.5  # squares of 64


class Detail:
    """The measures of a picture, each computed on first use."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        """Take uint8 pixels, grey (height, width) or RGB (height, width, 3), not empty."""
        self._pixels = pixels

    @cached_property
    def _measures(self) -> tuple[float, float, float, float]:
        return _core.detail(self._pixels)

    @property
    def spread(self) -> float:
        """Return how evenly waves of one frequency share its amplitude, on average: 0 to 1."""
        return self._measures[0]

    @cached_property
    def _spectrum(self) -> tuple[float, float]:
        return _core.detail_spectrum(self._pixels)

    @property
    def waves(self) -> float:
        """Return how many waves share the energy."""
        return self._spectrum[0]

    @property
    def texture(self) -> float:
        """Return how many waves share the amplitude."""
        return self._spectrum[1]

    @property
    def area(self) -> float:
        """Return the share of the picture that is not smooth."""
        return self._measures[1]

    @property
    def shades(self) -> float:
        """Return the share of the picture without its commonest grey."""
        return self._measures[2]

    @property
    def tones(self) -> float:
        """Return the share of the picture without its two commonest greys."""
        return self._measures[3]

    def score(self, kind: HashKind) -> int:
        """Return the score for a perceptual kind, an integer from 0 to 100."""
        needs = _KIND_NEEDS.get(kind.name, _NEEDS)
        score = self._least(needs)
        if needs is _PDQ_NEEDS and self.tones < needs["tones"]:
            score = max(score, self._score_from_afar())
        return score

    def _least(self, needs: Mapping[str, float]) -> int:
        return min(_worth(getattr(self, name), need) for name, need in needs.items())

    def _score_from_afar(self) -> int:
        size = (_AFAR, _AFAR)
        if min(self._pixels.shape[:2]) < _AFAR:
            return 0
        return Detail(shrunk(self._pixels, [size], transposed=False)[size])._least(_AFAR_NEEDS)


def contrast_score(shrunk: NDArray[Any]) -> int:
    """Return the score of the shrunk greys of a hash: fine patterns shrink to an even grey."""
    return _worth(float(shrunk.std()), _CONTRAST)


def halves_score(squares: NDArray[Any]) -> int:
    """Return the score of the integer squares of a 64-bit wHash.

    It falls with a wide gap between the lighter and the darker half, as in drawings of two colours,
    and with the number of squares at the border, where rounding decides.
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
    """Return the scores of classic hashes by their own bits, as `pattern_scores` for PDQs.

    A hash whose rows are all alike is the product of a row and a column, and so is half a plane.
    """
    side = math.isqrt(kind.bits)
    bits = np.unpackbits(np.frombuffer(b"".join(values), np.uint8)).reshape(-1, side, side)
    signs = bits.astype(np.float64) * 2 - 1
    powers = ((signs @ signs.transpose(0, 2, 1)) ** 2).sum(axis=(1, 2))
    need = _KIND_PATTERNS.get(kind.name, _OTHER_PATTERNS)
    return [_worth(kind.bits**2 / float(power), need) for power in powers]


def pattern_scores(values: Sequence[bytes]) -> list[int]:
    """Return the scores of PDQs by their own bits: how many patterns they consist of.

    The 256 bits of bars, edges or lines of text are about the product of one row and one column,
    with a single singular value s. `patterns` is (Σs²)² / Σs⁴: 1 for such a hash, some 8 for random
    bits, 5 and more for photographs.
    """
    return [_pattern_score(power) for power, _ in _core.pdq_patterns(b"".join(values))]


def pattern_bounds(values: bytes, doubts: bytes) -> tuple[bytes, bytes]:
    """Return the least and the largest pattern scores of PDQs with doubtful bits, a byte each.

    `values` are the PDQs, joined; `doubts` has a byte for how many bits of each may be wrong.
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
    # A bit of a row changes its product p with each of 15 others by ±2, in both triangles: the sum
    # of the squares by 2 Σ(±4p + 4), and the Σ|p| of any row by 30 at most.
    change = sum(8 * (widest + 30 * earlier) + 120 for earlier in range(doubt))
    # Orthogonal rows have 16 squares of 16. The half is for rounding.
    least, most = max(power - change, 16**3) - 0.5, power + change + 0.5
    return _worth(256**2 / most, _PATTERNS), _worth(256**2 / least, _PATTERNS)


def _worth(found: float, need: float) -> int:
    return min(100, int(50 * found / need))
