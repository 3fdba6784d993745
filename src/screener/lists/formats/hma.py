"""HMA's bank content: an object with signals, an array of such objects, or one a line.

HMA cannot list a bank, so a file is compiled from its answers to single queries: `{"id": 17,
"bank": {"name": …}, "signals": {"pdq": …}, "disable_until_ts": 1, …}`. Requests to its `/signal`,
objects of signals by type with a note, are read too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from screener.errors import counted
from screener.hashing.hash import KINDS
from screener.lists.formats.content import Content
from screener.lists.formats.json_rows import Gathered, JsonRows, text_of
from screener.lists.formats.json_text import JsonHead
from screener.lists.formats.options import Options
from screener.lists.formats.threatexchange import SIGNALS
from screener.lists.states import State
from screener.lists.store.records import BadRow, Row

NAME = "hma"
_ENABLED = 1
# Extensions of HMA add types at will; our kinds use their own names.
_SIGNALS = {**{name: (name, None) for name in KINDS}, **SIGNALS}
_READ = frozenset(("id", "bank", "signals"))
_BESIDE = frozenset(("note", "metadata"))  # a signal in a request to `/signal`


def recognises(head: JsonHead) -> bool:
    """Return whether a JSON text is bank content or a request to `/signal`."""
    first = head.first
    if not isinstance(first, dict):
        return False
    if isinstance(first.get("signals"), dict):
        return "bank" in first or "disable_until_ts" in first or "id" in first
    names = set(first) - _BESIDE
    return bool(names) and names <= set(_SIGNALS) and all(isinstance(first[n], str) for n in names)


def open_rows(content: Content, options: Options) -> JsonRows:
    """Return the reader of bank content."""
    contents = _Contents()
    return JsonRows(content, None, contents.read, notes=contents.notes)


class _Contents:
    """The content of one file, and the number of records that are disabled for now."""

    def __init__(self) -> None:
        self._off_for_now = 0

    def notes(self) -> tuple[str, ...]:
        """Return a note if records are disabled for now: only an import enables them again."""
        if not self._off_for_now:
            return ()
        return (
            f"{counted(self._off_for_now, 'record')} disabled until a future time: withdrawn until"
            " imported again, even after it",
        )

    def read(self, gathered: Gathered, item: Mapping[str, Any]) -> list[Row | BadRow]:
        try:
            until = int(text_of(item.get("disable_until_ts")) or _ENABLED)
        except ValueError:
            return [BadRow(gathered.number, "disable_until_ts", "not a number")]
        off_for_now = until > max(_ENABLED, time.time())
        self._off_for_now += off_for_now
        return _read(gathered, item, off=off_for_now or until == 0)


def _read(gathered: Gathered, item: Mapping[str, Any], *, off: bool) -> list[Row | BadRow]:
    signals = item.get("signals")
    if "signals" not in item:
        signals = {name: value for name, value in item.items() if name not in _BESIDE}
    if not isinstance(signals, dict):
        return [BadRow(gathered.number, "signals", "not an object")]
    for name, value in signals.items():
        signal = _SIGNALS.get(name.casefold())
        if signal is None:
            gathered.label(f"signal {name}", value)
            continue
        gathered.hash(signal[0], value)
        if signal[1] is not None:
            gathered.label("media", signal[1])
    bank = item.get("bank")
    bank_name = text_of(bank.get("name")) if isinstance(bank, dict) else text_of(bank)
    for name, value in item.items():
        if name not in _READ and name not in signals and value not in (None, ""):
            gathered.label(name, value)
    gathered.label("bank", bank_name)
    number = text_of(item.get("id"))
    entry = "/".join(filter(None, (bank_name, number))) if number else None
    return gathered.rows(entry, State.WITHDRAWN if off else State.CONFIRMED)
