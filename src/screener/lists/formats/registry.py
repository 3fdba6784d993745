"""The exchange formats; they are detected by content, never by the file's name.

Each format has a module with its `NAME` and a reader: a class, or a function that creates one from
the content and the options. To be detected it has a `MAGIC` at the start of its files, or a
`recognises` for the first lines of a text, the head of a JSON text or the root of an XML document.
A reader yields a `Row` or `BadRow` for each row, with one row at a time in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Protocol

from screener.errors import ListError
from screener.lists.formats import (
    checksums,
    hashdeep,
    hma,
    icse_csv,
    ncmec_xml,
    neutral_csv,
    nsrl,
    pdq_lines,
    stopncii,
    tat,
    threatexchange,
    tmk_file,
    tx_csv,
    tx_text,
    vics,
    vpdq_file,
)
from screener.lists.formats.content import Content, describe_not_text, detect_encoding, split_head
from screener.lists.formats.json_text import parse_head
from screener.lists.formats.options import Options
from screener.lists.formats.xml_text import parse_root
from screener.lists.states import MATCHING, State
from screener.lists.store.columns import Columns
from screener.lists.store.records import BadRow, Row


class Reader(Protocol):
    """A reader of the rows of one file."""

    @property
    def unit(self) -> str:
        """The unit of row numbers: `line`, `record` or `frame`."""

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """The columns stored as labels; complete once all rows are read."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes to the user on the file; complete once all rows are read."""

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Return the rows in the order of the file."""


FORMATS: Mapping[str, Callable[[Content, Options], Reader]] = MappingProxyType(
    {
        neutral_csv.NAME: neutral_csv.NeutralCsv,
        tx_text.NAME: tx_text.TxText,
        tx_csv.NAME: tx_csv.TxCsv,
        ncmec_xml.NAME: ncmec_xml.NcmecXml,
        vics.NAME: vics.open_rows,
        icse_csv.NAME: icse_csv.IcseCsv,
        threatexchange.NAME: threatexchange.open_rows,
        stopncii.NAME: stopncii.open_rows,
        tat.NAME: tat.open_rows,
        hma.NAME: hma.open_rows,
        pdq_lines.NAME: pdq_lines.PdqLines,
        vpdq_file.NAME: vpdq_file.VpdqFile,
        tmk_file.NAME: tmk_file.TmkFile,
        **{
            name: checksums.create_opener(name)
            for name in (*checksums.KIND_BY_TOOL, checksums.BSD_NAME)
        },
        hashdeep.NAME: hashdeep.Hashdeep,
        nsrl.NAME: nsrl.open_rows,
    }
)
# Formats whose rows for one entry are opinions that are all merged. In other formats a row with a
# later time replaces an earlier one.
OPINION_FORMATS = frozenset((vics.NAME,))
_NAME_BY_MAGIC = {tmk_file.MAGIC: tmk_file.NAME, nsrl.MAGIC: nsrl.NAME}
_REFUSED_MAGIC = (
    (b"\x1f\x8b", "compressed (gzip); unpack it first"),
    (b"PK\x03\x04", "a zip archive (a spreadsheet is one too); unpack it, or save it as CSV"),
    (b"BZh91AY&SY", "compressed (bzip2); unpack it first"),
    (b"\xfd7zXZ\0", "compressed (xz); unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed (Zstandard); unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a spreadsheet in Excel's own form; save it as CSV"),
    (b"HASH\r\n\xff\0", "a hash set of EnCase, which is not a supported format"),
)
_JSON_SNIFFERS = {
    vics.NAME: vics.recognises,
    stopncii.NAME: stopncii.recognises,
    tat.NAME: tat.recognises,
    threatexchange.NAME: threatexchange.recognises,
    hma.NAME: hma.recognises,
    vpdq_file.NAME: vpdq_file.recognises_json,
}
_LINE_SNIFFERS = {
    hashdeep.NAME: hashdeep.recognises,
    nsrl.NAME: nsrl.recognises,
    icse_csv.NAME: icse_csv.recognises,
    tx_csv.NAME: tx_csv.recognises,
    neutral_csv.NAME: neutral_csv.recognises,
    vpdq_file.NAME: vpdq_file.recognises,
    pdq_lines.NAME: pdq_lines.recognises,
    checksums.BSD_NAME: checksums.recognises_bsd,
}


def sniff(content: Content, options: Options | None = None) -> str:
    """Return the name of the format that a file's content has.

    Raises ListError, with advice to the user, if the format is unknown or not supported.
    """
    if options is not None and options.mapping_names_columns:
        return neutral_csv.NAME
    if not content.head:
        raise ListError(f"{content.name} is empty")
    for magic, name in _NAME_BY_MAGIC.items():
        if content.head.startswith(magic):
            return name
    start = content.text_start
    if not start:
        raise ListError(f"{content.name} is empty: it has only blank lines")
    for magic, description in _REFUSED_MAGIC:
        if start.startswith(magic):
            raise ListError(f"{content.name} is {description}")
    if detect_encoding(content.head)[0] is None:
        raise ListError(f"{describe_not_text(content)}; save it as UTF-8, or name its format")
    if start[:1] == b"<":
        return _sniff_xml(content)
    if start[:1] in (b"{", b"["):
        return _sniff_json(content)
    lines = split_head(content.head)
    try:
        for name, recognises in _LINE_SNIFFERS.items():
            if recognises(lines):
                return name
        gnu_name = checksums.detect_gnu_format(lines)
    except ListError as error:
        raise ListError(f"{content.name}: {error}") from None
    if gnu_name is not None:
        return gnu_name
    if tx_text.recognises(lines):  # last, since it needs only half of the lines
        return tx_text.NAME
    raise ListError(_describe_unknown(content, lines))


def _sniff_xml(content: Content) -> str:
    if ncmec_xml.recognises(parse_root(content)):
        return ncmec_xml.NAME
    raise ListError(
        f"{content.name} is XML, but not an answer of NCMEC's hash sharing, version 2, to a query"
        " for entries, the only supported XML"
    )


def _sniff_json(content: Content) -> str:
    head = parse_head(content)
    for name, recognises in _JSON_SNIFFERS.items():
        if recognises(head):
            return name
    raise ListError(
        f"{content.name} is JSON, but in no known format ({', '.join(_JSON_SNIFFERS)}), or its"
        " start is damaged; name the format with --format"
    )


def _describe_unknown(content: Content, lines: list[str]) -> str:
    filled = [line for line in lines if line.strip() and not line.startswith("#")]
    if filled and len(filled[0].split()) == 1 and not set(filled[0]) & set(",;|\t\0\ufffd"):
        return tx_text.describe_untyped(content.name)
    return (
        f"{content.name} is in no known format ({', '.join(FORMATS)}): no header that names"
        " a kind of hash, such as `id,pdq,md5,category`, with a comma, semicolon or tab between the"
        " names, and no `pdq VALUE` lines; for another CSV write a mapping file, which defines its"
        " columns (`screener import FILE --mapping-template` prints one to start from); a CSV of"
        " withdrawals alone needs an empty column for a kind: `id,status,md5`"
    )


def open_reader(content: Content, options: Options, *, format: str | None = None) -> Reader:
    """Return the reader for a file (default format: detected by content).

    Raises ListError if the format is unknown, or the file does not have it.
    """
    name = format or sniff(content, options)
    if name not in FORMATS:
        raise ListError(f"unknown format {name!r}; one of: {', '.join(FORMATS)}")
    if (options.mapping_names_columns or options.id_column) and name != neutral_csv.NAME:
        raise ListError(
            "a mapping and --id-column define the columns of a CSV; the format"
            f" {name} has its own columns"
        )
    reader = FORMATS[name](content, options)
    return (
        reader
        if options.state in (None, State.CONFIRMED)
        else _RestatedReader(reader, options.state)
    )


class _RestatedReader:
    """The rows of a reader, with another state for every record that would match."""

    def __init__(self, reader: Reader, state: State) -> None:
        self._reader = reader
        self._state = state
        self._restate = partial(_restate, state)

    @property
    def unit(self) -> str:
        """The reader's unit."""
        return self._reader.unit

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """The reader's label columns."""
        return self._reader.unknown_columns

    @property
    def notes(self) -> tuple[str, ...]:
        """The reader's notes."""
        return self._reader.notes

    def __iter__(self) -> Iterator[Row | BadRow]:
        return map(self._restate, self._reader)

    def read_parts(self, max_rows: int) -> Iterator[Columns | Row | BadRow]:
        """Yield the same rows, as columns if the reader can."""
        for part in read_parts(self._reader, max_rows):
            if isinstance(part, Columns):
                yield part.replace_states(dict.fromkeys(MATCHING, self._state))
            else:
                yield self._restate(part)


def read_parts(reader: Reader, max_rows: int) -> Iterator[Columns | Row | BadRow]:
    """Yield a reader's rows, as columns of up to `max_rows` rows if possible."""
    read_columns = getattr(reader, "read_parts", None)
    yield from reader if read_columns is None else read_columns(max_rows)


def _restate(state: State, row: Row | BadRow) -> Row | BadRow:
    if isinstance(row, BadRow):
        readable = row.row
        if readable is None or readable.state not in MATCHING:
            return row
        return replace(row, row=readable._replace(state=state))  # applies once it is released
    if row.state not in MATCHING:
        return row
    return row._replace(state=state)
