"""Writers of exchange formats, one module each, with a `NAME` and a function `write`.

A writer gets a text stream, the entries (which it may iterate repeatedly), a tally to fill, and the
caller's options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TextIO

from screener.lists.exporting.writers import hma_json, ncmec_xml, neutral_csv, tx_text, vics_json
from screener.lists.exporting.writers.entry import Entry, Tally, Wants

Write = Callable[[TextIO, Iterable[Entry], Tally, Wants], None]

WRITERS: Mapping[str, Write] = MappingProxyType(
    {writer.NAME: writer.write for writer in (neutral_csv, tx_text, ncmec_xml, vics_json, hma_json)}
)
