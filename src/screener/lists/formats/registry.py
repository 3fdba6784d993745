"""Exchange formats, one module each; this one tells them apart by content, never by name.

A format module has a `NAME`, a `recognises` that judges the first lines of a text, the head of a
JSON text or the root of an XML document (or the `MAGIC` that its files begin with), and what opens
a reader: from the content and what the operator says of it, it yields a `Row` or a `BadRow` for
each row. A reader holds a row at a time.
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
from screener.lists.formats.json_text import head_of
from screener.lists.formats.options import Options
from screener.lists.formats.xml_text import root_of
from screener.lists.states import MATCHING, State
from screener.lists.store.columns import Columns
from screener.lists.store.records import BadRow, Row


class Reader(Protocol):
    """What reads the rows of one file."""

    @property
    def unit(self) -> str:
        """What the number of a row counts: `line`, `record` or `frame`."""

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """The columns that are kept as labels; all of them once the rows are read."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the file, once the rows are read."""

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
        **{name: checksums.opener(name) for name in (*checksums.NAMES, checksums.BSD)},
        hashdeep.NAME: hashdeep.Hashdeep,
        nsrl.NAME: nsrl.open_rows,
    }
)
# Formats whose rows on one entry are opinions beside each other, whatever their times: in all other
# formats a row with a later time takes the place of an earlier one.
OPINIONS = frozenset((vics.NAME,))
_MAGIC = {tmk_file.MAGIC: tmk_file.NAME, nsrl.MAGIC: nsrl.NAME}
_REFUSED = (
    (b"\x1f\x8b", "compressed (gzip); unpack it first"),
    (b"PK\x03\x04", "a zip archive (a spreadsheet is one too); unpack it, or save it as CSV"),
    (b"BZh91AY&SY", "compressed (bzip2); unpack it first"),
    (b"\xfd7zXZ\0", "compressed (xz); unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed (Zstandard); unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a spreadsheet in Excel's own form; save it as CSV"),
    (b"HASH\r\n\xff\0", "a hash set of EnCase, which is not a format read here"),
)
_JSON = {
    vics.NAME: vics.recognises,
    stopncii.NAME: stopncii.recognises,
    tat.NAME: tat.recognises,
    threatexchange.NAME: threatexchange.recognises,
    hma.NAME: hma.recognises,
    vpdq_file.NAME: vpdq_file.recognises_json,
}
_LINES = {
    hashdeep.NAME: hashdeep.recognises,
    nsrl.NAME: nsrl.recognises,
    icse_csv.NAME: icse_csv.recognises,
    tx_csv.NAME: tx_csv.recognises,
    neutral_csv.NAME: neutral_csv.recognises,
    vpdq_file.NAME: vpdq_file.recognises,
    pdq_lines.NAME: pdq_lines.recognises,
    checksums.BSD: checksums.recognises_bsd,
}


def sniff(content: Content, options: Options | None = None) -> str:
    """Return the name of the format of a file, by its content; ListError says what to do without
    one.
    """
    if options is not None and options.mapping_names_columns:
        return neutral_csv.NAME
    if not content.head:
        raise ListError(f"{content.name} is empty")
    for magic, name in _MAGIC.items():
        if content.head.startswith(magic):
            return name
    start = content.text_start
    if not start:
        raise ListError(f"{content.name} is empty: there is nothing but blank lines in it")
    for magic, what in _REFUSED:
        if start.startswith(magic):
            raise ListError(f"{content.name} is {what}")
    if detect_encoding(content.head)[0] is None:
        raise ListError(f"{describe_not_text(content)}; save it as UTF-8, or name its format")
    if start[:1] == b"<":
        return _sniff_xml(content)
    if start[:1] in (b"{", b"["):
        return _sniff_json(content)
    lines = split_head(content.head)
    try:
        for name, recognises in _LINES.items():
            if recognises(lines):
                return name
        gnu = checksums.gnu_format(lines)
    except ListError as error:
        raise ListError(f"{content.name}: {error}") from None
    if gnu is not None:
        return gnu
    if tx_text.recognises(lines):  # last, since it is content with half of the lines
        return tx_text.NAME
    raise ListError(_unknown(content, lines))


def _sniff_xml(content: Content) -> str:
    if ncmec_xml.recognises(root_of(content)):
        return ncmec_xml.NAME
    raise ListError(
        f"{content.name} is XML, but no answer of NCMEC's hash sharing, version 2, to a query of"
        " its entries, the only XML read here"
    )


def _sniff_json(content: Content) -> str:
    head = head_of(content)
    for name, recognises in _JSON.items():
        if recognises(head):
            return name
    raise ListError(
        f"{content.name} is JSON, but of no format known here ({', '.join(_JSON)}), or damaged"
        " from its start; --format names one"
    )


def _unknown(content: Content, lines: list[str]) -> str:
    filled = [line for line in lines if line.strip() and not line.startswith("#")]
    if filled and len(filled[0].split()) == 1 and not set(filled[0]) & set(",;|\t\0\ufffd"):
        return tx_text.unnamed_column(content.name)
    return (
        f"{content.name} is in no format known here ({', '.join(FORMATS)}): no header that names"
        " a kind of hash, such as `id,pdq,md5,category`, and no `pdq VALUE` lines; a mapping file"
        " tells what the columns of another CSV mean; one of withdrawals alone has a column of a"
        " kind too, which stays empty: `id,status,md5`"
    )


def open_reader(content: Content, options: Options, *, format: str | None = None) -> Reader:
    """Return the reader of a file, of the format named or else of the one sniffed; ListError."""
    name = format or sniff(content, options)
    if name not in FORMATS:
        raise ListError(f"unknown format {name!r}; one of: {', '.join(FORMATS)}")
    if options.mapping_names_columns and name != neutral_csv.NAME:
        raise ListError(
            f"a mapping tells the columns of a CSV; a file of format {name} has its own"
        )
    reader = FORMATS[name](content, options)
    return reader if options.state in (None, State.CONFIRMED) else _Restated(reader, options.state)


class _Restated:
    """The rows of a reader, where every record that would match is of another state instead."""

    def __init__(self, reader: Reader, state: State) -> None:
        self._reader = reader
        self._state = state
        self._restated = partial(_restated, state)

    @property
    def unit(self) -> str:
        """As the reader's."""
        return self._reader.unit

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """As the reader's."""
        return self._reader.unknown_columns

    @property
    def notes(self) -> tuple[str, ...]:
        """As the reader's."""
        return self._reader.notes

    def __iter__(self) -> Iterator[Row | BadRow]:
        return map(self._restated, self._reader)

    def parts(self, most: int) -> Iterator[Columns | Row | BadRow]:
        """As the reader's, restated."""
        for found in parts_of(self._reader, most):
            if isinstance(found, Columns):
                yield found.restated(dict.fromkeys(MATCHING, self._state))
            else:
                yield self._restated(found)


def parts_of(reader: Reader, most: int) -> Iterator[Columns | Row | BadRow]:
    """Yield the rows of a reader, as columns of up to `most` rows if it can read them so."""
    parts = getattr(reader, "parts", None)
    yield from reader if parts is None else parts(most)


def _restated(state: State, found: Row | BadRow) -> Row | BadRow:
    if isinstance(found, BadRow):
        kept = found.row
        if kept is None or kept.state not in MATCHING:
            return found
        return replace(found, row=kept._replace(state=state))  # for when somebody releases it
    if found.state not in MATCHING:
        return found
    return found._replace(state=state)
