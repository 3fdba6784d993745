"""Frames around a picture: borders, letterbox and pillarbox bars, found and taken off.

A bar is a run of lines, from a side inwards, that have one colour but for noise, and that ends
in a step: a sky that grows darker has none. What is found is looked at beside the whole picture,
never instead of it. docs/internals/pixels.md states the rules.
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
"""A trimmed picture is at least so many pixels wide and high."""

MOST = 5
"""So many trimmed pictures may come of one: frames lie within frames, seams are soft, and what
begins as a bar may be a backdrop.
"""

_NESTED = 3  # frames that lie within each other
_KEPT = 5  # at least a fifth of each side stays
_SAMPLES = 256  # along a line; more would only cost time
_FAR = 0.02  # the share of a line that may lie outside of the bar's colour: dust, a cursor
_NOISE = 16  # levels that all but that share of the outermost line may lie from its median
_UNEVEN = 4  # levels that the mean of a quarter of that line may lie from the median
_STEP = 4.0  # levels further from the bar's colour is a step,
_STEEP = 3  # if it is made within so many lines
_SPREAD = 16  # lines into which a JPEG's blocks spread what lies behind a bar
_SHADOW = 16  # a shadow at the seam has at most a sixteenth of the side
_FAINT = 8  # what a block spreads is so many times fainter than what it comes from
_EVEN = 16  # levels that most of a line of shadow may spread
_WRITTEN = 0.35  # the share of a line with writing that has the bar's colour
_BARE = 3  # lines without writing, and writing before them, are the bar's
_LOOSE = 24  # levels round the bar's colour that are its own in lines with writing


@dataclass(frozen=True)
class _Bar:
    """How many lines a bar has, up to where it first changes and up to the picture; its colour."""

    hard: int = 0
    soft: int = 0
    colour: int = -1


@dataclass(frozen=True)
class _Own:
    """A bar's own colour as luma, and the levels round it that its noise reaches."""

    colour: int
    noise: int

    def off(self, lines: NDArray[np.int16]) -> NDArray[np.int16]:
        """How far each sample lies from the bar's colour."""
        away: NDArray[np.int16] = np.abs(lines - np.int16(self.colour))
        return away

    def other(self, lines: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Which lines are not the bar's."""
        return np.asarray((self.off(lines) > self.noise).mean(axis=1) > _FAR)


_Lines = Callable[[int, int], NDArray[np.int16]]
"""Gives luma of the lines from one number to another, counted from a side inwards."""


def trimmed(pixels: Pixels) -> tuple[Pixels, ...]:
    """The picture without its frame: views of `pixels`; none where it has no frame to be told.

    `pixels` is (H, W) grey or (H, W, 3) RGB, of any strides. Several come where a seam is soft,
    where the bars hold writing, or where a frame lies within a frame; at most MOST.
    """
    bars = _within_bars(pixels)
    if bars is None:
        return ()
    behind = _without_backdrop(bars[-1] if bars else pixels)
    if behind:
        behind += _within_bars(behind[-1]) or ()
    if bars:
        behind += _without_backdrop(pixels)[-1:]  # which may begin as a bar does
    found = list(bars)
    for view in behind:
        if not any(is_same(view, one) for one in found):
            found.append(view)
    return tuple(found[:MOST])


def _within_bars(pixels: Pixels) -> tuple[Pixels, ...] | None:
    """The picture without its bars, one after the other; None of bars within bars without end: they
    are the picture itself, stripes.
    """
    found: list[Pixels] = []
    inner = pixels
    for _ in range(_NESTED):
        views = _without_bars(inner)
        if not views:
            return tuple(found[: MOST - 1])
        found += views
        inner = views[-1]
    return None if _without_bars(inner) else tuple(found[: MOST - 1])


def is_same(one: Pixels, other: Pixels) -> bool:
    """Whether two views of a picture differ in no more than a line: their hashes hardly do."""
    starts = [view.__array_interface__["data"][0] for view in (one, other)]
    lines = [abs(a - b) for a, b in zip(one.shape, other.shape, strict=True)]
    down, across = one.strides[:2]
    near = {row * down + column * across for row in (-1, 0, 1) for column in (-1, 0, 1)}
    return max(lines) <= 1 and starts[0] - starts[1] in near


def _without_backdrop(pixels: Pixels) -> list[Pixels]:
    """The picture without what was put behind it."""
    return [view for view in backdrop.taken_off(pixels) if _worth(pixels, view)]


def _without_bars(pixels: Pixels) -> list[Pixels]:
    """The picture without its outermost bars, by their hard seams and, if different, their soft."""
    if pixels.ndim == 2 and not _core.even_edges(pixels):
        return []  # no side begins as a bar does, which is so of nearly all pictures
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
    """The bars of two sides without those that are another frame's, or the picture's own edge:
    a frame has one colour, that of the bars known before or else of the larger one.
    """
    telling = known if any(bar.hard for bar in known) else (one, other)
    colour = max(telling, key=lambda bar: bar.hard).colour
    kept = [bar if abs(bar.colour - colour) <= _LOOSE else _Bar() for bar in (one, other)]
    return kept[0], kept[1]


def _worth(whole: Pixels, view: Pixels) -> bool:
    """Whether enough was taken off to matter, and enough is left to be a picture."""
    pairs = list(zip(whole.shape[:2], view.shape[:2], strict=True))
    enough = all(left >= LEAST and left * _KEPT >= side for side, left in pairs)
    return enough and any((side - left) * 200 > side for side, left in pairs)


def _least(length: int) -> int:
    """Lines that are left of so many, at least, of a picture in its frame."""
    return max(LEAST, length // _KEPT)


def _bars(pixels: Pixels) -> tuple[_Bar, _Bar]:
    """The bars above and below; those at the sides where the axes are swapped."""
    height, width = pixels.shape[:2]
    across = pixels[:, :: max(1, width // _SAMPLES)]
    upward = across[::-1]
    return (
        _bar(lambda start, stop: _luma(across[start:stop]), height),
        _bar(lambda start, stop: _luma(upward[start:stop]), height),
    )


def _luma(lines: Pixels) -> NDArray[np.int16]:
    """Luma of a few lines, near enough to tell a bar, and quickly made."""
    if lines.ndim == 3:
        lines = (lines[..., 0] >> 2) + (lines[..., 1] >> 1) + (lines[..., 2] >> 2)
    return lines.astype(np.int16)


def _bar(lines: _Lines, length: int) -> _Bar:
    """The bar that the outermost of `length` lines begin, if they do."""
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
    """Whether a line's quarters have one colour: noise averages out in them, a sky does not."""
    quarters = np.add.reduceat(line, np.arange(4) * line.size // 4, dtype=np.int64)
    sizes = np.diff(np.arange(5) * line.size // 4)
    return bool((np.abs(quarters - colour * sizes) <= _UNEVEN * sizes).all())


def _end(lines: _Lines, own: _Own, most: int) -> int:
    """The first line that is not the bar's; `most` where none of those before it is another's."""
    at, size = 0, 16
    while at < most:
        other = own.other(lines(at, min(at + size, most)))
        if other.any():
            return at + int(np.argmax(other))
        at, size = at + size, min(size * 2, 256)
    return most


def _steps(lines: _Lines, own: _Own, end: int) -> bool:
    """Whether a bar ends in a step, not in a slow change."""
    level = own.off(lines(end - 1, end + _SPREAD)).mean(axis=1)
    return bool((level[_STEEP:] - level[:-_STEEP] >= _STEP).any())


def _after_writing(lines: _Lines, own: _Own, hard: int, length: int) -> int:
    """Where the bar ends if the lines behind `hard` are writing on it; `hard` if they are not.

    A picture with much of the frame beside it looks like writing too, with bare lines behind it:
    of what stands on bare lines as far as they are looked at, the tallest that is large enough for
    a picture is the picture.
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
    """How many lines behind a bar's end are still not the picture's, but what a JPEG's block or a
    shadow has spread there; and whether that is sure.
    """
    near = lines(end, end + max(_SPREAD + 4, length // _SHADOW))
    level = own.off(near[: _SPREAD + 4]).mean(axis=1)
    spread = int(np.argmax(level >= level.max() / 2))
    shadow = _shadow(near, own)
    if shadow > spread:
        return shadow, False
    return spread, bool((level[:spread] * _FAINT <= level.max()).all())


def _shadow(near: NDArray[np.int16], own: _Own) -> int:
    """How many lines are even along their length, and each further from the bar's colour."""
    margin = near.shape[1] // 5  # of lines, where the bars and shadows of other sides may lie
    inner = near[:, margin : near.shape[1] - margin]
    size = inner.shape[1]
    ranks = (size // 10, size // 2, size - 1 - size // 10)
    low, middle, high = np.partition(inner, ranks, axis=1)[:, ranks].T
    away = np.abs(middle - own.colour)
    grows = away - np.concatenate(([0, 0], away[:-2])) >= 1
    shadow = grows & (high - low <= _EVEN)
    count = len(shadow) if shadow.all() else int(np.argmin(shadow))
    return count if count > 2 else 0
