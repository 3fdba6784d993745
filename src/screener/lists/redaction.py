"""Detect texts that may contain a hash, which is hidden by default."""

from __future__ import annotations

import re

HIDDEN = "(shown with the values)"  # replaces a text that may contain a hash
_MAY_BE_HASH = re.compile(r"[0-9A-Fa-f]{16}|[0-9A-Za-z+/]{24}", re.ASCII)


def may_hold_hash(text: str) -> bool:
    """Return whether a text, such as the name of a file or field, may contain a hash."""
    return _MAY_BE_HASH.search(text) is not None
