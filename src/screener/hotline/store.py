"""Store: a hotline's folder: how it is made, opened and locked, and how what follows outside from
its casebook is completed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from screener.errors import HotlineError, IndexFileError, ScreenerError
from screener.hotline import own_list, partners, settings, trusted_terms
from screener.hotline.casebook import case_log, casebook, database
from screener.hotline.language.sentence import marked
from screener.hotline.model.case import Case
from screener.hotline.notices import notifying
from screener.hotline.notices.notifying import Unwritten
from screener.hotline.open_list import list_errors, open_list
from screener.hotline.own_list import Unlisted
from screener.hotline.partners import Partners
from screener.hotline.reports.sealed import check_library, make_keys, write_new
from screener.hotline.settings import Settings
from screener.lists.hashlist import HashList
from screener.lists.terms import Terms
from screener.reporting.audit.chain import head_path
from screener.system.files import make_folder
from screener.system.locks import lock_file

_LOCK = "lock"
_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Behind:
    """What the casebook says and could not be brought about outside of it, and why. The next step
    or opening tries again.

    `pending` are notices that are not written yet: of which case, to whom, and why. `unlisted` are
    records that the hotline's list does not have as the casebook says. `unbound` is why that list
    does not say how far its own hashes may go, as `tlp` says now: an export goes by what it said
    before. `unlogged` is why the log was behind at the opening; all else was not tried then.
    """

    pending: Sequence[Unwritten] = ()
    unlisted: Sequence[Unlisted] = ()
    unbound: ScreenerError | None = None
    unlogged: HotlineError | None = None


class Store:
    """A hotline's folder: its casebook, its list, its log, its keys; readable by its owner only.

    One writes at a time; others wait some seconds. What was interrupted is completed by the next.
    """

    def __init__(self, folder: Path) -> None:
        """Not for callers: use `create` or `open`."""
        self.folder = folder
        self.behind = Behind()

    @classmethod
    def create(cls, folder: Path) -> Store:
        """Make a hotline in a folder that is new or empty, or in which the making of one was
        interrupted; HotlineError.
        """
        check_library()
        with contextlib.suppress(FileExistsError):
            make_folder(folder)
        _check_free(folder)
        os.chmod(folder, 0o700)
        store = cls(folder)
        with store._alone():
            _check_free(folder)  # of two who make it at once, one has made it
            with database.making(folder):
                _make(folder)
                store.complete()
        return store

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open a hotline's folder, and complete what was interrupted; HotlineError.

        What cannot be completed, for want of the log's key or of a partner's folder say, is told by
        `behind`, and prevents no reading.
        """
        database.check(folder)
        database.check_rows(folder)
        store = cls(folder)
        with store._alone():
            trouble = case_log.write(folder, store.settings.log_key)
            if trouble is None:
                store._write_rest()
            else:
                store.behind = Behind(unlogged=trouble)
        return store

    @property
    def own_list(self) -> HashList:
        """The hotline's own list, as it is now: seeds, and what two persons confirmed."""
        return open_list(self.folder / own_list.FOLDER)

    @property
    def settings(self) -> Settings:
        """What the operator decided, as the file says now."""
        return Settings.load(self.folder / settings.FILE)

    @property
    def partners(self) -> Partners:
        """The hotline and its partners, as the file says now; HotlineError."""
        return partners.load(self.folder / partners.FILE)

    @contextlib.contextmanager
    def step(self, reference: str, at: datetime) -> Iterator[tuple[sqlite3.Connection, Case]]:
        """One step of a case: whole or not at all, and completed before this returns."""
        with self.at_work(), self.writing() as connection:
            case = casebook.find(connection, reference)
            if at < case.received:
                message = marked(
                    "a step of {case} is not before its report came in: set the clock of this"
                    " computer right; if it was ahead when the report came in, `screener case"
                    " restart` has the 24 hours begin now"
                )
                raise HotlineError(message, case=reference)
            yield connection, case

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Be the only one that writes, with all completed that was interrupted before.

        HotlineError where the log cannot be written: then nothing is begun.
        """
        database.check(self.folder)
        with self._alone():
            trouble = case_log.trouble_of(self.settings.log_key, self.folder / case_log.FILE)
            if trouble is not None:
                raise trouble
            self.complete()
            yield

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction on the casebook, completed before this returns; inside `at_work`."""
        with database.writing(self.folder) as connection:
            yield connection
        self.complete()

    def complete(self) -> None:
        """Bring all that is outside of the casebook to what it says; by the one at work."""
        trouble = case_log.write(self.folder, self.settings.log_key)
        if trouble is not None:
            raise trouble
        self._write_rest()

    def _write_rest(self) -> None:
        known = self.partners if (self.folder / partners.FILE).exists() else None
        path = self.folder / own_list.FOLDER
        own = Terms() if known is None else known.hotline.terms
        trusted_terms.follow(self.folder, self.settings)
        with list_errors(path):
            unlisted = own_list.write(self.folder, own)
        unbound = own_list.write_terms(self.folder, own)
        self.behind = Behind(notifying.hand_out(self.folder), unlisted, unbound)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(lock_file(self.folder / _LOCK, seconds=_WAIT_SECONDS))
            except IndexFileError:
                message = marked("somebody else is at work in {folder}: try again in a moment")
                raise HotlineError(message, folder=self.folder) from None
            own_list.sweep(self.folder)
            yield


def _check_free(folder: Path) -> None:
    """HotlineError unless a hotline can be made in a folder."""
    try:
        names = {path.name for path in folder.iterdir()} - {_LOCK}
    except NotADirectoryError:
        raise HotlineError(marked("{folder} is no folder"), folder=folder) from None
    if names and not database.is_half_made(folder):
        raise HotlineError(marked("{folder} is not empty; choose another folder"), folder=folder)


def _make(folder: Path) -> None:
    """Make what a hotline has. What is there is of a making that was interrupted: nobody has used
    it, but for what somebody may have written into the files to fill in.
    """
    shutil.rmtree(folder / own_list.FOLDER, ignore_errors=True)
    log = folder / case_log.FILE
    for path in (folder / "hotline.key", folder / "hotline.pub", log, head_path(log)):
        path.unlink(missing_ok=True)
    make_keys(folder)
    for name, text in ((settings.FILE, settings.TEMPLATE), (partners.FILE, partners.TEMPLATE)):
        if not (folder / name).exists():
            write_new(folder / name, text.encode())
    HashList.create(folder / own_list.FOLDER)
    database.create(folder)
