"""HMA's bank content: objects with signals, in an array or one per line.

HMA cannot list a bank, so users compile a file from its answers to single queries: `{"id": 17,
"bank": {"name": …}, "signals": {"pdq": …}, "disable_until_ts": 1, …}`. Requests to its `/signal`
are read too: objects of signals by type with a note.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from screener.errors import counted
from screener.hashing.hash import KINDS
from screener.lists.formats.content import Content
from screener.lists.formats.json_rows import JsonRows, RecordBuilder, to_text
from screener.lists.formats.json_text import JsonHead
from screener.lists.formats.options import Options
from screener.lists.formats.threatexchange import SIGNAL_TYPES
from screener.lists.states import State
from screener.lists.store.records import BadRow, Row

NAME = "hma"
_ENABLED_TIME_S = 1
# Extensions of HMA may add types; this library's kinds go by their own names.
_SIGNAL_TYPES = {**{name: (name, None) for name in KINDS}, **SIGNAL_TYPES}
_HANDLED_FIELDS = frozenset(("id", "bank", "signals"))
_EXTRA_FIELDS = frozenset(("note", "metadata"))  # a signal in a request to `/signal`


def recognises(head: JsonHead) -> bool:
    """Return whether a JSON text is bank content or a request to `/signal`."""
    first = head.first
    if not isinstance(first, dict):
        return False
    if isinstance(first.get("signals"), dict):
        return "bank" in first or "disable_until_ts" in first or "id" in first
    names = set(first) - _EXTRA_FIELDS
    return (
        bool(names)
        and names <= set(_SIGNAL_TYPES)
        and all(isinstance(first[n], str) for n in names)
    )


def open_rows(content: Content, options: Options) -> JsonRows:
    """Return the reader of bank content."""
    contents = _Contents()
    return JsonRows(content, None, contents.read, notes=contents.notes)


class _Contents:
    """The content of one file, and the number of its temporarily disabled records."""

    def __init__(self) -> None:
        self._disabled_records = 0

    def notes(self) -> tuple[str, ...]:
        """Return a note if records are temporarily disabled; only an import enables them again."""
        if not self._disabled_records:
            return ()
        return (
            f"{counted(self._disabled_records, 'record')} disabled until a future time: withdrawn,"
            " also after that time, until you import them again",
        )

    def read(self, builder: RecordBuilder, item: Mapping[str, Any]) -> list[Row | BadRow]:
        try:
            until = int(to_text(item.get("disable_until_ts")) or _ENABLED_TIME_S)
        except ValueError:
            return [BadRow(builder.number, "disable_until_ts", "not a number")]
        is_disabled = until > max(_ENABLED_TIME_S, time.time())
        self._disabled_records += is_disabled
        return _read_item(builder, item, is_off=is_disabled or until == 0)


def _read_item(
    builder: RecordBuilder, item: Mapping[str, Any], *, is_off: bool
) -> list[Row | BadRow]:
    signals = item.get("signals")
    if "signals" not in item:
        signals = {name: value for name, value in item.items() if name not in _EXTRA_FIELDS}
    if not isinstance(signals, dict):
        return [BadRow(builder.number, "signals", "not an object")]
    for name, value in signals.items():
        signal = _SIGNAL_TYPES.get(name.casefold())
        if signal is None:
            builder.add_label(f"signal {name}", value)
            continue
        builder.add_hash(signal[0], value)
        if signal[1] is not None:
            builder.add_label("media", signal[1])
    bank = item.get("bank")
    bank_name = to_text(bank.get("name")) if isinstance(bank, dict) else to_text(bank)
    for name, value in item.items():
        if name not in _HANDLED_FIELDS and name not in signals and value not in (None, ""):
            builder.add_label(name, value)
    builder.add_label("bank", bank_name)
    number = to_text(item.get("id"))
    entry = "/".join(filter(None, (bank_name, number))) if number else None
    return builder.build_rows(entry, State.WITHDRAWN if is_off else State.CONFIRMED)
