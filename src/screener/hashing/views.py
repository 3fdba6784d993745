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
    negative: bool = False
    """Whether light and dark were exchanged."""
    enough: float = 1
    """The share of a policy's threshold that makes a hit."""


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
    View("negative", negative=True, enough=1.25),  # stripes resemble theirs
)
"""The views of every picture, the same for each side and corner, those first that find most."""

_SHAPES = {"1:1": 1.0, "4:5": 4 / 5, "9:16": 9 / 16, "16:9": 16 / 9}  # width over height
_SAME_SHAPE = 0.01
_SOURCES = {"4:3": 4 / 3, "3:2": 3 / 2, "16:9": 16 / 9, "3:4": 3 / 4, "2:3": 2 / 3, "9:16": 9 / 16}


def _uncrop_to(shape: str) -> tuple[View, ...]:
    """Return the views that undo a centred crop to a shape.

    Much is missing, so even a copy has less evidence, and an unrelated photo far less. Pages of
    text reach half of a threshold, so five eighths are asked for.
    """
    views = []
    for source, ratio in _SOURCES.items():
        across = (1 - min(1, _SHAPES[shape] / ratio)) / 2
        down = (1 - min(1, ratio / _SHAPES[shape])) / 2
        if across or down:
            margins = across, down, across, down
            views.append(View(f"uncrop {source} to {shape}", margins, enough=0.625))
    return tuple(views)


VIEWS_OF = {"": VIEWS} | {shape: VIEWS + _uncrop_to(shape) for shape in _SHAPES}
"""The views of a picture by its shape: applications crop to the named ones."""

SHARES = {view.name: view.enough for of_shape in VIEWS_OF.values() for view in of_shape}
"""The share of a threshold that is enough, by the name of a view."""


def find_shape(aspect: float) -> str:
    """Return the key of VIEWS_OF for a picture's height over its width."""
    near = (shape for shape, ratio in _SHAPES.items() if abs(aspect * ratio - 1) <= _SAME_SHAPE)
    return next(near, "")


@cache
def _ready(shape: str) -> _core.PdqViews:
    rows = [(*one.margins, one.angle, _COVERS[one.cover], *one.box) for one in VIEWS_OF[shape]]
    return _core.PdqViews(np.array(rows, np.float64))


ORIENTATIONS_OF = {len(one): one for one in (("upright", "flip_horizontal"), ORIENTATIONS)}
"""The orientations in which a view may be weighed, by their number.

People mirror a cropped picture, and hardly ever turn it by a quarter.
"""


def weigh(samples: Samples, *, orientations: int = 8) -> Queries:
    """Return the queries of the views of a picture's shape, each in so many orientations.

    Query number n is of view `n // orientations` in the orientation
    `ORIENTATIONS_OF[orientations][n % orientations]`. The view undoes an edit of the copy as it
    stands, and its result is then turned. A negative has the other bits.
    """
    shape = find_shape(samples.aspect)
    ready = _ready(shape)
    last = len(VIEWS_OF[shape])
    queries = Queries(*ready.weigh(samples.values, samples.aspect, 0, last, orientations))
    negatives = np.repeat([one.negative for one in VIEWS_OF[shape]], orientations)
    queries.codes[negatives] ^= 255
    return queries


def coefficients(samples: Samples) -> Coefficients:
    """Return the coefficients of each upright view; those of a negative have the other signs."""
    shape = find_shape(samples.aspect)
    values = _ready(shape).transform(samples.values, samples.aspect)
    values[[one.negative for one in VIEWS_OF[shape]]] *= -1
    return Coefficients(values)
