"""Checksum files of `md5sum`, `sha1sum` and `sha256sum`, and of BSD's tools.

BSD's lines name the digest: `MD5 (name) = HEX`. GNU's do not; the common length of their digests
identifies the tool. 64 digits may also be PDQ values, nearly all of which have half of their bits
set; by chance one digest in twenty has. A file with many such values, or with too few values to
decide, needs its format named, and so does a file of bare digests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from screener.errors import ListError
from screener.hashing.hash import KINDS
from screener.lists.formats.cells import BadCell, clean_cell, read_hash
from screener.lists.formats.content import Content, Lines
from screener.lists.formats.filled_lines import filled_lines, first_filled
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Row

NAMES = {"md5sum": "md5", "sha1sum": "sha1", "sha256sum": "sha256"}
BSD = "bsd-sums"
_FEW = 4  # distinct values, below which the bits cannot distinguish PDQ from SHA-256
_HALF_SET = (
    1 / 3
)  # share of half-set values above which they are PDQ: by chance it is one in twenty
_GNU = re.compile(r"\\?(?:\d+ +)?(?P<hash>[0-9a-f]{32,64}) [ *](?P<name>.+)", re.I | re.A | re.S)
# A size in front is shorter than any digest, which may consist of decimal digits.
_SIZED = re.compile(r"(?:\d{1,20}\s+)?(?P<hash>\S+)(?:\s+\*?(?P<name>.*))?", re.A | re.S)
# No digest has a parenthesis: a name full of `)=` would take quadratic time.
_BSD = re.compile(
    r"\\?(?P<kind>MD5|SHA-?1|SHA2?-?256) ?\((?P<name>.*)\) ?= ?(?P<hash>[^\s)]+)", re.I
)
_BSD_KINDS = {"md5": "md5", "sha1": "sha1", "sha256": "sha256", "sha2256": "sha256"}


def recognises_bsd(lines: list[str]) -> bool:
    """Return whether most of the first lines are BSD's."""
    filled = first_filled(lines)
    return bool(filled) and 2 * sum(bool(_BSD.fullmatch(line)) for line in filled) > len(filled)


def gnu_format(lines: list[str]) -> str | None:
    """Return the tool that wrote the first lines, or None if none did or their lengths differ."""
    filled = first_filled(lines)
    digests = [match["hash"] for line in filled if (match := _GNU.fullmatch(line))]
    if not digests or 2 * len(digests) < len(filled) or len({len(value) for value in digests}) > 1:
        return None
    named = {2 * KINDS[kind].size: name for name, kind in NAMES.items()}.get(len(digests[0]))
    if named == "sha256sum":
        _check_not_pdq({value.lower() for value in digests})
    return named


def _check_not_pdq(values: set[str]) -> None:
    if sum(map(_half_set, values)) > _HALF_SET * len(values):
        why = "but its values have as many bits set as those of PDQ"
    elif len(values) < _FEW:
        why = "but too few of them to tell SHA-256 from PDQ"
    else:
        return
    raise ListError(
        f"its lines look like those of a checksum tool, {why}; write PDQ as `pdq VALUE`, and name"
        " SHA-256 by --format sha256sum"
    )


def _half_set(value: str) -> bool:
    return int(value, 16).bit_count() == 2 * len(value)


def opener(name: str) -> Callable[[Content, Options], Checksums]:
    """Return a function that opens a file of the tool of that name."""
    return lambda content, options: Checksums(content, NAMES.get(name))


class Checksums:
    """The rows of a checksum file; if `kind` is None, its lines name their kinds."""

    unit = "line"
    notes: tuple[str, ...] = ()
    unknown_columns = ("file",)

    def __init__(self, content: Content, kind: str | None) -> None:
        self._lines = Lines(content)
        self._kind = kind

    def __iter__(self) -> Iterator[Row | BadRow]:
        for line in filled_lines(self._lines):
            yield line if isinstance(line, BadRow) else self._row(*line)

    def _row(self, number: int, line: str) -> Row | BadRow:
        line = line.strip(" \t")
        match = _BSD.fullmatch(line)
        kind = self._kind
        if match is not None:
            named = _BSD_KINDS[match["kind"].casefold().replace("-", "")]
            if kind not in (None, named):
                return BadRow(number, None, "another digest than the file's")
            kind = named
        elif kind is not None:
            match = _SIZED.fullmatch(line.removeprefix("\\"))
        if match is None or kind is None:
            return BadRow(number, None, "not a line of a checksum tool")
        try:
            item = read_hash(KINDS[kind], match["hash"])
        except BadCell as bad:
            return BadRow(number, kind, str(bad))
        name = _unescaped(match["name"] or "") if line.startswith("\\") else match["name"] or ""
        labels = {"file": name} if clean_cell(name) else {}
        return Row(number, None, State.CONFIRMED, (item,), labels=labels)


def _unescaped(name: str) -> str:
    """Undo GNU's escapes `\\n`, `\\r` and `\\\\`, announced by a backslash before the line."""
    meant = {"n": "\n", "r": "\r", "\\": "\\"}
    return re.sub(r"\\([nr\\])", lambda match: meant[match[1]], name)
