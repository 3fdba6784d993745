"""A mapping file to start from, for a CSV whose columns are not all known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

from screener.errors import ListError
from screener.hashing.hash import KINDS
from screener.lists import terms
from screener.lists.formats.content import Content, Lines
from screener.lists.formats.csv_rows import Delimiter, find_first_row, split_line
from screener.lists.formats.header import check_text, is_known_label, split_names
from screener.lists.formats.kind_names import fold_name
from screener.lists.formats.neutral_csv import ROLE_BY_NAME

_HEAD = f"""\
# Every column needs a meaning. Replace each "?" by one of:
#   entry (the id), state, updated, category, category_scheme, tlp, expires, redistribution,
#   a kind of hash ({", ".join(KINDS)}),
#   its quality, as in pdq_quality, label (stored as it is), drop (not stored)
# States and dates in other words than ours:
#   = {{ field = "state", confirmed = ["live"], withdrawn = ["out"] }}
#   = {{ field = "updated", date_format = "%d.%m.%Y" }}
"""


def build_template(path: Path) -> str:
    """Return a mapping file with the columns of a CSV; a "?" is to be replaced.

    Raises ListError if the file cannot be read, or its first line is not text.
    """
    try:
        with path.open("rb") as stream:
            first = find_first_row(Lines(Content(stream, path.name, None)))
    except OSError as error:
        raise ListError(f"cannot read {path}: {error.strerror}") from None
    line = "" if first is None else first[1]
    check_text(line)
    delimiters: tuple[Delimiter, ...] = get_args(Delimiter)
    delimiter = max(delimiters, key=lambda one: len(split_line(line, one) or ()))
    names = split_names(line, delimiter)
    settings = [f"delimiter = {json.dumps(delimiter)}"]
    if names is None:  # the first line has hashes
        settings.append("header = false")
        names = [str(number) for number in range(1, len(split_line(line, delimiter) or "?") + 1)]
    meanings = [
        ROLE_BY_NAME.get(fold_name(name))
        or terms.find_field(name)
        or ("label" if is_known_label(name) else None)
        for name in names
    ]
    columns = [
        f"{json.dumps(name, ensure_ascii=False)} = {json.dumps(meaning or '?')}"
        for name, meaning in zip(names, meanings, strict=True)
    ]
    return "\n".join([*settings, "", f"{_HEAD}[columns]", *columns, ""])
