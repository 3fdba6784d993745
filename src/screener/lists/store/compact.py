"""Merge the index files of a list into a generation of the same records."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from screener.errors import ScreenerError
from screener.index import tiers
from screener.index.snapshot import Snapshot
from screener.index.tiers import Step
from screener.lists.store import generations, segments, transaction
from screener.lists.store.database import ask
from screener.system.progress import Progress

_log = logging.getLogger(__name__)


def merge_overdue(folder: Path) -> int | None:
    """Merge overdue index files after an import; return the new generation's number or None.

    If merging fails, the import stands, searches are slower, and the next import tries again.
    """
    try:
        return _merge(folder, tiers.overdue)
    except ScreenerError as error:
        _log.warning("imported into %s; its index files could not be merged: %s", folder, error)
        return None


def compact(folder: Path, progress: Progress | None = None) -> bool:
    """Merge the segments of each kind into one; return whether there were any to merge."""
    return _merge(folder, tiers.compacted, progress) is not None


def _merge(
    folder: Path,
    plan: Callable[[Snapshot], Step | None],
    progress: Progress | None = None,
) -> int | None:
    """Merge segments as `plan` states, and return the new generation's number, or None.

    The files are written before the transaction, so that others can write to the database in the
    meantime. If another writer replaced the files of a kind, its files stay. The records do not
    change, so the generation is as old as the previous one.
    """
    with transaction.lock_writer(folder):
        before = ask(folder, partial(generations.load, folder=folder))
        written = segments.merge(folder, before, plan, progress)
        if not written:
            return None
        with transaction.begin(folder) as connection:
            now = generations.load(connection, folder)
            valid = [
                files for files in written if now.segments.get(files.kind.name) == files.before
            ]
            for files in valid:
                segments.register(connection, files, now.next_number)
            if not valid:
                return None
            generations.publish(connection, now.next_number, what="compact", confirmed=now.time)
            return now.next_number
