"""Views of a picture: guesses of what was done to it, undone.

A copy that was cropped by a margin, turned, or covered in a corner has another PDQ. A view is the
PDQ that its original would have, with less weight on the bits that the missing part decides. All
are made of the 64 × 64 samples of the copy's own PDQ.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations, product
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
    named = "all sides" if sides == _SIDES else " and ".join(sides)
    return View(f"uncrop {named} {share:g} %", (left, top, right, bottom))


def _uncrops() -> list[View]:
    return [
        *(_uncrop(share, *_SIDES) for share in (1.5, 3, 4.5, 6, 7.5, 9)),
        *(_uncrop(share, side) for share, side in product((3, 6, 9, 12), _SIDES)),
        *(_uncrop(4.5, *pair) for pair in combinations(_SIDES, 2)),
    ]


def _untilts() -> list[View]:
    turned = [
        View(f"untilt {angle:g} degrees", angle=angle)
        for size in (1.5, 3, 4.5, 6)
        for angle in (size, -size)
    ]
    straightened = [
        View(f"untilt {angle:g} degrees, uncrop {share:g} %", (share / 100,) * 4, angle)
        for size, share in ((1.25, 1.4), (2.5, 2.7))
        for angle in (size, -size)
    ]
    return turned + straightened


def _uncovers() -> list[View]:
    corners = [
        View(
            f"uncover {down} {side} corner {size} %",
            cover="rectangle",
            box=(
                0.0 if side == "left" else 1 - size / 100,
                0.0 if down == "top" else 1 - size / 100,
                size / 100 if side == "left" else 1.0,
                size / 100 if down == "top" else 1.0,
            ),
        )
        for size, down, side in product((15, 28), ("top", "bottom"), ("left", "right"))
    ]
    bands = [
        View(f"uncover {name} band", cover="rectangle", box=(0, top, 1, bottom))
        for name, top, bottom in (
            ("top 17 %", 0, 0.17),
            ("bottom 17 %", 0.83, 1),
            ("bottom 27 %", 0.73, 1),
            ("middle", 0.4, 0.6),
        )
    ]
    discs = [
        View(
            f"uncover disc at {round(100 * x)} %, {round(100 * y)} %",
            cover="ellipse",
            box=(x - 0.17, y - 0.17, x + 0.17, y + 0.17),
        )
        for y, x in product((0.2, 0.5, 0.8), repeat=2)
    ]
    return corners + bands + discs


VIEWS: tuple[View, ...] = (*_uncrops(), *_untilts(), *_uncovers())
"""The views that are searched, those that find most first."""


@cache
def _ready() -> _core.PdqViews:
    rows = [(*one.margins, one.angle, _COVERS[one.cover], *one.box) for one in VIEWS]
    return _core.PdqViews(np.array(rows, np.float64))


def weigh(samples: Samples, first: int = 0, last: int = len(VIEWS)) -> Queries:
    """Return the queries of VIEWS[first:last]: each in eight orientations, view by view.

    Query number n is of view `first + n // 8` in orientation `ORIENTATIONS[n % 8]`. The view undoes
    an edit of the copy as it stands, and its result is then turned.
    """
    return Queries(*_ready().weigh(samples.values, samples.aspect, first, last))


def coefficients(samples: Samples) -> Coefficients:
    """Return the coefficients of each upright view."""
    return Coefficients(_ready().transform(samples.values, samples.aspect))


def view_of(query: int, first: int = 0) -> tuple[View, str]:
    """Return the view and the orientation of a query that `weigh` returned."""
    number, orientation = divmod(query, len(ORIENTATIONS))
    return VIEWS[first + number], ORIENTATIONS[orientation]
