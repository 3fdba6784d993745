"""The TMK+PDQF hash of one video in a `.tmk` file; it is stored but not compared."""

from __future__ import annotations

from collections.abc import Iterator

from screener.errors import HashError, ListError
from screener.hashing import vpdq_value
from screener.hashing.hash import KINDS, Hash
from screener.lists.formats.content import Content
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Row

NAME = "tmk"
MAGIC = vpdq_value.TMK_MAGIC


class TmkFile:
    """The single record of a `.tmk` file."""

    unit = "record"
    notes: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()

    def __init__(self, content: Content, options: Options) -> None:
        self._content = content

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield the record; raise ListError if the file is damaged or too long."""
        value = b""
        while len(value) <= vpdq_value.TMK_BYTES and (piece := self._content.read(1 << 16)):
            value += piece
        try:
            vpdq_value.check_tmk(value)
        except HashError as error:
            raise ListError(f"{self._content.name}: {error}") from None
        hash_ = Hash(KINDS["tmk_pdqf"], value)
        yield Row(1, None, State.CONFIRMED, (hash_,), labels={"media": "video"})
