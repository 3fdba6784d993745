"""Frames around a picture: borders, letterbox and pillarbox bars.

A bar is a run of lines from a side inwards that have one colour but for noise, and that ends in a
step. The trimmed picture is screened beside the whole one. docs/internals/pixels.md states the
rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import screener._core as _core
from screener.media.image import backdrop

Pixels = NDArray[np.uint8]

LEAST = 40
"""Least width and height of a trimmed picture, in pixels."""

MOST = 5
"""Trimmed pictures of one picture: frames nest, seams are soft, and a bar may be a backdrop."""

_NESTED = 3  # frames within each other
_LEFT = 5  # at least a fifth of each side is left
_SAMPLES = 256  # along a line; more would only cost time
_FAR = 0.02  # share of a line outside of the bar's colour: dust, a cursor
_NOISE = 16  # levels that the rest of the outermost line may lie from its median
_UNEVEN = 4  # levels that the mean of a quarter of that line may lie from the median
_STEP = 4.0  # levels away from the bar's colour that are a step,
_STEEP = 3  # if within so many lines
_SPREAD = 16  # lines into which a JPEG's blocks spread the picture
_SHADOW = 16  # a shadow at the seam has at most a sixteenth of the side
_FAINT = 8  # times that spread is fainter than its origin
_EVEN = 16  # levels that most of a line of shadow may vary
_WRITTEN = 0.35  # share of a line with writing that has the bar's colour
_BARE = 3  # lines without writing, by which they and the writing before them are the bar's
_LOOSE = 24  # levels around the bar's colour that belong to it in lines with writing


@dataclass(frozen=True)
class _Bar:
    """A bar: its lines to the first change (`hard`) and to the picture (`soft`), and its colour."""

    hard: int = 0
    soft: int = 0
    colour: int = -1


@dataclass(frozen=True)
class _Own:
    """A bar's colour as luma, and the levels around it that its noise reaches."""

    colour: int
    noise: int

    def off(self, lines: NDArray[np.int16]) -> NDArray[np.int16]:
        away: NDArray[np.int16] = np.abs(lines - np.int16(self.colour))
        return away

    def other(self, lines: NDArray[np.int16]) -> NDArray[np.bool_]:
        return np.asarray((self.off(lines) > self.noise).mean(axis=1) > _FAR)


_Lines = Callable[[int, int], NDArray[np.int16]]
"""Returns the luma of a range of lines, counted from a side inwards."""


def find_unframed(pixels: Pixels) -> tuple[Pixels, ...]:
    """Return at most MOST views of the picture without its frame, none if it has no frame.

    `pixels` is (H, W) grey or (H, W, 3) RGB, of any strides. There are several views if a seam is
    soft, if the bars hold writing, or if frames nest.
    """
    bars = _within_bars(pixels)
    if bars is None:
        return ()
    behind = _without_backdrop(bars[-1] if bars else pixels)
    if behind:
        behind += _within_bars(behind[-1]) or ()
    if bars:
        behind += _without_backdrop(pixels)[-1:]  # a backdrop may begin as a bar does
    views = list(bars)
    for view in behind:
        if not any(is_same_view(view, other) for other in views):
            views.append(view)
    return tuple(views[:MOST])


def _within_bars(pixels: Pixels) -> tuple[Pixels, ...] | None:
    """Return the picture without its bars, one after the other; None if there are too many.

    Bars within bars without end are the picture itself: stripes.
    """
    trimmed: list[Pixels] = []
    inner = pixels
    for _ in range(_NESTED):
        views = _without_bars(inner)
        if not views:
            return tuple(trimmed[: MOST - 1])
        trimmed += views
        inner = views[-1]
    return None if _without_bars(inner) else tuple(trimmed[: MOST - 1])


def is_same_view(one: Pixels, other: Pixels) -> bool:
    """Return whether two views differ by at most a line, which hardly changes a hash."""
    starts = [view.__array_interface__["data"][0] for view in (one, other)]
    lines = [abs(a - b) for a, b in zip(one.shape, other.shape, strict=True)]
    down, across = one.strides[:2]
    near = {row * down + column * across for row in (-1, 0, 1) for column in (-1, 0, 1)}
    return max(lines) <= 1 and starts[0] - starts[1] in near


def _without_backdrop(pixels: Pixels) -> list[Pixels]:
    return [view for view in backdrop.taken_off(pixels) if _worth(pixels, view)]


def _without_bars(pixels: Pixels) -> list[Pixels]:
    """Return the picture without its outermost bars, by hard and, if different, soft seams."""
    if pixels.ndim == 2 and not _core.even_edges(pixels):
        return []  # no side begins as a bar does, as in nearly all pictures
    height, width = pixels.shape[:2]
    above, below = _of_one_colour(*_bars(pixels))
    middle = pixels[above.soft : height - below.soft]
    if len(middle) < LEAST:
        return []
    left, right = _of_one_colour(*_bars(middle.swapaxes(0, 1)), above, below)
    hard = pixels[above.hard : height - below.hard, left.hard : width - right.hard]
    soft = middle[:, left.soft : width - right.soft]
    views = [hard] if soft.shape == hard.shape else [hard, soft]
    return [view for view in views if _worth(pixels, view)]


