"""Find frames around a picture: borders, letterbox and pillarbox bars.

A bar is a run of lines from a side inwards that have one colour, except for noise, and end in a
step. The picture is screened both with and without its frame. docs/internals/pixels.md states the
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

MIN_SIDE = 40
"""Minimum width and height of a trimmed picture, in pixels."""

MAX_VIEWS = 5
"""Maximum number of trimmed views: frames nest, seams are soft, a bar may be a backdrop."""

_MAX_NESTED_FRAMES = 3
_MAX_CROP_RATIO = 5  # at least a fifth of each side remains
_SAMPLES_PER_LINE = 256  # more would take time and find nothing
_MAX_OUTLIERS = 0.02  # share of a line that may have another colour: dust, a cursor
_MAX_NOISE = 16  # levels between the outermost line's median and its other pixels
_MAX_QUARTER_DEVIATION = 4  # levels between that median and the mean of a quarter of the line
_MIN_STEP = 4.0  # levels by which the colour changes at a bar's end,
_STEP_LINES = 3  # within this number of lines
_MAX_SPREAD = 16  # lines into which a JPEG's blocks spread the picture
_MAX_SHADOW_RATIO = 16  # a shadow at the seam covers at most a sixteenth of the side
_FAINTNESS = 8  # minimum ratio of the picture to its spread, in levels
_MAX_SHADOW_RANGE = 16  # levels between the 10th and 90th percentile of a line of shadow
_MIN_BARE_SHARE = 0.35  # share of a line with writing that has the bar's colour
_MIN_BARE_LINES = 3  # bare lines after writing show that the writing belongs to the bar
_LOOSE_LEVELS = 24  # levels around the bar's colour that count as it in lines with writing


@dataclass(frozen=True)
class _Bar:
    """A bar: the lines before the first change (`hard`) and before the picture (`soft`)."""

    hard: int = 0
    soft: int = 0
    colour: int = -1


@dataclass(frozen=True)
class _BarColour:
    """A bar's luma, and the distance from it, in levels, that noise may reach."""

    colour: int
    noise: int

    def compute_distances(self, lines: NDArray[np.int16]) -> NDArray[np.int16]:
        distances: NDArray[np.int16] = np.abs(lines - np.int16(self.colour))
        return distances

    def differs(self, lines: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Return for each line whether it has another colour."""
        return np.asarray((self.compute_distances(lines) > self.noise).mean(axis=1) > _MAX_OUTLIERS)


# Returns the luma of a range of lines, counted from a side inwards.
_Lines = Callable[[int, int], NDArray[np.int16]]


def find_unframed(pixels: Pixels) -> tuple[Pixels, ...]:
    """Return views of the picture without its frame, at most MAX_VIEWS.

    `pixels` is (H, W) grey or (H, W, 3) RGB, with any strides. There are several views if a seam is
    soft, if there is writing on the bars, or if frames nest.
    """
    bars = _find_within_bars(pixels)
    if bars is None:
        return ()
    more_views = _find_without_backdrop(bars[-1] if bars else pixels)
    if more_views:
        more_views += _find_within_bars(more_views[-1]) or ()
    if bars:
        more_views += _find_without_backdrop(pixels)[-1:]  # a backdrop may begin as a bar does
    views = list(bars)
    for view in more_views:
        if not any(is_same_view(view, other) for other in views):
            views.append(view)
    return tuple(views[:MAX_VIEWS])


def _find_within_bars(pixels: Pixels) -> tuple[Pixels, ...] | None:
    """Return views without the outermost bars, then without the next ones and so on.

    Return None if there are too many bars within bars: the picture itself is striped.
    """
    all_views: list[Pixels] = []
    inner = pixels
    for _ in range(_MAX_NESTED_FRAMES):
        views = _find_without_bars(inner)
        if not views:
            return tuple(all_views[: MAX_VIEWS - 1])
        all_views += views
        inner = views[-1]
    return None if _find_without_bars(inner) else tuple(all_views[: MAX_VIEWS - 1])


def is_same_view(first: Pixels, second: Pixels, *, lines: int = 1) -> bool:
    """Return whether two views differ by at most `lines`, which hardly changes a hash."""
    if first.ndim != second.ndim:
        return False  # such as a picture in colour and its luma on another ground
    starts = [view.__array_interface__["data"][0] for view in (first, second)]
    differences = [abs(a - b) for a, b in zip(first.shape, second.shape, strict=True)]
    row_stride, column_stride = first.strides[:2]
    shifts = range(-lines, lines + 1)
    neighbours = {row * row_stride + column * column_stride for row in shifts for column in shifts}
    return max(differences) <= lines and starts[0] - starts[1] in neighbours


def _find_without_backdrop(pixels: Pixels) -> list[Pixels]:
    return [view for view in backdrop.find_without_backdrop(pixels) if _is_worthwhile(pixels, view)]


def _find_without_bars(pixels: Pixels) -> list[Pixels]:
    """Return the views inside the outermost bars, cut at hard and, if different, soft seams."""
    if pixels.ndim == 2 and not _core.even_edges(pixels):
        return []  # no side begins as a bar does, as in nearly all pictures
    height, width = pixels.shape[:2]
    above, below = _select_one_colour(*_find_bars(pixels))
    middle = pixels[above.soft : height - below.soft]
    if len(middle) < MIN_SIDE:
        return []
    left, right = _select_one_colour(*_find_bars(middle.swapaxes(0, 1)), above, below)
    hard = pixels[above.hard : height - below.hard, left.hard : width - right.hard]
    soft = middle[:, left.soft : width - right.soft]
    views = [hard] if soft.shape == hard.shape else [hard, soft]
    return [view for view in views if _is_worthwhile(pixels, view)]


def _select_one_colour(first: _Bar, second: _Bar, *known: _Bar) -> tuple[_Bar, _Bar]:
    """Return two sides' bars, empty if they have another colour than the frame.

    The frame has the colour of the `known` bars, or of the larger bar if there are none.
    """
    framing = known if any(bar.hard for bar in known) else (first, second)
    colour = max(framing, key=lambda bar: bar.hard).colour
    first, second = (
        bar if abs(bar.colour - colour) <= _LOOSE_LEVELS else _Bar() for bar in (first, second)
    )
    return first, second


def _is_worthwhile(whole: Pixels, view: Pixels) -> bool:
    pairs = list(zip(whole.shape[:2], view.shape[:2], strict=True))
    is_large = all(inner >= MIN_SIDE and inner * _MAX_CROP_RATIO >= side for side, inner in pairs)
    return is_large and any((side - inner) * 200 > side for side, inner in pairs)


def _find_min_side(length: int) -> int:
    return max(MIN_SIDE, length // _MAX_CROP_RATIO)


def _find_bars(pixels: Pixels) -> tuple[_Bar, _Bar]:
    height, width = pixels.shape[:2]
    from_top = pixels[:, :: max(1, width // _SAMPLES_PER_LINE)]
    from_bottom = from_top[::-1]
    return (
        _find_bar(lambda start, stop: _approximate_luma(from_top[start:stop]), height),
        _find_bar(lambda start, stop: _approximate_luma(from_bottom[start:stop]), height),
    )


def _approximate_luma(lines: Pixels) -> NDArray[np.int16]:
    if lines.ndim == 3:
        lines = (lines[..., 0] >> 2) + (lines[..., 1] >> 1) + (lines[..., 2] >> 2)
    return lines.astype(np.int16)


def _find_bar(lines: _Lines, length: int) -> _Bar:
    outermost = lines(0, 1)[0]
    if outermost.size < 4:
        return _Bar()
    colour = int(np.partition(outermost, outermost.size // 2)[outermost.size // 2])
    distances = np.abs(outermost - colour)
    rank = min(int(outermost.size * (1 - _MAX_OUTLIERS)), outermost.size - 1)
    noise = int(np.partition(distances, rank)[rank])
    if noise > _MAX_NOISE or not _is_one_colour(outermost, colour):
        return _Bar()
    bar_colour = _BarColour(colour, max(4, 2 * noise + 2))
    limit = length - _find_min_side(length)
    hard = _find_end(lines, bar_colour, limit)
    if hard >= limit or not _has_step(lines, bar_colour, hard):
        return _Bar()
    end = _find_end_of_writing(lines, bar_colour, hard, length)
    spread, is_certain = _measure_seam(lines, bar_colour, end, length)
    soft = min(end + spread, limit)
    return _Bar(soft if is_certain and end == hard else hard, soft, colour)


def _is_one_colour(line: NDArray[np.int16], colour: int) -> bool:
    """Return whether a line's quarters have one colour, unlike those of a sky."""
    quarters = np.add.reduceat(line, np.arange(4) * line.size // 4, dtype=np.int64)
    sizes = np.diff(np.arange(5) * line.size // 4)
    return bool((np.abs(quarters - colour * sizes) <= _MAX_QUARTER_DEVIATION * sizes).all())


def _find_end(lines: _Lines, bar_colour: _BarColour, limit: int) -> int:
    """Return the first line that does not belong to the bar, or `limit`."""
    start, count = 0, 16
    while start < limit:
        differs = bar_colour.differs(lines(start, min(start + count, limit)))
        if differs.any():
            return start + int(np.argmax(differs))
        start, count = start + count, min(count * 2, 256)
    return limit


def _has_step(lines: _Lines, bar_colour: _BarColour, end: int) -> bool:
    level = bar_colour.compute_distances(lines(end - 1, end + _MAX_SPREAD)).mean(axis=1)
    return bool((level[_STEP_LINES:] - level[:-_STEP_LINES] >= _MIN_STEP).any())


def _find_end_of_writing(lines: _Lines, bar_colour: _BarColour, hard: int, length: int) -> int:
    """Return the end of any writing on the bar after `hard`, else `hard`.

    A narrow picture with bars at its sides also looks like writing followed by bare lines. So the
    tallest run between bare lines, if large enough, is the picture.
    """
    min_side = _find_min_side(length)
    end, start, bare_lines = hard, hard, 0
    tallest, end_before_tallest = min_side - 1, None
    while start < length - min_side:
        block = lines(start, min(start + 32, length - min_side))
        bare_share = (bar_colour.compute_distances(block) <= _LOOSE_LEVELS).mean(axis=1)
        may_be_written = bare_share >= _MIN_BARE_SHARE
        is_bare = ~bar_colour.differs(block)
        for number in range(len(block)):
            if not may_be_written[number]:
                return end
            bare_lines = bare_lines + 1 if is_bare[number] else 0
            line_end = start + number + 1
            if bare_lines == _MIN_BARE_LINES and line_end - bare_lines - end > tallest:
                tallest, end_before_tallest = line_end - bare_lines - end, end
            if bare_lines >= _MIN_BARE_LINES:
                end = line_end
        start += len(block)
    if end_before_tallest is None or start - bare_lines - end > tallest:
        return end
    return end_before_tallest


def _measure_seam(lines: _Lines, bar_colour: _BarColour, end: int, length: int) -> tuple[int, bool]:
    """Return the number of lines between bar and picture, and whether it is certain.

    A JPEG's blocks or a shadow spread to these lines.
    """
    near = lines(end, end + max(_MAX_SPREAD + 4, length // _MAX_SHADOW_RATIO))
    level = bar_colour.compute_distances(near[: _MAX_SPREAD + 4]).mean(axis=1)
    spread = int(np.argmax(level >= level.max() / 2))
    shadow = _measure_shadow(near, bar_colour)
    if shadow > spread:
        return shadow, False
    return spread, bool((level[:spread] * _FAINTNESS <= level.max()).all())


def _measure_shadow(near: NDArray[np.int16], bar_colour: _BarColour) -> int:
    margin = near.shape[1] // 5  # the other sides' bars and shadows may be there
    inner = near[:, margin : near.shape[1] - margin]
    size = inner.shape[1]
    ranks = (size // 10, size // 2, size - 1 - size // 10)
    low, middle, high = np.partition(inner, ranks, axis=1)[:, ranks].T
    distances = np.abs(middle - bar_colour.colour)
    grows = distances - np.concatenate(([0, 0], distances[:-2])) >= 1
    shadow = grows & (high - low <= _MAX_SHADOW_RANGE)
    count = len(shadow) if shadow.all() else int(np.argmin(shadow))
    return count if count > 2 else 0
