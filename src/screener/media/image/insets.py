"""Find parts of a picture that may be pictures of their own, as in a chat or a collage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MAX_SAMPLES = 512  # of a line
_MAX_RANGE = 6  # levels within a line of a gutter
_MAX_CUTS = 4  # rows and columns in turn


@dataclass(frozen=True, eq=False)
class Inset:
    """A part of a picture that may be a picture of its own.

    `pixels` are (H, W) or (H, W, 3), a view of the picture if nothing was rectified. `box` is left,
    top, right and bottom in pixels of the picture; right and bottom are exclusive.
    """

    pixels: NDArray[np.uint8]
    box: tuple[int, int, int, int]


def find_insets(pixels: NDArray[np.uint8], *, limit: int, min_side: int) -> tuple[Inset, ...]:
    """Return at most `limit` parts between even lines, the largest first.

    The shorter side of each has at least `min_side` pixels.
    """
    height, width = pixels.shape[:2]
    boxes = {
        (left, top, right, bottom)
        for left, top, right, bottom in _cut(pixels, (0, 0, width, height), _MAX_CUTS)
        if min(right - left, bottom - top) >= min_side
    } - {(0, 0, width, height)}
    boxes_by_size = sorted(boxes, key=lambda box: (-(box[2] - box[0]) * (box[3] - box[1]), box))
    return tuple(
        Inset(pixels[top:bottom, left:right], (left, top, right, bottom))
        for left, top, right, bottom in boxes_by_size[:limit]
    )


def _cut(
    pixels: NDArray[np.uint8], box: tuple[int, int, int, int], cuts: int
) -> Iterator[tuple[int, int, int, int]]:
    """Yield the parts of a box between even lines, cut in turn by rows and by columns."""
    if not cuts:
        yield box
        return
    left, top, right, bottom = box
    part = pixels[top:bottom, left:right]
    if cuts % 2 == 0:
        for start, end in _find_busy_runs(part):
            yield from _cut(pixels, (left, top + start, right, top + end), cuts - 1)
    else:
        for start, end in _find_busy_runs(part.swapaxes(0, 1)):
            yield from _cut(pixels, (left + start, top, left + end, bottom), cuts - 1)


def _find_busy_runs(lines: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Return the first and the end line of each run of lines that are not even."""
    samples = lines[:, :: max(1, lines.shape[1] // _MAX_SAMPLES)]
    samples = samples.reshape(len(samples), -1)
    is_busy = samples.max(axis=1) - samples.min(axis=1) > _MAX_RANGE
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_busy, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
