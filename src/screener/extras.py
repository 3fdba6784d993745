"""Extras: what is installed only where asked for, and how one that is missing is named."""

from __future__ import annotations

import re

EXTRAS = ("heif", "video")
"""Those that an input may need to be screened: HEIC and HEIF; every codec, and key frames."""

_NAMED = re.compile(rf"pip install 'screener\[({'|'.join(EXTRAS)})\]'")


def install(extra: str) -> str:
    """What to type to have it."""
    return f"pip install 'screener[{extra}]'"


def named_in(detail: str | None) -> str | None:
    """The extra of which a sentence of ours says, by `install`, that it is needed."""
    found = _NAMED.search(detail or "")
    return found and found[1]
