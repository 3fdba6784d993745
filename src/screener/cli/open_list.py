"""Opening the list that a command is about: a folder, or a list file for a quick try."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from screener.cli import console, list_text, progress
from screener.errors import ListError
from screener.lists.hashlist import HashList
from screener.lists.store import database, transaction


def open_list(stack: ExitStack, path: Path, *, hugepages: bool = False) -> HashList:
    """A list folder as it is; a list file imported into a folder that goes with the command."""
    if path.is_dir():
        return HashList.open(path, hugepages=hugepages)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="screener-"))
    os.chmod(folder, 0o700)  # whatever the umask made of it
    known = HashList.create(Path(folder) / f"{path.name}{database.ENDING}")
    with progress.bar(f"importing {path.name}") as shown:
        report = known.import_file(path, progress=shown)
    list_text.print_import(console.to_stderr(), str(path), report)
    return HashList.open(known.path, hugepages=hugepages)


@contextmanager
def open_or_create(path: Path, *, group: str | None = None) -> Iterator[HashList]:
    """A list folder, made where there is none; it goes again if nothing comes into it.
    A new one is made with the `group`.
    """
    made = not path.exists()
    try:
        if made:
            try:
                HashList.create(path, group=group)
            except ListError:
                if not path.exists():  # made meanwhile by another import
                    raise
                made = False
        yield HashList.open(path)
    except BaseException as error:
        if made:
            # Where an interrupt came between two steps, what has the list's lock waits in a frame.
            traceback.clear_frames(error.__traceback__)
            transaction.remove_unused(path)
        raise
