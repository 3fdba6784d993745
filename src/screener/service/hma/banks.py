"""Lists as banks: their names, their contents, and what clients change of them."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from screener.errors import ListError, ScreenerError, ServiceError, cause
from screener.hashing.hash import Hash
from screener.lists.hashlist import HashList
from screener.lists.inspecting.shown_entry import Shown
from screener.lists.states import State
from screener.lists.store.records import NewRecord
from screener.screening.result import Match
from screener.screening.screener import Screener
from screener.service.hma.signals import SIGNAL_OF_KIND
from screener.service.hma.store import Bank, Content, Store
from screener.service.server import Service
from screener.system.files import make_folder, open_private
from screener.system.locks import Lock

_log = logging.getLogger(__name__)

BANK_NAME = re.compile("[A-Z_][A-Z0-9_]*", re.ASCII)
SOURCE = "hma"  # of the records of own banks
_AUTHOR = "hma"  # of opinions


class Banks:
    """The banks of a service: one for each of its lists, and own ones for those that clients make.

    Methods that write block; `change` is to be called by one thread at a time.
    """

    def __init__(self, service: Service, folder: Path) -> None:
        """Open the banks of a folder, and add their lists to those of the service.

        Raises ServiceError if the folder cannot be used, or another process uses it.
        """
        self._service = service
        self._folder = folder
        self._lock = _lock_folder(folder)
        self._store = Store(folder / "hma.sqlite")
        self._by_list: dict[str, Bank] = {}
        self._add_own_lists()
        for hash_list in service.screener.lists:
            self._bank_of_list(hash_list.name)
        service.on_stop.append(self.close)
        service.checks["hma_state_unwritable"] = lambda: self._store.is_writable

    def _add_own_lists(self) -> None:
        """Open the lists of own banks; remove what a killed process left of others."""
        own = {bank.list: bank for bank in self._store.banks() if bank.own}
        lists = []
        for path in self._folder.glob("hma-bank-*.list"):
            if path.name.removesuffix(".list") not in own:
                # The database may be a copy that is older than the list.
                if sum(HashList.open(path).info().states.values()):
                    _log.error("%s belongs to no bank and is not searched", path)
                else:
                    shutil.rmtree(path)
        for name, bank in own.items():
            path = self._folder / f"{name}.list"
            if not path.exists():
                _log.error("the bank %s has no list, and is removed: %s", bank.name, path)
                self._store.remove_bank(bank)
                continue
            lists.append(HashList.open(path))
            self._by_list[name] = bank
        if lists:
            self._service.swap(_add_lists(self._service.screener, lists))

    def close(self) -> None:
        """Close the file of numbers, so that another process may use the folder."""
        self._store.close()
        self._lock.release()

    # --- banks

    def all(self) -> list[Bank]:
        """Return the banks whose lists are in use, by number."""
        banks = [self._bank_of_list(one.name) for one in self._service.screener.lists]
        return sorted(banks, key=lambda bank: bank.id)

    def find(self, name: str) -> Bank | None:
        """Return the bank of a name."""
        return next((bank for bank in self.all() if bank.name == name), None)

    def find_by_id(self, id_: int) -> Bank | None:
        """Return the bank of a number."""
        return next((bank for bank in self.all() if bank.id == id_), None)

    def _bank_of_list(self, list_name: str) -> Bank:
        bank = self._by_list.get(list_name)
        if bank is None:
            bank = next((one for one in self._store.banks() if one.list == list_name), None)
            taken = {one.name for one in self._by_list.values()}
            if bank is None:
                name = _free_name(name_of_list(list_name), taken)
                bank = self._store.add_bank(name, list_name, 1.0)
            elif bank.name in taken:
                bank = replace(bank, name=_free_name(bank.name, taken))
                self._store.change_bank(bank)
            self._by_list[list_name] = bank
        return bank

    async def create(self, name: str, ratio: float) -> Bank:
        """Create a bank with an empty list, which is in use afterwards."""
        bank = await asyncio.to_thread(self._store.add_bank, name, None, ratio)

        def add(screener: Screener) -> Screener:
            return _add_lists(screener, [HashList.create(self._path(bank))])

        try:
            await self._service.change_lists(add)
        except BaseException:
            await asyncio.to_thread(self._store.remove_bank, bank)
            shutil.rmtree(self._path(bank), ignore_errors=True)
            raise
        self._by_list[bank.list] = bank
        return bank

    def change(self, bank: Bank, *, name: str | None, ratio: float | None) -> Bank:
        """Rename a bank or set its ratio."""
        changed = replace(
            bank, name=name or bank.name, ratio=bank.ratio if ratio is None else ratio
        )
        self._store.change_bank(changed)
        self._by_list[bank.list] = changed
        return changed

    async def delete(self, bank: Bank) -> None:
        """Delete an own bank with its list and contents; if that fails, it is in use as before."""
        hash_list = self._list(bank)

        def remove(screener: Screener) -> Screener:
            return screener.with_lists([one for one in screener.lists if one.name != bank.list])

        await self._service.change_lists(remove)
        try:
            await asyncio.to_thread(self._store.remove_bank, bank)
        except ServiceError:
            await self._service.change_lists(lambda screener: _add_lists(screener, [hash_list]))
            raise
        self._by_list.pop(bank.list, None)
        try:
            shutil.rmtree(self._path(bank))
        except OSError as error:
            _log.error("the list of a deleted bank is left, remove it: %s: %s", self._path(bank),
                       cause(error))  # fmt: skip

    def _path(self, bank: Bank) -> Path:
        return self._folder / f"{bank.list}.list"

    def _list(self, bank: Bank) -> HashList:
        for hash_list in self._service.screener.lists:
            if hash_list.name == bank.list:
                return hash_list
        raise ListError("the list of a bank was just deleted")

    # --- contents

    def number_matches(self, matches: Sequence[Match]) -> list[tuple[Bank, Match, Content]]:
        """Return matches with their banks and contents, except deleted ones."""
        by_list: dict[str, list[Match]] = {one.name: [] for one in self._service.screener.lists}
        for match in matches:
            if match.list in by_list:  # its bank was not deleted meanwhile
                by_list[match.list].append(match)
        numbered = []
        for list_name, some in by_list.items():
            if not some:
                continue
            bank = self._bank_of_list(list_name)
            contents = self._store.number_records(bank, [(one.source, one.entry) for one in some])
            numbered += [(bank, one, contents[one.source, one.entry]) for one in some]
        return [each for each in numbered if not each[2].deleted]

    def find_content(self, id_: int) -> Content | None:
        """Return the content of a number whose bank is in use."""
        content = self._store.find_content(id_)
        known = content is not None and self.find_by_id(content.bank) is not None
        return content if known else None

    def read_signals(self, bank: Bank, content: Content) -> dict[str, str] | None:
        """Return the hashes of a content by signal type, or None if its list has none of it."""
        shown = _show(self._list(bank), content, values=True)
        if shown is None:
            return None
        return {
            SIGNAL_OF_KIND.get(one.kind, one.kind): one.value
            for one in shown.hashes
            if one.value is not None
        }

    def add_content(
        self,
        bank: Bank,
        signals: Mapping[str, Hash],
        *,
        note: str | None,
        metadata: dict[str, Any] | None,
    ) -> Content:
        """Write a content into an own bank; `bring_into_use` makes it found.

        If that fails, the bank is as before.
        """
        content = self._store.add_content(bank, SOURCE, note=note, metadata=metadata)
        try:
            self._add(bank, NewRecord(str(content.id), tuple(signals.values())))
        except BaseException:
            if _show(HashList.open(self._path(bank)), content) is not None:
                self._withdraw(bank, content)
            self._store.remove_content(content)
            raise
        return content

    async def bring_into_use(self, bank: Bank) -> None:
        """Search the newest generation of a bank's list from now on.

        The change is stored already, so if that fails, no error is raised: the log has it, and the
        next look for newer lists tries again.
        """

        def refresh(screener: Screener) -> Screener:
            newest = [one.refresh() if one.name == bank.list else one for one in screener.lists]
            return screener.with_lists(newest)

        try:
            await self._service.change_lists(refresh)
        except Exception as error:
            self._service.metrics.failed_refreshes.inc()
            cause_ = error if isinstance(error, ScreenerError) else type(error).__name__
            _log.error("a change of bank %s is stored, but not in use yet: %s", bank.name, cause_)

    def change_content(self, content: Content) -> None:
        """Store the note of a content, and until when it is disabled."""
        self._store.change_content(content)

    def delete_content(self, bank: Bank, content: Content) -> None:
        """Delete a content: withdraw it from an own list, or dispute it in another.

        An opinion never cancels a match of a list that somebody else made, so the entry goes on to
        match outside of this API, as disputed.
        """
        self._store.change_content(replace(content, deleted=True))
        try:
            if bank.own:
                self._withdraw(bank, content)
            elif _show(self._list(bank), content) is not None:
                self._list(bank).give_opinion(
                    content.entry, source=content.source, state="known_good", by=_AUTHOR,
                    reason="deleted from its bank",
                )  # fmt: skip
        except BaseException:
            self._store.change_content(content)
            raise

    def _withdraw(self, bank: Bank, content: Content) -> None:
        self._add(bank, NewRecord(str(content.id), state=State.WITHDRAWN))

    def _add(self, bank: Bank, record: NewRecord) -> None:
        HashList.open(self._path(bank)).add([record], source=SOURCE, by=_AUTHOR)


def name_of_list(list_name: str) -> str:
    """Return the name of the bank of a list: in capitals, with `_` for all but A-Z and 0-9."""
    name = re.sub("[^A-Z0-9_]", "_", list_name.upper())
    return name if BANK_NAME.fullmatch(name) else f"_{name}"


def _free_name(name: str, taken: set[str]) -> str:
    numbered = (f"{name}_{number}" for number in range(2, len(taken) + 3))
    return next(one for one in (name, *numbered) if one not in taken)


def _show(hash_list: HashList, content: Content, *, values: bool = False) -> Shown | None:
    """Return an entry of the newest generation, or None if there is none or it was withdrawn."""
    try:
        shown = hash_list.refresh().show(
            content.entry, source=content.source, values=values, alone=True
        )
    except ListError:
        return None
    return None if shown[0].state == State.WITHDRAWN else shown[0]


def _add_lists(screener: Screener, lists: Sequence[HashList]) -> Screener:
    """Return a Screener with own lists too, which have no age: they change only by this API."""
    ageless = screener.ageless | {one.name for one in lists}
    return screener.with_lists([*screener.lists, *lists], ageless=ageless)


def _lock_folder(folder: Path) -> Lock:
    """Make the folder if it is missing, and lock it for this process."""
    try:
        if not folder.exists():
            make_folder(folder)
        return Lock(open_private(folder / "lock", os.O_CREAT | os.O_RDWR), wait=False)
    except BlockingIOError:
        raise ServiceError(f"another process serves the banks of {folder}") from None
    except OSError as error:
        raise ServiceError(f"cannot use {folder}: {error.strerror}") from None
