"""Checksum files of `md5sum`, `sha1sum` and `sha256sum`, and of BSD's tools.

BSD's lines name the digest: `MD5 (name) = HEX`. GNU's lines do not; the common length of their
digests identifies the tool. 64 digits may be SHA-256 or PDQ. Nearly every PDQ value has exactly
half of its bits set, but only one SHA-256 digest in twenty. The user must name the format if a file
has many such values, too few values, or bare digests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from screener.errors import ListError
from screener.hashing.hash import KINDS
from screener.lists.formats.cells import BadCell, clean_cell, read_hash
from screener.lists.formats.content import Content, Lines
from screener.lists.formats.filled_lines import find_filled, read_filled_lines
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Row

KIND_BY_TOOL = {"md5sum": "md5", "sha1sum": "sha1", "sha256sum": "sha256"}
BSD_NAME = "bsd-sums"
_MIN_VALUES = 4  # distinct values needed to distinguish SHA-256 from PDQ
_MAX_HALF_SET = 1 / 3  # share of half-set values in a file of SHA-256; one in twenty by chance
_GNU_LINE = re.compile(
    r"\\?(?:\d+ +)?(?P<hash>[0-9a-f]{32,64}) [ *](?P<name>.+)", re.I | re.A | re.S
)
# A leading size has at most 20 digits, so that it is not mistaken for a digest of decimal digits.
_SIZED_LINE = re.compile(r"(?:\d{1,20}\s+)?(?P<hash>\S+)(?:\s+\*?(?P<name>.*))?", re.A | re.S)
# The digest excludes parentheses; otherwise a name full of `)=` would take quadratic time.
_BSD_LINE = re.compile(
    r"\\?(?P<kind>MD5|SHA-?1|SHA2?-?256) ?\((?P<name>.*)\) ?= ?(?P<hash>[^\s)]+)", re.I
)
_KIND_BY_BSD_NAME = {"md5": "md5", "sha1": "sha1", "sha256": "sha256", "sha2256": "sha256"}


def recognises_bsd(lines: list[str]) -> bool:
    """Return whether most of the first lines are those of BSD's tools."""
    filled_lines = find_filled(lines)
    return bool(filled_lines) and 2 * sum(
        bool(_BSD_LINE.fullmatch(line)) for line in filled_lines
    ) > len(filled_lines)


def detect_gnu_format(lines: list[str]) -> str | None:
    """Return the GNU tool that wrote the first lines, or None.

    Raises ListError if they may be PDQ values instead.
    """
    filled_lines = find_filled(lines)
    digests = [match["hash"] for line in filled_lines if (match := _GNU_LINE.fullmatch(line))]
    if (
        not digests
        or 2 * len(digests) < len(filled_lines)
        or len({len(value) for value in digests}) > 1
    ):
        return None
    name = {2 * KINDS[kind].size: tool for tool, kind in KIND_BY_TOOL.items()}.get(len(digests[0]))
    if name == "sha256sum":
        _check_not_pdq({value.lower() for value in digests})
    return name


def _check_not_pdq(values: set[str]) -> None:
    if sum(map(_is_half_set, values)) > _MAX_HALF_SET * len(values):
        reason = "but half of the bits of many values are set, as in PDQ"
    elif len(values) < _MIN_VALUES:
        reason = "but they are too few to distinguish SHA-256 from PDQ"
    else:
        return
    raise ListError(
        f"its lines look like those of a checksum tool, {reason}; write PDQ as `pdq VALUE`, or"
        " import SHA-256 with --format sha256sum"
    )


def _is_half_set(value: str) -> bool:
    return int(value, 16).bit_count() == 2 * len(value)


def create_opener(name: str) -> Callable[[Content, Options], Checksums]:
    """Return a function that creates the reader for the files of a tool."""
    return lambda content, options: Checksums(content, KIND_BY_TOOL.get(name))


class Checksums:
    """The rows of a checksum file; if `kind` is None, each line names its kind."""

    unit = "line"
    notes: tuple[str, ...] = ()
    unknown_columns = ("file",)

    def __init__(self, content: Content, kind: str | None) -> None:
        self._lines = Lines(content)
        self._kind = kind

    def __iter__(self) -> Iterator[Row | BadRow]:
        for line in read_filled_lines(self._lines):
            yield line if isinstance(line, BadRow) else self._parse_row(*line)

    def _parse_row(self, number: int, line: str) -> Row | BadRow:
        line = line.strip(" \t")
        match = _BSD_LINE.fullmatch(line)
        kind = self._kind
        if match is not None:
            named_kind = _KIND_BY_BSD_NAME[match["kind"].casefold().replace("-", "")]
            if kind not in (None, named_kind):
                return BadRow(number, None, "another digest than the file's")
            kind = named_kind
        elif kind is not None:
            match = _SIZED_LINE.fullmatch(line.removeprefix("\\"))
        if match is None or kind is None:
            return BadRow(number, None, "not a line of a checksum tool")
        try:
            hash_ = read_hash(KINDS[kind], match["hash"])
        except BadCell as fault:
            return BadRow(number, kind, str(fault))
        name = _unescape(match["name"] or "") if line.startswith("\\") else match["name"] or ""
        labels = {"file": name} if clean_cell(name) else {}
        return Row(number, None, State.CONFIRMED, (hash_,), labels=labels)


def _unescape(name: str) -> str:
    """Undo GNU's escapes `\\n`, `\\r` and `\\\\`, announced by a backslash before the line."""
    characters = {"n": "\n", "r": "\r", "\\": "\\"}
    return re.sub(r"\\([nr\\])", lambda match: characters[match[1]], name)
