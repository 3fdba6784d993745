"""Store: a hotline's folder, its lock, and the work that follows a commit of the casebook."""

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
from screener.hotline.casebook import case_database, case_log, casebook
from screener.hotline.language.sentence import mark
from screener.hotline.model.case import Case
from screener.hotline.notices import notifying
from screener.hotline.notices.notifying import UndeliveredNotice
from screener.hotline.open_list import open_list, translate_list_errors
from screener.hotline.own_list import UnlistedRecord
from screener.hotline.partners import Partners
from screener.hotline.reports.sealed import check_nacl, make_keys, write_new
from screener.hotline.settings import Settings
from screener.lists.hashlist import HashList
from screener.lists.terms import Terms
from screener.reporting.audit.chain import head_path
from screener.system.files import make_folder
from screener.system.locks import lock_file

_LOCK = "lock"
_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Backlog:
    """What is recorded in the casebook but not yet written elsewhere, and why.

    The next step or opening tries again. `notices` are those not delivered. `records` are those
    that the hotline's list lacks. `terms`: the list's sharing level is outdated, and exports still
    use the old one. `log`: the log was behind at the opening, and nothing else was tried.
    """

    notices: Sequence[UndeliveredNotice] = ()
    records: Sequence[UnlistedRecord] = ()
    terms: ScreenerError | None = None
    log: HotlineError | None = None


class Store:
    """A hotline's folder: casebook, list, log and keys, for its owner only.

    One process writes at a time; others wait some seconds. The next one completes interrupted work.
    """

    def __init__(self, folder: Path) -> None:
        """Not for callers: use `create` or `open`."""
        self.folder = folder
        self.backlog = Backlog()

    @classmethod
    def create(cls, folder: Path) -> Store:
        """Create a hotline in a new or empty folder, or finish an interrupted creation.

        Raises HotlineError.
        """
        check_nacl()
        with contextlib.suppress(FileExistsError):
            make_folder(folder)
        _check_free(folder)
        os.chmod(folder, 0o700)
        store = cls(folder)
        with store._locked():
            _check_free(folder)  # another process may have made one meanwhile
            with case_database.mark_creation(folder):
                _make(folder)
                store.complete()
        return store

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open a hotline's folder and complete interrupted work. Raises HotlineError.

        Work that cannot be completed, such as without the log's key, is listed in `backlog`.
        """
        case_database.check_folder(folder)
        case_database.check_rows(folder)
        store = cls(folder)
        with store._locked():
            trouble = case_log.write(folder, store.settings.log_key)
            if trouble is None:
                store._write_rest()
            else:
                store.backlog = Backlog(log=trouble)
        return store

    @property
    def own_list(self) -> HashList:
        """Return the hotline's own list as it is now."""
        return open_list(self.folder / own_list.FOLDER_NAME)

    @property
    def settings(self) -> Settings:
        """Read the settings."""
        return Settings.load(self.folder / settings.FILE_NAME)

    @property
    def partners(self) -> Partners:
        """Read the hotline and its partners. Raises HotlineError."""
        return partners.load(self.folder / partners.FILE_NAME)

    @contextlib.contextmanager
    def begin_step(self, reference: str, at: datetime) -> Iterator[tuple[sqlite3.Connection, Case]]:
        """Take one step of a case, atomically; it is completed before this returns."""
        with self.lock(), self.begin_write() as connection:
            case = casebook.load_case(connection, reference)
            if at < case.received:
                message = mark(
                    "a step of {case} cannot be before its report: correct the clock of this"
                    " computer; if it was ahead when the report came in, `screener case"
                    " restart` starts the 24 hours now"
                )
                raise HotlineError(message, case=reference)
            yield connection, case

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only writer, after completing interrupted work.

        Raises HotlineError if the log cannot be written, before anything is changed.
        """
        case_database.check_folder(self.folder)
        with self._locked():
            trouble = case_log.find_key_error(
                self.settings.log_key, self.folder / case_log.FILE_NAME
            )
            if trouble is not None:
                raise trouble
            self.complete()
            yield

    @contextlib.contextmanager
    def begin_write(self) -> Iterator[sqlite3.Connection]:
        """Yield a transaction on the casebook, completed before this returns. Needs `exclusive`."""
        with case_database.begin_write(self.folder) as connection:
            yield connection
        self.complete()

    def complete(self) -> None:
        """Bring everything outside the casebook up to date. Needs the lock."""
        trouble = case_log.write(self.folder, self.settings.log_key)
        if trouble is not None:
            raise trouble
        self._write_rest()

    def _write_rest(self) -> None:
        path = self.folder / own_list.FOLDER_NAME
        own = (
            self.partners.hotline.terms if (self.folder / partners.FILE_NAME).exists() else Terms()
        )
        trusted_terms.update(self.folder, self.settings)
        with translate_list_errors(path):
            records = own_list.write(self.folder, own)
        terms = own_list.write_terms(self.folder, own)
        self.backlog = Backlog(notifying.deliver_pending(self.folder), records, terms)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(lock_file(self.folder / _LOCK, seconds=_WAIT_SECONDS))
            except IndexFileError:
                message = mark("somebody else is working in {folder}: try again in a moment")
                raise HotlineError(message, folder=self.folder) from None
            own_list.remove_leftovers(self.folder)
            yield


def _check_free(folder: Path) -> None:
    try:
        names = {path.name for path in folder.iterdir()} - {_LOCK}
    except NotADirectoryError:
        raise HotlineError(mark("{folder} is no folder"), folder=folder) from None
    if names and not case_database.is_half_created(folder):
        raise HotlineError(mark("{folder} is not empty; choose another folder"), folder=folder)


def _make(folder: Path) -> None:
    """Create a hotline's files. After an interrupted creation, filled-in files stay."""
    shutil.rmtree(folder / own_list.FOLDER_NAME, ignore_errors=True)
    log = folder / case_log.FILE_NAME
    for path in (folder / "hotline.key", folder / "hotline.pub", log, head_path(log)):
        path.unlink(missing_ok=True)
    make_keys(folder)
    for name, text in (
        (settings.FILE_NAME, settings.TEMPLATE),
        (partners.FILE_NAME, partners.TEMPLATE),
    ):
        if not (folder / name).exists():
            write_new(folder / name, text.encode())
    HashList.create(folder / own_list.FOLDER_NAME)
    case_database.create(folder)
