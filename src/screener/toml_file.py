"""TOML file: a file of settings that somebody wrote by hand."""

from __future__ import annotations

import os
import tomllib
from os import PathLike
from typing import Any

_LONGEST = 1 << 22  # characters; a device may have no end


def read(path: str | PathLike[str]) -> dict[str, Any]:
    """All that it says. OSError where it cannot be read; ValueError where it is no TOML, or more
    than anybody writes, which is UnicodeDecodeError where it is not written in UTF-8.
    """
    # A number would be taken for a descriptor of the program's own, and closed.
    with open(os.fspath(path), encoding="utf-8-sig") as stream:
        text = stream.read(_LONGEST + 1)
    if len(text) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST:,} characters")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
