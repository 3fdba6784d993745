"""Writers of exchange formats, one module each: a `NAME` and a function that writes.

A writer is handed a text stream, the entries (a collection that it may go through more than
once), a tally that it keeps, and what the caller wants of the format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TextIO

from screener.lists.exporting.writers import hma_json, ncmec_xml, neutral_csv, tx_text, vics_json
from screener.lists.exporting.writers.entry import Entry, Tally, Wants

Write = Callable[[TextIO, Iterable[Entry], Tally, Wants], None]

WRITERS: Mapping[str, Write] = MappingProxyType(
    {one.NAME: one.write for one in (neutral_csv, tx_text, ncmec_xml, vics_json, hma_json)}
)
