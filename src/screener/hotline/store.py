"""Store: a hotline's folder, its lock, and the writing that follows each commit."""

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

_LOCK_NAME = "lock"
_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Backlog:
    """Changes recorded in the casebook but not yet written elsewhere, with the errors.

    The next step or opening tries again.

    - `notices`: undelivered notices.
    - `records`: records missing in the hotline's list.
    - `terms`: set if the list's sharing level is outdated; exports still use the old level.
    - `log`: set if the log was incomplete at the opening; nothing else was tried then.
    """

    notices: Sequence[UndeliveredNotice] = ()
    records: Sequence[UnlistedRecord] = ()
    terms: ScreenerError | None = None
    log: HotlineError | None = None


class Store:
    """A hotline's folder: casebook, list, log and keys, for its owner only.

    One process writes at a time; others wait up to 30 seconds. The next process completes
    interrupted work.
    """

    def __init__(self, folder: Path) -> None:
        """Not for callers: use `create` or `open`."""
        self.folder = folder
        self.backlog = Backlog()

    @classmethod
    def create(cls, folder: Path) -> Store:
        """Create a hotline in a new or empty folder, or complete an interrupted creation.

        Raises HotlineError if the folder has other files or PyNaCl is missing.
        """
        check_nacl()
        with contextlib.suppress(FileExistsError):
            make_folder(folder)
        _check_unused(folder)
        os.chmod(folder, 0o700)
        store = cls(folder)
        with store._take_lock():
            _check_unused(folder)  # another process may have created one before the lock was taken
            with case_database.mark_creation(folder):
                _create_files(folder)
                store.complete()
        return store

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open a hotline's folder and complete interrupted work.

        Work that cannot be completed, for example without the log's key, is in `backlog`. Raises
        HotlineError if the folder is no hotline or its casebook is damaged.
        """
        case_database.check_folder(folder)
        case_database.check_rows(folder)
        store = cls(folder)
        with store._take_lock():
            key_error = case_log.write(folder, store.settings.log_key)
            if key_error is None:
                store._write_outputs()
            else:
                store.backlog = Backlog(log=key_error)
        return store

    @property
    def own_list(self) -> HashList:
        """The hotline's own list in its current generation."""
        return open_list(self.folder / own_list.FOLDER_NAME)

    @property
    def settings(self) -> Settings:
        """The settings, read from their file."""
        return Settings.load(self.folder / settings.FILE_NAME)

    @property
    def partners(self) -> Partners:
        """The hotline and its partners, read from their file."""
        return partners.load(self.folder / partners.FILE_NAME)

    @contextlib.contextmanager
    def begin_step(self, reference: str, at: datetime) -> Iterator[tuple[sqlite3.Connection, Case]]:
        """Lock the hotline and begin the transaction of one step of a case.

        At the end the step is committed and written everywhere. Raises HotlineError if there is no
        such case, or if the time `at` is before its report.
        """
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
        """Lock the hotline against other writers, and complete interrupted work.

        Raises HotlineError before any change if the log cannot be continued.
        """
        case_database.check_folder(self.folder)
        with self._take_lock():
            key_error = case_log.find_key_error(
                self.settings.log_key, self.folder / case_log.FILE_NAME
            )
            if key_error is not None:
                raise key_error
            self.complete()
            yield

    @contextlib.contextmanager
    def begin_write(self) -> Iterator[sqlite3.Connection]:
        """Begin a transaction on the casebook; at the end, write its changes everywhere.

        The caller must hold the `lock`.
        """
        with case_database.begin_write(self.folder) as connection:
            yield connection
        self.complete()

    def complete(self) -> None:
        """Write log, list and notices up to date. The caller must hold the `lock`."""
        key_error = case_log.write(self.folder, self.settings.log_key)
        if key_error is not None:
            raise key_error
        self._write_outputs()

    def _write_outputs(self) -> None:
        path = self.folder / own_list.FOLDER_NAME
        own_terms = (
            self.partners.hotline.terms if (self.folder / partners.FILE_NAME).exists() else Terms()
        )
        trusted_terms.update(self.folder, self.settings)
        with translate_list_errors(path):
            records = own_list.write(self.folder, own_terms)
        terms = own_list.write_terms(self.folder, own_terms)
        self.backlog = Backlog(notifying.deliver_pending(self.folder), records, terms)

    @contextlib.contextmanager
    def _take_lock(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(lock_file(self.folder / _LOCK_NAME, seconds=_WAIT_SECONDS))
            except IndexFileError:
                message = mark("somebody else is working in {folder}: try again in a moment")
                raise HotlineError(message, folder=self.folder) from None
            yield


def _check_unused(folder: Path) -> None:
    try:
        names = {path.name for path in folder.iterdir()} - {_LOCK_NAME}
    except NotADirectoryError:
        raise HotlineError(mark("{folder} is no folder"), folder=folder) from None
    if names and not case_database.is_half_created(folder):
        raise HotlineError(mark("{folder} is not empty; choose another folder"), folder=folder)


def _create_files(folder: Path) -> None:
    """Create a hotline's files. Settings and partners from an interrupted creation stay."""
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
