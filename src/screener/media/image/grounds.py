"""Show a transparent picture on other grounds than white.

Viewers show it on black as well, cut-off corners of a photo disturb its hash least on the mean of
what is visible, and tools without alpha show the colours that are stored. docs/internals/pixels.md
states the rules.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from screener.media.image.pixels import Pixels, composite


def show_on_grounds(luma_alpha: Pixels) -> Iterator[tuple[str, Pixels]]:
    """Yield views in grey of a picture of luma and alpha, (H, W, 2), after the regions' names."""
    luma, alpha = luma_alpha[..., 0], luma_alpha[..., 1]
    yield "on_black", composite(luma_alpha, ground=0)
    opaque = int(alpha.sum(dtype=np.int64))
    if opaque:
        visible = int((luma.astype(np.uint16) * alpha).sum(dtype=np.int64))
        yield "on_mean", composite(luma_alpha, ground=round(visible / opaque))
    yield "without_alpha", luma
