"""Bounds of a share that was counted: what so many cases can tell, and no more."""

from __future__ import annotations

CONFIDENCE = 0.95


def share(hits: int, cases: int) -> tuple[float, float]:
    """The 95 % bounds of Clopper and Pearson of a share, of which `hits` of `cases` were seen.

    With no hit the lower is 0 and the upper about 3 / cases (one-sided, the rule of three); with
    no case they are 0 and 1. The cases must not depend on one another.
    """
    # Not with this module: few programs need it.
    from scipy.special import betaincinv  # type: ignore[import-untyped]

    if not 0 <= hits <= cases:
        raise ValueError(f"{hits} hits of {cases} cases")
    if not cases:
        return 0.0, 1.0
    # Where a bound is certain, the other has all of the doubt.
    doubt = (1 - CONFIDENCE) / (1 if hits in (0, cases) else 2)
    low = float(betaincinv(hits, cases - hits + 1, doubt)) if hits else 0.0
    high = float(betaincinv(hits + 1, cases - hits, 1 - doubt)) if hits < cases else 1.0
    return low, high
