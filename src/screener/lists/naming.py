"""Naming: how a list is called in all that is told of it."""

from __future__ import annotations

import os
from pathlib import Path

ENDING = ".list"


def name_of(folder: Path) -> str:
    """The name of the list in a folder: the folder's, less our ending. Any other ending, a year
    say, is what tells it from the next list.
    """
    name = os.fsencode(folder.name).decode("utf-8", "replace")
    return name.removesuffix(ENDING) or name
