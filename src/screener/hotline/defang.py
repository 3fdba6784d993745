"""Defanging: an address written so that no program makes a link of it, and any person reads it."""

from __future__ import annotations

import re
from unicodedata import normalize
from urllib.parse import quote

_SCHEME = re.compile(r"(?i)\bh(tt)(ps?)(?=\s*:)")
# What a program may read as a dot or a colon, as its normal form tells, but for one: the full stop
# of Chinese and Japanese, which stands for a dot in the names of hosts.
_IDEOGRAPHIC_STOP = "\u3002"


def defanged(address: str) -> str:
    """`hxxps[:]//example[.]com/a`: one line, exact but for what is told here.

    Every dot and every colon stands in brackets, and so does each character that a program may take
    for one; `http` is written `hxxp`, and characters that cannot be printed (line ends, those that
    turn or hide others) are percent-encoded.
    """
    text = "".join(c if c.isprintable() else quote(c, errors="replace") for c in address.strip())
    text = _SCHEME.sub(lambda found: f"hxx{found[2].lower()}", text)
    return "".join(f"[{c}]" if _is_joint(c) else c for c in text)


def _is_joint(character: str) -> bool:
    return not set(normalize("NFKC", character) + character).isdisjoint(f".:{_IDEOGRAPHIC_STOP}")
