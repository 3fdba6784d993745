"""Write the neutral CSV: all fields of a record, so that it reads back equal.

A text cell that a spreadsheet would take for a formula gets an apostrophe in front, as spreadsheets
write it. The reader removes it, except from labels. A label whose name cannot be a column's is
renamed; the lines of a label are joined if they are too many for a row. Hashes never change, but
the text of a vPDQ value has less than the value. The tally reports all of these losses.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import TextIO

from screener.hashing.hash import KINDS, Hash
from screener.lists import terms
from screener.lists.exporting.writers.entry import Entry, Tally, Wants
from screener.lists.formats.cells import clean_cell, may_be_hash
from screener.lists.formats.csv_rows import MAX_QUOTED_LINES
from screener.lists.formats.neutral_csv import has_meaning

NAME = "csv"
_MAX_REPEATED_CHARACTERS = 10_000  # of all labels of an entry
_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")


def write(out: TextIO, entries: Iterable[Entry], tally: Tally, wants: Wants) -> None:
    """Write a header and the rows of each entry.

    An entry takes a row per hash of the same kind, or per category. `entries` is iterated twice,
    since the header needs all labels.
    """
    kinds, labels = _list_columns(entries)
    qualities = [f"{name}_quality" for name in kinds if KINDS[name].perceptual]
    fixed = ["id", *kinds, *qualities, "category", "category_scheme", "status", "updated"]
    column_names = {label: _make_column_name(label) for label in labels}
    binding = {
        name
        for label, name in column_names.items()
        if terms.find_field(label) or terms.find_field(name)
    }
    # Labels whose names the reader takes as equal share a column.
    names = list(dict.fromkeys(column_names.values()))
    rows = csv.DictWriter(out, [*fixed, *names], restval="", lineterminator="\n")
    rows.writerow(dict(zip(fixed, fixed, strict=True)) | {name: _guard(name) for name in names})
    for entry in entries:
        hashes = [listed.hash for listed in entry.hashes if tally.fits(listed.hash)]
        label_cells = _collect_labels(entry, column_names, tally)
        for row in _build_rows(entry, hashes):
            rows.writerow(row | {name: _guard(text) for name, text in label_cells.items()})
            label_cells = _select_repeated_labels(label_cells, binding)
        tally.wrote(entry, hashes)


def _make_column_name(label: str) -> str:
    """Return a column name for a label that the reader takes for neither a field nor a hash."""
    name = clean_cell(" ".join(label.splitlines()))
    if not name or may_be_hash(name):
        name = "label"
    return f"{name} (label)" if has_meaning(name) else name


def _collect_labels(entry: Entry, column_names: Mapping[str, str], tally: Tally) -> dict[str, str]:
    """Return an entry's labels by column name, joining labels of one column as lines.

    Imports unite binding labels in the same way, and each line counts.
    """
    labels: dict[str, str] = {}
    for label, text in entry.labels.items():
        name = column_names[label]
        if name not in (label, f"{label} (label)"):
            tally.lost.add("names of labels that no column can have")
        labels[name] = f"{labels[name]}\n{text}" if name in labels else text
    if sum(len(text.splitlines()) for text in labels.values()) > MAX_QUOTED_LINES // 2:
        tally.lost.add("lines of labels that have too many for a row")
        labels = {name: " ".join(text.splitlines()) for name, text in labels.items()}
    if any(text.startswith(_FORMULA_PREFIXES) for text in labels.values()):
        tally.lost.add("labels that look like formulas get an apostrophe in front")
    return labels


def _select_repeated_labels(label_cells: dict[str, str], binding: Container[str]) -> dict[str, str]:
    """Return the labels to repeat in further rows of an entry: all, or only binding ones if long.

    The reader unites the rows to one entry, so long labels would waste space.
    """
    if sum(map(len, label_cells.values())) <= _MAX_REPEATED_CHARACTERS:
        return label_cells
    return {name: text for name, text in label_cells.items() if name in binding}


def _list_columns(entries: Iterable[Entry]) -> tuple[list[str], list[str]]:
    kinds: set[str] = set()
    labels: dict[str, None] = {}
    for entry in entries:
        kinds.update(listed.hash.kind.name for listed in entry.hashes)
        labels |= dict.fromkeys(entry.labels)
    # The reader recognises the format by the column of a kind, even if all entries are withdrawn.
    return [name for name in KINDS if name in kinds] or ["pdq"], list(labels)


def _build_rows(entry: Entry, hashes: Iterable[Hash]) -> list[dict[str, str]]:
    """Return the rows of an entry: several if it repeats a kind or has several categories."""
    rows: list[dict[str, str]] = [{}]
    filled: Counter[str] = Counter()  # number of leading rows that have a kind or a category

    def add(name: str, cells: dict[str, str]) -> None:
        if filled[name] == len(rows):
            rows.append({})
        rows[filled[name]] |= cells
        filled[name] += 1

    for hash_ in hashes:
        name = hash_.kind.name
        quality = {} if hash_.quality is None else {f"{name}_quality": str(hash_.quality)}
        add(name, {name: hash_.text} | quality)
    for category in entry.categories:
        code, scheme = _guard(category.code), _guard(category.scheme)
        add("category", {"category": code, "category_scheme": scheme})
    # Imports quarantine a row without a hash, so a further category repeats the first hash.
    first = {key: cell for key, cell in rows[0].items() if not key.startswith("category")}
    rows = [row if row.keys() - {"category", "category_scheme"} else first | row for row in rows]
    common = {"id": _guard(entry.name), "updated": _guard(entry.updated or "")}
    common |= {"status": str(entry.state)}
    return [row | common for row in rows]


def _guard(cell: str) -> str:
    return "'" + cell if cell.startswith(_FORMULA_PREFIXES) else cell