def _of_one_colour(one: _Bar, other: _Bar, *known: _Bar) -> tuple[_Bar, _Bar]:
    """Return the bars of two sides without any that belong to another frame or to the picture.

    A frame has one colour: that of the bars known before, or else of the larger bar.
    """
    framing = known if any(bar.hard for bar in known) else (one, other)
    colour = max(framing, key=lambda bar: bar.hard).colour
    first, second = (bar if abs(bar.colour - colour) <= _LOOSE else _Bar() for bar in (one, other))
    return first, second


def _worth(whole: Pixels, view: Pixels) -> bool:
    pairs = list(zip(whole.shape[:2], view.shape[:2], strict=True))
    enough = all(left >= LEAST and left * _LEFT >= side for side, left in pairs)
    return enough and any((side - left) * 200 > side for side, left in pairs)


def _least(length: int) -> int:
    return max(LEAST, length // _LEFT)


def _bars(pixels: Pixels) -> tuple[_Bar, _Bar]:
    height, width = pixels.shape[:2]
    across = pixels[:, :: max(1, width // _SAMPLES)]
    upward = across[::-1]
    return (
        _bar(lambda start, stop: _luma(across[start:stop]), height),
        _bar(lambda start, stop: _luma(upward[start:stop]), height),
    )


def _luma(lines: Pixels) -> NDArray[np.int16]:
    """Return approximate luma."""
    if lines.ndim == 3:
        lines = (lines[..., 0] >> 2) + (lines[..., 1] >> 1) + (lines[..., 2] >> 2)
    return lines.astype(np.int16)


def _bar(lines: _Lines, length: int) -> _Bar:
    first = lines(0, 1)[0]
    if first.size < 4:
        return _Bar()
    colour = int(np.partition(first, first.size // 2)[first.size // 2])
    off = np.abs(first - colour)
    rank = min(int(first.size * (1 - _FAR)), first.size - 1)
    noise = int(np.partition(off, rank)[rank])
    if noise > _NOISE or not _level_along(first, colour):
        return _Bar()
    own = _Own(colour, max(4, 2 * noise + 2))
    most = length - _least(length)
    hard = _end(lines, own, most)
    if hard >= most or not _steps(lines, own, hard):
        return _Bar()
    last = _after_writing(lines, own, hard, length)
    spread, sure = _seam(lines, own, last, length)
    soft = min(last + spread, most)
    return _Bar(soft if sure and last == hard else hard, soft, colour)


def _level_along(line: NDArray[np.int16], colour: int) -> bool:
    """Return whether a line's quarters have one colour, as noise does and a sky does not."""
    quarters = np.add.reduceat(line, np.arange(4) * line.size // 4, dtype=np.int64)
    sizes = np.diff(np.arange(5) * line.size // 4)
    return bool((np.abs(quarters - colour * sizes) <= _UNEVEN * sizes).all())


def _end(lines: _Lines, own: _Own, most: int) -> int:
    """Return the first line that is not the bar's, or `most`."""
    at, size = 0, 16
    while at < most:
        other = own.other(lines(at, min(at + size, most)))
        if other.any():
            return at + int(np.argmax(other))
        at, size = at + size, min(size * 2, 256)
    return most


def _steps(lines: _Lines, own: _Own, end: int) -> bool:
    level = own.off(lines(end - 1, end + _SPREAD)).mean(axis=1)
    return bool((level[_STEEP:] - level[:-_STEEP] >= _STEP).any())


def _after_writing(lines: _Lines, own: _Own, hard: int, length: int) -> int:
    """Return where the bar ends if the lines behind `hard` are writing on it, else `hard`.

    A picture with much of the frame beside it also looks like writing with bare lines behind it. So
    the tallest run on bare lines, if large enough, is the picture.
    """
    least = _least(length)
    end, at, bare = hard, hard, 0
    tallest, before = least - 1, None
    while at < length - least:
        near = lines(at, min(at + 32, length - least))
        written = (own.off(near) <= _LOOSE).mean(axis=1) >= _WRITTEN
        plain = ~own.other(near)
        for number in range(len(near)):
            if not written[number]:
                return end
            bare = bare + 1 if plain[number] else 0
            here = at + number + 1
            if bare == _BARE and here - bare - end > tallest:
                tallest, before = here - bare - end, end
            if bare >= _BARE:
                end = here
        at += len(near)
    return end if before is None or at - bare - end > tallest else before


def _seam(lines: _Lines, own: _Own, end: int, length: int) -> tuple[int, bool]:
    """Return how many lines a JPEG's block or a shadow has spread to, and whether that is sure."""
    near = lines(end, end + max(_SPREAD + 4, length // _SHADOW))
    level = own.off(near[: _SPREAD + 4]).mean(axis=1)
    spread = int(np.argmax(level >= level.max() / 2))
    shadow = _shadow(near, own)
    if shadow > spread:
        return shadow, False
    return spread, bool((level[:spread] * _FAINT <= level.max()).all())


def _shadow(near: NDArray[np.int16], own: _Own) -> int:
    margin = near.shape[1] // 5  # may hold the bars and shadows of the other sides
    inner = near[:, margin : near.shape[1] - margin]
    size = inner.shape[1]
    ranks = (size // 10, size // 2, size - 1 - size // 10)
    low, middle, high = np.partition(inner, ranks, axis=1)[:, ranks].T
    away = np.abs(middle - own.colour)
    grows = away - np.concatenate(([0, 0], away[:-2])) >= 1
    shadow = grows & (high - low <= _EVEN)
    count = len(shadow) if shadow.all() else int(np.argmin(shadow))
    return count if count > 2 else 0
