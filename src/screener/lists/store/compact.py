"""Merging the index files of a list outside of imports: a generation of the same records."""

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
    """Merge index files after an import, which is due; the number of the generation that comes of
    it, if any.

    The import is done: if this fails it stands, searches are slower, and the next one tries again.
    """
    try:
        return _merge(folder, tiers.overdue)
    except ScreenerError as error:
        _log.warning("imported into %s; its index files could not be merged: %s", folder, error)
        return None


def compact(folder: Path, progress: Progress | None = None) -> bool:
    """Merge the segments of a list into one a kind. False if all is in one."""
    return _merge(folder, tiers.compacted, progress) is not None


def _merge(
    folder: Path,
    stepping: Callable[[Snapshot], Step | None],
    progress: Progress | None = None,
) -> int | None:
    """Merge segments, as a generation of the same records; its number, None if there is none.

    The files are written before the transaction begins, which only names them: others may write to
    the database meanwhile. If one of them made other files of a kind, those stand. Nothing is new,
    so the generation is as old as the one before.
    """
    with transaction.lock_writer(folder):
        before = ask(folder, partial(generations.load, folder=folder))
        written = segments.merge(folder, before, stepping, progress)
        if not written:
            return None
        with transaction.begin(folder) as connection:
            now = generations.load(connection, folder)
            valid = [one for one in written if now.segments.get(one.kind.name) == one.before]
            for one in valid:
                segments.register(connection, one, now.next_number)
            if not valid:
                return None
            generations.publish(
                connection, now.next_number, what="compact", states=now.states, confirmed=now.time
            )
            return now.next_number
