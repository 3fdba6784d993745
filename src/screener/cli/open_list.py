"""Open the list that a command names: a folder, or a file imported into a temporary list."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from screener.cli import list_text, progress_display, streams
from screener.cli.option_types import describe_path_error
from screener.errors import ListError
from screener.lists.hashlist import HashList
from screener.lists.store import database, transaction


def open_list(stack: ExitStack, path: Path, *, hugepages: bool = False) -> HashList:
    """Return the list in a folder, or a temporary list into which a list file is imported."""
    if path.is_dir():
        return HashList.open(path, hugepages=hugepages)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="screener-"))
    os.chmod(folder, 0o700)  # The umask may have removed bits.
    hash_list = HashList.create(Path(folder) / f"{path.name}{database.ENDING}")
    with progress_display.show_bar(f"importing {path.name}") as on_progress:
        report = hash_list.import_file(path, progress=on_progress)
    list_text.print_import(streams.to_stderr(), str(path), report)
    return HashList.open(hash_list.path, hugepages=hugepages)


@contextmanager
def open_or_create(path: Path, *, group: str | None = None) -> Iterator[HashList]:
    """Yield the list in a folder; create it if missing, readable by the Unix group `group`.

    If nothing is written to a new list because of an error, remove it again.
    """
    created = not path.exists()
    if created and path.is_symlink():
        raise ListError(str(describe_path_error(os.fspath(path), folder=True)))
    try:
        if created:
            try:
                HashList.create(path, group=group)
            except ListError:
                if not path.exists():
                    raise
                created = False  # another import has just created it
        yield HashList.open(path)
    except BaseException as error:
        if created:
            # After an interrupt, a frame of the traceback may still have the list's lock.
            traceback.clear_frames(error.__traceback__)
            transaction.remove_unused(path)
        raise
