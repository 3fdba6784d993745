"""What may be told unasked: no text that may hold a hash."""

from __future__ import annotations

import re

HIDDEN = "(told with the values)"  # in the place of a text that may hold a hash
_MAY_BE_HASH = re.compile(r"[0-9A-Fa-f]{16}|[0-9A-Za-z+/]{24}", re.ASCII)


def may_hold_hash(text: str) -> bool:
    """Whether a text may hold a hash: fingerprints of kinds that are not known here are labels,
    and names of files, fields and lists may be hashes.
    """
    return _MAY_BE_HASH.search(text) is not None
