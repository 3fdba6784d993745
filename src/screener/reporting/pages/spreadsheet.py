"""A file of results as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from screener.reporting.pages.result_file import archive_of, counting, facts_of, moment
from screener.reporting.pages.summary import Summary
from screener.screening.result import Verdict, line_counts
from screener.system.output_file import FileKind, open_private_text

_RESULT = (
    "input", "archive", "verdict", "reason", "detail", "extra", "bytes", "mtime", "type", "width",
    "height", "frames", "generations", "stamps", "policy", "seconds",
)  # fmt: skip
_HIT = (
    "hit", "list", "source", "entry", "state", "kind", "distance", "radius", "orientation",
    "region", "part", "part_kind", "time", "categories",
)  # fmt: skip
# Distinguish inputs whose names look the same.
_NAME = ("input_base64", "same")
# The beginning of a cell, with the sign that makes it a formula. Some spreadsheets (in French, say)
# separate columns by semicolons or tabs. The sign is optional in the pattern: otherwise a run of
# tabs takes quadratic time.
_BEGINNING = re.compile('(?:^|[;\t\r\n])[\\s"]*([-=+@\uff0d\uff1d\uff0b\uff20])?')
_SEPARATOR = re.compile("[;\t\r\n]")

# Groups of rows in the order of the table: a spreadsheet shows only its first million rows. Bits,
# since a line may have rows of several groups.
_MATCHES, _OTHER, _UNSCREENED, _CLEARED = _GROUPS = (1, 2, 4, 8)


def write_csv(results: str | PathLike[str], path: str | PathLike[str]) -> int:
    """Write a file of results as CSV; return how many lines could not be read.

    There is a row for each match, then for each other hit, then for each input without a hit,
    unscreened ones first. Only the newest line of an input counts. It takes one byte of memory per
    line, and `older_lines`.

    The file is UTF-8 with a byte order mark, which Excel needs. A cell that looks like a formula
    begins with an apostrophe. Raises OutputError if no line could be read, or if the table would
    overwrite anything but such a table.
    """
    older = Summary.of(Path(results)).older
    groups = bytearray()  # one byte per line
    unread = 0
    with open_private_text(path, FileKind(f"{_RESULT[0]},{_RESULT[1]},", "such a table")) as stream:
        stream.write("\ufeff")
        writer = csv.writer(stream)
        writer.writerow([*_RESULT, *_HIT, *_NAME])
        for line in counting(Path(results), older):
            try:
                rows = _rows(facts_of(line))
            except (KeyError, TypeError, ValueError, AttributeError):
                unread += 1
                rows = {}
            groups.append(sum(rows))
            writer.writerows(rows.get(_MATCHES, ()))
        for group in _GROUPS[1:]:
            # Stops after the lines of the first pass: a scan may be writing more.
            for line, line_groups in zip(counting(Path(results), older), groups, strict=False):
                if line_groups & group:
                    writer.writerows(_rows(facts_of(line))[group])
    return unread


def _rows(facts: Mapping[str, Any] | None) -> dict[int, list[list[Any]]]:
    """Return the rows of a line by their groups.

    Raises KeyError, TypeError, ValueError or AttributeError if the line is damaged.
    """
    if facts is None:
        raise ValueError("no result")
    matches, other_hits = facts["matches"], facts["other_hits"]
    made = {
        _MATCHES: [_row(facts, match | {"hit": "match"}) for match in matches],
        _OTHER: [_row(facts, match | {"hit": "other"}) for match in other_hits],
    }
    if not matches and not other_hits and line_counts(facts):
        unscreened = facts["verdict"] == Verdict.UNSCREENED
        made[_UNSCREENED if unscreened else _CLEARED] = [_row(facts, {})]
    return {group: rows for group, rows in made.items() if rows}


def _row(facts: Mapping[str, Any], hit: Mapping[str, Any]) -> list[Any]:
    return [_cell(value) for value in _values(facts, hit)]


def _values(facts: Mapping[str, Any], hit: Mapping[str, Any]) -> Iterator[Any]:
    media, changed = facts.get("media") or {}, moment(facts.get("mtime_ns"))
    made = {
        "archive": archive_of(facts),
        "mtime": changed and changed.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "generations": " ".join(f"{o['name']}:{o['generation']}" for o in facts["lists"]),
        "stamps": " ".join(str(o.get("stamp")) for o in facts["lists"]),
        **{name: media.get(name) for name in ("type", "width", "height", "frames")},
    }
    yield from (made.get(name, facts.get(name)) for name in _RESULT)
    for name in _HIT:
        if name == "categories":
            yield " ".join(f"{c['scheme']}:{c['code']}" for c in hit.get("category", ()))
        else:
            yield hit.get(name)
    yield facts.get("input_base64")
    yield " ".join(map(str, facts.get("same", ())))


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    text = str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")
    guarded = _BEGINNING.sub(_guarded, text)
    return f"'{guarded}" if guarded.startswith(("\t", "\r", "\n")) else guarded


def _guarded(beginning: re.Match[str]) -> str:
    """Return the beginning of a cell with an apostrophe before anything that may be a formula."""
    if beginning[1] is None:
        return beginning[0]
    guarded = _SEPARATOR.sub(r"\g<0>'", beginning[0])
    return guarded if beginning.start() else f"'{guarded}"
