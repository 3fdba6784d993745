"""Find bars at a video's edges: lines of one colour in every sampled frame.

A picture's own edges may look like bars. Therefore centred regions with a usual aspect ratio are
tried too. The part between bars is compared in addition to the whole frame, never instead of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_Region = tuple[slice, slice]  # rows and columns

_MIN_LINES = 40  # lines that must remain between the bars
_MIN_SHARE_DIVISOR = 5  # at least a fifth of the side must remain
_SAMPLES_PER_LINE = 256
_MAX_NOISE = 3  # grey levels from the colour of the outermost line
_MAX_OUTLIERS = 0.02  # the share of a line that may exceed this noise
_MIN_BAR_DIVISOR = 100  # a bar covers at least a hundredth of the side
_RINGING_LINES = 6  # lines of a bar at the picture's edge, which compression may have changed

# Ratios of width and height, the commonest first.
_ASPECT_RATIOS = (16 / 9, 9 / 16, 4 / 3, 3 / 4, 1.0, 3 / 2, 2 / 3, 2.39)
_MAX_TRIED_REGIONS = 6


@dataclass
class _Side:
    """One side of the video: how many lines had the colour of its bar in every frame."""

    bar_lines: int
    colour: int

    def update(self, lines: Pixels) -> None:
        step = max(1, lines.shape[1] // _SAMPLES_PER_LINE)
        near = lines[: self.bar_lines, ::step].astype(np.int16)
        differs = (np.abs(near - self.colour) > _MAX_NOISE).mean(axis=1) > _MAX_OUTLIERS
        if differs.any():
            self.bar_lines = int(np.argmax(differs))


class Bars:
    """The bars of one video, updated by each frame."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self._sides: list[_Side] = []  # above, below, left, right

    def update(self, pixels: Pixels) -> None:
        """Narrow the bars to those that a grey frame, (H, W), has too.

        A frame of another shape starts again.
        """
        columns = pixels.swapaxes(0, 1)
        sides = (pixels, pixels[::-1], columns, columns[::-1])
        if pixels.shape != self._shape:
            self._shape = pixels.shape
            self._sides = [_Side(len(lines), int(np.median(lines[0]))) for lines in sides]
        for side, lines in zip(self._sides, sides, strict=True):
            if side.bar_lines:
                side.update(lines)

    def find_views(self, pixels: Pixels) -> tuple[Pixels, ...]:
        """Return views of a frame without its horizontal bars, its vertical bars, and both.

        Further views have a usual aspect ratio and may include parts of the bars.
        """
        if pixels.shape != self._shape:
            return ()
        above, below, left, right = (side.bar_lines for side in self._sides)
        height, width = pixels.shape
        rows, columns = _slice_between(above, below, height), _slice_between(left, right, width)
        regions: list[_Region] = []
        if rows is not None:
            regions.append((rows, slice(0, width)))
        if columns is not None:
            regions.append((slice(0, height), columns))
        if rows is not None and columns is not None:
            regions.append((rows, columns))
        regions += islice(self._find_usual_regions(rows, columns), _MAX_TRIED_REGIONS)
        return tuple(pixels[region] for region in regions)

    def _find_usual_regions(self, rows: slice | None, columns: slice | None) -> Iterator[_Region]:
        """Yield centred regions with a usual aspect ratio, the commonest first.

        `rows` and `columns` lie between the bars.
        """
        above, below, left, right = (side.bar_lines for side in self._sides)
        height, width = self._shape
        for aspect_ratio in _ASPECT_RATIOS:
            if rows is not None:
                for other_side in filter(None, (slice(0, width), columns)):
                    inner_length = (other_side.stop - other_side.start) / aspect_ratio
                    if (middle := _slice_middle(height, inner_length, above, below)) is not None:
                        yield middle, other_side
            if columns is not None:
                for other_side in filter(None, (slice(0, height), rows)):
                    inner_length = (other_side.stop - other_side.start) * aspect_ratio
                    if (middle := _slice_middle(width, inner_length, left, right)) is not None:
                        yield other_side, middle


def _slice_between(before: int, after: int, length: int) -> slice | None:
    """Return the lines between two bars, or None if the bars are too small or leave too little."""
    remaining = length - before - after
    if (
        remaining < max(_MIN_LINES, length // _MIN_SHARE_DIVISOR)
        or (before + after) * _MIN_BAR_DIVISOR < length
    ):
        return None
    return slice(before, length - after)


def _slice_middle(length: int, inner_length: float, before: int, after: int) -> slice | None:
    """Return the `inner_length` middle lines.

    Return None if that removes picture, too little, or just the bars.
    """
    edge = round((length - inner_length) / 2)
    if edge * _MIN_BAR_DIVISOR <= length or edge > min(before, after) + _RINGING_LINES:
        return None
    if max(abs(before - edge), abs(after - edge)) <= 1:
        return None
    return slice(edge, length - edge)
