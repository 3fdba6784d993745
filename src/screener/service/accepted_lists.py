"""Lists in use, guarded: one that shrinks by more than half at once is not taken up."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from screener.errors import ServiceError, cause
from screener.lists.hashlist import HashList
from screener.lists.states import MATCHING
from screener.screening.screener import Screener
from screener.service.settings import Settings
from screener.system.files import make_folder, write_atomically

_log = logging.getLogger(__name__)
_Counts = dict[str, int]  # of entries that can match, and of searchable values of each kind


class AcceptedLists:
    """The counts of each list that a service last accepted.

    They are stored in the folder of the service's state if there is one, else in the list's folder.

    Attributes:
        shrunk: Names of lists whose newest generation is not taken up.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._counts: dict[Path, _Counts] = {}
        self.shrunk: set[str] = set()

    def open(self, path: Path) -> HashList:
        """Open a list. Raises ServiceError if it has shrunk, or its counts cannot be read."""
        newest = HashList.open(path, hugepages=self._settings.hugepages)
        stored = {} if self._settings.accept_shrink else self._read(newest)
        self._counts[newest.path] = stored
        if lost := _find_lost(newest, stored):
            raise ServiceError(
                f"the list {newest.name} has shrunk by more than half since the service accepted it"
                f" ({lost}): correct the list, or take it up with --accept-shrink"
            )
        return newest

    def choose(self, now: Screener, newest: Screener) -> Screener:
        """Return the newest Screener, but with the old generations of lists that have shrunk."""
        old_lists = {one.path: one for one in now.lists}
        lists = [self._choose(old_lists.get(one.path, one), one) for one in newest.lists]
        if all(one in newest.lists for one in lists):
            return newest
        is_same = lists == list(now.lists) and newest.policy == now.policy
        return now if is_same else newest.with_lists(lists)

    def _choose(self, old: HashList, newest: HashList) -> HashList:
        if old is newest or old.path not in self._counts:
            return newest
        lost = _find_lost(newest, _count(old))
        if not lost:
            self.shrunk.discard(newest.name)
            return newest
        if newest.name not in self.shrunk:
            self.shrunk.add(newest.name)
            shown = f"generation {newest.generation} of the list {newest.name} has shrunk ({lost})"
            _log.error("%s and is not taken up: correct it, or start with --accept-shrink", shown)
        return old

    def store(self, lists: Iterable[HashList]) -> None:
        """Store the counts of lists that are in use. If that fails, the log says so."""
        for one in lists:
            counts = _count(one)
            if self._counts.get(one.path, counts) == counts:
                continue
            self._counts[one.path] = counts
            path = self._find_file(one)
            try:
                if not path.parent.is_dir():
                    make_folder(path.parent)
                with write_atomically(path) as (handle,):
                    os.write(handle, json.dumps(counts).encode())
            except OSError as error:
                _log.warning(
                    "%s cannot be written, so that a restart takes up a list that has shrunk: %s;"
                    " name a folder with --state", path, cause(error),
                )  # fmt: skip

    def _find_file(self, one: HashList) -> Path:
        state = self._settings.state
        return one.path / "accepted.json" if state is None else state / f"{one.name}.accepted.json"

    def _read(self, one: HashList) -> _Counts:
        path = self._find_file(one)
        try:
            return {str(key): int(number) for key, number in json.loads(path.read_bytes()).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError):
            raise ServiceError(
                f"{path} cannot be read: check the list, and start with --accept-shrink"
            ) from None


def _count(one: HashList) -> _Counts:
    return {"entries": sum(one.states.get(state, 0) for state in MATCHING), **one.kinds}


def _find_lost(newest: HashList, accepted: _Counts) -> str:
    """Return the counts that have shrunk by more than half, as text."""
    counts = _count(newest)
    return ", ".join(
        f"{name}: {counts.get(name, 0)} of {number}"
        for name, number in accepted.items()
        if 2 * counts.get(name, 0) < number
    )
