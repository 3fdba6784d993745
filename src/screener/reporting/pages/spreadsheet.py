"""A file of results as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from screener.reporting.pages.result_file import (
    find_archive,
    parse_line,
    parse_mtime,
    read_newest_lines,
)
from screener.reporting.pages.result_summary import Summary
from screener.screening.result import Verdict, is_counted_line
from screener.system.output_file import FileKind, open_private_text

_RESULT_COLUMNS = (
    "input", "archive", "verdict", "reason", "detail", "extra", "bytes", "mtime", "type", "width",
    "height", "frames", "generations", "stamps", "modes", "policy", "effort", "seconds",
)  # fmt: skip
_HIT_COLUMNS = (
    "hit", "list", "source", "entry", "state", "kind", "distance", "radius", "orientation",
    "region", "part", "part_kind", "time", "categories", "by", "evidence",
    "threshold", "view", "shadow", "derived", "box",
)  # fmt: skip
# These distinguish inputs whose names look the same.
_NAME_COLUMNS = ("input_base64", "same")
# The start of a cell, with the sign that makes it a formula. Some spreadsheets (in French, say)
# separate columns by semicolons or tabs. The sign is optional in the pattern: otherwise a run of
# tabs takes quadratic time.
_CELL_START = re.compile('(?:^|[;\t\r\n])[\\s"]*([-=+@\uff0d\uff1d\uff0b\uff20])?')
_SEPARATOR = re.compile("[;\t\r\n]")

# Groups of rows in the order of the table, since a spreadsheet shows only its first million rows.
# They are bits, since a line may have rows of several groups.
_MATCHES, _OTHER_HITS, _UNSCREENED, _CLEARED = _GROUPS = (1, 2, 4, 8)


def write_csv(results: str | PathLike[str], path: str | PathLike[str]) -> int:
    """Write a file of results as CSV, and return the number of unreadable lines.

    Matches come first, one per row, then other hits, then inputs without a hit, of these the
    unscreened first. Only the newest line of an input counts. This takes one byte of memory per
    line, and that of `find_older_lines`.

    The file is UTF-8 with a byte order mark, which Excel needs. A cell that looks like a formula
    gets an apostrophe. Raises OutputError if no line could be read, or if the file at `path` is not
    such a table.
    """
    older = Summary.read(Path(results)).older
    groups = bytearray()  # one byte per line
    unread = 0
    prefix = ",".join([*_RESULT_COLUMNS[:2], ""])
    with open_private_text(path, FileKind(prefix, "such a table")) as stream:
        stream.write("\ufeff")
        writer = csv.writer(stream)
        writer.writerow([*_RESULT_COLUMNS, *_HIT_COLUMNS, *_NAME_COLUMNS])
        for line in read_newest_lines(Path(results), older):
            try:
                rows = _make_rows(parse_line(line))
            except (KeyError, TypeError, ValueError, AttributeError):
                unread += 1
                rows = {}
            groups.append(sum(rows))
            writer.writerows(rows.get(_MATCHES, ()))
        for group in _GROUPS[1:]:
            # A scan may be writing more lines than the first pass read.
            lines = read_newest_lines(Path(results), older)
            for line, line_groups in zip(lines, groups, strict=False):
                if line_groups & group:
                    writer.writerows(_make_rows(parse_line(line))[group])
    return unread


def _make_rows(fields: Mapping[str, Any] | None) -> dict[int, list[list[Any]]]:
    """Return the rows of a line by their groups.

    Raises KeyError, TypeError, ValueError or AttributeError if the line is damaged.
    """
    if fields is None:
        raise ValueError("no result")
    matches, other_hits = fields["matches"], fields["other_hits"]
    rows = {
        _MATCHES: [_make_row(fields, match | {"hit": "match"}) for match in matches],
        _OTHER_HITS: [_make_row(fields, match | {"hit": "other"}) for match in other_hits],
    }
    if not matches and not other_hits and is_counted_line(fields):
        is_unscreened = fields["verdict"] == Verdict.UNSCREENED
        rows[_UNSCREENED if is_unscreened else _CLEARED] = [_make_row(fields, {})]
    return {group: group_rows for group, group_rows in rows.items() if group_rows}


def _make_row(fields: Mapping[str, Any], hit: Mapping[str, Any]) -> list[Any]:
    return [_format_cell(value) for value in _list_values(fields, hit)]


def _list_values(fields: Mapping[str, Any], hit: Mapping[str, Any]) -> Iterator[Any]:
    media, mtime = fields.get("media") or {}, parse_mtime(fields.get("mtime_ns"))
    values = {
        "archive": find_archive(fields),
        "mtime": mtime and mtime.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "generations": " ".join(
            f"{state['name']}:{state['generation']}" for state in fields["lists"]
        ),
        "stamps": " ".join(str(state.get("stamp")) for state in fields["lists"]),
        "modes": " ".join(
            f"{state['name']}:{state['mode']}" for state in fields["lists"] if "mode" in state
        ),
        **{name: media.get(name) for name in ("type", "width", "height", "frames")},
    }
    yield from (values.get(name, fields.get(name)) for name in _RESULT_COLUMNS)
    for name in _HIT_COLUMNS:
        if name == "categories":
            yield " ".join(
                f"{category['scheme']}:{category['code']}" for category in hit.get("category", ())
            )
        elif name == "box":
            yield " ".join(map(str, hit.get("box") or ()))
        else:
            yield hit.get(name)
    yield fields.get("input_base64")
    yield " ".join(map(str, fields.get("same", ())))


def _format_cell(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    text = str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")
    guarded = _CELL_START.sub(_guard_start, text)
    return f"'{guarded}" if guarded.startswith(("\t", "\r", "\n")) else guarded


def _guard_start(match: re.Match[str]) -> str:
    """Return the start of a cell with apostrophes before possible formulas."""
    if match[1] is None:
        return match[0]
    guarded = _SEPARATOR.sub(r"\g<0>'", match[0])
    return guarded if match.start() else f"'{guarded}"
