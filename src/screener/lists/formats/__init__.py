"""Exchange formats, one module each; this one tells them apart by content, never by name.

A format module has a `NAME`, a `recognises` that judges the first lines of a text, and a class
that reads: made from the content and the source, it yields a `Row` or a `BadRow` for each row,
and `unknown_columns` names those that it keeps without knowing them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Protocol

from screener.errors import ListError
from screener.lists.formats import neutral_csv, tx_text
from screener.lists.formats.content import Content, encoding_of, head_lines
from screener.lists.records import BadRow, Row


class Reader(Protocol):
    """What reads the rows of one file."""

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """The columns that are kept as labels."""

    def __iter__(self) -> Iterator[Row | BadRow]:
        """The rows in the order of the file."""


FORMATS: Mapping[str, Callable[[Content, str], Reader]] = MappingProxyType(
    {neutral_csv.NAME: neutral_csv.NeutralCsv, tx_text.NAME: tx_text.TxText}
)
_RECOGNISERS = {neutral_csv.NAME: neutral_csv.recognises, tx_text.NAME: tx_text.recognises}
_MAGIC = (
    (b"\x1f\x8b", "compressed (gzip); unpack it first"),
    (b"PK\x03\x04", "a zip archive (a spreadsheet is one too); unpack it, or save it as CSV"),
    (b"SQLite format 3\0", "an SQLite database, which is not a format read here"),
    (b"<", "XML, which is not a format read here"),
    (b"{", "JSON, which is not a format read here"),
    (b"[", "JSON, which is not a format read here"),
)


def sniff(content: Content) -> str:
    """The name of the format of a file, by its content; ListError says what to do without one."""
    if not content.head:
        raise ListError(f"{content.name} is empty")
    start = content.head[encoding_of(content.head)[1] :].lstrip()
    for magic, what in _MAGIC:
        if start.startswith(magic):
            raise ListError(f"{content.name} is {what}")
    lines = head_lines(content.head)
    try:
        for name, recognises in _RECOGNISERS.items():
            if recognises(lines):
                return name
    except ListError as error:
        raise ListError(f"{content.name}: {error}") from None
    raise ListError(_unknown(content, lines))


def _unknown(content: Content, lines: list[str]) -> str:
    filled = [line for line in lines if line.strip() and not line.startswith("#")]
    if filled and len(filled[0].split()) == 1 and not set(filled[0]) & set(",;\t\0\ufffd"):
        return tx_text.unnamed_column(content.name)
    return (
        f"{content.name} is in no format known here ({', '.join(FORMATS)}): no header that names"
        " a kind of hash, such as `id,pdq,md5,category`, and no `pdq VALUE` lines"
    )


def open_reader(content: Content, *, source: str, format: str | None = None) -> Reader:
    """The reader of a file, of the format named or else of the one sniffed; ListError."""
    name = format or sniff(content)
    if name not in FORMATS:
        raise ListError(f"unknown format {name!r}; one of: {', '.join(FORMATS)}")
    return FORMATS[name](content, source)
