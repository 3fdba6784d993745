"""A share of cases, with bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

MILLION = 1_000_000
CONFIDENCE = 0.95
_MAX_STEPS = 1_000_000  # of a continued fraction; about the root of the cases are needed


def compute_bounds(hits: int, cases: int) -> tuple[float, float]:
    """Return the 95 % bounds (Clopper and Pearson) of the share `hits / cases`.

    Without a hit they are 0 and about 3 / cases (one-sided, the rule of three). Without a case they
    are 0 and 1. The cases must be independent.
    """
    if not 0 <= hits <= cases:
        raise ValueError(f"{hits} hits of {cases} cases")
    if not cases:
        return 0.0, 1.0
    # If one bound is certain, all of the doubt is about the other.
    doubt = (1 - CONFIDENCE) / (1 if hits in (0, cases) else 2)
    low = _invert_beta(hits, cases - hits + 1, doubt) if hits else 0.0
    high = _invert_beta(hits + 1, cases - hits, 1 - doubt) if hits < cases else 1.0
    return low, high


def _invert_beta(a: int, b: int, share: float) -> float:
    """Return the x of which the regularised incomplete beta function, I_x(a, b), is `share`."""
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        if _beta(middle, a, b) < share:
            low = middle
        else:
            high = middle
    return middle


def _beta(x: float, a: int, b: int) -> float:
    """Return I_x(a, b). Its relative error is about 1e-9 for a million cases."""
    constant = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(constant + a * math.log(x) + b * math.log1p(-x))
    if x * (a + b + 2) < a + 1:
        return front * _beta_fraction(x, a, b) / a
    return 1 - front * _beta_fraction(1 - x, b, a) / b  # this fraction converges faster


def _beta_fraction(x: float, a: int, b: int) -> float:
    """Return the continued fraction of I_x(a, b) by Lentz's method (DLMF 8.17.22)."""
    upper, lower = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    value = lower
    for m in range(1, _MAX_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            lower = 1 / (1 + term * lower)
            upper = 1 + term / upper
            value *= upper * lower
        if abs(upper * lower - 1) < 1e-13:
            break
    return value


@dataclass(frozen=True)
class Count:
    """Hits among cases, with the 95 % bounds of their share (Clopper and Pearson)."""

    hits: int
    cases: int
    low: float
    high: float

    @classmethod
    def from_hits(cls, hits: int, cases: int) -> Count:
        """Return a count with its bounds."""
        return cls(hits, cases, *compute_bounds(hits, cases))

    @classmethod
    def from_edits(cls, hits: int, pictures: int, edits: int) -> Count:
        """Return a count of edited forms, if each picture was edited in `edits` ways.

        The forms of one picture depend on one another, so the bounds are those of hits per edit,
        rounded down for the lower and up for the upper bound, among the pictures.
        """
        low, _ = compute_bounds(hits // edits, pictures)
        _, high = compute_bounds(-(-hits // edits), pictures)
        return cls(hits, pictures * edits, low, high)

    @property
    def share(self) -> float:
        """Hits divided by cases, or 0 without a case."""
        return self.hits / self.cases if self.cases else 0.0
