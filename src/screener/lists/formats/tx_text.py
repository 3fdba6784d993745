"""Files of the `tx` command line: `type value` lines, one hash per line.

Each line is split at its first space, and the type's case is folded. A line has only the hash, so
each record is `confirmed` and its entry id is derived from the hash.
"""

from __future__ import annotations

from collections.abc import Iterator

from screener.errors import ListError
from screener.hashing.hash import KINDS, HashKind
from screener.lists.formats.cells import BadCell, clean_cell, read_hash
from screener.lists.formats.content import Content, Lines
from screener.lists.formats.filled_lines import is_half_known, read_filled_lines
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Row

NAME = "tx"
_EXTRA_TEXT = "more than a type and a value"
_KIND_AND_LABELS: dict[str, tuple[HashKind, dict[str, str]]] = {
    **{name: (kind, {}) for name, kind in KINDS.items()},
    "video_md5": (KINDS["md5"], {"media": "video"}),
    "video_sha256": (KINDS["sha256"], {"media": "video"}),
    "tmk": (KINDS["tmk_pdqf"], {}),
}


def recognises(lines: list[str]) -> bool:
    """Return whether half of the first lines name a known type."""
    return is_half_known(
        lines, lambda line: " " in line and _split_line(line)[0] in _KIND_AND_LABELS
    )


class TxText:
    """The rows of a file of `type value` lines."""

    unit = "line"
    notes: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()

    def __init__(self, content: Content, options: Options) -> None:
        self._content = content

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield each line that is neither blank nor a comment.

        Raises ListError if the first line is a value without a type.
        """
        is_first = True
        for row in read_filled_lines(Lines(self._content)):
            if isinstance(row, BadRow):
                yield row
            else:
                number, line = row
                text = line.strip(" \t")
                if is_first and " " not in text:
                    raise ListError(describe_untyped(self._content.name))
                yield _parse_row(number, text)
            is_first = False


def describe_untyped(name: str) -> str:
    """Return the error message for a file whose values have no type."""
    return (
        f"{name}: nothing names the kind of hash, and the length of the values does not show it;"
        " write the kind in a first line of its own, such as `pdq`, or before each value, as in"
        " `pdq VALUE`"
    )


def _split_line(line: str) -> tuple[str, str]:
    head, _, cell = line.partition(" ")
    return clean_cell(head).casefold(), cell


def _parse_row(number: int, text: str) -> Row | BadRow:
    name, cell = _split_line(text)
    type_and_labels = _KIND_AND_LABELS.get(name)
    if type_and_labels is None:
        return BadRow(number, "type", "unsupported type")
    kind, labels = type_and_labels
    if not clean_cell(cell):
        return BadRow(number, kind.name, "no usable hash")
    try:
        hash_ = read_hash(kind, cell)
    except BadCell as fault:
        return BadRow(
            number, kind.name, _EXTRA_TEXT if _starts_with_value(kind, cell) else str(fault)
        )
    return Row(number, None, State.CONFIRMED, (hash_,), labels=labels)


def _starts_with_value(kind: HashKind, cell: str) -> bool:
    """Return whether a cell has text after a value.

    `screener hash` writes such lines and `screener match` reads them; this format does not allow
    the text.
    """
    try:
        return bool(read_hash(kind, cell.split()[0]))
    except BadCell:
        return False
