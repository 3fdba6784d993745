"""`type value` lines, one hash a line, as the `tx` command line keeps them.

The line is split at its first space and the type's case is folded. Nothing but the hash is
said, so that each record is `confirmed` and its entry id is made from the hash.
"""

from __future__ import annotations

from collections.abc import Iterator

from screener.errors import ListError
from screener.hashing.hash import KINDS, HashKind
from screener.lists.formats.cells import BadCell, cleaned, read_hash
from screener.lists.formats.content import Content, Lines, broken
from screener.lists.formats.options import Options
from screener.lists.records import BadRow, Row, State

NAME = "tx"
_FURTHER = "more than a type and a value"
_JUDGED = 100  # lines that sniffing looks at
_TYPES: dict[str, tuple[HashKind, dict[str, str]]] = {
    **{name: (kind, {}) for name, kind in KINDS.items()},
    "video_md5": (KINDS["md5"], {"media": "video"}),
    "video_sha256": (KINDS["sha256"], {"media": "video"}),
    "tmk": (KINDS["tmk_pdqf"], {}),
}


def recognises(lines: list[str]) -> bool:
    """Whether the first lines of a text are of this format: half of them name a known type.

    Not all, since some may be damaged or of other types; not just one, since prose may have it.
    """
    filled = [line for line in map(_stripped, lines[:_JUDGED]) if line]
    known = sum(_type_of(line) in _TYPES for line in filled)
    return known > 0 and 2 * known >= len(filled)


class TxText:
    """The rows of a file of `type value` lines."""

    unit = "line"
    notes: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()

    def __init__(self, content: Content, options: Options) -> None:
        """Every row says the same of its source, which is therefore not needed here."""
        self._content = content

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Each line that is neither blank nor a comment; ListError if the first is a bare value."""
        first = True
        for number, line in Lines(self._content):
            if line is None:
                yield BadRow(number, None, "line too long")
                continue
            text = _stripped(line)
            if not text:
                continue
            if first and " " not in text and broken(text) is None:
                raise ListError(unnamed_column(self._content.name))
            first = False
            yield _row(number, text)


def unnamed_column(name: str) -> str:
    """What to tell of a file whose values have no type."""
    return (
        f"{name}: nothing says what kind of hash its values are, and their length does not tell;"
        " write the kind in a first line of its own, such as `pdq`, or before each value, as in"
        " `pdq VALUE`"
    )


def _stripped(line: str) -> str:
    """The line without what surrounds it; nothing of a comment."""
    text = line.strip(" \t")
    return "" if text.startswith("#") else text


def _type_of(line: str) -> str:
    head, separator, _ = line.partition(" ")
    return cleaned(head).casefold() if separator else ""


def _row(number: int, text: str) -> Row | BadRow:
    reason = broken(text)
    if reason is not None:
        return BadRow(number, None, reason)
    head, _, cell = text.partition(" ")
    found = _TYPES.get(cleaned(head).casefold())
    if found is None:
        return BadRow(number, "type", "unsupported type")
    kind, labels = found
    if not cleaned(cell):
        return BadRow(number, kind.name, "no usable hash")
    try:
        item = read_hash(kind, cell)
    except BadCell as bad:
        return BadRow(number, kind.name, _FURTHER if _leads(kind, cell) else str(bad))
    return Row(number, None, State.CONFIRMED, (item,), labels=labels)


def _leads(kind: HashKind, cell: str) -> bool:
    """Whether a cell is a value and more, as the lines of `screener hash` are, which `match` reads:
    of what else it says, the format has nothing.
    """
    try:
        return bool(read_hash(kind, cell.split()[0]))
    except BadCell:
        return False
