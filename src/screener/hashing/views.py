"""Views of a picture: guesses of what was done to it, undone.

A copy that was cropped by a margin, turned, or covered in a corner has another PDQ. A view is the
PDQ that its original would have, with less weight on the bits that the missing part decides. All
are made of the 64 × 64 samples of the copy's own PDQ.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

import screener._core as _core
from screener.hashing.evidence import Coefficients, Queries, Samples
from screener.hashing.pdq import ORIENTATIONS

_COVERS = {"": 0, "rectangle": 1, "ellipse": 2}


class View(NamedTuple):
    """A guess of what was done to a listed picture."""

    name: str
    margins: tuple[float, float, float, float] = (0, 0, 0, 0)
    """What was cut off on the left, top, right and bottom, as shares of the listed picture."""
    angle: float = 0
    """The degrees by which it was turned counter-clockwise, up to 90."""
    cover: str = ""
    """The shape of a part that was covered: "rectangle" or "ellipse", or nothing."""
    box: tuple[float, float, float, float] = (0, 0, 0, 0)
    """The left, top, right and bottom of that part, as shares of the picture."""


_SIDES = ("left", "top", "right", "bottom")


def _uncrop(share: float, *sides: str) -> View:
    left, top, right, bottom = (share / 100 if side in sides else 0.0 for side in _SIDES)
    name = "all sides" if sides == _SIDES else " ".join(sides)
    return View(f"uncrop {name} {share:g} %", (left, top, right, bottom))


def _untilt(angle: float) -> View:
    return View(f"untilt {angle:g} degrees", angle=angle)


def _uncover_corner(down: str, side: str) -> View:
    left, top = (0.0 if at in _SIDES[:2] else 1 - _CORNER for at in (side, down))
    box = left, top, left + _CORNER, top + _CORNER
    return View(f"uncover {down} {side} corner", cover="rectangle", box=box)


def _uncover_disc(place: str, x: float, y: float) -> View:
    box = x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS
    return View(f"uncover disc {place}", cover="ellipse", box=box)


_CORNER = 0.42
_RADIUS = 0.28

VIEWS: tuple[View, ...] = (
    _uncrop(3.5, *_SIDES),
    _untilt(-5),
    _untilt(5),
    *(_uncrop(5, side) for side in _SIDES),
    *(_uncrop(11, side) for side in _SIDES),
    _uncover_corner("top", "left"),
    _uncover_corner("bottom", "right"),
    _uncover_corner("bottom", "left"),
    _uncover_corner("top", "right"),
    _uncover_disc("at the top", 0.5, 0.25),
    _uncover_disc("on the right", 0.75, 0.5),
    _uncover_disc("on the left", 0.25, 0.5),
    _uncover_disc("at the bottom", 0.5, 0.75),
    _uncrop(5, *_SIDES),
    _untilt(-2),
    _untilt(2),
)
"""The views that are searched, the same for each side and corner, those first that find most."""


@cache
def _ready() -> _core.PdqViews:
    rows = [(*one.margins, one.angle, _COVERS[one.cover], *one.box) for one in VIEWS]
    return _core.PdqViews(np.array(rows, np.float64))


ORIENTATIONS_OF = {len(one): one for one in (("upright", "flip_horizontal"), ORIENTATIONS)}
"""The orientations in which a view may be weighed, by their number.

People mirror a cropped picture, and hardly ever turn it by a quarter.
"""


def weigh(
    samples: Samples, first: int = 0, last: int = len(VIEWS), *, orientations: int = 8
) -> Queries:
    """Return the queries of VIEWS[first:last]: each in so many orientations, view by view.

    Query number n is of view `first + n // orientations` in the orientation
    `ORIENTATIONS_OF[orientations][n % orientations]`. The view undoes an edit of the copy as it
    stands, and its result is then turned.
    """
    return Queries(*_ready().weigh(samples.values, samples.aspect, first, last, orientations))


def coefficients(samples: Samples) -> Coefficients:
    """Return the coefficients of each upright view."""
    return Coefficients(_ready().transform(samples.values, samples.aspect))


def view_of(query: int, first: int = 0, *, orientations: int = 8) -> tuple[View, str]:
    """Return the view and the orientation of a query that `weigh` returned."""
    number, orientation = divmod(query, orientations)
    return VIEWS[first + number], ORIENTATIONS_OF[orientations][orientation]
