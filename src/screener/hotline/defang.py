"""Defanging: an address written so that no program makes a link of it, and any person reads it."""

from __future__ import annotations

import re
from urllib.parse import quote

_SCHEME = re.compile(r"(?i)\bh(tt)(ps?)(?=\s*:)")


def defanged(address: str) -> str:
    """`hxxps[:]//example[.]com/a`: one line, exact but for what is told here.

    Every dot and every colon before slashes stands in brackets, `http` is written `hxxp`, and
    characters that cannot be printed (line ends, those that turn or hide others) are
    percent-encoded.
    """
    text = "".join(c if c.isprintable() else quote(c, errors="replace") for c in address.strip())
    text = _SCHEME.sub(lambda found: f"hxx{found[2].lower()}", text)
    return text.replace("://", "[:]//").replace(".", "[.]")
