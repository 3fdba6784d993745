"""Opening the list that a command is about: a folder, or a list file for a quick try."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from screener import console
from screener.errors import ListError
from screener.lists.hashlist import HashList


def open_list(stack: ExitStack, path: Path, *, hugepages: bool = False) -> HashList:
    """A list folder as it is; a list file imported into a folder that goes with the command."""
    if path.is_dir():
        return HashList.open(path, hugepages=hugepages)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="screener-"))
    known = HashList.create(Path(folder) / f"{path.name}.list")
    report = known.import_file(path)
    console.print_import(console.to_stderr(), str(path), report)
    return HashList.open(known.path, hugepages=hugepages)


def open_or_create(path: Path) -> HashList:
    """A list folder, made where there is none."""
    if not path.exists():
        try:
            return HashList.create(path)
        except ListError:
            if not path.exists():  # made meanwhile by another import
                raise
    return HashList.open(path)
