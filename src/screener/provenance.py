"""Telling that a list mixes hashes made of other pixels than ours are."""

from __future__ import annotations

import logging
from pathlib import Path

from screener.lists.hashlist import HashList
from screener.media import pixels

_log = logging.getLogger(__name__)
_mixed: set[Path] = set()  # lists of which it was said


def warn_of_other_pixels(one: HashList) -> None:
    """Say once of a list that hashes in it were made of other pixels than ours are."""
    others = sorted(one.pixels() - {pixels.VERSION})
    if others and one.path not in _mixed:
        _mixed.add(one.path)
        _log.warning(
            "the list %s holds hashes made by version %s of the pixel pipeline, and this is version"
            " %d: their distances may be larger than they should be",
            one.name,
            ", ".join(map(str, others)),
            pixels.VERSION,
        )
