"""A share of cases, with bounds."""

from __future__ import annotations

from dataclasses import dataclass

MILLION = 1_000_000
CONFIDENCE = 0.95


def compute_bounds(hits: int, cases: int) -> tuple[float, float]:
    """Return the 95 % bounds (Clopper and Pearson) of the share `hits / cases`.

    Without a hit they are 0 and about 3 / cases (one-sided, the rule of three). Without a case they
    are 0 and 1. The cases must be independent.
    """
    from scipy.special import betaincinv  # type: ignore[import-untyped]

    if not 0 <= hits <= cases:
        raise ValueError(f"{hits} hits of {cases} cases")
    if not cases:
        return 0.0, 1.0
    # If one bound is certain, all of the doubt is about the other.
    doubt = (1 - CONFIDENCE) / (1 if hits in (0, cases) else 2)
    low = float(betaincinv(hits, cases - hits + 1, doubt)) if hits else 0.0
    high = float(betaincinv(hits + 1, cases - hits, 1 - doubt)) if hits < cases else 1.0
    return low, high


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
