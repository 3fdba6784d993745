"""Queries by evidence: a code, how sure each of its bits is, and the most evidence there can be.

A listed code that differs from a query loses the weight of each bit that differs: its evidence is
the ceiling less the weighted distance. So "evidence of at least T bits" is a radius of that
distance. The coefficients and the samples that queries are made of are a blurred picture: they have
no repr and cannot be pickled. `docs/evidence.md` has the definitions.
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

import screener._core as _core
from screener import arguments

SIXTEENTHS = 16
"""Weights, ceilings and budgets are in sixteenths of a bit."""

BUSY = 0.2
"""Pictures whose samples are less busy than this are not compared by evidence."""

PLAIN = 0.45
"""Insets of which one grey has more than this share are not compared by evidence."""


class _Blurred:
    """Arrays that show a blurred picture: never printed, never pickled."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: not shown>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is a blurred picture, which is not pickled")


class Coefficients(_Blurred):
    """The 256 coefficients of PDQ, of each of some orientations or views."""

    __slots__ = ("values",)

    def __init__(self, values: NDArray[np.float32]) -> None:
        """Take a C-contiguous array (n, 256); number 16·i + j is that of bit 16·i + j."""
        self.values = values

    def weigh(self) -> Queries:
        """Return a query for each row."""
        return Queries(*_core.pdq_weigh(self.values))


class Samples(_Blurred):
    """The 64 × 64 samples of luma that PDQ makes of an upright picture."""

    __slots__ = ("aspect", "values")

    def __init__(self, values: NDArray[np.float32], aspect: float) -> None:
        """Take a C-contiguous array (64, 64) of a picture, and its height over its width."""
        self.values = values
        self.aspect = aspect

    @property
    def busy(self) -> float:
        """The share of neighbours that differ by a grey or more.

        Charts of one kind agree in many sure bits, since most of them is paper: see `BUSY`.
        """
        across, down = (np.abs(np.diff(self.values, axis=axis)) >= 1 for axis in (1, 0))
        return float(across.mean() + down.mean()) / 2

    @property
    def plain(self) -> float:
        """The share of samples that have the commonest grey, within some 4 levels.

        Most of a text or a keyboard is its ground: see `PLAIN`.
        """
        counts = np.bincount(np.clip(self.values, 0, 255).astype(np.uint8).ravel() >> 2)
        return float((counts[1:] + counts[:-1]).max(initial=counts.max())) / self.values.size


class Queries(NamedTuple):
    """Queries of a weighted search."""

    codes: NDArray[np.uint8]
    """The bits, (n, 32), as hashes have them."""
    weights: NDArray[np.uint8]
    """The weight of each bit in sixteenths, (n, 256), in the order of `np.unpackbits(codes)`."""
    ceilings: NDArray[np.int32]
    """The evidence of the code itself in sixteenths, (n,)."""

    def __repr__(self) -> str:
        return f"<Queries: {len(self.codes)}>"

    def budgets(self, threshold: float | NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the largest weighted distances at which evidence reaches the threshold, in bits.

        The threshold is one for all queries, or one for each.

        They are below 0 for queries that cannot reach it.
        """
        least: NDArray[np.int32] = np.ceil(SIXTEENTHS * np.asarray(threshold)).astype(np.int32)
        return self.ceilings - least

    def evidence(self, query: int, distance: int) -> float:
        """Return the evidence in bits of a code at a weighted distance from a query."""
        return (int(self.ceilings[query]) - distance) / SIXTEENTHS


# The ceiling of one bit by its weight w, log2(2P) for P = 1 / (1 + 2^-w), as the core adds it up.
_FRACTION = 1 << 16
_BIT_CEILINGS = np.rint(
    SIXTEENTHS * _FRACTION * (1 - np.log2(1 + 2.0 ** (-np.arange(256) / SIXTEENTHS)))
).astype(np.int32)


def find_ceilings(weights: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the ceilings of weights (n, 256), the only ones with which evidence is a likelihood.

    At most one code in 2^T has then evidence of T bits, so a query cannot hit all of a list.
    """
    sums: NDArray[np.int32] = _BIT_CEILINGS.take(weights).sum(axis=1, dtype=np.int32)
    return (sums + _FRACTION // 2) // _FRACTION


class Look(NamedTuple):
    """The PDQs of a picture in eight orientations, in the order of `pdq.ORIENTATIONS`.

    Values, qualities and doubts are those of `pdq.sketches`.
    """

    values: tuple[bytes, ...]
    qualities: bytes
    doubts: bytes
    coefficients: Coefficients
    samples: Samples


def look(pixels: NDArray[np.uint8], *, most: int, aspect: float | None = None) -> Look:
    """Return `pdq.sketches` of a picture with the coefficients behind them, at its cost.

    `aspect` is the picture's height over its width, if `pixels` lacks some of its rows.

    Each row of coefficients is that of the turned picture, and its query's code is the value.
    Pixels and errors are those of `pdq.compute`; a picture with a side under 5 pixels has zeros.
    """
    checked = arguments.check_pixels(pixels)
    sketches, coefficients, samples = _core.pdq_look(checked, most)
    values, qualities, doubts = zip(*sketches, strict=True)
    height, width = checked.shape[:2]
    if aspect is None:
        aspect = height / width if height and width else 1.0
    return Look(
        values,
        bytes(qualities),
        bytes(doubts),
        Coefficients(coefficients),
        Samples(samples, aspect),
    )
