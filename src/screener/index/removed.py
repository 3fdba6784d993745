"""Removed: the rows of index files that no longer count, in a file of their own."""

from __future__ import annotations

import os
from typing import Final

import numpy as np

from screener.errors import IndexFileError
from screener.index.layout import open_sections, write_sections
from screener.index.values import Rows

_CONTENT: Final = "removed"
NONE_REMOVED: Final[Rows] = np.empty(0, np.int64)


def save_removed(path: str | os.PathLike[str], removed: Rows) -> None:
    """Write removed rows to a file that appears whole or not at all."""
    write_sections(path, _CONTENT, {"rows": removed.astype(np.uint64)})


def open_removed(path: str | os.PathLike[str]) -> Rows:
    """Read removed rows, checking every byte: a wrong one would hide a listed value."""
    sections = open_sections(path, _CONTENT)
    sections.verify()
    rows = sections.array("rows", dtype="u8", dimensions=1)
    if rows.size and rows.max() >= 1 << 62:
        raise IndexFileError(f"{path}: a row beyond any index")
    return rows.view(np.int64)
